/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/dockerfile.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/image-name.h"
#include "base/own.h"
#include "challenge/interpolate.h"
#include "challenge/unit.h"
#include "challenge/variables.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { MAX_RANGE = 1024 };

struct reader {
	struct arena *arena;
	const char *s;
	unsigned line;
	char escape;
	bool knows_heredocs;
	struct dockerfile *file;
	const char **stages; /* "" for one without a name */
	const char **bases;  /* what each stage stands on */
	size_t stage_count, base_count;
	struct variables values; /* of ARG and ENV, for EXPOSE */
};

static const char blanks[] = " \t\r", bom[] = "\xef\xbb\xbf";

static bool is_word(const char *s, size_t len, const char *word)
{
	return strlen(word) == len && strncasecmp(s, word, len) == 0;
}

/* "# name = value": the value, up to its blanks. NULL: another line. */
static const char *directive_value(const char *line, const char *name, size_t *ret_len)
{
	size_t len = strlen(name);

	line += strspn(line, "#");
	line += strspn(line, blanks);
	if (strncasecmp(line, name, len) != 0)
		return NULL;
	line += len + strspn(line + len, blanks);
	if (*line != '=')
		return NULL;
	line += 1 + strspn(line + 1, blanks);
	*ret_len = strcspn(line, " \t\r\n");
	return line;
}

static const char *next_line(const char *s)
{
	s += strcspn(s, "\n");
	return s + (*s == '\n');
}

/* Directives may stand before anything else. */
static void read_directives(struct reader *in)
{
	size_t len;

	for (const char *s = in->s; *s == '#'; s = next_line(s)) {
		const char *value = directive_value(s, "escape", &len);

		if (value && *value == '`')
			in->escape = '`';
		value = directive_value(s, "syntax", &len);
		if (value && len)
			in->file->frontend = arena_strndup(in->arena, value, len);
	}
}

char *dockerfile_drop_frontend(const char *text)
{
	char *copy = strdup(text), *line = copy;
	size_t len;

	if (!copy)
		return NULL;
	line += strncmp(line, bom, strlen(bom)) == 0 ? strlen(bom) : 0;
	while (*line == '#' && !directive_value(line, "syntax", &len))
		line += next_line(line) - line;
	if (*line == '#') {
		const char *rest = next_line(line);

		memmove(line, rest, strlen(rest) + 1);
	}
	return copy;
}

/* One instruction with its continued lines joined, comments left out. False at the end. */
static bool read_instruction(struct reader *in, struct buf *text, unsigned *ret_line)
{
	bool continued = false;

	buf_clear(text);
	while (*in->s) {
		size_t len = strcspn(in->s, "\n"), end = len;
		const char *start = in->s + strspn(in->s, blanks);

		in->line++;
		if (!continued)
			*ret_line = in->line;
		while (end && strchr(blanks, in->s[end - 1]))
			end--;
		if (*start != '#' && (!continued || end > 0)) {
			bool more = end && in->s[end - 1] == in->escape;

			buf_put(text, in->s, end - more);
			buf_putc(text, ' ');
			continued = more;
		}
		in->s += len + (in->s[len] == '\n');
		if (!continued && text->len > 1)
			return true;
		if (!continued)
			buf_clear(text);
	}
	return text->len > 1;
}

static void need_buildkit(struct reader *in, unsigned line, const char *reason)
{
	if (in->file->needs_buildkit)
		return;
	in->file->needs_buildkit = true;
	in->file->buildkit_reason = reason;
	in->file->buildkit_line = line;
}

/* "<<EOF", "3<<-'EOF'": the word that ends the body. NULL: no heredoc begins here. */
static char *heredoc_word(struct arena *arena, const char *s)
{
	size_t len;

	s += strspn(s, "0123456789");
	if (strncmp(s, "<<", 2) != 0 || s[2] == '<') /* "<<<" is the shell's own */
		return NULL;
	s += 2;
	s += *s == '-';
	s += *s == '"' || *s == '\'';
	len = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
	return len && !isdigit((unsigned char)*s) ? arena_strndup(arena, s, len) : NULL;
}

