/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/relay.h"

#include "base/buf.h"
#include "base/err.h"
#include "http/call.h"
#include "http/serve.h"
#include "platform/node.h"
#include "platform/plain.h"

void relay_name(struct http_res *res, const char *filename)
{
	struct buf value = BUF_INIT;

	buf_puts(&value, "attachment; filename*=UTF-8''");
	http_escape(&value, filename);
	if (!buf_failed(&value))
		http_set_header(res, "Content-Disposition", value.data);
	buf_done(&value);
}

static int begin(struct relay *relay)
{
	if (relay->begun)
		return 0;
	relay->begun = true;
	if (relay->filename)
		relay_name(relay->res, relay->filename);
	relay->failure = http_begin(relay->res, 200, relay->type, relay->e);
	return relay->failure;
}

int relay_begin(struct relay *relay)
{
	return relay->may_be_empty ? begin(relay) : 0;
}

int relay_write(struct relay *relay, const void *bytes, size_t size)
{
	int r = begin(relay);

	if (r == 0 && size > 0)
		r = relay->failure = http_write(relay->res, bytes, size, relay->e);
	return r;
}

static int sink_begin(void *cookie, const char *content_type, int64_t size)
{
	(void)content_type;
	(void)size;
	return relay_begin(cookie);
}

static int sink_write(void *cookie, const void *bytes, size_t size)
{
	return relay_write(cookie, bytes, size);
}

struct ctfy_sink relay_sink(struct relay *relay)
{
	return (struct ctfy_sink){ sink_begin, sink_write, relay };
}

int relay_end(struct relay *relay, const struct node *node, int r, struct ctfy_error *error)
{
	if (relay->failure < 0) {
		ctfy_error_done(error);
		return relay->failure;
	}
	if (r < 0)
		return relay->plain ? plain_failure(node, error, relay->e)
				    : nodes_failed(node, error, relay->e);
	if (!relay->begun)
		return err_set(relay->e, ERR_NOT_FOUND, "nothing was recorded of it");
	return 0;
}
