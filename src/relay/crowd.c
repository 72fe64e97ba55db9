/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/crowd.h"

#include <search.h>
#include <stdlib.h>

static int by_address(const void *a, const void *b)
{
	in_addr_t left = ((const struct origin *)a)->address.s_addr;
	in_addr_t right = ((const struct origin *)b)->address.s_addr;

	return (left > right) - (left < right);
}

struct origin *crowd_enter(struct crowd *crowd, struct in_addr address)
{
	struct origin wanted = { .address = address };
	struct origin **found = tsearch(&wanted, &crowd->origins, by_address);

	if (!found)
		return NULL;
	if (*found == &wanted) { /* it is new: its place in the tree needs an object that stays */
		*found = calloc(1, sizeof(**found));
		if (!*found) {
			*found = &wanted;
			tdelete(&wanted, &crowd->origins, by_address);
			return NULL;
		}
		(*found)->address = address;
	}
	(*found)->count++;
	return *found;
}

void crowd_leave(struct crowd *crowd, struct origin *origin)
{
	if (--origin->count > 0)
		return;
	tdelete(origin, &crowd->origins, by_address);
	free(origin);
}

static void keep_larger(const void *node, VISIT visit, void *closure)
{
	struct origin *origin = *(struct origin *const *)node, **largest = closure;

	if (visit != preorder && visit != leaf)
		return;
	if (!*largest || origin->count > (*largest)->count)
		*largest = origin;
}

struct origin *crowd_largest(const struct crowd *crowd)
{
	struct origin *largest = NULL;

	twalk_r(crowd->origins, keep_larger, &largest);
	return largest;
}
