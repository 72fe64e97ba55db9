/* SPDX-License-Identifier: Apache-2.0 */
#include "http/proxy.h"

#include <errno.h>
#include <string.h>

enum { VERSION_2 = 2, LOCAL = 0, PROXIED = 1, TCP4 = 0x11, TCP6 = 0x21, SIZE4 = 12, SIZE6 = 36 };

static const unsigned char signature[12] = "\r\n\r\n\0\r\nQUIT\n";

static size_t size_of_rest(const struct proxy_header *header)
{
	return (size_t)header->bytes[14] << 8 | header->bytes[15];
}

static bool is_valid(const struct proxy_header *header)
{
	unsigned char version = header->bytes[12] >> 4, command = header->bytes[12] & 0xf;

	return memcmp(header->bytes, signature, sizeof(signature)) == 0 && version == VERSION_2 &&
	       (command == LOCAL || command == PROXIED) &&
	       PROXY_FIXED + size_of_rest(header) <= PROXY_MAX;
}

static size_t wanted(const struct proxy_header *header)
{
	return header->len < PROXY_FIXED ? PROXY_FIXED : PROXY_FIXED + size_of_rest(header);
}

enum proxy_state proxy_read(int fd, struct proxy_header *header)
{
	while (header->len < wanted(header)) {
		ssize_t n = recv(fd, header->bytes + header->len, wanted(header) - header->len,
				 MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return PROXY_MORE;
		if (n <= 0)
			return PROXY_INVALID;
		header->len += (size_t)n;
		if (header->len == PROXY_FIXED && !is_valid(header))
			return PROXY_INVALID;
	}
	return PROXY_WHOLE;
}

void proxy_address(const struct proxy_header *header, struct sockaddr_storage *address,
		   socklen_t *len)
{
	const unsigned char *rest = header->bytes + PROXY_FIXED;
	size_t size = size_of_rest(header);

	if ((header->bytes[12] & 0xf) != PROXIED)
		return;
	if (header->bytes[13] == TCP4 && size >= SIZE4) {
		struct sockaddr_in v4 = { .sin_family = AF_INET };

		memcpy(&v4.sin_addr, rest, sizeof(v4.sin_addr));
		memcpy(&v4.sin_port, rest + 8, sizeof(v4.sin_port));
		memcpy(address, &v4, *len = sizeof(v4));
	} else if (header->bytes[13] == TCP6 && size >= SIZE6) {
		struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

		memcpy(&v6.sin6_addr, rest, sizeof(v6.sin6_addr));
		memcpy(&v6.sin6_port, rest + 32, sizeof(v6.sin6_port));
		memcpy(address, &v6, *len = sizeof(v6));
	}
}
