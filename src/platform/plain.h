/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What players are told of what went wrong: one plain sentence.
 *
 * A node's own words are for organisers: they hold what a build or a service printed, which may
 * tell how a challenge is solved, and name paths of its host. Players get none of them, organisers
 * all.
 */
#ifndef PLATFORM_PLAIN_H
#define PLATFORM_PLAIN_H

struct ctfy_error;
struct ctfy_health;
struct err;
struct node;

/* Of a start that failed by this status of a node's answer; 0: it failed later. */
const char *plain_start(int status);

/* In place of what a node tells of its services. */
void plain_health(struct ctfy_health *health);

/* As nodes_failed(), but words of which only organisers make sense go to the log. */
int plain_failure(const struct node *node, struct ctfy_error *error, struct err *e);

/*
 * A failure of the platform's own, whose words are of its files, its database or other servers:
 * they go to the log, and what is told names the request there. Any other failure stays as it is.
 */
void plain_error(const char *request_id, struct err *e);

#endif
