/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that ctfy adds to ctfcli's: questions, what instances need, files made for each. */
#include "challenge/spec.h"

#include "base/arena.h"
#include "base/id.h"
#include "base/own.h"
#include "challenge/folder.h"
#include "challenge/unit.h"

#include <string.h>

static const char *checked_id(struct spec *spec, const struct yaml_node *at, const char *id)
{
	const struct challenge *c = spec->challenge;

	if (!id || !id_valid(id)) {
		spec_fault(spec, at, "questions",
			   "a question needs an 'id' of letters, digits, '_', '-' and '.'");
		return NULL;
	}
	for (size_t i = 0; i < c->question_count; i++) {
		if (strcmp(c->questions[i].id, id) == 0) {
			spec_fault(spec, at, "questions", "there are two questions '%s'", id);
			return NULL;
		}
	}
	return id;
}

static void read_answer(struct spec *spec, const struct yaml_node *value, struct question *q)
{
	static const char *const known[] = { "static", "regex", "template", "case_insensitive",
					     NULL };
	const struct yaml_node *fixed = yaml_get(value, "static");
	const struct yaml_node *pattern = yaml_get(value, "regex");
	const struct yaml_node *any_case = yaml_get(value, "case_insensitive");
	const struct yaml_node *template = yaml_get(value, "template");
	const struct yaml_node *chosen = fixed      ? fixed
					 : pattern  ? pattern
					 : template ? template
						    : value;

	spec_check_keys(spec, value, "questions", known);
	if (value->kind == YAML_MAP && chosen == value) {
		spec_fault(spec, value, "questions",
			   "an answer is a template, or a map with template, static or regex");
		return;
	}
	q->answer = spec_text(spec, chosen, "questions");
	if (any_case)
		q->case_insensitive = spec_bool(spec, any_case, "questions");
	if (!q->answer) {
		spec_fault(spec, chosen, "questions", "the answer is empty");
		return;
	}
	if (pattern && !fixed)
		q->kind = ANSWER_REGEX;
	else if (!fixed && strstr(q->answer, "..."))
		q->kind = ANSWER_GENERATED;
	if (q->kind == ANSWER_REGEX)
		spec_check_pattern(spec, chosen, "questions", q->answer);
	else
		spec_check_answer(spec, chosen, "questions", q->answer);
}

/* An answer as it is, or a map of what `answer` may be, but for a template. */
static void read_also(struct spec *spec, const struct yaml_node *item, struct question *q)
{
	static const char *const known[] = { "static", "regex", "case_insensitive", NULL };
	const struct yaml_node *pattern = yaml_get(item, "regex");
	const struct yaml_node *any_case = yaml_get(item, "case_insensitive");
	const struct yaml_node *chosen = pattern                  ? pattern
					 : item->kind == YAML_MAP ? yaml_get(item, "static")
								  : item;
	struct accepted row = { .is_pattern = pattern != NULL,
				.case_insensitive = q->case_insensitive };
	struct accepted *added;

	spec_check_keys(spec, item, "questions", known);
	row.text = chosen ? spec_text(spec, chosen, "questions") : NULL;
	if (!row.text) {
		spec_fault(spec, item, "questions",
			   "a further answer is a text, or a map with "
			   "static or regex");
		return;
	}
	if (any_case)
		row.case_insensitive = spec_bool(spec, any_case, "questions");
	if (pattern)
		spec_check_pattern(spec, chosen, "questions", row.text);
	else
		spec_check_answer(spec, chosen, "questions", row.text);
	added = spec_add_accepted(spec, q);
	if (added)
		*added = row;
}

static uint32_t read_owner(struct spec *spec, const struct yaml_node *at, const char *key)
{
	const struct yaml_node *value = yaml_get(at, key);

	return value ? (uint32_t)spec_integer(spec, value, "place") : 0;
}

static void read_place_file(struct spec *spec, const struct yaml_node *at, struct placement *place)
{
	const struct yaml_node *mode = yaml_get(at, "mode");

	place->way = PLACE_FILE;
	place->template_ = yaml_text(yaml_get(at, "template"));
	place->uid = read_owner(spec, at, "uid");
	place->gid = read_owner(spec, at, "gid");
	place->mode = 0444;
	if (mode && (!mode->text || !unit_mode(mode->text, &place->mode)))
		spec_fault(spec, mode, "place", "is not a file's mode");
	if (place->where[0] != '/')
		spec_fault(spec, at, "place", "'%s' is not an absolute path", place->where);
}

