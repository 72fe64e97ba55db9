/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/conn.h"

#include "base/clock.h"
#include "base/own.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

enum {
	TURN_BYTES = 1 << 20,  /* of one stream before others have their turn */
	SPLICE_MIN = 64 << 10, /* what is less is copied: a pipe costs three calls */
	SPLICE_MAX = 1 << 20,  /* whatever a pipe holds */
	CONNECT_MS = 10 * 1000,
	LEAVE_MS = 5 * 1000, /* for what was sent before a reset */
	KEEP_IDLE_S = 600,   /* a machine that went away without a word */
	KEEP_PAUSE_S = 60,
	PEER_SIZE = sizeof("255.255.255.255:65535"),
};

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* --- its tap ------------------------------------------------------------------------------ */

static const char *peer_text(const struct sockaddr_in *peer, char text[PEER_SIZE])
{
	char address[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &peer->sin_addr, address, sizeof(address));
	snprintf(text, PEER_SIZE, "%s:%u", address, ntohs(peer->sin_port));
	return text;
}

static bool comes_from_inside(const struct conn *conn)
{
	const struct conn_world *world = conn->world;
	in_addr_t client = conn->client.sin_addr.s_addr;

	return world->inside_mask.s_addr != 0 && client != world->gateway.s_addr &&
	       (client & world->inside_mask.s_addr) == world->inside.s_addr;
}

/* Who says nothing leaves no flow. */
static struct tap *tap_of(struct conn *conn)
{
	char client[PEER_SIZE], server[PEER_SIZE];
	struct sockaddr_in service = { .sin_addr = conn->target->name.address,
				       .sin_port = htons(conn->target->options->host_port) };
	struct tap_peers peers = { .via = comes_from_inside(conn) ? "inside" : "port",
				   .authority = conn->target->options->authority };

	if (conn->tap || !conn->world->writer)
		return conn->tap;
	if (conn->tried.s_addr)
		service.sin_addr = conn->tried;
	peers.client = peer_text(&conn->client, client);
	peers.server = peer_text(&service, server);
	conn->tap = tap_open(conn->world->writer, &peers, conn->began_us);
	return conn->tap;
}

static void hear(struct conn *conn, const struct stream *stream, size_t len)
{
	struct tap *tap = tap_of(conn);

	if (tap)
		tap_bytes(tap, stream->side, conn->world->part, len, now_us());
}

static void hear_end(struct conn *conn, const struct stream *stream, enum tap_how how)
{
	if (conn->tap)
		tap_end(conn->tap, stream->side, how, now_us());
}

/* What is left of what a player said to a service that isn't there any more, or never was. */
static void hear_rest(struct conn *conn)
{
	ssize_t len = recv(conn->player.fd, conn->world->part, CONN_PART, MSG_DONTWAIT);

	if (len > 0)
		hear(conn, &conn->up, (size_t)len);
}

/* --- its end ------------------------------------------------------------------------------ */

