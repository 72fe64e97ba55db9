/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/exec.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/own.h"
#include "engine/demux.h"
#include "engine/json.h"
#include "engine/request.h"

#include <signal.h>
#include <string.h>
#include <time.h>

/*
 * The engine knows a process's pid a moment after its first output, and its exit code a moment
 * after its last.
 */
enum { POLL_MS = 5, PATIENCE_MS = 5000 };

enum { CGROUP_FILE_MAX = 64 << 10 };

static json_t *string_list(const char *const *strings)
{
	AUTO(json_t *, json_decrefp) list = json_array();

	for (; strings && *strings; strings++)
		if (json_array_append_new(list, json_text(*strings)) < 0)
			return NULL;
	return TAKE(list);
}

/* NULL: out of memory. */
static json_t *create_body(const struct engine_exec_options *options)
{
	AUTO(json_t *, json_decrefp)
	body = json_make("{s:b, s:b, s:b, s:b}", "AttachStdin", options->stdin_open, "AttachStdout",
			 1, "AttachStderr", 1, "Tty", options->tty);

	if (!body || json_object_set_new(body, "Cmd", string_list(options->argv)) < 0 ||
	    json_object_set_new(body, "Env", string_list(options->env)) < 0 ||
	    json_set_text(body, "User", options->user) < 0 ||
	    json_set_text(body, "WorkingDir", options->workdir) < 0)
		return NULL;
	return TAKE(body);
}

int engine_exec_create(struct engine *engine, const char *container,
		       const struct engine_exec_options *options, char **ret_id, struct err *e)
{
	AUTO(struct request, request_done) req;
	int r;

	request_begin(&req, engine, "POST", "/containers/%s/exec", container);
	request_body(&req, create_body(options));
	request_is_slow(&req);
	r = request_run_id(&req, "Id", ret_id, e);
	return r < 0 ? err_wrap(e, "run '%s' in container '%s'", options->argv[0], container) : 0;
}

static void begin_start(struct request *req, struct engine *engine, const char *exec, bool tty)
{
	request_begin(req, engine, "POST", "/exec/%s/start", exec);
	request_body(req, json_make("{s:b, s:b}", "Detach", 0, "Tty", tty));
	request_is_slow(req);
}

int engine_exec_attach(struct engine *engine, const char *exec, bool tty,
		       struct http_tunnel **ret_tunnel, struct err *e)
{
	AUTO(struct request, request_done) req;
	int r;

	begin_start(&req, engine, exec, tty);
	r = request_attach(&req, ret_tunnel, e);
	return r < 0 ? err_wrap(e, "attach to exec '%s'", exec) : 0;
}

int engine_exec_resize(struct engine *engine, const char *exec, unsigned columns, unsigned rows,
		       struct err *e)
{
	AUTO(struct request, request_done) req;
	int r;

	request_begin(&req, engine, "POST", "/exec/%s/resize", exec);
	request_query_number(&req, "h", rows);
	request_query_number(&req, "w", columns);
	r = request_run(&req, NULL, e);
	return r < 0 ? err_wrap(e, "resize the terminal of exec '%s'", exec) : 0;
}

static int inspect(struct engine *engine, const char *exec, json_t **ret_json, struct err *e)
{
	AUTO(struct request, request_done) req;
	int r;

	request_begin(&req, engine, "GET", "/exec/%s/json", exec);
	r = request_run(&req, ret_json, e);
	return r < 0 ? err_wrap(e, "inspect exec '%s'", exec) : 0;
}

static void read_state(const json_t *inspected, struct engine_exec_state *ret_state)
{
	*ret_state = (struct engine_exec_state){
		.running = json_get_bool(inspected, "Running"),
		.exit_code = (int)json_get_int(inspected, "ExitCode"),
		.pid = (int)json_get_int(inspected, "Pid"),
	};
}

int engine_exec_inspect(struct engine *engine, const char *exec,
			struct engine_exec_state *ret_state, struct err *e)
{
	AUTO(json_t *, json_decrefp) inspected = NULL;
	int r;

	r = inspect(engine, exec, &inspected, e);
	if (r < 0)
		return r;
	read_state(inspected, ret_state);
	return 0;
}

/* Whether the process we see under this pid is one of the container's. */
static bool is_in_container(int pid, const char *container)
{
	AUTO(char *, freep) path = strf("/proc/%d/cgroup", pid);
	AUTO(char *, freep) cgroups = NULL;
	size_t len;

	return path && container[0] &&
	       file_read(path, CGROUP_FILE_MAX, &cgroups, &len, NULL) == 0 &&
	       strstr(cgroups, container);
}

