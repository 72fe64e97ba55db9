/* SPDX-License-Identifier: Apache-2.0 */
#include "node/trials.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "base/work.h"
#include "challenge/challenge.h"
#include "challenge/policy.h"
#include "db/db.h"
#include "node/catalogue.h"
#include "node/evidence.h"
#include "node/instance.h"
#include "node/log-book.h"
#include "node/node.h"
#include "node/observe.h"
#include "node/solver.h"
#include "node/store.h"
#include "trial/trial.h"
#include "wire/instance.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

static const char interrupted_words[] = "interrupted: the node was restarted";

/* A run under way. */
struct run {
	struct trials *trials;
	struct run *next;
	struct challenge_ref *challenge;
	char instance_id[TRIAL_ID_SIZE];
	atomic_bool cancelled;
	int64_t started_at;
	/* Under the trials' lock: */
	enum trial_step step;
	int64_t began[TRIAL_STEPS]; /* monotonic ms; 0: not yet */
	char detail[ERR_MESSAGE_SIZE];
	struct buf output; /* the last of it */
};

struct trials {
	struct node *node;
	pthread_mutex_t lock;
	struct run *runs;
};

static const char *id_of(const struct run *run)
{
	return challenge_of(run->challenge)->id;
}

/* --- told as JSON ------------------------------------------------------------------------- */

static json_t *time_json(int64_t at)
{
	char text[CLOCK_TEXT_SIZE];

	return at ? json_text(clock_format(at, text)) : json_null();
}

static json_t *steps_json(const int64_t ms[TRIAL_STEPS])
{
	json_t *steps = json_array();

	for (int i = 0; i < TRIAL_STEPS; i++)
		if (ms[i] >= 0)
			json_array_append_new(steps, json_make("{s:s,s:I}", "step",
							       trial_step_name((enum trial_step)i),
							       "ms", (json_int_t)ms[i]));
	return steps;
}

/* One that is under way; the lock is held. */
static json_t *run_json(const struct run *run)
{
	int64_t now = clock_monotonic_ms(), ms[TRIAL_STEPS];

	for (int i = 0; i < TRIAL_STEPS; i++) {
		int64_t end = now;

		for (int j = TRIAL_STEPS - 1; j > i; j--)
			if (run->began[j])
				end = run->began[j];
		ms[i] = run->began[i] ? end - run->began[i] : -1;
	}
	return json_make("{s:s,s:s,s:s,s:o,s:o,s:[],s:o,s:o,s:n}", "challenge_id", id_of(run),
			 "outcome", "running", "step", trial_step_name(run->step), "detail",
			 *run->detail ? json_text(run->detail) : json_null(), "steps",
			 steps_json(ms), "answers", "output",
			 json_text_n(run->output.data, run->output.len), "started_at",
			 time_json(run->started_at), "ended_at");
}

static json_t *answers_json(const json_t *found)
{
	json_t *answers = json_array(), *value;
	const char *question;

	json_object_foreach ((json_t *)(uintptr_t)found, question, value)
		json_array_append_new(answers,
				      json_make("{s:s,s:O}", "question", question, "found", value));
	return answers;
}

static json_t *ended_json(const struct run *run, const struct trial *trial)
{
	bool failed = trial->outcome == TRIAL_FAILED;
	bool lacks_solver = trial->outcome == TRIAL_HEALTHY;

	return json_make("{s:s,s:s,s:s?,s:o,s:o,s:o,s:o,s:o,s:o}", "challenge_id", id_of(run),
			 "outcome", trial_outcome_name(trial->outcome), "step",
			 failed ? trial_step_name(trial->failed_at) : NULL, "detail",
			 failed         ? json_text(trial->cause.msg)
			 : lacks_solver ? json_text("there is no 'solve' in the folder")
					: json_null(),
			 "steps", steps_json(trial->ms), "answers", answers_json(trial->found),
			 "output", json_text_n(run->output.data, run->output.len), "started_at",
			 time_json(run->started_at), "ended_at",
			 time_json(clock_now_ms(run->trials->node->clock)));
}

/* --- kept --------------------------------------------------------------------------------- */

static int save(struct node *node, const char *challenge_id, const char *instance_id,
		const json_t *json, bool ended, struct err *e)
{
	AUTO(char *, freep) text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	if (!text)
		return err_memory(e);
	return db_run(node->db,
		      "INSERT OR REPLACE INTO trial (challenge_id, instance_id, state, ended)"
		      " VALUES (?, ?, ?, ?)",
		      DB_ARGS(db_text(challenge_id), db_text(instance_id), db_text(text),
			      db_int(ended)),
		      e);
}

