/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests of the serving side have in common: a server with routes of every kind, a client of
 * it, and connections of raw bytes.
 */
#ifndef UNIT_HTTP_WORLD_H
#define UNIT_HTTP_WORLD_H

#include "base/buf.h"
#include "base/err.h"
#include "http/call.h"
#include "http/serve.h"

#include <stdatomic.h>

/* Handlers that stop at the gate go on when it is opened; bodies whose client went away are told.
 */
void gate_set(bool open);
void gate_wait(void);
void gate_await(int waiting);
void note_aborted(void);
void await_aborted(void);

extern atomic_int http_world_handled; /* calls of /echo */
extern char http_world_file[64];      /* what /file serves, */
void file_make(const char *text);     /* with this in it */

/* Anybody with the token "sesame", of no account; with "user-NAME", of that. */
int http_world_authorize(void *ctx, struct http_req *req, const struct http_route *route,
			 struct err *e);
extern const struct http_route *const http_world_tables[];
int serve_quick(void *ctx, struct http_req *req, struct http_res *res, struct err *e);

/* A server and a client of it. */
struct world {
	struct http_server *server;
	struct http_client *client;
	struct http_reply reply;
	struct err e;
};

void world_start_with(struct world *w, const struct http_server_options *options);
void world_start(struct world *w);
void world_end(struct world *w);

/* Returns the status; the rest is in w->reply. */
int send_call(struct world *w, const char *method, const char *path, const char *body,
	      const char *const *headers);
int get(struct world *w, const char *path);
const char *header(const struct world *w, const char *name);
const char *detail(const struct world *w);

/* A connection of raw bytes, for what no well-behaved client says. */
int raw_open(const struct world *w);
void raw_put(int fd, const char *text);
void raw_read(int fd, struct buf *b, const char *until);
/* What the chunks of an answer hold; all of them have to be there. */
void raw_body(const struct buf *answer, struct buf *ret_body);
int raw_status(const struct world *w, const char *request);

#define TOKEN "Authorization: Bearer sesame\r\n"
#define HOST  "Host: x\r\n"

#define QUICK "GET /quick HTTP/1.1\r\n" HOST TOKEN "\r\n"

void read_quick(int fd);
void ask_quick(int fd);

#endif
