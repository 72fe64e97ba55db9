/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/image.h"

#include "base/err.h"
#include "base/own.h"
#include "engine/engine.h"
#include "engine/json.h"
#include "engine/reference.h"
#include "engine/request.h"

#include <stdlib.h>

static int inspect(struct engine *engine, const char *reference, json_t **ret_json, struct err *e)
{
	AUTO(struct request, request_done) req;

	request_begin(&req, engine, "GET", "/images/%s/json", reference);
	return request_run(&req, ret_json, e);
}

int engine_image_exists(struct engine *engine, const char *reference, struct err *e)
{
	struct err why = ERR_INIT;
	int r = inspect(engine, reference, NULL, &why);

	if (r == 0)
		return 1;
	if (r == -ERR_NOT_FOUND)
		return 0;
	return err_set(e, why.code, "look for image '%s': %s", reference, why.msg);
}

int engine_image_inspect(struct engine *engine, const char *reference, json_t **ret_json,
			 struct err *e)
{
	int r = inspect(engine, reference, ret_json, e);

	return r < 0 ? err_wrap(e, "inspect image '%s'", reference) : 0;
}

int engine_image_tag(struct engine *engine, const char *reference, const char *new_reference,
		     struct err *e)
{
	AUTO(struct reference, reference_done) as = { 0 };
	AUTO(struct request, request_done) req = { 0 };
	int r;

	r = reference_parse(new_reference, &as, e);
	if (r < 0)
		return r;
	request_begin(&req, engine, "POST", "/images/%s/tag", reference);
	request_query(&req, "repo", as.name);
	request_query(&req, "tag", as.tag);
	r = request_run(&req, NULL, e);
	return r < 0 ? err_wrap(e, "tag image '%s' as '%s'", reference, new_reference) : 0;
}

int engine_image_remove(struct engine *engine, const char *reference, bool force, struct err *e)
{
	AUTO(struct request, request_done) req;
	int r;

	request_begin(&req, engine, "DELETE", "/images/%s", reference);
	request_query(&req, "force", force ? "1" : NULL);
	request_is_slow(&req);
	r = request_run(&req, NULL, e);
	return r < 0 ? err_wrap(e, "remove image '%s'", reference) : 0;
}

static void read_image(const json_t *item, struct engine_image *row)
{
	*row = (struct engine_image){
		.id = json_get_text(item, "Id"),
		.references = json_object_get(item, "RepoTags"),
		.labels = json_object_get(item, "Labels"),
		.size = json_get_int(item, "Size"),
		.created_ms = json_get_int(item, "Created") * 1000,
	};
}

int engine_image_list(struct engine *engine, const char *const *labels,
		      struct engine_image_list *ret_list, struct err *e)
{
	AUTO(struct request, request_done) req;
	struct engine_image *rows;
	json_t *list, *item;
	void *memory;
	size_t i;
	int r;

	request_begin(&req, engine, "GET", "/images/json");
	request_query_labels(&req, labels);
	r = request_run_list(&req, NULL, sizeof(*rows), &list, &memory, e);
	if (r < 0)
		return err_wrap(e, "list images");
	rows = memory;
	json_array_foreach (list, i, item)
		read_image(item, &rows[i]);
	*ret_list = (struct engine_image_list){ rows, json_array_size(list), list };
	return 0;
}

void engine_image_list_done(struct engine_image_list *list)
{
	free(list->items);
	json_decref(list->json);
	*list = (struct engine_image_list){ 0 };
}
