/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every compose file and spec of a tree of real repositories, planned: the table of docs/corpus.md.
 *
 *	corpus [DIR]       or with CTFY_CORPUS in the environment
 *
 *	corpus --plan FILE...    prints each plan with all opt-ins given, for oracle.py
 *
 * The tree is an extract, so what it lacks is only warned of. Exits with 1 where fewer than 97 % of
 * the compose files are planned with all opt-ins given or where one takes over 50 ms, with 77 where
 * there is no such tree.
 */
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "challenge/challenge.h"
#include "challenge/plan.h"
#include "challenge/policy.h"
#include "challenge/problem.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { MAX_REASONS = 256, LEAST_SHARE = 97, MOST_MS = 50 };

struct reason {
	char *text;
	size_t files;
};

struct reasons {
	struct reason rows[MAX_REASONS];
	size_t count;
};

struct survey {
	struct policy *open;
	size_t files, planned, planned_open;
	struct reasons policy, faults, specs;
	double slowest_ms;
	char *slowest;
};

static void count_reason(struct reasons *reasons, const char *text)
{
	for (size_t i = 0; i < reasons->count; i++) {
		if (strcmp(reasons->rows[i].text, text) == 0) {
			reasons->rows[i].files++;
			return;
		}
	}
	if (reasons->count < MAX_REASONS)
		reasons->rows[reasons->count++] = (struct reason){ strdup(text), 1 };
}

static int by_files(const void *a, const void *b)
{
	const struct reason *x = a, *y = b;

	return x->files == y->files ? strcmp(x->text, y->text) : x->files < y->files ? 1 : -1;
}

static void print_reasons(const char *title, struct reasons *reasons)
{
	printf("\n%-6s %s\n", "files", title);
	qsort(reasons->rows, reasons->count, sizeof(reasons->rows[0]), by_files);
	for (size_t i = 0; i < reasons->count; i++) {
		printf("%6zu %s\n", reasons->rows[i].files, reasons->rows[i].text);
		free(reasons->rows[i].text);
	}
}

/* A message with what is quoted in it left out, so that equal causes are equal. */
static char *cause(const char *message)
{
	struct buf b = BUF_INIT;
	bool quoted = false;

	for (; *message; message++) {
		if (*message == '\'')
			quoted = !quoted;
		if (!quoted || *message == '\'')
			buf_putc(&b, *message);
	}
	return buf_take(&b);
}

/* Capabilities are told apart, paths and devices are not. */
static char *reason_of(const struct problem *row)
{
	if (row->kind != PROBLEM_POLICY)
		return cause(row->message);
	return strncmp(row->opt_in, "capability:", 11) == 0
		       ? strdup(row->opt_in)
		       : strndup(row->opt_in, strcspn(row->opt_in, ":"));
}

/* One reason counts once for a file, however often it holds. */
static void count_problems(struct reasons *reasons, const struct problems *problems,
			   enum problem_kind kind)
{
	struct reasons own = { 0 };

	for (size_t i = 0; i < problems->count; i++) {
		AUTO(char *, freep) text = NULL;

		if (problems->rows[i].kind != kind)
			continue;
		text = reason_of(&problems->rows[i]);
		count_reason(&own, text);
	}
	for (size_t i = 0; i < own.count; i++) {
		count_reason(reasons, own.rows[i].text);
		free(own.rows[i].text);
	}
}

/* {"plan": ..., "answers": ...}; NULL where there is none. */
static json_t *plan(const char *path, const struct policy *policy, struct problems *problems)
{
	AUTO(struct challenge *, challenge_freep) challenge = NULL;
	AUTO(struct plan *, plan_freep) made = NULL;
	AUTO(json_t *, json_decrefp) answers = NULL;
	struct plan_facts facts = { .instance_id = "corpus", .extract = true };
	struct err e = ERR_INIT;

	if (challenge_load(path, &challenge, problems, &e) < 0 ||
	    challenge_answers(challenge, &answers, &e) < 0)
		return NULL;
	facts.answers = answers;
	if (plan_make(challenge, policy, &facts, &made, problems, &e) < 0)
		return NULL;
	return json_pack("{s:o, s:O}", "plan", plan_json(made), "answers", answers);
}

static bool is_planned(const char *path, const struct policy *policy, struct problems *problems)
{
	AUTO(json_t *, json_decrefp) json = plan(path, policy, problems);

	return json;
}

