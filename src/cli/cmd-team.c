#include "base/err.h"
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
	AUTO(json_t *, json_decrefp) body = key ? json_pack("{s:s}", key, value) : NULL;
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

static int run_team(struct cli *cli, struct err *e)
{
	const char *what = cli->argc > 0 ? cli->argv[0] : "show";

	if (strcmp(what, "show") == 0 && cli->argc < 2)
		return send(cli, "GET", "/team", NULL, NULL, e);
	if (strcmp(what, "create") == 0 && cli->argc == 2)
		return send(cli, "POST", "/teams", "name", cli->argv[1], e);
	if (strcmp(what, "join") == 0 && cli->argc == 2)
		return send(cli, "POST", "/team/members", "invite", cli->argv[1], e);
	if (strcmp(what, "leave") == 0 && cli->argc == 1)
		return send(cli, "DELETE", "/team/members/me", NULL, NULL, e);
	return err_set(e, ERR_INVALID, "either create NAME, join INVITE or leave, or nothing");
}

const struct cli_command cmd_team = {
	.name = "team",
	.arguments = "[create NAME|join INVITE|leave]",
	.summary = "Show your team, make one, join one by its invite.",
	.most = 2,
	.run = run_team,
};
