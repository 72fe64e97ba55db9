/* SPDX-License-Identifier: Apache-2.0 */
#include "node/names.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/own.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	CLIENTS_MAX = 64,
	CLIENT_MS = 2000, /* for one question over TCP */
	LENGTH_SIZE = 2,  /* before each message over TCP */
	HEADER_SIZE = 12,
	FLAG_RESPONSE = 0x80,
	FLAG_RECURSION_DESIRED = 0x01, /* the first byte of flags, with the operation's code */
	OPERATION = 0x78,
	FLAG_RECURSION_AVAILABLE = 0x80, /* the second, with the answer's code */
	CODE_FORMAT = 1,
	CODE_NO_SUCH_NAME = 3,
	CODE_NOT_IMPLEMENTED = 4,
};

/* Who asks over TCP: most have no connection, and fd is -1. */
struct names_client {
	int fd;
	int64_t deadline; /* monotonic */
	size_t len;
	uint8_t bytes[LENGTH_SIZE + NAMES_MESSAGE_MAX];
};

struct names {
	int stop, udp, tcp;
	uint16_t port;
	pthread_t thread;
	struct names_client clients[CLIENTS_MAX];
};

/* --- messages ----------------------------------------------------------------------------- */

/* Where the one question that a message has ends; 0: it is not one whole, uncompressed question. */
static size_t question_end(const uint8_t *message, size_t len)
{
	size_t at = HEADER_SIZE;

	if (message[4] != 0 || message[5] != 1)
		return 0;
	while (at < len && message[at] != 0) {
		if (message[at] > 63)
			return 0;
		at += 1U + message[at];
	}
	at += 1 + 4; /* the root's label; type and class */
	return at <= len && at - HEADER_SIZE <= 255 + 4 ? at : 0;
}

size_t names_answer(const uint8_t *question, size_t len, uint8_t answer[NAMES_MESSAGE_MAX])
{
	size_t end;
	uint8_t code;

	if (len < HEADER_SIZE || len > NAMES_MESSAGE_MAX || question[2] & FLAG_RESPONSE)
		return 0;
	end = question_end(question, len);
	if (question[2] & OPERATION)
		code = CODE_NOT_IMPLEMENTED;
	else
		code = end ? CODE_NO_SUCH_NAME : CODE_FORMAT;
	if (!end)
		end = HEADER_SIZE;
	memset(answer, 0, HEADER_SIZE);
	memcpy(answer, question, 2);
	answer[2] = FLAG_RESPONSE | (question[2] & (OPERATION | FLAG_RECURSION_DESIRED));
	answer[3] = FLAG_RECURSION_AVAILABLE | code;
	answer[5] = end > HEADER_SIZE;
	memcpy(answer + HEADER_SIZE, question + HEADER_SIZE, end - HEADER_SIZE);
	return end;
}

/* --- UDP ---------------------------------------------------------------------------------- */

static void serve_datagram(const struct names *names)
{
	uint8_t question[NAMES_MESSAGE_MAX], answer[NAMES_MESSAGE_MAX];
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	ssize_t len = recvfrom(names->udp, question, sizeof(question), MSG_DONTWAIT | MSG_TRUNC,
			       (struct sockaddr *)&from, &from_len);
	size_t answer_len = len > 0 ? names_answer(question, (size_t)len, answer) : 0;

	/* Whoever's answer is lost asks again. */
	if (answer_len)
		sendto(names->udp, answer, answer_len, MSG_DONTWAIT, (struct sockaddr *)&from,
		       from_len);
}

/* --- TCP ---------------------------------------------------------------------------------- */

static void client_close(struct names_client *client)
{
	closep(&client->fd);
	client->fd = -1;
	client->len = 0;
}

