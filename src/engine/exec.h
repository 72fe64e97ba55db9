/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Further processes in a running container.
 *
 * A process outlives whoever was attached to it: end it with engine_exec_kill(). It ends with its
 * container.
 */
#ifndef ENGINE_EXEC_H
#define ENGINE_EXEC_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;
struct err;
struct http_tunnel;

struct engine_exec_options {
	const char *const *argv; /* NULL-terminated */
	const char *const *env;  /* "NAME=value", NULL-terminated; NULL: the container's only */
	const char *user;        /* "name", "uid:gid"; NULL: the container's */
	const char *workdir;     /* NULL: the container's */
	bool tty;
	bool stdin_open; /* input will be written */
};

/* ret_id is the caller's. Fails with NOT_FOUND or CONFLICT (the container doesn't run). */
int engine_exec_create(struct engine *engine, const char *container,
		       const struct engine_exec_options *options, char **ret_id, struct err *e);

/*
 * Starts it with a connection to its input and output: raw with a tty, else what is read wants
 * engine_demux_feed(), and http_tunnel_end_write() ends its input. A command that can't be run says
 * so in its output and exits with 126 or 127. Close the tunnel with http_tunnel_close().
 */
int engine_exec_attach(struct engine *engine, const char *exec, bool tty,
		       struct http_tunnel **ret_tunnel, struct err *e);

/* Sets the terminal's size. Only after engine_exec_attach(); the engine blocks otherwise. */
int engine_exec_resize(struct engine *engine, const char *exec, unsigned columns, unsigned rows,
		       struct err *e);

struct engine_exec_state {
	bool running;
	int exit_code; /* once it doesn't run */
	int pid;       /* as the engine's host sees it; 0: not known yet */
};

int engine_exec_inspect(struct engine *engine, const char *exec,
			struct engine_exec_state *ret_state, struct err *e);

/*
 * Signals the process and what it started (its process group) by its host pid, there being no such
 * call in the API: the engine must be on this machine and we in its pid namespace, else it fails
 * with UNIMPLEMENTED. Fine when it has ended.
 */
int engine_exec_kill(struct engine *engine, const char *exec, int signal, struct err *e);

struct engine_exec_result {
	int exit_code;
	struct buf out; /* keep to a limit with BUF_LIMITED(): more output fails with TOO_LARGE */
	struct buf err;
};

#define ENGINE_EXEC_RESULT_LIMITED(n)                        \
	{                                                    \
		.out = BUF_LIMITED(n), .err = BUF_LIMITED(n) \
	}

/*
 * Runs a command without tty or input to its end, or fails with TIMEOUT after timeout_ms (0: no
 * limit), the process then being killed where engine_exec_kill() can.
 */
int engine_exec_run(struct engine *engine, const char *container,
		    const struct engine_exec_options *options, int64_t timeout_ms,
		    struct engine_exec_result *ret_result, struct err *e);
void engine_exec_result_done(struct engine_exec_result *result);

#endif
