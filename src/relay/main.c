/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctfy-relay: stands before an instance's recorded ports (docs/evidence.md), in a container of its
 * own that holds nothing else.
 */
#include "base/err.h"
#include "base/option.h"
#include "base/own.h"
#include "relay/jail.h"
#include "relay/relay.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* clang-format off */
#define RELAY_SETTINGS(ROW) \
	ROW(flows, STRING, "FILE", NULL, "Where flows are written; nothing is recorded without it.") \
	ROW(health_port, COUNT, "PORT", "0", "Accepts and closes, once all others listen.") \
	ROW(inside, STRING, "ADDR/BITS", NULL, "The instance's own network: who comes from it is inside.") \
	ROW(gateway, STRING, "ADDR", NULL, "An address of it that others come from.") \
	ROW(connections, COUNT, "N", "0", "Most at once; 0: what descriptors allow, 2048 at most.")
/* clang-format on */

struct settings {
	RELAY_SETTINGS(OPTION_MEMBER)
};

#define ROW(...) OPTION_ROW(struct settings, __VA_ARGS__)
static const struct option_row rows[] = { RELAY_SETTINGS(ROW){ .name = NULL } };
#undef ROW

static bool read_port(const char *text, char end, uint16_t *ret_port, const char **ret_rest)
{
	char *rest;
	unsigned long port = strtoul(text, &rest, 10);

	if (rest == text || port > UINT16_MAX || (*rest != end && *rest != '\0'))
		return false;
	*ret_port = (uint16_t)port;
	*ret_rest = rest;
	return true;
}

/* "9000=web:8080,players.example:31000"; cuts the text at its seams. */
static int read_target(char *text, struct relay_target *target, struct err *e)
{
	const char *rest = text;
	char *host = strchr(text, '='), *port = host ? strchr(host, ':') : NULL;

	if (!port || !read_port(text, '=', &target->port, &rest) || *rest != '=' ||
	    !read_port(port + 1, ',', &target->host_port, &rest))
		return err_set(e, ERR_INVALID, "'%s' is not PORT=HOST:PORT[,HOST:PORT]", text);
	target->host = host + 1;
	*port = '\0';
	target->authority = *rest == ',' ? rest + 1 : "";
	return 0;
}

static int read_targets(int count, char **texts, struct relay_target *targets, struct err *e)
{
	int r = 0;

	for (int i = 0; r == 0 && i < count; i++)
		r = read_target(texts[i], &targets[i], e);
	return r;
}

static int read_inside(const struct settings *settings, struct relay_options *options,
		       struct err *e)
{
	char address[INET_ADDRSTRLEN] = "";
	unsigned bits = 0;
	char rest;

	if (settings->gateway && inet_pton(AF_INET, settings->gateway, &options->gateway) != 1)
		return err_set(e, ERR_INVALID, "--gateway: '%s' is not an IPv4 address",
			       settings->gateway);
	if (!settings->inside)
		return 0;
	if (sscanf(settings->inside, "%15[0-9.]/%u%c", address, &bits, &rest) != 2 || bits < 1 ||
	    bits > 32 || inet_pton(AF_INET, address, &options->inside) != 1)
		return err_set(e, ERR_INVALID, "--inside: '%s' is not ADDR/BITS", settings->inside);
	options->inside_mask.s_addr = htonl(UINT32_MAX << (32 - bits));
	options->inside.s_addr &= options->inside_mask.s_addr;
	return 0;
}

static int relay(const struct relay_options *options, struct err *e)
{
	AUTO(struct relay *, relay_freep) relay = NULL;
	const struct relay_counts *counts;
	int r = relay_new(options, &relay, e);

	if (r == 0)
		r = jail_enter(e);
	if (r == 0)
		r = relay_run(relay, e);
	if (r < 0)
		return r;
	counts = relay_counts(relay);
	fprintf(stderr,
		"%" PRIu64 " connections, %" PRIu64 " of them at once; %" PRIu64
		" were ended to make room for others, %" PRIu64 " did not reach their service\n",
		counts->connections, counts->peak, counts->evicted, counts->unreached);
	return 0;
}

static void prepare(void)
{
	struct rlimit limit;
	sigset_t end;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigaddset(&end, SIGINT);
	sigprocmask(SIG_BLOCK, &end, NULL);
}

int main(int argc, char **argv)
{
	AUTO(struct relay_target *, freep) targets = NULL;
	struct relay_options options = { 0 };
	struct settings settings;
	struct err e = ERR_INIT;
	int count, r;

	prepare();
	r = options_parse(rows, &settings, argc, argv, &count, &e);
	if (r == 0) {
		targets = calloc((size_t)count + 1, sizeof(*targets));
		r = targets ? read_targets(count, argv + 1, targets, &e) : err_memory(&e);
	}
	if (r == 0)
		r = read_inside(&settings, &options, &e);
	options.targets = targets;
	options.target_count = r == 0 ? (size_t)count : 0;
	options.flows = settings.flows;
	options.health_port = (uint16_t)settings.health_port;
	options.connections_max = (size_t)settings.connections;
	if (r == 0)
		r = relay(&options, &e);
	if (r == 0)
		return 0;
	fprintf(stderr, "ctfy-relay: %s\n", e.msg);
	return 1;
}
