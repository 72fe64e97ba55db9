/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A challenge's folder for a test: written, loaded, planned, asked and removed.
 */
#ifndef UNIT_FOLDER_H
#define UNIT_FOLDER_H

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "challenge/challenge.h"
#include "challenge/plan.h"
#include "challenge/policy.h"
#include "challenge/problem.h"

#include "check.h"

#include <jansson.h>
#include <string.h>
#include <sys/stat.h>

struct folder {
	char dir[32];
	struct policy *policy;
	struct challenge *challenge;
	struct plan *plan;
	json_t *json; /* of the plan */
	json_t *answers;
	struct problems problems;
	struct err e;
	bool extract;
};

static inline void folder_open(struct folder *f)
{
	*f = (struct folder){ .dir = "/tmp/ctfy-test-XXXXXX" };
	CHECK(mkdtemp(f->dir));
}

static inline void folder_forget(struct folder *f)
{
	json_decref(f->json);
	plan_free(f->plan);
	json_decref(f->answers);
	challenge_free(f->challenge);
	problems_done(&f->problems);
	f->json = f->answers = NULL;
	f->plan = NULL;
	f->challenge = NULL;
	f->e = (struct err)ERR_INIT;
}

static inline void folder_close(struct folder *f)
{
	folder_forget(f);
	policy_free(f->policy);
	tree_remove(f->dir, NULL);
}

/* Parents are made. */
static inline void folder_write(const struct folder *f, const char *name, const char *text)
{
	AUTO(char *, freep) path = strf("%s/%s", f->dir, name);
	AUTO(char *, freep) parent = strf("%s/%s", f->dir, name);

	*strrchr(parent, '/') = '\0';
	CHECK_EQ(dir_make(parent, 0755, NULL), 0);
	CHECK_EQ(file_write(path, text, strlen(text), 0644, NULL), 0);
}

static inline int folder_load(struct folder *f)
{
	int r;

	folder_forget(f);
	r = challenge_load(f->dir, &f->challenge, &f->problems, &f->e);
	return r < 0 ? r : challenge_answers(f->challenge, &f->answers, &f->e);
}

static inline int folder_plan(struct folder *f)
{
	struct plan_facts facts = { .instance_id = "i1", .public_host = "ctf.example" };
	int r = folder_load(f);

	if (r < 0)
		return r;
	facts.answers = f->answers;
	facts.extract = f->extract;
	r = plan_make(f->challenge, f->policy, &facts, &f->plan, &f->problems, &f->e);
	/* A plan stands by itself. */
	challenge_free(TAKE(f->challenge));
	if (r == 0)
		f->json = plan_json(f->plan);
	return r;
}

/* The value at a path such as "services/0/name"; NULL: there is none. */
static inline json_t *folder_at(const json_t *json, const char *path)
{
	const json_t *at = json;

	while (at && *path) {
		size_t len = strcspn(path, "/");
		AUTO(char *, freep) key = strndup(path, len);

		at = json_is_array(at) ? json_array_get(at, (size_t)atoi(key))
				       : json_object_get(at, key);
		path += len + (path[len] == '/');
	}
	return (json_t *)(uintptr_t)at;
}

/* Compares with JSON; "" expects nothing to be there. */
static inline void folder_check(const json_t *json, const char *path, const char *expected)
{
	json_t *value = folder_at(json, path);
	AUTO(char *, freep) text =
		value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : strdup("");

	if (strcmp(text, expected) != 0)
		fail_msg("%s is %s, not %s", path, text, expected);
}

static inline void folder_print_problems(const struct folder *f)
{
	for (size_t i = 0; i < f->problems.count; i++) {
		AUTO(char *, freep) text = problem_text(&f->problems.rows[i]);

		print_message("%s\n", text);
	}
}

/* Whether a problem reads so, opt-in and all. */
static inline bool folder_has_problem(const struct folder *f, const char *text)
{
	for (size_t i = 0; i < f->problems.count; i++) {
		AUTO(char *, freep) row = problem_text(&f->problems.rows[i]);

		if (strstr(row, text))
			return true;
	}
	return false;
}

static inline void folder_check_problem(const struct folder *f, const char *text)
{
	if (folder_has_problem(f, text))
		return;
	folder_print_problems(f);
	fail_msg("no problem says: %s", text);
}

#endif
