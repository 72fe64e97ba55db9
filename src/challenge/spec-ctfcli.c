/* ctfcli's challenge.yml, and what ctfy adds to it. */
#include "challenge/spec.h"

#include "base/arena.h"
#include "base/id.h"
#include "base/own.h"
#include "challenge/folder.h"
#include "challenge/tree.h"
#include "challenge/unit.h"

#include <string.h>

/* --- ctfcli's own ------------------------------------------------------------------------- */

static void read_name(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->name = spec_text(spec, value, "name");
}

static void read_author(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->author = value->kind == YAML_LIST && value->count
					  ? spec_text(spec, value->items[0], "author")
					  : spec_text(spec, value, "author");
}

static void read_attribution(struct spec *spec, const struct yaml_node *value)
{
	if (!spec->challenge->author)
		spec->challenge->author = spec_text(spec, value, "attribution");
}

static void read_category(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->category = spec_text(spec, value, "category");
}

static void read_description(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->description = spec_text(spec, value, "description");
}

static void read_id(struct spec *spec, const struct yaml_node *value)
{
	const char *id = spec_text(spec, value, "id");

	if (id && id_valid(id))
		spec->challenge->id = id;
	else if (id)
		spec_warn(spec, value, "id",
			  "'%s' can't be an id: the folder's name is used instead", id);
}

static void read_value(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->value = spec_integer(spec, value, "value");
}

static void read_initial(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->value = spec_integer(spec, value, "initial");
}

static void read_minimum(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->minimum = spec_integer(spec, value, "minimum");
}

static void read_decay(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->decay = spec_integer(spec, value, "decay");
}

static void read_function(struct spec *spec, const struct yaml_node *value)
{
	const char *text = spec_text(spec, value, "function");

	if (text && (strcmp(text, "linear") == 0 || strcmp(text, "logarithmic") == 0))
		spec->challenge->decay_function = text;
	else if (text)
		spec_warn(spec, value, "function", "'%s' is neither linear nor logarithmic", text);
}

/* Plugins have types of their own: how such a challenge scores shows in its other keys. */
static void read_type(struct spec *spec, const struct yaml_node *value)
{
	const char *text = spec_text(spec, value, "type");

	if (text && (strcmp(text, "standard") == 0 || strcmp(text, "dynamic") == 0))
		spec->challenge->type = text;
}

static void read_extra(struct spec *spec, const struct yaml_node *value)
{
	static const struct spec_key keys[] = { { "initial", read_initial },
						{ "minimum", read_minimum },
						{ "decay", read_decay },
						{ "function", read_function } };

	for (size_t i = 0; value->kind == YAML_MAP && i < ARRAY_SIZE(keys); i++) {
		const struct yaml_node *node = yaml_get(value, keys[i].name);

		if (node && node->kind != YAML_NULL)
			keys[i].read(spec, node);
	}
}

static void read_flag(struct spec *spec, const struct yaml_node *item)
{
	const struct yaml_node *content = yaml_get(item, "content");
	const struct yaml_node *data = yaml_get(item, "data");
	const char *type = yaml_string(yaml_get(item, "type"));
	const char *flavour = yaml_string(data);
	bool any_case = flavour && strcmp(flavour, "case_insensitive") == 0;
	const char *text;

	if (item->kind == YAML_MAP && !content)
		content = yaml_get(item, "flag");
	if (item->kind == YAML_MAP && !content) {
		spec_fault(spec, item, "flags", "a flag needs its 'content'");
		return;
	}
	text = spec_text(spec, content ? content : item, "flags");
	if (text && type && strcmp(type, "regex") == 0)
		spec_add_flag_pattern(spec, text, any_case);
	else if (text)
		spec_add_flag(spec, text, any_case);
}

static void read_flags(struct spec *spec, const struct yaml_node *value)
{
	if (value->kind != YAML_LIST)
		read_flag(spec, value);
	for (size_t i = 0; value->kind == YAML_LIST && i < value->count; i++)
		if (value->items[i]->kind != YAML_NULL)
			read_flag(spec, value->items[i]);
}

static void read_files(struct spec *spec, const struct yaml_node *value)
{
	const char **paths;
	size_t count;

	spec_texts(spec, value, "files", &paths, &count);
	for (size_t i = 0; i < count; i++)
		spec_add_file(spec, value->kind == YAML_LIST ? value->items[i] : value, paths[i]);
}

static void read_hint(struct spec *spec, const struct yaml_node *item)
{
	const struct yaml_node *content = yaml_get(item, "content");
	const struct yaml_node *cost = yaml_get(item, "cost");
	const char *text = NULL;

	if (item->kind != YAML_MAP || content)
		text = spec_text(spec, content ? content : item, "hints");
	else
		spec_fault(spec, item, "hints", "a hint needs its 'content'");
	if (text)
		spec_add_hint(spec, text, cost ? spec_integer(spec, cost, "hints") : 0);
}

static void read_hints(struct spec *spec, const struct yaml_node *value)
{
	if (value->kind != YAML_LIST)
		read_hint(spec, value);
	for (size_t i = 0; value->kind == YAML_LIST && i < value->count; i++)
		if (value->items[i]->kind != YAML_NULL)
			read_hint(spec, value->items[i]);
}

