/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/instance.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "platform/door.h"
#include "platform/events.h"
#include "platform/limit.h"
#include "platform/node.h"
#include "platform/page.h"
#include "platform/plain.h"
#include "platform/settle.h"
#include "platform/user.h"
#include "wire/instance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* RFC 7240's Prefer: wait=N: how long a client wants to wait for the end of a start or stop. */
enum { WAIT_MAX_S = 120, WAITERS_MAX = 256 };

static int64_t wanted_wait_ms(const struct http_req *req)
{
	const char *prefer = http_header(req, "Prefer");
	const char *wait = prefer ? strstr(prefer, "wait=") : NULL;
	long seconds = wait ? strtol(wait + strlen("wait="), NULL, 10) : 0;

	if (seconds <= 0)
		return 0;
	return 1000 * (seconds > WAIT_MAX_S ? WAIT_MAX_S : seconds);
}

/* Waits as the client wishes, unless too many do already: a wait holds a worker thread. */
static int wait_for(struct platform *platform, struct http_req *req, struct instance *instance,
		    struct err *e)
{
	int64_t ms = wanted_wait_ms(req);
	char *id = instance->id;

	if (ms > 0 && atomic_fetch_add(&platform->waiters, 1) < WAITERS_MAX)
		settler_wait(platform->settler, id, ms);
	if (ms > 0)
		atomic_fetch_sub(&platform->waiters, 1);
	instances_row_done(instance);
	return instances_find(platform->db, http_arena(req), id, instance, e);
}

static int send_instance(struct http_res *res, int status, const struct instance *instance,
			 struct err *e)
{
	json_t *json = instances_json(instance);

	return json ? http_send_json(res, status, json) : err_memory(e);
}

/* Starting */

static int promise(struct platform *platform, struct http_req *req, const struct entry *entry,
		   struct instance *ret_instance, bool *ret_is_new, struct err *e)
{
	AUTO(json_t *, json_decrefp) answers = NULL;
	const struct challenge *challenge = entry->challenge;
	struct instance_wish wish = {
		.competition = &entry->competition,
		.team_id = entry->team.id,
		.user_id = door_principal(req)->user_id,
		.challenge = challenge,
		.ttl = challenge->ttl ? challenge->ttl : entry->competition.instance_ttl,
	};
	struct node_load *loads = NULL;
	size_t count = 0;
	int r;

	r = door_idempotency_key(req, &wish.key, e);
	if (r == 0)
		r = challenge_answers(challenge, &answers, e);
	if (r == 0)
		r = nodes_loads(platform->nodes, http_arena(req), challenge->id, &loads, &count, e);
	if (r < 0)
		return r;
	wish.answers = answers;
	return instances_promise(platform->db, http_arena(req), door_now(platform), &wish, loads,
				 count, ret_instance, ret_is_new, e);
}

/* Of one account: each leaves a row, and an archive. */
static const struct rate new_instances = { .burst = 100, .period_ms = 30 * 1000 };

/* An instance that is new counts; one that was there already doesn't. */
static int promise_at_rate(struct platform *platform, struct http_req *req, struct http_res *res,
			   const struct entry *entry, struct instance *ret_instance,
			   bool *ret_is_new, struct err *e)
{
	const char *key = arena_printf(http_arena(req), "start %s", door_principal(req)->user_id);
	int64_t wait;
	int r;

	if (!key)
		return err_memory(e);
	wait = limiter_take(platform->limiter, key, &new_instances, door_now(platform));
	if (wait > 0) {
		http_set_retry_after(res, (unsigned)((wait + 999) / 1000));
		return err_set(e, ERR_RATE_LIMITED,
			       "you have started too many instances: try again in %lld s",
			       (long long)((wait + 999) / 1000));
	}
	r = promise(platform, req, entry, ret_instance, ret_is_new, e);
	if (r < 0 || !*ret_is_new)
		limiter_return(platform->limiter, key, &new_instances);
	return r;
}

