/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client is made of, shared by calls and tunnels.
 *
 * A line is one libcurl handle with its connection. A call borrows it; a tunnel keeps it.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "base/buf.h"
#include "http/call.h"

#include <curl/curl.h>
#include <pthread.h>

struct http_client {
	char *base; /* what libcurl gets in front of every path: "http://10.0.0.5:7070/prefix" */
	char *peer; /* how messages name it: "node 'http://10.0.0.5:7070/prefix'" */
	char *socket_path;
	char *ca_file;
	char *client_cert;
	char *client_key;
	char *authorization;        /* the header's line; NULL: none */
	struct curl_slist *headers; /* of every request; kept by the handles */
	struct curl_slist *json_headers;
	unsigned max_idle;

	pthread_mutex_t lock;
	struct http_line *idle; /* the one used last comes first: the rest may age and close */
	unsigned idle_count;
};

struct http_line {
	struct http_line *next;
	CURL *easy;
	struct buf url;
	char words[CURL_ERROR_SIZE]; /* libcurl's own */
	struct buf parting; /* what there was still to read when its connection was closed */
};

int http_line_new(struct http_client *client, struct http_line **ret_line, struct err *e);
void http_line_free(struct http_line *line);
static inline void http_line_freep(struct http_line **line)
{
	http_line_free(*line);
}

/* Points the line at the call's URL. Fails with INVALID (a path or header no request may hold). */
int http_line_aim(struct http_client *client, struct http_line *line, const struct http_call *call,
		  struct err *e);

/* Makes it ready for another answer. */
void http_reply_clear(struct http_reply *reply);

/* Says what libcurl's failure means to our callers. */
int http_line_error(const struct http_client *client, struct http_line *line, CURLcode code,
		    struct err *e);

#endif
