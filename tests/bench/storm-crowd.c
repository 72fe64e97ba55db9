/* SPDX-License-Identifier: Apache-2.0 */
#include "storm-crowd.h"

#include "storm-fleet.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "base/work.h"
#include "http/call.h"

#include <pthread.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

enum { CALL_TIMEOUT_MS = 60 * 1000, POLL_MS = 1000, COMPLAINTS_MAX = 10 };

enum act { START, LOOK, GUESS, SOLVE, LIST, STOP, LEAVE, DONE };

static const char *const act_words[DONE] = {
	[START] = "start",
	[LOOK] = "look at an instance",
	[GUESS] = "a wrong answer",
	[SOLVE] = "a right answer",
	[LIST] = "list of challenges",
	[STOP] = "stop",
	[LEAVE] = "look at one that stops",
};

struct player {
	unsigned number;
	unsigned round;
	enum act act;
	int64_t due_at;
	char instance[64];
};

struct times {
	uint32_t *us;
	size_t count, room;
};

struct crowd {
	struct crowd_options options;
	pthread_mutex_t lock; /* of all that follows */
	pthread_cond_t changed;
	struct player *players;
	struct player **due; /* a heap: who is due first is at its top */
	size_t waiting;
	unsigned left; /* players who are not through */
	int64_t ends_at;
	struct times times[DONE];
	struct crowd_report report;
};

/* Who is due */

static void swap(struct player **a, struct player **b)
{
	struct player *was = *a;

	*a = *b;
	*b = was;
}

static void put_due(struct crowd *crowd, struct player *player)
{
	size_t at = crowd->waiting++;

	crowd->due[at] = player;
	for (; at > 0 && crowd->due[at]->due_at < crowd->due[(at - 1) / 2]->due_at;
	     at = (at - 1) / 2)
		swap(&crowd->due[at], &crowd->due[(at - 1) / 2]);
	pthread_cond_signal(&crowd->changed);
}

static struct player *take_first(struct crowd *crowd)
{
	struct player *first = crowd->due[0];
	size_t at = 0, child;

	crowd->due[0] = crowd->due[--crowd->waiting];
	while ((child = 2 * at + 1) < crowd->waiting) {
		if (child + 1 < crowd->waiting &&
		    crowd->due[child + 1]->due_at < crowd->due[child]->due_at)
			child++;
		if (crowd->due[at]->due_at <= crowd->due[child]->due_at)
			break;
		swap(&crowd->due[at], &crowd->due[child]);
		at = child;
	}
	return first;
}

static void wait_until(struct crowd *crowd, int64_t ms)
{
	const struct timespec until = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	pthread_cond_timedwait(&crowd->changed, &crowd->lock, &until);
}

/* NULL: every player is through. The lock is held. */
static struct player *next_player(struct crowd *crowd)
{
	while (crowd->left > 0) {
		int64_t now = clock_monotonic_ms();
		int64_t due_at = crowd->waiting ? crowd->due[0]->due_at : now + POLL_MS;

		if (crowd->waiting && due_at <= now) {
			if (now - due_at > crowd->report.late_ms)
				crowd->report.late_ms = now - due_at;
			return take_first(crowd);
		}
		wait_until(crowd, due_at);
	}
	return NULL;
}

/* Calls */

/* The lock is held. */
static void note_time(struct crowd *crowd, enum act act, int64_t us)
{
	struct times *times = &crowd->times[act];

	crowd->report.calls++;
	if (times->count == times->room) {
		size_t room = times->room ? 2 * times->room : 4096;
		uint32_t *us_more = realloc(times->us, room * sizeof(*us_more));

		if (!us_more)
			return;
		times->us = us_more;
		times->room = room;
	}
	times->us[times->count++] = (uint32_t)us;
}

static void complain(struct crowd *crowd, const struct player *player, const char *words)
{
	pthread_mutex_lock(&crowd->lock);
	if (crowd->report.refused++ < COMPLAINTS_MAX)
		fprintf(stderr, "storm: player %u, %s: %s\n", player->number,
			act_words[player->act], words);
	pthread_mutex_unlock(&crowd->lock);
}

struct asked {
	const char *method;
	const char *path;
	const char *header; /* one more; NULL: none */
	const char *body;
};

/* The status; 0 where there was no answer. */
static int ask(struct crowd *crowd, const struct player *player, const struct asked *asked,
	       struct http_reply *reply)
{
	char authorization[96];
	const char *const headers[] = { authorization, asked->header, NULL };
	const struct http_call call = { .method = asked->method,
					.path = asked->path,
					.headers = headers,
					.body = asked->body,
					.body_len = asked->body ? strlen(asked->body) : 0,
					.timeout_ms = CALL_TIMEOUT_MS };
	int64_t began = clock_monotonic_us();
	struct err e = ERR_INIT;

