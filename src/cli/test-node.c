/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/test-node.h"

#include "base/err.h"
#include "base/file.h"
#include "base/id.h"
#include "base/own.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

/*
 * Its addresses and ports are apart from what a node on this host has by default. Nobody but us is
 * to reach its instances, and there are too few of them to keep networks ready. The caller's own
 * words (argv[1..]) come last, and so win.
 */
static int make_options(struct test_node *node, const char *challenges, const char *policy,
			int argc, char **argv, struct err *e)
{
	const char *const ours[] = {
		/* clang-format off */
		"ctfy", "--listen", "127.0.0.1:0", "--bind", "127.0.0.1", "--ports", "30000-32767",
		"--subnets", "10.172.0.0/14", "--ready-networks", "0", "--challenges", challenges,
		"--state", node->state, "--policy", policy,
		/* clang-format on */
	};
	size_t count = policy ? ARRAY_SIZE(ours) : ARRAY_SIZE(ours) - 2;
	int rest, r;

	node->words = calloc(count + (size_t)argc, sizeof(*node->words));
	if (!node->words)
		return err_memory(e);
	memcpy(node->words, ours, count * sizeof(*ours));
	for (int i = 1; i < argc; i++)
		node->words[count++] = argv[i];
	r = options_parse(node_option_rows, &node->options, (int)count, node->words, &rest, e);
	if (r == 0 && rest > 0)
		return err_set(e, ERR_INVALID, "'%s' is not an option of ctfy node",
			       node->words[1]);
	return r;
}

int test_node_connect(struct test_node *node, const char *url, const char *token,
		      const char *ca_file, struct err *e)
{
	const struct ctfy_node_options options = { .ca_file = ca_file };
	struct ctfy_error error = CTFY_ERROR_INIT;

	if (ctfy_node_client_new(url, token, &options, &node->client, &error) == 0 &&
	    ctfy_node_rescan_challenges(node->client, &node->known, NULL, &error) == 0)
		return 0;
	err_set(e, ERR_CONNECT, "%s", error.detail ? error.detail : "out of memory");
	ctfy_error_done(&error);
	return -(int)ERR_CONNECT;
}

/* Its threads are made with the signals blocked that are for us: none of them is interrupted. */
static int start_daemon(struct test_node *node, const char *token, struct err *e)
{
	sigset_t signals, before;
	int r;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, &before);
	r = node_daemon_start(&node->options, token, &node->daemon, e);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

/* --- the guard ---------------------------------------------------------------------------- */

/* What comes through the leash until we have ended: the node's id, or nothing. */
static void hear_id(int leash, char id[ID_SIZE])
{
	size_t len = 0;
	ssize_t got;

	while ((got = read(leash, id + len, ID_SIZE - 1 - len)) != 0)
		if (got > 0)
			len += (size_t)got;
		else if (errno != EINTR)
			break;
	id[len] = '\0';
}

/* The kernel ends what a process had in no order that we know: the node may seem to run still. */
static int clean_up(const char *engine, const char *id)
{
	enum { PAUSE_MS = 100, ROUNDS = 100 };
	struct err e = ERR_INIT;
	int r = -(int)ERR_CONFLICT;

	for (int i = 0; i < ROUNDS && r == -ERR_CONFLICT; i++) {
		if (i > 0)
			nanosleep(&(struct timespec){ .tv_nsec = PAUSE_MS * 1000000L }, NULL);
		r = node_clean_up(engine, id, &e);
	}
	return r;
}

static noreturn void guard(const struct test_node *node, int leash)
{
	int nowhere = open("/dev/null", O_RDWR);
	char id[ID_SIZE];
	int r = 0;

	setsid(); /* what a terminal tells us is not for it */
	for (int fd = STDIN_FILENO; nowhere >= 0 && fd <= STDERR_FILENO; fd++)
		dup2(nowhere, fd);
	hear_id(leash, id);
	if (*id)
		r = clean_up(node->options.engine, id);
	tree_remove(node->state, NULL);
	_exit(r < 0);
}

/* To be called while the process has one thread: nobody's lock is left taken in the guard. */
static int post_guard(struct test_node *node, struct err *e)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno(e, ERR_INTERNAL, "make a pipe");
	node->guard = fork();
	if (node->guard == 0) {
		close(ends[1]);
		guard(node, ends[0]);
	}
	close(ends[0]);
	node->leash = ends[1];
	if (node->guard < 0) {
		node->guard = 0;
		close(ends[1]);
		return err_errno(e, ERR_INTERNAL, "start a process");
	}
	return 0;
}

static int tell_guard(const struct test_node *node, struct err *e)
{
	const char *id = node_daemon_id(node->daemon);

	return write(node->leash, id, strlen(id)) == (ssize_t)strlen(id)
		       ? 0
		       : err_errno(e, ERR_INTERNAL, "tell the guard");
}

static void dismiss_guard(const struct test_node *node)
{
	close(node->leash);
	while (waitpid(node->guard, NULL, 0) < 0 && errno == EINTR)
		continue;
}

/* ------------------------------------------------------------------------------------------ */

int test_node_run(struct test_node *node, const char *challenges, const char *policy, int argc,
		  char **argv, struct err *e)
{
	char token[SECRET_TOKEN_SIZE], url[64];
	int r;

	strcpy(node->state, "/tmp/ctfy-test-XXXXXX");
	if (!mkdtemp(node->state))
		return err_errno(e, ERR_INTERNAL, "make '%s'", node->state);
	r = make_options(node, challenges, policy, argc, argv, e);
	if (r == 0)
		r = post_guard(node, e);
	if (r < 0)
		return r;
	secret_token(token);
	r = start_daemon(node, token, e);
	if (r == 0)
		r = tell_guard(node, e);
	if (r < 0)
		return err_wrap(e, "run a node");
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", node_daemon_port(node->daemon));
	return test_node_connect(node, url, token, NULL, e);
}

void test_node_close(struct test_node *node)
{
	ctfy_rescan_done(&node->known);
	ctfy_node_client_free(node->client);
	node_daemon_free(node->daemon);
	if (node->guard)
		dismiss_guard(node);
	else if (*node->state)
		tree_remove(node->state, NULL);
	free(node->words);
}

const char *test_node_refusal(const struct test_node *node, const char *dir)
{
	for (size_t i = 0; i < node->known.error_count; i++)
		if (strcmp(node->known.errors[i].path, dir) == 0)
			return node->known.errors[i].detail;
	return NULL;
}
