/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/lint.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "challenge/challenge.h"
#include "challenge/loopback.h"
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

static bool publishes(const struct plan_service *service)
{
	for (size_t i = 0; i < service->port_count; i++)
		if (service->ports[i].published)
			return true;
	return false;
}

static void check_addresses(const struct plan *plan, struct problems *problems)
{
	for (size_t i = 0; i < plan->service_count; i++) {
		const struct plan_service *service = &plan->services[i];
		AUTO(char *, freep) key = strf("services.%s", service->name);

		if (publishes(service) && service_listens_within(plan->arena, service))
			problem_add(
				problems, PROBLEM_WARNING, NULL, 0, 0, key,
				"its server listens on 127.0.0.1, where no player reaches it: let "
				"it listen on 0.0.0.0");
	}
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
	check_addresses(plan, problems);
	if (plan->service_count && !is_reachable(challenge, plan))
		problem_add(problems, PROBLEM_WARNING, file, 0, 0, "ports",
			    "no service publishes a port: players can reach none");
}

static int judge(const char *path, const struct policy *policy, struct lint_result *result,
		 struct err *e)
{
	AUTO(struct plan *, plan_freep) plan = NULL;
	AUTO(json_t *, json_decrefp) answers = NULL;
	struct plan_facts facts = { .instance_id = "lint", .public_host = "localhost" };
	int r;

	r = challenge_load(path, &result->challenge, &result->problems, e);
	if (r < 0)
		return r;
	r = challenge_answers(result->challenge, &answers, e);
	if (r < 0)
		return r;
	facts.answers = answers;
	r = plan_make(result->challenge, policy, &facts, &plan, &result->problems, e);
	if (r == 0)
		check_sense(result->challenge, plan, &result->problems);
	return r;
}

/* Files are named from the challenge's folder; people want them from where they stand. */
static int name_files(const char *path, const char *name, struct problems *problems, struct err *e)
{
	struct stat st;
	size_t len = strlen(name);

	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
		const char *slash = strrchr(name, '/');

		len = slash ? (size_t)(slash - name) : 0;
	}
	while (len > 1 && name[len - 1] == '/')
		len--;
	for (size_t i = 0; i < problems->count; i++) {
		char *old = problems->rows[i].file, *file;

		if (old && old[0] == '/')
			continue;
		file = !old       ? strdup(name)
		       : len == 0 ? strdup(old)
				  : strf("%.*s/%s", (int)len, name, old);
		if (!file)
			return err_memory(e);
		free(old);
		problems->rows[i].file = file;
	}
	return 0;
}

static enum lint_outcome outcome_of(int r)
{
	return r == 0 ? LINT_FINE : r == -ERR_POLICY ? LINT_POLICY : LINT_FAULTY;
}

int lint_challenge(const char *path, const char *name, const struct policy *policy,
		   struct lint_result *ret_result, struct err *e)
{
	AUTO(struct lint_result, lint_result_done) result = { .path = name };
	struct err cause = ERR_INIT;
	int r = judge(path, policy, &result, &cause);

	if (r == -ERR_MEMORY)
		return err_memory(e);
	result.outcome = outcome_of(r);
	if (r < 0 && !problems_refusals(&result.problems))
		problem_add(&result.problems, PROBLEM_ERROR, NULL, 0, 0, NULL, "%s", cause.msg);
	r = name_files(path, name, &result.problems, e);
	if (r < 0)
		return r;
	*ret_result = result;
	result = (struct lint_result){ .path = NULL };
	return 0;
}

void lint_result_done(struct lint_result *result)
{
	challenge_free(result->challenge);
	problems_done(&result->problems);
}

json_t *lint_result_json(const struct lint_result *result)
{
	static const char *const outcomes[] = {
		[LINT_FINE] = "fine", [LINT_POLICY] = "policy", [LINT_FAULTY] = "faulty"
	};
	const struct challenge *challenge = result->challenge;

	return json_make("{s:o, s:o, s:s?, s:s, s:o}", "path", json_text(result->path), "id",
			 challenge ? json_text(challenge->id) : json_null(), "dialect",
			 challenge ? challenge->dialect : NULL, "outcome",
			 outcomes[result->outcome], "problems", problems_json(&result->problems));
}

void lint_totals_add(struct lint_totals *totals, const struct lint_result *result)
{
	totals->challenges++;
	totals->by_outcome[result->outcome]++;
	for (size_t i = 0; i < ARRAY_SIZE(result->problems.by_kind); i++)
		totals->problems[i] += result->problems.by_kind[i];
}

json_t *lint_totals_json(const struct lint_totals *totals)
{
	return json_make("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "challenges",
			 (json_int_t)totals->challenges, "fine",
			 (json_int_t)totals->by_outcome[LINT_FINE], "policy",
			 (json_int_t)totals->by_outcome[LINT_POLICY], "faulty",
			 (json_int_t)totals->by_outcome[LINT_FAULTY], "errors",
			 (json_int_t)totals->problems[PROBLEM_ERROR], "policies",
			 (json_int_t)totals->problems[PROBLEM_POLICY], "warnings",
			 (json_int_t)totals->problems[PROBLEM_WARNING]);
}

static int lint_one(void *cookie, const char *path)
{
	AUTO(struct lint_result, lint_result_done) result = { .path = path };
	struct linter *in = cookie;
	int r = lint_challenge(path, path, in->policy, &result, in->e);

	if (r < 0)
		return r;
	lint_totals_add(in->totals, &result);
	in->each(in->cookie, &result);
	return 0;
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