static int may_start(const struct platform *platform, struct http_req *req,
		     const struct entry *entry, struct err *e)
{
	int r = door_check_open(platform, req, entry, e);

	if (r == 0 && atomic_load(&platform->ending))
		return err_set(e, ERR_UNAVAILABLE, "the platform is being stopped");
	if (r == 0 && !challenge_has_instance(entry->challenge))
		return err_set(e, ERR_CONFLICT, "'%s' has nothing to start: answer it as it is",
			       entry->challenge->id);
	return r;
}

/* Organisers read why it failed in the node's own words, also where they play. */
static void tell_cause(const struct http_req *req, struct instance *instance)
{
	if (instance->cause && *instance->cause && door_is_organiser(req))
		instance->detail = instance->cause;
}

static int send_started(struct http_res *res, const struct instance *instance, bool is_new,
			struct err *e)
{
	if (instances_is(instance, "starting"))
		return send_instance(res, 202, instance, e);
	if (instances_is(instance, "failed"))
		return err_set(e, ERR_NODE, "%s", instance->detail);
	return send_instance(res, is_new ? 201 : 200, instance, e);
}

static int serve_start(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct instance, instances_row_done) instance = { .id = NULL };
	AUTO(struct entry, door_leave) entry = ENTRY_INIT;
	struct platform *platform = ctx;
	bool is_new = false;
	int r;

	r = door_enter_playing(platform, req, &entry, e);
	if (r == 0)
		r = may_start(platform, req, &entry, e);
	if (r == 0)
		r = promise_at_rate(platform, req, res, &entry, &instance, &is_new, e);
	if (r < 0)
		return r;
	if (instances_is(&instance, "starting")) {
		/* Also for one who comes second: the first may not have got here yet. */
		settler_kick(platform->settler, instance.id, instance.node_id);
		r = wait_for(platform, req, &instance, e);
	}
	if (r == 0)
		tell_cause(req, &instance);
	return r < 0 ? r : send_started(res, &instance, is_new, e);
}

/* Looking */

static int find_own(struct platform *platform, struct http_req *req, struct entry *entry,
		    struct instance *ret_instance, struct err *e)
{
	int r;

	r = door_enter_playing(platform, req, entry, e);
	if (r < 0)
		return r;
	r = instances_of_team(platform->db, http_arena(req), entry->team.id, entry->challenge->id,
			      ret_instance, e);
	return r < 0 ? r : door_check_instance(req, ret_instance->id, e);
}

static int find_node(struct platform *platform, const struct instance *instance,
		     struct node **ret_node, struct err *e)
{
	*ret_node = nodes_take(platform->nodes, instance->node_id);
	return *ret_node ? 0 : err_set(e, ERR_NODE, "the node of this instance is gone");
}

/* A client waits for these: a node that doesn't answer must not keep it. */
enum { ASK_TIMEOUT_S = 10 };

static const struct ctfy_call ask_call = { .timeout = ASK_TIMEOUT_S };

enum { CLOCKS_APART_MS = 2000 };

/* What the node knows nothing of any more isn't running, whatever we thought. */
static int lose(struct platform *platform, struct http_req *req, struct instance *instance,
		struct err *e)
{
	/* A node ends by its own clock what is over: it may be ahead of us. */
	bool over = instance->expires_at <= door_now(platform) + CLOCKS_APART_MS;
	char *id = instance->id;
	int r;

	r = instances_begin_stop(platform->db, id, over ? "expired" : "failed",
				 over ? NULL : "the node no longer has the instance", NULL, e);
	if (r < 0)
		return r;
	settler_kick(platform->settler, id, instance->node_id);
	instances_row_done(instance);
	return instances_find(platform->db, http_arena(req), id, instance, e);
}

static int node_failed(const struct http_req *req, const struct node *node,
		       struct ctfy_error *error, struct err *e)
{
	return door_is_organiser(req) ? nodes_failed(node, error, e)
				      : plain_failure(node, error, e);
}

