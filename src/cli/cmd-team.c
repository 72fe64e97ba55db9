/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/print.h"

#include <stdio.h>
#include <string.h>

static void print_team(const json_t *team)
{
	const char *captain = text_of(team, "captain_id");
	json_t *member;
	size_t i;

	print_text(text_of(team, "name"));
	printf("\n  invite   %s\n", text_of(team, "invite"));
	json_array_foreach (json_object_get(team, "members"), i, member) {
		printf("  %s  ", i ? "       " : "members");
		print_text(text_of(member, "name"));
		puts(strcmp(text_of(member, "id"), captain) == 0 ? " (captain)" : "");
	}
}

static int send(struct cli *cli, const char *method, const char *route, const char *key,
		const char *value, struct err *e)
{
	AUTO(char *, freep) path = api_path(cli->api, route);
	AUTO(json_t *, json_decrefp) body = key ? json_make("{s:s}", key, value) : NULL;
	AUTO(json_t *, json_decrefp) team = NULL;
	const struct api_call call = {
		.method = method, .path = path, .body = body, .ret_json = &team
	};
	int r = path && (!key || body) ? api_do(cli->api, &call, e) : err_memory(e);

	if (r < 0)
		return r;
	if (cli->common->json)
		print_json(team);
	else if (json_is_object(team))
		print_team(team);
	else
		puts("You left your team.");
	return CLI_OK;
}

/* The id of a team on the scoreboard, by its name or id; the board's. */
static const char *find_team(const json_t *board, const char *wanted)
{
	json_t *line;
	size_t i;

	json_array_foreach (json_object_get(board, "teams"), i, line)
		if (strcmp(text_of(line, "team"), wanted) == 0 ||
		    strcmp(text_of(line, "team_id"), wanted) == 0)
			return text_of(line, "team_id");
	return NULL;
}

static void print_record(const json_t *record)
{
	static const char *const headings[] = {
		"CHALLENGE", "CATEGORY", "WHEN", ">POINTS", "", NULL
	};
	struct table *table = table_new(headings);
	json_t *solve;
	size_t i;

	print_text(text_of(record, "team"));
	printf(": rank %lld, %lld points%s\n\n", (long long)number_of(record, "rank"),
	       (long long)number_of(record, "score"),
	       is_true(record, "frozen") ? ", as of the freeze" : "");
	json_array_foreach (json_object_get(record, "solves"), i, solve) {
		char span[SPAN_SIZE], points[32];

		snprintf(points, sizeof(points), "%lld", (long long)number_of(solve, "value"));
		table_add(table, text_of(solve, "challenge"), text_of(solve, "category"),
			  span_of(solve, "solved_at", span), points,
			  is_true(solve, "first_blood") ? "first blood" : "");
	}
	table_print(table, "It has solved nothing yet.");
}

static int show_any(struct cli *cli, const char *wanted, struct err *e)
{
	AUTO(char *, freep) board_path = api_path(cli->api, "/scoreboard");
	AUTO(json_t *, json_decrefp) board = NULL;
	AUTO(json_t *, json_decrefp) record = NULL;
	AUTO(char *, freep) path = NULL;
	const char *id;
	int r = board_path ? api_get(cli->api, board_path, &board, e) : err_memory(e);

	if (r < 0)
		return r;
	id = find_team(board, wanted);
	if (!id)
		return err_set(e, ERR_NOT_FOUND, "there is no team '%s' on the scoreboard", wanted);
	path = api_path(cli->api, "/teams/%s", id);
	r = path ? api_get(cli->api, path, &record, e) : err_memory(e);
	if (r < 0)
		return r;
	if (cli->common->json)
		print_json(record);
	else
		print_record(record);
	return CLI_OK;
}

static int run_team(struct cli *cli, struct err *e)
{
	const char *what = cli->argc > 0 ? cli->argv[0] : "show";

	if (strcmp(what, "show") == 0 && cli->argc < 2)
		return send(cli, "GET", "/team", NULL, NULL, e);
	if (strcmp(what, "show") == 0 && cli->argc == 2)
		return show_any(cli, cli->argv[1], e);
	if (strcmp(what, "create") == 0 && cli->argc == 2)
		return send(cli, "POST", "/teams", "name", cli->argv[1], e);
	if (strcmp(what, "join") == 0 && cli->argc == 2)
		return send(cli, "POST", "/team/members", "invite", cli->argv[1], e);
	if (strcmp(what, "leave") == 0 && cli->argc == 1)
		return send(cli, "DELETE", "/team/members/me", NULL, NULL, e);
	return CLI_MISUSE(e, "either show TEAM, create NAME, join INVITE or leave, or nothing");
}

const struct cli_command cmd_team = {
	.name = "team",
	.arguments = "[show TEAM|create NAME|join INVITE|leave]",
	.summary = "Show your team or any, make one, join one by its invite.",
	.most = 2,
	.run = run_team,
};
