/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measurements, printed as Prometheus text (exposition format 0.0.4).
 *
 * A histogram is fed by any thread without a lock. Its buckets are the same everywhere, in seconds:
 * from 1 ms to 5 minutes.
 */
#ifndef BASE_METRIC_H
#define BASE_METRIC_H

#include <stdatomic.h>
#include <stdint.h>

struct buf;

enum { HISTOGRAM_BUCKETS = 16 };

struct histogram {
	atomic_uint_least64_t counts[HISTOGRAM_BUCKETS + 1]; /* the last: above every bound */
	atomic_uint_least64_t sum_us;
};

void histogram_observe(struct histogram *histogram, int64_t us);

/* "# HELP" and "# TYPE"; type is "counter", "gauge" or "histogram". */
void metric_head(struct buf *text, const char *name, const char *type, const char *help);

/* labels: "state=\"running\"", values already escaped; "" for none. */
void metric_row(struct buf *text, const char *name, const char *labels, int64_t value);
void metric_histogram(struct buf *text, const char *name, const char *labels,
		      const struct histogram *histogram);

/* Appends a label, escaped: label(b, "challenge", id). */
void metric_label(struct buf *labels, const char *name, const char *value);

#endif
