/* SPDX-License-Identifier: Apache-2.0 */
#include "node/firewall.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "base/secret.h"
#include "base/spawn.h"
#include "node/name-server.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LISTING_MAX = 1 << 20 };

struct firewall {
	struct firewall_options options;
	bool guards_ports;
	char *listing; /* what nft says of our tables when nobody has touched them */
	atomic_llong repairs;
};

void firewall_bridge_name(const char *project, const char *network, bool egress,
			  char name[BRIDGE_NAME_SIZE])
{
	struct buf b = BUF_INIT;
	char hash[SECRET_HASH_SIZE];

	buf_printf(&b, "%s/%s", project, network);
	secret_hash(b.data, hash);
	snprintf(name, BRIDGE_NAME_SIZE, "cfy%c%.11s", egress ? 'o' : 'c', hash);
	buf_done(&b);
}

/*
 * "flush table" takes a table's rules out, not what its sets have in them; with what follows it is
 * one transaction, so there is no moment without rules. Whatever has a rule in a chain of ours is
 * dropped by it for good; what we accept, others' chains may still drop.
 *
 * "fib saddr . iif oif missing": the host would not send to that source by the interface that it
 * comes from. "fib daddr . iif oif exists": the target is on the network that it comes from.
 */
static const char rules_inet[] =
	"add table inet ctfy\n"
	"flush table inet ctfy\n"
	"table inet ctfy {\n"
	"	set name_servers { type ipv4_addr; }\n"
	"	set responders { type inet_service; }\n"
	"	set asked_bridges { type ipv4_addr; flags interval; }\n"
	"	chain prerouting {\n"
	"		type filter hook prerouting priority raw; policy accept;\n"
	"		iifname != \"cfy*\" accept\n"
	"		meta nfproto ipv6 drop\n"
	"		fib saddr . iif oif missing drop\n"
	"		fib daddr . iif oif exists notrack\n"
	"	}\n"
	"	chain input {\n"
	"		type filter hook input priority mangle; policy accept;\n"
	"		iifname != \"cfy*\" accept\n"
	"		ct state established,related accept\n"
	"		ip saddr @asked_bridges fib daddr . iif type local meta l4proto { tcp, udp "
	"} "
	"th dport 53 accept\n"
	"		ct status dnat meta l4proto { tcp, udp } th dport @responders accept\n"
	"		drop\n"
	"	}\n"
	"	chain forward {\n"
	"		type filter hook forward priority mangle; policy accept;\n"
	"		ct state established,related accept\n"
	"		oifname \"cfy*\" goto enter\n"
	"		iifname \"cfyo*\" ip daddr @name_servers meta l4proto { tcp, udp } "
	"th dport 53 accept\n"
	"		iifname \"cfy*\" ip daddr { " FIREWALL_NOT_PUBLIC " } drop\n"
	"		iifname \"cfyo*\" accept\n"
	"		iifname \"cfy*\" drop\n"
	"	}\n"
	"	chain enter {\n"
	"		iifname \"cfy*\" fib daddr . iif oif exists accept\n"
	"		iifname \"cfy*\" drop\n"
	"		ct status dnat accept\n"
	"		drop\n"
	"	}\n"
	"}\n"
	"flush set inet ctfy name_servers\n";

/*
 * Ports of bridges have names of the engine's, and not every kernel tells which bridge they are of:
 * they are known as ours by the addresses that come from them. The number of an interface is not
 * used again, its name is (by Podman). A port of a container that was removed is forgotten after a
 * day; one that lives says something by ARP before.
 */
static const char rules_bridge[] =
	"add table bridge ctfy\n"
	"flush table bridge ctfy\n"
	"table bridge ctfy {\n"
	"	set subnets { type ipv4_addr; flags interval; }\n"
	"	set ports { type iface_index; size 262144; flags dynamic,timeout; timeout 1d; }\n"
	"	set macs { type iface_index . ether_addr; size 262144; flags dynamic,timeout; "
	"timeout 1d; }\n"
	"	set addresses { type iface_index . ether_addr . ipv4_addr; size 262144; "
	"flags dynamic,timeout; timeout 1d; }\n"
	"	chain prerouting {\n"
	"		type filter hook prerouting priority filter; policy accept;\n"
	"		iif @ports goto bound\n"
	"		ip saddr @subnets add @macs { iif . ether saddr } "
	"add @addresses { iif . ether saddr . ip saddr } add @ports { iif }\n"
	"		arp saddr ip @subnets add @macs { iif . ether saddr } "
	"add @addresses { iif . ether saddr . arp saddr ip } add @ports { iif }\n"
	"	}\n"
	"	chain bound {\n"
	"		iif . ether saddr . ip saddr @addresses accept\n"
	"		iif . ether saddr != @macs drop\n"
	"		ether type ip drop\n"
	"		ether type != arp accept\n"
	"		arp saddr ip 0.0.0.0 accept\n" /* a question whether an address is taken */
	"		iif . arp saddr ether . arp saddr ip != @addresses drop\n"
	"		update @ports { iif } update @macs { iif . ether saddr } "
	"update @addresses { iif . ether saddr . arp saddr ip }\n"
	"	}\n"
	"}\n"
	"add table arp ctfy\n"
	"flush table arp ctfy\n"
	"table arp ctfy {\n"
	"	set subnets { type ipv4_addr; flags interval; }\n"
	"	chain input {\n"
	"		type filter hook input priority filter; policy accept;\n"
	"		iifname \"cfy*\" arp saddr ip != 0.0.0.0 arp saddr ip != @subnets drop\n"
	"	}\n"
	"}\n";

