/* SPDX-License-Identifier: Apache-2.0 */
#include "node/lint.h"

#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "challenge/challenge.h"
#include "challenge/folder.h"
#include "challenge/lint.h"
#include "node/catalogue.h"
#include "node/node.h"

#include <stdlib.h>
#include <string.h>

struct round {
	struct node *node;
	const char *root; /* names begin below it */
	struct lint_totals totals;
	json_t *rows;
	struct err *e;
};

/* The policy is held for one challenge at a time: a reload waits no longer than that. */
static int lint_one(struct node *node, const char *dir, const char *name,
		    struct lint_result *ret_result, struct err *e)
{
	int r;

	pthread_rwlock_rdlock(&node->config);
	r = lint_challenge(dir, name, node->policy, ret_result, e);
	pthread_rwlock_unlock(&node->config);
	return r;
}

static int lint_dir(void *cookie, const char *dir)
{
	AUTO(struct lint_result, lint_result_done) result = { .path = dir };
	struct round *round = cookie;
	int r = lint_one(round->node, dir, path_relative(dir, round->root), &result, round->e);

	if (r < 0)
		return r;
	lint_totals_add(&round->totals, &result);
	return json_array_append_new(round->rows, lint_result_json(&result)) < 0
		       ? err_memory(round->e)
		       : 0;
}

static int round_begin(struct node *node, struct round *ret_round, char **ret_root, struct err *e)
{
	*ret_root = realpath(node->options->challenges, NULL);
	if (!*ret_root)
		return err_errno(e, ERR_INTERNAL, "'%s'", node->options->challenges);
	*ret_round = (struct round){ .node = node, .root = *ret_root, .e = e };
	ret_round->rows = json_array();
	return ret_round->rows ? 0 : err_memory(e);
}

int node_lint(struct node *node, const char *challenge_id, json_t **ret_json, struct err *e)
{
	AUTO(struct challenge_ref *, challenge_unrefp) ref = NULL;
	AUTO(char *, freep) root = NULL;
	struct round round = { .rows = NULL };
	int r;

	r = catalogue_get(node->catalogue, challenge_id, &ref, e);
	if (r == 0)
		r = round_begin(node, &round, &root, e);
	if (r == 0)
		r = lint_dir(&round, challenge_of(ref)->dir);
	if (r == 0)
		*ret_json = json_incref(json_array_get(round.rows, 0));
	json_decref(round.rows);
	return r;
}

int node_lint_all(struct node *node, json_t **ret_json, struct err *e)
{
	AUTO(char *, freep) root = NULL;
	struct round round = { .rows = NULL };
	int r;

	r = round_begin(node, &round, &root, e);
	if (r == 0)
		r = challenge_walk(root, lint_dir, &round, e);
	if (r == 0) {
		*ret_json = json_make("{s:O, s:o}", "challenges", round.rows, "totals",
				      lint_totals_json(&round.totals));
		r = *ret_json ? 0 : err_memory(e);
	}
	json_decref(round.rows);
	return r;
}

/* --- what would not start ----------------------------------------------------------------- */

struct survey {
	struct node *node;
	const char *root;
	struct ctfy_rescan *rescan;
	struct err *e;
};

static int add_unstartable(struct ctfy_rescan *rescan, const char *dir, const char *why)
{
	struct ctfy_challenge_error *rows =
		realloc(rescan->unstartable, (rescan->unstartable_count + 1) * sizeof(*rows));

	if (!rows)
		return -1;
	rescan->unstartable = rows;
	rows[rescan->unstartable_count++] =
		(struct ctfy_challenge_error){ .path = strdup(dir), .detail = strdup(why) };
	return 0;
}

static int survey_dir(void *cookie, const char *dir)
{
	AUTO(struct lint_result, lint_result_done) result = { .path = dir };
	struct survey *survey = cookie;
	struct err why = ERR_INIT;
	int r = lint_one(survey->node, dir, path_relative(dir, survey->root), &result, survey->e);

	if (r < 0 || !result.challenge || result.outcome == LINT_FINE)
		return r;
	problems_error(&result.problems, &why);
	return add_unstartable(survey->rescan, dir, why.msg) < 0 ? err_memory(survey->e) : 0;
}

int node_lint_unstartable(struct node *node, struct ctfy_rescan *rescan, struct err *e)
{
	const char *root = node->options->challenges;
	struct survey survey = { node, root, rescan, e };

	return challenge_walk(root, survey_dir, &survey, e);
}
