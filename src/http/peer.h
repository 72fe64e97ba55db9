/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of clients: read from text, written as one, and told apart.
 *
 * An IPv4 address is kept as IPv6 has it (::ffff:a.b.c.d), so that there is one kind.
 */
#ifndef HTTP_PEER_H
#define HTTP_PEER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

struct err;

enum { PEER_TEXT_SIZE = INET6_ADDRSTRLEN + 4 };

/* Of a socket. False: it has none, being a local one. */
bool peer_of_socket(const struct sockaddr *address, struct in6_addr *ret);

/* "192.0.2.1", "192.0.2.1:443", "2001:db8::1", "[2001:db8::1]:443"; nothing else is one. */
bool peer_parse(const char *text, size_t len, struct in6_addr *ret);

/* As people write it. */
void peer_format(const struct in6_addr *peer, char text[PEER_TEXT_SIZE]);

/*
 * What counts as one when it is counted: an IPv4 address, and of IPv6 the /64 that each customer of
 * a provider has to choose addresses from.
 */
void peer_source(const struct in6_addr *peer, char text[PEER_TEXT_SIZE]);

/* Networks, as a list with commas between: "127.0.0.0/8,::1". */
enum { NETWORKS_MAX = 32 };

struct networks {
	struct network {
		struct in6_addr address;
		unsigned bits;
	} list[NETWORKS_MAX];
	size_t count;
};

/* NULL is an empty list. Fails with INVALID. */
int networks_parse(const char *text, struct networks *ret_networks, struct err *e);
bool networks_have(const struct networks *networks, const struct in6_addr *peer);

#endif
