/* SPDX-License-Identifier: Apache-2.0 */
#include "http/patience.h"

#include "base/clock.h"
#include "base/err.h"
#include "http/peer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

/* What awaited_since says of a client that need not speak. */
enum { NOT_AWAITED = -1 };

enum { OWNER_SIZE = 64 };

struct visit {
	struct visit *next, **at;
	struct patience *patience;
	int fd;
	atomic_int_fast64_t awaited_since;
	char user[OWNER_SIZE], token[OWNER_SIZE]; /* ids; "" is nobody's */
	atomic_uint *crowd; /* that it is one of; NULL: its address isn't counted */
	bool is_owned;      /* read by its own listening thread alone */
	int64_t gone_since; /* what awaited_since was when the client was seen to be gone; else 0 */
};

/* By a hash of the address that nobody can foretell. */
enum { CROWDS = 4096 };

struct patience {
	atomic_uint crowds[CROWDS]; /* connections */
	atomic_uint all;
	atomic_uint_fast64_t refused;
	unsigned most; /* of all; of one crowd a half */
	uint64_t seed;
	const struct networks *proxies;
	pthread_mutex_t lock; /* while it is held, no watched descriptor is closed */
	struct visit *visits;
	int64_t limit_ms;
	int64_t checked_at;
};

int patience_new(int64_t limit_ms, unsigned most, const struct networks *proxies,
		 struct patience **ret_patience, struct err *e)
{
	struct patience *p = calloc(1, sizeof(*p));

	if (!p)
		return err_memory(e);
	pthread_mutex_init(&p->lock, NULL);
	p->limit_ms = limit_ms;
	p->most = most;
	p->proxies = proxies;
	if (getrandom(&p->seed, sizeof(p->seed), 0) != sizeof(p->seed))
		p->seed = (uint64_t)(uintptr_t)p;
	*ret_patience = p;
	return 0;
}

void patience_free(struct patience *p)
{
	if (!p)
		return;
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static bool has_ended(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/*
 * Who stopped sending may still wait for the answer to a request that is just being read; who has
 * stopped and is awaited the same way a check later sent no whole request.
 */
static bool is_gone(struct visit *visit, int64_t since)
{
	bool before = visit->gone_since == since;

	visit->gone_since = has_ended(visit->fd) ? since : 0;
	return before && visit->gone_since;
}

static void end_if_due(struct visit *visit, int64_t now)
{
	int64_t since = atomic_load(&visit->awaited_since);

	if (since == NOT_AWAITED)
		return;
	if (now - since > visit->patience->limit_ms || is_gone(visit, since))
		shutdown(visit->fd, SHUT_RDWR);
}

void patience_check(struct patience *p)
{
	int64_t now = clock_monotonic_ms();

	if (now - p->checked_at < PATIENCE_CHECK_MS)
		return;
	p->checked_at = now;
	pthread_mutex_lock(&p->lock);
	for (struct visit *visit = p->visits; visit; visit = visit->next)
		end_if_due(visit, now);
	pthread_mutex_unlock(&p->lock);
}

/* NULL: a local one, or a proxy, behind which are many. */
static atomic_uint *crowd_of(struct patience *p, const struct sockaddr *address)
{
	uint64_t hash = 14695981039346656037U ^ p->seed;
	char source[PEER_TEXT_SIZE];
	struct in6_addr peer;

	if (!address || !peer_of_socket(address, &peer) || networks_have(p->proxies, &peer))
		return NULL;
	peer_source(&peer, source);
	for (const char *c = source; *c; c++) /* FNV-1a */
		hash = (hash ^ (unsigned char)*c) * 1099511628211U;
	return &p->crowds[(hash >> 32) % CROWDS];
}

static bool take_place(atomic_uint *count, unsigned most)
{
	if (atomic_fetch_add(count, 1) < most)
		return true;
	atomic_fetch_sub(count, 1);
	return false;
}

static void leave_place(struct patience *p, atomic_uint *crowd)
{
	if (crowd)
		atomic_fetch_sub(crowd, 1);
	atomic_fetch_sub(&p->all, 1);
}

uint64_t patience_refused(const struct patience *p)
{
	return atomic_load(&p->refused);
}

static const char *admit(struct patience *p, const struct sockaddr *address)
{
	atomic_uint *crowd = crowd_of(p, address);

	if (crowd && !take_place(crowd, p->most / 2))
		return "too many of its address are open";
	if (take_place(&p->all, p->most))
		return NULL;
	if (crowd)
		atomic_fetch_sub(crowd, 1);
	return "too many are open";
}

const char *patience_admit(struct patience *p, const struct sockaddr *address)
{
	const char *too_many = admit(p, address);

	if (too_many)
		atomic_fetch_add(&p->refused, 1);
	return too_many;
}

void patience_dismiss(struct patience *p, const struct sockaddr *address)
{
	leave_place(p, crowd_of(p, address));
}

struct visit *visit_begin(struct patience *p, int fd, const struct sockaddr *address)
{
	struct visit *visit = calloc(1, sizeof(*visit));

	if (!visit) {
		patience_dismiss(p, address);
		return NULL;
	}
	visit->patience = p;
	visit->fd = fd;
	visit->crowd = crowd_of(p, address);
	visit_await(visit);

	pthread_mutex_lock(&p->lock);
	visit->at = &p->visits;
	visit->next = p->visits;
	if (visit->next)
		visit->next->at = &visit->next;
	p->visits = visit;
	pthread_mutex_unlock(&p->lock);
	return visit;
}

void visit_end(struct visit *visit)
{
	if (!visit)
		return;
	leave_place(visit->patience, visit->crowd);
	pthread_mutex_lock(&visit->patience->lock);
	*visit->at = visit->next;
	if (visit->next)
		visit->next->at = visit->at;
	pthread_mutex_unlock(&visit->patience->lock);
	free(visit);
}

void visit_own(struct visit *visit, const char *user, const char *token)
{
	if (!visit || (!user && !token && !visit->is_owned))
		return;
	pthread_mutex_lock(&visit->patience->lock);
	visit->is_owned = user || token;
	snprintf(visit->user, sizeof(visit->user), "%s", user ? user : "");
	snprintf(visit->token, sizeof(visit->token), "%s", token ? token : "");
	pthread_mutex_unlock(&visit->patience->lock);
}

void patience_cut(struct patience *p, const char *who, const struct visit *except)
{
	pthread_mutex_lock(&p->lock);
	for (struct visit *visit = p->visits; visit; visit = visit->next)
		if (visit != except && *who &&
		    (strcmp(visit->user, who) == 0 || strcmp(visit->token, who) == 0))
			shutdown(visit->fd, SHUT_RDWR);
	pthread_mutex_unlock(&p->lock);
}

void visit_await(struct visit *visit)
{
	if (visit)
		atomic_store(&visit->awaited_since, clock_monotonic_ms());
}

void visit_served(struct visit *visit)
{
	if (visit)
		atomic_store(&visit->awaited_since, NOT_AWAITED);
}
