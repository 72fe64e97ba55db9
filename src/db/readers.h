/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections for queries alone: in WAL mode a reader waits for no writer, and sees what was
 * committed when its query began.
 *
 * They are opened when they are needed, up to READERS_MAX; then a query waits for one. A thread
 * that holds one already gets no second one, so that nobody waits for others who wait for him.
 */
#ifndef DB_READERS_H
#define DB_READERS_H

struct connection;
struct err;
struct readers;

enum { READERS_MAX = 4 };

int readers_new(const char *path, struct readers **ret_readers, struct err *e);
void readers_free(struct readers *readers); /* all are back */

/* ret_reader is NULL where this thread holds one. Fails with STORE. */
int readers_take(struct readers *readers, struct connection **ret_reader, struct err *e);
void readers_put(struct readers *readers, struct connection *reader);

#endif
