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
