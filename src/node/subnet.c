/* SPDX-License-Identifier: Apache-2.0 */
#include "node/subnet.h"

#include "base/err.h"
#include "base/own.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct subnets {
	pthread_mutex_t lock;
	char space[SUBNET_TEXT_SIZE];
	uint32_t first; /* address, host byte order */
	uint32_t count; /* units of SUBNET_PREFIX */
	uint32_t next;  /* where the search goes on: a freed subnet rests before its next use */
	uint32_t in_use;
	bool taken[];
};

static bool parse_cidr(const char *cidr, uint32_t *ret_first, uint32_t *ret_prefix)
{
	char address[INET_ADDRSTRLEN];
	struct in_addr in;
	unsigned prefix;
	int used = 0;

	if (sscanf(cidr, "%15[0-9.]/%2u%n", address, &prefix, &used) != 2 || cidr[used] ||
	    prefix < 1 || prefix > 32 || inet_pton(AF_INET, address, &in) != 1)
		return false;
	*ret_first = ntohl(in.s_addr) & (UINT32_MAX << (32 - prefix));
	*ret_prefix = prefix;
	return true;
}

static void format_address(uint32_t address, char *text)
{
	struct in_addr in = { htonl(address) };

	inet_ntop(AF_INET, &in, text, SUBNET_TEXT_SIZE);
}

int subnets_new(const char *space, struct subnets **ret_subnets, struct err *e)
{
	struct subnets *subnets;
	uint32_t first, prefix;

	if (!parse_cidr(space, &first, &prefix) || prefix < 8 || prefix > SUBNET_PREFIX)
		return err_set(
			e, ERR_INVALID,
			"'%s' is not an address space such as 10.176.0.0/12 (prefix 8 to %d)",
			space, SUBNET_PREFIX);
	subnets = calloc(1, sizeof(*subnets) + ((size_t)1 << (SUBNET_PREFIX - prefix)));
	if (!subnets)
		return err_memory(e);
	pthread_mutex_init(&subnets->lock, NULL);
	snprintf(subnets->space, sizeof(subnets->space), "%s", space);
	subnets->first = first;
	subnets->count = UINT32_C(1) << (SUBNET_PREFIX - prefix);
	*ret_subnets = subnets;
	return 0;
}

void subnets_free(struct subnets *subnets)
{
	if (!subnets)
		return;
	pthread_mutex_destroy(&subnets->lock);
	free(subnets);
}

static bool is_free(const struct subnets *subnets, uint32_t at, uint32_t units)
{
	for (uint32_t i = 0; i < units; i++)
		if (subnets->taken[at + i])
			return false;
	return true;
}

static void mark(struct subnets *subnets, uint32_t at, uint32_t units, bool taken)
{
	for (uint32_t i = 0; i < units; i++) {
		if (subnets->taken[at + i] != taken)
			subnets->in_use += taken ? 1 : UINT32_MAX;
		subnets->taken[at + i] = taken;
	}
}

int subnets_take(struct subnets *subnets, uint32_t prefix, char cidr[SUBNET_TEXT_SIZE],
		 struct err *e)
{
	char address[SUBNET_TEXT_SIZE];
	uint32_t units, at = 0, tries;
	bool found = false;

	if (prefix == 0 || prefix > SUBNET_PREFIX)
		prefix = SUBNET_PREFIX;
	units = UINT32_C(1) << (SUBNET_PREFIX - prefix);

	pthread_mutex_lock(&subnets->lock);
	for (tries = 0; tries < subnets->count / units && !found; tries++) {
		at = (subnets->next / units + tries) % (subnets->count / units) * units;
		found = is_free(subnets, at, units);
	}
	if (found) {
		mark(subnets, at, units, true);
		subnets->next = (at + units) % subnets->count;
	}
	pthread_mutex_unlock(&subnets->lock);
	if (!found)
		return err_set(e, ERR_UNAVAILABLE, "no subnet of /%u is free in %s", prefix,
			       subnets->space);
	format_address(subnets->first + (at << (32 - SUBNET_PREFIX)), address);
	snprintf(cidr, SUBNET_TEXT_SIZE, "%.15s/%u", address, prefix % 33);
	return 0;
}

/* The units of a subnet of ours; false: it is none. */
static bool find_units(const struct subnets *subnets, const char *cidr, uint32_t *ret_at,
		       uint32_t *ret_units)
{
	uint32_t first, prefix;

	if (!parse_cidr(cidr, &first, &prefix) || prefix > SUBNET_PREFIX || first < subnets->first)
		return false;
	*ret_at = (first - subnets->first) >> (32 - SUBNET_PREFIX);
	*ret_units = UINT32_C(1) << (SUBNET_PREFIX - prefix);
	return *ret_at < subnets->count && *ret_units <= subnets->count - *ret_at;
}

static void mark_cidr(struct subnets *subnets, const char *cidr, bool taken)
{
	uint32_t at, units;

	if (!find_units(subnets, cidr, &at, &units))
		return;
	pthread_mutex_lock(&subnets->lock);
	mark(subnets, at, units, taken);
	pthread_mutex_unlock(&subnets->lock);
}

bool subnets_is_taken(struct subnets *subnets, const char *cidr)
{
	uint32_t at, units;
	bool taken;

	if (!find_units(subnets, cidr, &at, &units))
		return false;
	pthread_mutex_lock(&subnets->lock);
	taken = !is_free(subnets, at, units);
	pthread_mutex_unlock(&subnets->lock);
	return taken;
}

void subnets_claim(struct subnets *subnets, const char *cidr)
{
	mark_cidr(subnets, cidr, true);
}

void subnets_release(struct subnets *subnets, const char *cidr)
{
	mark_cidr(subnets, cidr, false);
}

size_t subnets_left(struct subnets *subnets)
{
	size_t left;

	pthread_mutex_lock(&subnets->lock);
	left = subnets->count - subnets->in_use;
	pthread_mutex_unlock(&subnets->lock);
	return left;
}

bool subnets_overlap(const struct subnets *subnets, uint32_t address, uint32_t mask)
{
	uint32_t first = address & mask, last = first | ~mask;
	uint32_t our_last = subnets->first + (subnets->count << (32 - SUBNET_PREFIX)) - 1;

	return first <= our_last && last >= subnets->first;
}

void subnet_address(const char *cidr, uint32_t offset, char address[SUBNET_TEXT_SIZE])
{
	uint32_t first = 0, prefix;

	parse_cidr(cidr, &first, &prefix);
	format_address(first + offset, address);
}
