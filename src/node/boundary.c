/* SPDX-License-Identifier: Apache-2.0 */
#include "node/boundary.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "base/spawn.h"
#include "node/firewall.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

#define BRIDGE "cfyc-doctor"
#define LAN    "ctfy-doctor"

enum {
	LIMIT_MS = 2500,
	WIRES_MS = 100,
	ARRIVAL_MS = 500, /* how long what has to arrive may take */
	STRAY_MS = 50,    /* how long after that what must not is waited for */
	FLOOD = 512,      /* connections that a busy host does not make meanwhile */
	PORT = 40000,
	RECEIVE_BYTES = 4 << 20,
	MAC_SIZE = 6,
};

/* One end of a wire. */
struct end {
	const char *interface;
	uint8_t mac[MAC_SIZE];
	int fd; /* sends and hears frames */
};

struct probe {
	const char *subnets;
	struct boundaries *report;
	int64_t deadline_ms; /* CLOCK_MONOTONIC */
	int host, inside;    /* network namespaces */
	int lock;
	int service; /* what listens on the host, at 192.0.2.65 */
	uint16_t service_port;
	struct end attacker, neighbour, lan;
	uint8_t bridge_mac[MAC_SIZE], router_mac[MAC_SIZE];
};

struct datagram {
	const char *from, *to;
	uint16_t from_port, to_port;
	const char *text;
};

#define HOST_ADDRESS "192.0.2.65"

static const struct probe blank = {
	.host = -1,
	.inside = -1,
	.lock = -1,
	.service = -1,
	.attacker = { "attacker", { 2, 0xcf, 0, 0, 0, 2 }, -1 },
	.neighbour = { "neighbour", { 2, 0xcf, 0, 0, 0, 3 }, -1 },
	.lan = { "lan", { 2, 0xcf, 0, 0, 0, 66 }, -1 },
	.bridge_mac = { 2, 0xcf, 0, 0, 0, 1 },
	.router_mac = { 2, 0xcf, 0, 0, 0, 65 },
};

static const char set_up_inside[] = "link set attacker up\n"
				    "link set neighbour up\n"
				    "link set lan up\n";

static const char *const let_pass[] = { "iptables", "-w", "1",    "-I", "FORWARD", "-i",
					BRIDGE,     "-o", BRIDGE, "-j", "ACCEPT",  NULL };
static const char *const let_pass_no_more[] = { "iptables", "-w", "1",    "-D", "FORWARD", "-i",
						BRIDGE,     "-o", BRIDGE, "-j", "ACCEPT",  NULL };

static int run_ip(const char *commands, struct err *e)
{
	const char *const argv[] = { "ip", "-batch", "-", NULL };

	return spawn_wait(argv, commands, e);
}

/* What is not there is nothing to remove; where there is no iptables, no rule is there. */
static int remove_traces(struct err *e)
{
	static const char *const names[] = { BRIDGE "a", BRIDGE "b", BRIDGE, LAN };
	int status = 0;

	while (status == 0 && spawn_ask(let_pass_no_more, &status, NULL) == 0)
		;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO(char *, freep) command = strf("link del %s\n", names[i]);
		struct err why = ERR_INIT;

		if (!command)
			return err_memory(e);
		if (if_nametoindex(names[i]) == 0 || run_ip(command, &why) == 0)
			continue;
		if (if_nametoindex(names[i]) != 0) /* else it went with its namespace */
			return err_set(e, ERR_INTERNAL, "%s", why.msg);
	}
	return 0;
}

static int enter(int namespace, struct err *e)
{
	return setns(namespace, CLONE_NEWNET) < 0
		       ? err_errno(e, ERR_INTERNAL, "enter a network namespace")
		       : 0;
}

/* Of this thread, which is in it from then on. */
static int make_namespace(int *ret_fd, struct err *e)
{
	if (unshare(CLONE_NEWNET) < 0)
		return err_errno(e, ERR_INTERNAL, "make a network namespace");
	*ret_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 ? err_errno(e, ERR_INTERNAL, "open a network namespace") : 0;
}

