/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/listing.h"
#include "cli/print.h"

#include <stdio.h>
#include <string.h>

/* submit, submissions, scoreboard */

/* clang-format off */
#define SUBMIT_OPTIONS(ROW) \
	ROW(question, STRING, "ID", NULL, "Which question it answers; else whichever it fits.")
/* clang-format on */

struct submit_options {
	struct cli_common common;
	SUBMIT_OPTIONS(OPTION_MEMBER)
};

/* clang-format off */
#define ROW(...) OPTION_ROW(struct submit_options, __VA_ARGS__)
static const struct option_row submit_rows[] = { SUBMIT_OPTIONS(ROW) CLI_ROWS_END };
#undef ROW
/* clang-format on */

static enum cli_status print_verdict(const json_t *result)
{
	const char *verdict = text_of(result, "verdict");

	if (strcmp(verdict, "correct") == 0) {
		printf("Correct: %lld points%s.\n", (long long)number_of(result, "value"),
		       is_true(result, "first_blood") ? ", and first blood" : "");
		return CLI_OK;
	}
	if (strcmp(verdict, "repeated") == 0) {
		puts("Correct, but your team has solved it already.");
		return CLI_OK;
	}
	if (strcmp(verdict, "held") == 0) {
		puts("Kept: the organisers will judge it.");
		return CLI_OK;
	}
	puts("Wrong.");
	return CLI_WRONG_ANSWER;
}

static int run_submit(struct cli *cli, struct err *e)
{
	const struct submit_options *options = cli->options;
	AUTO(char *, freep) path = api_path(cli->api, "/challenges/%s/submissions", cli->argv[0]);
	AUTO(json_t *, json_decrefp) body =
		json_make("{s:s, s:s*}", "answer", cli->argv[1], "question", options->question);
	AUTO(json_t *, json_decrefp) result = NULL;
	const struct api_call call = {
		.method = "POST", .path = path, .body = body, .ret_json = &result
	};
	int r;

	if (!body)
		return err_set(e, ERR_INVALID, "the answer is not UTF-8");
	r = path ? api_do(cli->api, &call, e) : err_memory(e);
	if (r < 0)
		return r;
	if (!cli->common->json)
		return print_verdict(result);
	print_json(result);
	return strcmp(text_of(result, "verdict"), "wrong") == 0 ? CLI_WRONG_ANSWER : CLI_OK;
}

const struct cli_command cmd_submit = {
	.name = "submit",
	.arguments = "CHALLENGE ANSWER",
	.summary = "Hand in an answer.",
	.least = 2,
	.most = 2,
	.run = run_submit,
	.options = submit_rows,
	.options_size = sizeof(struct submit_options),
};

static void add_submission(struct table *table, const json_t *row)
{
	char span[SPAN_SIZE];

	table_add(table, span_of(row, "submitted_at", span), text_of(row, "challenge_id"),
		  text_of(row, "question_id"), text_of(row, "verdict"), text_of(row, "answer"));
}

static int run_submissions(struct cli *cli, struct err *e)
{
	static const char *const headings[] = { "WHEN",    "CHALLENGE", "QUESTION",
						"VERDICT", "ANSWER",    NULL };
	static const struct listing listing = { "submissions", headings, add_submission,
						"Your team has handed in nothing yet." };
	AUTO(char *, freep) path = api_path(cli->api, "/submissions");

	return listing_print(cli, path, &listing, e);
}

const struct cli_command cmd_submissions = {
	.name = "submissions",
	.arguments = "",
	.summary = "List what your team handed in.",
	.run = run_submissions,
};

/* clang-format off */
#define SCOREBOARD_OPTIONS(ROW) \
	ROW(division, STRING, "ID", NULL, "Of this division alone.")
/* clang-format on */

struct scoreboard_options {
	struct cli_common common;
	SCOREBOARD_OPTIONS(OPTION_MEMBER)
};

/* clang-format off */
#define ROW(...) OPTION_ROW(struct scoreboard_options, __VA_ARGS__)
static const struct option_row scoreboard_rows[] = { SCOREBOARD_OPTIONS(ROW) CLI_ROWS_END };
#undef ROW
/* clang-format on */

static int run_scoreboard(struct cli *cli, struct err *e)
{
	static const char *const headings[] = { ">RANK",   "TEAM",       ">SCORE",
						">SOLVED", "LAST SOLVE", NULL };
	const struct scoreboard_options *options = cli->options;
	AUTO(char *, freep)
	path = options->division ? api_path(cli->api, "/scoreboard?division=%s", options->division)
				 : api_path(cli->api, "/scoreboard");
	AUTO(json_t *, json_decrefp) board = NULL;
	struct table *table;
	json_t *row;
	size_t i;
	int r = api_get(cli->api, path, &board, e);

	if (r < 0)
		return r;
	if (cli->common->json) {
		print_json(board);
		return CLI_OK;
	}
	table = table_new(headings);
	json_array_foreach (json_object_get(board, "teams"), i, row) {
		char rank[32], score[32], solved[32], span[SPAN_SIZE];

		snprintf(rank, sizeof(rank), "%lld", (long long)number_of(row, "rank"));
		snprintf(score, sizeof(score), "%lld", (long long)number_of(row, "score"));
		snprintf(solved, sizeof(solved), "%lld", (long long)number_of(row, "solved"));
		table_add(table, rank, text_of(row, "team"), score, solved,
			  span_of(row, "last_solve_at", span));
	}
	table_print(table, "There are no teams yet.");
	if (is_true(board, "frozen"))
		puts("(frozen)");
	return CLI_OK;
}

const struct cli_command cmd_scoreboard = {
	.name = "scoreboard",
	.arguments = "",
	.summary = "Show who leads.",
	.run = run_scoreboard,
	.options = scoreboard_rows,
	.options_size = sizeof(struct scoreboard_options),
};
