#include "node/firewall.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "base/secret.h"
#include "base/spawn.h"

#include <stdio.h>
#include <string.h>

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
 * For iptables-restore --noflush: a chain that is declared is emptied first, all in one commit.
 * Addresses that lead to the host's own networks: private, shared, link-local (cloud metadata).
 */
static const char rules_input[] = "*filter\n"
				  ":CTFY-INPUT - [0:0]\n";
static const char *const bridge_names[] = {
	"-A CTFY-INPUT -p udp --dport 53 -m addrtype --dst-type LOCAL --limit-iface-in -j RETURN\n",
	"-A CTFY-INPUT -p tcp --dport 53 -m addrtype --dst-type LOCAL --limit-iface-in -j RETURN\n",
};
static const char rules_forward[] =
	"-A CTFY-INPUT -j DROP\n"
	"COMMIT\n"
	"*mangle\n"
	":CTFY-FORWARD - [0:0]\n"
	"-A CTFY-FORWARD -o cfy+ -m physdev --physdev-is-bridged -j RETURN\n"
	"-A CTFY-FORWARD -o cfy+ -j DROP\n";
static const char *const not_public[] = {
	"0.0.0.0/8",      "10.0.0.0/8",    "100.64.0.0/10",  "127.0.0.0/8",
	"169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
};
static const char rules_tail[] = "-A CTFY-FORWARD -i cfyo+ -j RETURN\n"
				 "-A CTFY-FORWARD -j DROP\n"
				 "COMMIT\n";

/* Instances have no IPv6; a privileged one that gives itself some gets nowhere with it. */
static const char rules_v6[] = "*filter\n"
			       ":CTFY-INPUT - [0:0]\n"
			       "-A CTFY-INPUT -j DROP\n"
			       "COMMIT\n"
			       "*mangle\n"
			       ":CTFY-FORWARD - [0:0]\n"
			       "-A CTFY-FORWARD -j DROP\n"
			       "COMMIT\n";

static const char rules_none[] = "*filter\n"
				 ":CTFY-INPUT - [0:0]\n"
				 "-X CTFY-INPUT\n"
				 "COMMIT\n"
				 "*mangle\n"
				 ":CTFY-FORWARD - [0:0]\n"
				 "-X CTFY-FORWARD\n"
				 "COMMIT\n";

/*
 * Where our chains are entered from. Forwarding is judged in the mangle table: in its own table the
 * engine takes rules out and puts them back whenever it makes a network, and through such a gap an
 * instance reaches everything.
 */
struct jump {
	const char *program, *table, *from, *to;
};

static const struct jump jumps[] = {
	{ "iptables", "filter", "INPUT", "CTFY-INPUT" },
	{ "iptables", "mangle", "FORWARD", "CTFY-FORWARD" },
	{ "ip6tables", "filter", "INPUT", "CTFY-INPUT" },
	{ "ip6tables", "mangle", "FORWARD", "CTFY-FORWARD" },
};

static int jump_do(const char *action, const struct jump *jump, struct err *e)
{
	const char *const argv[] = { jump->program,
				     "-w",
				     "10",
				     "-t",
				     jump->table,
				     action,
				     jump->from,
				     "-i",
				     "cfy+",
				     "-m",
				     "conntrack",
				     "--ctstate",
				     "NEW,INVALID,UNTRACKED",
				     "-j",
				     jump->to,
				     NULL };

	return spawn_wait(argv, NULL, e);
}

static int restore(const char *program, const char *rules, struct err *e)
{
	const char *const argv[] = { program, "-w", "10", "--noflush", NULL };

	return spawn_wait(argv, rules, e);
}

/* Open networks may ask the host's name servers, wherever those are. */
static void allow_name_servers(struct buf *rules)
{
	static const char *const files[] = { "/run/systemd/resolve/resolv.conf",
					     "/etc/resolv.conf" };
	AUTO(char *, freep) text = NULL;
	char *line, *next, server[64];

	if (file_read(files[0], 65536, &text, NULL, NULL) < 0 &&
	    file_read(files[1], 65536, &text, NULL, NULL) < 0)
		return; /* no name servers to ask */
	for (line = text; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (sscanf(line, " nameserver %63[0-9.]", server) != 1)
			continue;
		buf_printf(rules,
			   "-A CTFY-FORWARD -i cfyo+ -d %s -p udp --dport 53 -j RETURN\n"
			   "-A CTFY-FORWARD -i cfyo+ -d %s -p tcp --dport 53 -j RETURN\n",
			   server, server);
	}
}

static int restore_v4(bool names_on_bridges, struct err *e)
{
	struct buf rules = BUF_INIT;
	int r;

	buf_puts(&rules, rules_input);
	for (size_t i = 0; names_on_bridges && i < ARRAY_SIZE(bridge_names); i++)
		buf_puts(&rules, bridge_names[i]);
	buf_puts(&rules, rules_forward);
	allow_name_servers(&rules);
	for (size_t i = 0; i < ARRAY_SIZE(not_public); i++)
		buf_printf(&rules, "-A CTFY-FORWARD -d %s -j DROP\n", not_public[i]);
	buf_puts(&rules, rules_tail);
	r = buf_check(&rules, e);
	if (r == 0)
		r = restore("iptables-restore", rules.data, e);
	buf_done(&rules);
	return r;
}

int firewall_install(bool names_on_bridges, struct err *e)
{
	int r;

	r = restore_v4(names_on_bridges, e);
	if (r == 0)
		r = restore("ip6tables-restore", rules_v6, e);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(jumps); i++)
		if (jump_do("-C", &jumps[i], NULL) < 0)
			r = jump_do("-I", &jumps[i], e);
	return r < 0 ? err_wrap(e, "install the firewall rules") : 0;
}

int firewall_remove(struct err *e)
{
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(jumps); i++)
		while (jump_do("-D", &jumps[i], NULL) == 0)
			continue;
	r = restore("iptables-restore", rules_none, e);
	return r < 0 ? r : restore("ip6tables-restore", rules_none, e);
}