static void read_place(struct spec *spec, const struct yaml_node *at, const char *question)
{
	const char *file = yaml_text(yaml_get(at, "file"));
	const char *variable = yaml_text(yaml_get(at, "environment"));
	const char *arg = yaml_text(yaml_get(at, "build_arg"));
	static const char *const known[] = { "file",    "environment", "build_arg",
					     "service", "template",    "mode",
					     "uid",     "gid",         NULL };
	struct placement *place;

	spec_check_keys(spec, at, "place", known);
	if (!file + !variable + !arg != 2) {
		spec_fault(spec, at, "place", "needs one of file, environment or build_arg");
		return;
	}
	place = spec_add_placement(spec);
	if (!place)
		return;
	*place = (struct placement){ .question = question,
				     .way = variable ? PLACE_ENVIRONMENT : PLACE_BUILD_ARG,
				     .service = yaml_text(yaml_get(at, "service")),
				     .where = file       ? file
					      : variable ? variable
							 : arg,
				     .node = at };
	if (file)
		read_place_file(spec, at, place);
}

static void read_question(struct spec *spec, const struct yaml_node *item)
{
	static const char *const known[] = {
		"id", "text", "answer", "value", "also", "place", NULL
	};
	const struct yaml_node *text = yaml_get(item, "text");
	const struct yaml_node *answer = yaml_get(item, "answer");
	const struct yaml_node *value = yaml_get(item, "value");
	const struct yaml_node *also = yaml_get(item, "also");
	const struct yaml_node *places = yaml_get(item, "place");
	const char *id = checked_id(spec, item, yaml_text(yaml_get(item, "id")));
	struct question *q = id ? spec_add_question(spec, id) : NULL;

	if (!q)
		return;
	spec_check_keys(spec, item, "questions", known);
	if (!answer)
		spec_fault(spec, item, "questions", "the question '%s' needs an 'answer'", id);
	else
		read_answer(spec, answer, q);
	if (text)
		q->text = spec_text(spec, text, "questions");
	if (value)
		q->value = spec_integer(spec, value, "questions");
	if (also && also->kind != YAML_LIST && also->kind != YAML_NULL)
		read_also(spec, also, q);
	for (size_t i = 0; also && also->kind == YAML_LIST && i < also->count; i++)
		read_also(spec, also->items[i], q);
	if (places && places->kind == YAML_MAP)
		read_place(spec, places, id);
	for (size_t i = 0; places && places->kind == YAML_LIST && i < places->count; i++)
		read_place(spec, places->items[i], id);
}

void spec_read_questions(struct spec *spec, const struct yaml_node *value)
{
	if (value->kind != YAML_LIST)
		spec_fault(spec, value, "questions", "must be a list, not %s",
			   yaml_kind_name(value->kind));
	for (size_t i = 0; value->kind == YAML_LIST && i < value->count; i++)
		read_question(spec, value->items[i]);
}

static void read_attachment(struct spec *spec, const struct yaml_node *item)
{
	const struct yaml_node *template = yaml_get(item, "template");
	const char *source = yaml_text(yaml_get(item, "source"));
	const char *filename = yaml_text(yaml_get(item, "filename"));
	const char *service = yaml_text(yaml_get(item, "service"));
	const char *path = yaml_text(yaml_get(item, "path"));
	const char *slash = source ? strrchr(source, '/') : path ? strrchr(path, '/') : NULL;
	size_t before = spec->challenge->attachment_count;
	static const char *const known[] = { "filename", "source", "template", "service",
					     "path",     "stage",  "command",  NULL };
	struct attachment *row;

	spec_check_keys(spec, item, "attachments", known);
	if (!filename)
		filename = slash ? slash + 1 : source;
	if (!filename || !*filename || strchr(filename, '/') || strcmp(filename, ".") == 0 ||
	    strncmp(filename, "..", 2) == 0) {
		spec_fault(spec, item, "attachments", "needs a 'filename' without '/' or '..'");
	} else if (source && !service) {
		spec_add_file(spec, item, source);
		if (spec->challenge->attachment_count != before + 1)
			return;
		row = &spec->challenge->attachments[before];
		row->filename = filename;
		row->template_ = template && spec_bool(spec, template, "attachments");
	} else if (service && path && path[0] == '/' && !source) {
		row = spec_add_attachment(spec);
		if (row)
			*row = (struct attachment){ .filename = filename,
						    .service = service,
						    .container_path = path,
						    .stage = yaml_text(yaml_get(item, "stage")),
						    .command = yaml_get(item, "command"),
						    .node = item };
	} else {
		spec_fault(spec, item, "attachments",
			   "needs a 'source' in the folder, or a 'service' and an absolute 'path'");
	}
}