/* Adds is_healthy and services, as the node sees them now. */
static int add_health(struct platform *platform, struct http_req *req, struct instance *instance,
		      json_t **ret_health, struct err *e)
{
	AUTO(struct node *, node_dropp) node = NULL;
	struct ctfy_error error = CTFY_ERROR_INIT;
	struct ctfy_health health;
	bool is_healthy;
	int r;

	r = find_node(platform, instance, &node, e);
	if (r < 0)
		return r;
	if (ctfy_node_check_health(nodes_client(node), instance->copy_id, &is_healthy, &health,
				   &ask_call, &error) < 0)
		r = node_failed(req, node, &error, e);
	if (r == 0 && !door_is_organiser(req))
		plain_health(&health);
	if (r == 0)
		*ret_health = fields_encode(health_fields, &health);
	ctfy_health_done(&health);
	if (r == -ERR_NOT_FOUND)
		return lose(platform, req, instance, e);
	return r;
}

static int add_queue(struct platform *platform, const struct instance *instance,
		     json_t **ret_progress, struct err *e)
{
	int64_t position, eta_ms;
	int r = instances_queue_position(platform->db, instance, door_now(platform), &position,
					 &eta_ms, e);

	if (r == 0)
		*ret_progress = json_make("{s:s, s:I, s:I, s:I}", "phase", "waiting",
					  "queue_position", (json_int_t)position, "eta_ms",
					  (json_int_t)eta_ms, "eta_p95_ms", (json_int_t)eta_ms);
	return r;
}

/* Adds where its start has got to: the node may not know of it yet, and then nothing is added. */
static int add_progress(struct platform *platform, const struct instance *instance,
			json_t **ret_progress, struct err *e)
{
	AUTO(struct node *, node_dropp) node = NULL;
	struct ctfy_instance told;
	int r;

	if (instances_is_queued(instance))
		return add_queue(platform, instance, ret_progress, e);
	r = find_node(platform, instance, &node, e);
	if (r < 0)
		return r;
	if (ctfy_node_get_status(nodes_client(node), instance->copy_id, &told, &ask_call, NULL) ==
	    0)
		*ret_progress = json_make("{s:s?, s:I, s:I, s:I}", "phase", told.phase,
					  "queue_position", (json_int_t)told.queue_position,
					  "eta_ms", (json_int_t)told.eta_ms, "eta_p95_ms",
					  (json_int_t)told.eta_p95_ms);
	ctfy_instance_done(&told);
	return 0;
}

static int check(struct platform *platform, struct http_req *req, struct instance *instance,
		 json_t **ret_more, struct err *e)
{
	if (instances_is(instance, "running"))
		return add_health(platform, req, instance, ret_more, e);
	if (instances_is(instance, "starting"))
		return add_progress(platform, instance, ret_more, e);
	return 0;
}

static bool wants_check(const struct http_req *req)
{
	const char *wanted = http_query(req, "check");

	return wanted && strcmp(wanted, "true") == 0;
}

static int serve_look(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct instance, instances_row_done) instance = { .id = NULL };
	AUTO(struct entry, door_leave) entry = ENTRY_INIT;
	AUTO(json_t *, json_decrefp) more = NULL;
	struct platform *platform = ctx;
	json_t *json;
	int r;

	r = find_own(platform, req, &entry, &instance, e);
	if (r == 0 && instances_is(&instance, "starting"))
		r = wait_for(platform, req, &instance, e);
	if (r == 0 && wants_check(req))
		r = check(platform, req, &instance, &more, e);
	if (r < 0)
		return r;
	tell_cause(req, &instance);
	json = instances_json(&instance);
	if (!json || (more && json_object_update(json, more) < 0)) {
		json_decref(json);
		return err_memory(e);
	}
	return http_send_json(res, 200, json);
}

/* NULL when out of memory. */
static json_t *list_json(const struct instances *instances,
			 json_t *(*tell)(const struct instance *instance))
{
	AUTO(json_t *, json_decrefp) list = json_array();

	for (size_t i = 0; i < instances->count; i++)
		if (json_array_append_new(list, tell(&instances->rows[i])) < 0)
			return NULL;
	return TAKE(list);
}

