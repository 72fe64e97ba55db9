/* SPDX-License-Identifier: Apache-2.0 */
#include "node/build-fence.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "base/spawn.h"
#include "engine/network.h"
#include "node/firewall.h"
#include "node/name-server.h"
#include "node/node.h"

#include <jansson.h>
#include <string.h>

static int run_nft(const char *script, struct err *e)
{
	static const char *const argv[] = { "nft", "-f", "-", NULL };

	return spawn_wait(argv, script, e);
}

/* BuildKit's places in the network have names of their own; a container's is its id. */
static void spare_containers(const json_t *network, struct buf *rules)
{
	enum { CONTAINER_ID_LEN = 64 };
	const char *id;
	json_t *place;

	json_object_foreach (json_object_get(network, "Containers"), id, place) {
		const char *address = json_string_value(json_object_get(place, "IPv4Address"));

		if (strlen(id) == CONTAINER_ID_LEN && address && *address)
			buf_printf(rules, "  ip saddr %.*s accept\n", (int)strcspn(address, "/"),
				   address);
	}
}

/* Steps ask the host's name servers themselves, wherever those are. */
static void allow_name_servers(struct buf *rules)
{
	struct name_servers servers;

	name_servers_read(&servers);
	for (size_t i = 0; i < servers.count; i++)
		buf_printf(rules, "  ip daddr %s meta l4proto { tcp, udp } th dport 53 accept\n",
			   servers.addresses[i]);
}

static void write_chain(struct buf *rules, const char *hook, const char *bridge,
			const json_t *network, const char *verdict)
{
	buf_printf(rules,
		   " chain %s {\n"
		   "  type filter hook %s priority -151; policy accept;\n" /* before the engine's */
		   "  iifname != \"%s\" accept\n"
		   "  ct state established,related accept\n",
		   hook, hook, bridge);
	spare_containers(network, rules);
	buf_puts(rules, "  meta nfproto ipv6 drop\n");
	allow_name_servers(rules);
	buf_printf(rules, "  %s\n }\n", verdict);
}

int build_fence_install(const struct node *node, struct err *e)
{
	AUTO(json_t *, json_decrefp) network = NULL;
	static const char forward[] = "ip daddr { " FIREWALL_NOT_PUBLIC " } drop";
	const char *bridge = "docker0";
	struct buf rules = BUF_INIT;
	int r = engine_network_inspect(node->engine, "bridge", &network, e);

	if (r < 0)
		return r;
	json_unpack(network, "{s:{s:s}}", "Options", "com.docker.network.bridge.name", &bridge);
	buf_printf(&rules,
		   "add table inet ctfy_build_%s\ndelete table inet ctfy_build_%s\n"
		   "table inet ctfy_build_%s {\n",
		   node->id, node->id, node->id);
	write_chain(&rules, "input", bridge, network, "drop");
	write_chain(&rules, "forward", bridge, network, forward);
	buf_puts(&rules, "}\n");
	r = buf_check(&rules, e);
	if (r == 0)
		r = run_nft(rules.data, e);
	buf_done(&rules);
	return r < 0 ? err_wrap(e, "close the engine's default bridge for a build") : 0;
}

void build_fence_remove(const char *node_id)
{
	AUTO(char *, freep) script = strf("add table inet ctfy_build_%s\n"
					  "delete table inet ctfy_build_%s\n",
					  node_id, node_id);

	if (script)
		run_nft(script, NULL);
}
