#include "node/firewall.h"

#include "base/buf.h"
#include "base/err.h"
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

/* iptables-restore --noflush: a chain that is declared is emptied first, all in one commit. */
static const char rules[] = "*filter\n"
			    ":CTFY-INPUT - [0:0]\n"
			    ":CTFY-FORWARD - [0:0]\n"
			    "-A CTFY-INPUT -j DROP\n"
			    "-A CTFY-FORWARD -o cfy+ -j RETURN\n"
			    "-A CTFY-FORWARD -d 0.0.0.0/8 -j DROP\n"
			    "-A CTFY-FORWARD -d 10.0.0.0/8 -j DROP\n"
			    "-A CTFY-FORWARD -d 100.64.0.0/10 -j DROP\n"
			    "-A CTFY-FORWARD -d 127.0.0.0/8 -j DROP\n"
			    "-A CTFY-FORWARD -d 169.254.0.0/16 -j DROP\n"
			    "-A CTFY-FORWARD -d 172.16.0.0/12 -j DROP\n"
			    "-A CTFY-FORWARD -d 192.168.0.0/16 -j DROP\n"
			    "-A CTFY-FORWARD -i cfyo+ -j RETURN\n"
			    "-A CTFY-FORWARD -j DROP\n"
			    "COMMIT\n";

/* Where our chains are entered from; the engine makes DOCKER-USER, and keeps what is in it. */
static const struct {
	const char *from, *to;
} jumps[] = {
	{ "INPUT", "CTFY-INPUT" },
	{ "DOCKER-USER", "CTFY-FORWARD" },
};

static int iptables(const char *action, size_t jump, struct err *e)
{
	const char *const argv[] = { "iptables",       "-w",        "10",   action,
				     jumps[jump].from, "-i",        "cfy+", "-m",
				     "conntrack",      "--ctstate", "NEW",  "-j",
				     jumps[jump].to,   NULL };

	return spawn_wait(argv, NULL, e);
}

int firewall_install(struct err *e)
{
	const char *const restore[] = { "iptables-restore", "-w", "10", "--noflush", NULL };
	const char *const make_user_chain[] = { "iptables", "-w", "10", "-N", "DOCKER-USER", NULL };
	int r;

	r = spawn_wait(restore, rules, e);
	if (r < 0)
		return err_wrap(e, "install the firewall rules");
	/* There already, unless the engine has not run yet: then it adopts ours. */
	spawn_wait(make_user_chain, NULL, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(jumps); i++) {
		if (iptables("-C", i, NULL) == 0)
			continue;
		r = iptables("-I", i, e);
		if (r < 0)
			return err_wrap(e, "install the firewall rules");
	}
	return 0;
}

int firewall_remove(struct err *e)
{
	static const char flush[] = "*filter\n:CTFY-INPUT - [0:0]\n:CTFY-FORWARD - [0:0]\n"
				    "-X CTFY-INPUT\n-X CTFY-FORWARD\nCOMMIT\n";
	const char *const restore[] = { "iptables-restore", "-w", "10", "--noflush", NULL };

	for (size_t i = 0; i < ARRAY_SIZE(jumps); i++)
		while (iptables("-D", i, NULL) == 0)
			continue;
	return spawn_wait(restore, flush, e);
}
