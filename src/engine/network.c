/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/network.h"

#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "engine/engine.h"
#include "engine/json.h"
#include "engine/request.h"

#include <stdlib.h>

static int put_ipam(json_t *body, const struct engine_network_options *options)
{
	AUTO(json_t *, json_decrefp) config = json_object();

	if (!options->subnet)
		return 0;
	if (json_set_text(config, "Subnet", options->subnet) < 0 ||
	    json_set_text(config, "Gateway", options->gateway) < 0)
		return -1;
	return json_object_set_new(body, "IPAM", json_make("{s:[O]}", "Config", config));
}

static int put_driver_options(json_t *body, const struct engine_network_options *options)
{
	AUTO(json_t *, json_decrefp)
	all = options->options ? json_copy((json_t *)(uintptr_t)options->options) : json_object();

	if (!all || json_set_text(all, "com.docker.network.bridge.name", options->bridge) < 0)
		return -1;
	return json_object_set(body, "Options", all);
}

/* NULL: out of memory. */
static json_t *create_body(const struct engine_network_options *options)
{
	AUTO(json_t *, json_decrefp)
	body = json_make("{s:s, s:s, s:b, s:b}", "Name", options->name, "Driver",
			 options->driver ? options->driver : "bridge", "Internal",
			 options->internal, "CheckDuplicate", 1);

	if (!body || put_ipam(body, options) < 0 || put_driver_options(body, options) < 0 ||
	    json_set_value(body, "Labels", options->labels) < 0)
		return NULL;
	return TAKE(body);
}

int engine_network_create(struct engine *engine, const struct engine_network_options *options,
			  char **ret_id, struct err *e)
{
	AUTO(struct request, request_done) req;
	struct err unwanted;

	if (!e)
		e = &unwanted;
	request_begin(&req, engine, "POST", "/networks/create");
	request_body(&req, create_body(options));
	request_is_slow(&req);
	if (request_run_id(&req, "Id", ret_id, e) == 0)
		return 0;
	if (e->code == ERR_NOT_FOUND) /* an address pool used up, a driver that isn't there */
		e->code = ERR_ENGINE;
	return err_wrap(e, "create network '%s'", options->name);
}

int engine_network_remove(struct engine *engine, const char *network, struct err *e)
{
	AUTO(struct request, request_done) req;
	int r;

	request_begin(&req, engine, "DELETE", "/networks/%s", network);
	request_is_slow(&req);
	r = request_run(&req, NULL, e);
	return r < 0 ? err_wrap(e, "remove network '%s'", network) : 0;
}

int engine_network_connect(struct engine *engine, const char *network, const char *container,
			   const json_t *endpoint, struct err *e)
{
	AUTO(struct request, request_done) req;
	json_t *body = json_make("{s:s}", "Container", container);
	int r;

	if (json_set_value(body, "EndpointConfig", endpoint) < 0) {
		json_decref(body);
		body = NULL;
	}
	request_begin(&req, engine, "POST", "/networks/%s/connect", network);
	request_body(&req, body);
	request_is_slow(&req);
	r = request_run(&req, NULL, e);
	return r < 0 ? err_wrap(e, "connect container '%s' to network '%s'", container, network)
		     : 0;
}

int engine_network_disconnect(struct engine *engine, const char *network, const char *container,
			      bool force, struct err *e)
{
	AUTO(struct request, request_done) req;
	int r;

	request_begin(&req, engine, "POST", "/networks/%s/disconnect", network);
	request_body(&req, json_make("{s:s, s:b}", "Container", container, "Force", force));
	request_is_slow(&req);
	r = request_run(&req, NULL, e);
	return r < 0 ? err_wrap(e, "disconnect container '%s' from network '%s'", container,
				network)
		     : 0;
}

int engine_network_inspect(struct engine *engine, const char *network, json_t **ret_json,
			   struct err *e)
{
	AUTO(struct request, request_done) req;
	int r;

	request_begin(&req, engine, "GET", "/networks/%s", network);
	r = request_run(&req, ret_json, e);
	return r < 0 ? err_wrap(e, "inspect network '%s'", network) : 0;
}

static void read_network(const json_t *item, struct engine_network *row)
{
	const json_t *configs = json_object_get(json_object_get(item, "IPAM"), "Config");

	*row = (struct engine_network){
		.id = json_get_text(item, "Id"),
		.name = json_get_text(item, "Name"),
		.driver = json_get_text(item, "Driver"),
		.subnet = json_string_value(json_object_get(json_array_get(configs, 0), "Subnet")),
		.labels = json_object_get(item, "Labels"),
		.internal = json_get_bool(item, "Internal"),
		.created_ms = engine_time_ms(json_get_text(item, "Created")),
	};
}

int engine_network_list(struct engine *engine, const char *const *labels,
			struct engine_network_list *ret_list, struct err *e)
{
	AUTO(struct request, request_done) req;
	struct engine_network *rows;
	json_t *list, *item;
	void *memory;
	size_t i;
	int r;

	request_begin(&req, engine, "GET", "/networks");
	request_query_labels(&req, labels);
	r = request_run_list(&req, NULL, sizeof(*rows), &list, &memory, e);
	if (r < 0)
		return err_wrap(e, "list networks");
	rows = memory;
	json_array_foreach (list, i, item)
		read_network(item, &rows[i]);
	*ret_list = (struct engine_network_list){ rows, json_array_size(list), list };
	return 0;
}

void engine_network_list_done(struct engine_network_list *list)
{
	free(list->items);
	json_decref(list->json);
	*list = (struct engine_network_list){ 0 };
}