static int serve_own(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct instances, instances_done) instances = { .rows = NULL };
	struct platform *platform = ctx;
	struct competition competition;
	struct team team = { .id = NULL };
	json_t *list;
	int r;

	r = door_competition(platform, req, &competition, e);
	if (r == 0)
		r = door_team(platform, req, &competition, &team, e);
	if (r < 0)
		return r;
	r = instances_all_of_team(platform->db, http_arena(req), team.id, &instances, e);
	if (r < 0)
		return r;
	list = list_json(&instances, instances_json);
	return list ? http_send_json(res, 200, json_make("{s:o}", "instances", list))
		    : err_memory(e);
}

/* Renewing */

/* It ends so many seconds from now. */
static int set_ttl(struct platform *platform, struct http_req *req, struct instance *instance,
		   int64_t ttl, struct err *e)
{
	AUTO(struct node *, node_dropp) node = NULL;
	struct ctfy_error error = CTFY_ERROR_INIT;
	struct ctfy_instance told;
	char *id = instance->id;
	int64_t expires_at;
	int r;

	r = find_node(platform, instance, &node, e);
	if (r < 0)
		return r;
	if (ctfy_node_set_ttl(nodes_client(node), instance->copy_id, ttl, &told, &ask_call,
			      &error) < 0)
		r = node_failed(req, node, &error, e);
	expires_at = instances_by_our_clock(told.expires_at, door_now(platform) + 1000 * ttl);
	ctfy_instance_done(&told);
	if (r == -ERR_NOT_FOUND)
		return lose(platform, req, instance, e);
	if (r == 0)
		r = instances_renewed(platform->db, id, expires_at, NULL, e);
	instances_row_done(instance);
	return r < 0 ? r : instances_find(platform->db, http_arena(req), id, instance, e);
}

static int serve_renew(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct instance, instances_row_done) instance = { .id = NULL };
	AUTO(struct entry, door_leave) entry = ENTRY_INIT;
	struct platform *platform = ctx;
	int r;

	r = find_own(platform, req, &entry, &instance, e);
	if (r == 0 && !instances_is(&instance, "running"))
		r = err_set(e, ERR_CONFLICT,
			    "your instance of '%s' is %s: only a running one can "
			    "be renewed",
			    entry.challenge->id, instance.status);
	if (r == 0)
		r = competition_check_running(&entry.competition, door_now(platform), e);
	if (r == 0)
		r = set_ttl(platform, req, &instance, instance.ttl, e);
	return r < 0 ? r : send_instance(res, 200, &instance, e);
}

/* Stopping */

static int begin_stop(struct platform *platform, const struct instance *instance, struct err *e)
{
	bool was_starting = instances_is(instance, "starting");
	int r = instances_begin_stop(platform->db, instance->id, "stopped", NULL, NULL, e);

	if (r < 0)
		return r;
	if (was_starting)
		settler_cancel(platform->settler, instance);
	else
		settler_kick(platform->settler, instance->id, instance->node_id);
	return 0;
}

static int stop(struct platform *platform, struct http_req *req, struct instance *instance,
		struct err *e)
{
	int r;

	if (!instance->live)
		return 0;
	r = begin_stop(platform, instance, e);
	return r < 0 ? r : wait_for(platform, req, instance, e);
}

static int send_stopped(struct http_res *res, const struct instance *instance, struct err *e)
{
	return send_instance(res, instance->live ? 202 : 200, instance, e);
}

static int serve_stop(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct instance, instances_row_done) instance = { .id = NULL };
	AUTO(struct entry, door_leave) entry = ENTRY_INIT;
	int r;

	r = find_own(ctx, req, &entry, &instance, e);
	if (r == 0)
		r = stop(ctx, req, &instance, e);
	return r < 0 ? r : send_stopped(res, &instance, e);
}

/* News */

