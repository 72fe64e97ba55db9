/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/openapi.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "platform/access.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define BASE "/api/v1"

/* A place in a list of words. */
struct word {
	const char *start;
	size_t len;
};

static bool next_word(const char **at, struct word *word)
{
	*at += strspn(*at, " ");
	word->start = *at;
	word->len = strcspn(*at, " ");
	*at += word->len;
	return word->len > 0;
}

static const struct openapi_schema *find_schema(const char *name, size_t len)
{
	for (const struct openapi_schema *schema = openapi_schemas; schema->name; schema++)
		if (strlen(schema->name) == len && strncmp(schema->name, name, len) == 0)
			return schema;
	return NULL;
}

/* Schemas */

static json_t *reference(const char *name, size_t len)
{
	return json_make("{s:o}", "$ref", json_textf("#/components/schemas/%.*s", (int)len, name));
}

/* NULL: there is no such type. */
static json_t *simple_type(const char *type, size_t len)
{
	static const struct {
		const char *word;
		const char *json;
	} types[] = {
		{ "s", "{\"type\":\"string\"}" },
		{ "i", "{\"type\":\"integer\"}" },
		{ "b", "{\"type\":\"boolean\"}" },
		{ "t", "{\"type\":\"string\",\"format\":\"date-time\"}" },
		{ "o", "{\"type\":\"object\"}" },
		{ "*", "{}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strlen(types[i].word) == len && strncmp(types[i].word, type, len) == 0)
			return json_loads(types[i].json, 0, NULL);
	return find_schema(type, len) ? reference(type, len) : NULL;
}

static json_t *type_json(const char *type, size_t len)
{
	bool nullable = len > 1 && type[len - 1] == '?';
	json_t *json;

	len -= nullable;
	if (len > 2 && type[0] == '[' && type[len - 1] == ']')
		json = json_make("{s:s, s:o*}", "type", "array", "items",
				 simple_type(type + 1, len - 2));
	else
		json = simple_type(type, len);
	return nullable && json ? json_make("{s:[o, {s:s}]}", "anyOf", json, "type", "null") : json;
}

static int add_members(const char *members, json_t *properties, json_t *required, struct err *e);

static int add_member(const struct word *word, json_t *properties, json_t *required, struct err *e)
{
	bool optional = word->start[0] == '~';
	const char *name = word->start + optional;
	const char *colon = memchr(word->start, ':', word->len);
	const struct openapi_schema *other = NULL;
	char key[64];
	json_t *type;

	if (word->start[0] == '+')
		other = find_schema(word->start + 1, word->len - 1);
	if (other)
		return add_members(other->members, properties, required, e);
	type = colon ? type_json(colon + 1, (size_t)(word->start + word->len - colon - 1)) : NULL;
	if (!type)
		return err_set(e, ERR_INTERNAL, "the API's table has no type '%.*s'",
			       (int)word->len, word->start);
	snprintf(key, sizeof(key), "%.*s", (int)(colon - name), name);
	json_object_set_new(properties, key, type);
	if (!optional)
		json_array_append_new(required, json_text(key));
	return 0;
}

static int add_members(const char *members, json_t *properties, json_t *required, struct err *e)
{
	struct word word;
	int r = 0;

	while (r == 0 && next_word(&members, &word))
		r = add_member(&word, properties, required, e);
	return r;
}

static int add_schemas(json_t *schemas, struct err *e)
{
	for (const struct openapi_schema *schema = openapi_schemas; schema->name; schema++) {
		AUTO(json_t *, json_decrefp) properties = json_object();
		AUTO(json_t *, json_decrefp) required = json_array();
		int r = add_members(schema->members, properties, required, e);

		if (r < 0)
			return r;
		json_object_set_new(schemas, schema->name,
				    json_make("{s:s, s:O, s:O, s:b}", "type", "object",
					      "properties", properties, "required", required,
					      "additionalProperties", 0));
	}
	return 0;
}

/* Routes */

static json_t *content_json(const char *name, size_t len)
{
	json_t *media;

	if (memchr(name, '/', len))
		return json_make("{s%:{}}", name, len);
	media = find_schema(name, len) ? reference(name, len) : NULL;
	return media ? json_make("{s:{s:o}}", "application/json", "schema", media) : NULL;
}

static int add_answer(const struct word *word, json_t *responses, struct err *e)
{
	const char *colon = memchr(word->start, ':', word->len);
	json_t *answer = json_make("{s:s}", "description", "Done.");
	json_t *content = NULL;
	char status[4];

	snprintf(status, sizeof(status), "%.3s", word->start);
	if (colon) {
		content = content_json(colon + 1, word->len - 4);
		if (!content) {
			json_decref(answer);
			return err_set(e, ERR_INTERNAL, "the API's table has no schema '%.*s'",
				       (int)word->len, word->start);
		}
		json_object_set_new(answer, "content", content);
	}
	json_object_set_new(responses, status, answer);
	return 0;
}

static int add_answers(const char *answers, json_t *responses, struct err *e)
{
	struct word word;
	int r = 0;

	while (r == 0 && next_word(&answers, &word))
		r = add_answer(&word, responses, e);
	json_object_set_new(responses, "default",
			    json_make("{s:s, s:o}", "description", "It did not work: why.",
				      "content", content_json("Error", strlen("Error"))));
	return r;
}

static void add_path_parameters(const char *path, json_t *parameters)
{
	while ((path = strchr(path, '{'))) {
		size_t len = strcspn(path + 1, "}");

		json_array_append_new(parameters, json_make("{s:s%, s:s, s:b, s:{s:s}}", "name",
							    path + 1, len, "in", "path", "required",
							    1, "schema", "type", "string"));
		path += len;
	}
}

static int add_query_parameters(const char *query, json_t *parameters, struct err *e)
{
	struct word word;

	while (query && next_word(&query, &word)) {
		const char *colon = memchr(word.start, ':', word.len);
		json_t *type =
			colon ? type_json(colon + 1, word.len - 1 - (size_t)(colon - word.start))
			      : NULL;

		if (!type)
			return err_set(e, ERR_INTERNAL, "the API's table has no type '%.*s'",
				       (int)word.len, word.start);
		json_array_append_new(parameters, json_make("{s:s%, s:s, s:o}", "name", word.start,
							    (size_t)(colon - word.start), "in",
							    "query", "schema", type));
	}
	return 0;
}

static const char *role_of(const struct http_route *route)
{
	if (route->flags & HTTP_OPEN)
		return "open";
	switch ((enum access)route->access) {
	case ACCESS_USER: return "user";
	case ACCESS_ORGANISER: return "organiser";
	case ACCESS_ADMIN: return "admin";
	case ACCESS_NODE: return "node";
	case ACCESS_AGENT: return "agent";
	}
	return "open";
}

static int describe(const struct http_route *route, const struct openapi_route *words,
		    json_t **ret_operation, struct err *e)
{
	AUTO(json_t *, json_decrefp) parameters = json_array();
	AUTO(json_t *, json_decrefp) responses = json_object();
	AUTO(json_t *, json_decrefp) operation = NULL;
	const char *role = role_of(route);
	int r;

	add_path_parameters(route->path, parameters);
	r = add_query_parameters(words->query, parameters, e);
	if (r == 0)
		r = add_answers(words->answers, responses, e);
	if (r < 0)
		return r;
	operation = json_make("{s:s, s:s, s:O, s:O}", "summary", words->summary, "x-role", role,
			      "parameters", parameters, "responses", responses);
	if (strcmp(role, "open") == 0)
		json_object_set_new(operation, "security", json_array());
	if (words->body)
		json_object_set_new(operation, "requestBody",
				    json_make("{s:o*}", "content",
					      content_json(words->body, strlen(words->body))));
	*ret_operation = TAKE(operation);
	return 0;
}

static const struct openapi_route *find_words(const struct http_route *route)
{
	for (const struct openapi_route *words = openapi_routes; words->method; words++)
		if (strcmp(words->method, route->method) == 0 &&
		    strcmp(words->path, route->path + strlen(BASE)) == 0)
			return words;
	return NULL;
}

static bool is_of_api(const struct http_route *route)
{
	return strncmp(route->path, BASE "/", strlen(BASE "/")) == 0;
}

static void set_operation(json_t *paths, const struct http_route *route, json_t *operation)
{
	json_t *methods = json_object_get(paths, route->path);
	char method[8] = "";

	for (size_t i = 0; route->method[i] && i + 1 < sizeof(method); i++)
		method[i] = (char)(route->method[i] | 0x20);
	if (!methods) {
		methods = json_object();
		json_object_set_new(paths, route->path, methods);
	}
	json_object_set_new(methods, method, operation);
}

static int add_paths(const struct http_route *const *tables, json_t *paths, struct err *e)
{
	for (; *tables; tables++)
		for (const struct http_route *route = *tables; route->method; route++) {
			const struct openapi_route *words;
			json_t *operation = NULL;
			int r;

			if (!is_of_api(route))
				continue;
			words = find_words(route);
			if (!words)
				continue;
			r = describe(route, words, &operation, e);
			if (r < 0)
				return r;
			set_operation(paths, route, operation);
		}
	return 0;
}

/* The page */

static void put_escaped(struct buf *b, const char *text)
{
	for (; *text; text++) {
		if (*text == '<')
			buf_puts(b, "&lt;");
		else if (*text == '&')
			buf_puts(b, "&amp;");
		else
			buf_putc(b, *text);
	}
}

static void put_cell(struct buf *b, const char *tag, const char *text)
{
	buf_puts(b, "<td>");
	if (!text)
		return;
	buf_puts(b, tag);
	put_escaped(b, text);
}

static const char page_head[] =
	"<!doctype html><html lang=en><meta charset=utf-8><title>ctfy API</title>"
	"<meta name=viewport content='width=device-width'><style>"
	"body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}"
	"table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;"
	"padding:.3rem .6rem;border-bottom:1px solid #8884}code{font-size:.9em;"
	"overflow-wrap:anywhere}td:nth-child(5) code{overflow-wrap:normal}"
	"@media(max-width:60rem){th,td:empty{display:none}tr{display:block;padding:.4rem 0;"
	"border-bottom:1px solid #8884}td{display:block;border:0;padding:.1rem 0}}"
	"@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}a{color:#8bf}}"
	"</style><h1>The platform&rsquo;s API</h1>"
	"<p>For programs: <a href=/openapi.json>/openapi.json</a> (OpenAPI 3.1). Paths are below "
	"<code>/api/v1</code>. A type in short is <code>member:type</code>: s text, i whole "
	"number, "
	"b true or false, t instant (RFC 3339), ? may be null, ~ may be absent.</p>"
	"<h2>Routes</h2><table><tr><th>Call<th>Open to<th>What it does<th>Query<th>Body<th>Answer";

static void put_routes(struct buf *b, const struct http_route *const *tables)
{
	for (; *tables; tables++)
		for (const struct http_route *route = *tables; route->method; route++) {
			const struct openapi_route *words =
				is_of_api(route) ? find_words(route) : NULL;

			if (!words)
				continue;
			buf_puts(b, "<tr>");
			put_cell(b, "<code>", words->method);
			buf_putc(b, ' ');
			put_escaped(b, words->path);
			buf_puts(b, "</code>");
			put_cell(b, "", role_of(route));
			put_cell(b, "", words->summary);
			put_cell(b, "<code>", words->query);
			put_cell(b, "<code>", words->body);
			put_cell(b, "<code>", words->answers);
		}
}

static int make_page(const struct http_route *const *tables, struct openapi *openapi, struct err *e)
{
	struct buf b = BUF_INIT;
	int r;

	buf_puts(&b, page_head);
	put_routes(&b, tables);
	buf_puts(&b, "</table><h2>Types</h2><table>");
	for (const struct openapi_schema *schema = openapi_schemas; schema->name; schema++) {
		buf_puts(&b, "<tr>");
		put_cell(&b, "<code>", schema->name);
		put_cell(&b, "<code>", schema->members);
	}
	buf_puts(&b, "</table></html>\n");
	r = buf_check(&b, e);
	openapi->page_len = b.len;
	openapi->page = buf_take(&b);
	return r;
}

static int make_document(const struct http_route *const *tables, json_t **ret_document,
			 struct err *e)
{
	AUTO(json_t *, json_decrefp) schemas = json_object();
	AUTO(json_t *, json_decrefp) paths = json_object();
	int r;

	r = add_schemas(schemas, e);
	if (r == 0)
		r = add_paths(tables, paths, e);
	if (r < 0)
		return r;
	*ret_document =
		json_make("{s:s, s:{s:s, s:s}, s:O, s:{s:O, s:{s:{s:s, s:s}, s:{s:s, s:s, s:s}}},"
			  " s:[{s:[]}, {s:[]}]}",
			  "openapi", "3.1.0", "info", "title", "ctfy platform", "version",
			  CTFY_VERSION, "paths", paths, "components", "schemas", schemas,
			  "securitySchemes", "token", "type", "http", "scheme", "bearer", "cookie",
			  "type", "apiKey", "in", "cookie", "name", "ctfy_session", "security",
			  "token", "cookie");
	return *ret_document ? 0 : err_memory(e);
}

int openapi_make(const struct http_route *const *tables, struct openapi *ret_openapi, struct err *e)
{
	AUTO(json_t *, json_decrefp) document = NULL;
	int r;

	r = make_document(tables, &document, e);
	if (r < 0)
		return r;
	ret_openapi->json = json_dumps(document, JSON_COMPACT);
	if (!ret_openapi->json)
		return err_memory(e);
	ret_openapi->json_len = strlen(ret_openapi->json);
	return make_page(tables, ret_openapi, e);
}

void openapi_done(struct openapi *openapi)
{
	free(openapi->json);
	free(openapi->page);
	*openapi = (struct openapi){ .json = NULL };
}
