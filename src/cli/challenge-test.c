/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/challenge-test.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "base/secret.h"
#include "challenge/challenge.h"
#include "challenge/policy.h"
#include "challenge/problem.h"
#include "cli/cli.h"
#include "cli/print.h"
#include "cli/problem-print.h"
#include "cli/test-ground.h"
#include "cli/test-node.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* clang-format off */
#define TEST_OPTIONS(ROW) \
	ROW(node, STRING, "URL", NULL, "A node that has these challenges; unset: one is run for the time of the test.") \
	ROW(token_file, STRING, "FILE", NULL, "That node's token.") \
	ROW(ca_file, STRING, "FILE", NULL, "Authorities accepted for https (PEM); else the system's.") \
	ROW(policy, STRING, "FILE", NULL, "Policy of the node that is run.") \
	ROW(solver, STRING, "FILE", "solve", "The program in each folder that solves its challenge.") \
	ROW(no_solver, FLAG, NULL, NULL, "Only start the challenges and wait until they are healthy.") \
	ROW(timeout, DURATION, "TIME", "2m", "How long a solver may take.") \
	ROW(verbose, FLAG, NULL, NULL, "Show the log of the node that is run.") \
	ROW(json, FLAG, NULL, NULL, "Print JSON, for programs.") \
	ROW(help, FLAG, NULL, NULL, "Show this help.")
/* clang-format on */

struct test_options {
	TEST_OPTIONS(OPTION_MEMBER)
};

/* clang-format off */
#define ROW(...) OPTION_ROW(struct test_options, __VA_ARGS__)
static const struct option_row test_rows[] = { TEST_OPTIONS(ROW) CLI_ROWS_END };
#undef ROW
/* clang-format on */

static volatile sig_atomic_t interrupted;

/* A PATH being worked through. */
struct round {
	const struct test_options *options;
	const struct policy *policy;
	const char *path; /* as it was given */
	size_t root_len;  /* of the same, absolute */
	const struct test_node *node;
	json_t *results;
	size_t *outcomes; /* how many, by enum trial_outcome */
	struct err *e;
};

/* --- telling ------------------------------------------------------------------------------ */

static void print_times(const struct trial *trial)
{
	const char *before = " (";

	for (size_t i = 0; i < TRIAL_STEPS; i++) {
		if (trial->ms[i] < 0)
			continue;
		printf("%s%s %.1f s", before, trial_step_name((enum trial_step)i),
		       (double)trial->ms[i] / 1000);
		before = ", ";
	}
	puts(before[0] == ',' ? ")" : "");
}

static void tell(const char *path, const struct trial *trial)
{
	printf("%s: ", path);
	if (trial->outcome == TRIAL_QUESTION)
		fputs("only a question: nothing to start", stdout);
	else
		fputs(trial_outcome_name(trial->outcome), stdout);
	if (trial->outcome == TRIAL_FAILED) {
		printf(" at %s: ", trial_step_name(trial->failed_at));
		print_text(trial->cause.msg);
	}
	print_times(trial);
	if (trial->outcome == TRIAL_FAILED)
		print_words(trial->words.data);
	fflush(stdout);
}

static json_t *trial_json(const char *path, const char *id, const struct trial *trial)
{
	bool failed = trial->outcome == TRIAL_FAILED;
	json_t *times = json_object();

	for (size_t i = 0; i < TRIAL_STEPS; i++)
		if (trial->ms[i] >= 0)
			json_object_set_new(times, trial_step_name((enum trial_step)i),
					    json_integer(trial->ms[i]));
	return json_make("{s:o, s:s?, s:s, s:s?, s:o, s:O, s:o, s:o}", "path", json_text(path),
			 "id", id, "outcome", trial_outcome_name(trial->outcome), "step",
			 failed ? trial_step_name(trial->failed_at) : NULL, "detail",
			 failed ? json_text(trial->cause.msg) : json_null(), "found", trial->found,
			 "ms", times, "output", json_text_n(trial->words.data, trial->words.len));
}

/* --- one challenge after the other -------------------------------------------------------- */

static void note(struct round *round, const char *path, const char *id, const struct trial *trial)
{
	round->outcomes[trial->outcome]++;
	if (round->options->json)
		json_array_append_new(round->results, trial_json(path, id, trial));
	else
		tell(path, trial);
}

