/* SPDX-License-Identifier: Apache-2.0 */
#include "http/peer.h"

#include "base/err.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { V4_BITS_BEFORE = 96, BITS = 128, SOURCE_BITS = 64 };

static void map_v4(const struct in_addr *v4, struct in6_addr *ret)
{
	*ret = (struct in6_addr){ .s6_addr = { [10] = 0xff, [11] = 0xff } };
	memcpy(&ret->s6_addr[12], v4, sizeof(*v4));
}

bool peer_of_socket(const struct sockaddr *address, struct in6_addr *ret)
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;

	if (address->sa_family == AF_INET)
		map_v4(&v4->sin_addr, ret);
	else if (address->sa_family == AF_INET6)
		*ret = v6->sin6_addr;
	return address->sa_family == AF_INET || address->sa_family == AF_INET6;
}

static bool parse_bare(const char *text, struct in6_addr *ret)
{
	struct in_addr v4;

	if (inet_pton(AF_INET6, text, ret) == 1)
		return true;
	if (inet_pton(AF_INET, text, &v4) != 1)
		return false;
	map_v4(&v4, ret);
	return true;
}

static bool is_port(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits > 0 && digits <= 5 && text[digits] == '\0';
}

bool peer_parse(const char *text, size_t len, struct in6_addr *ret)
{
	char copy[INET6_ADDRSTRLEN + sizeof("[]:65535")], *end;

	if (len == 0 || len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (copy[0] == '[') {
		end = strchr(copy, ']');
		if (!end || (end[1] && (end[1] != ':' || !is_port(end + 2))))
			return false;
		*end = '\0';
		return inet_pton(AF_INET6, copy + 1, ret) == 1;
	}
	end = strchr(copy, ':');
	if (end && strchr(copy, '.') && !strchr(end + 1, ':')) {
		if (!is_port(end + 1))
			return false;
		*end = '\0';
	}
	return parse_bare(copy, ret);
}

void peer_format(const struct in6_addr *peer, char text[PEER_TEXT_SIZE])
{
	if (IN6_IS_ADDR_V4MAPPED(peer))
		inet_ntop(AF_INET, &peer->s6_addr[12], text, PEER_TEXT_SIZE);
	else
		inet_ntop(AF_INET6, peer, text, PEER_TEXT_SIZE);
}

void peer_source(const struct in6_addr *peer, char text[PEER_TEXT_SIZE])
{
	struct in6_addr network = *peer;

	peer_format(peer, text);
	if (IN6_IS_ADDR_V4MAPPED(peer))
		return;
	memset(&network.s6_addr[SOURCE_BITS / 8], 0, sizeof(network) - SOURCE_BITS / 8);
	peer_format(&network, text);
	snprintf(text + strlen(text), PEER_TEXT_SIZE - strlen(text), "/%d", SOURCE_BITS);
}

static int parse_network(const char *text, size_t len, struct network *ret, struct err *e)
{
	const char *slash = memchr(text, '/', len);
	size_t address_len = slash ? (size_t)(slash - text) : len;
	unsigned long bits = 0, most;
	char *end = NULL;

	if (!peer_parse(text, address_len, &ret->address))
		return err_set(e, ERR_INVALID, "'%.*s' is not an address, and not a network either",
			       (int)len, text);
	most = IN6_IS_ADDR_V4MAPPED(&ret->address) ? BITS - V4_BITS_BEFORE : BITS;
	bits = most;
	if (slash)
		bits = strtoul(slash + 1, &end, 10);
	if (slash && (end != text + len || end == slash + 1 || bits > most))
		return err_set(e, ERR_INVALID,
			       "the network '%.*s' needs 0 to %lu bits behind its /", (int)len,
			       text, most);
	ret->bits = (unsigned)(bits + BITS - most);
	return 0;
}

int networks_parse(const char *text, struct networks *ret_networks, struct err *e)
{
	struct networks networks = { .count = 0 };

	while (text && *text) {
		size_t len;
		int r;

		text += strspn(text, ", ");
		len = strcspn(text, ", ");
		if (len == 0)
			break;
		if (networks.count == NETWORKS_MAX)
			return err_set(e, ERR_INVALID, "more than %d networks", NETWORKS_MAX);
		r = parse_network(text, len, &networks.list[networks.count], e);
		if (r < 0)
			return r;
		networks.count++;
		text += len;
	}
	*ret_networks = networks;
	return 0;
}

static bool has_peer(const struct network *network, const struct in6_addr *peer)
{
	unsigned whole = network->bits / 8, rest = network->bits % 8;

	if (memcmp(&network->address, peer, whole) != 0)
		return false;
	return rest == 0 ||
	       (network->address.s6_addr[whole] ^ peer->s6_addr[whole]) >> (8 - rest) == 0;
}

bool networks_have(const struct networks *networks, const struct in6_addr *peer)
{
	for (size_t i = 0; i < networks->count; i++)
		if (has_peer(&networks->list[i], peer))
			return true;
	return false;
}
