/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host ports to publish on: allocated by the node, so that no two instances ask for one.
 *
 * A port that something else on the host listens on is passed over. Safe for threads.
 */
#ifndef NODE_PORT_H
#define NODE_PORT_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct ports;

/* range: "20000-29999", published on the host address `bind`. Fails with INVALID. */
int ports_new(const char *range, const char *bind, struct ports **ret_ports, struct err *e);
void ports_free(struct ports *ports);

/* A free port, for TCP and UDP alike. Fails with UNAVAILABLE. */
int ports_take(struct ports *ports, uint16_t *ret_port, struct err *e);
void ports_claim(struct ports *ports, uint16_t port); /* taken in an earlier life of the node */
void ports_release(struct ports *ports, uint16_t port);
size_t ports_left(struct ports *ports);

#endif