/* As the builder has it, a heredoc is a word of its own: "$((1<<n))" and "'<<EOF'" are none. */
static char *heredoc_end(struct arena *arena, const char *s)
{
	const char *at = s;
	char quote = '\0';

	for (; *at; at++) {
		char *end = NULL;

		if (*at == '\\' && quote != '\'' && at[1])
			at++;
		else if (quote || *at == '"' || *at == '\'')
			quote = !quote ? *at : *at == quote ? '\0' : quote;
		else if (at == s || strchr(blanks, at[-1]))
			end = heredoc_word(arena, at);
		if (end)
			return end;
	}
	return NULL;
}

static void skip_heredoc(struct reader *in, const char *end)
{
	while (*in->s) {
		size_t len = strcspn(in->s, "\n"), tabs = strspn(in->s, "\t");
		size_t stop = len;

		while (stop > tabs && strchr(blanks, in->s[stop - 1]))
			stop--;
		in->line++;
		tabs = tabs < stop ? tabs : stop;
		if (stop - tabs == strlen(end) && strncmp(in->s + tabs, end, stop - tabs) == 0) {
			in->s += len + (in->s[len] == '\n');
			return;
		}
		in->s += len + (in->s[len] == '\n');
	}
}

static void append_port(struct reader *in, uint16_t port, const char *protocol)
{
	struct dockerfile_port *rows =
		arena_array(in->arena, in->file->port_count + 1, sizeof(*rows));

	if (!rows)
		return;
	if (in->file->port_count)
		memcpy(rows, in->file->ports, in->file->port_count * sizeof(*rows));
	rows[in->file->port_count++] = (struct dockerfile_port){ port, protocol };
	in->file->ports = rows;
}

/* "80", "53/udp", "3000-3005" */
static void add_port(struct reader *in, const char *word, size_t len)
{
	char *text = arena_strndup(in->arena, word, len);
	char *slash = text ? strchr(text, '/') : NULL;
	char *dash = text ? strchr(text, '-') : NULL;
	int64_t first, last;

	if (slash)
		*slash++ = '\0';
	if (dash)
		*dash++ = '\0';
	if (!text || !unit_integer(text, 1, 65535, &first) ||
	    !unit_integer(dash ? dash : text, first, 65535, &last) || last - first >= MAX_RANGE)
		return;
	for (int64_t port = first; port <= last; port++)
		append_port(in, (uint16_t)port,
			    slash && strcasecmp(slash, "udp") == 0 ? "udp" : "tcp");
}

static void add_value(struct reader *in, const char *name, size_t len, const char *value,
		      size_t value_len)
{
	char *key = arena_strndup(in->arena, name, len);
	char *text;

	if (value_len > 1 && (*value == '"' || *value == '\'') && value[value_len - 1] == *value)
		value++, value_len -= 2;
	text = arena_strndup(in->arena, value, value_len);
	if (key && text)
		variables_set(&in->values, key, text);
}

/* "NAME=value" of ARG or ENV */
static void add_assignment(struct reader *in, const char *word, size_t len)
{
	const char *equals = memchr(word, '=', len);

	if (equals)
		add_value(in, word, (size_t)(equals - word), equals + 1,
			  len - (size_t)(equals + 1 - word));
}

static void add_text(struct arena *arena, const char ***texts, size_t *count, const char *text,
		     size_t len)
{
	const char **rows = arena_array(arena, *count + 1, sizeof(const char *));

	if (!rows)
		return;
	if (*count)
		memcpy(rows, *texts, *count * sizeof(const char *));
	rows[*count] = arena_strndup(arena, text, len);
	*texts = rows;
	*count += rows[*count] != NULL;
}

/* What only BuildKit knows of where it builds, and for whom. */
static bool is_platform_arg(const char *word, size_t len)
{
	static const char *const ends[] = { "PLATFORM", "OS", "ARCH", "OSVERSION", "VARIANT" };

	if (len < 6 || (strncmp(word, "BUILD", 5) != 0 && strncmp(word, "TARGET", 6) != 0))
		return false;
	word += *word == 'B' ? 5 : 6;
	len -= word[-1] == 'D' ? 5 : 6;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (strlen(ends[i]) == len && strncmp(word, ends[i], len) == 0)
			return true;
	return false;
}

