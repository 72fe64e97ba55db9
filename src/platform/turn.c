/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/turn.h"

#include "base/err.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Fair queueing by finish tags: each that comes gets a tag behind the one its source got last, or
 * behind the turn that is on where that is later; the lowest tag has the next turn. Accounts within
 * a source have tags of their own, which say who of the source's takes its next turn.
 */

enum { AT_ONCE_MAX = 4, SHARE = 1, SHARE_OF_GUESSERS = 16, KEY_MAX = 160 };

struct waiting {
	struct waiting *next;
	struct flow *source, *account;
	uint64_t source_tag, account_tag;
	pthread_cond_t called;
	bool has_turn, sent_away;
};

/* What a source, or an account of one, got last. */
struct flow {
	struct flow *next;
	uint64_t last;
	unsigned waiting;
	char key[];
};

struct turns {
	pthread_mutex_t lock;
	unsigned free; /* turns that nobody has */
	unsigned count;
	uint64_t now; /* the tag of the turn given last */
	struct waiting *waiting;
	struct flow *flows;
};

int turns_new(unsigned at_once, struct turns **ret_turns, struct err *e)
{
	struct turns *turns = calloc(1, sizeof(*turns));
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (!turns)
		return err_memory(e);
	if (at_once == 0)
		at_once = processors < 1             ? 1
			  : processors > AT_ONCE_MAX ? AT_ONCE_MAX
						     : (unsigned)processors;
	turns->free = at_once;
	pthread_mutex_init(&turns->lock, NULL);
	*ret_turns = turns;
	return 0;
}

void turns_free(struct turns *turns)
{
	if (!turns)
		return;
	while (turns->flows) {
		struct flow *flow = turns->flows;

		turns->flows = flow->next;
		free(flow);
	}
	pthread_mutex_destroy(&turns->lock);
	free(turns);
}

/* One that nobody waits of and whose last turn is over says no more than a new one. */
static struct flow *flow_of(struct turns *turns, const char *key)
{
	struct flow **at = &turns->flows, *flow;

	while (*at) {
		flow = *at;
		if (strcmp(flow->key, key) == 0)
			return flow;
		if (flow->waiting == 0 && flow->last <= turns->now) {
			*at = flow->next;
			free(flow);
		} else {
			at = &flow->next;
		}
	}
	flow = calloc(1, sizeof(*flow) + strlen(key) + 1);
	if (!flow)
		return NULL;
	memcpy(flow->key, key, strlen(key) + 1);
	*at = flow;
	return flow;
}

static uint64_t next_tag(const struct turns *turns, struct flow *flow, unsigned share)
{
	if (flow->last < turns->now)
		flow->last = turns->now;
	return flow->last += share;
}

static int enter(struct turns *turns, struct waiting *self, const char *source, const char *account,
		 bool guesses, struct err *e)
{
	char key[KEY_MAX];

	snprintf(key, sizeof(key), "%.60s %s", source, account);
	self->source = flow_of(turns, source);
	if (!self->source)
		return err_memory(e);
	self->source->waiting++; /* so that it stays */
	self->account = flow_of(turns, key);
	if (!self->account) {
		self->source->waiting--;
		return err_memory(e);
	}
	self->account->waiting++;
	self->source_tag = next_tag(turns, self->source, guesses ? SHARE_OF_GUESSERS : SHARE);
	self->account_tag = next_tag(turns, self->account, SHARE);
	self->next = turns->waiting;
	turns->waiting = self;
	turns->count++;
	return 0;
}

static void leave(struct turns *turns, struct waiting *self)
{
	struct waiting **at = &turns->waiting;

	while (*at != self)
		at = &(*at)->next;
	*at = self->next;
	self->source->waiting--;
	self->account->waiting--;
	turns->count--;
}

/* The source whose turn it is, by the one of its own whose turn it is. */
static struct waiting *choose(const struct turns *turns)
{
	struct waiting *first = turns->waiting, *chosen;
	uint64_t tag;

	for (struct waiting *w = first; w; w = w->next)
		if (w->source_tag < first->source_tag)
			first = w;
	chosen = first;
	for (struct waiting *w = turns->waiting; w; w = w->next)
		if (w->source == first->source && w->account_tag < chosen->account_tag)
			chosen = w;
	tag = chosen->source_tag;
	chosen->source_tag = first->source_tag;
	first->source_tag = tag;
	return chosen;
}

static void give_turns(struct turns *turns)
{
	while (turns->free > 0 && turns->waiting) {
		struct waiting *chosen = choose(turns);

		turns->free--;
		if (turns->now < chosen->source_tag)
			turns->now = chosen->source_tag;
		leave(turns, chosen);
		chosen->has_turn = true;
		pthread_cond_signal(&chosen->called);
	}
}

/* Of the source of whom most wait, the one whose turn is farthest away. Somebody waits. */
static void send_one_away(struct turns *turns)
{
	struct waiting *last = turns->waiting;

	for (struct waiting *w = last; w; w = w->next)
		if (w->source->waiting > last->source->waiting ||
		    (w->source == last->source && w->account_tag > last->account_tag))
			last = w;
	if (!last)
		return;
	leave(turns, last);
	last->sent_away = true;
	pthread_cond_signal(&last->called);
}

int turn_take(struct turns *turns, const char *source, const char *account, bool guesses,
	      struct err *e)
{
	struct waiting self = { .has_turn = false };
	int r;

	pthread_cond_init(&self.called, NULL);
	pthread_mutex_lock(&turns->lock);
	r = enter(turns, &self, source, account, guesses, e);
	if (r == 0) {
		give_turns(turns);
		if (turns->count > TURNS_WAITING_MAX)
			send_one_away(turns);
		while (!self.has_turn && !self.sent_away)
			pthread_cond_wait(&self.called, &turns->lock);
	}
	pthread_mutex_unlock(&turns->lock);
	pthread_cond_destroy(&self.called);
	if (self.sent_away)
		r = err_set(e, ERR_UNAVAILABLE,
			    "too many are logging in at once: try again in a moment");
	return r;
}

void turn_end(struct turns *turns)
{
	pthread_mutex_lock(&turns->lock);
	turns->free++;
	give_turns(turns);
	pthread_mutex_unlock(&turns->lock);
}

unsigned turns_waiting(struct turns *turns)
{
	unsigned count;

	pthread_mutex_lock(&turns->lock);
	count = turns->count;
	pthread_mutex_unlock(&turns->lock);
	return count;
}
