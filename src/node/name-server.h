/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name servers that this host asks, for rules that let others ask them too.
 */
#ifndef NODE_NAME_SERVER_H
#define NODE_NAME_SERVER_H

#include <arpa/inet.h>
#include <stddef.h>

enum { NAME_SERVERS_MAX = 16 }; /* a resolver asks three */

struct name_servers {
	char addresses[NAME_SERVERS_MAX][INET_ADDRSTRLEN]; /* IPv4 */
	size_t count;
};

/* Those that systemd-resolved asks, else those of /etc/resolv.conf; none where neither is there. */
void name_servers_read(struct name_servers *ret_servers);

/* Those of a resolv.conf(5). */
void name_servers_parse(const char *text, struct name_servers *ret_servers);

#endif
