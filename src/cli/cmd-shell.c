/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "base/work.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "http/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

enum {
	PART_SIZE = 16 << 10,
	/* Said again and again: a program that is just changing its terminal's modes misses it. */
	END_OF_FILE = 0x04,
	END_OF_FILE_MS = 500,
};

/* --- our own terminal --------------------------------------------------------------------- */

/* What signal handlers know. */
static struct {
	struct termios usual;
	int wake; /* the window has another size */
} console;

static void on_resize(int number)
{
	int saved = errno;
	ssize_t n = write(console.wake, "", 1);

	(void)number;
	(void)n; /* full: somebody is on the way to look */
	errno = saved;
}

/* Whatever ends us leaves a terminal that echoes. */
static void on_end(int number)
{
	tcsetattr(STDIN_FILENO, TCSANOW, &console.usual);
	raise(number); /* by its default: SA_RESETHAND */
}

static void catch_signals(void)
{
	static const int ends[] = { SIGHUP,  SIGINT, SIGQUIT, SIGTERM, SIGABRT,
				    SIGSEGV, SIGBUS, SIGFPE,  SIGILL };
	const struct sigaction end = { .sa_handler = on_end, .sa_flags = (int)SA_RESETHAND };
	const struct sigaction resize = { .sa_handler = on_resize, .sa_flags = SA_RESTART };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		sigaction(ends[i], &end, NULL);
	sigaction(SIGWINCH, &resize, NULL);
}

/* Where standard input is no terminal there is nothing to change. */
static bool make_raw(void)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &console.usual) < 0)
		return false;
	raw = console.usual;
	cfmakeraw(&raw);
	catch_signals();
	tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	return true;
}

static struct winsize window_size(void)
{
	struct winsize size;

	if ((ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0 &&
	     ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0) ||
	    size.ws_col == 0 || size.ws_row == 0)
		return (struct winsize){ .ws_col = 80, .ws_row = 24 };
	return size;
}

/* --- both directions ---------------------------------------------------------------------- */

struct session {
	struct terminal *terminal;
	int wake[2]; /* something other than typing happened: the size, or the end */
	atomic_bool ended;
};

static int send_end(struct session *session, struct err *e)
{
	const char key = END_OF_FILE;

	return terminal_write(session->terminal, &key, 1, e);
}

/* 1: standard input has ended. */
static int send_typed(struct session *session, struct err *e)
{
	char part[PART_SIZE];
	ssize_t n = read(STDIN_FILENO, part, sizeof(part));
	int r;

	if (n < 0 && errno == EINTR)
		return 0;
	if (n > 0)
		return terminal_write(session->terminal, part, (size_t)n, e);
	r = send_end(session, e);
	return r < 0 ? r : 1;
}

static int send_size(struct session *session, struct err *e)
{
	struct winsize size = window_size();
	char bytes[64];

	if (read(session->wake[0], bytes, sizeof(bytes)) <= 0)
		return 0;
	return session->ended ? 0 : terminal_resize(session->terminal, size.ws_col, size.ws_row, e);
}

static int send_next(struct session *session, struct pollfd *wake, struct pollfd *typed,
		     struct err *e)
{
	int r = 0;

	if (wake->revents)
		r = send_size(session, e);
	if (r < 0 || session->ended || !typed->revents)
		return r;
	r = send_typed(session, e);
	if (r > 0)
		typed->fd = -1;
	return r < 0 ? r : 0;
}

static int send_all(struct session *session, struct err *e)
{
	struct pollfd fds[] = { { .fd = session->wake[0], .events = POLLIN },
				{ .fd = STDIN_FILENO, .events = POLLIN } };
	int r = 0;

	while (r == 0 && !session->ended) {
		bool has_input = fds[1].fd >= 0;
		int n = poll(fds, ARRAY_SIZE(fds), has_input ? -1 : END_OF_FILE_MS);

		if (n > 0)
			r = send_next(session, &fds[0], &fds[1], e);
		else if (n == 0)
			r = send_end(session, e);
		/* else a signal, which says more by the pipe */
	}
	return r;
}

static int write_out(const char *bytes, size_t len, struct err *e)
{
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, ERR_ABORTED, "write");
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int show_all(struct session *session, struct err *e)
{
	char part[PART_SIZE];
	size_t len;
	int r;

	for (;;) {
		r = terminal_read(session->terminal, part, sizeof(part), -1, &len, e);
		if (r < 0 || len == 0)
			return r;
		r = write_out(part, len, e);
		if (r < 0)
			return r;
	}
}

