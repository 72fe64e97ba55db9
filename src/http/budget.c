/* SPDX-License-Identifier: Apache-2.0 */
#include "http/budget.h"

#include <stdbool.h>
#include <stddef.h>

/* One over this much of a budget, and at least one. */
enum {
	PART_OF_ACCOUNT = 8,
	PART_OF_ADDRESS = 2,
	PART_OF_STRANGERS = 4,
	PART_OF_STRANGER = 16,
};

/* FNV-1a; an account and an address of the same name are two. */
static unsigned share_of(uint64_t seed, char kind, const char *name)
{
	uint64_t hash = 14695981039346656037U ^ seed;

	hash = (hash ^ (unsigned char)kind) * 1099511628211U;
	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 1099511628211U;
	return (unsigned)((hash >> 32) % BUDGET_SHARES);
}

struct payer payer_of(uint64_t seed, enum payer_kind kind, const char *account, const char *address)
{
	struct payer payer = { .kind = kind };

	if (kind == PAYER_OURS)
		return payer;
	if (kind == PAYER_ACCOUNT)
		payer.account = share_of(seed, 'u', account);
	payer.address = share_of(seed, kind == PAYER_ACCOUNT ? 'a' : 's', address);
	return payer;
}

static bool take(atomic_uint_fast64_t *used, uint64_t amount, uint64_t most, unsigned part)
{
	uint64_t limit = most / part ? most / part : 1;

	if (atomic_fetch_add(used, amount) + amount <= limit)
		return true;
	atomic_fetch_sub(used, amount);
	return false;
}

/* What counts against a payer besides the whole: one, or two. */
struct limits {
	atomic_uint_fast64_t *used[2];
	unsigned part[2];
	unsigned count;
};

static struct limits limits_of(struct budget *budget, const struct payer *payer)
{
	if (payer->kind == PAYER_ACCOUNT)
		return (struct limits){ { &budget->shares[payer->account],
					  &budget->shares[payer->address] },
					{ PART_OF_ACCOUNT, PART_OF_ADDRESS },
					2 };
	if (payer->kind == PAYER_STRANGER)
		return (struct limits){ { &budget->shares[payer->address], &budget->strangers },
					{ PART_OF_STRANGER, PART_OF_STRANGERS },
					2 };
	return (struct limits){ .count = 0 };
}

static void give_back(const struct limits *limits, unsigned count, uint64_t amount)
{
	for (unsigned i = 0; i < count; i++)
		atomic_fetch_sub(limits->used[i], amount);
}

static enum budget_verdict use(struct budget *budget, const struct payer *payer, uint64_t amount)
{
	struct limits limits = limits_of(budget, payer);

	for (unsigned i = 0; i < limits.count; i++)
		if (!take(limits.used[i], amount, budget->most, limits.part[i])) {
			give_back(&limits, i, amount);
			return BUDGET_SHARE_USED;
		}
	if (take(&budget->all, amount, budget->most, 1))
		return BUDGET_FITS;
	give_back(&limits, limits.count, amount);
	return BUDGET_ALL_USED;
}

enum budget_verdict bill_raise(struct bill *bill, uint64_t amount)
{
	enum budget_verdict verdict;

	if (amount <= bill->amount || !bill->budget || bill->budget->most == 0)
		return BUDGET_FITS;
	verdict = use(bill->budget, &bill->payer, amount - bill->amount);
	if (verdict == BUDGET_FITS)
		bill->amount = amount;
	else
		atomic_fetch_add(&bill->budget->refused, 1);
	return verdict;
}

void bill_end(struct bill *bill)
{
	if (bill->amount > 0) {
		struct limits limits = limits_of(bill->budget, &bill->payer);

		give_back(&limits, limits.count, bill->amount);
		atomic_fetch_sub(&bill->budget->all, bill->amount);
	}
	bill->amount = 0;
}
