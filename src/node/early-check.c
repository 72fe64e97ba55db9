/* SPDX-License-Identifier: Apache-2.0 */
#include "node/early-check.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "base/work.h"
#include "engine/container.h"
#include "engine/exec.h"
#include "node/node.h"
#include "node/roster.h"

#include <stdlib.h>
#include <string.h>

enum {
	ENGINE_INTERVAL_MS = 30 * 1000,
	NS_PER_MS = 1000000,
	OUTPUT_MAX = 1 << 20,
	WORDS_MAX = 4096
};

/* What is known of one container. The instance's lock is held where members are used. */
struct early_check {
	struct early_check *next;
	char *container;
	int64_t started_ms; /* of the life of the container that it was run in */
	int64_t ended_at;   /* monotonic; 0: it never was */
	bool busy, passed;
	bool the_engines; /* in this life: too much for us */
	char *words;
};

static const json_t *healthcheck(const json_t *inspected)
{
	return json_object_get(json_object_get(inspected, "Config"), "Healthcheck");
}

bool early_check_is_due(const json_t *inspected)
{
	int64_t interval = json_integer_value(json_object_get(healthcheck(inspected), "Interval"));
	struct engine_container_state state;

	engine_container_state(inspected, &state);
	return state.running && state.health && strcmp(state.health, "healthy") != 0 &&
	       (interval ? interval / NS_PER_MS : ENGINE_INTERVAL_MS) > EARLY_CHECK_INTERVAL_MS;
}

static json_t *shell_command(const json_t *inspected, json_t *text)
{
	json_t *shell = json_object_get(json_object_get(inspected, "Config"), "Shell");
	json_t *argv =
		json_array_size(shell) ? json_copy(shell) : json_make("[s,s]", "/bin/sh", "-c");

	json_array_append(argv, text);
	return argv;
}

json_t *early_check_command(const json_t *inspected)
{
	json_t *test = json_object_get(healthcheck(inspected), "Test");
	const char *form = json_string_value(json_array_get(test, 0));
	json_t *argv;

	if (!form || json_array_size(test) < 2)
		return NULL;
	if (strcmp(form, "CMD-SHELL") == 0)
		return shell_command(inspected, json_array_get(test, 1));
	if (strcmp(form, "CMD") != 0)
		return NULL;
	argv = json_copy(test);
	json_array_remove(argv, 0);
	return argv;
}

static void check_free(struct early_check *check)
{
	free(check->container);
	free(check->words);
	free(check);
}

void early_checks_free(struct early_check *checks)
{
	while (checks) {
		struct early_check *next = checks->next;

		check_free(checks);
		checks = next;
	}
}

/* NULL: out of memory. */
static struct early_check *take_check(struct instance *inst, const char *container)
{
	struct early_check *check = inst->checks;

	while (check && strcmp(check->container, container) != 0)
		check = check->next;
	if (check)
		return check;
	check = calloc(1, sizeof(*check));
	if (!check)
		return NULL;
	check->container = strdup(container);
	if (!check->container) {
		check_free(check);
		return NULL;
	}
	check->next = inst->checks;
	inst->checks = check;
	return check;
}

/* A check under way; it keeps its instance. */
struct job {
	struct node *node;
	struct instance *inst;
	struct early_check *check;
	json_t *argv;
	int64_t patience_ms;
};

static void job_free(struct job *job)
{
	json_decref(job->argv);
	instance_unref(job->inst);
	free(job);
}

static int run_check(const struct job *job, struct engine_exec_result *result, struct err *e)
{
	size_t count = json_array_size(job->argv);
	AUTO(const char **, freep) argv = calloc(count + 1, sizeof(*argv));
	const struct engine_exec_options options = { .argv = argv };

	if (!argv)
		return err_memory(e);
	for (size_t i = 0; i < count; i++)
		argv[i] = json_string_value(json_array_get(job->argv, i));
	return engine_exec_run(job->node->engine, job->check->container, &options, job->patience_ms,
			       result, e);
}

static char *last_words(const struct engine_exec_result *result)
{
	const struct buf *said = result->out.len ? &result->out : &result->err;

	return strndup(said->len ? said->data : "", WORDS_MAX);
}

static void run_job(void *cookie)
{
	struct engine_exec_result result = ENGINE_EXEC_RESULT_LIMITED(OUTPUT_MAX);
	struct job *job = cookie;
	struct early_check *check = job->check;
	struct err e = ERR_INIT;
	int r = run_check(job, &result, &e);
	bool passed = r == 0 && result.exit_code == 0;
	char *words = passed ? NULL : e.code != ERR_NONE ? strdup(e.msg) : last_words(&result);

	pthread_mutex_lock(&job->inst->lock);
	free(check->words);
	check->words = words;
	check->passed = passed;
	check->the_engines = early_check_is_too_much(r, job->patience_ms);
	check->ended_at = clock_monotonic_ms();
	check->busy = false;
	pthread_mutex_unlock(&job->inst->lock);
	engine_exec_result_done(&result);
	job_free(job);
}

bool early_check_is_too_much(int r, int64_t patience_ms)
{
	return r == -ERR_TOO_LARGE || (r == -ERR_TIMEOUT && patience_ms >= EARLY_CHECK_PATIENCE_MS);
}

static int64_t patience_of(const json_t *inspected)
{
	int64_t ms =
		json_integer_value(json_object_get(healthcheck(inspected), "Timeout")) / NS_PER_MS;

	return ms > 0 && ms < EARLY_CHECK_PATIENCE_MS ? ms : EARLY_CHECK_PATIENCE_MS;
}

/* The instance is in use by the job then. */
static bool begin(struct node *node, struct instance *inst, struct early_check *check,
		  const json_t *inspected)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return false;
	*job = (struct job){ .node = node,
			     .inst = roster_find(node->roster, inst->id),
			     .check = check,
			     .argv = early_check_command(inspected),
			     .patience_ms = patience_of(inspected) };
	/* Another instance may have this one's id by now. */
	if (job->inst == inst && job->argv && work_start(node->work, run_job, job, NULL) == 0)
		return true;
	job_free(job);
	return false;
}

static bool is_wanted(const struct early_check *check)
{
	int64_t age = clock_monotonic_ms() - check->ended_at;

	return !check->busy && !check->the_engines &&
	       (!check->ended_at ||
		age > (check->passed ? EARLY_CHECK_TRUST_MS : EARLY_CHECK_PAUSE_MS));
}

bool early_check_passed(struct node *node, const char *instance_id, const json_t *inspected,
			bool ask, char **ret_words)
{
	AUTO(struct instance *, instance_unrefp) inst = roster_find(node->roster, instance_id);
	const char *container = json_string_value(json_object_get(inspected, "Id"));
	struct engine_container_state state;
	struct early_check *check;
	bool passed = false;

	if (!inst || !container || !early_check_is_due(inspected))
		return false;
	engine_container_state(inspected, &state);
	pthread_mutex_lock(&inst->lock);
	check = take_check(inst, container);
	if (check && !check->busy && check->started_ms != state.started_ms) {
		check->started_ms = state.started_ms;
		check->ended_at = 0;
		check->passed = check->the_engines = false;
	}
	if (check && ask && is_wanted(check))
		check->busy = begin(node, inst, check, inspected);
	if (check && check->started_ms == state.started_ms)
		passed = check->passed;
	if (check && ret_words && !passed && check->words)
		*ret_words = strdup(check->words);
	pthread_mutex_unlock(&inst->lock);
	return passed;
}