/* The last one; NULL where there was none. */
static int load(struct node *node, const char *challenge_id, json_t **ret_json, struct err *e)
{
	AUTO(struct db_rows *, db_rows_closep) rows = NULL;
	int r;

	*ret_json = NULL;
	r = db_query(node->db, "SELECT state FROM trial WHERE challenge_id = ?",
		     DB_ARGS(db_text(challenge_id)), &rows, e);
	if (r == 0)
		r = db_next(rows, e);
	if (r <= 0)
		return r;
	*ret_json = json_loads(db_get_text(rows, 0), 0, NULL);
	return *ret_json ? 0 : err_memory(e);
}

/* Its instance is left without a trace, once it has ended. */
static void forget_instance(struct node *node, const char *instance_id)
{
	struct err e = ERR_INIT;
	bool forgotten;
	int r;

	r = store_forget_instance(node->db, instance_id, &forgotten, &e);
	if (r == 0 && forgotten)
		r = evidence_forget(node, instance_id, &e);
	if (r < 0)
		log_warn("what is kept of instance '%s': %s", instance_id, e.msg);
}

/* --- the ground --------------------------------------------------------------------------- */

static int start(void *cookie, const struct trial_start *wanted, struct ctfy_instance *ret_row,
		 struct err *e)
{
	struct run *run = cookie;
	const struct instance_spec spec = { .challenge_id = wanted->challenge_id,
					    .instance_id = wanted->instance_id,
					    .ttl = wanted->ttl,
					    .answers = (json_t *)(uintptr_t)wanted->answers };
	int r = instance_start(run->trials->node, &spec, true, ret_row, e);

	return r < 0 ? r : 0;
}

static int look(void *cookie, const char *instance_id, struct ctfy_instance *ret_row, struct err *e)
{
	struct run *run = cookie;

	return instance_row(run->trials->node, instance_id, ret_row, e);
}

static int health(void *cookie, const char *instance_id, struct ctfy_health *ret_health,
		  struct err *e)
{
	struct run *run = cookie;

	return instance_health(run->trials->node, instance_id, ret_health, e);
}

static int keep_words(void *cookie, const void *bytes, size_t len, struct err *e)
{
	buf_put(cookie, bytes, len);
	return buf_check(cookie, e);
}

static void logs(void *cookie, const char *instance_id, int64_t lines, struct buf *words)
{
	struct run *run = cookie;
	const struct log_book_options options = { .tail = (size_t)lines };
	AUTO(struct log_book *, log_book_freep) book = NULL;
	struct err e = ERR_INIT;
	int r = log_book_open(run->trials->node, instance_id, &options, &book, &e);

	if (r == 0)
		r = log_book_print(book, keep_words, words, &e);
	if (r < 0)
		log_warn("logs of instance '%s': %s", instance_id, e.msg);
}

static int stop(void *cookie, const char *instance_id, struct err *e)
{
	struct run *run = cookie;
	int r = instance_stop(run->trials->node, instance_id, e);

	/* The start was refused before there was anything. */
	return r == -ERR_NOT_FOUND ? 0 : r;
}

static bool is_cancelled(void *cookie)
{
	struct run *run = cookie;

	return atomic_load(&run->cancelled);
}

static void tell(void *cookie, enum trial_step step, const char *detail)
{
	struct run *run = cookie;

	pthread_mutex_lock(&run->trials->lock);
	run->step = step;
	if (!run->began[step])
		run->began[step] = clock_monotonic_ms();
	snprintf(run->detail, sizeof(run->detail), "%s", detail ? detail : "");
	pthread_mutex_unlock(&run->trials->lock);
}

static void keep_output(struct run *run, const char *bytes, size_t len)
{
	struct buf *output = &run->output;
	size_t over;

	pthread_mutex_lock(&run->trials->lock);
	buf_put(output, bytes, len);
	over = output->len > TRIAL_OUTPUT_MAX ? output->len - TRIAL_OUTPUT_MAX : 0;
	if (over) {
		memmove(output->data, output->data + over, output->len - over + 1);
		output->len -= over;
	}
	pthread_mutex_unlock(&run->trials->lock);
}

/* What the solver writes, on its way. */
struct hearing {
	struct run *run;
	struct buf *found;
};

static int hear(void *cookie, enum engine_stream stream, const void *bytes, size_t len,
		struct err *e)
{
	const struct hearing *hearing = cookie;

