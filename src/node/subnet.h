/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small subnets cut out of one address space.
 *
 * Docker's own pools end at about 30 networks, so the node gives every network an explicit subnet:
 * reserved before the network is made, released when it is verified gone. Safe for threads.
 */
#ifndef NODE_SUBNET_H
#define NODE_SUBNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct subnets;

enum { SUBNET_TEXT_SIZE = sizeof("255.255.255.255/32") };

/* 32 addresses: the bridge's, and 29 containers'. */
enum { SUBNET_PREFIX = 27 };

/* space: "10.176.0.0/12". Fails with INVALID. */
int subnets_new(const char *space, struct subnets **ret_subnets, struct err *e);
void subnets_free(struct subnets *subnets);

/* A free subnet of at least that prefix's size (0: SUBNET_PREFIX). Fails with UNAVAILABLE. */
int subnets_take(struct subnets *subnets, uint32_t prefix, char cidr[SUBNET_TEXT_SIZE],
		 struct err *e);
/* Marks one as in use: it was taken in an earlier life of the node. Others' subnets are ignored. */
void subnets_claim(struct subnets *subnets, const char *cidr);
void subnets_release(struct subnets *subnets, const char *cidr);
bool subnets_is_taken(struct subnets *subnets, const char *cidr);
size_t subnets_left(struct subnets *subnets);

/* Whether a network of the host's (address and mask in host byte order) shares addresses with ours.
 */
bool subnets_overlap(const struct subnets *subnets, uint32_t address, uint32_t mask);

/* The address that lies `offset` above the subnet's first: offset 1 is its gateway. */
void subnet_address(const char *cidr, uint32_t offset, char address[SUBNET_TEXT_SIZE]);

#endif
