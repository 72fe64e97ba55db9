/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "engine/image.h"
#include "engine/messages.h"
#include "engine/progress.h"
#include "engine/reference.h"
#include "engine/request.h"

#include <sodium.h>
#include <string.h>

static int take_message(void *cookie, const json_t *message, struct err *e)
{
	const struct engine_pull *pull = cookie;
	int r = progress_check(message, e);

	return r < 0 ? r : progress_tell(pull->progress, pull->cookie, message, e);
}

/* URL-safe base64 of the credentials' JSON; NULL: out of memory. */
static char *encode_credentials(const struct engine_credentials *credentials, const char *registry)
{
	AUTO(json_t *, json_decrefp)
	json = json_make("{s:s, s:s, s:s}", "username", credentials->username, "password",
			 credentials->password, "serveraddress",
			 credentials->server ? credentials->server : registry);
	AUTO(char *, freep) text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	AUTO(char *, freep) base64 = NULL;
	size_t len, size;

	if (!text)
		return NULL;
	len = strlen(text);
	size = sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_URLSAFE);
	base64 = malloc(size);
	if (!base64)
		return NULL;
	return strf("X-Registry-Auth: %s",
		    sodium_bin2base64(base64, size, (const unsigned char *)text, len,
				      sodium_base64_VARIANT_URLSAFE));
}

static int run_pull(struct engine *engine, const struct engine_pull *pull, struct err *e)
{
	AUTO(struct reference, reference_done) reference = { 0 };
	AUTO(struct request, request_done) req = { 0 };
	int r;

	r = reference_parse(pull->reference, &reference, e);
	if (r < 0)
		return r;
	request_begin(&req, engine, "POST", "/images/create");
	request_query(&req, "fromImage", reference.name);
	request_query(&req, "tag", reference.tag); /* without one, the engine pulls all of them */
	request_query(&req, "platform", pull->platform);
	if (pull->credentials) {
		req.header = encode_credentials(pull->credentials, reference.registry);
		req.out_of_memory = !req.header;
	}
	req.call.timeout_ms = pull->timeout_ms;
	req.call.cancelled = pull->cancelled;
	return request_run_messages(&req, take_message, (void *)(uintptr_t)pull, e);
}

int engine_image_pull(struct engine *engine, const struct engine_pull *pull, struct err *e)
{
	int r = run_pull(engine, pull, e);

	return r < 0 ? err_wrap(e, "pull image '%s'", pull->reference) : 0;
}
