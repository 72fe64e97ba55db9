/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of the firewall's that belong to nodes which are not coming back, and which nobody cleaned
 * up after.
 *
 * A node that has ended leaves its table behind on purpose: its instances go on running behind it.
 * It is gone where no process has its claim, this engine has nothing that carries its label, and
 * the host has no bridge of any engine's with an address of its subnets.
 */
#ifndef NODE_STALE_TABLE_H
#define NODE_STALE_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct node;

/*
 * Removes them. A node that starts in this very moment may lose its table as well, and sets it
 * again with its next look (firewall_keep()). Fails with INTERNAL, or as the engine does.
 */
int stale_tables_remove(struct node *node, struct err *e);

/* The node in a line of `nft list tables`: its length, 0 where the table is no node's own. */
size_t stale_table_owner(const char *line, const char **ret_id);

/*
 * Whether an address (network's byte order) lies in a subnet that a node's table speaks of. What
 * can't be read is taken for one that it does.
 */
bool stale_table_covers(const char *listing, unsigned address);

#endif