/*
 * The engine starts every exec as the leader of a group of its own, so that what the process
 * started is hit too. True when the signal was sent.
 */
static bool signal_group(int pid, const char *container, int signal)
{
	return pid > 0 && is_in_container(pid, container) && getpgid(pid) == pid &&
	       kill(-pid, signal) == 0;
}

static bool pid_is_known(const struct engine_exec_state *state)
{
	return !state->running || state->pid > 0;
}

static bool has_ended(const struct engine_exec_state *state)
{
	return !state->running;
}

/* Inspects until it is so, or patience ends; ret_json, unless NULL, is what was seen last. */
static int poll_until(struct engine *engine, const char *exec,
		      bool (*is_so)(const struct engine_exec_state *state),
		      struct engine_exec_state *ret_state, json_t **ret_json, struct err *e)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	int64_t deadline = clock_monotonic_ms() + PATIENCE_MS;

	for (;;) {
		AUTO(json_t *, json_decrefp) inspected = NULL;
		int r = inspect(engine, exec, &inspected, e);

		if (r < 0)
			return r;
		read_state(inspected, ret_state);
		if (is_so(ret_state) || clock_monotonic_ms() > deadline) {
			if (ret_json)
				*ret_json = TAKE(inspected);
			return 0;
		}
		nanosleep(&pause, NULL);
	}
}

int engine_exec_kill(struct engine *engine, const char *exec, int signal, struct err *e)
{
	AUTO(json_t *, json_decrefp) inspected = NULL;
	struct engine_exec_state state;
	int r;

	r = poll_until(engine, exec, pid_is_known, &state, &inspected, e);
	if (r < 0)
		return r;
	if (!state.running ||
	    signal_group(state.pid, json_get_text(inspected, "ContainerID"), signal))
		return 0;

	r = engine_exec_inspect(engine, exec, &state, e); /* or it ended just now */
	if (r < 0 || !state.running)
		return r;
	return err_set(e, ERR_UNIMPLEMENTED,
		       "can't signal exec '%s': its process %d is not on this machine, or not ours "
		       "to signal",
		       exec, state.pid);
}

static int collect(void *cookie, enum engine_stream stream, const void *bytes, size_t len,
		   struct err *e)
{
	struct engine_exec_result *result = cookie;
	struct buf *to = stream == ENGINE_STDERR ? &result->err : &result->out;

	buf_put(to, bytes, len);
	return buf_check(to, e);
}

static int demux_sink(void *demux, const void *bytes, size_t len, struct err *e)
{
	return engine_demux_feed(demux, bytes, len, e);
}

static int read_output(struct engine *engine, const char *exec, int64_t timeout_ms,
		       struct engine_exec_result *result, struct err *e)
{
	struct engine_demux demux = { .output = collect, .cookie = result };
	AUTO(struct request, request_done) req;
	int r;

	begin_start(&req, engine, exec, false);
	req.call.timeout_ms = timeout_ms;
	req.call.sink = demux_sink;
	req.call.sink_cookie = &demux;
	req.call.max_body = UINT64_MAX;
	r = request_run(&req, NULL, e);
	return r < 0 ? r : engine_demux_end(&demux, e);
}

static int wait_for_exit(struct engine *engine, const char *exec, int *ret_exit_code, struct err *e)
{
	struct engine_exec_state state;
	int r;

	r = poll_until(engine, exec, has_ended, &state, NULL, e);
	if (r < 0)
		return r;
	if (state.running)
		return err_set(e, ERR_TIMEOUT, "its output has ended, but it runs on");
	*ret_exit_code = state.exit_code;
	return 0;
}

static int run_to_end(struct engine *engine, const char *exec, int64_t timeout_ms,
		      struct engine_exec_result *result, struct err *e)
{
	int r = read_output(engine, exec, timeout_ms, result, e);

	if (r == 0)
		r = wait_for_exit(engine, exec, &result->exit_code, e);
	if (r < 0)
		engine_exec_kill(engine, exec, SIGKILL, NULL); /* as well as it can be done */
	return r;
}

int engine_exec_run(struct engine *engine, const char *container,
		    const struct engine_exec_options *options, int64_t timeout_ms,
		    struct engine_exec_result *ret_result, struct err *e)
{
	AUTO(char *, freep) exec = NULL;
	int r;

	r = engine_exec_create(engine, container, options, &exec, e);
	if (r < 0)
		return r;
	r = run_to_end(engine, exec, timeout_ms, ret_result, e);
	return r < 0 ? err_wrap(e, "run '%s' in container '%s'", options->argv[0], container) : 0;
}

void engine_exec_result_done(struct engine_exec_result *result)
{
	buf_done(&result->out);
	buf_done(&result->err);
}
