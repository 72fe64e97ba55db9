/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/admin-check.h"

#include "base/err.h"
#include "base/own.h"
#include "challenge/problem.h"
#include "cli/api.h"
#include "cli/cli.h"
#include "cli/print.h"
#include "cli/problem-print.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { LOOK_MS = 500 };

/* /admin/challenges/WHAT, or /admin/challenges/ID/WHAT where one is named, on the node meant. */
static char *path_of(const struct cli *cli, char **argv, const char *what)
{
	const char *id = cli->argc > 1 ? argv[0] : NULL, *node = cli->argc > 2 ? argv[1] : NULL;

	if (!id)
		return api_path(cli->api, "/admin/challenges/%s", what);
	return node ? api_path(cli->api, "/admin/challenges/%s/%s?node=%s", id, what, node)
		    : api_path(cli->api, "/admin/challenges/%s/%s", id, what);
}

/* Whether it is fine. */
static bool tell_lint(const json_t *lint)
{
	AUTO(struct problems, problems_done) problems = PROBLEMS_INIT;

	problems_from_json(json_object_get(lint, "problems"), &problems);
	print_problems(&problems, stdout);
	return strcmp(text_of(lint, "outcome"), "fine") == 0;
}

static int tell_lints(const json_t *told)
{
	const json_t *lints = json_object_get(json_object_get(told, "lints"), "challenges");
	const json_t *one = json_object_get(told, "lint"), *lint;
	size_t count = one ? 1 : json_array_size(lints), fine = 0, i;

	if (one)
		fine += tell_lint(one);
	json_array_foreach (lints, i, lint)
		fine += tell_lint(lint);
	printf("%zu of %zu %s fine, says node '%s'\n", fine, count, count == 1 ? "is" : "are",
	       text_of(told, "node"));
	return fine == count ? CLI_OK : CLI_FAILED;
}

int admin_lint(struct cli *cli, char **argv, struct err *e)
{
	AUTO(char *, freep) path = path_of(cli, argv, "lint");
	AUTO(json_t *, json_decrefp) told = NULL;
	int r;

	if (!path)
		return err_memory(e);
	r = api_get(cli->api, path, &told, e);
	if (r < 0)
		return r;
	if (!cli->common->json)
		return tell_lints(told);
	print_json(told);
	return CLI_OK;
}

/* --- test runs ---------------------------------------------------------------------------- */

static bool is_running(const json_t *told)
{
	return strcmp(text_of(json_object_get(told, "trial"), "outcome"), "running") == 0;
}

/* On the node that has it: another look must not go elsewhere. */
static int look_again(struct cli *cli, const char *id, json_t **told, struct err *e)
{
	AUTO(char *, freep)
	path = api_path(cli->api, "/admin/challenges/%s/trial?node=%s", id,
			text_of(*told, "node_id"));
	json_t *fresh = NULL;
	int r;

	if (!path)
		return err_memory(e);
	nanosleep(&(struct timespec){ .tv_nsec = LOOK_MS * 1000000L }, NULL);
	r = api_get(cli->api, path, &fresh, e);
	if (r == 0) {
		json_decref(*told);
		*told = fresh;
	}
	return r;
}

static void tell_step(const struct cli *cli, const json_t *told, char step[16])
{
	const json_t *trial = json_object_get(told, "trial");

	if (!cli->terminal || !is_running(told) || strcmp(text_of(trial, "step"), step) == 0)
		return;
	snprintf(step, 16, "%s", text_of(trial, "step"));
	fprintf(stderr, "%s...\n", step);
}

static void tell_steps(const json_t *steps)
{
	const char *before = " (";
	const json_t *step;
	size_t i;

	json_array_foreach (steps, i, step) {
		printf("%s%s %.1f s", before, text_of(step, "step"),
		       (double)number_of(step, "ms") / 1000);
		before = ", ";
	}
	puts(before[0] == ',' ? ")" : "");
}

static int tell_trial(const json_t *told)
{
	const json_t *trial = json_object_get(told, "trial"), *answer;
	const char *outcome = text_of(trial, "outcome"), *detail = text_of(trial, "detail");
	bool failed = strcmp(outcome, "failed") == 0;
	size_t i;

	printf("%s: %s", text_of(trial, "challenge_id"), outcome);
	if (*text_of(trial, "step"))
		printf(" at %s", text_of(trial, "step"));
	if (*detail)
		fputs(": ", stdout);
	print_text(detail);
	tell_steps(json_object_get(trial, "steps"));
	json_array_foreach (json_object_get(trial, "answers"), i, answer) {
		printf("  %s ", is_true(answer, "found") ? "found " : "missed");
		print_text(text_of(answer, "question"));
		putchar('\n');
	}
	if (failed)
		print_words(text_of(trial, "output"));
	return failed ? CLI_FAILED : CLI_OK;
}

int admin_test(struct cli *cli, char **argv, struct err *e)
{
	AUTO(char *, freep) path = path_of(cli, argv, "trial");
	AUTO(json_t *, json_decrefp) told = NULL;
	struct api_call call = { .method = "POST", .path = path, .ret_json = &told };
	char step[16] = "";
	int r;

	if (!path)
		return err_memory(e);
	r = api_do(cli->api, &call, e);
	while (r == 0 && is_running(told)) {
		tell_step(cli, told, step);
		r = look_again(cli, argv[0], &told, e);
	}
	if (r < 0)
		return r;
	if (!cli->common->json)
		return tell_trial(told);
	print_json(told);
	return strcmp(text_of(json_object_get(told, "trial"), "outcome"), "failed") == 0
		       ? CLI_FAILED
		       : CLI_OK;
}