void spec_read_attachments(struct spec *spec, const struct yaml_node *value)
{
	if (value->kind != YAML_LIST)
		spec_fault(spec, value, "attachments", "must be a list, not %s",
			   yaml_kind_name(value->kind));
	for (size_t i = 0; value->kind == YAML_LIST && i < value->count; i++)
		read_attachment(spec, value->items[i]);
}

static void read_endpoint(struct spec *spec, const struct yaml_node *item)
{
	static const char *const protocols[] = { "tcp", "udp", "http", "https" };
	const struct yaml_node *port = item->kind == YAML_MAP ? yaml_get(item, "port") : item;
	const char *protocol = yaml_text(yaml_get(item, "protocol"));
	int64_t number = port ? spec_integer(spec, port, "endpoints") : 0;
	static const char *const keys[] = { "service", "port", "protocol", NULL };
	struct endpoint *row;
	bool known = !protocol;

	spec_check_keys(spec, item, "endpoints", keys);

	for (size_t i = 0; protocol && i < ARRAY_SIZE(protocols); i++)
		known = known || strcmp(protocols[i], protocol) == 0;
	if (number < 1 || number > 65535)
		spec_fault(spec, item, "endpoints", "needs a 'port' from 1 to 65535");
	else if (!known)
		spec_fault(spec, item, "endpoints", "'%s' is not tcp, udp, http or https",
			   protocol);
	else if ((row = spec_add_endpoint(spec)))
		*row = (struct endpoint){ .service = yaml_text(yaml_get(item, "service")),
					  .port = (uint16_t)number,
					  .protocol = protocol ? protocol : "tcp",
					  .node = item };
}

void spec_read_endpoints(struct spec *spec, const struct yaml_node *value)
{
	spec->wants_instance = true;
	if (value->kind != YAML_LIST)
		read_endpoint(spec, value);
	for (size_t i = 0; value->kind == YAML_LIST && i < value->count; i++)
		read_endpoint(spec, value->items[i]);
}

void spec_read_templates(struct spec *spec, const struct yaml_node *value)
{
	struct challenge *c = spec->challenge;

	spec_texts(spec, value, "templates", &c->templates, &c->template_count);
	for (size_t i = 0; i < c->template_count; i++) {
		const char *path = path_join(spec->arena, spec->dir, c->templates[i]);
		enum path_kind kind = path ? folder_kind(c->dir, path) : PATH_ABSENT;

		if (kind == PATH_ABSENT)
			spec_fault(spec, value, "templates", "'%s' does not exist",
				   c->templates[i]);
		else if (kind == PATH_OTHER)
			spec_fault(spec, value, "templates", "'%s' is outside the folder",
				   c->templates[i]);
		if (path)
			c->templates[i] = path_relative(path, c->dir);
	}
}

void spec_read_max_instances(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->max_instances = spec_integer(spec, value, "max_instances");
}

void spec_read_ttl(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->ttl = spec_duration(spec, value, "ttl") / 1000;
}

void spec_read_health_deadline(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->health_deadline_ms = spec_duration(spec, value, "health_deadline");
}

void spec_read_egress(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->egress = spec_bool(spec, value, "egress");
	spec->challenge->egress_node = value;
}

void spec_read_capture(struct spec *spec, const struct yaml_node *value)
{
	const char *text = spec_text(spec, value, "capture");
	bool yes = false;

	if (text && strcmp(text, CAPTURE_HEADERS_WORD) == 0)
		spec->challenge->capture = CAPTURE_HEADERS;
	else if (text && unit_bool(text, &yes))
		spec->challenge->capture = yes ? CAPTURE_ALL : CAPTURE_OFF;
	else if (text)
		spec_fault(spec, value, "capture", "'%s' is not one of true, false, headers", text);
}

void spec_read_record_http(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->record_http = spec_bool(spec, value, "record_http");
}

void spec_read_vpn(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->vpn = spec_bool(spec, value, "vpn");
}

/* The name of a file, or the model itself. */
void spec_read_compose(struct spec *spec, const struct yaml_node *value)
{
	struct yaml_node *services = yaml_get(value, "services");

	if (value->kind != YAML_MAP)
		spec->compose = spec_text(spec, value, "compose");
	else if (!services || services->kind != YAML_MAP)
		spec_fault(spec, value, "compose", "needs its 'services'");
	else
		spec->model = value;
}
