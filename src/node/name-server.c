/* SPDX-License-Identifier: Apache-2.0 */
#include "node/name-server.h"

#include "base/file.h"
#include "base/own.h"

#include <stdio.h>
#include <string.h>

void name_servers_parse(const char *text, struct name_servers *ret_servers)
{
	const char *line = text;

	ret_servers->count = 0;
	while (line && ret_servers->count < NAME_SERVERS_MAX) {
		char server[64];
		struct in_addr in;

		if (sscanf(line, "nameserver%*[ \t]%63[0-9.]", server) == 1 &&
		    inet_pton(AF_INET, server, &in) == 1)
			inet_ntop(AF_INET, &in, ret_servers->addresses[ret_servers->count++],
				  sizeof(ret_servers->addresses[0]));
		line = strchr(line, '\n');
		line += line != NULL;
	}
}

void name_servers_read(struct name_servers *ret_servers)
{
	static const char *const files[] = { "/run/systemd/resolve/resolv.conf",
					     "/etc/resolv.conf" };
	AUTO(char *, freep) text = NULL;

	ret_servers->count = 0;
	if (file_read(files[0], 65536, &text, NULL, NULL) == 0 ||
	    file_read(files[1], 65536, &text, NULL, NULL) == 0)
		name_servers_parse(text, ret_servers);
}
