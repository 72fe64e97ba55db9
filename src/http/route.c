/* SPDX-License-Identifier: Apache-2.0 */
#include "http/route.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/own.h"

#include <string.h>

enum { SEGMENTS_MAX = 64 };

/* In the order they are tried. */
enum kind { LITERAL, PARAM, REST };

struct choice {
	struct choice *next;
	const struct http_route *route;
};

/* One segment of known paths, and what may follow it. */
struct step {
	struct step *next; /* sibling */
	struct step *first;
	enum kind kind;
	const char *text; /* LITERAL; not terminated */
	size_t len;
	struct choice *choices; /* of the paths that end here */
	char *allow;
	bool open;
};

struct router {
	struct arena *arena;
	struct step *root;
};

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool percent_decode(const char *text, size_t len, char *out, size_t *ret_len)
{
	const char *end = text + len;
	char *o = out;

	while (text < end) {
		int high, low;

		if (*text != '%') {
			*o++ = *text++;
			continue;
		}
		if (end - text < 3 || (high = hex_value(text[1])) < 0 ||
		    (low = hex_value(text[2])) < 0 || (high == 0 && low == 0))
			return false;
		*o++ = (char)(high << 4 | low);
		text += 3;
	}
	*o = '\0';
	*ret_len = (size_t)(o - out);
	return true;
}

static size_t segment_length(const char *path)
{
	return strcspn(path, "/");
}

static int bad_route(const struct http_route *route, const char *why, struct err *e)
{
	return err_set(e, ERR_INVALID, "route '%s %s' %s", route->method, route->path, why);
}

static int segment_kind(const struct http_route *route, const char *text, size_t len,
			enum kind *ret_kind, struct err *e)
{
	bool last = text[len] == '\0';

	*ret_kind = LITERAL;
	if (len == 0 || text[0] != '{')
		return 0;
	if (text[len - 1] != '}')
		return bad_route(route, "has an unclosed parameter", e);
	*ret_kind = len > 5 && memcmp(text + len - 4, "...", 3) == 0 ? REST : PARAM;
	if (*ret_kind == REST && !last)
		return bad_route(route, "goes on after the parameter that takes the rest", e);
	return 0;
}

/* The step for a segment, found or made in its place among its siblings. */
static struct step *step_to(struct router *router, struct step *from, enum kind kind,
			    const char *text, size_t len)
{
	struct step **at = &from->first;
	struct step *step;

	for (; *at && (*at)->kind <= kind; at = &(*at)->next)
		if ((*at)->kind == kind &&
		    (kind != LITERAL || ((*at)->len == len && memcmp((*at)->text, text, len) == 0)))
			return *at;
	step = arena_alloc(router->arena, sizeof(*step));
	if (!step)
		return NULL;
	*step = (struct step){ .next = *at, .kind = kind, .text = text, .len = len };
	*at = step;
	return step;
}

static int choice_add(struct router *router, struct step *step, const struct http_route *route,
		      struct err *e)
{
	struct choice **at = &step->choices;
	const char *too = strcmp(route->method, "GET") == 0 ? ", HEAD" : "";

	for (; *at; at = &(*at)->next)
		if (strcmp((*at)->route->method, route->method) == 0)
			return bad_route(route, "is there twice", e);
	*at = arena_alloc(router->arena, sizeof(**at));
	if (!*at)
		return err_memory(e);
	(*at)->route = route;
	step->open |= (route->flags & HTTP_OPEN) != 0;
	step->allow = arena_printf(router->arena, "%s%s%s%s", step->allow ? step->allow : "",
				   step->allow ? ", " : "", route->method, too);
	return step->allow ? 0 : err_memory(e);
}

static int route_add(struct router *router, const struct http_route *route, struct err *e)
{
	struct step *step = router->root;
	const char *text = route->path;
	unsigned params = 0, segments = 0;

	if (text[0] != '/')
		return bad_route(route, "doesn't begin with '/'", e);
	do {
		size_t len = segment_length(++text);
		enum kind kind;
		int r = segment_kind(route, text, len, &kind, e);

		if (r < 0)
			return r;
		params += kind != LITERAL;
		if (params > ROUTE_PARAMS_MAX || ++segments > SEGMENTS_MAX)
			return bad_route(route, "is too long", e);
		step = step_to(router, step, kind, text, len);
		if (!step)
			return err_memory(e);
		text += len;
	} while (*text);
	return choice_add(router, step, route, e);
}

