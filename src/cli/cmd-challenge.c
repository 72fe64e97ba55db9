/* SPDX-License-Identifier: Apache-2.0 */
/* ctfy challenge: what an author does with a folder. */
#include "cli/cmd-challenge.h"

#include "base/err.h"
#include "base/json.h"
#include "base/option.h"
#include "base/own.h"
#include "challenge/challenge.h"
#include "challenge/dialect.h"
#include "challenge/import.h"
#include "challenge/lint.h"
#include "challenge/plan.h"
#include "challenge/policy.h"
#include "challenge/problem.h"
#include "cli/challenge-sync.h"
#include "cli/challenge-test.h"
#include "cli/cli.h"
#include "cli/problem-print.h"
#include "cli/scaffold.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* clang-format off */
#define CHALLENGE_OPTIONS(ROW) \
	ROW(policy, STRING, "FILE", NULL, "The node's policy; without it nothing is opted in.") \
	ROW(json, FLAG, NULL, NULL, "Print JSON, for programs.") \
	ROW(help, FLAG, NULL, NULL, "Show this help.")
/* clang-format on */

struct challenge_options {
	CHALLENGE_OPTIONS(OPTION_MEMBER)
};

#define ROW(...) OPTION_ROW(struct challenge_options, __VA_ARGS__)
static const struct option_row option_rows[] = { CHALLENGE_OPTIONS(ROW){ .name = NULL } };
#undef ROW

struct work {
	struct challenge_options options;
	struct policy *policy; /* NULL: the defaults */
	int count;
	char **words;
};

static int complain(const struct err *e)
{
	fprintf(stderr, "ctfy: %s\n", e->msg);
	return CLI_FAILED;
}

/* --- lint --------------------------------------------------------------------------------- */

static void print_result(void *cookie, const struct lint_result *result)
{
	(void)cookie;
	print_problems(&result->problems, stdout);
}

static void collect_result(void *cookie, const struct lint_result *result)
{
	json_array_append_new(cookie, lint_result_json(result));
}

static void print_totals(const struct lint_totals *totals)
{
	printf("%zu challenge%s: %zu fine, %zu refused by policy, %zu faulty "
	       "(%zu errors, %zu policy, %zu warnings)\n",
	       totals->challenges, totals->challenges == 1 ? "" : "s",
	       totals->by_outcome[LINT_FINE], totals->by_outcome[LINT_POLICY],
	       totals->by_outcome[LINT_FAULTY], totals->problems[PROBLEM_ERROR],
	       totals->problems[PROBLEM_POLICY], totals->problems[PROBLEM_WARNING]);
}

static int run_lint(struct work *work)
{
	struct lint_totals totals = { 0 };
	json_t *results = json_array();
	struct err e = ERR_INIT;
	bool failed = false;

	for (int i = 0; i < work->count; i++) {
		if (lint_path(work->words[i], work->policy, &totals,
			      work->options.json ? collect_result : print_result, results,
			      &e) < 0) {
			complain(&e);
			failed = true;
		}
	}
	if (work->options.json)
		print_json_line(json_make("{s:o, s:o}", "challenges", results, "totals",
					  lint_totals_json(&totals)));
	else
		json_decref(results);
	if (!work->options.json)
		print_totals(&totals);
	return failed || totals.by_outcome[LINT_FINE] < totals.challenges ? CLI_FAILED : CLI_OK;
}

/* --- plan --------------------------------------------------------------------------------- */

/* What is absent is only warned of: what would be made can be told without it. */
static int make_plan(struct work *work, struct plan **ret_plan, struct problems *problems,
		     struct err *e)
{
	AUTO(struct challenge *, challenge_freep) challenge = NULL;
	AUTO(json_t *, json_decrefp) answers = NULL;
	struct plan_facts facts = { .instance_id = "plan",
				    .public_host = "localhost",
				    .extract = true };
	int r;

	r = challenge_load(work->words[0], &challenge, problems, e);
	if (r < 0)
		return r;
	r = challenge_answers(challenge, &answers, e);
	if (r < 0)
		return r;
	facts.answers = answers;
	return plan_make(challenge, work->policy, &facts, ret_plan, problems, e);
}

static int run_plan(struct work *work)
{
	AUTO(struct problems, problems_done) problems = PROBLEMS_INIT;
	AUTO(struct plan *, plan_freep) plan = NULL;
	struct err e = ERR_INIT;
	json_t *json;
	int r;

	r = make_plan(work, &plan, &problems, &e);
	print_problems(&problems, stderr);
	if (r < 0)
		return complain(&e);
	json = plan_json(plan);
	if (!json) {
		err_memory(&e);
		return complain(&e);
	}
	print_json_line(json);
	return CLI_OK;
}

/* --- import, new -------------------------------------------------------------------------- */