/* Open networks may ask the host's name servers, wherever those are. */
static void add_name_servers(struct buf *rules)
{
	struct name_servers servers;

	name_servers_read(&servers);
	for (size_t i = 0; i < servers.count; i++)
		buf_printf(rules, "add element inet ctfy name_servers { %s }\n",
			   servers.addresses[i]);
}

/* The connections of one instance are those of its bridge, from outside or, of an open one, to it.
 */
static void add_node(const struct firewall_options *o, struct buf *rules)
{
	buf_printf(rules,
		   "add table ip ctfy-%s\n"
		   "delete table ip ctfy-%s\n"
		   "table ip ctfy-%s {\n"
		   "	set instances { type ifname; size 65535; flags dynamic; }\n"
		   "	set clients { type ipv4_addr; size 65535; flags dynamic; }\n"
		   "	chain forward {\n"
		   "		type filter hook forward priority mangle + 1; policy accept;\n"
		   "		ct state != new accept\n"
		   "		iifname != \"cfy*\" oifname \"cfy*\" ip daddr %s "
		   "add @clients { ip saddr ct count over %" PRId64 " } drop\n"
		   "		iifname != \"cfy*\" oifname \"cfy*\" ip daddr %s "
		   "add @instances { oifname ct count over %" PRId64 " } drop\n"
		   "		iifname \"cfyo*\" oifname != \"cfy*\" ip saddr %s "
		   "add @instances { iifname ct count over %" PRId64 " } drop\n"
		   "	}\n",
		   o->node_id, o->node_id, o->node_id, o->subnets, o->client_connections,
		   o->subnets, o->instance_connections, o->subnets, o->instance_connections);
	if (o->names_port)
		buf_printf(rules,
			   "	chain names {\n"
			   "		type nat hook prerouting priority dstnat - 1; policy "
			   "accept;\n"
			   "		iifname \"cfyc*\" ip saddr %s meta l4proto { tcp, udp } "
			   "th dport 53 fib daddr . iif oif missing redirect to :%u\n"
			   "	}\n"
			   "	chain input {\n"
			   "		type filter hook input priority mangle + 1; policy "
			   "accept;\n"
			   "		meta l4proto { tcp, udp } th dport != %u accept\n"
			   "		iifname != \"cfyc*\" drop\n"
			   "		ct state new add @instances { iifname ct count over "
			   "%" PRId64 " } drop\n"
			   "	}\n",
			   o->subnets, o->names_port, o->names_port, o->instance_connections);
	buf_puts(rules, "}\n");
	if (o->names_port)
		buf_printf(rules, "add element inet ctfy responders { %u }\n", o->names_port);
	if (o->names_on_bridges)
		buf_printf(rules, "add element inet ctfy asked_bridges { %s }\n", o->subnets);
}

/* As one transaction. */
static int load(const struct buf *rules, struct err *e)
{
	const char *const argv[] = { "nft", "-f", "-", NULL };
	int r = buf_check(rules, e);

	return r < 0 ? r : spawn_wait(argv, rules->data, e);
}

/* What an earlier version set by the same names and otherwise goes with what it has in it. */
static int load_anew(const char *tables, struct buf *rules, struct err *e)
{
	struct buf anew = BUF_INIT;
	int r = load(rules, NULL);

	if (r < 0) {
		buf_puts(&anew, tables);
		buf_put(&anew, rules->data, rules->len);
		r = load(&anew, e);
	}
	buf_done(&anew);
	return r;
}

static int load_inet(const struct firewall_options *options, struct err *e)
{
	struct buf rules = BUF_INIT;
	int r;

	buf_puts(&rules, rules_inet);
	add_name_servers(&rules);
	add_node(options, &rules);
	r = load_anew("add table inet ctfy\ndelete table inet ctfy\n", &rules, e);
	buf_done(&rules);
	return r;
}

