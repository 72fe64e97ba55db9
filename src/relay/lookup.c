/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/lookup.h"

#include "base/err.h"
#include "base/own.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <resolv.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

enum {
	FRESH_MS = 1000,   /* so long an address is taken as it is */
	USABLE_MS = 10000, /* so long it is used while it is asked for again */
	RETRY_MS = 300,
	TRIES_MAX = 5,
	MESSAGE_MAX = 512, /* RFC 1035: of UDP */
};

static int connect_server(int fd, struct err *e)
{
	struct __res_state state = { 0 };
	struct sockaddr_in server;

	if (res_ninit(&state) < 0 || state.nscount < 1)
		return err_set(e, ERR_INTERNAL, "/etc/resolv.conf names no server");
	server = state.nsaddr_list[0];
	res_nclose(&state);
	if (server.sin_family != AF_INET)
		return err_set(e, ERR_INTERNAL, "/etc/resolv.conf: no IPv4 server comes first");
	return connect(fd, (const struct sockaddr *)&server, sizeof(server)) < 0
		       ? err_errno(e, ERR_INTERNAL, "name server")
		       : 0;
}

/* --- answers ------------------------------------------------------------------------------ */

static void settle(struct lookup *lookup, struct name *name, int64_t now_ms)
{
	name->asking = false;
	name->settled_ms = now_ms;
	lookup->settled(lookup->cookie, name);
}

static bool read_address(const uint8_t *message, size_t len, uint16_t id, struct in_addr *address)
{
	ns_msg parsed;
	ns_rr record;

	if (ns_initparse(message, (int)len, &parsed) < 0 || ns_msg_id(parsed) != id)
		return false;
	for (int i = 0; i < ns_msg_count(parsed, ns_s_an); i++) {
		if (ns_parserr(&parsed, ns_s_an, i, &record) < 0)
			return false;
		if (ns_rr_type(record) == ns_t_a && ns_rr_rdlen(record) == sizeof(*address)) {
			memcpy(address, ns_rr_rdata(record), sizeof(*address));
			return true;
		}
	}
	return false;
}

static struct name *find_asked(const struct lookup *lookup, uint16_t id)
{
	for (size_t i = 0; i < lookup->count; i++)
		if (lookup->names[i]->asking && lookup->names[i]->id == id)
			return lookup->names[i];
	return NULL;
}

static void take_answers(struct watch *watch, uint32_t events)
{
	struct lookup *lookup = (struct lookup *)watch;
	uint8_t message[MESSAGE_MAX];
	ssize_t len;

	(void)events;
	while ((len = recv(lookup->fd, message, sizeof(message), 0)) >= 0 ||
	       errno == ECONNREFUSED) {
		struct name *name;

		if (len < NS_HFIXEDSZ)
			continue;
		name = find_asked(lookup, (uint16_t)(message[0] << 8 | message[1]));
		if (!name)
			continue;
		name->known = read_address(message, (size_t)len, name->id, &name->address);
		settle(lookup, name, name->asked_ms);
	}
}

/* --- questions ---------------------------------------------------------------------------- */

/* RFC 1035, 4.1: one question for an address, to a server that asks others. 0: it is no name. */
static size_t write_question(uint8_t message[MESSAGE_MAX], const struct name *name)
{
	const uint8_t head[NS_HFIXEDSZ] = {
		(uint8_t)(name->id >> 8), (uint8_t)name->id, 1, 0, 0, 1
	};
	const uint8_t tail[NS_QFIXEDSZ] = { 0, ns_t_a, 0, ns_c_in };
	int len;

	memcpy(message, head, sizeof(head));
	len = dn_comp(name->host, message + sizeof(head),
		      MESSAGE_MAX - (int)(sizeof(head) + sizeof(tail)), NULL, NULL);
	if (len < 0)
		return 0;
	memcpy(message + sizeof(head) + len, tail, sizeof(tail));
	return sizeof(head) + (size_t)len + sizeof(tail);
}

static void ask(struct lookup *lookup, struct name *name, int64_t now_ms)
{
	uint8_t message[MESSAGE_MAX];
	size_t len;

	if (!name->asking && getrandom(&name->id, sizeof(name->id), GRND_NONBLOCK) < 0)
		name->id++;
	name->tries = name->asking ? name->tries + 1 : 1;
	name->asking = true;
	name->asked_ms = now_ms;
	len = write_question(message, name);
	/* What isn't sent is asked again, and settled at last by having no answer. */
	(void)!send(lookup->fd, message, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

enum name_state name_find(struct lookup *lookup, struct name *name, int64_t now_ms)
{
	int64_t age = now_ms - name->settled_ms;

	if (name->settled_ms == INT64_MAX) /* it is an address */
		return NAME_KNOWN;
	if (name->settled_ms > 0 && age < FRESH_MS)
		return name->known ? NAME_KNOWN : name->asking ? NAME_ASKED : NAME_UNKNOWN;
	if (!name->asking)
		ask(lookup, name, now_ms);
	return name->known && age < USABLE_MS ? NAME_KNOWN : NAME_ASKED;
}

void name_doubt(struct lookup *lookup, struct name *name, int64_t now_ms)
{
	if (name->settled_ms != INT64_MAX && !name->asking)
		ask(lookup, name, now_ms);
}

bool lookup_tick(struct lookup *lookup, int64_t now_ms)
{
	bool is_asking = false;

	for (size_t i = 0; i < lookup->count; i++) {
		struct name *name = lookup->names[i];

		if (name->asking && now_ms - name->asked_ms >= RETRY_MS) {
			if (name->tries < TRIES_MAX)
				ask(lookup, name, now_ms);
			else /* no answer says nothing against what is known */
				settle(lookup, name, now_ms);
		}
		is_asking |= name->asking;
	}
	return is_asking;
}

/* --- its life ----------------------------------------------------------------------------- */

int lookup_add(struct lookup *lookup, struct name *name, struct err *e)
{
	struct name **more = realloc(lookup->names, (lookup->count + 1) * sizeof(struct name *));

	if (!more)
		return err_memory(e);
	lookup->names = more;
	lookup->names[lookup->count++] = name;
	if (inet_pton(AF_INET, name->host, &name->address) == 1) {
		name->known = true;
		name->settled_ms = INT64_MAX;
	}
	return 0;
}

static bool all_are_addresses(const struct lookup *lookup)
{
	for (size_t i = 0; i < lookup->count; i++)
		if (lookup->names[i]->settled_ms != INT64_MAX)
			return false;
	return true;
}

int lookup_open(struct lookup *lookup, int loop, struct err *e)
{
	int r;

	lookup->watch.ready = take_answers;
	lookup->fd = -1;
	if (all_are_addresses(lookup))
		return 0;
	lookup->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (lookup->fd < 0)
		return err_errno(e, ERR_INTERNAL, "make a socket");
	r = connect_server(lookup->fd, e);
	return r < 0 ? r : loop_add(loop, lookup->fd, LOOP_EDGE, &lookup->watch, e);
}

void lookup_close(struct lookup *lookup)
{
	closep(&lookup->fd);
	lookup->fd = -1;
	free(lookup->names);
	lookup->names = NULL;
	lookup->count = 0;
}