/* What it shows decides how it went: who can't type any more is told by its end. */
static int run_direction(void *cookie, size_t i, struct err *e)
{
	struct session *session = cookie;
	struct err lost = ERR_INIT;
	ssize_t n;
	int r;

	if (i == 0) {
		if (send_all(session, &lost) < 0)
			terminal_stop(session->terminal);
		return 0;
	}
	r = show_all(session, e);
	session->ended = true;
	n = write(session->wake[1], "", 1);
	(void)n; /* full: it wakes all the same */
	return r;
}

static int run_session(struct session *session, struct err *e)
{
	bool is_raw;
	int r;

	if (pipe2(session->wake, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_errno(e, ERR_INTERNAL, "make a pipe");
	console.wake = session->wake[1];
	is_raw = make_raw();
	r = work_each_always(2, 2, run_direction, session, e);
	if (is_raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &console.usual);
	signal(SIGWINCH, SIG_IGN);
	close(session->wake[0]);
	close(session->wake[1]);
	return r;
}

/* --- the command -------------------------------------------------------------------------- */

/* The one that is meant; several services want a name. Borrowed from the list. */
static int choose_container(const json_t *list, const char *service, const char **ret_id,
			    struct err *e)
{
	AUTO(struct buf, buf_done) names = BUF_INIT;
	const json_t *row;
	const char *found = NULL;
	size_t i, count = 0;

	json_array_foreach (list, i, row) {
		const char *name = text_of(row, "service");
		bool is_service = strcmp(text_of(row, "role"), "service") == 0;

		buf_printf(&names, "%s%s", names.len ? ", " : "", name);
		if (service ? strcmp(name, service) != 0 : !is_service)
			continue;
		found = found ? found : text_of(row, "container_id");
		count++;
	}
	if (service && !found)
		return err_set(e, ERR_NOT_FOUND, "it has no service '%s': it has %s", service,
			       names.data);
	if (!found)
		return err_set(e, ERR_NOT_FOUND, "nothing of it runs");
	if (!service && count > 1)
		return err_set(e, ERR_INVALID, "it has several services: name one of %s",
			       names.data);
	*ret_id = found;
	return 0;
}

static int find_container(struct cli *cli, json_t **ret_answer, const char **ret_id, struct err *e)
{
	AUTO(char *, freep) path =
		api_path(cli->api, "/admin/instances/%s/containers", cli->argv[0]);
	int r = api_get(cli->api, path, ret_answer, e);

	if (r == 0)
		r = choose_container(json_object_get(*ret_answer, "containers"),
				     cli->argc > 1 ? cli->argv[1] : NULL, ret_id, e);
	return r < 0 ? err_wrap(e, "instance '%s'", cli->argv[0]) : 0;
}

static int run_shell(struct cli *cli, struct err *e)
{
	AUTO(json_t *, json_decrefp) answer = NULL;
	AUTO(struct terminal *, terminal_closep) terminal = NULL;
	AUTO(char *, freep) path = NULL;
	struct winsize size = window_size();
	struct session session = { .ended = false };
	const char *id = NULL;
	char columns[8], rows[8];
	int r;

	r = find_container(cli, &answer, &id, e);
	if (r < 0)
		return r;
	snprintf(columns, sizeof(columns), "%u", size.ws_col);
	snprintf(rows, sizeof(rows), "%u", size.ws_row);
	path = api_path(cli->api, "/admin/instances/%s/containers/%s/shell?cols=%s&rows=%s",
			cli->argv[0], id, columns, rows);
	r = path ? api_open_terminal(cli->api, path, &terminal, e) : err_memory(e);
	if (r < 0)
		return r;
	session.terminal = terminal;
	r = run_session(&session, e);
	if (r < 0)
		return r;
	if (terminal_exit_code(terminal) == TERMINAL_NO_CODE)
		return err_set(e, ERR_ABORTED, "the container has ended");
	return terminal_exit_code(terminal);
}

const struct cli_command cmd_shell = {
	.name = "shell",
	.arguments = "INSTANCE [SERVICE]",
	.summary = "Open a shell in one of an instance's containers.",
	.details =
		"For organisers. SERVICE may be left out where there is one, and may be one of "
		"the\n"
		"node's own (ctfy-recorder). It exits with what the shell exits with. That it was\n"
		"opened, and by whom, is in the audit log.",
	.least = 1,
	.most = 2,
	.run = run_shell,
};
