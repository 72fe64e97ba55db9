/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of an instance beyond its end: directories below --evidence, one for each instance.
 *
 *	EVIDENCE/ID/capture/    packets: see node/capture.h
 *	EVIDENCE/ID/traffic/    HTTP flows, unless the start named another directory: node/traffic.h
 *	EVIDENCE/ID/closing/    what only the engine knew, written down before the instance went
 *
 * A bundle is all of that in one archive (tar, zstd), with a manifest that `ctfy evidence verify`
 * checks it by. It can be had at any time, of a running instance too.
 */
#ifndef NODE_EVIDENCE_H
#define NODE_EVIDENCE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct node;

/* "EVIDENCE/ID/part", the caller's to free(); not made. NULL: out of memory. */
char *evidence_path(const struct node *node, const char *instance_id, const char *part);

/* The body of the instance's start: a new reference. Fails with NOT_FOUND. */
int evidence_spec(struct node *node, const char *instance_id, json_t **ret_spec, struct err *e);

/* Before an instance's containers are made: what an earlier start of that id came to is removed. */
int evidence_begin(struct node *node, const char *instance_id, struct err *e);

/*
 * The instance is about to go: ends its services, then its agents, then what records them, and
 * writes down its containers, logs and agents' transcripts. Fine when it has none, and when that is
 * done already.
 */
int evidence_close(struct node *node, const char *instance_id, struct err *e);

/* Removes all that is kept of an instance in its own directory. */
int evidence_forget(struct node *node, const char *instance_id, struct err *e);

/*
 * Removes what is kept of instances that the node has forgotten, and that is older than then (Unix
 * ms): a store that was lost doesn't take the evidence with it at once.
 */
int evidence_sweep(struct node *node, int64_t before, struct err *e);

/* Receives a part of the bundle. A failure ends it with that error. */
typedef int evidence_sink(void *cookie, const void *bytes, size_t len, struct err *e);

struct evidence;

/* Fails with NOT_FOUND. */
int evidence_open(struct node *node, const char *instance_id, struct evidence **ret_evidence,
		  struct err *e);
int evidence_write(struct evidence *evidence, evidence_sink *sink, void *cookie, struct err *e);
void evidence_free(struct evidence *evidence);
static inline void evidence_freep(struct evidence **evidence)
{
	evidence_free(*evidence);
}

#endif
