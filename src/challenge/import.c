/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/import.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/own.h"
#include "base/yaml.h"
#include "challenge/challenge.h"
#include "challenge/compose.h"
#include "challenge/folder.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* --- writing YAML ------------------------------------------------------------------------- */

static void put_indent(struct buf *out, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		buf_puts(out, "  ");
}

/* Words that read back as themselves and not as a number, null or true; others are quoted. */
static bool is_plain(const char *text)
{
	static const char *const reserved[] = { "null", "Null",  "NULL",  "true", "True",
						"TRUE", "false", "False", "FALSE" };

	if (!isalpha((unsigned char)*text) || text[strlen(text) - 1] == ' ')
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
		if (strcmp(reserved[i], text) == 0)
			return false;
	for (const char *c = text; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr(" _-./", *c))
			return false;
	return true;
}

/* A JSON string is a YAML string in double quotes. */
static void put_quoted(struct buf *out, const char *text)
{
	AUTO(json_t *, json_decrefp) json = json_text(text);
	AUTO(char *, freep) quoted = json ? json_dumps(json, JSON_ENCODE_ANY) : NULL;

	buf_puts(out, quoted ? quoted : "\"\"");
}

/* Several lines stand as they are where nothing in them would be lost that way. */
static bool fits_block(const char *text)
{
	size_t len = strlen(text);

	if (!strchr(text, '\n') || isspace((unsigned char)*text) || len < 2 ||
	    text[len - 1] != '\n' || text[len - 2] == '\n')
		return false;
	for (const char *c = text; *c; c++)
		if ((*c < ' ' && *c != '\n') || *c == 0x7f || (*c == '\n' && c[1] == '\t'))
			return false;
	return true;
}

static void put_block(struct buf *out, unsigned depth, const char *text)
{
	buf_puts(out, "|\n");
	while (*text) {
		size_t len = strcspn(text, "\n");

		if (len)
			put_indent(out, depth);
		buf_put(out, text, len);
		buf_putc(out, '\n');
		text += len + (text[len] == '\n');
	}
}

/* With the line's end; depth is that of the lines below. */
static void put_text(struct buf *out, unsigned depth, const char *text)
{
	if (fits_block(text)) {
		put_block(out, depth, text);
		return;
	}
	if (*text && is_plain(text))
		buf_puts(out, text);
	else
		put_quoted(out, text);
	buf_putc(out, '\n');
}

static void put_pair(struct buf *out, unsigned depth, const char *key, const char *text)
{
	if (!text)
		return;
	put_indent(out, depth);
	buf_printf(out, "%s: ", key);
	put_text(out, depth + 1, text);
}

static void put_number(struct buf *out, unsigned depth, const char *key, int64_t number)
{
	if (!number)
		return;
	put_indent(out, depth);
	buf_printf(out, "%s: %lld\n", key, (long long)number);
}

static void put_true(struct buf *out, const char *key, bool yes)
{
	if (yes)
		buf_printf(out, "%s: true\n", key);
}

static void put_texts(struct buf *out, unsigned depth, const char *key, const char *const *texts,
		      size_t count)
{
	if (!count)
		return;
	put_indent(out, depth);
	buf_printf(out, "%s:\n", key);
	for (size_t i = 0; i < count; i++) {
		put_indent(out, depth + 1);
		buf_puts(out, "- ");
		put_text(out, depth + 2, texts[i]);
	}
}

static void put_node(struct buf *out, unsigned depth, const struct yaml_node *node);

static void put_child(struct buf *out, unsigned depth, const struct yaml_node *node)
{
	if (yaml_is_scalar(node)) {
		buf_putc(out, ' ');
		put_node(out, depth, node);
	} else if (!node->count) {
		buf_puts(out, node->kind == YAML_LIST ? " []\n" : " {}\n");
	} else {
		buf_putc(out, '\n');
		put_node(out, depth, node);
	}
}

static void put_key(struct buf *out, const char *key)
{
	if (is_plain(key))
		buf_puts(out, key);
	else
		put_quoted(out, key);
	buf_putc(out, ':');
}

