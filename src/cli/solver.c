/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/solver.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

/* How long a cancellation may go unnoticed that arrived just before poll(). */
enum { GLANCE_MS = 500 };

struct run {
	pid_t pid;
	int exited; /* a pidfd */
	int found, words;
	int status;
};

/* --- starting ----------------------------------------------------------------------------- */

/* Ours and where the attachments are. The entries are borrowed, but for the last. */
static char **make_environment(const char *attachments)
{
	static const char name[] = "CTFY_ATTACHMENTS=";
	size_t count = 0, kept = 0;
	char **variables;

	while (environ[count])
		count++;
	variables = calloc(count + 2, sizeof(*variables));
	for (size_t i = 0; variables && i < count; i++)
		if (strncmp(environ[i], name, sizeof(name) - 1) != 0)
			variables[kept++] = environ[i];
	if (variables)
		variables[kept] = strf("%s%s", name, attachments);
	if (!variables || !variables[kept]) {
		free(variables);
		return NULL;
	}
	return variables;
}

static void environment_free(char **variables)
{
	char **last = variables;

	while (last[1])
		last++;
	free(*last);
	free(variables);
}

/* A group of its own, so that whatever it starts ends with it; and signals as a shell gives them.
 */
static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, usual;

	sigemptyset(&none);
	sigemptyset(&usual);
	sigaddset(&usual, SIGINT);
	sigaddset(&usual, SIGTERM);
	sigaddset(&usual, SIGPIPE);
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setsigdefault(attributes, &usual);
	posix_spawnattr_setpgroup(attributes, 0);
	return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
							    POSIX_SPAWN_SETSIGDEF);
}

static int spawn(const struct solver *solver, char **argv, char **variables, int out, int err,
		 pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error;

	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addchdir_np(&actions, solver->dir);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
	error = set_attributes(&attributes);
	if (error == 0)
		error = posix_spawn(ret_pid, solver->program, &actions, &attributes, argv,
				    variables);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return error;
}

static char **make_arguments(const struct solver *solver)
{
	const char **argv = calloc(solver->endpoint_count + 2, sizeof(*argv));

	if (!argv)
		return NULL;
	argv[0] = solver->program;
	if (solver->endpoint_count)
		memcpy(&argv[1], solver->endpoints, solver->endpoint_count * sizeof(*argv));
	return (char **)(uintptr_t)argv;
}

/* Only what we read does not block: the other ends are the solver's. */
static int open_pipe(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	return fcntl(ends[0], F_SETFL, O_NONBLOCK);
}

static int begin(const struct solver *solver, struct run *run, struct err *e)
{
	AUTO(char **, freep) argv = make_arguments(solver);
	char **variables = make_environment(solver->attachments);
	int found[2] = { -1, -1 }, words[2] = { -1, -1 };
	int error = ENOMEM;

	if (argv && variables)
		error = open_pipe(found) < 0 || open_pipe(words) < 0
				? errno
				: spawn(solver, argv, variables, found[1], words[1], &run->pid);
	if (variables)
		environment_free(variables);
	closep(&found[1]);
	closep(&words[1]);
	run->found = found[0];
	run->words = words[0];
	if (error == 0) {
		run->exited = pidfd_open(run->pid, 0);
		return run->exited < 0 ? err_errno(e, ERR_INTERNAL, "watch the solver") : 0;
	}
	errno = error;
	return err_errno(e, ERR_INVALID, "run '%s'", solver->program);
}

/* --- until it ends ------------------------------------------------------------------------ */

/* What is there to read; closes at its end. */
static void drain(int *fd, struct buf *into)
{
	char piece[8192];
	ssize_t len;

	while (*fd >= 0) {
		len = read(*fd, piece, sizeof(piece));
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return;
		buf_put(into, piece, (size_t)len);
		if (len == 0) {
			close(*fd);
			*fd = -1;
		}
	}
}

static void keep_end(struct buf *words)
{
	size_t over = words->len > SOLVER_WORDS_MAX ? words->len - SOLVER_WORDS_MAX : 0;

	if (!over)
		return;
	memmove(words->data, words->data + over, words->len - over + 1);
	words->len -= over;
}

static int attend(struct run *run, int64_t timeout_ms, const volatile sig_atomic_t *cancelled,
		  struct buf *found, struct buf *words, struct err *e)
{
	int64_t deadline = clock_monotonic_ms() + timeout_ms;

	for (;;) {
		struct pollfd fds[] = { { .fd = run->exited, .events = POLLIN },
					{ .fd = run->found, .events = POLLIN },
					{ .fd = run->words, .events = POLLIN } };
		int64_t left = deadline - clock_monotonic_ms();

		if (*cancelled)
			return err_set(e, ERR_ABORTED, "interrupted");
		if (left <= 0)
			return err_set(e, ERR_TIMEOUT, "the solver did not end within %lld s",
				       (long long)timeout_ms / 1000);
		if (poll(fds, ARRAY_SIZE(fds), left < GLANCE_MS ? (int)left : GLANCE_MS) < 0)
			continue; /* a signal: the flag tells */
		drain(&run->found, found);
		drain(&run->words, words);
		keep_end(words);
		if (found->over_limit)
			return err_set(e, ERR_TOO_LARGE, "the solver wrote more than %d bytes",
				       SOLVER_OUTPUT_MAX);
		if (fds[0].revents)
			return 0;
	}
}

/* Its group goes before it is waited for: until then nobody else can have the number. */
static void end(struct run *run)
{
	if (run->pid > 0) {
		kill(-run->pid, SIGKILL);
		while (waitpid(run->pid, &run->status, 0) < 0 && errno == EINTR)
			continue;
	}
	closep(&run->exited);
	closep(&run->found);
	closep(&run->words);
}

static int judge_end(const struct run *run, struct err *e)
{
	if (WIFSIGNALED(run->status))
		return err_set(e, ERR_INVALID, "the solver was ended by signal %d",
			       WTERMSIG(run->status));
	if (WEXITSTATUS(run->status) != 0)
		return err_set(e, ERR_INVALID, "the solver exited with %d",
			       WEXITSTATUS(run->status));
	return 0;
}

int solver_run(const struct solver *solver, const volatile sig_atomic_t *cancelled,
	       struct buf *ret_found, struct buf *ret_words, struct err *e)
{
	struct run run = { .exited = -1 };
	int r;

	*ret_found = (struct buf)BUF_LIMITED(SOLVER_OUTPUT_MAX);
	*ret_words = (struct buf)BUF_INIT;
	r = begin(solver, &run, e);
	if (r == 0)
		r = attend(&run, solver->timeout_ms, cancelled, ret_found, ret_words, e);
	end(&run);
	return r == 0 ? judge_end(&run, e) : r;
}