/* A challenge that the node does not have, or we cannot read. */
static void note_unstarted(struct round *round, const char *path, const char *detail)
{
	struct trial trial = { .outcome = TRIAL_FAILED,
			       .failed_at = TRIAL_START,
			       .ms = { -1, -1, -1, -1 },
			       .found = json_object(),
			       .words = BUF_INIT };

	err_set(&trial.cause, ERR_INVALID, "%s", detail);
	note(round, path, NULL, &trial);
	trial_done(&trial);
}

static int try_loaded(struct round *round, const char *path, const struct challenge *challenge)
{
	const struct test_options *options = round->options;
	struct test_place place = { .node = round->node->client,
				    .challenge = challenge,
				    .solver = options->solver,
				    .solver_timeout_ms = options->timeout,
				    .interrupted = &interrupted };
	struct trial_ways ways = { .ground = &test_ground,
				   .cookie = &place,
				   .solve = !options->no_solver };
	char instance_id[TRIAL_ID_SIZE];
	struct limits limits;
	struct trial trial;
	int r;

	policy_limits(round->policy, challenge->id, &limits);
	ways.health_deadline_ms = limits.health_deadline_ms;
	trial_instance_id(instance_id);
	r = trial_run(challenge, instance_id, &ways, &trial, round->e);
	if (r == 0)
		note(round, path, challenge->id, &trial);
	if (r == 0 && trial.cause.code == ERR_CONNECT)
		r = err_set(round->e, ERR_CONNECT, "%s", trial.cause.msg);
	if (r == 0 && interrupted)
		r = err_set(round->e, ERR_ABORTED, "interrupted");
	trial_done(&trial);
	return r;
}

static int try_one(void *cookie, const char *dir)
{
	AUTO(struct challenge *, challenge_freep) challenge = NULL;
	struct round *round = cookie;
	AUTO(struct problems, problems_done) problems = PROBLEMS_INIT;
	AUTO(char *, freep) path = strf("%s%s", round->path, dir + round->root_len);
	const char *detail = test_node_refusal(round->node, dir);
	struct err cause = ERR_INIT;
	int r;

	if (!path)
		return err_memory(round->e);
	r = challenge_load(dir, &challenge, &problems, &cause);
	if (r == -ERR_MEMORY)
		return err_memory(round->e);
	if (r < 0 || detail) {
		if (!round->options->json)
			print_problems(&problems, stderr);
		note_unstarted(round, path, r < 0 ? cause.msg : detail);
		return 0;
	}
	return try_loaded(round, path, challenge);
}

static int open_theirs(struct test_node *node, const struct test_options *options, struct err *e)
{
	AUTO(char *, freep) token = NULL;
	int r = 0;

	if (options->token_file)
		r = secret_read_file(options->token_file, &token, e);
	return r < 0 ? r : test_node_connect(node, options->node, token, options->ca_file, e);
}

static int try_path(struct round *round, const char *given, int argc, char **argv, struct err *e)
{
	AUTO(struct test_node, test_node_close) node = TEST_NODE_INIT;
	AUTO(char *, freep) root = realpath(given, NULL);
	AUTO(char *, freep) path = strdup(given);
	size_t before = 0, after = 0;
	int r;

	if (!root)
		return err_errno(e, ERR_NOT_FOUND, "'%s'", given);
	if (!path)
		return err_memory(e);
	for (size_t len = strlen(path); len > 1 && path[len - 1] == '/';)
		path[--len] = '\0';
	r = round->options->node
		    ? open_theirs(&node, round->options, e)
		    : test_node_run(&node, root, round->options->policy, argc, argv, e);
	if (r < 0)
		return r;
	round->e = e;
	round->path = path;
	round->root_len = strlen(root);
	round->node = &node;
	for (size_t i = 0; i < TRIAL_OUTCOMES; i++)
		before += round->outcomes[i];
	r = challenge_walk(root, try_one, round, e);
	for (size_t i = 0; i < TRIAL_OUTCOMES; i++)
		after += round->outcomes[i];
	if (r == 0 && after == before)
		return err_set(e, ERR_NOT_FOUND, "there is no challenge in '%s'", given);
	return r;
}

/* --- the command -------------------------------------------------------------------------- */

static void on_signal(int signal_number)
{
	(void)signal_number;
	interrupted = 1;
}