static void put_node(struct buf *out, unsigned depth, const struct yaml_node *node)
{
	if (node->kind == YAML_STRING) {
		put_text(out, depth, node->text);
	} else if (yaml_is_scalar(node)) {
		buf_printf(out, "%s\n", node->kind == YAML_NULL ? "null" : node->text);
	}
	for (size_t i = 0; node->kind == YAML_LIST && i < node->count; i++) {
		put_indent(out, depth);
		buf_putc(out, '-');
		put_child(out, depth + 1, node->items[i]);
	}
	for (size_t i = 0; node->kind == YAML_MAP && i < node->count; i++) {
		put_indent(out, depth);
		put_key(out, node->entries[i].key);
		put_child(out, depth + 1, node->entries[i].value);
	}
}

/* --- parts of a challenge ----------------------------------------------------------------- */

static void put_place(struct buf *out, const struct placement *place)
{
	static const char *const keys[] = { [PLACE_ENVIRONMENT] = "environment",
					    [PLACE_BUILD_ARG] = "build_arg",
					    [PLACE_FILE] = "file" };

	put_indent(out, 3);
	buf_printf(out, "- %s: ", keys[place->way]);
	put_text(out, 5, place->where);
	put_pair(out, 4, "service", place->service);
	put_pair(out, 4, "template", place->template_);
	put_number(out, 4, "uid", place->uid);
	put_number(out, 4, "gid", place->gid);
	if (place->way == PLACE_FILE && place->mode != 0444) {
		put_indent(out, 4);
		buf_printf(out, "mode: \"%04o\"\n", place->mode);
	}
}

static void put_places(struct buf *out, const struct challenge *c, const char *question)
{
	bool first = true;

	for (size_t i = 0; i < c->placement_count; i++) {
		if (strcmp(c->placements[i].question, question) != 0)
			continue;
		if (first) {
			put_indent(out, 2);
			buf_puts(out, "place:\n");
		}
		first = false;
		put_place(out, &c->placements[i]);
	}
}

static void put_answer(struct buf *out, const struct question *q)
{
	if (q->kind == ANSWER_GENERATED && !q->case_insensitive) {
		put_pair(out, 2, "answer", q->answer);
		return;
	}
	put_indent(out, 2);
	buf_puts(out, "answer:\n");
	put_pair(out, 3,
		 q->kind == ANSWER_REGEX       ? "regex"
		 : q->kind == ANSWER_GENERATED ? "template"
					       : "static",
		 q->answer);
	if (q->case_insensitive) {
		put_indent(out, 3);
		buf_puts(out, "case_insensitive: true\n");
	}
}

static void put_also(struct buf *out, const struct question *q)
{
	if (q->also_count) {
		put_indent(out, 2);
		buf_puts(out, "also:\n");
	}
	for (size_t i = 0; i < q->also_count; i++) {
		put_indent(out, 3);
		buf_puts(out, q->also[i].is_pattern ? "- regex: " : "- static: ");
		put_text(out, 5, q->also[i].text);
		put_indent(out, 4);
		buf_printf(out, "case_insensitive: %s\n",
			   q->also[i].case_insensitive ? "true" : "false");
	}
}

static void put_questions(struct buf *out, const struct challenge *c)
{
	if (c->question_count)
		buf_puts(out, "questions:\n");
	for (size_t i = 0; i < c->question_count; i++) {
		const struct question *q = &c->questions[i];

		put_indent(out, 1);
		buf_puts(out, "- id: ");
		put_text(out, 3, q->id);
		put_pair(out, 2, "text", q->text);
		put_answer(out, q);
		put_also(out, q);
		put_number(out, 2, "value", q->value);
		put_places(out, c, q->id);
	}
}

static void put_attachments(struct buf *out, const struct challenge *c)
{
	if (c->attachment_count)
		buf_puts(out, "attachments:\n");
	for (size_t i = 0; i < c->attachment_count; i++) {
		const struct attachment *a = &c->attachments[i];

		put_indent(out, 1);
		buf_puts(out, "- filename: ");
		put_text(out, 3, a->filename);
		put_pair(out, 2, "source", a->source);
		put_pair(out, 2, "service", a->service);
		put_pair(out, 2, "path", a->container_path);
		put_pair(out, 2, "stage", a->stage);
		if (a->command) {
			put_indent(out, 2);
			buf_puts(out, "command:");
			put_child(out, 3, a->command);
		}
		if (a->template_) {
			put_indent(out, 2);
			buf_puts(out, "template: true\n");
		}
	}
}

static void put_endpoints(struct buf *out, const struct challenge *c)
{
	if (c->endpoint_count)
		buf_puts(out, "endpoints:\n");
	for (size_t i = 0; i < c->endpoint_count; i++) {
		put_indent(out, 1);
		buf_printf(out, "- port: %u\n", c->endpoints[i].port);
		put_pair(out, 2, "service", c->endpoints[i].service);
		put_pair(out, 2, "protocol", c->endpoints[i].protocol);
	}
}

