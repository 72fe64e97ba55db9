/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer as flows see it: lines, ids, memory.
 */
#ifndef FLOW_LINES_H
#define FLOW_LINES_H

#include "flow/ration.h"
#include "flow/writer.h"

enum { FLOW_ID_SIZE = 32 };

struct ration *lines_ration(struct flow_writer *writer);

/* A fresh id for a flow or a connection. */
void lines_id(struct flow_writer *writer, char id[FLOW_ID_SIZE]);

/* Whether contents, or flows at all, are still written. */
bool lines_have_room(const struct flow_writer *writer);
bool lines_take_flows(const struct flow_writer *writer);
void lines_lose_flow(struct flow_writer *writer);
void lines_count_flow(struct flow_writer *writer);

/* An empty buffer for the next line. Borrowed until lines_put(). */
struct buf *lines_begin(struct flow_writer *writer);

/* Appends it, and a line end. Returns where in the file it begins; -1: it is lost, and counted. */
int64_t lines_put(struct flow_writer *writer);

#endif
