/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a bundle of evidence has, and what it has not: counted where it was lost, and said in words.
 *
 * {
 *   "complete": bool,
 *   "missing": [why it is not, in words],
 *   "absent": [{"name": a part, "why"}],
 *   "running": bool,
 *   "logs": as log_book_report() has it,
 *   "captures": as capture_report() does,
 *   "recorders": [{"service", "restarts", "oom_killed"}], sidecars that record,
 *   "flows": {"starts", "lost_flows", "lost_lines", "damaged_lines"}
 * }
 */
#ifndef NODE_EVIDENCE_ACCOUNT_H
#define NODE_EVIDENCE_ACCOUNT_H

#include <jansson.h>
#include <stdbool.h>

struct engine_container_list;
struct err;
struct log_book;
struct node;

/* What the engine knows: {logs, captures, recorders}; containers as it inspects them. */
int account_engine(struct node *node, const char *instance_id,
		   const struct engine_container_list *list, const json_t *containers,
		   const struct log_book *book, json_t **ret_account, struct err *e);

/* Adds what the file of flows says of itself. A line that is none is counted, not an error. */
int account_flows(json_t *account, const char *path, struct err *e);

/* A part that is not there, or not whole; is_loss: it should be. */
void account_absent(json_t *account, const char *name, const char *why, bool is_loss);

/* Why it is not complete, in words that follow "not complete:". */
__attribute__((format(printf, 2, 3))) void account_missing(json_t *account, const char *fmt, ...);

/* Draws the conclusion: "missing" and "complete". */
int account_close(json_t *account, struct err *e);

#endif
