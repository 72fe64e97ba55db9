/* SPDX-License-Identifier: Apache-2.0 */
/* Images made ready before they are needed: builds, and pulls, their twins. */
#include "base/err.h"
#include "base/utf8.h"
#include "sdk/client.h"
#include "wire/node.h"

#include <string.h>

static int ask_one(struct ctfy_node_client *client, const char *challenge_id, const char *verb,
		   const struct field *fields, struct ctfy_image_row *ret_row,
		   const struct ctfy_call *call, struct ctfy_error *error)
{
	struct request request = { .method = "POST",
				   .path = { "/admin/challenges/", challenge_id, verb } };

	*ret_row = (struct ctfy_image_row){ 0 };
	return sdk_ask_fields(client, &request, call, fields, ret_row, error);
}

int ctfy_node_build_challenge(struct ctfy_node_client *client, const char *challenge_id,
			      struct ctfy_image_row *ret_row, const struct ctfy_call *call,
			      struct ctfy_error *error)
{
	return ask_one(client, challenge_id, "/build", build_row_fields, ret_row, call, error);
}

int ctfy_node_pull_challenge(struct ctfy_node_client *client, const char *challenge_id,
			     struct ctfy_image_row *ret_row, const struct ctfy_call *call,
			     struct ctfy_error *error)
{
	return ask_one(client, challenge_id, "/pull", pull_row_fields, ret_row, call, error);
}

void ctfy_image_row_done(struct ctfy_image_row *row)
{
	fields_done(build_row_fields, row);
}

static int ask_all(struct ctfy_node_client *client, const char *path,
		   const char *const *challenge_ids, size_t challenge_id_count,
		   const struct field *fields, struct ctfy_bulk *ret_bulk,
		   const struct ctfy_call *call, struct ctfy_error *error)
{
	struct image_scope scope = { challenge_ids, challenge_id_count };
	AUTO(json_t *, json_decrefp) body = NULL;
	struct request request = { .method = "POST", .path = { path } };

	*ret_bulk = (struct ctfy_bulk){ 0 };
	for (size_t i = 0; challenge_ids && i < challenge_id_count; i++)
		if (!utf8_is_valid(challenge_ids[i], strlen(challenge_ids[i])))
			return sdk_refuse_argument(error, "a challenge's id is not UTF-8");
	if (challenge_ids) {
		body = fields_encode(image_scope_fields, &scope);
		if (!body)
			return sdk_fail_memory(error);
		request.body = body;
	}
	return sdk_ask_fields(client, &request, call, fields, ret_bulk, error);
}

int ctfy_node_build_all_challenges(struct ctfy_node_client *client,
				   const char *const *challenge_ids, size_t challenge_id_count,
				   struct ctfy_bulk *ret_bulk, const struct ctfy_call *call,
				   struct ctfy_error *error)
{
	return ask_all(client, "/admin/challenges/build-all", challenge_ids, challenge_id_count,
		       build_bulk_fields, ret_bulk, call, error);
}

int ctfy_node_pull_all_challenges(struct ctfy_node_client *client, const char *const *challenge_ids,
				  size_t challenge_id_count, struct ctfy_bulk *ret_bulk,
				  const struct ctfy_call *call, struct ctfy_error *error)
{
	return ask_all(client, "/admin/challenges/pull-all", challenge_ids, challenge_id_count,
		       pull_bulk_fields, ret_bulk, call, error);
}

void ctfy_bulk_done(struct ctfy_bulk *bulk)
{
	fields_done(build_bulk_fields, bulk);
	fields_done(pull_bulk_fields, bulk);
}

static int ask_state(struct ctfy_node_client *client, const char *path, const struct field *fields,
		     struct ctfy_image_rows *ret_rows, const struct ctfy_call *call,
		     struct ctfy_error *error)
{
	struct request request = { .method = "GET", .path = { path } };

	*ret_rows = (struct ctfy_image_rows){ 0 };
	return sdk_ask_fields(client, &request, call, fields, ret_rows, error);
}

int ctfy_node_get_build_state(struct ctfy_node_client *client, struct ctfy_image_rows *ret_rows,
			      const struct ctfy_call *call, struct ctfy_error *error)
{
	return ask_state(client, "/admin/challenges/build-state", build_rows_fields, ret_rows, call,
			 error);
}

int ctfy_node_get_pull_state(struct ctfy_node_client *client, struct ctfy_image_rows *ret_rows,
			     const struct ctfy_call *call, struct ctfy_error *error)
{
	return ask_state(client, "/admin/challenges/pull-state", pull_rows_fields, ret_rows, call,
			 error);
}

void ctfy_image_rows_done(struct ctfy_image_rows *rows)
{
	fields_done(build_rows_fields, rows);
}