static void accept_client(struct names *names)
{
	AUTO(int, closep) fd = accept4(names->tcp, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	for (size_t i = 0; fd >= 0 && i < CLIENTS_MAX; i++) {
		struct names_client *client = &names->clients[i];

		if (client->fd >= 0)
			continue;
		client->fd = take_fd(&fd);
		client->len = 0;
		client->deadline = clock_monotonic_ms() + CLIENT_MS;
	}
}

/* False: nothing more is to be had of it. */
static bool answer_client(struct names_client *client)
{
	uint8_t answer[LENGTH_SIZE + NAMES_MESSAGE_MAX];
	size_t len, answer_len;

	while (client->len >= LENGTH_SIZE) {
		len = (size_t)client->bytes[0] << 8 | client->bytes[1];
		if (len > NAMES_MESSAGE_MAX)
			return false;
		if (client->len < LENGTH_SIZE + len)
			return true;
		answer_len = names_answer(client->bytes + LENGTH_SIZE, len, answer + LENGTH_SIZE);
		answer[0] = (uint8_t)(answer_len >> 8);
		answer[1] = (uint8_t)answer_len;
		answer_len += LENGTH_SIZE;
		if (answer_len == LENGTH_SIZE ||
		    send(client->fd, answer, answer_len, MSG_NOSIGNAL | MSG_DONTWAIT) !=
			    (ssize_t)answer_len)
			return false;
		client->len -= LENGTH_SIZE + len;
		memmove(client->bytes, client->bytes + LENGTH_SIZE + len, client->len);
		client->deadline = clock_monotonic_ms() + CLIENT_MS;
	}
	return true;
}

static void serve_client(struct names_client *client)
{
	ssize_t len = recv(client->fd, client->bytes + client->len,
			   sizeof(client->bytes) - client->len, MSG_DONTWAIT);

	if (len > 0)
		client->len += (size_t)len;
	if (len <= 0 || !answer_client(client))
		client_close(client);
}

/* --- its life ----------------------------------------------------------------------------- */

enum { POLLED_STOP, POLLED_UDP, POLLED_TCP, POLLED_CLIENTS };

static void serve_round(struct names *names, const struct pollfd *polled)
{
	int64_t now = clock_monotonic_ms();

	if (polled[POLLED_UDP].revents)
		serve_datagram(names);
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct names_client *client = &names->clients[i];

		if (client->fd >= 0 && polled[POLLED_CLIENTS + i].revents)
			serve_client(client);
		else if (client->fd >= 0 && now > client->deadline)
			client_close(client);
	}
	/* Last: a place that is given now was not looked at in this round. */
	if (polled[POLLED_TCP].revents)
		accept_client(names);
}

static void *serve(void *cookie)
{
	struct names *names = cookie;
	struct pollfd polled[POLLED_CLIENTS + CLIENTS_MAX];

	for (;;) {
		int timeout_ms = -1;

		polled[POLLED_STOP] = (struct pollfd){ .fd = names->stop, .events = POLLIN };
		polled[POLLED_UDP] = (struct pollfd){ .fd = names->udp, .events = POLLIN };
		polled[POLLED_TCP] = (struct pollfd){ .fd = names->tcp, .events = POLLIN };
		for (size_t i = 0; i < CLIENTS_MAX; i++) {
			polled[POLLED_CLIENTS + i] =
				(struct pollfd){ .fd = names->clients[i].fd, .events = POLLIN };
			if (names->clients[i].fd >= 0)
				timeout_ms = CLIENT_MS;
		}
		if (poll(polled, ARRAY_SIZE(polled), timeout_ms) < 0)
			continue; /* a signal */
		if (polled[POLLED_STOP].revents)
			return NULL;
		serve_round(names, polled);
	}
}

static int bind_socket(int type, uint16_t port, int *ret_fd, struct err *e)
{
	const struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
	AUTO(int, closep) fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0)
		return err_errno(e, ERR_INTERNAL, "make a socket for questions for names");
	*ret_fd = take_fd(&fd);
	return 0;
}

/*
 * The same port for both, of those above what systems give out (32768 to 60999 on Linux): a node's
 * rules on its port outlive it, and must not meet somebody else's.
 */
static int bind_both(struct names *names, struct err *e)
{
	enum { TRIES = 64, FIRST = 61000, LAST = 65535 };
	int r = 0;

	for (int i = 0; i < TRIES; i++) {
		closep(&names->tcp);
		names->tcp = -1;
		names->port = (uint16_t)(FIRST + randombytes_uniform(LAST - FIRST + 1));
		r = bind_socket(SOCK_STREAM, names->port, &names->tcp, e);
		if (r == 0)
			r = bind_socket(SOCK_DGRAM, names->port, &names->udp, e);
		if (r == 0)
			break;
	}
	if (r == 0 && listen(names->tcp, CLIENTS_MAX) < 0)
		r = err_errno(e, ERR_INTERNAL, "listen for questions for names");
	return r;
}

static void names_free(struct names *names)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		closep(&names->clients[i].fd);
	closep(&names->tcp);
	closep(&names->udp);
	closep(&names->stop);
	free(names);
}

int names_open(struct names **ret_names, struct err *e)
{
	struct names *names = calloc(1, sizeof(*names));
	int r;

	if (!names)
		return err_memory(e);
	names->udp = names->tcp = -1;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		names->clients[i].fd = -1;
	names->stop = eventfd(0, EFD_CLOEXEC);
	r = names->stop < 0 ? err_errno(e, ERR_INTERNAL, "make an eventfd") : bind_both(names, e);
	if (r == 0 && pthread_create(&names->thread, NULL, serve, names) != 0)
		r = err_set(e, ERR_INTERNAL, "start the thread that answers questions for names");
	if (r < 0)
		names_free(names);
	else
		*ret_names = names;
	return r;
}

uint16_t names_port(const struct names *names)
{
	return names->port;
}

void names_close(struct names *names)
{
	if (!names)
		return;
	eventfd_write(names->stop, 1);
	pthread_join(names->thread, NULL);
	names_free(names);
}