static void read_tags(struct spec *spec, const struct yaml_node *value)
{
	spec_texts(spec, value, "tags", &spec->challenge->tags, &spec->challenge->tag_count);
}

static void read_requirements(struct spec *spec, const struct yaml_node *value)
{
	const struct yaml_node *list =
		value->kind == YAML_MAP ? yaml_get(value, "prerequisites") : value;

	if (list && list->kind != YAML_NULL)
		spec_texts(spec, list, "requirements", &spec->challenge->requires_,
			   &spec->challenge->require_count);
}

static void read_state(struct spec *spec, const struct yaml_node *value)
{
	const char *text = spec_text(spec, value, "state");

	spec->challenge->hidden = text && strcmp(text, "hidden") == 0;
}

static void read_attempts(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->attempts = spec_integer(spec, value, "attempts");
}

static void read_connection_info(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->connection_info = spec_text(spec, value, "connection_info");
	spec->wants_instance = spec->wants_instance || spec->challenge->connection_info;
}

/* A directory to build, or the name of an image; what else there is, is for other deployers. */
static void read_image(struct spec *spec, const struct yaml_node *value)
{
	const char *text = spec_text(spec, value, "image");

	if (!text || !*text || strcmp(text, "__compose__") == 0)
		return;
	spec->wants_instance = true;
	if (text[0] == '.' || text[0] == '/')
		spec->build = text;
	else
		tree_set(spec->arena, spec_service(spec, "challenge", value), "image",
			 tree_string(spec->arena, text, value));
}

static void read_protocol(struct spec *spec, const struct yaml_node *value)
{
	const char *text = spec_text(spec, value, "protocol");

	spec->wants_instance = true;
	if (text)
		spec->challenge->protocol = text;
}

/* --- ctfy's ------------------------------------------------------------------------------- */

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
	const struct yaml_node *fixed = yaml_get(value, "static");
	const struct yaml_node *pattern = yaml_get(value, "regex");
	const struct yaml_node *any_case = yaml_get(value, "case_insensitive");
	const struct yaml_node *chosen = fixed ? fixed : pattern ? pattern : value;

	if (value->kind == YAML_MAP && chosen == value) {
		spec_fault(spec, value, "questions",
			   "an answer is a template, {static: ...} or {regex: ...}");
		return;
	}
	q->answer = spec_text(spec, chosen, "questions");
	if (any_case)
		q->case_insensitive = spec_bool(spec, any_case, "questions");
	if (pattern && !fixed)
		q->kind = ANSWER_REGEX;
	else if (!fixed && q->answer && strstr(q->answer, "..."))
		q->kind = ANSWER_GENERATED;
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
	place->template_ = yaml_string(yaml_get(at, "template"));
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
	const char *file = yaml_string(yaml_get(at, "file"));
	const char *variable = yaml_string(yaml_get(at, "environment"));
	const char *arg = yaml_string(yaml_get(at, "build_arg"));
	struct placement *place;

	if (!file + !variable + !arg != 2) {
		spec_fault(spec, at, "place", "needs one of file, environment or build_arg");
		return;
	}
	place = spec_add_placement(spec);
	if (!place)
		return;
	*place = (struct placement){ .question = question,
				     .way = variable ? PLACE_ENVIRONMENT : PLACE_BUILD_ARG,
				     .service = yaml_string(yaml_get(at, "service")),
				     .where = file       ? file
					      : variable ? variable
							 : arg,
				     .node = at };
	if (file)
		read_place_file(spec, at, place);
}

static void read_question(struct spec *spec, const struct yaml_node *item)
{
	const struct yaml_node *text = yaml_get(item, "text");
	const struct yaml_node *answer = yaml_get(item, "answer");
	const struct yaml_node *value = yaml_get(item, "value");
	const struct yaml_node *also = yaml_get(item, "also");
	const struct yaml_node *places = yaml_get(item, "place");
	const char *id = checked_id(spec, item, yaml_string(yaml_get(item, "id")));
	struct question *q = id ? spec_add_question(spec, id) : NULL;

	if (!q)
		return;
	if (!answer)
		spec_fault(spec, item, "questions", "the question '%s' needs an 'answer'", id);
	else
		read_answer(spec, answer, q);
	if (text)
		q->text = spec_text(spec, text, "questions");
	if (value)
		q->value = spec_integer(spec, value, "questions");
	if (also)
		spec_texts(spec, also, "questions", &q->also, &q->also_count);
	if (places && places->kind == YAML_MAP)
		read_place(spec, places, id);
	for (size_t i = 0; places && places->kind == YAML_LIST && i < places->count; i++)
		read_place(spec, places->items[i], id);
}

