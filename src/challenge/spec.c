/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/spec.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "challenge/answer-match.h"
#include "challenge/folder.h"
#include "challenge/pattern.h"
#include "challenge/tree.h"
#include "challenge/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 5, 0))) static void tell(struct spec *spec, enum problem_kind kind,
						       const struct yaml_node *at, const char *key,
						       const char *fmt, va_list ap)
{
	struct buf text = BUF_INIT;

	buf_vprintf(&text, fmt, ap);
	problem_at(spec->problems, kind, at, key, "%s", text.data);
	buf_done(&text);
}

void spec_fault(struct spec *spec, const struct yaml_node *at, const char *key, const char *fmt,
		...)
{
	va_list ap;

	va_start(ap, fmt);
	tell(spec, PROBLEM_ERROR, at, key, fmt, ap);
	va_end(ap);
}

void spec_warn(struct spec *spec, const struct yaml_node *at, const char *key, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tell(spec, PROBLEM_WARNING, at, key, fmt, ap);
	va_end(ap);
}

static const struct spec_key *find_key(const struct spec_keys *keys, const char *name)
{
	for (size_t i = 0; i < keys->count; i++)
		if (strcmp(keys->rows[i].name, name) == 0)
			return &keys->rows[i];
	return NULL;
}

/* "spec.network.domains", or the key alone where it stands at the top. */
static const char *key_path(struct spec *spec, const struct spec_keys *keys, const char *name)
{
	return *keys->map ? arena_printf(spec->arena, "%s.%s", keys->map, name) : name;
}

void spec_read(struct spec *spec, const struct yaml_node *map, const struct spec_keys *keys)
{
	for (size_t i = 0; map && map->kind == YAML_MAP && i < map->count; i++) {
		const struct yaml_entry *entry = &map->entries[i];
		const struct spec_key *key = find_key(keys, entry->key);

		if (key && (entry->value->kind == YAML_NULL || key->read)) {
			if (entry->value->kind != YAML_NULL)
				key->read(spec, entry->value);
			continue;
		}
		problem_add(spec->problems, PROBLEM_WARNING, entry->value->file->path, entry->line,
			    entry->column, key_path(spec, keys, entry->key), "%s",
			    key ? key->ignored : "unknown, and has no effect");
	}
}

void spec_check_keys(struct spec *spec, const struct yaml_node *map, const char *key,
		     const char *const *known)
{
	for (size_t i = 0; map->kind == YAML_MAP && i < map->count; i++) {
		const struct yaml_entry *entry = &map->entries[i];
		size_t j = 0;

		while (known[j] && strcmp(known[j], entry->key) != 0)
			j++;
		if (!known[j])
			problem_add(spec->problems, PROBLEM_WARNING, entry->value->file->path,
				    entry->line, entry->column, key,
				    "'%s' is unknown, and has no effect", entry->key);
	}
}

const char *spec_text(struct spec *spec, const struct yaml_node *value, const char *key)
{
	if (!yaml_is_scalar(value))
		spec_fault(spec, value, key, "must be a string, not %s",
			   yaml_kind_name(value->kind));
	return value->kind == YAML_NULL ? NULL : value->text;
}

/* The same of a number or a boolean: 0x10 is "16", TRUE is "true". */
static const char *read_value(struct spec *spec, const struct yaml_node *value, const char *key)
{
	return spec_text(spec, value, key) ? yaml_scalar_text(spec->arena, value) : NULL;
}

const char *spec_prose(struct spec *spec, const struct yaml_node *value, const char *key)
{
	const char *all = NULL;

	if (yaml_is_scalar(value))
		return spec_text(spec, value, key);
	for (size_t i = 0; value->kind == YAML_LIST && i < value->count; i++) {
		const char *text = value->items[i]->text;

		if (text && *text)
			all = all ? arena_printf(spec->arena, "%s, %s", all, text) : text;
	}
	if (!all && value->count)
		spec_warn(spec, value, key, "is not kept: it is %s", yaml_kind_name(value->kind));
	return all;
}

