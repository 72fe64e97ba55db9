/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call of the node client, told as data: what to ask, and what the answer is to become.
 */
#ifndef SDK_CLIENT_H
#define SDK_CLIENT_H

#include "base/field.h"
#include "base/own.h"
#include "http/call.h"
#include "sdk/error.h"

#include <ctfy/node_client.h>

struct err;

struct request {
	const char *method;
	/*
	 * The path below /api/v1, in turns: as it is, then an id or name to be escaped, and so on.
	 * What is as it is ends with "/" exactly where one follows.
	 */
	const char *path[6];
	const char *query;  /* "?a=b"; NULL: none */
	const json_t *body; /* NULL: none */
	bool respond_async; /* Prefer: respond-async */
	bool may_be_absent; /* a 404 is success, and an empty reply */
	http_sink *sink;    /* of a 2xx body; NULL: kept in the reply */
	void *sink_cookie;
};

/* An id or name can stand in a path. */
bool sdk_is_name(const char *name);

/*
 * Makes the call. Fails with NODE where the status is not 2xx. The reply is HTTP_REPLY_INIT before,
 * and http_reply_done() after, whatever happened.
 */
int sdk_ask(struct ctfy_node_client *client, const struct request *request,
	    const struct ctfy_call *call, struct http_reply *ret_reply, struct ctfy_error *error);

/* sdk_ask() that drops the body. */
int sdk_tell(struct ctfy_node_client *client, const struct request *request,
	     const struct ctfy_call *call, struct ctfy_error *error);

/* What a 2xx answer says, as JSON. */
struct answer {
	int status;
	json_t *json;
};

static inline void answer_done(struct answer *answer)
{
	json_decref(answer->json);
}

/* sdk_ask() whose answer is JSON of any shape; its text is given to the call's ret_json. */
int sdk_ask_json(struct ctfy_node_client *client, const struct request *request,
		 const struct ctfy_call *call, struct answer *ret_answer, struct ctfy_error *error);

/* sdk_ask_json() whose answer is an object that fields describe. ret is a zeroed struct. */
int sdk_ask_fields(struct ctfy_node_client *client, const struct request *request,
		   const struct ctfy_call *call, const struct field *fields, void *ret,
		   struct ctfy_error *error);

/* The reply's Content-Type, held in the buffer; "application/octet-stream" where it has none. */
const char *sdk_content_type(const struct http_reply *reply, char *buffer, size_t size);

/* sdk_ask() for a body of any kind. ret_bytes is emptied first. */
int sdk_ask_bytes(struct ctfy_node_client *client, const struct request *request,
		  struct ctfy_bytes *ret_bytes, const struct ctfy_call *call,
		  struct ctfy_error *error);

/* What the buffer holds becomes ret_bytes', whose members are set together or not at all. */
int sdk_take_bytes(struct buf *data, const char *content_type, struct ctfy_bytes *ret_bytes,
		   struct err *e);

struct terminal;

/* Opens the WebSocket of a shell; of the request, path and query count. */
int sdk_open_terminal(struct ctfy_node_client *client, const struct request *request,
		      const struct ctfy_call *call, struct terminal **ret_terminal,
		      struct ctfy_error *error);

/* The reply's body as JSON. Fails with PROTOCOL. */
int sdk_parse(const struct http_reply *reply, json_t **ret_json, struct ctfy_error *error);

#endif
