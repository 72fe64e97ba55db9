/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a node says of challenges: whose images it has, and how much an instance of each is promised
 * there. One that says nothing of a challenge has it cold, at no known size.
 */
#ifndef PLATFORM_STOCK_H
#define PLATFORM_STOCK_H

#include <ctfy/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stock_item {
	char *challenge_id;
	bool warm;
	int64_t memory;    /* bytes; 0: not known */
	int64_t nano_cpus; /* 1e9 is one processor */
};

struct stock {
	struct stock_item *items; /* by challenge_id */
	size_t count;
};

/* False when out of memory. */
bool stock_read(const struct ctfy_image_rows *builds, const struct ctfy_image_rows *pulls,
		struct stock *ret_stock);
void stock_done(struct stock *stock);

/* NULL: nothing was said of it. */
const struct stock_item *stock_find(const struct stock *stock, const char *challenge_id);

#endif
