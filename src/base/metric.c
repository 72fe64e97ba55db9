/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metric.h"

#include "base/buf.h"

#include <stddef.h>

static const struct {
	int64_t us;
	const char *text; /* seconds */
} bounds[HISTOGRAM_BUCKETS] = {
	{ 1000, "0.001" },  { 2500, "0.0025" }, { 5000, "0.005" },  { 10000, "0.01" },
	{ 25000, "0.025" }, { 50000, "0.05" },  { 100000, "0.1" },  { 250000, "0.25" },
	{ 500000, "0.5" },  { 1000000, "1" },   { 2500000, "2.5" }, { 5000000, "5" },
	{ 10000000, "10" }, { 30000000, "30" }, { 60000000, "60" }, { 300000000, "300" },
};

void histogram_observe(struct histogram *histogram, int64_t us)
{
	size_t i = 0;

	while (i < HISTOGRAM_BUCKETS && us > bounds[i].us)
		i++;
	atomic_fetch_add_explicit(&histogram->counts[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&histogram->sum_us, us > 0 ? (uint64_t)us : 0,
				  memory_order_relaxed);
}

void metric_head(struct buf *text, const char *name, const char *type, const char *help)
{
	buf_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metric_row(struct buf *text, const char *name, const char *labels, int64_t value)
{
	buf_puts(text, name);
	if (*labels)
		buf_printf(text, "{%s}", labels);
	buf_printf(text, " %lld\n", (long long)value);
}

void metric_histogram(struct buf *text, const char *name, const char *labels,
		      const struct histogram *histogram)
{
	const char *comma = *labels ? "," : "";
	uint64_t sum_us = atomic_load(&histogram->sum_us), count = 0;

	for (size_t i = 0; i <= HISTOGRAM_BUCKETS; i++) {
		count += atomic_load(&histogram->counts[i]);
		buf_printf(text, "%s_bucket{%s%sle=\"%s\"} %llu\n", name, labels, comma,
			   i < HISTOGRAM_BUCKETS ? bounds[i].text : "+Inf",
			   (unsigned long long)count);
	}
	buf_printf(text, "%s_sum%s%s%s %llu.%06llu\n", name, *labels ? "{" : "", labels,
		   *labels ? "}" : "", (unsigned long long)(sum_us / 1000000),
		   (unsigned long long)(sum_us % 1000000));
	buf_printf(text, "%s_count%s%s%s %llu\n", name, *labels ? "{" : "", labels,
		   *labels ? "}" : "", (unsigned long long)count);
}

void metric_label(struct buf *labels, const char *name, const char *value)
{
	buf_printf(labels, "%s%s=\"", labels->len ? "," : "", name);
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			buf_putc(labels, '\\');
		if (*value == '\n')
			buf_puts(labels, "\\n");
		else
			buf_putc(labels, *value);
	}
	buf_putc(labels, '"');
}
