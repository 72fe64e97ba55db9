/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node daemon's life, for `ctfy node` and, beside the platform in one process, for `ctfy up`.
 */
#ifndef NODE_MAIN_H
#define NODE_MAIN_H

#include "node/options.h"

#include <ctfy/types.h>
#include <stdint.h>

struct err;
struct node_daemon;

/*
 * Opens the node, takes up what an earlier life left, and listens. token overrides the token file;
 * NULL: the file. options must outlive the daemon.
 */
int node_daemon_start(const struct node_options *options, const char *token,
		      struct node_daemon **ret_daemon, struct err *e);
uint16_t node_daemon_port(const struct node_daemon *daemon);
/* What its objects on the engine are labelled with, and node_clean_up() knows it by. */
const char *node_daemon_id(const struct node_daemon *daemon);
/* Stops every instance and removes what was kept ready: nothing of it stays on the engine. */
int node_daemon_clear(struct node_daemon *daemon, struct err *e);
/* Stops listening and waits for work in progress. Instances go on running. */
void node_daemon_free(struct node_daemon *daemon);

/* `ctfy node`: runs until SIGTERM or SIGINT. Returns the exit status. */
int node_main(int argc, char **argv);

/* `ctfy doctor`: what this host can hold. Returns the exit status: 1 when something is at fault. */
int node_doctor_main(int argc, char **argv);

/*
 * `ctfy clean`: says what nodes have on an engine, or removes that of those named, for when a node
 * goes for good or its state is lost. Returns the exit status.
 */
int node_clean_main(int argc, char **argv);

/* The same of one node, quietly. Fails with CONFLICT while it runs, or ENGINE. */
int node_clean_up(const char *engine_url, const char *node_id, struct err *e);

#endif
