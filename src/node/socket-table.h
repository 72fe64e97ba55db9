/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who listens in a container, as the kernel tells of its network: /proc/PID/net.
 *
 * No connection is made, so that a service that serves one and ends goes on waiting for its player.
 */
#ifndef NODE_SOCKET_TABLE_H
#define NODE_SOCKET_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum listens {
	LISTENS_UNKNOWN, /* there is no such table for us: the engine is elsewhere, or it has ended
			  */
	LISTENS_NOT,
	LISTENS_LOOPBACK, /* on 127.0.0.0/8 or ::1 alone: nobody outside of the container comes
			     there */
	LISTENS_OUTSIDE,
};

/* pid: the container's first process. protocol: "tcp" or "udp". */
enum listens socket_table_listens(int pid, const char *protocol, uint16_t port);

/* The same of one table as /proc has it, of TCP or UDP; never UNKNOWN. */
enum listens socket_table_read(FILE *table, bool tcp, uint16_t port);

#endif
