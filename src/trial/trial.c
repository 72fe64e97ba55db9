/* SPDX-License-Identifier: Apache-2.0 */
#include "trial/trial.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/own.h"
#include "challenge/answer-match.h"
#include "challenge/challenge.h"
#include "wire/instance.h"

#include <string.h>
#include <time.h>

/* What an instance that we cannot stop any more may live; and how long its images may take. */
enum { TTL_S = 2 * 3600, START_PATIENCE_MS = 3600 * 1000, GLANCE_MS = 200, LOG_LINES = 12 };

static const char id_prefix[] = "test-";

/* A trial at work. */
struct work {
	const struct challenge *challenge;
	const struct trial_ways *ways;
	struct trial *trial;
	json_t *answers;
	const char *instance_id;
	struct ctfy_instance instance;
	struct buf found; /* what the solver wrote */
};

void trial_instance_id(char id[TRIAL_ID_SIZE])
{
	memcpy(id, id_prefix, sizeof(id_prefix));
	id_random(id + strlen(id_prefix), 20);
}

const char *trial_step_name(enum trial_step step)
{
	static const char *const names[] = { [TRIAL_START] = "start",
					     [TRIAL_HEALTH] = "health",
					     [TRIAL_SOLVE] = "solve",
					     [TRIAL_STOP] = "stop" };

	return names[step];
}

const char *trial_outcome_name(enum trial_outcome outcome)
{
	static const char *const names[] = { [TRIAL_SOLVED] = "solved",
					     [TRIAL_HEALTHY] = "healthy",
					     [TRIAL_QUESTION] = "question",
					     [TRIAL_FAILED] = "failed" };

	return names[outcome];
}

static int check_interrupted(const struct work *w, struct err *e)
{
	return w->ways->ground->interrupted(w->ways->cookie)
		       ? err_set(e, ERR_ABORTED, "interrupted")
		       : 0;
}

static void tell(const struct work *w, enum trial_step step, const char *detail)
{
	if (w->ways->ground->tell)
		w->ways->ground->tell(w->ways->cookie, step, detail);
}

static void glance(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = GLANCE_MS * 1000000L }, NULL);
}

/* --- start -------------------------------------------------------------------------------- */

static int begin_start(struct work *w, struct err *e)
{
	const struct trial_start start = { .challenge_id = w->challenge->id,
					   .instance_id = w->instance_id,
					   .ttl = TTL_S,
					   .answers = w->answers };

	return w->ways->ground->start(w->ways->cookie, &start, &w->instance, e);
}

static int look(struct work *w, struct err *e)
{
	fields_done(instance_fields, &w->instance);
	return w->ways->ground->look(w->ways->cookie, w->instance_id, &w->instance, e);
}

static bool is_starting(const struct work *w)
{
	return strcmp(w->instance.status, "starting") == 0;
}

static int take_start(struct work *w, struct err *e)
{
	int64_t deadline = clock_monotonic_ms() + START_PATIENCE_MS;
	int r;

	r = begin_start(w, e);
	while (r == 0 && is_starting(w)) {
		tell(w, TRIAL_START, w->instance.phase);
		glance();
		r = check_interrupted(w, e);
		if (r == 0 && clock_monotonic_ms() > deadline)
			r = err_set(e, ERR_TIMEOUT, "it did not start within %d minutes",
				    START_PATIENCE_MS / 60000);
		if (r == 0)
			r = look(w, e);
	}
	if (r == 0 && strcmp(w->instance.status, "running") != 0)
		r = err_set(e, ERR_NODE, "%s",
			    w->instance.detail ? w->instance.detail : w->instance.status);
	return r;
}

/* --- health ------------------------------------------------------------------------------- */

/* Nobody starts it again, so that waiting is of no use. */
static bool is_over(const struct ctfy_service *service)
{
	return service->detail &&
	       (strcmp(service->state, "exited") == 0 || strcmp(service->state, "dead") == 0 ||
		strcmp(service->state, "removed") == 0);
}