static void close_reset(struct end *end)
{
	const struct linger at_once = { .l_onoff = 1 };

	setsockopt(end->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(end->fd);
	end->fd = -1;
}

static void close_end(struct end *end)
{
	if (end->fd >= 0)
		close(end->fd);
	end->fd = -1;
}

static void enter_state(struct conn *conn, enum conn_state state)
{
	struct conn_world *world = conn->world;

	world->leaving -= conn->state == CONN_LEAVING;
	world->finding -= conn->state == CONN_FINDING;
	conn->state = state;
	world->leaving += state == CONN_LEAVING;
	world->finding += state == CONN_FINDING;
}

/* Its descriptors are closed, or will be without a reset. */
static void conn_end(struct conn *conn)
{
	struct conn_world *world = conn->world;

	close_end(&conn->player);
	close_end(&conn->service);
	pipe_give(&world->pipes, &conn->up.pipe);
	pipe_give(&world->pipes, &conn->down.pipe);
	if (conn->tap)
		tap_close(conn->tap, now_us());
	conn->tap = NULL;
	if (conn->is_hurried)
		TAILQ_REMOVE(&world->hurried, conn, in_hurried);
	conn->is_hurried = false;
	TAILQ_REMOVE(&world->all, conn, in_all);
	world->count--;
	if (conn->origin)
		crowd_leave(&world->crowd, conn->origin);
	enter_state(conn, CONN_DEAD);
	TAILQ_INSERT_TAIL(&world->dead, conn, in_hurried);
}

static void end_reset(struct conn *conn)
{
	if (conn->player.fd >= 0)
		close_reset(&conn->player);
	if (conn->service.fd >= 0)
		close_reset(&conn->service);
	conn_end(conn);
}

static bool has_sent_all(const struct end *end)
{
	int unsent = 0;

	return end->reset || ioctl(end->fd, SIOCOUTQ, &unsent) < 0 || unsent == 0;
}

/* `gone` was reset, so the other is to be. What it has not taken yet would be lost by that. */
static void conn_leave(struct conn *conn, const struct end *gone)
{
	const struct end *left = gone == &conn->player ? &conn->service : &conn->player;

	if (has_sent_all(left)) {
		end_reset(conn);
		return;
	}
	enter_state(conn, CONN_LEAVING);
}

/* --- bytes -------------------------------------------------------------------------------- */

enum moved { MOVED, MOVED_NOTHING };

static void touch(struct conn *conn)
{
	struct conn_world *world = conn->world;

	TAILQ_REMOVE(&world->all, conn, in_all);
	TAILQ_INSERT_TAIL(&world->all, conn, in_all);
}

static void break_stream(struct conn *conn, struct stream *stream)
{
	stream->to->reset = true;
	stream->broken = true;
	pipe_give(&conn->world->pipes, &stream->pipe);
}

/* The last of what comes: 0 or a failure, as recv() gave it. */
static enum moved end_input(struct conn *conn, struct stream *stream, ssize_t result)
{
	if (result < 0 && errno == EINTR)
		return MOVED;
	if (result < 0 && errno == EAGAIN) {
		stream->from->readable = false;
		return MOVED_NOTHING;
	}
	if (result < 0)
		stream->from->reset = true;
	stream->over = true;
	hear_end(conn, stream, stream->from->reset ? TAP_RESET : TAP_CLOSED);
	return MOVED;
}

static enum moved refuse_output(struct conn *conn, struct stream *stream)
{
	if (errno == EINTR)
		return MOVED;
	if (errno == EAGAIN) {
		stream->to->writable = false;
		return MOVED_NOTHING;
	}
	break_stream(conn, stream);
	return MOVED;
}

static enum moved drain_pipe(struct conn *conn, struct stream *stream)
{
	struct pipe *pipe = &stream->pipe;
	ssize_t len = splice(pipe->read_fd, NULL, stream->to->fd, NULL, pipe->len,
			     SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (len <= 0)
		return refuse_output(conn, stream);
	pipe->len -= (size_t)len;
	return MOVED;
}

static enum moved fill_pipe(struct conn *conn, struct stream *stream, uint64_t most,
			    ssize_t *ret_len)
{
	ssize_t len = splice(stream->from->fd, NULL, stream->pipe.write_fd, NULL,
			     most < SPLICE_MAX ? (size_t)most : SPLICE_MAX,
			     SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (len <= 0)
		return end_input(conn, stream, len);
	*ret_len = len;
	stream->pipe.len = (size_t)len;
	if (conn->tap)
		tap_skip(conn->tap, stream->side, (uint64_t)len, now_us());
	return drain_pipe(conn, stream);
}

/* Takes out of one queue only what has its place in the other. */
static enum moved copy_part(struct conn *conn, struct stream *stream, ssize_t *ret_len)
{
	char *part = conn->world->part;
	ssize_t len = recv(stream->from->fd, part, CONN_PART, MSG_PEEK), sent;

	if (len <= 0)
		return end_input(conn, stream, len);
	sent = stream->broken ? len : send(stream->to->fd, part, (size_t)len, MSG_NOSIGNAL);
	if (sent < 0)
		return refuse_output(conn, stream);
	(void)!recv(stream->from->fd, NULL, (size_t)sent, MSG_TRUNC);
	*ret_len = sent;
	hear(conn, stream, (size_t)sent);
	if (sent == len && len < CONN_PART && !stream->from->hung_up)
		stream->from->readable = false; /* there was no more */
	return MOVED;
}

static uint64_t skippable(const struct conn *conn, const struct stream *stream)
{
	if (!conn->world->writer)
		return UINT64_MAX;
	return conn->tap ? tap_skippable(conn->tap, stream->side) : 0;
}

static enum moved move_part(struct conn *conn, struct stream *stream, ssize_t *ret_len)
{
	uint64_t most;

	if (stream->pipe.len > 0)
		return drain_pipe(conn, stream);
	most = stream->broken ? 0 : skippable(conn, stream);
	if (most >= SPLICE_MIN &&
	    (stream->pipe.read_fd >= 0 || pipe_take(&conn->world->pipes, &stream->pipe)))
		return fill_pipe(conn, stream, most, ret_len);
	return copy_part(conn, stream, ret_len);
}

static bool can_move(const struct stream *stream)
{
	bool is_taken = stream->to->writable || stream->broken;

	return stream->pipe.len > 0 ? is_taken
				    : is_taken && stream->from->readable && !stream->over;
}

/* False: it has had its turn, and there is more. */
static bool pump(struct conn *conn, struct stream *stream)
{
	int64_t left = TURN_BYTES;

	while (left > 0 && can_move(stream)) {
		ssize_t len = 0;

		if (move_part(conn, stream, &len) == MOVED_NOTHING)
			break;
		left -= len;
	}
	if (stream->pipe.len == 0)
		pipe_give(&conn->world->pipes, &stream->pipe);
	if (left < TURN_BYTES)
		touch(conn);
	return left > 0;
}

static bool is_done(const struct stream *stream)
{
	return stream->over && stream->pipe.len == 0;
}

static void pass_end_on(struct stream *stream)
{
	if (!is_done(stream) || stream->closed || stream->from->reset)
		return;
	stream->closed = true;
	if (!stream->broken && shutdown(stream->to->fd, SHUT_WR) < 0)
		stream->to->reset = true;
}

static void hurry(struct conn *conn)
{
	if (conn->is_hurried)
		return;
	conn->is_hurried = true;
	TAILQ_INSERT_TAIL(&conn->world->hurried, conn, in_hurried);
}

/* Who is gone has no more to say; what it said is waited for, but not for ever. */
static void condemn(struct conn *conn)
{
	if (conn->is_condemned || !(conn->player.reset || conn->service.reset))
		return;
	conn->is_condemned = true;
	conn->deadline_ms = clock_monotonic_ms() + LEAVE_MS;
}

static void conn_run(struct conn *conn)
{
	bool has_all = pump(conn, &conn->up);

	has_all &= pump(conn, &conn->down);
	if (!has_all) {
		hurry(conn);
		return;
	}
	pass_end_on(&conn->up);
	pass_end_on(&conn->down);
	condemn(conn);
	if (conn->service.reset && is_done(&conn->down)) {
		hear_rest(conn);
		conn_leave(conn, &conn->service);
	} else if (conn->player.reset && is_done(&conn->up)) {
		conn_leave(conn, &conn->player);
	} else if (conn->up.closed && conn->down.closed) {
		conn_end(conn);
	}
}

/* --- its beginning ------------------------------------------------------------------------ */

static void fail(struct conn *conn, const char *why)
{
	struct tap *tap;

	conn->world->counts.unreached++;
	hear_rest(conn);
	tap = tap_of(conn);
	if (tap)
		tap_fail(tap, why, now_us());
	end_reset(conn);
}

static void set_options(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S },
		{ IPPROTO_TCP, TCP_KEEPINTVL, KEEP_PAUSE_S },
	};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		setsockopt(fd, options[i].level, options[i].name, &options[i].value,
			   sizeof(options[i].value));
}

static void end_ready(struct watch *watch, uint32_t events);

static bool watch_end(struct conn *conn, struct end *end, int fd)
{
	*end = (struct end){ .watch = { end_ready }, .conn = conn, .fd = fd };
	set_options(fd);
	return loop_add(conn->world->loop, fd, LOOP_EDGE, &end->watch, NULL) == 0;
}

/* It may have been started again, and be elsewhere. */
static void refused(struct conn *conn, int error)
{
	struct conn_world *world = conn->world;

	if (conn->was_doubted || conn->target->name.settled_ms == INT64_MAX) {
		fail(conn, error == ECONNREFUSED ? "the service refused the connection"
						 : "the service can't be reached");
		return;
	}
	conn->was_doubted = true;
	close_end(&conn->service);
	name_doubt(&world->lookup, &conn->target->name, clock_monotonic_ms());
	enter_state(conn, CONN_FINDING);
}

static void reach_service(struct conn *conn)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr = conn->target->name.address,
				       .sin_port = htons(conn->target->options->host_port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) {
		fail(conn, "the recorder has no descriptor left");
		return;
	}
	conn->tried = address.sin_addr;
	conn->deadline_ms = clock_monotonic_ms() + CONNECT_MS;
	enter_state(conn, CONN_CONNECTING);
	close_end(&conn->service);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 &&
	    errno != EINPROGRESS) {
		int error = errno;

		close(fd);
		refused(conn, error);
	} else if (!watch_end(conn, &conn->service, fd)) {
		fail(conn, "the recorder can't watch a descriptor");
	}
}