static void add_arg(struct reader *in, const char *word, size_t len)
{
	struct dockerfile *file = in->file;

	if (is_platform_arg(word, strcspn(word, "= \t")))
		need_buildkit(in, in->line, "an ARG of its platform");
	add_text(in->arena, &file->args, &file->arg_count, word, strcspn(word, "= \t"));
	if (in->stage_count == 0)
		add_text(in->arena, &file->globals, &file->global_count, word, len);
}

/* As the builder reads names and flags: without quotes and escapes. */
static const char *unquoted(struct arena *arena, const char *word, size_t len)
{
	char *text = arena_alloc(arena, len + 1);
	size_t n = 0;

	for (size_t i = 0; text && i < len; i++)
		if (!strchr("\"'\\`", word[i]))
			text[n++] = word[i];
	return text;
}

/* A stage's name, or the empty image. */
static bool is_stage(const struct reader *in, const char *word, size_t len)
{
	if (is_word(word, len, "scratch"))
		return true;
	for (size_t i = 0; i < in->stage_count; i++)
		if (is_word(word, len, in->stages[i]))
			return true;
	return false;
}

static void add_image(struct reader *in, const char *word, size_t len)
{
	if (len && !is_stage(in, word, len))
		add_text(in->arena, &in->file->images, &in->file->image_count, word, len);
}

/* A stage has a number as well, for who copies from it. */
static void add_copied(struct reader *in, const char *word, size_t len)
{
	if (strspn(word, "0123456789") < len)
		add_image(in, word, len);
}

static void add_base(struct reader *in, const char *word, size_t len)
{
	for (size_t i = 0; i < in->base_count; i++)
		if (is_word(word, len, in->stages[i])) {
			word = in->bases[i];
			len = strlen(word);
		}
	add_text(in->arena, &in->bases, &in->base_count, word, len);
	if (in->base_count)
		in->file->base = in->bases[in->base_count - 1];
}

/* "--platform=linux/amd64 image AS name" */
static void read_from(struct reader *in, const char *s)
{
	const char *as, *name;
	size_t len;

	in->file->port_count = 0;
	in->file->has_healthcheck = false;
	while (strncmp(s, "--", 2) == 0) {
		len = strcspn(s, blanks);
		if (memchr(s, '$', len))
			need_buildkit(in, in->line, "FROM --platform with a variable");
		s += len;
		s += strspn(s, blanks);
	}
	len = strcspn(s, blanks);
	name = unquoted(in->arena, s, len);
	if (name) {
		add_image(in, name, strlen(name));
		add_base(in, name, strlen(name));
	}
	s += len + strspn(s + len, blanks);
	len = strcspn(s, blanks);
	as = s + len + strspn(s + len, blanks);
	if (!is_word(s, len, "AS"))
		as = "";
	add_text(in->arena, &in->stages, &in->stage_count, as, strcspn(as, blanks));
}

/* "--mount=type=bind,from=image,target=/x" */
static void read_mounted_image(struct reader *in, const char *mount, size_t len)
{
	const char *end = mount + len;

	while (mount < end) {
		size_t field = strcspn(mount, ", \t\r");

		if (strncasecmp(mount, "from=", 5) == 0)
			add_copied(in, mount + 5, field - 5);
		mount += field + 1;
	}
}

/* COPY --from, RUN --mount */
static void read_copied_images(struct reader *in, const char *s)
{
	for (; strncmp(s, "--", 2) == 0; s += strspn(s, blanks)) {
		size_t len = strcspn(s, blanks);
		const char *flag = unquoted(in->arena, s, len);

		if (flag && strncasecmp(flag, "--from=", 7) == 0)
			add_copied(in, flag + 7, strlen(flag + 7));
		else if (flag && strncasecmp(flag, "--mount=", 8) == 0)
			read_mounted_image(in, flag + 8, strlen(flag + 8));
		s += len;
	}
}