	keep_output(hearing->run, bytes, len);
	if (stream == ENGINE_STDOUT)
		buf_put(hearing->found, bytes, len);
	return buf_check(hearing->found, e);
}

static int solve(void *cookie, const struct ctfy_instance *row, struct buf *found,
		 struct buf *words, struct err *e)
{
	struct run *run = cookie;
	struct hearing hearing = { run, found };

	(void)words; /* all of it is in the run's output already */
	*found = (struct buf)BUF_LIMITED(SOLVER_OUTPUT_MAX);
	return container_solve(run->trials->node, challenge_of(run->challenge), row,
			       &run->cancelled, hear, &hearing, e);
}

static const struct trial_ground ground = {
	.start = start,
	.look = look,
	.health = health,
	.logs = logs,
	.solve = solve,
	.stop = stop,
	.interrupted = is_cancelled,
	.tell = tell,
};

/* --- a run -------------------------------------------------------------------------------- */

static void run_free(struct run *run)
{
	challenge_unref(run->challenge);
	buf_done(&run->output);
	free(run);
}

static void leave(struct run *run)
{
	struct trials *trials = run->trials;

	pthread_mutex_lock(&trials->lock);
	for (struct run **at = &trials->runs; *at; at = &(*at)->next)
		if (*at == run) {
			*at = run->next;
			break;
		}
	pthread_mutex_unlock(&trials->lock);
	run_free(run);
}

static int64_t health_deadline(struct node *node, const struct challenge *challenge)
{
	struct limits limits;

	pthread_rwlock_rdlock(&node->config);
	policy_limits(node->policy, challenge->id, &limits);
	pthread_rwlock_unlock(&node->config);
	return limits.health_deadline_ms;
}

static void conclude(struct run *run, const struct trial *trial)
{
	struct node *node = run->trials->node;
	AUTO(json_t *, json_decrefp) json = NULL;
	struct err e = ERR_INIT;

	if (trial->words.len > 0)
		keep_output(run, trial->words.data, trial->words.len);
	json = ended_json(run, trial);
	forget_instance(node, run->instance_id);
	if (save(node, id_of(run), run->instance_id, json, true, &e) < 0)
		log_error("the trial of '%s': %s", id_of(run), e.msg);
	log_info("trial of '%s': %s%s%s", id_of(run), trial_outcome_name(trial->outcome),
		 trial->outcome == TRIAL_FAILED ? ": " : "",
		 trial->outcome == TRIAL_FAILED ? trial->cause.msg : "");
}

static void run_trial(void *cookie)
{
	struct run *run = cookie;
	const struct challenge *challenge = challenge_of(run->challenge);
	const struct trial_ways ways = {
		.ground = &ground,
		.cookie = run,
		.solve = challenge_has_solver(challenge),
		.health_deadline_ms = health_deadline(run->trials->node, challenge),
	};
	struct trial trial;
	struct err e = ERR_INIT;

	if (trial_run(challenge, run->instance_id, &ways, &trial, &e) < 0) {
		trial.outcome = TRIAL_FAILED;
		trial.cause = e;
	}
	conclude(run, &trial);
	trial_done(&trial);
	leave(run);
}

/* The lock is held. */
static struct run *find(const struct trials *trials, const char *challenge_id)
{
	struct run *run = trials->runs;

	while (run && strcmp(id_of(run), challenge_id) != 0)
		run = run->next;
	return run;
}

static int run_new(struct trials *trials, const char *challenge_id, struct run **ret_run,
		   struct err *e)
{
	struct run *run = calloc(1, sizeof(*run));
	int r;

	if (!run)
		return err_memory(e);
	run->trials = trials;
	run->started_at = clock_now_ms(trials->node->clock);
	run->output = (struct buf)BUF_INIT;
	trial_instance_id(run->instance_id);
	r = catalogue_get(trials->node->catalogue, challenge_id, &run->challenge, e);
	if (r < 0) {
		run_free(run);
		return r;
	}
	*ret_run = run;
	return 0;
}

/* The lock is held: whoever asks meanwhile waits, and joins. */
static int begin(struct trials *trials, const char *challenge_id, json_t **ret_json, struct err *e)
{
	struct run *run = NULL;
	int r = run_new(trials, challenge_id, &run, e);

	if (r < 0)
		return r;
	*ret_json = run_json(run);
	r = save(trials->node, challenge_id, run->instance_id, *ret_json, false, e);
	if (r == 0) {
		run->next = trials->runs;
		trials->runs = run;
		r = work_start(trials->node->work, run_trial, run, e);
		if (r < 0)
			trials->runs = run->next;
	}
	if (r < 0) {
		json_decref(TAKE(*ret_json));
		run_free(run);
	}
	return r;
}

