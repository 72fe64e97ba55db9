/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Top-level networks, planned as services come to use them.
 */
#ifndef CHALLENGE_NETWORK_H
#define CHALLENGE_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

struct planner;
struct service;
struct yaml_node;

/* The plan has the network from now on. False: there is none of that name; told at `at`. */
bool network_use(struct planner *p, const char *name, const struct yaml_node *at, const char *key);

/* Of one that the plan has. */
bool network_is_internal(struct planner *p, const char *name);

/* Where a fixed address lies in its network's subnet, which then is made to hold it. 0: nowhere. */
uint32_t network_offset(struct service *s, const char *name, const struct yaml_node *value);

#endif