int64_t spec_integer(struct spec *spec, const struct yaml_node *value, const char *key)
{
	const char *text = read_value(spec, value, key);
	int64_t number = 0;

	if (text && !unit_integer(text, 0, INT32_MAX, &number))
		spec_fault(spec, value, key, "'%s' is not a whole number", text);
	return number;
}

bool spec_bool(struct spec *spec, const struct yaml_node *value, const char *key)
{
	const char *text = read_value(spec, value, key);
	bool yes = false;

	if (text && !unit_bool(text, &yes))
		spec_fault(spec, value, key, "'%s' is neither true nor false", text);
	return yes;
}

int64_t spec_duration(struct spec *spec, const struct yaml_node *value, const char *key)
{
	const char *text = read_value(spec, value, key);
	int64_t amount = 0;

	if (!text)
		return 0;
	if (unit_integer(text, 0, INT32_MAX, &amount))
		return amount * 1000;
	if (!unit_duration(text, &amount))
		spec_fault(spec, value, key,
			   "'%s' is not a duration: write it like '90s' or '1h30m'", text);
	return amount / 1000000;
}

void spec_texts(struct spec *spec, const struct yaml_node *value, const char *key,
		const char ***ret_texts, size_t *ret_count)
{
	bool is_list = value->kind == YAML_LIST;
	size_t count = is_list ? value->count : 1;

	*ret_count = 0;
	*ret_texts = arena_array(spec->arena, count, sizeof(const char *));
	for (size_t i = 0; *ret_texts && i < count; i++) {
		const char *text = spec_text(spec, is_list ? value->items[i] : value, key);

		if (text)
			(*ret_texts)[(*ret_count)++] = text;
	}
}

/* --- growing a challenge ------------------------------------------------------------------ */

/* Copies an array with room for one more; NULL when memory ends, which the arena remembers. */
static void *grown(struct spec *spec, const void *rows, size_t count, size_t size)
{
	void *more = arena_array(spec->arena, count + 1, size);

	if (more && count)
		memcpy(more, rows, count * size);
	return more;
}

#define GROW(spec, rows, count)                                                \
	__extension__({                                                        \
		void *more_ = grown((spec), (rows), (count), sizeof(*(rows))); \
		if (more_)                                                     \
			(rows) = more_;                                        \
		more_ ? &(rows)[(count)++] : NULL;                             \
	})

struct question *spec_add_question(struct spec *spec, const char *id)
{
	struct challenge *c = spec->challenge;
	struct question *row = GROW(spec, c->questions, c->question_count);

	if (row)
		row->id = id;
	return row;
}

struct hint *spec_add_hint(struct spec *spec)
{
	struct challenge *c = spec->challenge;

	return GROW(spec, c->hints, c->hint_count);
}

struct attachment *spec_add_attachment(struct spec *spec)
{
	struct challenge *c = spec->challenge;

	return GROW(spec, c->attachments, c->attachment_count);
}

static void add_source(struct spec *spec, const struct yaml_node *at, const char *full)
{
	struct attachment *row = spec_add_attachment(spec);

	if (row)
		*row = (struct attachment){ .filename = strrchr(full, '/') + 1,
					    .source = path_relative(full, spec->challenge->dir),
					    .node = at };
}

/* What is in a directory that is handed out: no more than people would want to fetch one by one. */
enum { MAX_OFFERED = 32, MAX_OFFERED_DEPTH = 8 };

struct offer {
	struct spec *spec;
	const char *files[MAX_OFFERED];
	size_t count;
	bool too_many;
};

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void list_directory(struct offer *in, const char *dir, unsigned depth)
{
	const char *folder = in->spec->challenge->dir;
	struct dirent **entries = NULL;
	AUTO(int, closep) fd = -1;
	int count;

	if (depth > MAX_OFFERED_DEPTH ||
	    folder_open_path(folder, dir, O_RDONLY | O_DIRECTORY, &fd, NULL) < 0) {
		in->too_many = true;
		return;
	}
	count = scandirat(fd, ".", &entries, not_hidden, alphasort);
	for (int i = 0; i < count; i++) {
		const char *path = path_join(in->spec->arena, dir, entries[i]->d_name);
		enum path_kind kind =
			path && !in->too_many ? folder_kind(folder, path) : PATH_OTHER;

		if (kind == PATH_DIR)
			list_directory(in, path, depth + 1);
		else if (kind == PATH_FILE && in->count < MAX_OFFERED)
			in->files[in->count++] = path;
		else if (kind == PATH_FILE)
			in->too_many = true;
		free(entries[i]);
	}
	free(entries);
}

