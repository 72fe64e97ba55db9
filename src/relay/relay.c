/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/relay.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/own.h"
#include "flow/writer.h"
#include "relay/conn.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

enum {
	BACKLOG = 1024,
	ACCEPTED_MAX = 64, /* in one turn of a listener */
	CONNECTIONS_MAX = 2048,
	/* What is no connection: pipes, listeners, the file, standard streams. */
	OTHER_DESCRIPTORS = 2 * PIPES_MAX + 64,
	TICK_MS = 1000,
	LEAVING_TICK_MS = 10,
	ASKING_TICK_MS = 100,
};

struct listener {
	struct watch watch;
	struct relay *relay;
	struct conn_target *target; /* NULL: health */
	int fd;
};

/* What ends the loop. */
struct stopper {
	struct watch watch;
	struct relay *relay;
	int fd;
};

struct relay {
	struct conn_world world;
	struct conn_target *targets;
	struct listener *listeners; /* the targets', and the health's */
	size_t target_count, listener_count;
	size_t connections_max;
	struct stopper stop, signal;
	bool stopping;
	int64_t ticked_ms;
};

/* --- listening ---------------------------------------------------------------------------- */

static void refuse(int fd)
{
	const struct linger at_once = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
}

static void take(struct listener *listener, int fd, const struct sockaddr_in *client)
{
	struct relay *relay = listener->relay;

	if (!listener->target) {
		close(fd);
		return;
	}
	if (client->sin_family != AF_INET) {
		refuse(fd);
		return;
	}
	if (relay->world.count >= relay->connections_max)
		conn_make_room(&relay->world);
	conn_begin(&relay->world, listener->target, fd, client);
}

static void accept_some(struct watch *watch, uint32_t events)
{
	struct listener *listener = (struct listener *)watch;

	(void)events;
	for (int i = 0; i < ACCEPTED_MAX; i++) {
		struct sockaddr_in client = { 0 };
		socklen_t size = sizeof(client);
		int fd = accept4(listener->fd, (struct sockaddr *)&client, &size,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
			conn_make_room(&listener->relay->world); /* the next turn finds it */
		if (fd < 0)
			return;
		take(listener, fd, &client);
	}
}

static int listen_at(struct listener *listener, uint16_t port, struct err *e)
{
	const struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	const int on = 1;

	listener->watch.ready = accept_some;
	listener->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listener->fd < 0)
		return err_errno(e, ERR_INTERNAL, "make a socket");
	setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener->fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener->fd, BACKLOG) < 0)
		return err_errno(e, ERR_INTERNAL, "listen at port %u", port);
	return loop_add(listener->relay->world.loop, listener->fd, LOOP_LEVEL, &listener->watch, e);
}

static int add_listener(struct relay *relay, uint16_t port, struct conn_target *target,
			struct err *e)
{
	struct listener *listener = &relay->listeners[relay->listener_count++];

	*listener = (struct listener){ .relay = relay, .target = target, .fd = -1 };
	return listen_at(listener, port, e);
}

uint16_t relay_port(const struct relay *relay, size_t i)
{
	struct sockaddr_in address = { 0 };
	socklen_t size = sizeof(address);

	getsockname(relay->listeners[i].fd, (struct sockaddr *)&address, &size);
	return ntohs(address.sin_port);
}

/* --- stopping ----------------------------------------------------------------------------- */

static void stop_ready(struct watch *watch, uint32_t events)
{
	(void)events;
	((struct stopper *)watch)->relay->stopping = true;
}

static int add_stopper(struct relay *relay, struct stopper *stopper, int fd, struct err *e)
{
	*stopper = (struct stopper){ { stop_ready }, relay, fd };
	return fd < 0 ? err_errno(e, ERR_INTERNAL, "make a descriptor")
		      : loop_add(relay->world.loop, fd, LOOP_LEVEL, &stopper->watch, e);
}

void relay_stop(struct relay *relay)
{
	eventfd_write(relay->stop.fd, 1);
}

/* --- its life ----------------------------------------------------------------------------- */

static size_t most_connections(size_t wanted)
{
	struct rlimit limit = { 0 };
	size_t most = CONNECTIONS_MAX;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < OTHER_DESCRIPTORS + 2 * most)
		most = limit.rlim_cur > OTHER_DESCRIPTORS + 2
			       ? (limit.rlim_cur - OTHER_DESCRIPTORS) / 2
			       : 1;
	return wanted > 0 && wanted < most ? wanted : most;
}

static void name_is_settled(void *cookie, struct name *name)
{
	conn_settle(cookie, name);
}

