/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/volume.h"

#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "engine/engine.h"
#include "engine/json.h"
#include "engine/request.h"

#include <stdlib.h>

/* NULL: out of memory. */
static json_t *create_body(const char *name, const json_t *driver_opts, const json_t *labels)
{
	AUTO(json_t *, json_decrefp) body = json_make("{s:s}", "Name", name);

	if (!body || json_set_value(body, "DriverOpts", driver_opts) < 0 ||
	    json_set_value(body, "Labels", labels) < 0)
		return NULL;
	return TAKE(body);
}

int engine_volume_create(struct engine *engine, const char *name, const json_t *driver_opts,
			 const json_t *labels, struct err *e)
{
	AUTO(struct request, request_done) req;
	int r;

	request_begin(&req, engine, "POST", "/volumes/create");
	request_body(&req, create_body(name, driver_opts, labels));
	request_is_slow(&req);
	r = request_run(&req, NULL, e);
	return r < 0 ? err_wrap(e, "create volume '%s'", name) : 0;
}

int engine_volume_remove(struct engine *engine, const char *name, struct err *e)
{
	AUTO(struct request, request_done) req;
	int r;

	request_begin(&req, engine, "DELETE", "/volumes/%s", name);
	request_is_slow(&req);
	r = request_run(&req, NULL, e);
	return r < 0 ? err_wrap(e, "remove volume '%s'", name) : 0;
}

static void read_volume(const json_t *item, struct engine_volume *row)
{
	*row = (struct engine_volume){
		.name = json_get_text(item, "Name"),
		.mountpoint = json_get_text(item, "Mountpoint"),
		.labels = json_object_get(item, "Labels"),
		.created_ms = engine_time_ms(json_get_text(item, "CreatedAt")),
	};
}

int engine_volume_list(struct engine *engine, const char *const *labels,
		       struct engine_volume_list *ret_list, struct err *e)
{
	AUTO(struct request, request_done) req;
	struct engine_volume *rows;
	json_t *list, *item;
	void *memory;
	size_t i;
	int r;

	request_begin(&req, engine, "GET", "/volumes");
	request_query_labels(&req, labels);
	r = request_run_list(&req, "Volumes", sizeof(*rows), &list, &memory, e);
	if (r < 0)
		return err_wrap(e, "list volumes");
	rows = memory;
	json_array_foreach (list, i, item)
		read_volume(item, &rows[i]);
	*ret_list = (struct engine_volume_list){ rows, json_array_size(list), list };
	return 0;
}

void engine_volume_list_done(struct engine_volume_list *list)
{
	free(list->items);
	json_decref(list->json);
	*list = (struct engine_volume_list){ 0 };
}