static void add_directory(struct spec *spec, const struct yaml_node *at, const char *path,
			  const char *full)
{
	struct offer in = { .spec = spec };

	if (path_is_below(spec->dir, full)) {
		spec_warn(spec, at, "files",
			  "'%s' is not offered: it is the whole folder, with its flag and solver",
			  path);
		return;
	}
	list_directory(&in, full, 0);
	if (in.too_many) {
		spec_warn(spec, at, "files",
			  "'%s' is not offered: it is a directory of more than %d files: name an "
			  "archive of it",
			  path, MAX_OFFERED);
		return;
	}
	if (!in.count) {
		spec_warn(spec, at, "files", "'%s' is not offered: the directory is empty", path);
		return;
	}
	for (size_t i = 0; i < in.count; i++)
		add_source(spec, at, in.files[i]);
	spec_warn(spec, at, "files", "'%s' is a directory: what is in it is offered file by file",
		  path);
}

void spec_add_file(struct spec *spec, const struct yaml_node *at, const char *path)
{
	const char *folder = spec->challenge->dir;
	const char *full = path_join(spec->arena, spec->dir, path);

	if (!full)
		return;
	switch (folder_kind(folder, full)) {
	case PATH_FILE: add_source(spec, at, full); return;
	case PATH_DIR: add_directory(spec, at, path, full); return;
	case PATH_OTHER:
		spec_warn(spec, at, "files", "'%s' is not offered: it is outside the folder", path);
		return;
	case PATH_ABSENT:
		spec_warn(spec, at, "files", "'%s' is not offered: there is no such file", path);
	}
}

static bool is_offered(const struct challenge *c, size_t count, const char *filename)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(c->attachments[i].filename, filename) == 0)
			return true;
	return false;
}

/* "dist/b/same.txt" is "b-same.txt", then "dist-b-same.txt"; NULL: all that is taken. */
static const char *longer_name(struct spec *spec, size_t index)
{
	const struct challenge *c = spec->challenge;
	const struct attachment *row = &c->attachments[index];
	const char *start = row->source ? strrchr(row->source, '/') : NULL;

	while (start && start > row->source) {
		char *name;

		while (start > row->source && start[-1] != '/')
			start--;
		name = arena_strdup(spec->arena, start);
		for (char *slash = name; slash && (slash = strchr(slash, '/'));)
			*slash = '-';
		if (!name || !is_offered(c, c->attachment_count, name))
			return name;
		start -= start > row->source;
	}
	return NULL;
}

/* The same file, listed before, as players would see it; NULL: none. */
static const struct attachment *find_double(const struct challenge *c, size_t count,
					    const struct attachment *row)
{
	for (size_t i = 0; row->source && i < count; i++)
		if (c->attachments[i].source &&
		    strcmp(c->attachments[i].source, row->source) == 0 &&
		    c->attachments[i].template_ == row->template_)
			return &c->attachments[i];
	return NULL;
}

static void rename_attachment(struct spec *spec, size_t index)
{
	struct attachment *row = &spec->challenge->attachments[index];
	const char *name = longer_name(spec, index);

	if (!name) {
		spec_fault(spec, row->node, "files",
			   "two files would be called '%s': give one another name", row->filename);
		return;
	}
	spec_warn(spec, row->node, "files", "'%s' is offered as '%s': another file is called '%s'",
		  row->source, name, row->filename);
	row->filename = name;
}

