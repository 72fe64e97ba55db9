/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/plain.h"

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "platform/node.h"

#include <ctfy/node_client.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

const char *plain_start(int status)
{
	return status == 503 ? "there is no room for it now: try again in a while"
			     : "it could not be started; the organisers can see why";
}

static const char *complaint(const struct ctfy_service *service)
{
	static const struct {
		const char *state, *words;
	} states[] = { { "exited", "it has ended" },
		       { "dead", "it has ended" },
		       { "removed", "it is gone" },
		       { "restarting", "it has ended, and is being started again" },
		       { "paused", "it is paused" } };

	if (service->oom_killed)
		return "it ran out of memory";
	for (size_t i = 0; service->state && i < ARRAY_SIZE(states); i++)
		if (strcmp(service->state, states[i].state) == 0)
			return states[i].words;
	if (service->health && strcmp(service->health, "unhealthy") == 0)
		return "its own check fails";
	return "it does not answer";
}

void plain_health(struct ctfy_health *health)
{
	for (size_t i = 0; i < health->service_count; i++) {
		struct ctfy_service *service = &health->services[i];

		if (!service->detail)
			continue;
		free(service->detail);
		service->detail = strdup(complaint(service));
	}
}

int plain_failure(const struct node *node, struct ctfy_error *error, struct err *e)
{
	bool own_words = error->kind == CTFY_ERROR_NODE;
	int r = nodes_failed(node, error, e);

	if (r != -ERR_NODE || !own_words)
		return r;
	log_warn("node '%s': %s", nodes_name(node), e->msg);
	return err_set(e, ERR_NODE,
		       "the node of this instance could not do that; the organisers can see why");
}

static bool is_inward(enum err_code code)
{
	switch (code) {
	case ERR_INTERNAL:
	case ERR_STORE:
	case ERR_ENGINE:
	case ERR_CONNECT:
	case ERR_TLS:
	case ERR_TRANSPORT:
	case ERR_PROTOCOL: return true;
	default: return false;
	}
}

void plain_error(const char *request_id, struct err *e)
{
	enum err_code code = e->code;

	if (!is_inward(code))
		return;
	log_error("%s", e->msg);
	err_set(e, code, "something went wrong here; the organisers find it in the log as %s",
		request_id);
}