static void find_service(struct conn *conn)
{
	int64_t now_ms = clock_monotonic_ms();

	switch (name_find(&conn->world->lookup, &conn->target->name, now_ms)) {
	case NAME_KNOWN: reach_service(conn); break;
	case NAME_ASKED:
		conn->deadline_ms = now_ms + CONNECT_MS;
		enter_state(conn, CONN_FINDING);
		break;
	case NAME_UNKNOWN: fail(conn, "the service's name is not known: it does not run"); break;
	}
}

static void settled(struct conn *conn)
{
	const struct name *name = &conn->target->name;

	if (!name->known)
		fail(conn, "the service's name is not known: it does not run");
	else if (conn->was_doubted && name->address.s_addr == conn->tried.s_addr)
		fail(conn, "the service refused the connection");
	else
		reach_service(conn);
}

void conn_settle(struct conn_world *world, const struct name *name)
{
	struct conn *conn, *next;

	for (conn = TAILQ_FIRST(&world->all); conn; conn = next) {
		next = TAILQ_NEXT(conn, in_all);
		if (conn->state == CONN_FINDING && &conn->target->name == name)
			settled(conn);
	}
}

static void finish_connecting(struct conn *conn)
{
	int error = 0;
	socklen_t size = sizeof(error);

	getsockopt(conn->service.fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error) {
		refused(conn, error);
		return;
	}
	enter_state(conn, CONN_OPEN);
	conn->player.readable = true;
	conn_run(conn);
}