static int run_import(struct work *work)
{
	AUTO(struct problems, problems_done) problems = PROBLEMS_INIT;
	AUTO(struct challenge *, challenge_freep) challenge = NULL;
	AUTO(char *, freep) text = NULL;
	struct err e = ERR_INIT;

	if (challenge_load(work->words[0], &challenge, &problems, &e) < 0) {
		print_problems(&problems, stderr);
		return complain(&e);
	}
	print_problems(&problems, stderr);
	text = challenge_yaml(challenge);
	if (!text) {
		err_memory(&e);
		return complain(&e);
	}
	fputs(text, stdout);
	return CLI_OK;
}

/* --- keys --------------------------------------------------------------------------------- */

static void print_keys(const char *dialect, const struct spec_keys *keys)
{
	for (size_t i = 0; i < keys->count; i++)
		printf("| %s | `%s%s%s` | %s |\n", dialect, keys->map, *keys->map ? "." : "",
		       keys->rows[i].name, keys->rows[i].read ? "" : keys->rows[i].ignored);
}

static bool is_new_dialect(size_t row)
{
	for (size_t i = 0; i < row; i++)
		if (strcmp(dialects[i].name, dialects[row].name) == 0)
			return false;
	return true;
}

/* The readers' own tables, as docs/challenges.md has them. */
static int run_keys(struct work *work)
{
	(void)work;
	puts("| dialect | key | |\n|---|---|---|");
	for (size_t i = 0; i < dialect_count; i++)
		for (const struct spec_keys *keys = dialects[i].keys;
		     is_new_dialect(i) && keys->map; keys++)
			print_keys(dialects[i].name, keys);
	return CLI_OK;
}

static int run_new(struct work *work)
{
	struct err e = ERR_INIT;

	if (scaffold_write(work->words[0], &e) < 0)
		return complain(&e);
	printf("%s: a challenge that runs. Next: ctfy challenge lint %s\n", work->words[0],
	       work->words[0]);
	return CLI_OK;
}

/* --- the command -------------------------------------------------------------------------- */

static const struct command {
	const char *name, *arguments, *summary;
	int least, most; /* words it takes; most -1: any number */
	int (*run)(struct work *work);
	int (*main)(int argc, char **argv); /* instead of all that: it parses for itself */
} commands[] = {
	{ .name = "lint",
	  .arguments = "PATH...",
	  .summary = "Say what is wrong with challenges: folders, trees, compose files.",
	  .least = 1,
	  .most = -1,
	  .run = run_lint },
	{ .name = "plan",
	  .arguments = "PATH",
	  .summary = "Print what an instance would be made of, as JSON.",
	  .least = 1,
	  .most = 1,
	  .run = run_plan },
	{ .name = "test",
	  .arguments = "PATH...",
	  .summary = "Start challenges on a node, solve and stop them. Its options: test --help",
	  .main = challenge_test_main },
	{ .name = "sync",
	  .arguments = "PATH...",
	  .summary = "Bring challenges to the platform and its nodes. Its options: sync --help",
	  .main = challenge_sync_main },
	{ .name = "import",
	  .arguments = "PATH",
	  .summary = "Print a challenge.yml for a challenge of another dialect.",
	  .least = 1,
	  .most = 1,
	  .run = run_import },
	{ .name = "keys",
	  .arguments = "",
	  .summary = "List every key of every dialect's spec, and which have no effect here.",
	  .run = run_keys },
	{ .name = "new",
	  .arguments = "DIR",
	  .summary = "Make the folder of a new challenge that runs.",
	  .least = 1,
	  .most = 1,
	  .run = run_new },
};

static void print_usage(FILE *out)
{
	fprintf(out, "Usage: ctfy challenge COMMAND [OPTION]... ARGUMENT...\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-7s %-8s %s\n", commands[i].name, commands[i].arguments,
			commands[i].summary);
	fprintf(out, "\n");
	options_help(option_rows, out);
}

static int load_policy(struct work *work)
{
	AUTO(struct problems, problems_done) problems = PROBLEMS_INIT;
	struct err e = ERR_INIT;

	if (!work->options.policy)
		return 0;
	if (policy_load(work->options.policy, &work->policy, &problems, &e) == 0)
		return 0;
	print_problems(&problems, stderr);
	complain(&e);
	return -1;
}

static int run(const struct command *command, int argc, char **argv)
{
	struct work work = { .words = argv + 1 };
	struct err e = ERR_INIT;
	int status;

	if (command->main)
		return command->main(argc, argv);
	if (options_parse(option_rows, &work.options, argc, argv, &work.count, &e) < 0) {
		complain(&e);
		return CLI_USAGE;
	}
	if (work.options.help) {
		print_usage(stdout);
		return CLI_OK;
	}
	if (work.count < command->least || (command->most >= 0 && work.count > command->most)) {
		print_usage(stderr);
		return CLI_USAGE;
	}
	if (load_policy(&work) < 0)
		return CLI_USAGE;
	status = command->run(&work);
	policy_free(work.policy);
	return status;
}

int cmd_challenge(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, argv[1]) == 0)
			return run(&commands[i], argc - 1, argv + 1);
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)) {
		print_usage(stdout);
		return CLI_OK;
	}
	if (argc > 1)
		fprintf(stderr, "ctfy: there is no command 'challenge %s'\n", argv[1]);
	print_usage(stderr);
	return CLI_USAGE;
}
