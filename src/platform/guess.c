/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/guess.h"

#include "base/arena.h"
#include "base/err.h"
#include "platform/door.h"
#include "platform/limit.h"

/* An account's slips of the pen; a hall's, behind one address. */
static const struct rate of_account = { .burst = 10, .period_ms = 60 * 1000 };
static const struct rate of_address = { .burst = 200, .period_ms = 6 * 1000 };

/* NULL: nobody is logged in, or out of memory. */
static const char *account_key(struct http_req *req, const char *what)
{
	const struct principal *who = door_principal(req);

	return who && who->user_id
		       ? arena_printf(http_arena(req), "guess %s %s", what, who->user_id)
		       : NULL;
}

static const char *address_key(struct http_req *req, const char *what)
{
	return arena_printf(http_arena(req), "guess from %s %s", what, http_peer_key(req));
}

static int64_t take(struct limiter *limiter, const char *account, const char *address, int64_t now)
{
	int64_t wait = account ? limiter_take(limiter, account, &of_account, now) : 0;

	if (wait > 0)
		return wait;
	wait = limiter_take(limiter, address, &of_address, now);
	if (wait > 0 && account)
		limiter_return(limiter, account, &of_account);
	return wait;
}

int guess_take(struct platform *platform, struct http_req *req, struct http_res *res,
	       const char *what, struct err *e)
{
	const char *account = account_key(req, what), *address = address_key(req, what);
	int64_t wait;

	if (arena_failed(http_arena(req)))
		return err_memory(e);
	wait = take(platform->limiter, account, address, door_now(platform));
	if (wait == 0)
		return 0;
	http_set_retry_after(res, (unsigned)((wait + 999) / 1000));
	return err_set(e, ERR_RATE_LIMITED, "too many wrong ones: try again in %lld s",
		       (long long)((wait + 999) / 1000));
}

/* Without memory for the keys it stays counted. */
void guess_return(struct platform *platform, struct http_req *req, const char *what)
{
	const char *account = account_key(req, what), *address = address_key(req, what);

	if (account)
		limiter_return(platform->limiter, account, &of_account);
	if (address)
		limiter_return(platform->limiter, address, &of_address);
}
