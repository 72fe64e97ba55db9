/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz-folder.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "challenge/challenge.h"
#include "challenge/import.h"
#include "challenge/plan.h"
#include "challenge/policy.h"
#include "challenge/problem.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static void forget_dir(void)
{
	static const char *const names[] = { "compose.yml",    "base.yml",      ".env",
					     "Dockerfile",     "challenge.yml", "challenge.json",
					     "benchmark.json", "flag.txt",      "profile.json" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		fuzz_remove(names[i]);
	rmdir(dir);
}

static void make_dir(void)
{
	if (*dir)
		return;
	snprintf(dir, sizeof(dir), "%s/ctfy-fuzz-XXXXXX",
		 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	if (!mkdtemp(dir))
		abort();
	atexit(forget_dir);
	fuzz_write("Dockerfile", "FROM x\nEXPOSE 80\n", 17);
	fuzz_write("flag.txt", "flag{x}\n", 8);
	fuzz_write("profile.json", "{}", 2);
}

void fuzz_write(const char *name, const void *bytes, size_t size)
{
	AUTO(FILE *, fclosep) file = NULL;
	AUTO(char *, freep) path = NULL;

	make_dir();
	path = strf("%s/%s", dir, name);
	file = path ? fopen(path, "w") : NULL;
	if (!file || fwrite(bytes, 1, size, file) != size)
		abort();
}

void fuzz_remove(const char *name)
{
	AUTO(char *, freep) path = strf("%s/%s", dir, name);

	if (path)
		unlink(path);
}

/* A refusal has its reason, and says where it holds. */
static void check_problems(const struct problems *problems, int r)
{
	if (r == -ERR_INVALID || r == -ERR_POLICY)
		assert(problems_refusals(problems) > 0);
	if (r == 0)
		assert(problems_refusals(problems) == 0);
	for (size_t i = 0; i < problems->count; i++) {
		AUTO(char *, freep) text = problem_text(&problems->rows[i]);

		assert(text && problems->rows[i].message && *problems->rows[i].message);
		assert((problems->rows[i].kind == PROBLEM_POLICY) ==
		       (problems->rows[i].opt_in != NULL));
	}
}

static void plan_with(const struct challenge *challenge, const struct policy *policy,
		      const json_t *answers)
{
	AUTO(struct problems, problems_done) problems = PROBLEMS_INIT;
	AUTO(struct plan *, plan_freep) plan = NULL;
	AUTO(json_t *, json_decrefp) json = NULL;
	struct plan_facts facts = { .instance_id = "fuzz", .answers = answers, .extract = true };
	struct err e = ERR_INIT;
	int r = plan_make(challenge, policy, &facts, &plan, &problems, &e);

	check_problems(&problems, r);
	if (r < 0)
		return;
	json = plan_json(plan);
	assert(json);
}

void fuzz_challenge(void)
{
	static struct policy *open;
	AUTO(struct challenge *, challenge_freep) challenge = NULL;
	AUTO(struct problems, problems_done) problems = PROBLEMS_INIT;
	AUTO(json_t *, json_decrefp) answers = NULL;
	AUTO(char *, freep) text = NULL;
	struct err e = ERR_INIT;
	int r;

	if (!open)
		open = policy_new_open();
	r = challenge_load(dir, &challenge, &problems, &e);
	check_problems(&problems, r);
	if (r < 0)
		return;
	if (challenge_answers(challenge, &answers, &e) < 0)
		return;
	plan_with(challenge, NULL, answers);
	plan_with(challenge, open, answers);
	text = challenge_yaml(challenge);
	assert(text);
}