/* One at a time on a host; the name is free again when its owner is gone. */
static int lock(struct probe *p, struct err *e)
{
	static const struct sockaddr_un name = { .sun_family = AF_UNIX,
						 .sun_path = "\0ctfy-doctor" };

	AUTO(int, closep) fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_errno(e, ERR_INTERNAL, "make a socket");
	while (bind(fd, (const struct sockaddr *)&name, sizeof(name)) < 0) {
		if (errno != EADDRINUSE)
			return err_errno(e, ERR_INTERNAL, "keep others from trying, too");
		if (clock_monotonic_ms() >= p->deadline_ms - LIMIT_MS / 2)
			return err_set(e, ERR_INTERNAL, "another one is at it on this host");
		poll(NULL, 0, 20);
	}
	p->lock = take_fd(&fd);
	return 0;
}

/* A route into 192.0.2.0/24 is somebody's who uses it all the same. */
static int look_for_routes(struct err *e)
{
	AUTO(char *, freep) text = NULL;
	uint32_t ours = ntohl(inet_addr("192.0.2.0"));
	char *line, *next;

	if (file_read("/proc/thread-self/net/route", 1 << 20, &text, NULL, e) < 0)
		return -1;
	for (line = text; line; line = next) {
		unsigned destination, mask;
		char interface[32];

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (sscanf(line, "%31s %x %*x %*x %*d %*d %*d %x", interface, &destination,
			   &mask) == 3 &&
		    mask != 0 && ((ntohl(destination) ^ ours) & ntohl(mask) & 0xffffff00) == 0)
			return err_set(e, ERR_INTERNAL,
				       "192.0.2.0/24, which is for examples, is in use on %s",
				       interface);
	}
	return 0;
}

static int let_forward(struct err *e)
{
	AUTO(int, closep) fd = open("/proc/sys/net/ipv4/ip_forward", O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, "1", 1) != 1 ? err_errno(e, ERR_INTERNAL, "forward packets") : 0;
}

static bool has_bridges_of_nodes(void)
{
	struct if_nameindex *interfaces = if_nameindex();
	bool found = false;

	for (size_t i = 0; interfaces && interfaces[i].if_index; i++)
		found = found || strncmp(interfaces[i].if_name, "cfy", 3) == 0;
	if_freenameindex(interfaces);
	return found;
}

/* Where no node has set its rules yet, and so none has instances: what they would do. */
static int choose_place(struct probe *p, struct err *e)
{
	static const char *const list[] = { "nft", "list", "table", "inet", "ctfy", NULL };
	struct firewall_options options = { .node_id = "doctor",
					    .subnets = p->subnets,
					    .instance_connections = 1,
					    .client_connections = 1 };
	struct firewall *rules = NULL;
	int status = 0, r;

	r = spawn_ask(list, &status, e);
	if (r < 0 || status == 0 || has_bridges_of_nodes())
		return r;
	p->report->apart = true;
	close(take_fd(&p->host));
	r = make_namespace(&p->host, e);
	if (r == 0)
		r = let_forward(e);
	if (r == 0)
		r = firewall_open(&options, &rules, e);
	firewall_close(rules); /* they stay */
	return r;
}

static int open_end(struct end *end, struct err *e)
{
	const int bytes = RECEIVE_BYTES;
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_IP),
				  .sll_ifindex = (int)if_nametoindex(end->interface) };

	end->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (end->fd < 0 || bind(end->fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    setsockopt(end->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		return err_errno(e, ERR_INTERNAL, "listen on a probe's wire");
	return 0;
}

static int open_service(struct probe *p, struct err *e)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = inet_addr(HOST_ADDRESS) };
	socklen_t len = sizeof(at);

	p->service = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->service < 0 || bind(p->service, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    getsockname(p->service, (struct sockaddr *)&at, &len) < 0)
		return err_errno(e, ERR_INTERNAL, "listen for what a probe sends");
	p->service_port = ntohs(at.sin_port);
	return 0;
}

/* The host's ends, and what is known of who is at the others. */
static char *set_up(int namespace)
{
	AUTO(char *, freep) inside = strf("/proc/%d/fd/%d", getpid(), namespace);

	if (!inside)
		return NULL;
	return strf("link add " BRIDGE " address 02:cf:00:00:00:01 type bridge\n"
		    "addr add 192.0.2.1/27 dev " BRIDGE "\n"
		    "link set " BRIDGE " up\n"
		    "link add " BRIDGE "a type veth peer name attacker "
		    "address 02:cf:00:00:00:02 netns %s\n"
		    "link add " BRIDGE "b type veth peer name neighbour "
		    "address 02:cf:00:00:00:03 netns %s\n"
		    "link set " BRIDGE "a master " BRIDGE " up\n"
		    "link set " BRIDGE "b master " BRIDGE " up\n"
		    "link add " LAN " address 02:cf:00:00:00:41 type veth peer name lan "
		    "address 02:cf:00:00:00:42 netns %s\n"
		    "addr add " HOST_ADDRESS "/30 dev " LAN "\n"
		    "link set " LAN " up\n"
		    "neigh replace 192.0.2.3 lladdr 02:cf:00:00:00:03 dev " BRIDGE
		    " nud permanent\n"
		    "neigh replace 192.0.2.66 lladdr 02:cf:00:00:00:42 dev " LAN " nud permanent\n",
		    inside, inside, inside);
}