static void tell_team(struct platform *platform, const struct instance *instance,
		      const char *status, const char *detail)
{
	const struct event_audience audience = { .competition_id = instance->competition_id,
						 .team_id = instance->team_id,
						 .users_only = true };
	AUTO(json_t *, json_decrefp) data =
		json_make("{s:s, s:s, s:s, s:s}", "id", instance->id, "challenge_id",
			  instance->challenge_id, "status", status, "detail", detail);

	if (data)
		events_publish(platform->events, &audience, "instance", data);
}

void platform_instance_replaced(void *cookie, const struct instance *instance)
{
	tell_team(cookie, instance, "starting",
		  "its node does not answer: it is started on another");
}

void platform_instance_nearing_end(void *cookie, const struct instance *instance)
{
	char end[CLOCK_TEXT_SIZE], detail[CLOCK_TEXT_SIZE + 64];

	clock_format(instance->expires_at, end);
	snprintf(detail, sizeof(detail), "it ends at %s, unless it is renewed", end);
	tell_team(cookie, instance, "running", detail);
}

/* For organisers */

/* The live ones; with ?all=true also those that have ended. */
static int serve_all(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct instances, instances_done) instances = { .rows = NULL };
	struct platform *platform = ctx;
	const char *all = http_query(req, "all");
	struct page page;
	char *cursor = NULL;
	json_t *list;
	int r;

	r = page_read(req, &page, e);
	if (r == 0)
		r = instances_list(platform->db, http_arena(req), all && strcmp(all, "true") == 0,
				   &page, &instances, &cursor, e);
	if (r < 0)
		return r;
	list = list_json(&instances, instances_admin_json);
	return list ? http_send_json(res, 200,
				     json_make("{s:o, s:s?}", "instances", list, "next_cursor",
					       cursor))
		    : err_memory(e);
}

static json_t *question_ids(const struct ctfy_answer *answers, size_t count)
{
	json_t *ids = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(ids, json_text(answers[i].question_id));
	return ids;
}

/* Who has it, what its node calls it, and to which questions it has answers: not the answers. */
static int add_particulars(struct platform *platform, struct http_req *req,
			   const struct instance *instance, json_t *json, struct err *e)
{
	AUTO(json_t *, json_decrefp) more = NULL;
	struct ctfy_answer *answers = NULL;
	struct user user = { 0 };
	size_t count = 0;
	int r;

	r = instances_answers(platform->db, http_arena(req), instance->id, &answers, &count, e);
	if (r == 0)
		r = user_find(platform->db, http_arena(req), instance->user_id, &user, e);
	if (r < 0)
		return r;
	more = json_make("{s:s, s:s, s:o}", "user", user.name, "copy_id", instance->copy_id,
			 "answered_questions", question_ids(answers, count));
	return json_object_update(json, more) < 0 ? err_memory(e) : 0;
}

static int send_whole(struct platform *platform, struct http_req *req, struct http_res *res,
		      const struct instance *instance, json_t *seen, struct err *e)
{
	AUTO(json_t *, json_decrefp) json = instances_admin_json(instance);
	int r;

	if (!json || (seen && json_object_update(json, seen) < 0))
		return err_memory(e);
	r = add_particulars(platform, req, instance, json, e);
	return r < 0 ? r : http_send_json(res, 200, TAKE(json));
}

static int find_any(struct platform *platform, struct http_req *req, struct instance *ret_instance,
		    struct err *e)
{
	return instances_find(platform->db, http_arena(req), http_param(req, "instance"),
			      ret_instance, e);
}

static int serve_one(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct instance, instances_row_done) instance = { .id = NULL };
	AUTO(json_t *, json_decrefp) seen = NULL;
	struct platform *platform = ctx;
	int r;

	r = find_any(platform, req, &instance, e);
	if (r == 0 && wants_check(req))
		r = check(platform, req, &instance, &seen, e);
	return r < 0 ? r : send_whole(platform, req, res, &instance, seen, e);
}

struct extension {
	int64_t extend; /* seconds more; 0: until */
	int64_t until;
};