static void put_hint_requirements(struct buf *out, const struct hint *hint)
{
	if (hint->require_count) {
		put_indent(out, 2);
		buf_puts(out, "requirements:\n");
	}
	for (size_t i = 0; i < hint->require_count; i++) {
		put_indent(out, 3);
		buf_printf(out, "- %zu\n", hint->requires_[i] + 1);
	}
}

static void put_hints(struct buf *out, const struct challenge *c)
{
	if (c->hint_count)
		buf_puts(out, "hints:\n");
	for (size_t i = 0; i < c->hint_count; i++) {
		put_indent(out, 1);
		buf_puts(out, "- content: ");
		put_text(out, 3, c->hints[i].text);
		put_pair(out, 2, "title", c->hints[i].title);
		put_number(out, 2, "cost", c->hints[i].cost);
		put_hint_requirements(out, &c->hints[i]);
	}
}

static void put_scoring(struct buf *out, const struct challenge *c)
{
	put_pair(out, 0, "type", c->type);
	put_number(out, 0, "value", c->value);
	if (strcmp(c->type, "dynamic") != 0)
		return;
	buf_puts(out, "extra:\n");
	put_number(out, 1, "initial", c->value);
	put_number(out, 1, "minimum", c->minimum);
	put_number(out, 1, "decay", c->decay);
	put_pair(out, 1, "function", c->decay_function);
}

/* A compose file of the folder stays where it is; what a spec made up comes along. */
static void put_compose(struct buf *out, const struct challenge *c)
{
	if (!c->compose)
		return;
	if (c->compose_file) {
		put_pair(out, 0, "compose", path_relative(c->compose_file, c->dir));
		return;
	}
	buf_puts(out, "compose:\n");
	put_node(out, 1, c->compose->root);
}

static void put_duration(struct buf *out, const char *key, int64_t ms)
{
	if (ms)
		buf_printf(out, "%s: %llds\n", key, (long long)(ms / 1000));
}

static void put_time(struct buf *out, const char *key, int64_t at)
{
	char text[CLOCK_TEXT_SIZE];

	if (at)
		buf_printf(out, "%s: \"%s\"\n", key, clock_format(at, text));
}

static void put_requirements(struct buf *out, const struct challenge *c)
{
	if (!c->anonymous) {
		put_texts(out, 0, "requirements", c->requires_, c->require_count);
		return;
	}
	buf_puts(out, "requirements:\n");
	put_texts(out, 1, "prerequisites", c->requires_, c->require_count);
	put_indent(out, 1);
	buf_puts(out, "anonymize: true\n");
}

char *challenge_yaml(const struct challenge *c)
{
	struct buf out = BUF_INIT;

	put_pair(&out, 0, "name", c->name);
	put_pair(&out, 0, "id", c->id);
	put_pair(&out, 0, "author", c->author);
	put_pair(&out, 0, "category", c->category);
	put_pair(&out, 0, "description", c->description);
	put_scoring(&out, c);
	put_texts(&out, 0, "tags", c->tags, c->tag_count);
	put_requirements(&out, c);
	put_number(&out, 0, "position", c->position);
	put_time(&out, "scheduled_at", c->opens_at);
	put_number(&out, 0, "attempts", c->attempts);
	put_pair(&out, 0, "state", c->hidden ? "hidden" : NULL);
	put_pair(&out, 0, "protocol", c->protocol);
	put_pair(&out, 0, "connection_info", c->connection_info);
	put_questions(&out, c);
	put_attachments(&out, c);
	put_texts(&out, 0, "templates", c->templates, c->template_count);
	put_hints(&out, c);
	put_endpoints(&out, c);
	put_duration(&out, "ttl", c->ttl * 1000);
	put_number(&out, 0, "max_instances", c->max_instances);
	put_duration(&out, "health_deadline", c->health_deadline_ms);
	put_true(&out, "egress", c->egress);
	put_true(&out, "capture", c->capture == CAPTURE_ALL);
	put_pair(&out, 0, "capture", c->capture == CAPTURE_HEADERS ? CAPTURE_HEADERS_WORD : NULL);
	put_true(&out, "record_http", c->record_http);
	put_true(&out, "vpn", c->vpn);
	put_compose(&out, c);
	return buf_take(&out);
}