static int load_bridge(const struct firewall_options *options, struct err *e)
{
	struct buf rules = BUF_INIT;
	int r;

	buf_puts(&rules, rules_bridge);
	buf_printf(&rules,
		   "add element bridge ctfy subnets { %s }\nadd element arp ctfy subnets { %s }\n",
		   options->subnets, options->subnets);
	r = load_anew("add table bridge ctfy\ndelete table bridge ctfy\n"
		      "add table arp ctfy\ndelete table arp ctfy\n",
		      &rules, e);
	buf_done(&rules);
	return r;
}

/* Without what the sets hold, which comes and goes. */
static int list_table(const char *family, const char *table, struct buf *listing, struct err *e)
{
	const char *const argv[] = { "nft", "-s", "-t", "list", "table", family, table, NULL };

	return spawn_read(argv, NULL, listing, e);
}

/* One by one: nft 1.0.6 finds only the first of several in one run. */
static int list(const struct firewall *firewall, struct buf *ret_listing, struct err *e)
{
	AUTO(char *, freep) own = strf("ctfy-%s", firewall->options.node_id);
	int r = own ? list_table("inet", "ctfy", ret_listing, e) : err_memory(e);

	if (r == 0)
		r = list_table("ip", own, ret_listing, e);
	if (r == 0 && firewall->guards_ports)
		r = list_table("bridge", "ctfy", ret_listing, e);
	if (r == 0 && firewall->guards_ports)
		r = list_table("arp", "ctfy", ret_listing, e);
	return r;
}

static int install(struct firewall *firewall, struct err *e)
{
	struct buf listing = BUF_LIMITED(LISTING_MAX);
	struct err why = ERR_INIT;
	int r = load_inet(&firewall->options, e);

	if (r == 0) {
		bool guarded = firewall->guards_ports;

		firewall->guards_ports = load_bridge(&firewall->options, &why) == 0;
		if (guarded && !firewall->guards_ports)
			log_warn("containers are not held to their own addresses within their "
				 "networks, which takes nftables' bridge family: %s",
				 why.msg);
		r = list(firewall, &listing, e);
	}
	if (r == 0) {
		free(firewall->listing);
		firewall->listing = strndup(listing.data, listing.len);
		r = firewall->listing ? 0 : err_memory(e);
	}
	buf_done(&listing);
	return r < 0 ? err_wrap(e, "set the firewall's rules") : 0;
}

int firewall_open(const struct firewall_options *options, struct firewall **ret_firewall,
		  struct err *e)
{
	AUTO(struct firewall *, freep) firewall = calloc(1, sizeof(*firewall));
	int r;

	if (!firewall)
		return err_memory(e);
	firewall->options = *options;
	firewall->guards_ports = true; /* until the kernel says that it can't */
	r = install(firewall, e);
	if (r == 0)
		*ret_firewall = TAKE(firewall);
	return r;
}

void firewall_close(struct firewall *firewall)
{
	if (!firewall)
		return;
	free(firewall->listing);
	free(firewall);
}

static bool is_intact(const struct firewall *firewall)
{
	struct buf listing = BUF_LIMITED(LISTING_MAX);
	bool intact = list(firewall, &listing, NULL) == 0 && firewall->listing &&
		      strcmp(listing.data, firewall->listing) == 0;

	buf_done(&listing);
	return intact;
}

int firewall_keep(struct firewall *firewall, struct err *e)
{
	int r;

	if (is_intact(firewall))
		return 0;
	r = install(firewall, e);
	if (r < 0)
		return r;
	atomic_fetch_add(&firewall->repairs, 1);
	return 1;
}

int64_t firewall_repairs(const struct firewall *firewall)
{
	return atomic_load(&firewall->repairs);
}

bool firewall_guards_ports(const struct firewall *firewall)
{
	return firewall->guards_ports;
}

static int remove_table(const char *family, const char *table, struct err *e)
{
	struct buf commands = BUF_INIT;
	int r;

	buf_printf(&commands, "add table %s %s\ndelete table %s %s\n", family, table, family,
		   table);
	r = load(&commands, e);
	buf_done(&commands);
	return r;
}

int firewall_remove_node(const char *node_id, struct err *e)
{
	AUTO(char *, freep) table = strf("ctfy-%s", node_id);

	return table ? remove_table("ip", table, e) : err_memory(e);
}

int firewall_remove(struct err *e)
{
	int r = remove_table("inet", "ctfy", e);

	if (r == 0 && remove_table("bridge", "ctfy", NULL) == 0)
		r = remove_table("arp", "ctfy", e);
	return r;
}