	snprintf(authorization, sizeof(authorization), "Authorization: Bearer token-of-team-%u",
		 player->number);
	if (http_call(crowd->options.platform, &call, reply, &e) < 0) {
		complain(crowd, player, e.msg);
		return 0;
	}
	pthread_mutex_lock(&crowd->lock);
	note_time(crowd, player->act, clock_monotonic_us() - began);
	pthread_mutex_unlock(&crowd->lock);
	return reply->status;
}

static void path_of(const struct crowd *crowd, const struct player *player, const char *rest,
		    char path[96])
{
	snprintf(path, 96, "/api/v1/challenges/storm-%u/%s",
		 (player->number + player->round) % crowd->options.challenges, rest);
}

static bool status_is(const struct http_reply *reply, const char *name, const char *word)
{
	AUTO(json_t *, json_decrefp) json = json_loadb(reply->body.data, reply->body.len, 0, NULL);
	const char *value = json_string_value(json_object_get(json, name));

	return value && strcmp(value, word) == 0;
}

static bool keep_id(struct player *player, const struct http_reply *reply)
{
	AUTO(json_t *, json_decrefp) json = json_loadb(reply->body.data, reply->body.len, 0, NULL);
	const char *id = json_string_value(json_object_get(json, "id"));

	snprintf(player->instance, sizeof(player->instance), "%s", id ? id : "");
	return id != NULL;
}

static void count(struct crowd *crowd, size_t *what)
{
	pthread_mutex_lock(&crowd->lock);
	(*what)++;
	pthread_mutex_unlock(&crowd->lock);
}

/* Acts: each says what the player does next. */

static enum act start(struct crowd *crowd, struct player *player, struct http_reply *reply)
{
	char path[96], key[64];
	const struct asked asked = { .method = "POST", .path = path, .header = key };
	int status;

	if (clock_monotonic_ms() >= crowd->ends_at)
		return DONE;
	path_of(crowd, player, "instance", path);
	snprintf(key, sizeof(key), "Idempotency-Key: %u-%u", player->number, player->round);
	status = ask(crowd, player, &asked, reply);
	if ((status != 202 && status != 201) || !keep_id(player, reply)) {
		complain(crowd, player, reply->body.data);
		return START;
	}
	count(crowd, &crowd->report.started);
	return LOOK;
}

static enum act look(struct crowd *crowd, struct player *player, struct http_reply *reply)
{
	char path[96];
	const struct asked asked = { .method = "GET", .path = path };

	path_of(crowd, player, "instance", path);
	if (ask(crowd, player, &asked, reply) != 200) {
		complain(crowd, player, reply->body.data);
		return LOOK;
	}
	if (status_is(reply, "status", "starting"))
		return LOOK;
	if (!status_is(reply, "status", "running") || !status_is(reply, "id", player->instance)) {
		complain(crowd, player, reply->body.data);
		player->round++;
		return START;
	}
	count(crowd, &crowd->report.ran);
	return GUESS;
}

static enum act hand_in(struct crowd *crowd, struct player *player, const char *answer,
			const char *verdict, struct http_reply *reply)
{
	char path[96], body[FLEET_ANSWER_SIZE + 32];
	const struct asked asked = { .method = "POST", .path = path, .body = body };

	path_of(crowd, player, "submissions", path);
	snprintf(body, sizeof(body), "{\"answer\":\"%s\"}", answer);
	if (ask(crowd, player, &asked, reply) != 201 || !status_is(reply, "verdict", verdict)) {
		complain(crowd, player, reply->body.data);
		return STOP;
	}
	return SOLVE;
}

static enum act guess(struct crowd *crowd, struct player *player, struct http_reply *reply)
{
	return hand_in(crowd, player, "flag{a guess}", "wrong", reply);
}

/* A player who comes to a challenge again has solved it before. */
static enum act solve(struct crowd *crowd, struct player *player, struct http_reply *reply)
{
	bool again = player->round >= crowd->options.challenges;
	char answer[FLEET_ANSWER_SIZE];

	if (fleet_answer(crowd->options.fleet, player->instance, answer) < 0) {
		complain(crowd, player, "no node runs the instance that runs");
		return STOP;
	}
	if (hand_in(crowd, player, answer, again ? "repeated" : "correct", reply) == STOP)
		return STOP;
	count(crowd, &crowd->report.solved);
	return LIST;
}

static enum act list(struct crowd *crowd, struct player *player, struct http_reply *reply)
{
	const struct asked asked = { .method = "GET", .path = "/api/v1/challenges" };

	if (ask(crowd, player, &asked, reply) != 200)
		complain(crowd, player, reply->body.data);
	return STOP;
}

static enum act stop(struct crowd *crowd, struct player *player, struct http_reply *reply)
{
	char path[96];
	const struct asked asked = { .method = "DELETE", .path = path };
	int status;

	path_of(crowd, player, "instance", path);
	status = ask(crowd, player, &asked, reply);
	if (status != 202 && status != 200) {
		complain(crowd, player, reply->body.data);
		return STOP;
	}
	return LEAVE;
}