/* "git@host:x", "https://host/x.git#branch" */
static void read_source(struct reader *in, const char *word, size_t len)
{
	const char *dot = memmem(word, len, ".git", 4);

	if (strncmp(word, "git@", 4) == 0 ||
	    (dot && strncmp(word, "http", 4) == 0 &&
	     (dot + 4 == word + len || dot[4] == '#' || dot[4] == '?')))
		need_buildkit(in, in->line, "ADD of a repository");
}

static void each_word(struct reader *in, const char *s,
		      void (*each)(struct reader *, const char *, size_t))
{
	for (s += strspn(s, blanks); *s; s += strspn(s, blanks)) {
		size_t len = strcspn(s, blanks);

		each(in, s, len);
		s += len;
	}
}

/* "NAME=value ...", or "NAME value" as it once was */
static void read_env(struct reader *in, const char *s)
{
	size_t len = strcspn(s, blanks);
	const char *value = s + len + strspn(s + len, blanks);

	if (memchr(s, '=', len))
		each_word(in, s, add_assignment);
	else
		add_value(in, s, len, value, strcspn(value, blanks));
}

static void read_expose(struct reader *in, const char *s)
{
	AUTO(struct buf, buf_done) text = BUF_INIT;
	struct err e = ERR_INIT;

	if (interpolate(s, &in->values, &text, NULL, NULL, &e) == 0)
		each_word(in, text.data, add_port);
}

static void read_flags(struct reader *in, const char *s, unsigned line)
{
	static const struct {
		const char *flag, *reason;
	} flags[] = { { "--chmod", "--chmod" },
		      { "--link", "--link" },
		      { "--mount", "RUN --mount" },
		      { "--network", "RUN --network" },
		      { "--security", "RUN --security" },
		      { "--parents", "COPY --parents" },
		      { "--exclude", "COPY --exclude" },
		      { "--checksum", "ADD --checksum" },
		      { "--unpack", "ADD --unpack" },
		      { "--device", "RUN --device" },
		      { "--keep-git-dir", "ADD --keep-git-dir" } };

	for (s += strspn(s, blanks); strncmp(s, "--", 2) == 0; s += strspn(s, blanks)) {
		size_t len = strcspn(s, " =\t");

		for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
			if (is_word(s, len, flags[i].flag))
				need_buildkit(in, line, flags[i].reason);
		s += strcspn(s, blanks);
	}
}

static void read_one(struct reader *in, const char *s, unsigned line)
{
	size_t len;
	const char *rest;

	s += strspn(s, blanks);
	len = strcspn(s, blanks);
	rest = s + len + strspn(s + len, blanks);
	if (is_word(s, len, "FROM")) {
		read_from(in, rest);
	} else if (is_word(s, len, "EXPOSE")) {
		read_expose(in, rest);
	} else if (is_word(s, len, "ENV")) {
		read_env(in, rest);
	} else if (is_word(s, len, "ARG")) {
		each_word(in, rest, add_arg);
		each_word(in, rest, add_assignment);
	} else if (is_word(s, len, "HEALTHCHECK")) {
		in->file->has_healthcheck = strncasecmp(rest, "NONE", 4) != 0;
	} else if (is_word(s, len, "COPY") || is_word(s, len, "ADD") || is_word(s, len, "RUN")) {
		char *end = heredoc_end(in->arena, rest);

		read_flags(in, rest, line);
		if (!is_word(s, len, "ADD"))
			read_copied_images(in, rest);
		else
			each_word(in, rest, read_source);
		/* "cat <<EOF" continued by backslashes is the shell's: its body is in the line. */
		if (end && in->knows_heredocs &&
		    !strstr(rest + (strstr(rest, end) - rest) + strlen(end), end)) {
			need_buildkit(in, line, "a heredoc");
			skip_heredoc(in, end);
		}
	}
}

