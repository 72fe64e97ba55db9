/* SPDX-License-Identifier: Apache-2.0 */
#include "node/stale-table.h"

#include "base/buf.h"
#include "base/claim.h"
#include "base/err.h"
#include "base/id.h"
#include "base/log.h"
#include "base/own.h"
#include "base/spawn.h"
#include "node/build-fence.h"
#include "node/clean.h"
#include "node/compose.h"
#include "node/firewall.h"
#include "node/labelled.h"
#include "node/node.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>

enum { LISTING_MAX = 1 << 20 };

static const char own_table[] = "table ip ctfy-";
static const char fence[] = "table inet ctfy_build_";

/* Letters and digits, as id_random() makes them: no other table of that form is a node's. */
size_t stale_table_owner(const char *line, const char **ret_id)
{
	const char *id = strncmp(line, own_table, strlen(own_table)) == 0 ? line + strlen(own_table)
			 : strncmp(line, fence, strlen(fence)) == 0       ? line + strlen(fence)
									  : NULL;
	size_t len = id ? strspn(id, "abcdefghijklmnopqrstuvwxyz234567") : 0;

	if (!len || len >= ID_SIZE || (id[len] != '\n' && id[len] != '\0'))
		return 0;
	*ret_id = id;
	return len;
}

bool stale_table_covers(const char *listing, unsigned address)
{
	const char *at = strstr(listing, "ip daddr ");
	unsigned prefix = 0;
	struct in_addr in;
	char text[16];

	if (!at || sscanf(at, "ip daddr %15[0-9.]/%u", text, &prefix) != 2 || prefix == 0 ||
	    prefix > 32 || inet_pton(AF_INET, text, &in) != 1)
		return true;
	return ((ntohl(address) ^ ntohl(in.s_addr)) & (UINT32_MAX << (32 - prefix))) == 0;
}

/* Whoever's engine made them: of bridges that an instance could be behind. */
static bool has_bridges(const char *listing)
{
	struct ifaddrs *all = NULL;
	bool found = false;

	if (getifaddrs(&all) < 0)
		return true;
	for (const struct ifaddrs *one = all; one; one = one->ifa_next) {
		struct sockaddr_in in;

		if (!one->ifa_addr || one->ifa_addr->sa_family != AF_INET ||
		    strncmp(one->ifa_name, "cfy", 3) != 0)
			continue;
		memcpy(&in, one->ifa_addr, sizeof(in));
		found = found || stale_table_covers(listing, in.sin_addr.s_addr);
	}
	freeifaddrs(all);
	return found;
}

static int has_objects(struct node *node, const char *id, struct err *e)
{
	AUTO(char *, freep) label = strf(LABEL_NODE "=%s", id);
	const char *const labels[] = { label, NULL };
	size_t count = 0;
	int r = label ? 0 : err_memory(e);

	for (int kind = 0; r == 0 && kind < LABELLED_KINDS; kind++) {
		AUTO(json_t *, json_decrefp) found = NULL;

		r = labelled_list(node->engine, kind, labels, &found, e);
		count += json_object_size(found);
	}
	return r < 0 ? r : count > 0;
}

/* 1: nobody has it, as far as this engine goes; 0: it may come back. */
static int is_gone(struct node *node, const char *id, struct err *e)
{
	AUTO(char *, freep) claim = strf(NODE_CLAIM "%s", id);
	int r;

	if (!claim)
		return err_memory(e);
	if (strcmp(id, node->id) == 0 || is_claimed(claim))
		return 0;
	r = has_objects(node, id, e);
	return r < 0 ? r : !r;
}

/* 1: another engine may have what it is there for. */
static int is_needed(const char *id, struct err *e)
{
	AUTO(char *, freep) table = strf("ctfy-%s", id);
	const char *const argv[] = { "nft", "list", "table", "ip", table, NULL };
	struct buf listing = BUF_LIMITED(LISTING_MAX);
	int r = table ? spawn_read(argv, NULL, &listing, e) : err_memory(e);

	if (r == 0)
		r = has_bridges(listing.data);
	buf_done(&listing);
	return r;
}

static int remove_if_gone(struct node *node, const char *id, bool is_fence, struct err *e)
{
	int r = is_gone(node, id, e);

	if (r <= 0)
		return r;
	if (is_fence) {
		build_fence_remove(id); /* of a build that was cut short with its node */
		return 0;
	}
	r = is_needed(id, e);
	if (r != 0)
		return r < 0 ? r : 0;
	log_info("removing the firewall's table of node '%s', which is gone", id);
	return firewall_remove_node(id, e);
}

int stale_tables_remove(struct node *node, struct err *e)
{
	static const char *const argv[] = { "nft", "list", "tables", NULL };
	struct buf tables = BUF_LIMITED(LISTING_MAX);
	int r = spawn_read(argv, NULL, &tables, e);

	for (const char *line = tables.data; r == 0 && line && *line;) {
		const char *id, *end = strchr(line, '\n');
		size_t len = stale_table_owner(line, &id);
		char name[ID_SIZE];

		snprintf(name, sizeof(name), "%.*s", (int)len, len ? id : "");
		if (len)
			r = remove_if_gone(node, name, line[strlen("table i")] == 'n', e);
		line = end ? end + 1 : NULL;
	}
	buf_done(&tables);
	return r < 0 ? err_wrap(e, "look for tables of nodes that are gone") : 0;
}