void spec_name_attachments(struct spec *spec)
{
	struct challenge *c = spec->challenge;
	size_t kept = 0;

	for (size_t i = 0; i < c->attachment_count; i++) {
		struct attachment row = c->attachments[i];

		if (is_offered(c, kept, row.filename) && find_double(c, kept, &row)) {
			spec_warn(spec, row.node, "files", "'%s' is listed twice", row.source);
			continue;
		}
		c->attachments[kept++] = row;
		if (is_offered(c, kept - 1, row.filename))
			rename_attachment(spec, kept - 1);
	}
	c->attachment_count = kept;
}

struct placement *spec_add_placement(struct spec *spec)
{
	struct challenge *c = spec->challenge;

	return GROW(spec, c->placements, c->placement_count);
}

struct endpoint *spec_add_endpoint(struct spec *spec)
{
	struct challenge *c = spec->challenge;

	return GROW(spec, c->endpoints, c->endpoint_count);
}

/* --- flags -------------------------------------------------------------------------------- */

void spec_check_answer(struct spec *spec, const struct yaml_node *at, const char *key,
		       const char *answer)
{
	size_t len;
	const char *start = answer_trim(answer, &len);

	if (len == 0)
		spec_fault(spec, at, key, "nobody can give an answer of nothing but white space");
	else if (len > ANSWER_MAX)
		spec_fault(spec, at, key, "nobody can give an answer of more than %d bytes",
			   ANSWER_MAX);
	else if (memchr(start, '\n', len))
		spec_warn(spec, at, key,
			  "has several lines: in the browser an answer has only one");
}

void spec_check_pattern(struct spec *spec, const struct yaml_node *at, const char *key,
			const char *pattern)
{
	struct err e = ERR_INIT;

	if (pattern_check(pattern, &e) < 0)
		spec_fault(spec, at, key, "%s", e.msg);
}

static struct question *flag_question(struct spec *spec)
{
	struct challenge *c = spec->challenge;

	for (size_t i = 0; i < c->question_count; i++)
		if (strcmp(c->questions[i].id, "flag") == 0)
			return &c->questions[i];
	return spec_add_question(spec, "flag");
}

struct accepted *spec_add_accepted(struct spec *spec, struct question *q)
{
	return GROW(spec, q->also, q->also_count);
}

/* The first is the question's answer, any further one is accepted too. */
static void add_answer(struct spec *spec, const struct accepted *answer)
{
	struct question *q = flag_question(spec);
	struct accepted *row;

	if (!q)
		return;
	if (!q->answer) {
		q->kind = answer->is_pattern ? ANSWER_REGEX : ANSWER_STATIC;
		q->answer = answer->text;
		q->case_insensitive = answer->case_insensitive;
	} else if ((row = spec_add_accepted(spec, q))) {
		*row = *answer;
	}
}

void spec_add_flag(struct spec *spec, const struct yaml_node *at, const char *answer,
		   bool case_insensitive)
{
	spec_check_answer(spec, at, "flag", answer);
	add_answer(spec, &(struct accepted){ answer, false, case_insensitive });
}

void spec_add_flag_pattern(struct spec *spec, const struct yaml_node *at, const char *pattern,
			   bool case_insensitive)
{
	spec_check_pattern(spec, at, "flag", pattern);
	add_answer(spec, &(struct accepted){ pattern, true, case_insensitive });
}

void spec_add_dynamic_flag(struct spec *spec, const char *content)
{
	struct question *q = flag_question(spec);
	const char *open = strchr(content, '{'), *close = strrchr(content, '}');

	if (!q)
		return;
	q->kind = ANSWER_GENERATED;
	q->answer = content;
	if (!strstr(content, "...") && open && close && close > open)
		q->answer = arena_printf(spec->arena, "%.*s...%s", (int)(open + 1 - content),
					 content, close);
	else if (!strstr(content, "..."))
		q->answer = "flag{...}";
}

struct yaml_node *spec_service(struct spec *spec, const char *name, const struct yaml_node *place)
{
	struct yaml_node *service = tree_new(spec->arena, YAML_MAP, place);

	if (!spec->services)
		spec->services = tree_new(spec->arena, YAML_MAP, place);
	tree_set(spec->arena, spec->services, name, service);
	return service;
}
