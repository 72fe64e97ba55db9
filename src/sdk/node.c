/* SPDX-License-Identifier: Apache-2.0 */
/* The node as a whole. */
#include "wire/node.h"

#include "base/err.h"
#include "sdk/client.h"

int ctfy_node_health(struct ctfy_node_client *client, struct ctfy_node_health *ret_health,
		     const struct ctfy_call *call, struct ctfy_error *error)
{
	struct request request = { .method = "GET", .path = { "/health" } };

	*ret_health = (struct ctfy_node_health){ 0 };
	return sdk_ask_fields(client, &request, call, node_health_fields, ret_health, error);
}

void ctfy_node_health_done(struct ctfy_node_health *health)
{
	fields_done(node_health_fields, health);
}

int ctfy_node_rescan_challenges(struct ctfy_node_client *client, struct ctfy_rescan *ret_rescan,
				const struct ctfy_call *call, struct ctfy_error *error)
{
	struct request request = { .method = "POST", .path = { "/admin/rescan-challenges" } };

	*ret_rescan = (struct ctfy_rescan){ 0 };
	return sdk_ask_fields(client, &request, call, rescan_fields, ret_rescan, error);
}

void ctfy_rescan_done(struct ctfy_rescan *rescan)
{
	fields_done(rescan_fields, rescan);
}

/* The contract promises no body: it is looked at only for whoever wants what it may say. */
int ctfy_node_stop_all(struct ctfy_node_client *client, struct ctfy_stopped *ret_stopped,
		       const struct ctfy_call *call, struct ctfy_error *error)
{
	struct request request = { .method = "POST", .path = { "/admin/stop-all" } };

	if (!ret_stopped)
		return sdk_tell(client, &request, call, error);
	*ret_stopped = (struct ctfy_stopped){ 0 };
	return sdk_ask_fields(client, &request, call, stopped_fields, ret_stopped, error);
}

void ctfy_stopped_done(struct ctfy_stopped *stopped)
{
	fields_done(stopped_fields, stopped);
}
