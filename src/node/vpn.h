/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VPN into an instance: a service named "openvpn", which makes its own keys at its first boot and
 * leaves the player's profile in /etc/openvpn/client.ovpn.
 *
 * A challenge has one in its compose file, of any image, or asks for ours by `vpn: true`.
 */
#ifndef NODE_VPN_H
#define NODE_VPN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { VPN_CONFIG_MAX = 1 << 20 };

/* Of an instance's VPN: the server's address and 61 clients'. */
enum { VPN_POOL_PREFIX = 26 };

struct buf;
struct compose;
struct err;
struct node;
struct plan;
struct plan_service;

/*
 * Adds the service where the plan asks for it and has none, and gives what it needs (a tunnel
 * device, the right to configure its own network, a published port) to one that runs our image.
 */
int vpn_plan(struct plan *plan, struct err *e);

/* Whether the plan has a VPN of whatever kind, once vpn_plan() has seen it. */
bool vpn_has_service(const struct plan *plan);

/*
 * Tells the service in its environment where players reach it, and which addresses they have in it,
 * which no other instance of the node gives out; ports as container_facts has them.
 */
void vpn_tell_address(const struct compose *compose, const struct plan_service *service,
		      const uint16_t *ports, json_t *body);

/*
 * The profile, byte for byte. Fails with NOT_FOUND (no such instance, or it has no such service),
 * UNAVAILABLE (still being made) or ENGINE (the service ended without making one).
 */
int vpn_config(struct node *node, const char *instance_id, struct buf *ret_config, struct err *e);

#endif