int router_new(const struct http_route *const *tables, struct router **ret_router, struct err *e)
{
	AUTO(struct router *, router_freep) router = calloc(1, sizeof(*router));
	int r;

	if (!router || !(router->arena = arena_new()) ||
	    !(router->root = arena_alloc(router->arena, sizeof(struct step))))
		return err_memory(e);
	for (; *tables; tables++)
		for (const struct http_route *route = *tables; route->method; route++)
			if ((r = route_add(router, route, e)) < 0)
				return r;
	*ret_router = TAKE(router);
	return 0;
}

void router_free(struct router *router)
{
	if (!router)
		return;
	arena_free(router->arena);
	free(router);
}

/* The asked path, its segments decoded one behind the other, each with its NUL. */
struct trail {
	char *segments[SEGMENTS_MAX];
	unsigned count;
	char *end; /* the last one's NUL */
};

static bool trail_of(const char *path, size_t len, char *scratch, struct trail *trail)
{
	const char *end = path + len;

	trail->count = 0;
	while (path < end) {
		const char *segment = path + 1;
		const char *slash = memchr(segment, '/', (size_t)(end - segment));
		const char *stop = slash && trail->count < SEGMENTS_MAX - 1 ? slash : end;
		size_t decoded;

		if (!percent_decode(segment, (size_t)(stop - segment), scratch, &decoded))
			return false;
		trail->segments[trail->count++] = scratch;
		trail->end = scratch + decoded;
		scratch = trail->end + 1;
		path = stop;
	}
	return true;
}

static const struct step *follow(const struct step *from, const struct trail *trail, unsigned at,
				 struct route_match *match);

static const struct step *take(const struct step *step, const struct trail *trail, unsigned at,
			       struct route_match *match)
{
	char *segment = trail->segments[at];
	const struct step *found;

	switch (step->kind) {
	case LITERAL:
		if (strncmp(segment, step->text, step->len) != 0 || segment[step->len] != '\0')
			return NULL;
		return follow(step, trail, at + 1, match);
	case PARAM:
		if (*segment == '\0')
			return NULL;
		match->params[match->count++] = segment;
		found = follow(step, trail, at + 1, match);
		if (!found)
			match->count--;
		return found;
	case REST:
		for (char *c = segment; c < trail->end; c++)
			if (*c == '\0')
				*c = '/';
		match->params[match->count++] = segment;
		return step;
	}
	return NULL;
}

static const struct step *follow(const struct step *from, const struct trail *trail, unsigned at,
				 struct route_match *match)
{
	const struct step *found = NULL;

	if (at == trail->count)
		return from->choices ? from : NULL;
	for (const struct step *step = from->first; step && !found; step = step->next)
		found = take(step, trail, at, match);
	return found;
}

static const struct http_route *choose(const struct step *step, const char *method)
{
	if (strcmp(method, "HEAD") == 0)
		method = "GET";
	for (const struct choice *choice = step->choices; choice; choice = choice->next)
		if (strcmp(choice->route->method, method) == 0)
			return choice->route;
	return NULL;
}

int router_match(const struct router *router, const char *method, const char *path, size_t len,
		 char *scratch, struct route_match *ret_match, struct err *e)
{
	const struct step *step;
	struct trail trail;

	ret_match->route = NULL;
	ret_match->allow = NULL;
	ret_match->open = false;
	ret_match->count = 0;
	if (len == 0 || path[0] != '/')
		return err_set(e, ERR_NOT_FOUND, "no such path");
	if (!trail_of(path, len, scratch, &trail))
		return err_set(e, ERR_INVALID, "the path has a malformed escape");

	step = follow(router->root, &trail, 0, ret_match);
	if (!step)
		return err_set(e, ERR_NOT_FOUND, "no such path");
	ret_match->allow = step->allow;
	ret_match->open = step->open;
	ret_match->route = choose(step, method);
	if (!ret_match->route)
		return err_set(e, ERR_METHOD, "method '%s' is not allowed here", method);
	return 0;
}

int route_param_index(const struct http_route *route, const char *name)
{
	size_t name_len = strlen(name);
	int index = 0;

	for (const char *c = strchr(route->path, '{'); c; c = strchr(c, '{')) {
		c++;
		if (strncmp(c, name, name_len) == 0 && strchr("}.", c[name_len]))
			return index;
		index++;
	}
	return -1;
}
