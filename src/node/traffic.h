/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP of an instance, as its recorder (node/recorder.h) and its agents' proxy (node/agent-proxy.h)
 * write it down: JSON lines, which are read here.
 *
 * The lines are in the instance's proxy_output_dir, in flows.jsonl, and stay when the instance
 * ends.
 */
#ifndef NODE_TRAFFIC_H
#define NODE_TRAFFIC_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct flow_reader_counts;
struct node;
struct traffic;

#define TRAFFIC_FILE "flows.jsonl"

/* The directory that it is in: the caller's to free(). Fails with NOT_FOUND (no such instance). */
int traffic_dir(struct node *node, const char *instance_id, char **ret_dir, struct err *e);

/* Where the instance's flows are, the caller's. Fails with NOT_FOUND (no such instance). */
int traffic_path(struct node *node, const char *instance_id, char **ret_path, struct err *e);

/* Its recorders have ended: what they had no time to finish is over. */
int traffic_end(struct node *node, const char *instance_id, struct err *e);

/* An instance that isn't recorded has no flows. Fails with NOT_FOUND (no such instance). */
int traffic_open(struct node *node, const char *instance_id, struct traffic **ret_traffic,
		 struct err *e);
int traffic_open_file(const char *path, struct traffic **ret_traffic, struct err *e);
void traffic_close(struct traffic *traffic);
static inline void traffic_closep(struct traffic **traffic)
{
	traffic_close(*traffic);
}

/*
 * A flow as a line without its end: 1; 0: there are no more at the moment. Behind those that are
 * over come, once, those that are not. Borrowed until the next.
 */
int traffic_next(struct traffic *traffic, const char **ret_line, size_t *ret_len, struct err *e);

/* Where in the file the next line begins, in bytes. */
int traffic_seek(struct traffic *traffic, int64_t at, struct err *e);

/* What is missing of the part that was read: lines that are damaged, flows that were not written.
 */
const struct flow_reader_counts *traffic_counts(const struct traffic *traffic);

/* Receives a part of an answer. A failure ends it with that error. */
typedef int traffic_sink(void *cookie, const void *bytes, size_t len, struct err *e);

/*
 * {"instance_id":, "flows": [...], "next": at, ...}: at most `limit` flows that are over, and so
 * many that the page stays handy; where `next` is the same as before, there are no more at the
 * moment.
 */
int traffic_page(struct traffic *traffic, const char *instance_id, size_t limit, traffic_sink *sink,
		 void *cookie, struct err *e);

/* All flows as a HAR 1.2, and as a file that mitmproxy opens. */
int traffic_har(struct traffic *traffic, traffic_sink *sink, void *cookie, struct err *e);
int traffic_mitm(struct traffic *traffic, traffic_sink *sink, void *cookie, struct err *e);

#endif
