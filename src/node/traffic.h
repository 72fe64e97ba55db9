/*
 * HTTP of an instance: a recorder, which is a proxy for agents and stands where players come in by
 * published HTTP ports, writes one JSON line for each flow; it is read from there.
 *
 * The lines are in the instance's proxy_output_dir, in flows.jsonl, and stay when the instance
 * ends.
 */
#ifndef NODE_TRAFFIC_H
#define NODE_TRAFFIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct compose;
struct err;
struct flow_reader_counts;
struct node;
struct plan;
struct plan_port;
struct plan_service;
struct traffic;

enum { RECORDER_PORT = 8080 };
#define RECORDER_SERVICE "ctfy-recorder"
#define RECORDER_CA      "/root/.mitmproxy/mitmproxy-ca-cert.pem"

int recorder_start(const struct compose *compose, struct err *e);

/* Whether the recorder publishes this port in the service's place. */
bool recorder_takes(const struct plan *plan, const struct plan_service *service,
		    const struct plan_port *port);

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
