/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/stock.h"

#include <stdlib.h>
#include <string.h>

static bool add(struct stock *stock, const struct ctfy_image_rows *rows, const char *warm)
{
	for (size_t i = 0; i < rows->row_count; i++) {
		const struct ctfy_image_row *row = &rows->rows[i];
		struct stock_item *item = &stock->items[stock->count];

		*item = (struct stock_item){
			.challenge_id = strdup(row->challenge_id),
			.warm = row->status && strcmp(row->status, warm) == 0,
			.memory = row->memory,
			.nano_cpus = row->nano_cpus,
		};
		if (!item->challenge_id)
			return false;
		stock->count++;
	}
	return true;
}

static int by_challenge(const void *a, const void *b)
{
	const struct stock_item *left = a, *right = b;

	return strcmp(left->challenge_id, right->challenge_id);
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Of a challenge's build and its pull makes one item. */
static void join_equal(struct stock *stock)
{
	size_t kept = 0;

	for (size_t i = 0; i < stock->count; i++) {
		struct stock_item *item = &stock->items[i];
		struct stock_item *before = kept ? &stock->items[kept - 1] : NULL;

		if (!before || strcmp(before->challenge_id, item->challenge_id) != 0) {
			stock->items[kept++] = *item;
			continue;
		}
		before->warm |= item->warm;
		before->memory = larger(before->memory, item->memory);
		before->nano_cpus = larger(before->nano_cpus, item->nano_cpus);
		free(item->challenge_id);
	}
	stock->count = kept;
}

bool stock_read(const struct ctfy_image_rows *builds, const struct ctfy_image_rows *pulls,
		struct stock *ret_stock)
{
	struct stock stock = { .items = calloc(builds->row_count + pulls->row_count + 1,
					       sizeof(*stock.items)) };

	if (!stock.items || !add(&stock, builds, "built") || !add(&stock, pulls, "pulled")) {
		stock_done(&stock);
		return false;
	}
	qsort(stock.items, stock.count, sizeof(*stock.items), by_challenge);
	join_equal(&stock);
	*ret_stock = stock;
	return true;
}

void stock_done(struct stock *stock)
{
	for (size_t i = 0; i < stock->count; i++)
		free(stock->items[i].challenge_id);
	free(stock->items);
	*stock = (struct stock){ .items = NULL };
}

static int compare(const void *challenge_id, const void *item)
{
	return strcmp(challenge_id, ((const struct stock_item *)item)->challenge_id);
}

const struct stock_item *stock_find(const struct stock *stock, const char *challenge_id)
{
	if (!stock->items)
		return NULL;
	return bsearch(challenge_id, stock->items, stock->count, sizeof(*stock->items), compare);
}
