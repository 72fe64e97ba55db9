/* SPDX-License-Identifier: Apache-2.0 */
#include "http/listen.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "http/patience.h"
#include "http/peer.h"
#include "http/proxy.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	BACKLOG = 4096,
	STACK_SIZE = 64 * 1024,
	PAUSE_MS = 50, /* where accepting fails, hope for better times */
	COMPLAIN_EVERY_MS = 1000,
	/* A proxy says whose a connection is at once. */
	UNTOLD_MAX = 256,
	UNTOLD_MS = 5000,
};

/* A connection whose proxy has yet to say whose it is. */
struct untold {
	int fd;
	struct sockaddr_storage peer;
	socklen_t len;
	int64_t since;
	struct proxy_header header;
};

struct listener {
	int fd;
	uint16_t port;
	struct MHD_Daemon *daemon;
	struct patience *patience;
	pthread_t thread;
	bool started;
	atomic_bool stopping;
	int64_t complained_at;
	const struct networks *proxies; /* that begin with a PROXY header; NULL: nobody does */
	struct untold *untold;
	size_t untold_count;
};

static void listener_freep(struct listener **l)
{
	listener_free(*l);
}

struct address {
	char host[256]; /* "": any */
	char port[8];
};

static int parse_address(const char *text, struct address *ret, struct err *e)
{
	const char *colon = strrchr(text, ':');
	size_t host_len = colon ? (size_t)(colon - text) : 0;
	unsigned long port;
	char *end;

	if (!colon || host_len >= sizeof(ret->host))
		return err_set(e, ERR_INVALID, "address '%s' is not host:port", text);
	port = strtoul(colon + 1, &end, 10);
	if (end == colon + 1 || *end || port > UINT16_MAX)
		return err_set(e, ERR_INVALID, "address '%s' has no port from 0 to 65535", text);
	if (host_len > 2 && text[0] == '[' && colon[-1] == ']') {
		text++;
		host_len -= 2;
	} else if (memchr(text, ':', host_len)) {
		return err_set(e, ERR_INVALID, "address '%s' needs its IPv6 host in [ ]", text);
	}
	memcpy(ret->host, text, host_len);
	ret->host[host_len] = '\0';
	snprintf(ret->port, sizeof(ret->port), "%lu", port);
	return 0;
}

static int bind_to(const struct addrinfo *info)
{
	const int on = 1, off = 0;
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (info->ai_family == AF_INET6) /* [::] means IPv4 too */
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* The first address the host stands for that can be had. */
static int bind_any(const struct address *address, const char *text, int *ret_fd, struct err *e)
{
	const struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
					.ai_socktype = SOCK_STREAM };
	struct addrinfo *infos;
	int error = getaddrinfo(address->host, address->port, &hints, &infos);

	if (error)
		return err_set(e, ERR_INVALID, "address '%s': %s", text, gai_strerror(error));
	*ret_fd = -1;
	for (const struct addrinfo *info = infos; info && *ret_fd < 0; info = info->ai_next)
		*ret_fd = bind_to(info);
	error = errno;
	freeaddrinfo(infos);
	errno = error;
	return *ret_fd < 0 ? err_errno(e, ERR_CONNECT, "listen on '%s'", text) : 0;
}

/* For its owner's processes: who may not enter the directory doesn't find it. */
static int bind_unix(const char *path, int *ret_fd, struct err *e)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path))
		return err_set(e, ERR_INVALID,
			       "socket '%s': a path of less than %zu bytes expected", path,
			       sizeof(address.sun_path));
	memcpy(address.sun_path, path, strlen(path));
	*ret_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*ret_fd < 0 || bind(*ret_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(*ret_fd, BACKLOG) < 0)
		return err_errno(e, ERR_CONNECT, "listen on '%s'", path);
	return 0;
}

static int listener_bind(struct listener *l, const char *text, struct err *e)
{
	static const char unix_scheme[] = "unix://";
	struct address address;
	int r;

	if (strncmp(text, unix_scheme, sizeof(unix_scheme) - 1) == 0)
		return bind_unix(text + sizeof(unix_scheme) - 1, &l->fd, e);
	r = parse_address(text, &address, e);
	if (r < 0)
		return r;
	if (address.host[0])
		return bind_any(&address, text, &l->fd, e);
	snprintf(address.host, sizeof(address.host), "::");
	r = bind_any(&address, text, &l->fd, NULL);
	if (r == 0)
		return 0;
	snprintf(address.host, sizeof(address.host), "0.0.0.0"); /* a machine without IPv6 */
	return bind_any(&address, text, &l->fd, e);
}

int listener_new(const char *address, struct listener **ret_listener, struct err *e)
{
	AUTO(struct listener *, listener_freep) l = calloc(1, sizeof(*l));
	struct sockaddr_in6 bound = { 0 };
	socklen_t len = sizeof(bound);
	int r;

	if (!l)
		return err_memory(e);
	l->fd = -1;
	r = listener_bind(l, address, e);
	if (r < 0)
		return r;
	if (getsockname(l->fd, (struct sockaddr *)&bound, &len) < 0)
		return err_errno(e, ERR_CONNECT, "listen on '%s'", address);
	if (bound.sin6_family != AF_UNIX)
		l->port = ntohs(bound.sin6_port); /* where an IPv4 address has it, too */
	*ret_listener = TAKE(l);
	return 0;
}