static const struct field extension_fields[] = {
	FIELD_RANGE(struct extension, extend, 0, 1, INSTANCE_TTL_MAX),
	FIELD(struct extension, TIME, until, 0),
	FIELDS_END,
};

/* How many seconds it has from now on, if it is extended like that. */
static int read_extension(struct http_req *req, const struct instance *instance, int64_t now,
			  int64_t *ret_ttl, struct err *e)
{
	struct extension wish = { .extend = 0 };
	int64_t until;
	int r = http_read(req, extension_fields, &wish, e);

	if (r < 0)
		return r;
	if ((wish.extend != 0) == (wish.until != 0))
		return http_refuse_field(req, "extend", "value_error",
					 "either 'extend' or 'until' is expected", e);
	until = wish.until ? wish.until : instance->expires_at + 1000 * wish.extend;
	*ret_ttl = (until - now + 999) / 1000;
	if (*ret_ttl < 1 || *ret_ttl > INSTANCE_TTL_MAX)
		return http_refuse_field(req, wish.until ? "until" : "extend", "value_error",
					 "the end has to lie ahead, by a year at most", e);
	return 0;
}

static void tell_extension(struct platform *platform, struct http_req *req,
			   const struct instance *instance)
{
	char until[CLOCK_TEXT_SIZE], detail[CLOCK_TEXT_SIZE + 64];

	clock_format(instance->expires_at, until);
	door_note(req, "'%s' of team '%s' until %s", instance->challenge_id, instance->team, until);
	snprintf(detail, sizeof(detail), "an organiser has set its end: %s", until);
	tell_team(platform, instance, "running", detail);
}

static int serve_extend(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct instance, instances_row_done) instance = { .id = NULL };
	struct platform *platform = ctx;
	int64_t ttl = 0;
	int r;

	r = find_any(platform, req, &instance, e);
	if (r == 0 && !instances_is(&instance, "running"))
		r = err_set(e, ERR_CONFLICT, "it is %s: only a running one can be extended",
			    instance.status);
	if (r == 0)
		r = read_extension(req, &instance, door_now(platform), &ttl, e);
	if (r == 0)
		r = set_ttl(platform, req, &instance, ttl, e);
	if (r == 0 && !instances_is(&instance, "running"))
		r = err_set(e, ERR_CONFLICT, "its node no longer has it");
	if (r < 0)
		return r;
	tell_extension(platform, req, &instance);
	return send_whole(platform, req, res, &instance, NULL, e);
}

static int serve_admin_stop(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct instance, instances_row_done) instance = { .id = NULL };
	struct platform *platform = ctx;
	json_t *json;
	int r;

	r = find_any(platform, req, &instance, e);
	if (r == 0)
		r = stop(platform, req, &instance, e);
	if (r < 0)
		return r;
	json = instances_admin_json(&instance);
	return json ? http_send_json(res, instance.live ? 202 : 200, json) : err_memory(e);
}

#define OWN "/api/v1/challenges/{id}/instance"

const struct http_route platform_instance_routes[] = {
	{ "GET", "/api/v1/instances", serve_own, 0, ACCESS_USER },
	{ "POST", OWN, serve_start, 0, ACCESS_USER },
	{ "GET", OWN, serve_look, 0, ACCESS_AGENT },
	{ "PATCH", OWN, serve_renew, 0, ACCESS_USER },
	{ "DELETE", OWN, serve_stop, 0, ACCESS_USER },
	{ "GET", "/api/v1/admin/instances", serve_all, 0, ACCESS_ORGANISER },
	{ "GET", "/api/v1/admin/instances/{instance}", serve_one, 0, ACCESS_ORGANISER },
	{ "PATCH", "/api/v1/admin/instances/{instance}", serve_extend, 0, ACCESS_ORGANISER },
	{ "DELETE", "/api/v1/admin/instances/{instance}", serve_admin_stop, 0, ACCESS_ORGANISER },
	{ .method = NULL },
};