int trials_start(struct trials *trials, const char *challenge_id, bool *ret_begun,
		 json_t **ret_json, struct err *e)
{
	const struct run *run;
	int r = 0;

	pthread_mutex_lock(&trials->lock);
	run = find(trials, challenge_id);
	*ret_begun = !run;
	if (run)
		*ret_json = run_json(run);
	else
		r = begin(trials, challenge_id, ret_json, e);
	pthread_mutex_unlock(&trials->lock);
	return r;
}

int trials_get(struct trials *trials, const char *challenge_id, json_t **ret_json, struct err *e)
{
	AUTO(struct challenge_ref *, challenge_unrefp) challenge = NULL;
	const struct run *run;
	int r = 0;

	pthread_mutex_lock(&trials->lock);
	run = find(trials, challenge_id);
	*ret_json = run ? run_json(run) : NULL;
	pthread_mutex_unlock(&trials->lock);
	if (run)
		return *ret_json ? 0 : err_memory(e);
	r = catalogue_get(trials->node->catalogue, challenge_id, &challenge, e);
	if (r == 0)
		r = load(trials->node, challenge_id, ret_json, e);
	if (r == 0 && !*ret_json)
		*ret_json = json_make("{s:s,s:s,s:n,s:n,s:[],s:[],s:n,s:n,s:n}", "challenge_id",
				      challenge_id, "outcome", "untried", "step", "detail", "steps",
				      "answers", "output", "started_at", "ended_at");
	return r == 0 && !*ret_json ? err_memory(e) : r;
}

/* --- the board ---------------------------------------------------------------------------- */

int trials_new(struct node *node, struct trials **ret_trials, struct err *e)
{
	struct trials *trials = calloc(1, sizeof(*trials));

	if (!trials)
		return err_memory(e);
	trials->node = node;
	pthread_mutex_init(&trials->lock, NULL);
	*ret_trials = trials;
	return 0;
}

void trials_stop(struct trials *trials)
{
	if (!trials)
		return;
	pthread_mutex_lock(&trials->lock);
	for (struct run *run = trials->runs; run; run = run->next)
		atomic_store(&run->cancelled, true);
	pthread_mutex_unlock(&trials->lock);
}

void trials_free(struct trials *trials)
{
	if (!trials)
		return;
	pthread_mutex_destroy(&trials->lock);
	free(trials);
}

/* One that was cut short is told as failed, and its instance is the keeper's to take down. */
static int end_lost(struct node *node, const json_t *lost, struct err *e)
{
	const char *challenge_id = json_string_value(json_object_get(lost, "challenge_id"));
	const char *instance_id = json_string_value(json_object_get(lost, "instance_id"));
	AUTO(json_t *, json_decrefp) state = json_deep_copy(json_object_get(lost, "state"));
	int r;

	json_object_set_new(state, "outcome", json_text(trial_outcome_name(TRIAL_FAILED)));
	json_object_set_new(state, "step", json_null());
	json_object_set_new(state, "detail", json_text(interrupted_words));
	json_object_set_new(state, "ended_at", time_json(clock_now_ms(node->clock)));
	r = store_abandon(node->db, instance_id, interrupted_words, e);
	return r < 0 ? r : save(node, challenge_id, instance_id, state, true, e);
}

int trials_recover(struct trials *trials, struct err *e)
{
	AUTO(struct db_rows *, db_rows_closep) rows = NULL;
	AUTO(json_t *, json_decrefp) lost = json_array();
	const json_t *one;
	size_t i;
	int r;

	r = db_query(trials->node->db,
		     "SELECT challenge_id, instance_id, state FROM trial WHERE ended = 0", NULL,
		     &rows, e);
	while (r >= 0 && (r = db_next(rows, e)) > 0) {
		json_t *state = json_loads(db_get_text(rows, 2), 0, NULL);

		if (json_array_append_new(lost, json_make("{s:s,s:s,s:o}", "challenge_id",
							  db_get_text(rows, 0), "instance_id",
							  db_get_text(rows, 1), "state", state)) <
		    0)
			r = err_memory(e);
	}
	db_rows_close(TAKE(rows));
	json_array_foreach (lost, i, one)
		if (r >= 0)
			r = end_lost(trials->node, one, e);
	return r;
}
