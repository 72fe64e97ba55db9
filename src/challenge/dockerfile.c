#include "challenge/dockerfile.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/own.h"
#include "challenge/unit.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct reader {
	struct arena *arena;
	const char *s;
	unsigned line;
	char escape;
	struct dockerfile *file;
	bool failed;
};

static const char blanks[] = " \t\r";

static bool is_word(const char *s, size_t len, const char *word)
{
	return strlen(word) == len && strncasecmp(s, word, len) == 0;
}

/* "# escape=`" may stand before anything else. */
static void read_directives(struct reader *in)
{
	const char *s = in->s;

	while (*s == '#') {
		const char *directive = s + 1 + strspn(s + 1, blanks);

		if (strncasecmp(directive, "escape", 6) == 0) {
			directive += 6 + strspn(directive + 6, " \t=");
			if (*directive == '`')
				in->escape = '`';
		}
		s += strcspn(s, "\n");
		s += *s == '\n';
	}
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

/* "<<EOF" or "<<-'EOF'": the body's end. NULL: no heredoc. */
static char *heredoc_end(struct arena *arena, const char *s)
{
	const char *at = s;

	while ((at = strstr(at, "<<"))) {
		size_t len;

		at += 2;
		if (at[0] == '<') { /* "<<<" is the shell's own */
			at++;
			continue;
		}
		at += *at == '-';
		at += *at == '"' || *at == '\'';
		len = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
		if (len && !isdigit((unsigned char)*at))
			return arena_strndup(arena, at, len);
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

static void add_port(struct reader *in, const char *word, size_t len)
{
	char *text = arena_strndup(in->arena, word, len);
	char *slash = text ? strchr(text, '/') : NULL;
	struct dockerfile_port *rows;
	int64_t port;

	if (slash)
		*slash++ = '\0';
	if (!text || !unit_integer(text, 1, 65535, &port))
		return;
	rows = arena_array(in->arena, in->file->port_count + 1, sizeof(*rows));
	if (!rows)
		return;
	if (in->file->port_count)
		memcpy(rows, in->file->ports, in->file->port_count * sizeof(*rows));
	rows[in->file->port_count++] =
		(struct dockerfile_port){ (uint16_t)port,
					  slash && strcasecmp(slash, "udp") == 0 ? "udp" : "tcp" };
	in->file->ports = rows;
}

static void add_arg(struct reader *in, const char *word)
{
	const char **rows = arena_array(in->arena, in->file->arg_count + 1, sizeof(const char *));

	if (!rows)
		return;
	if (in->file->arg_count)
		memcpy(rows, in->file->args, in->file->arg_count * sizeof(const char *));
	rows[in->file->arg_count] = arena_strndup(in->arena, word, strcspn(word, "= \t"));
	in->file->args = rows;
	in->file->arg_count += rows[in->file->arg_count] != NULL;
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

static void read_flags(struct reader *in, const char *s, unsigned line)
{
	static const struct {
		const char *flag, *reason;
	} flags[] = { { "--chmod", "--chmod" },           { "--link", "--link" },
		      { "--mount", "RUN --mount" },       { "--network", "RUN --network" },
		      { "--security", "RUN --security" }, { "--parents", "COPY --parents" },
		      { "--exclude", "COPY --exclude" } };

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
		in->file->port_count = 0;
		in->file->has_healthcheck = false;
	} else if (is_word(s, len, "EXPOSE")) {
		each_word(in, rest, add_port);
	} else if (is_word(s, len, "ARG")) {
		add_arg(in, rest);
	} else if (is_word(s, len, "HEALTHCHECK")) {
		in->file->has_healthcheck = strncasecmp(rest, "NONE", 4) != 0;
	} else if (is_word(s, len, "COPY") || is_word(s, len, "ADD") || is_word(s, len, "RUN")) {
		char *end = heredoc_end(in->arena, rest);

		read_flags(in, rest, line);
		/* "cat <<EOF" continued by backslashes is the shell's: its body is in the line. */
		if (end && !strstr(rest + (strstr(rest, end) - rest) + strlen(end), end)) {
			need_buildkit(in, line, "a heredoc");
			skip_heredoc(in, end);
		}
	}
}

bool dockerfile_read(struct arena *arena, const char *text, struct dockerfile *ret_file)
{
	struct reader in = { .arena = arena, .s = text, .escape = '\\', .file = ret_file };
	struct buf instruction = BUF_INIT;
	unsigned line = 0;

	*ret_file = (struct dockerfile){ 0 };
	if (strncmp(in.s, "\xef\xbb\xbf", 3) == 0)
		in.s += 3;
	read_directives(&in);
	while (read_instruction(&in, &instruction, &line))
		read_one(&in, instruction.data, line);
	in.failed = buf_failed(&instruction) || arena_failed(arena);
	buf_done(&instruction);
	return !in.failed;
}

bool dockerfile_has_arg(const struct dockerfile *file, const char *name)
{
	for (size_t i = 0; i < file->arg_count; i++)
		if (strcmp(file->args[i], name) == 0)
			return true;
	return false;
}