static enum act leave(struct crowd *crowd, struct player *player, struct http_reply *reply)
{
	char path[96];
	const struct asked asked = { .method = "GET", .path = path };

	path_of(crowd, player, "instance", path);
	if (ask(crowd, player, &asked, reply) != 200) {
		complain(crowd, player, reply->body.data);
		return LEAVE;
	}
	if (status_is(reply, "status", "stopping"))
		return LEAVE;
	if (status_is(reply, "status", "stopped"))
		count(crowd, &crowd->report.stopped);
	else
		complain(crowd, player, reply->body.data);
	player->round++;
	return START;
}

static enum act act_of(struct crowd *crowd, struct player *player)
{
	static enum act (*const acts[])(struct crowd *, struct player *, struct http_reply *) = {
		[START] = start, [LOOK] = look, [GUESS] = guess, [SOLVE] = solve,
		[LIST] = list,   [STOP] = stop, [LEAVE] = leave,
	};
	AUTO(struct http_reply, http_reply_done) reply = HTTP_REPLY_INIT;

	return acts[player->act](crowd, player, &reply);
}

static int play(void *cookie, size_t i, struct err *e)
{
	struct crowd *crowd = cookie;
	struct player *player;

	(void)i;
	(void)e;
	pthread_mutex_lock(&crowd->lock);
	while ((player = next_player(crowd))) {
		enum act next;

		pthread_mutex_unlock(&crowd->lock);
		next = act_of(crowd, player);
		pthread_mutex_lock(&crowd->lock);
		player->due_at =
			clock_monotonic_ms() + crowd->options.pause_ms / 2 +
			(int64_t)randombytes_uniform((uint32_t)crowd->options.pause_ms + 1);
		player->act = next;
		if (next != DONE)
			put_due(crowd, player);
		else if (--crowd->left == 0)
			pthread_cond_broadcast(&crowd->changed);
	}
	pthread_mutex_unlock(&crowd->lock);
	return 0;
}

int crowd_new(const struct crowd_options *options, struct crowd **ret_crowd, struct err *e)
{
	struct crowd *crowd = calloc(1, sizeof(*crowd));

	if (!crowd)
		return err_memory(e);
	crowd->options = *options;
	pthread_mutex_init(&crowd->lock, NULL);
	cond_init_monotonic(&crowd->changed);
	crowd->players = calloc(options->players + 1, sizeof(*crowd->players));
	crowd->due = calloc(options->players + 1, sizeof(struct player *));
	if (!crowd->players || !crowd->due) {
		crowd_free(crowd);
		return err_memory(e);
	}
	*ret_crowd = crowd;
	return 0;
}

void crowd_free(struct crowd *crowd)
{
	if (!crowd)
		return;
	for (size_t i = 0; i < DONE; i++)
		free(crowd->times[i].us);
	pthread_cond_destroy(&crowd->changed);
	pthread_mutex_destroy(&crowd->lock);
	free(crowd->players);
	free(crowd->due);
	free(crowd);
}

int crowd_play(struct crowd *crowd, struct err *e)
{
	int64_t now = clock_monotonic_ms();

	crowd->ends_at = now + crowd->options.play_ms;
	crowd->left = crowd->options.players;
	for (unsigned i = 0; i < crowd->options.players; i++) {
		int64_t due_at =
			now + (int64_t)randombytes_uniform((uint32_t)crowd->options.pause_ms + 1);

		crowd->players[i] = (struct player){ .number = i, .due_at = due_at };
		put_due(crowd, &crowd->players[i]);
	}
	return work_each(crowd->options.threads, crowd->options.threads, play, crowd, e);
}

void crowd_report(const struct crowd *crowd, struct crowd_report *ret_report)
{
	*ret_report = crowd->report;
}

static int by_size(const void *a, const void *b)
{
	const uint32_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

static double at_share(const struct times *times, double share)
{
	size_t i = (size_t)(share * (double)times->count);

	return times->us[i < times->count ? i : times->count - 1] / 1000.0;
}

static void print_times(const char *separator, const char *name, struct times *times, FILE *to)
{
	if (times->count == 0)
		return;
	qsort(times->us, times->count, sizeof(*times->us), by_size);
	fprintf(to, "%s\"%s\": [%zu, %.1f, %.1f, %.1f]", separator, name, times->count,
		at_share(times, 0.5), at_share(times, 0.99), at_share(times, 1));
}

void crowd_print_times(struct crowd *crowd, FILE *to)
{
	struct times all = { .us = calloc(crowd->report.calls + 1, sizeof(*all.us)) };

	fputc('{', to);
	for (size_t i = 0; all.us && i < DONE; i++) {
		const struct times *times = &crowd->times[i];

		if (times->count > 0)
			memcpy(all.us + all.count, times->us, times->count * sizeof(*times->us));
		all.count += times->count;
		print_times(i > 0 ? ", " : "", act_words[i], &crowd->times[i], to);
	}
	print_times(", ", "all calls", &all, to);
	fputc('}', to);
	free(all.us);
}
