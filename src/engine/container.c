/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/container.h"

#include "base/err.h"
#include "base/own.h"
#include "engine/client.h"
#include "engine/json.h"
#include "engine/request.h"

#include <string.h>

int engine_container_create(struct engine *engine, const char *name, const json_t *body,
			    char **ret_id, struct err *e)
{
	AUTO(struct request, request_done) req;
	int r;

	request_begin(&req, engine, "POST", "/containers/create");
	request_query(&req, "name", name);
	request_body(&req, json_incref((json_t *)(uintptr_t)body));
	request_is_slow(&req);
	r = request_run_id(&req, "Id", ret_id, e);
	return r < 0 ? err_wrap(e, "create container '%s'", name) : 0;
}

/*
 * The engine says 404 for a network or image that is gone too, and 500 for a port that is taken;
 * only its words tell which.
 */
static void tell_start_failures_apart(struct err *e)
{
	if (e->code == ERR_NOT_FOUND && !strcasestr(e->msg, "no such container"))
		e->code = ERR_ENGINE;
	if (e->code == ERR_ENGINE && (strstr(e->msg, "port is already allocated") ||
				      strstr(e->msg, "address already in use")))
		e->code = ERR_CONFLICT;
}

int engine_container_start(struct engine *engine, const char *container, struct err *e)
{
	AUTO(struct request, request_done) req;
	struct err unwanted;

	if (!e)
		e = &unwanted;
	request_begin(&req, engine, "POST", "/containers/%s/start", container);
	request_is_slow(&req);
	if (request_run(&req, NULL, e) == 0)
		return 0;
	tell_start_failures_apart(e);
	return err_wrap(e, "start container '%s'", container);
}

int engine_container_stop(struct engine *engine, const char *container, unsigned grace_seconds,
			  struct err *e)
{
	AUTO(struct request, request_done) req;
	int r;

	request_begin(&req, engine, "POST", "/containers/%s/stop", container);
	request_query_number(&req, "t", grace_seconds);
	request_is_slow(&req);
	req.call.timeout_ms += (int64_t)grace_seconds * 1000;
	r = request_run(&req, NULL, e);
	return r < 0 ? err_wrap(e, "stop container '%s'", container) : 0;
}

int engine_container_kill(struct engine *engine, const char *container, const char *signal,
			  struct err *e)
{
	AUTO(struct request, request_done) req;
	struct err why = ERR_INIT;

	request_begin(&req, engine, "POST", "/containers/%s/kill", container);
	request_query(&req, "signal", signal);
	request_is_slow(&req);
	if (request_run(&req, NULL, &why) == 0 || why.code == ERR_CONFLICT)
		return 0;
	return err_set(e, why.code, "kill container '%s': %s", container, why.msg);
}

int engine_container_remove(struct engine *engine, const char *container, bool force, struct err *e)
{
	AUTO(struct request, request_done) req;
	int r;

	request_begin(&req, engine, "DELETE", "/containers/%s", container);
	request_query(&req, "v", "1");
	request_query(&req, "force", force ? "1" : NULL);
	request_is_slow(&req);
	r = request_run(&req, NULL, e);
	return r < 0 ? err_wrap(e, "remove container '%s'", container) : 0;
}

static int wait_for(struct engine *engine, const char *container, int64_t timeout_ms,
		    int *ret_exit_code, struct err *e)
{
	AUTO(struct request, request_done) req;
	AUTO(json_t *, json_decrefp) answer = NULL;
	const json_t *fault;
	int r;

	request_begin(&req, engine, "POST", "/containers/%s/wait", container);
	req.call.timeout_ms = timeout_ms;
	r = request_run(&req, &answer, e);
	if (r < 0)
		return r;
	fault = json_object_get(answer, "Error");
	if (json_get_text(fault, "Message")[0])
		return err_set(e, ERR_ENGINE, "%s", json_get_text(fault, "Message"));
	*ret_exit_code = (int)json_get_int(answer, "StatusCode");
	return 0;
}

int engine_container_wait(struct engine *engine, const char *container, int64_t timeout_ms,
			  int *ret_exit_code, struct err *e)
{
	int r = wait_for(engine, container, timeout_ms, ret_exit_code, e);

	return r < 0 ? err_wrap(e, "wait for container '%s'", container) : 0;
}

int engine_container_inspect(struct engine *engine, const char *container, json_t **ret_json,
			     struct err *e)
{
	AUTO(struct request, request_done) req;
	int r;

	request_begin(&req, engine, "GET", "/containers/%s/json", container);
	r = request_run(&req, ret_json, e);
	return r < 0 ? err_wrap(e, "inspect container '%s'", container) : 0;
}

/* "none" is how an image's healthcheck is switched off. */
static const char *health_of(const json_t *state)
{
	const char *health = json_get_text(json_object_get(state, "Health"), "Status");

	return health[0] && strcmp(health, "none") != 0 ? health : NULL;
}

void engine_container_state(const json_t *inspected, struct engine_container_state *ret_state)
{
	const json_t *state = json_object_get(inspected, "State");

	*ret_state = (struct engine_container_state){
		.status = json_get_text(state, "Status"),
		.health = health_of(state),
		.error = json_get_text(state, "Error"),
		.running = json_get_bool(state, "Running"),
		.oom_killed = json_get_bool(state, "OOMKilled"),
		.exit_code = (int)json_get_int(state, "ExitCode"),
		.pid = (int)json_get_int(state, "Pid"),
		.started_ms = engine_time_ms(json_get_text(state, "StartedAt")),
		.finished_ms = engine_time_ms(json_get_text(state, "FinishedAt")),
	};
}

/* A linked container has names "/other/alias" besides its own. */
static const char *own_name(const json_t *names)
{
	const json_t *name;
	size_t i;

	json_array_foreach (names, i, name) {
		const char *text = json_string_value(name);

		if (!text)
			continue;
		if (text[0] == '/')
			text++;
		if (!strchr(text, '/'))
			return text;
	}
	return "";
}

static void read_container(const json_t *item, struct engine_container *row)
{
	*row = (struct engine_container){
		.id = json_get_text(item, "Id"),
		.name = own_name(json_object_get(item, "Names")),
		.image = json_get_text(item, "Image"),
		.state = json_get_text(item, "State"),
		.status = json_get_text(item, "Status"),
		.labels = json_object_get(item, "Labels"),
		.networks = json_object_get(json_object_get(item, "NetworkSettings"), "Networks"),
		.ports = json_object_get(item, "Ports"),
		.created_ms = json_get_int(item, "Created") * 1000,
	};
}

int engine_container_list(struct engine *engine, const char *const *labels,
			  struct engine_container_list *ret_list, struct err *e)
{
	AUTO(struct request, request_done) req;
	struct engine_container *rows;
	json_t *list, *item;
	void *memory;
	size_t i;
	int r;

	request_begin(&req, engine, "GET", "/containers/json?all=1");
	request_query_labels(&req, labels);
	r = request_run_list(&req, NULL, sizeof(*rows), &list, &memory, e);
	if (r < 0)
		return err_wrap(e, "list containers");
	rows = memory;
	json_array_foreach (list, i, item)
		read_container(item, &rows[i]);
	*ret_list = (struct engine_container_list){ rows, json_array_size(list), list };
	return 0;
}

void engine_container_list_done(struct engine_container_list *list)
{
	free(list->items);
	json_decref(list->json);
	*list = (struct engine_container_list){ 0 };
}