/* The first one ends the trial in hand in good order; a second one means now. */
static void set_signals(void)
{
	const struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static void print_totals(const size_t outcomes[TRIAL_OUTCOMES])
{
	size_t count = 0;

	for (size_t i = 0; i < TRIAL_OUTCOMES; i++)
		count += outcomes[i];
	printf("%zu challenge%s: %zu solved, %zu healthy, %zu without anything to start, "
	       "%zu failed\n",
	       count, count == 1 ? "" : "s", outcomes[TRIAL_SOLVED], outcomes[TRIAL_HEALTHY],
	       outcomes[TRIAL_QUESTION], outcomes[TRIAL_FAILED]);
}

static json_t *totals_json(const size_t outcomes[TRIAL_OUTCOMES])
{
	json_t *totals = json_object();

	for (size_t i = 0; i < TRIAL_OUTCOMES; i++)
		json_object_set_new(totals, trial_outcome_name((enum trial_outcome)i),
				    json_integer((json_int_t)outcomes[i]));
	return totals;
}

static int status_of(int r)
{
	return r == -ERR_CONNECT ? CLI_UNREACHABLE : r < 0 ? CLI_FAILED : CLI_OK;
}

/* The words are PATHs; argv[1..], options for a node of our own. */
static int test(const struct test_options *options, char **words, int count, int argc, char **argv,
		const struct policy *policy)
{
	size_t outcomes[TRIAL_OUTCOMES] = { 0 };
	struct round round = {
		.options = options, .policy = policy, .results = json_array(), .outcomes = outcomes
	};
	struct err e = ERR_INIT;
	int status = CLI_OK;

	for (int i = 0; i < count && status != CLI_UNREACHABLE && !interrupted; i++) {
		int r = try_path(&round, words[i], argc, argv, &e);

		if (r == 0)
			continue;
		fprintf(stderr, "ctfy: %s\n", e.msg);
		status = status_of(r);
	}
	if (options->json)
		print_json_line(json_make("{s:O, s:o}", "challenges", round.results, "totals",
					  totals_json(outcomes)));
	else
		print_totals(outcomes);
	json_decref(round.results);
	if (interrupted)
		return 128 + SIGINT;
	return status == CLI_OK && outcomes[TRIAL_FAILED] ? CLI_FAILED : status;
}

static void print_usage(FILE *out)
{
	fputs("Usage: ctfy challenge test PATH... [OPTION]... [-- NODE-OPTION...]\n\n"
	      "Starts an instance of each challenge at or below the paths, waits until it is\n"
	      "healthy, has the challenge's own program solve it, checks what that found, and "
	      "stops\n"
	      "the instance. What stands after \"--\" is for the node that is run, where --node\n"
	      "names none: see ctfy node --help.\n\n",
	      out);
	options_help(test_rows, out);
}

/* Where "--" stands; argc: nowhere. */
static int find_rest(int argc, char **argv)
{
	int i = 1;

	while (i < argc && strcmp(argv[i], "--") != 0)
		i++;
	return i;
}

static int load_policy(const char *path, struct policy **ret_policy, struct err *e)
{
	AUTO(struct problems, problems_done) problems = PROBLEMS_INIT;
	int r;

	if (!path)
		return 0;
	r = policy_load(path, ret_policy, &problems, e);
	if (r < 0)
		print_problems(&problems, stderr);
	return r;
}

int challenge_test_main(int argc, char **argv)
{
	AUTO(struct policy *, policy_freep) policy = NULL;
	int ours = find_rest(argc, argv), count;
	struct test_options options;
	struct err e = ERR_INIT;
	int r;

	r = options_parse(test_rows, &options, ours, argv, &count, &e);
	if (r == 0 && options.help) {
		print_usage(stdout);
		return CLI_OK;
	}
	if (r == 0 && count == 0) {
		print_usage(stderr);
		return CLI_USAGE;
	}
	if (r == 0 && options.node && (options.policy || ours < argc))
		r = err_set(&e, ERR_INVALID, "--node names a node that has options of its own");
	if (r == 0)
		r = load_policy(options.policy, &policy, &e);
	if (r < 0) {
		fprintf(stderr, "ctfy challenge test: %s\n", e.msg);
		return CLI_USAGE;
	}
	if (secret_init(&e) < 0)
		return CLI_FAILED;
	log_open(LOG_AUTO, options.verbose ? LOG_INFO : LOG_ERROR);
	set_signals();
	return test(&options, argv + 1, count, argc - ours, argv + ours, policy);
}
