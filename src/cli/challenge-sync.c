/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/challenge-sync.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "challenge/challenge.h"
#include "challenge/folder.h"
#include "challenge/lint.h"
#include "challenge/parcel.h"
#include "challenge/problem.h"
#include "cli/api.h"
#include "cli/cli.h"
#include "cli/print.h"
#include "cli/problem-print.h"

#include <stdio.h>
#include <string.h>

enum { SYNC_WAIT_S = 240 }; /* a large folder, to many nodes, by a slow line */

struct sync {
	struct cli *cli;
	json_t *answers; /* [{id, platform, nodes}] */
	bool failed;
};

static bool is_added(const json_t *rescan, const char *id)
{
	const json_t *added;
	size_t i;

	json_array_foreach (json_object_get(rescan, "added"), i, added)
		if (strcmp(json_string_value(added), id) == 0)
			return true;
	return false;
}

/* One line of each that has it, and why of each that hasn't. */
static bool tell(const char *id, const json_t *answer)
{
	const json_t *nodes = json_object_get(answer, "nodes"), *node;
	size_t i, have = 0;
	bool whole = true;

	json_array_foreach (nodes, i, node)
		have += json_object_get(node, "rescan") != NULL;
	printf("%s: %s, on the platform and %zu of %zu nodes\n", id,
	       is_added(json_object_get(answer, "platform"), id) ? "new" : "replaced", have,
	       json_array_size(nodes));
	json_array_foreach (nodes, i, node) {
		if (json_object_get(node, "rescan"))
			continue;
		printf("  %s: ", text_of(node, "node"));
		print_text(text_of(node, "detail"));
		putchar('\n');
		whole = false;
	}
	return whole;
}

static int send_folder(struct sync *sync, const struct challenge *challenge, struct err *e)
{
	AUTO(char *, freep) path = api_path(sync->cli->api, "/admin/challenges/%s", challenge->id);
	AUTO(struct buf, buf_done) parcel = BUF_INIT;
	json_t *answer = NULL;
	struct api_call call = { .method = "PUT",
				 .path = path,
				 .parcel = &parcel,
				 .wait_s = SYNC_WAIT_S,
				 .ret_json = &answer };
	int r;

	if (!path)
		return err_memory(e);
	if (!path_is_dir(challenge->dir))
		return err_set(e, ERR_INVALID, "only a folder can be brought to the platform");
	r = parcel_pack(challenge->dir, &parcel, e);
	if (r == 0)
		r = api_do(sync->cli->api, &call, e);
	if (r < 0)
		return r;
	if (!sync->cli->common->json && !tell(challenge->id, answer))
		sync->failed = true;
	json_object_set_new(answer, "id", json_text(challenge->id));
	json_array_append_new(sync->answers, answer);
	return 0;
}

/* What is faulty stays here; what a policy may refuse is for the nodes' own to say. */
static void sync_one(void *cookie, const struct lint_result *result)
{
	struct sync *sync = cookie;
	struct err e = ERR_INIT;

	if (result->outcome == LINT_FAULTY) {
		print_problems(&result->problems, stderr);
		fprintf(stderr, "ctfy challenge sync: '%s' is faulty: it stays as it was\n",
			result->path);
		sync->failed = true;
	} else if (send_folder(sync, result->challenge, &e) < 0) {
		fprintf(stderr, "ctfy challenge sync: '%s': %s\n", result->path, e.msg);
		sync->failed = true;
	}
}

static int run_sync(struct cli *cli, struct err *e)
{
	struct sync sync = { .cli = cli, .answers = json_array() };
	struct lint_totals totals = { 0 };
	int r = 0;

	for (int i = 0; r == 0 && i < cli->argc; i++)
		r = lint_path(cli->argv[i], NULL, &totals, sync_one, &sync, e);
	if (cli->common->json)
		print_json(sync.answers);
	json_decref(sync.answers);
	return r < 0 ? r : sync.failed ? CLI_FAILED : CLI_OK;
}

static const struct cli_command command = {
	.name = "challenge sync",
	.arguments = "PATH...",
	.summary = "Bring challenges to the platform and its nodes: folders, or trees of them.",
	.details = "A challenge that is there already is replaced by its folder as it is here. "
		   "Instances that\n"
		   "run go on as they were started. For admins.",
	.least = 1,
	.most = -1,
	.run = run_sync,
};

int challenge_sync_main(int argc, char **argv)
{
	return cli_main(&command, argc, argv);
}
