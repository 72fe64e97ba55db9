/* SPDX-License-Identifier: Apache-2.0 */
#include "node/port.h"

#include "base/err.h"
#include "base/own.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct ports {
	pthread_mutex_t lock;
	struct in_addr bind;
	uint16_t first;
	uint32_t count;
	uint32_t
		next; /* a freed port rests before its next use: players' tools may still dial it */
	uint32_t in_use;
	bool taken[];
};

int ports_new(const char *range, const char *bind_address, struct ports **ret_ports, struct err *e)
{
	struct ports *ports;
	struct in_addr address;
	unsigned first, last;
	int used = 0;

	if (sscanf(range, "%5u-%5u%n", &first, &last, &used) != 2 || range[used] || first < 1 ||
	    last > 65535 || last < first)
		return err_set(e, ERR_INVALID, "'%s' is not a range of ports such as 20000-29999",
			       range);
	if (inet_pton(AF_INET, bind_address, &address) != 1)
		return err_set(e, ERR_INVALID, "'%s' is not an IPv4 address to bind to",
			       bind_address);
	ports = calloc(1, sizeof(*ports) + (last - first + 1));
	if (!ports)
		return err_memory(e);
	pthread_mutex_init(&ports->lock, NULL);
	ports->bind = address;
	ports->first = (uint16_t)first;
	ports->count = last - first + 1;
	*ret_ports = ports;
	return 0;
}

void ports_free(struct ports *ports)
{
	if (!ports)
		return;
	pthread_mutex_destroy(&ports->lock);
	free(ports);
}

/* 1: it is free; 0: it isn't. */
static int can_bind(struct in_addr address, uint16_t port, int type, struct err *e)
{
	AUTO(int, closep) fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr = address };
	int on = 1;

	if (fd < 0)
		return err_errno(e, ERR_UNAVAILABLE, "look whether port %u is free", port);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	return bind(fd, (const struct sockaddr *)&in, sizeof(in)) == 0;
}

static int is_free(struct in_addr address, uint16_t port, struct err *e)
{
	int r = can_bind(address, port, SOCK_STREAM, e);

	return r > 0 ? can_bind(address, port, SOCK_DGRAM, e) : r;
}

int ports_take(struct ports *ports, uint16_t *ret_port, struct err *e)
{
	int r = err_set(e, ERR_UNAVAILABLE, "no port is free in %u-%u", ports->first,
			ports->first + ports->count - 1);

	pthread_mutex_lock(&ports->lock);
	for (uint32_t tries = 0; tries < ports->count; tries++) {
		uint32_t at = (ports->next + tries) % ports->count;
		uint16_t port = (uint16_t)(ports->first + at);

		int found = ports->taken[at] ? 0 : is_free(ports->bind, port, e);

		if (found == 0)
			continue;
		if (found < 0) { /* nor will there be a socket for the next one */
			r = found;
			break;
		}
		ports->taken[at] = true;
		ports->in_use++;
		ports->next = at + 1;
		*ret_port = port;
		r = 0;
		break;
	}
	pthread_mutex_unlock(&ports->lock);
	return r;
}

static void mark(struct ports *ports, uint16_t port, bool taken)
{
	if (port < ports->first || port >= ports->first + ports->count)
		return;
	pthread_mutex_lock(&ports->lock);
	if (ports->taken[port - ports->first] != taken)
		ports->in_use += taken ? 1 : UINT32_MAX;
	ports->taken[port - ports->first] = taken;
	pthread_mutex_unlock(&ports->lock);
}

void ports_claim(struct ports *ports, uint16_t port)
{
	mark(ports, port, true);
}

void ports_release(struct ports *ports, uint16_t port)
{
	mark(ports, port, false);
}

size_t ports_left(struct ports *ports)
{
	size_t left;

	pthread_mutex_lock(&ports->lock);
	left = ports->count - ports->in_use;
	pthread_mutex_unlock(&ports->lock);
	return left;
}
