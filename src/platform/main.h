/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A platform daemon's life, for `ctfy platform` and, beside a node in one process, for `ctfy up`.
 */
#ifndef PLATFORM_MAIN_H
#define PLATFORM_MAIN_H

#include "platform/options.h"

#include <stddef.h>
#include <stdint.h>

struct err;
struct events;
struct platform_daemon;

/*
 * Opens the store; at the first start also makes the first admin, see first-boot.h. Nothing is
 * called and nothing answers yet. options must outlive the daemon.
 */
int platform_daemon_new(const struct platform_options *options, struct platform_daemon **ret_daemon,
			struct err *e);

/* A node whose token both sides have already: the one in our own process. */
int platform_daemon_add_node(struct platform_daemon *daemon, const char *name, const char *url,
			     const char *token, struct err *e);

struct events *platform_daemon_events(const struct platform_daemon *daemon);

/* Begins the heartbeats, takes up what an earlier life left, and listens. */
int platform_daemon_listen(struct platform_daemon *daemon, struct err *e);
uint16_t platform_daemon_port(const struct platform_daemon *daemon);

/* Stops every instance and waits, at most so long; ret_left tells how many are not stopped yet. */
int platform_daemon_stop_all(struct platform_daemon *daemon, int64_t timeout_ms, size_t *ret_left,
			     struct err *e);

/* Stops listening and waits for work in progress. Instances go on running. */
void platform_daemon_free(struct platform_daemon *daemon);

/* `ctfy backup` and `ctfy restore`. Return the exit status. */
int platform_backup_main(int argc, char **argv);
int platform_restore_main(int argc, char **argv);

/* `ctfy platform`: runs until SIGTERM or SIGINT. Returns the exit status. */
int platform_main(int argc, char **argv);

#endif
