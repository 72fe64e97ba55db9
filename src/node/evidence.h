/*
 * What is kept of an instance beyond its end: directories below --evidence, one for each instance,
 * that go when the instance's row is forgotten.
 *
 *	EVIDENCE/ID/capture/    packets: see node/capture.h
 *	EVIDENCE/ID/traffic/    HTTP flows, unless the start named another directory: node/traffic.h
 */
#ifndef NODE_EVIDENCE_H
#define NODE_EVIDENCE_H

struct err;
struct node;

/* "EVIDENCE/ID/part", the caller's to free(); not made. NULL: out of memory. */
char *evidence_path(const struct node *node, const char *instance_id, const char *part);

#endif