static int find_targets(struct relay *relay, const struct relay_options *options, struct err *e)
{
	struct conn_world *world = &relay->world;
	int r = 0;

	world->lookup.settled = name_is_settled;
	world->lookup.cookie = world;
	for (size_t i = 0; r == 0 && i < options->target_count; i++) {
		struct conn_target *target = &relay->targets[i];

		target->options = &options->targets[i];
		target->name.host = options->targets[i].host;
		r = lookup_add(&world->lookup, &target->name, e);
	}
	return r < 0 ? r : lookup_open(&world->lookup, world->loop, e);
}

static int listen_to_all(struct relay *relay, const struct relay_options *options, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < options->target_count; i++)
		r = add_listener(relay, options->targets[i].port, &relay->targets[i], e);
	if (r == 0 && options->health_port)
		r = add_listener(relay, options->health_port, NULL, e);
	return r;
}

static int await_stop(struct relay *relay, struct err *e)
{
	sigset_t end;
	int r;

	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigaddset(&end, SIGINT);
	r = add_stopper(relay, &relay->stop, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), e);
	return r < 0 ? r
		     : add_stopper(relay, &relay->signal,
				   signalfd(-1, &end, SFD_CLOEXEC | SFD_NONBLOCK), e);
}

static int record(struct relay *relay, const char *flows, struct err *e)
{
	const struct flow_options options = FLOW_OPTIONS_INIT;

	return flows ? flow_writer_open(flows, &options, &relay->world.writer, e) : 0;
}

int relay_new(const struct relay_options *options, struct relay **ret_relay, struct err *e)
{
	AUTO(struct relay *, relay_freep) relay = calloc(1, sizeof(*relay));
	int r;

	if (!relay)
		return err_memory(e);
	relay->world.loop = relay->world.lookup.fd = relay->stop.fd = relay->signal.fd = -1;
	relay->world.inside = options->inside;
	relay->world.inside_mask = options->inside_mask;
	relay->world.gateway = options->gateway;
	relay->connections_max = most_connections(options->connections_max);
	relay->target_count = options->target_count;
	conn_world_init(&relay->world);
	relay->targets = calloc(options->target_count + 1, sizeof(*relay->targets));
	relay->listeners = calloc(options->target_count + 1, sizeof(*relay->listeners));
	if (!relay->targets || !relay->listeners)
		return err_memory(e);
	r = loop_open(&relay->world.loop, e);
	if (r == 0)
		r = await_stop(relay, e);
	if (r == 0)
		r = record(relay, options->flows, e);
	if (r == 0)
		r = find_targets(relay, options, e);
	if (r == 0)
		r = listen_to_all(relay, options, e);
	if (r < 0)
		return r;
	*ret_relay = TAKE(relay);
	return 0;
}

static int patience_ms(const struct relay *relay)
{
	const struct conn_world *world = &relay->world;

	if (!TAILQ_EMPTY(&world->hurried))
		return 0;
	if (world->leaving > 0)
		return LEAVING_TICK_MS;
	if (world->finding > 0)
		return ASKING_TICK_MS;
	return world->count > 0 ? TICK_MS : -1;
}

static void tick(struct relay *relay)
{
	int64_t now_ms = clock_monotonic_ms();
	int64_t pause_ms = relay->world.leaving > 0 ? LEAVING_TICK_MS : TICK_MS;

	if (relay->world.finding > 0)
		lookup_tick(&relay->world.lookup, now_ms);
	if (now_ms - relay->ticked_ms < pause_ms)
		return;
	relay->ticked_ms = now_ms;
	conn_tick(&relay->world, now_ms);
}

int relay_run(struct relay *relay, struct err *e)
{
	int r = 0;

	while (r == 0 && !relay->stopping) {
		r = loop_turn(relay->world.loop, patience_ms(relay), e);
		conn_hurry(&relay->world);
		tick(relay);
		conn_bury(&relay->world);
	}
	conn_world_done(&relay->world);
	return r;
}

void relay_free(struct relay *relay)
{
	if (!relay)
		return;
	conn_world_done(&relay->world);
	for (size_t i = 0; i < relay->listener_count; i++)
		closep(&relay->listeners[i].fd);
	lookup_close(&relay->world.lookup);
	closep(&relay->stop.fd);
	closep(&relay->signal.fd);
	closep(&relay->world.loop);
	flow_writer_close(relay->world.writer);
	free(relay->listeners);
	free(relay->targets);
	free(relay);
}

const struct relay_counts *relay_counts(const struct relay *relay)
{
	return &relay->world.counts;
}
