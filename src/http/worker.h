/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads for handlers that may block: made on demand up to a maximum, ended when idle for a while.
 *
 * Tasks beyond the maximum wait their turn, first come, first served.
 */
#ifndef HTTP_WORKER_H
#define HTTP_WORKER_H

struct err;
struct workers;

/* A part of what it is about: workers_submit() allocates nothing. */
struct task {
	void (*run)(struct task *task);
	struct task *next;
};

int workers_new(unsigned max, struct workers **ret_workers, struct err *e);
void workers_free(struct workers *workers); /* stops first */

/* Waits until every task has run; takes no more. */
void workers_stop(struct workers *workers);

/*
 * Fails with UNAVAILABLE after workers_stop(), or when not even a first thread can be had; the task
 * then never runs.
 */
int workers_submit(struct workers *workers, struct task *task, struct err *e);

#endif