static void read_questions(struct spec *spec, const struct yaml_node *value)
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
	const char *source = yaml_string(yaml_get(item, "source"));
	const char *filename = yaml_string(yaml_get(item, "filename"));
	const char *service = yaml_string(yaml_get(item, "service"));
	const char *path = yaml_string(yaml_get(item, "path"));
	const char *slash = source ? strrchr(source, '/') : path ? strrchr(path, '/') : NULL;
	size_t before = spec->challenge->attachment_count;
	struct attachment *row;

	if (!filename)
		filename = slash ? slash + 1 : source;
	if (!filename || !*filename || strchr(filename, '/') || filename[0] == '.') {
		spec_fault(spec, item, "attachments", "needs a 'filename' without '/'");
	} else if (source && !service) {
		spec_add_file(spec, item, source);
		if (spec->challenge->attachment_count == before)
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
						    .node = item };
	} else {
		spec_fault(spec, item, "attachments",
			   "needs a 'source' in the folder, or a 'service' and an absolute 'path'");
	}
}

static void read_attachments(struct spec *spec, const struct yaml_node *value)
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
	const char *protocol = yaml_string(yaml_get(item, "protocol"));
	int64_t number = port ? spec_integer(spec, port, "endpoints") : 0;
	struct endpoint *row;
	bool known = !protocol;

	for (size_t i = 0; protocol && i < ARRAY_SIZE(protocols); i++)
		known = known || strcmp(protocols[i], protocol) == 0;
	if (number < 1 || number > 65535)
		spec_fault(spec, item, "endpoints", "needs a 'port' from 1 to 65535");
	else if (!known)
		spec_fault(spec, item, "endpoints", "'%s' is not tcp, udp, http or https",
			   protocol);
	else if ((row = spec_add_endpoint(spec)))
		*row = (struct endpoint){ .service = yaml_string(yaml_get(item, "service")),
					  .port = (uint16_t)number,
					  .protocol = protocol ? protocol : "tcp",
					  .node = item };
}

static void read_endpoints(struct spec *spec, const struct yaml_node *value)
{
	spec->wants_instance = true;
	if (value->kind != YAML_LIST)
		read_endpoint(spec, value);
	for (size_t i = 0; value->kind == YAML_LIST && i < value->count; i++)
		read_endpoint(spec, value->items[i]);
}

static void read_templates(struct spec *spec, const struct yaml_node *value)
{
	struct challenge *c = spec->challenge;

	spec_texts(spec, value, "templates", &c->templates, &c->template_count);
	for (size_t i = 0; i < c->template_count; i++) {
		const char *path = path_join(spec->arena, spec->dir, c->templates[i]);

		if (path && !path_exists(path))
			spec_fault(spec, value, "templates", "'%s' does not exist",
				   c->templates[i]);
		if (path)
			c->templates[i] = path_relative(path, c->dir);
	}
}

static void read_ttl(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->ttl = spec_duration(spec, value, "ttl") / 1000;
}

static void read_health_deadline(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->health_deadline_ms = spec_duration(spec, value, "health_deadline");
}

static void read_egress(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->egress = spec_bool(spec, value, "egress");
	spec->challenge->egress_node = value;
}

static void read_capture(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->capture = spec_bool(spec, value, "capture");
}

static void read_record_http(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->record_http = spec_bool(spec, value, "record_http");
}

static void read_vpn(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->vpn = spec_bool(spec, value, "vpn");
}

static void read_compose(struct spec *spec, const struct yaml_node *value)
{
	spec->compose = spec_text(spec, value, "compose");
}

static const struct spec_key keys[] = {
	{ "attachments", read_attachments },
	{ "attempts", read_attempts },
	{ "attribution", read_attribution },
	{ "author", read_author },
	{ "capture", read_capture },
	{ "category", read_category },
	{ "compose", read_compose },
	{ "connection_info", read_connection_info },
	{ "decay", read_decay },
	{ "description", read_description },
	{ "egress", read_egress },
	{ "endpoints", read_endpoints },
	{ "extra", read_extra },
	{ "files", read_files },
	{ "flags", read_flags },
	{ "health_deadline", read_health_deadline },
	{ "healthcheck", NULL },
	{ "hints", read_hints },
	{ "host", NULL },
	{ "id", read_id },
	{ "image", read_image },
	{ "initial", read_initial },
	{ "logic", NULL },
	{ "minimum", read_minimum },
	{ "module", NULL },
	{ "name", read_name },
	{ "next", NULL },
	{ "protocol", read_protocol },
	{ "questions", read_questions },
	{ "record_http", read_record_http },
	{ "requirements", read_requirements },
	{ "scheduled_at", NULL },
	{ "solution", NULL },
	{ "solve", NULL },
	{ "state", read_state },
	{ "tags", read_tags },
	{ "templates", read_templates },
	{ "topics", NULL },
	{ "ttl", read_ttl },
	{ "type", read_type },
	{ "value", read_value },
	{ "version", NULL },
	{ "vpn", read_vpn },
};

void spec_read_ctfcli(struct spec *spec)
{
	struct challenge *c = spec->challenge;

	spec_read(spec, spec->root, keys, ARRAY_SIZE(keys));
	if (!c->type)
		c->type = c->minimum && c->decay ? "dynamic" : "standard";
	if (!c->question_count)
		spec_warn(spec, spec->root, "flags", "there is nothing to answer");
}