static void end_ready(struct watch *watch, uint32_t events)
{
	struct end *end = (struct end *)watch;
	struct conn *conn = end->conn;

	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		end->hung_up = true;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		end->readable = true;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		end->writable = true;
	if (conn->state == CONN_CONNECTING && end == &conn->service) {
		if (end->writable)
			finish_connecting(conn);
		return;
	}
	if (events & EPOLLERR)
		end->reset = true;
	if (conn->state == CONN_OPEN)
		conn_run(conn);
	else if ((conn->state == CONN_FINDING || conn->state == CONN_CONNECTING) &&
		 conn->player.reset)
		end_reset(conn); /* it didn't wait for the service */
}

void conn_begin(struct conn_world *world, struct conn_target *target, int fd,
		const struct sockaddr_in *client)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	world->counts.connections++;
	if (!conn) {
		struct end lost = { .fd = fd };

		close_reset(&lost);
		return;
	}
	*conn = (struct conn){
		.world = world,
		.target = target,
		.client = *client,
		.player = { .fd = -1 },
		.service = { .fd = -1 },
		.up = { &conn->player, &conn->service, TAP_CLIENT, PIPE_NONE, false, false, false },
		.down = { &conn->service, &conn->player, TAP_SERVER, PIPE_NONE, false, false,
			  false },
		.began_us = now_us(),
	};
	TAILQ_INSERT_TAIL(&world->all, conn, in_all);
	world->count++;
	if (world->count > world->counts.peak)
		world->counts.peak = world->count;
	conn->origin = crowd_enter(&world->crowd, client->sin_addr);
	if (conn->origin && watch_end(conn, &conn->player, fd)) {
		find_service(conn);
	} else {
		conn->player.fd = fd;
		end_reset(conn);
	}
}

