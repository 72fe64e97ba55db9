/* SPDX-License-Identifier: Apache-2.0 */
#include "node/warm-plan.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "challenge/challenge.h"
#include "challenge/plan.h"
#include "challenge/problem.h"
#include "node/catalogue.h"
#include "node/image.h"
#include "node/node.h"
#include "node/resource.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

const char *const warm_kind_names[] = { [WARM_BUILD] = "build", [WARM_PULL] = "pull" };

/* As long as what a template's "..." becomes, so that what a build does with it goes as it will. */
static const char stand_in[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

static json_t *fill(const char *template)
{
	const char *dots = strstr(template, "...");
	AUTO(char *, freep)
	answer = dots ? strf("%.*s%s%s", (int)(dots - template), template, stand_in, dots + 3)
		      : strdup(template);

	return answer ? json_text(answer) : NULL;
}

/* NULL when out of memory. */
static json_t *stand_in_answers(const struct challenge *challenge)
{
	AUTO(json_t *, json_decrefp) answers = json_object();

	/* A bare folder's flag is known when it comes. */
	if (challenge->question_count == 0 &&
	    json_object_set_new(answers, "flag", fill("flag{...}")) < 0)
		return NULL;
	for (size_t i = 0; i < challenge->question_count; i++) {
		const struct question *question = &challenge->questions[i];

		if (question->kind == ANSWER_GENERATED &&
		    json_object_set_new(answers, question->id, fill(question->answer)) < 0)
			return NULL;
	}
	return TAKE(answers);
}

static int plan_nobodys(struct node *node, const struct challenge *challenge, bool outline,
			struct plan **ret_plan, struct err *e)
{
	AUTO(json_t *, json_decrefp) answers = stand_in_answers(challenge);
	struct problems problems = PROBLEMS_INIT;
	struct plan_facts facts = {
		.instance_id = "warm",
		.public_host = node->options->public_host,
		.answers = answers,
		.outline = outline,
	};
	int r;

	*ret_plan = NULL;
	if (!challenge_has_instance(challenge))
		return 0;
	if (!answers)
		return err_memory(e);
	pthread_rwlock_rdlock(&node->config);
	r = plan_make(challenge, node->policy, &facts, ret_plan, &problems, e);
	pthread_rwlock_unlock(&node->config);
	problems_done(&problems);
	return r;
}

int warm_plan(struct node *node, const struct challenge *challenge, struct plan **ret_plan,
	      struct err *e)
{
	return plan_nobodys(node, challenge, false, ret_plan, e);
}

int warm_size(struct node *node, const struct challenge *challenge, struct challenge_size *ret_size,
	      struct err *e)
{
	AUTO(struct plan *, plan_freep) plan = NULL;
	int r = plan_nobodys(node, challenge, true, &plan, e);

	*ret_size = (struct challenge_size){ 0 };
	if (plan)
		resources_promised(plan, &ret_size->memory, &ret_size->nano_cpus);
	return r;
}

int warm_needs(const struct plan *plan, enum warm_kind kind, struct image_need **ret_needs,
	       size_t *ret_count, struct err *e)
{
	struct image_need *needs = NULL;
	size_t all = 0, count = 0;
	int r = plan ? images_needed(plan, &needs, &all, e) : 0;

	if (r < 0)
		return r;
	for (size_t i = 0; i < all; i++)
		if ((kind == WARM_BUILD) == (needs[i].build != NULL))
			needs[count++] = needs[i];
	*ret_needs = needs;
	*ret_count = count;
	return 0;
}
