/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a node measures of itself, for Prometheus.
 */
#ifndef NODE_METRICS_H
#define NODE_METRICS_H

#include "base/err.h"
#include "base/metric.h"

#include <stdatomic.h>
#include <stdint.h>

struct buf;
struct metrics;
struct node;

enum start_phase { PHASE_IMAGES, PHASE_QUEUE, PHASE_CONTAINERS, PHASE_TOTAL, PHASES };

int metrics_new(struct metrics **ret_metrics, struct err *e);
void metrics_free(struct metrics *metrics);

void metrics_start_phase(struct metrics *metrics, enum start_phase phase, int64_t us);
void metrics_stop(struct metrics *metrics, int64_t us);
/* How an instance came to its end, or a start did: "running", "failed", "stopped", "expired". */
void metrics_outcome(struct metrics *metrics, const char *outcome);

/* An engine_options.observe whose cookie is the metrics. */
void metrics_engine_call(void *cookie, const char *method, const char *call, int64_t us,
			 enum err_code outcome);

/* The whole page: what was measured, and the node's present state. */
void metrics_print(struct node *node, struct buf *text);

#endif