static int make_network(struct probe *p, struct err *e)
{
	int r = make_namespace(&p->inside, e);
	AUTO(char *, freep) commands = set_up(p->inside);

	if (r == 0 && !commands)
		r = err_memory(e);
	if (r == 0)
		r = enter(p->host, e);
	if (r == 0)
		r = run_ip(commands, e);
	if (r == 0)
		r = open_service(p, e);
	if (r == 0)
		r = enter(p->inside, e);
	if (r == 0)
		r = run_ip(set_up_inside, e);
	if (r == 0)
		r = open_end(&p->attacker, e);
	if (r == 0)
		r = open_end(&p->neighbour, e);
	if (r == 0)
		r = open_end(&p->lan, e);
	return r < 0 ? r : enter(p->host, e);
}

static uint16_t checksum(const void *header, size_t size)
{
	const uint8_t *bytes = header;
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i += 2)
		/* NOLINTNEXTLINE(clang-analyzer-core.*): knows no bytes of bit-fields */
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* What the kernel drops on the way, and what finds no room, is seen by its not arriving. */
static void send_frame(const struct end *from, const uint8_t to[MAC_SIZE],
		       const struct datagram *datagram)
{
	struct {
		struct ether_header ether;
		struct iphdr ip;
		struct udphdr udp;
		char text[32];
	} __attribute__((packed)) frame = { .ether.ether_type = htons(ETHERTYPE_IP) };
	size_t len = strlen(datagram->text);
	size_t size = sizeof(frame.ip) + sizeof(frame.udp) + len;
	struct iphdr ip = { .version = 4,
			    .ihl = 5,
			    .ttl = 64,
			    .protocol = IPPROTO_UDP,
			    .tot_len = htons((uint16_t)size),
			    .saddr = inet_addr(datagram->from),
			    .daddr = inet_addr(datagram->to) };

	ip.check = checksum(&ip, sizeof(ip));
	memcpy(frame.ether.ether_shost, from->mac, MAC_SIZE);
	memcpy(frame.ether.ether_dhost, to, MAC_SIZE);
	frame.ip = ip;
	frame.udp = (struct udphdr){ .source = htons(datagram->from_port),
				     .dest = htons(datagram->to_port),
				     .len = htons((uint16_t)(sizeof(frame.udp) + len)) };
	memcpy(frame.text, datagram->text, len);
	(void)!send(from->fd, &frame, sizeof(frame.ether) + size, 0);
}

/* From the host's own socket. */
static void send_from_host(const struct probe *p, const char *address, uint16_t port,
			   const char *text)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = inet_addr(address) };

	(void)!sendto(p->service, text, strlen(text), 0, (struct sockaddr *)&to, sizeof(to));
}

static bool ends_with(const char *bytes, ssize_t n, const char *text)
{
	size_t len = strlen(text);

	return n >= (ssize_t)len && memcmp(bytes + n - len, text, len) == 0;
}

/*
 * Whether a datagram that ends with the text arrives. What comes before is dropped; ret_stray is
 * set where that ended with "stray".
 */
static bool hears(const struct probe *p, int fd, const char *text, int wait_ms, bool *ret_stray)
{
	int64_t until = clock_monotonic_ms() + wait_ms;
	char got[2048];

	if (until > p->deadline_ms)
		until = p->deadline_ms;
	for (;;) {
		ssize_t n = recv(fd, got, sizeof(got), 0);
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		int64_t left = until - clock_monotonic_ms();

		if (ret_stray && ends_with(got, n, "stray"))
			*ret_stray = true;
		if (ends_with(got, n, text))
			return true;
		if (n >= 0)
			continue;
		if (left <= 0)
			return false;
		poll(&ready, 1, (int)left);
	}
}

