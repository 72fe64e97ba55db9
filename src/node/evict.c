/* SPDX-License-Identifier: Apache-2.0 */
#include "node/evict.h"

#include "base/err.h"
#include "base/own.h"
#include "engine/network.h"

#include <jansson.h>

int network_evict(struct engine *engine, const char *network, struct err *e)
{
	AUTO(json_t *, json_decrefp) inspected = NULL;
	const char *container;
	json_t *place;
	int r = engine_network_inspect(engine, network, &inspected, e);

	if (r < 0)
		return r;
	json_object_foreach (json_object_get(inspected, "Containers"), container, place) {
		r = engine_network_disconnect(engine, network, container, true, e);
		if (r < 0 && r != -ERR_NOT_FOUND)
			return r;
	}
	return 0;
}