/* Builders know more blanks than C does: of Unicode's, and of two or three bytes each. */
static char *with_plain_blanks(struct arena *arena, const char *text)
{
	static const char *const others[] = { "\v",           "\f",           "\xc2\x85",
					      "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\xa8",
					      "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f",
					      "\xe3\x80\x80" };
	char *copy = arena_strdup(arena, text);

	for (size_t i = 0; copy && i < ARRAY_SIZE(others); i++)
		for (char *at = copy; (at = strstr(at, others[i]));)
			memset(at, ' ', strlen(others[i]));
	for (char *at = copy; at && (at = strstr(at, "\xe2\x80")); at += 2)
		if ((unsigned char)at[2] >= 0x80 && (unsigned char)at[2] <= 0x8a)
			memset(at, ' ', 3);
	return copy;
}

static bool is_usual_frontend(const char *name)
{
	AUTO(struct image_name, image_name_done) parts = { 0 };
	struct err e = ERR_INIT;

	return image_name_parse(name, &parts, &e) == 0 && strcmp(parts.host, IMAGE_NAME_HUB) == 0 &&
	       (strcmp(parts.path, "docker/dockerfile") == 0 ||
		strcmp(parts.path, "docker/dockerfile-upstream") == 0);
}

/* Where any BuildKit may look for "syntax=": in all comments before the first instruction. */
static const char *find_foreign_frontend(struct arena *arena, const char *text)
{
	if (text[strspn(text, " \t\r\n")] == '{')
		return "{";
	for (const char *s = text; *s; s = next_line(s)) {
		const char *line = s + strspn(s, blanks), *value, *name;
		size_t len;

		if (!strchr("#/\n", *line))
			return NULL;
		line += strspn(line, "/");
		value = directive_value(line, "syntax", &len);
		name = value ? arena_strndup(arena, value, len) : NULL;
		if (name && *name && !is_usual_frontend(name))
			return name;
	}
	return NULL;
}

static bool read_as(struct reader in)
{
	struct buf instruction = BUF_INIT;
	unsigned line = 0;
	bool failed;

	while (read_instruction(&in, &instruction, &line))
		read_one(&in, instruction.data, line);
	failed = buf_failed(&instruction) || arena_failed(in.arena);
	buf_done(&instruction);
	return !failed;
}

/* Between two builders' ways to read it there is room for an instruction that we don't see. */
static bool read_otherwise(struct reader in)
{
	struct dockerfile *file = in.file;

	file->otherwise = arena_array(in.arena, 3, sizeof(*file->otherwise));
	for (int way = 1; file->otherwise && way < 4; way++) {
		struct reader other = in;

		other.file = &file->otherwise[file->otherwise_count++];
		*other.file = (struct dockerfile){ 0 };
		if (way & 1)
			other.escape = in.escape == '`' ? '\\' : '`';
		other.knows_heredocs = !(way & 2);
		if (!read_as(other))
			return false;
	}
	return file->otherwise;
}

bool dockerfile_read(struct arena *arena, const char *text, struct dockerfile *ret_file)
{
	struct reader in = { .arena = arena,
			     .s = with_plain_blanks(arena, text),
			     .escape = '\\',
			     .knows_heredocs = true,
			     .file = ret_file,
			     .values.arena = arena };

	*ret_file = (struct dockerfile){ 0 };
	if (!in.s)
		return false;
	if (strncmp(in.s, bom, strlen(bom)) == 0)
		in.s += strlen(bom);
	read_directives(&in);
	ret_file->foreign_frontend = find_foreign_frontend(arena, in.s);
	return read_as(in) && read_otherwise(in);
}

uint16_t dockerfile_port_of_image(const char *reference)
{
	/* What EXPOSE in each image's own Dockerfile says. */
	static const struct {
		const char *repository;
		const char *tag; /* what its tag has to hold; "": any */
		uint16_t port;
	} images[] = {
		{ "pwn.red/jail", "", 5000 },
		{ "redpwn/jail", "", 5000 },
		{ "nginx", "", 80 },
		{ "httpd", "", 80 },
		{ "php", "apache", 80 },
		{ "wordpress", "apache", 80 },
		{ "wordpress", "latest", 80 },
		{ "tomcat", "", 8080 },
		{ "jetty", "", 8080 },
		{ "caddy", "", 80 },
		{ "tiangolo/uwsgi-nginx-flask", "", 80 },
	};
	static const char *const hosts[] = { "docker.io/", "library/", "index.docker.io/" };
	size_t len;

	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++)
		if (strncmp(reference, hosts[i], strlen(hosts[i])) == 0)
			reference += strlen(hosts[i]);
	len = strcspn(reference, ":@");
	for (size_t i = 0; i < ARRAY_SIZE(images); i++)
		if (is_word(reference, len, images[i].repository) &&
		    strstr(reference[len] ? reference + len : ":latest", images[i].tag))
			return images[i].port;
	return 0;
}