static bool has_wires(struct probe *p, int wait_ms)
{
	const struct datagram ready = { "192.0.2.2", "192.0.2.3", PORT, 9, "ready" };
	int64_t until = clock_monotonic_ms() + wait_ms;

	do {
		send_frame(&p->attacker, p->neighbour.mac, &ready);
		if (hears(p, p->neighbour.fd, "ready", 10, NULL))
			return true;
	} while (clock_monotonic_ms() < until);
	return false;
}

/*
 * A bridge forwards when it has heard that its wires are up. And where Docker drops what is
 * forwarded, it has a rule for each of its networks that lets pass what stays within.
 */
static int wait_for_wires(struct probe *p, struct err *e)
{
	if (has_wires(p, WIRES_MS))
		return 0;
	if (spawn_wait(let_pass, NULL, e) < 0)
		return err_wrap(e, "let pass what stays within a network");
	if (has_wires(p, ARRIVAL_MS))
		return 0;
	return err_set(e, ERR_INTERNAL,
		       "services of one network do not reach each other: another firewall's "
		       "doing?");
}

/* As long as this wire is not up, either, what is sent is lost. */
static bool asks_lan(struct probe *p)
{
	int64_t until = clock_monotonic_ms() + ARRIVAL_MS;

	do {
		send_from_host(p, "192.0.2.66", PORT, "asked");
		if (hears(p, p->lan.fd, "asked", 10, NULL))
			return true;
	} while (clock_monotonic_ms() < until);
	return false;
}

/* The host speaks with somebody in the LAN, and a service answers in their name. */
static int try_sources(struct probe *p, struct err *e)
{
	const uint16_t port = p->service_port;
	const struct datagram stolen = { "192.0.2.66", HOST_ADDRESS, PORT, port, "stray" };
	const struct datagram honest = { "192.0.2.66", HOST_ADDRESS, PORT, port, "honest" };
	bool stray = false;

	if (!asks_lan(p))
		return err_set(e, ERR_INTERNAL, "what the host itself sends is not let out");
	send_frame(&p->attacker, p->bridge_mac, &stolen);
	hears(p, p->service, "stray", STRAY_MS, &stray);
	send_frame(&p->lan, p->router_mac, &honest);
	if (!hears(p, p->service, "honest", ARRIVAL_MS, &stray) && !stray)
		return err_set(e, ERR_INTERNAL, "an answer to the host is not let in");
	p->report->states[BOUNDARY_SOURCES] = stray ? BOUNDARY_OPEN : BOUNDARY_HOLDS;
	return 0;
}

/*
 * A service asks the host for something, by way of its neighbour, and answers itself in the host's
 * name: then the kernel may take the two for having shaken hands. What follows goes to the host.
 */
static int try_handshakes(struct probe *p, struct err *e)
{
	const uint16_t port = p->service_port;
	struct datagram asked = { "192.0.2.2", HOST_ADDRESS, 0, port, "asked" };
	struct datagram answered = { HOST_ADDRESS, "192.0.2.2", port, 0, "answered" };
	struct datagram stray = { "192.0.2.2", HOST_ADDRESS, 0, port, "stray" };
	const struct datagram honest = { "192.0.2.66", HOST_ADDRESS, PORT, port, "honest" };
	bool reached = false;

	/* Another than the kernel remembers of the last time. */
	if (getrandom(&asked.from_port, sizeof(asked.from_port), 0) < 0)
		return err_errno(e, ERR_INTERNAL, "choose a port");
	asked.from_port |= 1;
	answered.to_port = stray.from_port = asked.from_port;
	send_frame(&p->attacker, p->neighbour.mac, &asked);
	send_frame(&p->attacker, p->neighbour.mac, &answered);
	send_frame(&p->attacker, p->bridge_mac, &stray);
	hears(p, p->service, "stray", STRAY_MS, &reached);
	send_frame(&p->lan, p->router_mac, &honest);
	if (!hears(p, p->service, "honest", ARRIVAL_MS, &reached) && !reached)
		return err_set(e, ERR_INTERNAL, "an answer to the host is not let in");
	p->report->states[BOUNDARY_HANDSHAKES] = reached ? BOUNDARY_OPEN : BOUNDARY_HOLDS;
	return 0;
}

/* How many connections the kernel remembers in this thread's namespace; -1: it tracks none. */
static int64_t connections(void)
{
	AUTO(char *, freep) text = NULL;

	if (file_read("/proc/sys/net/netfilter/nf_conntrack_count", 64, &text, NULL, NULL) < 0)
		return -1;
	return strtoll(text, NULL, 10);
}

