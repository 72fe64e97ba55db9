#include "challenge/lint.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "challenge/challenge.h"
#include "challenge/plan.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct linter {
	const struct policy *policy;
	struct lint_totals *totals;
	void (*each)(void *cookie, const struct lint_result *result);
	void *cookie;
	struct err *e;
};

static const char *spec_name(const struct challenge *challenge)
{
	const char *slash = challenge->spec_file ? strrchr(challenge->spec_file, '/') : NULL;

	return slash ? slash + 1 : NULL;
}

static bool is_used(const struct plan *plan, const char *question)
{
	for (size_t i = 0; i < plan->answer_use_count; i++)
		if (strcmp(plan->answer_uses[i].question, question) == 0)
			return true;
	return false;
}

static bool is_reachable(const struct challenge *challenge, const struct plan *plan)
{
	for (size_t i = 0; i < plan->service_count; i++) {
		if (plan->services[i].network_mode &&
		    strcmp(plan->services[i].network_mode, "host") == 0)
			return true;
		for (size_t j = 0; j < plan->services[i].port_count; j++)
			if (plan->services[i].ports[j].published)
				return true;
	}
	return challenge->vpn;
}

/* What works, but can't be meant. */
static void check_sense(const struct challenge *challenge, const struct plan *plan,
			struct problems *problems)
{
	const char *file = spec_name(challenge);

	for (size_t i = 0; i < challenge->question_count; i++)
		if (challenge->questions[i].kind == ANSWER_GENERATED &&
		    !is_used(plan, challenge->questions[i].id))
			problem_add(
				problems, PROBLEM_WARNING, file, 0, 0, "questions",
				"the answer to '%s' is made for each instance but gets into none",
				challenge->questions[i].id);
	if (plan->service_count && !is_reachable(challenge, plan))
		problem_add(problems, PROBLEM_WARNING, file, 0, 0, "ports",
			    "no service publishes a port: players can reach none");
}

static int judge(const char *path, const struct policy *policy, struct lint_result *result,
		 struct challenge **ret_challenge, struct err *e)
{
	AUTO(struct plan *, plan_freep) plan = NULL;
	AUTO(json_t *, json_decrefp) answers = NULL;
	struct plan_facts facts = { .instance_id = "lint", .public_host = "localhost" };
	int r;

	r = challenge_load(path, ret_challenge, &result->problems, e);
	if (r < 0)
		return r;
	r = challenge_answers(*ret_challenge, &answers, e);
	if (r < 0)
		return r;
	facts.answers = answers;
	r = plan_make(*ret_challenge, policy, &facts, &plan, &result->problems, e);
	if (r == 0)
		check_sense(*ret_challenge, plan, &result->problems);
	return r;
}

/* Files are named from the challenge's folder; people want them from where they stand. */
static int name_files(const char *path, struct problems *problems, struct err *e)
{
	struct stat st;
	size_t len = strlen(path);

	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
		const char *slash = strrchr(path, '/');

		len = slash ? (size_t)(slash - path) : 0;
	}
	while (len > 1 && path[len - 1] == '/')
		len--;
	for (size_t i = 0; i < problems->count; i++) {
		char *old = problems->rows[i].file, *name;

		if (old && old[0] == '/')
			continue;
		name = !old       ? strdup(path)
		       : len == 0 ? strdup(old)
				  : strf("%.*s/%s", (int)len, path, old);
		if (!name)
			return err_memory(e);
		free(old);
		problems->rows[i].file = name;
	}
	return 0;
}

static enum lint_outcome outcome_of(int r)
{
	return r == 0 ? LINT_FINE : r == -ERR_POLICY ? LINT_POLICY : LINT_FAULTY;
}

static int lint_one(void *cookie, const char *path)
{
	AUTO(struct challenge *, challenge_freep) challenge = NULL;
	struct linter *in = cookie;
	struct lint_result result = { .path = path };
	struct err e = ERR_INIT;
	int r = judge(path, in->policy, &result, &challenge, &e);

	if (r == -ERR_MEMORY)
		return err_memory(in->e);
	result.outcome = outcome_of(r);
	if (r < 0 && !problems_refusals(&result.problems))
		problem_add(&result.problems, PROBLEM_ERROR, NULL, 0, 0, NULL, "%s", e.msg);
	r = name_files(path, &result.problems, in->e);
	if (challenge) {
		result.id = challenge->id;
		result.dialect = challenge->dialect;
	}
	in->totals->challenges++;
	in->totals->by_outcome[result.outcome]++;
	for (size_t i = 0; i < ARRAY_SIZE(result.problems.by_kind); i++)
		in->totals->problems[i] += result.problems.by_kind[i];
	if (r == 0)
		in->each(in->cookie, &result);
	problems_done(&result.problems);
	return r;
}

int lint_path(const char *path, const struct policy *policy, struct lint_totals *totals,
	      void (*each)(void *cookie, const struct lint_result *result), void *cookie,
	      struct err *e)
{
	struct linter in = {
		.policy = policy, .totals = totals, .each = each, .cookie = cookie, .e = e
	};
	size_t before = totals->challenges;
	struct stat st;
	int r;

	if (stat(path, &st) < 0)
		return err_errno(e, ERR_NOT_FOUND, "'%s'", path);
	if (!S_ISDIR(st.st_mode))
		return lint_one(&in, path);
	r = challenge_walk(path, lint_one, &in, e);
	if (r == 0 && totals->challenges == before)
		return err_set(e, ERR_NOT_FOUND, "there is no challenge in '%s'", path);
	return r;
}
