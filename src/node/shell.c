/* SPDX-License-Identifier: Apache-2.0 */
#include "node/shell.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "base/work.h"
#include "engine/container.h"
#include "engine/exec.h"
#include "http/call.h"
#include "http/serve.h"
#include "http/websocket.h"
#include "node/compose.h"
#include "node/instance.h"
#include "node/node.h"
#include "node/timeline.h"

#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <time.h>

enum {
	PART_SIZE = 32 << 10,
	LOOK_UP_MS = 1000,
	SIDE_MAX = 1000, /* columns or rows */
	SHORT_ID = 12,
	EXIT_PATIENCE_MS = 2000,
};

struct shell {
	struct node *node;
	char *container, *service;
	char *exec;
	struct http_tunnel *terminal;
	struct websocket *client;
};

static void shell_done(struct shell *shell)
{
	if (shell->terminal)
		http_tunnel_close(shell->terminal);
	free(shell->exec);
	free(shell->container);
	free(shell->service);
}

/* --- opening ------------------------------------------------------------------------------ */

static bool is_meant(const struct engine_container *container, const char *name)
{
	size_t len = strlen(name);

	return strcmp(container->name, name) == 0 ||
	       (len >= SHORT_ID && strncmp(container->id, name, len) == 0);
}

static int find_container(struct shell *shell, const struct shell_spec *spec, struct err *e)
{
	AUTO(json_t *, json_decrefp) known = NULL;
	struct engine_container_list list = { 0 };
	struct label_filter filter;
	int r;

	label_filter(shell->node, spec->instance_id, &filter);
	r = instance_services(shell->node, spec->instance_id, &known, e);
	if (r == 0)
		r = engine_container_list(shell->node->engine, filter.labels, &list, e);
	for (size_t i = 0; r == 0 && i < list.count && !shell->container; i++) {
		const char *service =
			json_string_value(json_object_get(list.items[i].labels, LABEL_SERVICE));

		if (!is_meant(&list.items[i], spec->container))
			continue;
		shell->container = strdup(list.items[i].id);
		shell->service = strdup(service ? service : "");
	}
	engine_container_list_done(&list);
	if (r == 0 && !shell->container)
		r = err_set(e, ERR_NOT_FOUND, "instance '%s' has no container '%s'",
			    spec->instance_id, spec->container);
	return r;
}

static int open_terminal(struct shell *shell, const struct shell_spec *spec, struct err *e)
{
	static const char *const argv[] = { "sh", "-c",
					    "command -v bash >/dev/null 2>&1 && exec bash; exec sh",
					    NULL };
	static const char *const env[] = { "TERM=xterm-256color", NULL };
	const struct engine_exec_options options = {
		.argv = argv, .env = env, .tty = true, .stdin_open = true
	};
	struct engine *engine = shell->node->engine;
	int r;

	r = engine_exec_create(engine, shell->container, &options, &shell->exec, e);
	if (r == 0)
		r = engine_exec_attach(engine, shell->exec, true, &shell->terminal, e);
	if (r == 0)
		r = engine_exec_resize(engine, shell->exec, spec->columns, spec->rows, e);
	return r;
}

/* --- from the client ---------------------------------------------------------------------- */

static int control(struct shell *shell, const struct websocket_part *part, struct err *e)
{
	AUTO(json_t *, json_decrefp) json = json_loadb(part->bytes, part->len, 0, NULL);
	const char *type = NULL;
	int columns, rows;

	if (json_unpack(json, "{s:s,s:i,s:i}", "type", &type, "cols", &columns, "rows", &rows) <
		    0 ||
	    strcmp(type, "resize") != 0 || columns < 1 || columns > SIDE_MAX || rows < 1 ||
	    rows > SIDE_MAX) {
		websocket_say_close(shell->client, WEBSOCKET_POLICY,
				    "a text message is {\"type\":\"resize\",\"cols\":,\"rows\":}");
		return err_set(e, ERR_PROTOCOL, "the client sent a control message of no meaning");
	}
	return engine_exec_resize(shell->node->engine, shell->exec, (unsigned)columns,
				  (unsigned)rows, e);
}

