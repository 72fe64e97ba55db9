/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A terminal in one of an instance's containers, over a WebSocket: binary messages are its bytes,
 * text messages are control, {"type": "resize", "cols":, "rows":} in and {"type": "exit", "code":}
 * out. It ends with its process, its client or its container, whichever is first; who opened one is
 * in the instance's timeline.
 */
#ifndef NODE_SHELL_H
#define NODE_SHELL_H

struct err;
struct http_req;
struct http_res;
struct node;

struct shell_spec {
	const char *instance_id;
	const char *container; /* id, or its first twelve characters or more, or name */
	unsigned columns, rows;
};

/* Serves it to its end. Fails with NOT_FOUND, CONFLICT (it doesn't run) or as accepting does. */
int shell_serve(struct node *node, const struct shell_spec *spec, struct http_req *req,
		struct http_res *res, struct err *e);

#endif
