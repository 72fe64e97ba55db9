#include "cli/trial.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "base/own.h"
#include "challenge/answer-match.h"
#include "challenge/challenge.h"
#include "cli/solver.h"

#include <ctfy/node_client.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

/*
 * A node that ignores that we would rather not wait may be building images; and an instance that
 * we cannot stop any more shall not stay for long.
 */
static const double start_timeout_s = 3600, stop_timeout_s = 300;
enum { TTL_S = 2 * 3600, GLANCE_MS = 200, LOG_LINES = 12 };

/* A trial at work. */
struct work {
	const struct challenge *challenge;
	const struct trial_ways *ways;
	struct trial *trial;
	json_t *answers;
	char instance_id[ID_SIZE];
	struct ctfy_instance instance;
	char attachments[sizeof("/tmp/ctfy-solve-XXXXXX")];
	char *found; /* what the solver wrote */
};

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

/* The SDK's error as ours: CONNECT where there is no node to speak to. Empties it. */
static int node_failed(struct ctfy_error *error, struct err *e)
{
	static const enum err_code codes[CTFY_ERROR_MEMORY + 1] = {
		[CTFY_ERROR_CONNECT] = ERR_CONNECT,
		[CTFY_ERROR_TLS] = ERR_CONNECT,
		[CTFY_ERROR_TIMEOUT] = ERR_TIMEOUT,
		[CTFY_ERROR_MEMORY] = ERR_MEMORY,
	};
	enum err_code code = codes[error->kind] ? codes[error->kind] : ERR_NODE;

	if (error->status == 401)
		code = ERR_CONNECT;
	err_set(e, code, "%s", error->detail ? error->detail : "out of memory");
	ctfy_error_done(error);
	return -(int)code;
}

static int check_interrupted(const struct work *w, struct err *e)
{
	return *w->ways->interrupted ? err_set(e, ERR_ABORTED, "interrupted") : 0;
}

static void glance(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = GLANCE_MS * 1000000L }, NULL);
}

/* --- start -------------------------------------------------------------------------------- */

static int look(struct work *w, struct err *e)
{
	struct ctfy_error error = CTFY_ERROR_INIT;

	ctfy_instance_done(&w->instance);
	if (ctfy_node_get_status(w->ways->node, w->instance_id, &w->instance, NULL, &error) < 0)
		return node_failed(&error, e);
	return 0;
}

static int ask_to_start(struct work *w, struct err *e)
{
	AUTO(struct ctfy_answer *, freep)
	answers = calloc(json_object_size(w->answers) + 1, sizeof(*answers));
	const struct ctfy_call call = { .timeout = start_timeout_s };
	struct ctfy_start start = { .challenge_id = w->challenge->id,
				    .instance_id = w->instance_id,
				    .ttl = TTL_S,
				    .answers = answers,
				    .respond_async = true };
	struct ctfy_error error = CTFY_ERROR_INIT;
	const char *question;
	json_t *answer;

	if (!answers)
		return err_memory(e);
	json_object_foreach (w->answers, question, answer)
		answers[start.answer_count++] =
			(struct ctfy_answer){ question, json_string_value(answer) };
	if (ctfy_node_start_instance(w->ways->node, &start, &w->instance, &call, &error) < 0)
		return node_failed(&error, e);
	return 0;
}

static int take_start(struct work *w, struct err *e)
{
	int r;

	r = ask_to_start(w, e);
	while (r == 0 && strcmp(w->instance.status, "starting") == 0) {
		glance();
		r = check_interrupted(w, e);
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
	struct ctfy_error error = CTFY_ERROR_INIT;
	struct ctfy_health health;
	bool is_healthy, over = false;

	if (ctfy_node_check_health(w->ways->node, w->instance_id, &is_healthy, &health, NULL,
				   &error) < 0)
		return node_failed(&error, e);
	for (size_t i = 0; i < health.service_count; i++)
		over |= is_over(&health.services[i]);
	if (!is_healthy)
		describe_illness(&health, ret_illness);
	ctfy_health_done(&health);
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
		glance();
	}
}

/* The services' last lines, for whoever wonders why. */
static void fetch_logs(struct work *w)
{
	const struct ctfy_log_query query = { .tail = LOG_LINES };
	struct ctfy_bytes logs;

	if (ctfy_node_get_container_logs(w->ways->node, w->instance_id, &query, &logs, NULL,
					 NULL) == 0)
		buf_put(&w->trial->words, logs.data, logs.size);
	ctfy_bytes_done(&logs);
}

/* --- solve -------------------------------------------------------------------------------- */

