/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node for trying challenges on: somebody's, or one that this process runs for as long as it is
 * open, with a state that is gone afterwards.
 */
#ifndef CLI_TEST_NODE_H
#define CLI_TEST_NODE_H

#include "node/main.h"

#include <ctfy/node_client.h>

#include <sys/types.h>

struct err;

struct test_node {
	struct ctfy_node_client *client;
	struct ctfy_rescan known; /* what it found in its folders when it was opened */
	/* Of our own: */
	struct node_daemon *daemon;
	struct node_options options;
	char **words; /* what the options point to */
	char state[sizeof("/tmp/ctfy-test-XXXXXX")];
	pid_t guard; /* a process that cleans up after us, however we end; 0: none */
	int leash;   /* it waits for the end of this */
};

#define TEST_NODE_INIT \
	{              \
		NULL   \
	}

/* Somebody's; it rescans its folders. Fails with CONNECT, also where the token is wrong. */
int test_node_connect(struct test_node *node, const char *url, const char *token,
		      const char *ca_file, struct err *e);

/* Runs one over a directory of challenges; argv[1..] are options for it, policy may be NULL. */
int test_node_run(struct test_node *node, const char *challenges, const char *policy, int argc,
		  char **argv, struct err *e);

/* After either, also one that failed. */
void test_node_close(struct test_node *node);

/* Why the node left a folder out of its challenges; NULL: it didn't. */
const char *test_node_refusal(const struct test_node *node, const char *dir);

#endif