static int try_connections(struct probe *p, struct err *e)
{
	const struct datagram last = { "192.0.2.2", "192.0.2.3", PORT, 9, "last" };
	struct datagram flood = { "192.0.2.2", "192.0.2.3", 0, 0, "flood" };
	int64_t before = connections(), more;

	/* Others than the kernel remembers of the last time. */
	if (getrandom(&flood.to_port, sizeof(flood.to_port), 0) < 0)
		return err_errno(e, ERR_INTERNAL, "choose a port");

	for (int i = 0; i < FLOOD; i++) {
		flood.from_port = (uint16_t)(PORT + 1000 + i);
		send_frame(&p->attacker, p->neighbour.mac, &flood);
	}
	more = connections() - before;
	send_frame(&p->attacker, p->neighbour.mac, &last);
	if (!hears(p, p->neighbour.fd, "last", ARRIVAL_MS, NULL))
		return err_set(e, ERR_INTERNAL, "a flood within a network does not arrive");
	p->report->states[BOUNDARY_CONNECTIONS] =
		before >= 0 && more >= FLOOD / 2 ? BOUNDARY_OPEN : BOUNDARY_HOLDS;
	return 0;
}

static int try_ports(struct probe *p, struct err *e)
{
	const struct datagram asked = { "192.0.2.66", "192.0.2.3", PORT, 9, "stray" };
	bool stray = false;

	send_frame(&p->lan, p->router_mac, &asked);
	hears(p, p->neighbour.fd, "stray", STRAY_MS, &stray);
	send_from_host(p, "192.0.2.3", 9, "honest");
	if (!hears(p, p->neighbour.fd, "honest", ARRIVAL_MS, &stray) && !stray)
		return err_set(e, ERR_INTERNAL, "what the host sends to a service is not let in");
	p->report->states[BOUNDARY_PORTS] = stray ? BOUNDARY_OPEN : BOUNDARY_HOLDS;
	return 0;
}

static int try_all(struct probe *p, struct err *e)
{
	int r;

	p->host = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (p->host < 0)
		return err_errno(e, ERR_INTERNAL, "open the host's network namespace");
	r = lock(p, e);
	if (r == 0)
		r = remove_traces(e);
	if (r == 0)
		r = look_for_routes(e);
	if (r == 0)
		r = choose_place(p, e);
	if (r == 0)
		r = make_network(p, e);
	if (r == 0)
		r = wait_for_wires(p, e);
	if (r == 0)
		r = try_sources(p, e);
	if (r == 0)
		r = try_handshakes(p, e);
	if (r == 0)
		r = try_connections(p, e);
	return r < 0 ? r : try_ports(p, e);
}

static void tell(struct probe *p, const struct err *e)
{
	char *why = p->report->why;

	snprintf(why, sizeof(p->report->why), "%.*s", (int)sizeof(p->report->why) - 1, e->msg);
	for (char *end = strchr(why, '\n'); end; end = strchr(end, '\n'))
		*end = ' '; /* a program's words */
}

static void *run(void *arg)
{
	struct probe *p = arg;
	struct err e = ERR_INIT;
	int r = try_all(p, &e);
	bool mine = p->lock >= 0 && p->host >= 0;

	if (r < 0)
		tell(p, &e);
	if (mine && (enter(p->host, &e) < 0 || remove_traces(&e) < 0) && r == 0)
		tell(p, &e);
	closep(&p->attacker.fd);
	closep(&p->neighbour.fd);
	closep(&p->lan.fd);
	closep(&p->service);
	closep(&p->inside);
	closep(&p->host);
	closep(&p->lock);
	return NULL;
}

/* In a thread of its own, for a network namespace is a thread's. */
void boundary_try(const char *subnets, struct boundaries *ret_boundaries)
{
	struct probe probe = blank;
	pthread_t thread;

	*ret_boundaries = (struct boundaries){ .apart = false };
	probe.subnets = subnets;
	probe.report = ret_boundaries;
	probe.deadline_ms = clock_monotonic_ms() + LIMIT_MS;
	if (geteuid() != 0)
		snprintf(ret_boundaries->why, sizeof(ret_boundaries->why), "that takes root");
	else if (pthread_create(&thread, NULL, run, &probe) != 0)
		snprintf(ret_boundaries->why, sizeof(ret_boundaries->why), "no thread to be had");
	else
		pthread_join(thread, NULL);
}