bool dockerfile_has_arg(const struct dockerfile *file, const char *name)
{
	for (size_t i = 0; i < file->arg_count; i++)
		if (strcmp(file->args[i], name) == 0)
			return true;
	return false;
}

static void define_globals(const struct dockerfile *file, const json_t *args,
			   struct variables *variables)
{
	for (size_t i = 0; i < file->global_count; i++) {
		size_t len = strcspn(file->globals[i], "=");
		const char *name = arena_strndup(variables->arena, file->globals[i], len);
		const char *given = name ? json_string_value(json_object_get(args, name)) : NULL;
		const char *def = file->globals[i][len] ? file->globals[i] + len + 1 : NULL;

		if (def && (*def == '"' || *def == '\'') && def[strlen(def) - 1] == *def)
			def = arena_strndup(variables->arena, def + 1, strlen(def + 1) - 1);
		if (name && (given || def))
			variables_add(variables, name, given ? given : def);
	}
}

static void note_unset(void *cookie, const char *name)
{
	(void)name;
	*(bool *)cookie = true;
}

bool dockerfile_images(struct arena *arena, const struct dockerfile *file, const json_t *args,
		       const char ***ret_images, size_t *ret_count)
{
	struct variables variables = { .arena = arena };

	*ret_images = NULL;
	*ret_count = 0;
	define_globals(file, args, &variables);
	for (size_t i = 0; i < file->image_count; i++) {
		AUTO(struct buf, buf_done) text = BUF_INIT;
		bool unset = false;
		struct err e = ERR_INIT;
		int r = interpolate(file->images[i], &variables, &text, note_unset, &unset, &e);

		if (r == -ERR_MEMORY)
			return false;
		if (r == 0 && !unset && text.len > 0)
			add_text(arena, ret_images, ret_count, text.data, text.len);
	}
	return !arena_failed(arena);
}

/* What a variable that nobody sets leaves of a name may still be ours. */
static const char *fault_of(const char *name, bool unset)
{
	AUTO(struct image_name, image_name_done) parts = { 0 };
	struct err e = ERR_INIT;

	if (unset && (image_name_parse(name, &parts, &e) < 0 ||
		      image_name_owner(&parts) != IMAGE_CHALLENGES))
		return NULL;
	return image_name_fault(name);
}

static const char *find_fault(struct arena *arena, const struct dockerfile *file,
			      const json_t *args, bool doubted, const char **ret_name)
{
	struct variables variables = { .arena = arena };

	define_globals(file, args, &variables);
	for (size_t i = 0; i < file->image_count; i++) {
		AUTO(struct buf, buf_done) text = BUF_INIT;
		bool unset = false;
		struct err e = ERR_INIT;
		const char *fault = doubted ? NULL : "can't be told";

		if (interpolate(file->images[i], &variables, &text, note_unset, &unset, &e) == 0)
			fault = text.len ? fault_of(text.data, unset || doubted) : NULL;
		*ret_name = arena_strdup(arena, text.len ? text.data : file->images[i]);
		if (fault)
			return fault;
	}
	return NULL;
}

const char *dockerfile_image_fault(struct arena *arena, const struct dockerfile *file,
				   const json_t *args, const char **ret_name)
{
	const char *fault = find_fault(arena, file, args, false, ret_name);

	for (size_t i = 0; !fault && i < file->otherwise_count; i++)
		fault = find_fault(arena, &file->otherwise[i], args, true, ret_name);
	if (fault || !file->foreign_frontend)
		return fault;
	*ret_name = file->foreign_frontend;
	return "would be a program for the builder: of '# syntax=' only docker/dockerfile is taken";
}
