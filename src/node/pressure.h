/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the host can take one more instance: disk and memory that are really free.
 */
#ifndef NODE_PRESSURE_H
#define NODE_PRESSURE_H

struct err;
struct node;

/* Of the disk alone: where the engine and where the node keeps what they have. */
int pressure_check_disk(const struct node *node, struct err *e);

/*
 * The same at half of what must stay free: at the whole of it starts and builds are refused, and
 * here what runs has to make room.
 */
int pressure_check_watermark(const struct node *node, struct err *e);

/* Fails with UNAVAILABLE, naming what is short, how much is left and what is asked for. */
int pressure_check(const struct node *node, struct err *e);

#endif