static int fetch_attachment(struct work *w, const char *filename, struct err *e)
{
	AUTO(char *, freep) path = strf("%s/%s", w->attachments, filename);
	struct ctfy_error error = CTFY_ERROR_INIT;
	AUTO(int, closep) fd = -1;

	if (!path)
		return err_memory(e);
	if (strchr(filename, '/') || filename[0] == '.')
		return err_set(e, ERR_NODE, "the attachment '%s' has an odd name", filename);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	if (fd < 0)
		return err_errno(e, ERR_INTERNAL, "make '%s'", path);
	if (ctfy_node_download_instance_attachment_to_fd(w->ways->node, w->instance_id, filename,
							 fd, NULL, NULL, &error) < 0)
		return node_failed(&error, e);
	return 0;
}

static int fetch_attachments(struct work *w, struct err *e)
{
	struct ctfy_error error = CTFY_ERROR_INIT;
	struct ctfy_attachments list;
	int r = 0;

	strcpy(w->attachments, "/tmp/ctfy-solve-XXXXXX");
	if (!mkdtemp(w->attachments))
		return err_errno(e, ERR_INTERNAL, "make '%s'", w->attachments);
	if (ctfy_node_list_instance_attachments(w->ways->node, w->instance_id, &list, NULL,
						&error) < 0)
		r = node_failed(&error, e);
	for (size_t i = 0; r == 0 && i < list.attachment_count; i++)
		r = fetch_attachment(w, list.attachments[i].filename, e);
	ctfy_attachments_done(&list);
	return r;
}

static char *endpoint_text(const struct ctfy_endpoint *endpoint)
{
	return endpoint->url ? strdup(endpoint->url)
			     : strf("%s:%lld", endpoint->host, (long long)endpoint->port);
}

static int run_solver(struct work *w, struct err *e)
{
	size_t count = w->instance.endpoint_count;
	AUTO(char *, freep) program = strf("%s/%s", w->challenge->dir, w->ways->solver);
	AUTO(char **, freep) endpoints = calloc(count + 1, sizeof(*endpoints));
	struct solver solver = { .program = program,
				 .dir = w->challenge->dir,
				 .attachments = w->attachments,
				 .endpoints = (const char *const *)endpoints,
				 .timeout_ms = w->ways->solver_timeout_ms };
	struct buf found;
	int r = program && endpoints ? 0 : err_memory(e);

	if (r == 0 && !file_exists(program))
		r = err_set(e, ERR_NOT_FOUND,
			    "there is no '%s' in the folder (--no-solver does without)",
			    w->ways->solver);
	for (size_t i = 0; r == 0 && i < count; i++) {
		endpoints[i] = endpoint_text(&w->instance.endpoints[i]);
		if (!endpoints[solver.endpoint_count++])
			r = err_memory(e);
	}
	if (r == 0) {
		r = solver_run(&solver, w->ways->interrupted, &found, &w->trial->words, e);
		w->found = buf_take(&found);
		if (!w->found && r == 0)
			r = err_memory(e);
	}
	for (size_t i = 0; i < solver.endpoint_count; i++)
		free(endpoints[i]);
	return r;
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
	AUTO(char *, freep) lines = strdup(w->found);
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
			       missed->id, 300, *w->found ? w->found : "nothing");
	return 0;
}

static int take_solve(struct work *w, struct err *e)
{
	int r;

	r = fetch_attachments(w, e);
	if (r == 0)
		r = run_solver(w, e);
	return r == 0 ? verify(w, e) : r;
}

/* --- stop --------------------------------------------------------------------------------- */

static int take_stop(struct work *w, struct err *e)
{
	const struct ctfy_call call = { .timeout = stop_timeout_s };
	struct ctfy_error error = CTFY_ERROR_INIT;

	if (ctfy_node_stop_instance(w->ways->node, w->instance_id, &call, &error) == 0)
		return 0;
	if (error.status == 404) { /* the start was refused before there was anything */
		ctfy_error_done(&error);
		return 0;
	}
	return node_failed(&error, e);
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
	int r = steps[step](w, &cause);

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
		if (r < 0)
			fetch_logs(w);
	}
	if (r == 0 && w->ways->solver)
		r = take(w, TRIAL_SOLVE);
	if (r != -ERR_CONNECT)
		take(w, TRIAL_STOP);
}

static void work_done(struct work *w)
{
	if (*w->attachments)
		tree_remove(w->attachments, NULL);
	ctfy_instance_done(&w->instance);
	json_decref(w->answers);
	free(w->found);
}

int trial_run(const struct challenge *challenge, const struct trial_ways *ways,
	      struct trial *ret_trial, struct err *e)
{
	AUTO(struct work, work_done) w = {
		.challenge = challenge, .ways = ways, .trial = ret_trial, .instance_id = "test-"
	};
	int r;

	*ret_trial = (struct trial){ .outcome = ways->solver ? TRIAL_SOLVED : TRIAL_HEALTHY,
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
	id_random(w.instance_id + strlen(w.instance_id), 20);
	take_steps(&w);
	return ret_trial->cause.code == ERR_MEMORY ? err_memory(e) : 0;
}

void trial_done(struct trial *trial)
{
	json_decref(trial->found);
	buf_done(&trial->words);
}
