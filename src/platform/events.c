/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/events.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "base/work.h"
#include "http/serve.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

enum { KEEP_ALIVE_S = 15 }; /* proxies and browsers end connections that are silent for long */

struct news_listener {
	struct news_listener *next;
	struct http_feed *feed;
	char *competition_id;
	char *team_id;
	char *source;
	bool is_user, is_organiser;
};

struct events {
	pthread_mutex_t lock;
	struct news_listener *listeners;
	unsigned count, most;
	bool ending;
	pthread_t thread;
	bool runs;
	pthread_cond_t wake;
};

static void listener_done(struct news_listener *listener)
{
	http_feed_free(listener->feed);
	free(listener->competition_id);
	free(listener->team_id);
	free(listener->source);
	free(listener);
}

static bool is_for(const struct event_audience *audience, const struct news_listener *listener)
{
	if (audience->competition_id &&
	    strcmp(audience->competition_id, listener->competition_id) != 0)
		return false;
	if (audience->team_id &&
	    (!listener->team_id || strcmp(audience->team_id, listener->team_id) != 0))
		return false;
	return (listener->is_user || !audience->users_only) &&
	       (listener->is_organiser || !audience->organisers_only);
}

/* Who doesn't take it is gone. */
static void send_to_all(struct events *events, const struct event_audience *audience,
			const char *text, size_t len)
{
	struct news_listener **at = &events->listeners;

	while (*at) {
		struct news_listener *listener = *at;

		if (!is_for(audience, listener) || http_feed_send(listener->feed, text, len)) {
			at = &listener->next;
			continue;
		}
		*at = listener->next;
		listener_done(listener);
		events->count--;
	}
}

char *events_text(const char *name, const json_t *data)
{
	AUTO(char *, freep) json = json_dumps(data, JSON_COMPACT);

	return json ? strf("event: %s\ndata: %s\n\n", name, json) : NULL;
}

void events_publish(struct events *events, const struct event_audience *audience, const char *name,
		    const json_t *data)
{
	AUTO(char *, freep) text = data ? events_text(name, data) : NULL;

	if (!text) {
		log_error("out of memory: nobody is told of the event '%s'", name);
		return;
	}
	pthread_mutex_lock(&events->lock);
	send_to_all(events, audience, text, strlen(text));
	pthread_mutex_unlock(&events->lock);
}

static void *keep_alive(void *cookie)
{
	static const struct event_audience everybody = { .competition_id = NULL };
	static const char silence[] = ": still here\n\n";
	struct events *events = cookie;
	struct timespec until;

	pthread_mutex_lock(&events->lock);
	while (!events->ending) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += KEEP_ALIVE_S;
		while (!events->ending &&
		       pthread_cond_timedwait(&events->wake, &events->lock, &until) == 0)
			continue;
		send_to_all(events, &everybody, silence, sizeof(silence) - 1);
	}
	pthread_mutex_unlock(&events->lock);
	return NULL;
}

int events_new(struct events **ret_events, struct err *e)
{
	struct events *events = calloc(1, sizeof(*events));

	if (!events)
		return err_memory(e);
	pthread_mutex_init(&events->lock, NULL);
	cond_init_monotonic(&events->wake);
	events->most = http_connection_limit() / 4 * 3;
	if (pthread_create(&events->thread, NULL, keep_alive, events) != 0) {
		events_free(events);
		return err_set(e, ERR_INTERNAL, "no thread to be had");
	}
	events->runs = true;
	*ret_events = events;
	return 0;
}

void events_end(struct events *events)
{
	pthread_mutex_lock(&events->lock);
	events->ending = true;
	pthread_cond_signal(&events->wake);
	while (events->listeners) {
		struct news_listener *listener = events->listeners;

		events->listeners = listener->next;
		listener_done(listener);
	}
	events->count = 0;
	pthread_mutex_unlock(&events->lock);
}

void events_free(struct events *events)
{
	if (!events)
		return;
	events_end(events);
	if (events->runs)
		pthread_join(events->thread, NULL);
	pthread_cond_destroy(&events->wake);
	pthread_mutex_destroy(&events->lock);
	free(events);
}

/* Called with the lock held. */
static bool is_welcome(const struct events *events, const struct listener_wish *wish)
{
	unsigned own = 0, strangers = 0;

	for (const struct news_listener *l = events->listeners; l; l = l->next) {
		own += l->is_user == wish->is_user && strcmp(l->source, wish->source) == 0;
		strangers += !l->is_user;
	}
	if (events->ending || events->count >= events->most)
		return false;
	return wish->is_user ? own < EVENTS_OF_ACCOUNT
			     : own < EVENTS_OF_ADDRESS && strangers < events->most / 4;
}

static struct news_listener *listener_make(const struct listener_wish *wish, struct http_feed *feed)
{
	struct news_listener *listener = calloc(1, sizeof(*listener));

	if (!listener) {
		http_feed_free(feed);
		return NULL;
	}
	listener->feed = feed;
	listener->is_user = wish->is_user;
	listener->is_organiser = wish->is_organiser;
	listener->competition_id = strdup(wish->competition_id);
	listener->team_id = wish->team_id ? strdup(wish->team_id) : NULL;
	listener->source = strdup(wish->source);
	if (!listener->competition_id || !listener->source ||
	    (wish->team_id && !listener->team_id)) {
		listener_done(listener);
		return NULL;
	}
	return listener;
}

unsigned events_listeners(struct events *events)
{
	unsigned count;

	pthread_mutex_lock(&events->lock);
	count = events->count;
	pthread_mutex_unlock(&events->lock);
	return count;
}

int events_check_room(struct events *events, const struct listener_wish *wish, struct err *e)
{
	bool welcome;

	pthread_mutex_lock(&events->lock);
	welcome = is_welcome(events, wish);
	pthread_mutex_unlock(&events->lock);
	return welcome ? 0
		       : err_set(e, ERR_UNAVAILABLE, "too many listen already: try again in %d s",
				 EVENTS_RETRY_S);
}

int events_listen(struct events *events, const struct listener_wish *wish, struct http_feed *feed,
		  const char *hello, struct err *e)
{
	struct news_listener *listener = listener_make(wish, feed);
	bool welcome;

	if (!listener)
		return err_memory(e);
	pthread_mutex_lock(&events->lock);
	welcome = is_welcome(events, wish) && http_feed_send(listener->feed, hello, strlen(hello));
	if (welcome) {
		listener->next = events->listeners;
		events->listeners = listener;
		events->count++;
	}
	pthread_mutex_unlock(&events->lock);
	if (welcome)
		return 0;
	listener_done(listener);
	return err_set(e, ERR_UNAVAILABLE, "too many listen already");
}
