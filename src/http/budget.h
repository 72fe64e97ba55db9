/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shares of what a server has once for all its clients: memory, files, streams.
 *
 * Of a budget an account may use an eighth; the accounts at one address a half together; whoever
 * has no account a quarter together, and a sixteenth from one address: three quarters are always
 * there for accounts. What a program of ours uses (authorized, but no account: a node's platform)
 * counts in all alone.
 */
#ifndef HTTP_BUDGET_H
#define HTTP_BUDGET_H

#include <stdatomic.h>
#include <stdint.h>

/* By a hash that nobody can foretell: two that meet in one share it. */
enum { BUDGET_SHARES = 4096 };

struct budget {
	uint64_t most; /* of all; 0 is no budget: nothing is refused */
	atomic_uint_fast64_t all, strangers;
	atomic_uint_fast64_t refused; /* times */
	atomic_uint_fast64_t shares[BUDGET_SHARES];
};

enum payer_kind {
	PAYER_OURS,
	PAYER_ACCOUNT,
	PAYER_STRANGER, /* has shown no account */
};

struct payer {
	enum payer_kind kind;
	unsigned account, address; /* which of the shares */
};

/* The seed is random; account is NULL but for PAYER_ACCOUNT. */
struct payer payer_of(uint64_t seed, enum payer_kind kind, const char *account,
		      const char *address);

enum budget_verdict {
	BUDGET_FITS,
	BUDGET_SHARE_USED, /* the payer's, or that of strangers */
	BUDGET_ALL_USED,
};

/* What one payer uses of one budget. Zeroed, it is of none, and may be ended. */
struct bill {
	struct budget *budget;
	struct payer payer;
	uint64_t amount;
};

/* Raises what is used to an amount; one that is used already fits. Nothing is used if it doesn't.
 */
enum budget_verdict bill_raise(struct bill *bill, uint64_t amount);
void bill_end(struct bill *bill);

#endif