uint16_t listener_port(const struct listener *l)
{
	return l->port;
}

/* A flood that we can't serve must not flood the log. */
static void complain(struct listener *l, const char *what)
{
	int64_t now = clock_monotonic_ms();

	if (l->complained_at && now - l->complained_at < COMPLAIN_EVERY_MS)
		return;
	l->complained_at = now;
	log_warn("a connection was not accepted: %s", what);
}

static bool is_client_gone(int error)
{
	return error == ECONNABORTED || error == EPROTO || error == EINTR || error == EAGAIN;
}

static void hand_over(struct listener *l, int fd, const struct sockaddr_storage *peer,
		      socklen_t len)
{
	const char *too_many = patience_admit(l->patience, (const struct sockaddr *)peer);

	if (too_many) {
		close(fd);
		complain(l, too_many);
	} else if (MHD_add_connection(l->daemon, fd, (const struct sockaddr *)peer, len) ==
		   MHD_NO) { /* which has closed it */
		patience_dismiss(l->patience, (const struct sockaddr *)peer);
		complain(l, "the HTTP server does not take it");
	}
}

static bool is_proxy(const struct listener *l, const struct sockaddr_storage *peer)
{
	struct in6_addr address;

	return peer_of_socket((const struct sockaddr *)peer, &address) &&
	       networks_have(l->proxies, &address);
}

static void await_header(struct listener *l, int fd, const struct sockaddr_storage *peer,
			 socklen_t len)
{
	struct untold *untold = &l->untold[l->untold_count];

	if (!is_proxy(l, peer) || l->untold_count == UNTOLD_MAX) {
		complain(l, l->untold_count == UNTOLD_MAX
				    ? "too many have yet to say whose they are"
				    : "it comes from no proxy of --proxies");
		close(fd);
		return;
	}
	untold->fd = fd;
	untold->peer = *peer;
	untold->len = len;
	untold->since = clock_monotonic_ms();
	untold->header.len = 0;
	l->untold_count++;
}

/* False: it still has to be waited for. */
static bool settle(struct listener *l, struct untold *untold, int64_t now)
{
	switch (proxy_read(untold->fd, &untold->header)) {
	case PROXY_MORE:
		if (now - untold->since < UNTOLD_MS)
			return false;
		complain(l, "its proxy sent no PROXY header");
		break;
	case PROXY_INVALID: complain(l, "its PROXY header (version 2) is malformed"); break;
	case PROXY_WHOLE:
		proxy_address(&untold->header, &untold->peer, &untold->len);
		hand_over(l, untold->fd, &untold->peer, untold->len);
		return true;
	}
	close(untold->fd);
	return true;
}

static void settle_all(struct listener *l)
{
	int64_t now = clock_monotonic_ms();

	for (size_t i = 0; i < l->untold_count;)
		if (settle(l, &l->untold[i], now))
			l->untold[i] = l->untold[--l->untold_count];
		else
			i++;
}

static void accept_one(struct listener *l)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	int fd = accept4(l->fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0 && l->proxies) {
		await_header(l, fd, &peer, len);
	} else if (fd >= 0) {
		hand_over(l, fd, &peer, len);
	} else if (!atomic_load(&l->stopping) && !is_client_gone(errno)) {
		complain(l, strerrordesc_np(errno));
		poll(NULL, 0, PAUSE_MS);
	}
}

static void *accept_all(void *cookie)
{
	struct listener *l = cookie;
	struct pollfd fds[1 + UNTOLD_MAX] = { { .fd = l->fd, .events = POLLIN } };

	while (!atomic_load(&l->stopping)) {
		for (size_t i = 0; i < l->untold_count; i++)
			fds[1 + i] = (struct pollfd){ .fd = l->untold[i].fd, .events = POLLIN };
		if (poll(fds, 1 + l->untold_count, PATIENCE_CHECK_MS) > 0 && fds[0].revents)
			accept_one(l);
		settle_all(l);
		patience_check(l->patience);
	}
	while (l->untold_count > 0)
		close(l->untold[--l->untold_count].fd);
	return NULL;
}

int listener_start(struct listener *l, struct MHD_Daemon *daemon, struct patience *patience,
		   const struct networks *proxies, struct err *e)
{
	pthread_attr_t attr;
	int error;

	l->proxies = proxies;
	if (proxies && !(l->untold = calloc(UNTOLD_MAX, sizeof(*l->untold))))
		return err_memory(e);

	l->daemon = daemon;
	l->patience = patience;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	error = pthread_create(&l->thread, &attr, accept_all, l);
	pthread_attr_destroy(&attr);
	if (error) {
		errno = error;
		return err_errno(e, ERR_INTERNAL, "start a thread");
	}
	l->started = true;
	return 0;
}

void listener_stop(struct listener *l)
{
	if (!l->started)
		return;
	atomic_store(&l->stopping, true);
	shutdown(l->fd, SHUT_RDWR); /* wakes poll() */
	pthread_join(l->thread, NULL);
	close(l->fd);
	l->fd = -1;
	l->started = false;
}

void listener_free(struct listener *l)
{
	if (!l)
		return;
	listener_stop(l);
	if (l->fd >= 0)
		close(l->fd);
	free(l->untold);
	free(l);
}