static int take_input(struct shell *shell, struct err *e)
{
	struct websocket_part part;
	int r;

	for (;;) {
		r = websocket_receive(shell->client, &part, e);
		if (r < 0 || part.kind == WEBSOCKET_CLOSED)
			return r;
		r = part.kind == WEBSOCKET_TEXT
			    ? control(shell, &part, e)
			    : http_tunnel_write(shell->terminal, part.bytes, part.len, e);
		if (r < 0)
			return r;
	}
}

/* --- to the client ------------------------------------------------------------------------ */

/* The engine knows the exit code a moment after the last output; false: it is not to be had. */
static bool find_exit_code(struct shell *shell, int *ret_code)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	int64_t deadline = clock_monotonic_ms() + EXIT_PATIENCE_MS;
	struct engine_exec_state state;
	struct err gone = ERR_INIT;

	while (engine_exec_inspect(shell->node->engine, shell->exec, &state, &gone) == 0) {
		if (!state.running) {
			*ret_code = state.exit_code;
			return true;
		}
		if (clock_monotonic_ms() > deadline)
			return false;
		nanosleep(&pause, NULL);
	}
	return false;
}

static int tell_end(struct shell *shell, struct err *e)
{
	char text[64];
	int code, r;

	if (!find_exit_code(shell, &code)) {
		websocket_say_close(shell->client, WEBSOCKET_GOING_AWAY, "the container has ended");
		return 0;
	}
	snprintf(text, sizeof(text), "{\"type\":\"exit\",\"code\":%d}", code);
	r = websocket_send_text(shell->client, text, e);
	if (r == 0)
		websocket_say_close(shell->client, WEBSOCKET_NORMAL, "");
	return r;
}

static int give_output(struct shell *shell, struct err *e)
{
	char part[PART_SIZE];
	size_t len;
	int r;

	for (;;) {
		r = http_tunnel_read(shell->terminal, part, sizeof(part), LOOK_UP_MS, &len, e);
		if (r == -ERR_TIMEOUT) {
			r = websocket_keep_alive(shell->client, e);
			if (r < 0)
				return r;
			continue;
		}
		if (r < 0)
			return r;
		if (len == 0)
			return tell_end(shell, e);
		r = websocket_send_binary(shell->client, part, len, e);
		if (r < 0)
			return r;
	}
}

/* --- both --------------------------------------------------------------------------------- */

/* A process outlives who was attached to it. */
static void end_process(struct shell *shell)
{
	struct err gone = ERR_INIT;

	if (engine_exec_kill(shell->node->engine, shell->exec, SIGHUP, &gone) < 0)
		log_debug("shell in '%s': %s", shell->service, gone.msg);
}

/* A direction that has ended ends the other. */
static int run_direction(void *cookie, size_t i, struct err *e)
{
	struct shell *shell = cookie;
	int r;

	if (i == 0) {
		r = take_input(shell, e);
		end_process(shell);
		http_tunnel_stop(shell->terminal);
	} else {
		r = give_output(shell, e);
		if (r < 0)
			websocket_hang_up(shell->client);
	}
	return r;
}

static void run(struct shell *shell, const struct shell_spec *spec, const char *peer)
{
	struct err why = ERR_INIT;
	int64_t began = clock_monotonic_ms();

	timeline_add(shell->node, spec->instance_id, "shell-opened", shell->service, "by %s", peer);
	log_info("instance '%s': shell in '%s' opened by %s", spec->instance_id, shell->service,
		 peer);
	if (work_each_always(2, 2, run_direction, shell, &why) < 0)
		log_debug("shell in '%s': %s", shell->service, why.msg);
	timeline_add(shell->node, spec->instance_id, "shell-closed", shell->service, "after %lld s",
		     (long long)(clock_monotonic_ms() - began) / 1000);
}

int shell_serve(struct node *node, const struct shell_spec *spec, struct http_req *req,
		struct http_res *res, struct err *e)
{
	AUTO(struct shell, shell_done) shell = { .node = node };
	int r;

	r = find_container(&shell, spec, e);
	if (r == 0)
		r = open_terminal(&shell, spec, e);
	if (r == 0)
		r = websocket_accept(req, res, &shell.client, e);
	if (r < 0) {
		if (shell.terminal)
			end_process(&shell);
		return r;
	}
	run(&shell, spec, http_peer(req));
	websocket_close(shell.client, WEBSOCKET_GOING_AWAY, "");
	return 0;
}