/* Into e, as UNAVAILABLE: the first service that is not well, and why. */
static int describe_illness(const struct ctfy_health *health, struct err *e)
{
	for (size_t i = 0; i < health->service_count; i++) {
		const struct ctfy_service *service = &health->services[i];

		if (service->detail)
			return err_set(e, ERR_UNAVAILABLE, "service '%s' (%s, exit code %lld): %s",
				       service->service, service->state,
				       (long long)service->exit_code, service->detail);
		if (strcmp(service->health, "starting") == 0)
			return err_set(e, ERR_UNAVAILABLE,
				       "service '%s': its healthcheck has not passed yet",
				       service->service);
	}
	return err_set(e, ERR_UNAVAILABLE, "it is not healthy");
}

/* 1: healthy; 0: not yet; negative: it never will be. */
static int check_health(struct work *w, struct err *ret_illness, struct err *e)
{
	struct ctfy_health health = { 0 };
	bool is_healthy, over = false;
	int r = w->ways->ground->health(w->ways->cookie, w->instance_id, &health, e);

	is_healthy = health.is_healthy;
	for (size_t i = 0; r == 0 && i < health.service_count; i++)
		over |= is_over(&health.services[i]);
	if (r == 0 && !is_healthy)
		describe_illness(&health, ret_illness);
	fields_done(health_fields, &health);
	if (r < 0)
		return r;
	if (over)
		return err_set(e, ERR_UNAVAILABLE, "%s", ret_illness->msg);
	return is_healthy;
}

static int take_health(struct work *w, struct err *e)
{
	int64_t patience = w->challenge->health_deadline_ms ? w->challenge->health_deadline_ms
							    : w->ways->health_deadline_ms;
	int64_t deadline = clock_monotonic_ms() + patience;
	struct err illness = ERR_INIT;

	for (;;) {
		int r = check_interrupted(w, e);

		if (r == 0)
			r = check_health(w, &illness, e);
		if (r != 0)
			return r < 0 ? r : 0;
		if (clock_monotonic_ms() > deadline)
			return err_set(e, ERR_UNAVAILABLE, "not healthy after %lld s: %s",
				       (long long)patience / 1000, illness.msg);
		tell(w, TRIAL_HEALTH, illness.msg);
		glance();
	}
}

/* --- solve -------------------------------------------------------------------------------- */

char *trial_endpoint(const struct ctfy_endpoint *endpoint)
{
	return endpoint->url ? strdup(endpoint->url)
			     : strf("%s:%lld", endpoint->host, (long long)endpoint->port);
}

/* A line is an answer, or "ID=ANSWER"; white space around it doesn't count. */
static const char *answer_in(char *line, const struct question *question)
{
	size_t id_len = strlen(question->id), len;

	line += strspn(line, " \t");
	len = strlen(line);
	while (len > 0 && strchr(" \t\r", line[len - 1]))
		line[--len] = '\0';
	if (strncmp(line, question->id, id_len) == 0 && line[id_len] == '=')
		return line + id_len + 1;
	return line;
}

static int is_found(const struct work *w, const struct question *question, bool *ret_found,
		    struct err *e)
{
	const char *own = json_string_value(json_object_get(w->answers, question->id));
	AUTO(char *, freep) lines = strdup(w->found.data);
	char *rest = lines, *line;
	bool found = false;
	int r = lines ? 0 : err_memory(e);

	while (r == 0 && !found && (line = strsep(&rest, "\n")))
		r = answer_matches(question, &own, own ? 1 : 0, answer_in(line, question), &found,
				   e);
	*ret_found = found;
	return r;
}

