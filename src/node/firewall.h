/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Docker's own rules leave open, closed: an instance's containers reach each other, and
 * nothing else; and none of them fills a table of the host's.
 *
 * The rules are nftables, in tables of our own that no `iptables -F` and no engine touches. The
 * node's bridges carry a name prefix, so rules set once cover every network, now and later, without
 * a firewall call per instance:
 *
 *   inet ctfy    what comes from a bridge of ours and has a source that is not that bridge's is
 *                dropped; what stays within its bridge makes no entry among the host's
 *                connections; to the host itself, and out of its bridge, nothing new is let, unless
 *                the bridge is an open one and the target a public address or a name server of the
 *                host's; into a bridge only what a published port was asked for
 *   bridge ctfy  a port of a bridge belongs to the first address it speaks from: the MAC and the IP
 *                address of its container. Others' are dropped, in ARP, too
 *   arp ctfy     the host learns no neighbour that is none of the nodes'
 *   ip ctfy-ID   of one node: how many connections an instance, and a client, may have, and where
 *                a closed network's questions for names go
 *
 * All but the last are the same whatever node sets them. Several nodes of a host set them alike,
 * and add their own addresses to the sets in them.
 */
#ifndef NODE_FIREWALL_H
#define NODE_FIREWALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct firewall;

/* Private, shared and link-local addresses (a cloud's metadata): they lead to the host's own
 * networks. */
#define FIREWALL_NOT_PUBLIC                                                                  \
	"0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, " \
	"192.168.0.0/16"

/* Linux takes 15 characters for an interface's name. */
enum { BRIDGE_NAME_SIZE = 16 };

/* The bridge of one network: named after its owner, open to the outside or closed. */
void firewall_bridge_name(const char *project, const char *network, bool egress,
			  char name[BRIDGE_NAME_SIZE]);

/* Borrowed for as long as the firewall is there. */
struct firewall_options {
	const char *node_id;
	const char *subnets; /* CIDR: the node's own */
	/* Podman's containers ask for names at their own bridge's address, Docker's within
	 * themselves. */
	bool names_on_bridges;
	uint16_t names_port; /* where a closed network's questions for names are answered */
	int64_t instance_connections, client_connections;
};

/*
 * Puts the rules in place; needs root and nft. Fails with INTERNAL. A kernel without nftables'
 * bridge family goes without its rules, with a warning in the log: firewall_guards_ports().
 */
int firewall_open(const struct firewall_options *options, struct firewall **ret_firewall,
		  struct err *e);
/* The rules stay. */
void firewall_close(struct firewall *firewall);

/* Looks whether the rules are as they were set; 1: they were not, and have been set again. */
int firewall_keep(struct firewall *firewall, struct err *e);
/* How often they had to be. */
int64_t firewall_repairs(const struct firewall *firewall);
/* Whether a container is held to its own addresses within its own network. */
bool firewall_guards_ports(const struct firewall *firewall);

/* Takes away what is one node's; and all of it. */
int firewall_remove_node(const char *node_id, struct err *e);
int firewall_remove(struct err *e);

#endif