/* --- all of them -------------------------------------------------------------------------- */

void conn_make_room(struct conn_world *world)
{
	const struct origin *largest = crowd_largest(&world->crowd);
	struct conn *conn;

	TAILQ_FOREACH(conn, &world->all, in_all)
	if (conn->origin == largest)
		break;
	if (!conn)
		return;
	world->counts.evicted++;
	hear_end(conn, &conn->up, TAP_CUT);
	hear_end(conn, &conn->down, TAP_CUT);
	end_reset(conn);
}

void conn_hurry(struct conn_world *world)
{
	struct conn *last = TAILQ_LAST(&world->hurried, conn_list), *conn;

	while ((conn = TAILQ_FIRST(&world->hurried))) {
		bool is_last = conn == last;

		TAILQ_REMOVE(&world->hurried, conn, in_hurried);
		conn->is_hurried = false;
		conn_run(conn); /* may enter it again, at the tail */
		if (is_last)
			break;
	}
}

static void tick(struct conn *conn, int64_t now_ms)
{
	const struct end *left = conn->player.reset ? &conn->service : &conn->player;

	if (conn->tap)
		tap_tick(conn->tap, now_us());
	if ((conn->is_condemned && now_ms >= conn->deadline_ms) ||
	    (conn->state == CONN_LEAVING && has_sent_all(left)))
		end_reset(conn);
	else if (conn->state == CONN_CONNECTING && now_ms >= conn->deadline_ms)
		refused(conn, ETIMEDOUT);
	else if (conn->state == CONN_FINDING && now_ms >= conn->deadline_ms)
		fail(conn, "the service's address is not known");
}

void conn_tick(struct conn_world *world, int64_t now_ms)
{
	struct conn *conn, *next;

	for (conn = TAILQ_FIRST(&world->all); conn; conn = next) {
		next = TAILQ_NEXT(conn, in_all);
		tick(conn, now_ms);
	}
}

void conn_bury(struct conn_world *world)
{
	struct conn *conn;

	while ((conn = TAILQ_FIRST(&world->dead))) {
		TAILQ_REMOVE(&world->dead, conn, in_hurried);
		free(conn);
	}
}

void conn_world_init(struct conn_world *world)
{
	TAILQ_INIT(&world->all);
	TAILQ_INIT(&world->hurried);
	TAILQ_INIT(&world->dead);
}

void conn_world_done(struct conn_world *world)
{
	struct conn *conn;

	while ((conn = TAILQ_FIRST(&world->all))) {
		hear_end(conn, &conn->up, TAP_CUT);
		hear_end(conn, &conn->down, TAP_CUT);
		end_reset(conn);
	}
	conn_bury(world);
	pipes_done(&world->pipes);
}
