/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer of a challenge whose spec has none: where its files hold one flag and no other.
 *
 * Files are asked in the order of how surely they mean it: flag files, .env, Dockerfiles, texts for
 * people. The first kind of file with a flag decides; where it has two that differ, nothing is
 * guessed. What authors hand out is not asked: flags there are dummies.
 */
#include "challenge/spec.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/own.h"
#include "challenge/folder.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Bounds of a look, not of a challenge: what lies beyond is no place for a flag. */
enum { MAX_TEXT = 64 << 10, MAX_ENTRIES = 2000, MAX_DEPTH = 4, MAX_FLAG_LENGTH = 256 };

enum rank { FLAG_FILE, ENV_FILE, DOCKERFILE, PROSE, SOURCE, RANKS };

struct found {
	const char *text, *file; /* the first, and where */
	const char *other;       /* a file that has another; NULL: none */
};

struct search {
	struct spec *spec;
	size_t entries;
	struct found ranks[RANKS];
};

/* --- what is a flag ----------------------------------------------------------------------- */

static bool has_word(const char *text, size_t len, const char *word)
{
	size_t want = strlen(word);

	for (size_t i = 0; i + want <= len; i++)
		if (strncasecmp(text + i, word, want) == 0)
			return true;
	return false;
}

/* What authors put where players see the file. */
static bool is_dummy(const char *text, size_t len)
{
	static const char *const words[] = {
		"redacted", "fake",  "placeholder", "dummy",     "example",   "test_flag",
		"testflag", "{test", "your_flag",   "flag_here", "{flag}",    "xxx",
		"...",      "***",   "{}",          "not_the",   "real_flag", "local_flag",
		"changeme", "${",    "{{",          "%s",        "{flag",     "some_flag"
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (has_word(text, len, words[i]))
			return true;
	return false;
}

static bool is_printable(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	return true;
}

static void add(struct search *in, enum rank rank, const char *file, const char *text, size_t len)
{
	struct found *row = &in->ranks[rank];

	if (len == 0 || len > MAX_FLAG_LENGTH || !is_printable(text, len) || is_dummy(text, len))
		return;
	if (!row->text) {
		row->text = arena_strndup(in->spec->arena, text, len);
		row->file = file;
	} else if (strlen(row->text) != len || strncmp(row->text, text, len) != 0) {
		row->other = row->other ? row->other : file;
	}
}

/* "name{...}": a word of an event's name, braces with something in them and no blank. */
static size_t flag_length(const char *at)
{
	size_t name = 0, body;

	while (isalnum((unsigned char)at[name]) || at[name] == '_' || at[name] == '-')
		name++;
	if (name < 2 || name > 32 || at[name] != '{')
		return 0;
	body = strcspn(at + name + 1, "{} \t\r\n\"'`<>()$;,\\");
	return body >= 6 && at[name + 1 + body] == '}' ? name + body + 2 : 0;
}

static void add_shapes(struct search *in, enum rank rank, const char *file, const char *text)
{
	const char *at = text;

	while (*at) {
		size_t len = flag_length(at);

		if (len)
			add(in, rank, file, at, len);
		if (!len)
			len = strspn(
				at,
				"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
		at += len ? len : 1;
	}
}

/* The only line of a flag file, whatever its shape; of several lines, what has the shape of one. */
static void add_flag_file(struct search *in, const char *file, const char *text)
{
	size_t len;

	text += strspn(text, " \t\r\n");
	len = strcspn(text, "\r\n");
	if (text[len + strspn(text + len, " \t\r\n")] == '\0' && !strchr(text, '\t'))
		add(in, FLAG_FILE, file, text, len);
	else
		add_shapes(in, FLAG_FILE, file, text);
}

/* The value of FLAG=..., of ENV and ARG too, and of a spaced "ENV FLAG value". */
static void add_assigned(struct search *in, enum rank rank, const char *file, const char *line)
{
	size_t len, name;

	line += strspn(line, " \t");
	if (strncasecmp(line, "ENV ", 4) == 0 || strncasecmp(line, "ARG ", 4) == 0)
		line += 4 + strspn(line + 4, " \t");
	else if (strncmp(line, "export ", 7) == 0)
		line += 7;
	name = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
	if (name < 4 || name > 32 || strncmp(line + name - 4, "FLAG", 4) != 0 ||
	    !strchr("= \t", line[name]) || line[name] == '\0')
		return;
	line += name + 1;
	line += strspn(line, " \t\"'");
	len = strcspn(line, " \t\r\n\"'");
	if (len && line[0] != '$')
		add(in, rank, file, line, len);
}

static void add_lines(struct search *in, enum rank rank, const char *file, const char *text)
{
	for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
		add_assigned(in, rank, file, text);
}

/* --- where ones may be -------------------------------------------------------------------- */

static bool is_handed_out(const char *name)
{
	static const char *const names[] = {
		"dist",         "public",  "attachments", "attachment", "handout",   "handouts",
		"release",      "publish", "files",       "provide",    "distfiles", "distrib",
		"node_modules", "vendor",  "player",      "static"
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcasecmp(names[i], name) == 0)
			return true;
	return name[0] == '.';
}

static bool is_flag_file(const char *name)
{
	static const char *const names[] = { "flag",          "flag.txt",  "flag.md",
					     "flags.txt",     "flag.flag", "flag1.txt",
					     "real_flag.txt", ".flag",     "flag.secret" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcasecmp(names[i], name) == 0)
			return true;
	return false;
}

static bool ends_with(const char *name, const char *end)
{
	size_t len = strlen(name), want = strlen(end);

	return len >= want && strcasecmp(name + len - want, end) == 0;
}

static bool is_source(const char *name)
{
	static const char *const ends[] = { ".py",  ".c",   ".js",  ".ts",   ".go",   ".rs",
					    ".rb",  ".sh",  ".php", ".sage", ".java", ".cpp",
					    ".sol", ".sql", ".yml", ".yaml" };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (ends_with(name, ends[i]))
			return true;
	return false;
}

static enum rank rank_of(const char *name)
{
	if (is_flag_file(name))
		return FLAG_FILE;
	if (strcmp(name, ".env") == 0 || strcmp(name, "flag.env") == 0)
		return ENV_FILE;
	if (strncasecmp(name, "dockerfile", 10) == 0)
		return DOCKERFILE;
	if (ends_with(name, ".md") || strncasecmp(name, "solution", 8) == 0 ||
	    strncasecmp(name, "writeup", 7) == 0)
		return PROSE;
	return is_source(name) ? SOURCE : RANKS;
}

static void look_at_file(struct search *in, const char *path, const char *name)
{
	const struct challenge *c = in->spec->challenge;
	enum rank rank = rank_of(name);
	const char *text, *file = path_relative(path, c->dir);
	struct err e = ERR_INIT;
	size_t len;

	/* What can't be read, or is large, or no text, is no place of a flag. */
	if (rank == RANKS ||
	    folder_read(in->spec->arena, c->dir, path, MAX_TEXT, &text, &len, &e) < 0 ||
	    memchr(text, 0, len))
		return;
	if (rank == FLAG_FILE)
		add_flag_file(in, file, text);
	else if (rank == ENV_FILE || rank == DOCKERFILE)
		add_lines(in, rank, file, text);
	if (rank == DOCKERFILE || rank == PROSE || rank == SOURCE)
		add_shapes(in, rank, file, text);
}

static void look_in(struct search *in, const char *dir, unsigned depth)
{
	const struct challenge *c = in->spec->challenge;
	struct dirent **entries = NULL;
	AUTO(int, closep) fd = -1;
	int count;

	if (depth > MAX_DEPTH ||
	    folder_open_path(c->dir, dir, O_RDONLY | O_DIRECTORY, &fd, NULL) < 0)
		return;
	count = scandirat(fd, ".", &entries, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		const char *path = path_join(in->spec->arena, dir, name);

		if (path && ++in->entries <= MAX_ENTRIES) {
			if (entries[i]->d_type == DT_DIR && !is_handed_out(name))
				look_in(in, path, depth + 1);
			else if (entries[i]->d_type == DT_REG || entries[i]->d_type == DT_LNK)
				look_at_file(in, path, name);
		}
		free(entries[i]);
	}
	free(entries);
}

bool spec_find_flag(struct spec *spec, const struct yaml_node *place)
{
	struct search in = { .spec = spec };

	look_in(&in, spec->challenge->dir, 0);
	for (size_t i = 0; i < RANKS; i++) {
		const struct found *row = &in.ranks[i];

		if (!row->text)
			continue;
		if (row->other) {
			spec_warn(spec, place, "flags",
				  "nothing to answer: '%s' %s%s%s different flags: say which under "
				  "'flags:' in challenge.yml",
				  row->file, row->other == row->file ? "holds" : "and '",
				  row->other == row->file ? "" : row->other,
				  row->other == row->file ? "" : "' hold");
			return false;
		}
		spec_add_flag(spec, place, row->text, false);
		spec_warn(spec, place, "flags", "the answer is the one that '%s' holds", row->file);
		return true;
	}
	spec_warn(spec, place, "flags",
		  "nothing to answer: add 'flags:' with the answer to challenge.yml, or a file "
		  "'flag.txt'");
	return false;
}