static int verify(struct work *w, struct err *e)
{
	const struct question *missed = NULL;

	if (!w->challenge->question_count)
		return err_set(e, ERR_INVALID,
			       "the challenge has nothing to answer, so nothing the solver prints "
			       "solves it: add 'flags:'");
	for (size_t i = 0; i < w->challenge->question_count; i++) {
		const struct question *question = &w->challenge->questions[i];
		bool found;
		int r = is_found(w, question, &found, e);

		if (r < 0)
			return r;
		json_object_set_new(w->trial->found, question->id, json_boolean(found));
		if (!found && !missed)
			missed = question;
	}
	if (missed)
		return err_set(e, ERR_INVALID,
			       "the solver did not find the answer to '%s'; it printed: %.*s",
			       missed->id, 300, w->found.len ? w->found.data : "nothing");
	return 0;
}

static int take_solve(struct work *w, struct err *e)
{
	int r = w->ways->ground->solve(w->ways->cookie, &w->instance, &w->found, &w->trial->words,
				       e);

	if (r == 0)
		r = buf_check(&w->found, e);
	return r == 0 ? verify(w, e) : r;
}

static int take_stop(struct work *w, struct err *e)
{
	return w->ways->ground->stop(w->ways->cookie, w->instance_id, e);
}

/* --- all of it ---------------------------------------------------------------------------- */

static int take(struct work *w, enum trial_step step)
{
	static int (*const steps[])(struct work * w, struct err * e) = {
		[TRIAL_START] = take_start,
		[TRIAL_HEALTH] = take_health,
		[TRIAL_SOLVE] = take_solve,
		[TRIAL_STOP] = take_stop,
	};
	int64_t began = clock_monotonic_ms();
	struct err cause = ERR_INIT;
	int r;

	tell(w, step, NULL);
	r = steps[step](w, &cause);
	if (r == -ERR_ABORTED) /* whoever noticed it first has words of its own */
		err_set(&cause, ERR_ABORTED, "interrupted");
	w->trial->ms[step] = clock_monotonic_ms() - began;
	if (r < 0 && w->trial->outcome != TRIAL_FAILED) {
		w->trial->outcome = TRIAL_FAILED;
		w->trial->failed_at = step;
		w->trial->cause = cause;
	}
	return r;
}

static void take_steps(struct work *w)
{
	int r;

	r = take(w, TRIAL_START);
	if (r == 0) {
		r = take(w, TRIAL_HEALTH);
		if (r < 0) /* the services' last lines, for whoever wonders why */
			w->ways->ground->logs(w->ways->cookie, w->instance_id, LOG_LINES,
					      &w->trial->words);
	}
	if (r == 0 && w->ways->solve)
		r = take(w, TRIAL_SOLVE);
	if (r != -ERR_CONNECT)
		take(w, TRIAL_STOP);
}

static void work_done(struct work *w)
{
	fields_done(instance_fields, &w->instance);
	json_decref(w->answers);
	buf_done(&w->found);
}

int trial_run(const struct challenge *challenge, const char *instance_id,
	      const struct trial_ways *ways, struct trial *ret_trial, struct err *e)
{
	AUTO(struct work, work_done) w = { .challenge = challenge,
					   .ways = ways,
					   .trial = ret_trial,
					   .instance_id = instance_id,
					   .found = BUF_INIT };
	int r;

	*ret_trial = (struct trial){ .outcome = ways->solve ? TRIAL_SOLVED : TRIAL_HEALTHY,
				     .words = BUF_INIT,
				     .found = json_object() };
	for (size_t i = 0; i < TRIAL_STEPS; i++)
		ret_trial->ms[i] = -1;
	if (!ret_trial->found)
		return err_memory(e);
	if (!challenge_has_instance(challenge)) {
		ret_trial->outcome = TRIAL_QUESTION;
		return 0;
	}
	r = challenge_answers(challenge, &w.answers, e);
	if (r < 0)
		return r;
	take_steps(&w);
	return ret_trial->cause.code == ERR_MEMORY ? err_memory(e) : 0;
}

void trial_done(struct trial *trial)
{
	json_decref(trial->found);
	buf_done(&trial->words);
}
