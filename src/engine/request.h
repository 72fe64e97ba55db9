/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request to the engine: its path and query written piece by piece, its answer judged.
 *
 * Failures of writing are remembered and told when it runs. Used inside this room only.
 */
#ifndef ENGINE_REQUEST_H
#define ENGINE_REQUEST_H

#include "http/call.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;
struct err;

struct request {
	struct engine *engine;
	const char *name;      /* the path as a literal, for the observer */
	struct http_call call; /* its sink, source and limits are the caller's to set */
	struct buf path;
	char *body;
	char *header;
	const char *headers[2];
	bool out_of_memory;
};

/* The path follows the API's version; each %s (and no other %) is an argument, escaped. */
__attribute__((format(printf, 4, 5))) void request_begin(struct request *req, struct engine *engine,
							 const char *method, const char *path, ...);
void request_done(struct request *req);

/* Adds to the query; a NULL value adds nothing. */
void request_query(struct request *req, const char *name, const char *value);
void request_query_number(struct request *req, const char *name, int64_t value);
void request_query_time(struct request *req, const char *name, int64_t ms); /* 0 adds nothing */
void request_query_json(struct request *req, const char *name, const json_t *value);
void request_query_labels(struct request *req, const char *const *labels); /* as filters */

/* Takes body; NULL says that there was no memory for it. */
void request_body(struct request *req, json_t *body);

/* For what takes the engine long: making, starting and ending things. */
void request_is_slow(struct request *req);

/*
 * Asks, and turns a refusal into its error. The answer's JSON goes to ret_json, unless NULL.
 */
int request_run(struct request *req, json_t **ret_json, struct err *e);

/* As request_run(), then copies the answer's "Id" (or what it is called) for the caller. */
int request_run_id(struct request *req, const char *key, char **ret_id, struct err *e);

/* Reads JSON of the engine's. Fails with PROTOCOL. */
int request_parse(const struct request *req, const struct buf *text, json_t **ret_json,
		  struct err *e);

/*
 * As request_run(), for an answer that is a list: at key, or (NULL) the whole of it. ret_rows gets
 * one zeroed row for each item, the caller's to free(). Null is an empty list.
 */
int request_run_list(struct request *req, const char *key, size_t row_size, json_t **ret_list,
		     void **ret_rows, struct err *e);

/* Takes the connection over. */
int request_attach(struct request *req, struct http_tunnel **ret_tunnel, struct err *e);

#endif