/* What the oracle asks for: a line of JSON per file, null where there is no plan. */
static int print_plans(int count, char **paths)
{
	struct policy *open = policy_new_open();

	for (int i = 0; i < count; i++) {
		struct problems problems = PROBLEMS_INIT;
		json_t *json = plan(paths[i], open, &problems);

		json_dumpf(json ? json : json_null(), stdout, JSON_COMPACT | JSON_ENCODE_ANY);
		putchar('\n');
		json_decref(json);
		problems_done(&problems);
	}
	policy_free(open);
	return 0;
}

/* Our own time: what other programs take of the machine says nothing of a file. */
static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void survey_compose(struct survey *survey, const char *path)
{
	struct problems problems = PROBLEMS_INIT, open_problems = PROBLEMS_INIT;
	double start = now_ms(), took;

	survey->files++;
	survey->planned += is_planned(path, NULL, &problems);
	took = now_ms() - start;
	if (took > survey->slowest_ms) {
		survey->slowest_ms = took;
		free(survey->slowest);
		survey->slowest = strdup(path);
	}
	survey->planned_open += is_planned(path, survey->open, &open_problems);
	count_problems(&survey->policy, &problems, PROBLEM_POLICY);
	count_problems(&survey->faults, &open_problems, PROBLEM_ERROR);
	problems_done(&problems);
	problems_done(&open_problems);
}

static void survey_spec(struct survey *survey, const char *dir)
{
	AUTO(struct challenge *, challenge_freep) challenge = NULL;
	struct problems problems = PROBLEMS_INIT;
	struct err e = ERR_INIT;
	AUTO(char *, freep) text = NULL;

	if (challenge_load(dir, &challenge, &problems, &e) == 0) {
		count_reason(&survey->specs, challenge->dialect);
	} else {
		for (size_t i = 0; i < problems.count && !text; i++)
			if (problems.rows[i].kind == PROBLEM_ERROR)
				text = cause(problems.rows[i].message);
		AUTO(char *, freep) faulty = strf("faulty: %s", text ? text : e.msg);

		count_reason(&survey->specs, faulty);
	}
	problems_done(&problems);
}

static bool is_compose(const char *name)
{
	static const char *const names[] = { "docker-compose.yml", "docker-compose.yaml",
					     "compose.yml", "compose.yaml" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static bool is_spec(const char *name)
{
	static const char *const names[] = { "challenge.yml", "challenge.yaml", "challenge.json",
					     "ctfcli.yaml",   "ctfcli.yml",     "benchmark.json" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static void walk(struct survey *survey, const char *dir)
{
	struct dirent **entries = NULL;
	int count = scandir(dir, &entries, NULL, alphasort);
	bool has_spec = false;

	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		AUTO(char *, freep) path = strf("%s/%s", dir, name);
		struct stat st;

		if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && name[0] != '.')
			walk(survey, path);
		else if (is_compose(name))
			survey_compose(survey, path);
		has_spec = has_spec || is_spec(name);
		free(entries[i]);
	}
	free(entries);
	if (has_spec)
		survey_spec(survey, dir);
}

static double share(size_t part, size_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

int main(int argc, char **argv)
{
	struct survey survey = { 0 };
	const char *elsewhere = getenv("CTFY_CORPUS");
	const char *dir = elsewhere ? elsewhere : argc > 1 ? argv[1] : "../shared/corpus";
	struct stat st;
	bool good;

	if (argc > 1 && strcmp(argv[1], "--plan") == 0)
		return print_plans(argc - 2, argv + 2);
	if (stat(dir, &st) < 0) {
		printf("there is no corpus at '%s': give its directory\n", dir);
		return 77;
	}
	survey.open = policy_new_open();
	walk(&survey, dir);
	printf("%zu compose files\n", survey.files);
	printf("%6.1f %% planned as they are (%zu)\n", share(survey.planned, survey.files),
	       survey.planned);
	printf("%6.1f %% planned with all opt-ins given (%zu)\n",
	       share(survey.planned_open, survey.files), survey.planned_open);
	printf("%6.1f ms the slowest: %s\n", survey.slowest_ms,
	       survey.slowest ? survey.slowest : "none");
	print_reasons("refused by policy, by the opt-in that is wanting", &survey.policy);
	print_reasons("faulty, by what is wrong", &survey.faults);
	print_reasons("specs, by dialect", &survey.specs);
	good = survey.slowest_ms <= MOST_MS &&
	       share(survey.planned_open, survey.files) >= LEAST_SHARE;
	free(survey.slowest);
	policy_free(survey.open);
	return good ? 0 : 1;
}
