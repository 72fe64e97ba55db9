/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header that a proxy begins a connection with to say whose it is: the PROXY protocol, version
 * 2 (HAProxy's doc/proxy-protocol.txt). Version 1, the one of text, is refused.
 */
#ifndef HTTP_PROXY_H
#define HTTP_PROXY_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum {
	PROXY_FIXED = 16,
	/* More than addresses and what else proxies tell takes. */
	PROXY_MAX = 1024,
};

struct proxy_header {
	size_t len; /* of bytes */
	unsigned char bytes[PROXY_MAX];
};

enum proxy_state {
	PROXY_MORE,    /* is to come */
	PROXY_WHOLE,   /* what follows is the client's */
	PROXY_INVALID, /* or the connection has ended */
};

/* Reads on from a socket that doesn't block, and not a byte too much. */
enum proxy_state proxy_read(int fd, struct proxy_header *header);

/* Of a whole one: the client's address; where it tells none, address stays what it was. */
void proxy_address(const struct proxy_header *header, struct sockaddr_storage *address,
		   socklen_t *len);

#endif
