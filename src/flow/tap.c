#include "flow/tap.h"

#include "base/own.h"
#include "flow/flow.h"
#include "flow/lines.h"

#include <string.h>

struct tap {
	struct flow_peers peers;
	struct flow *raw;
	bool is_lost; /* its flow is not recorded */
	const char *error;
};

static char *copy(struct pool *pool, const char *text)
{
	size_t size = text ? strlen(text) + 1 : 1;
	char *block = pool_new(pool, size);

	if (block && text)
		memcpy(block, text, size);
	return block;
}

static void tap_free(struct tap *tap)
{
	struct pool *pool = lines_pool(tap->peers.writer);

	pool_free(pool, tap->peers.client);
	pool_free(pool, tap->peers.server);
	pool_free(pool, tap->peers.via);
	pool_free(pool, tap->peers.authority);
	pool_free(pool, tap);
}

struct tap *tap_open(struct flow_writer *writer, const struct tap_peers *peers, int64_t at_us)
{
	struct pool *pool = lines_pool(writer);
	struct tap *tap = pool_new(pool, sizeof(*tap));

	(void)at_us;
	if (!tap) {
		lines_lose_flow(writer);
		return NULL;
	}
	tap->peers.writer = writer;
	lines_id(writer, tap->peers.id);
	tap->peers.client = copy(pool, peers->client);
	tap->peers.server = copy(pool, peers->server);
	tap->peers.via = copy(pool, peers->via);
	tap->peers.authority = copy(pool, peers->authority);
	if (tap->peers.client && tap->peers.server && tap->peers.via && tap->peers.authority)
		return tap;
	tap_free(tap);
	lines_lose_flow(writer);
	return NULL;
}

static struct flow *raw_flow(struct tap *tap, int64_t at_us)
{
	if (!tap->raw && !tap->is_lost) {
		tap->raw = flow_new(&tap->peers, FLOW_RAW, at_us);
		tap->is_lost = !tap->raw;
	}
	return tap->raw;
}

void tap_bytes(struct tap *tap, enum tap_side side, const void *bytes, size_t len, int64_t at_us)
{
	if (!tap || len == 0 || !raw_flow(tap, at_us))
		return;
	flow_raw_put(tap->raw, side, bytes, len, at_us);
	flow_settle(tap->raw, at_us);
}

uint64_t tap_skippable(const struct tap *tap, enum tap_side side)
{
	if (!tap || tap->is_lost)
		return UINT64_MAX;
	return tap->raw && flow_body_is_skippable(tap->raw, side) ? UINT64_MAX : 0;
}

void tap_skip(struct tap *tap, enum tap_side side, uint64_t len, int64_t at_us)
{
	uint64_t skippable = tap_skippable(tap, side);

	if (!tap || len == 0 || !raw_flow(tap, at_us))
		return;
	if (len > skippable)
		tap->raw->lost += len - skippable;
	flow_body_skip(tap->raw, side, len);
	flow_settle(tap->raw, at_us);
}

void tap_end(struct tap *tap, enum tap_side side, enum tap_how how, int64_t at_us)
{
	(void)side;
	(void)at_us;
	if (tap && how == TAP_RESET)
		tap->error = side == TAP_CLIENT ? "the client reset the connection"
						: "the service reset the connection";
}

void tap_fail(struct tap *tap, const char *error, int64_t at_us)
{
	if (tap && raw_flow(tap, at_us))
		flow_say(tap->raw, "failure", error);
}

void tap_tick(struct tap *tap, int64_t at_us)
{
	if (tap && tap->raw)
		flow_settle(tap->raw, at_us);
}

void tap_close(struct tap *tap, int64_t at_us)
{
	if (!tap)
		return;
	if (tap->raw)
		flow_end(tap->raw, tap->error, at_us);
	tap_free(tap);
}
