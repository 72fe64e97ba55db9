/* SPDX-License-Identifier: Apache-2.0 */
#include "node/socket-table.h"

#include "base/buf.h"
#include "base/own.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* Linux's include/net/tcp_states.h: a TCP socket that listens, a UDP socket without a peer. */
enum { STATE_UDP_OPEN = 0x07, STATE_LISTEN = 0x0a };

/* One or four words in the machine's byte order, eight digits each, as the kernel keeps them. */
static bool is_loopback(const char *digits, size_t len)
{
	struct in6_addr address;
	char word[9] = "";

	for (size_t i = 0; i < len / 8 && i < 4; i++) {
		uint32_t value;

		memcpy(word, digits + i * 8, 8);
		value = (uint32_t)strtoul(word, NULL, 16);
		memcpy(&address.s6_addr[i * 4], &value, sizeof(value));
	}
	if (len == 8)
		return address.s6_addr[0] == IN_LOOPBACKNET;
	return len == 32 &&
	       (IN6_IS_ADDR_LOOPBACK(&address) ||
		(IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == IN_LOOPBACKNET));
}

enum listens socket_table_read(FILE *table, bool tcp, uint16_t port)
{
	AUTO(char *, freep) line = NULL;
	enum listens found = LISTENS_NOT;
	size_t size = 0;

	while (found != LISTENS_OUTSIDE && getline(&line, &size, table) > 0) {
		char address[33];
		unsigned local, state;

		/* "  0: 0100007F:1F90 00000000:0000 0A ...", after a line of headings */
		if (sscanf(line, " %*u: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x", address, &local,
			   &state) != 3)
			continue;
		if (tcp && state != STATE_LISTEN)
			break; /* listeners come first; then connections, of which there may be many
				*/
		if (local != port || state != (tcp ? STATE_LISTEN : STATE_UDP_OPEN))
			continue;
		found = is_loopback(address, strlen(address)) ? LISTENS_LOOPBACK : LISTENS_OUTSIDE;
	}
	return found;
}

enum listens socket_table_listens(int pid, const char *protocol, uint16_t port)
{
	static const char *const versions[] = { "", "6" };
	bool tcp = strcmp(protocol, "tcp") == 0;
	enum listens found = LISTENS_UNKNOWN;

	for (size_t i = 0; pid > 0 && i < ARRAY_SIZE(versions); i++) {
		AUTO(char *, freep) path = strf("/proc/%d/net/%s%s", pid, protocol, versions[i]);
		FILE *table = path ? fopen(path, "re") : NULL;
		enum listens here;

		if (!table)
			continue;
		here = socket_table_read(table, tcp, port);
		fclose(table);
		found = here > found ? here : found;
	}
	return found;
}
