/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the platform measures of itself, for Prometheus (GET /metrics). Counters begin with the
 * process; what is in the store is asked when somebody looks.
 */
#ifndef PLATFORM_METER_H
#define PLATFORM_METER_H

#include <stdint.h>

struct buf;
struct err;
struct http_route;
struct meter;
struct platform;

/* tables are borrowed: one counter per route and class of status. */
int meter_new(const struct http_route *const *tables, struct meter **ret_meter, struct err *e);
void meter_free(struct meter *meter);

void meter_request(struct meter *meter, const struct http_route *route, int status, int64_t us);

enum meter_event {
	METER_STARTED, /* a start succeeded */
	METER_FAILED,
	METER_MOVED,    /* a start went to another node */
	METER_REPLACED, /* an instance left a node that was lost */
	METER_ENDED,
	METER_EVENTS,
};

/* NULL is fine: nobody counts. */
void meter_count(struct meter *meter, enum meter_event event);
/* From the promise to the running instance. */
void meter_start(struct meter *meter, int64_t ms);

/* Prometheus text. */
int meter_print(struct platform *platform, struct buf *text, struct err *e);

#endif
