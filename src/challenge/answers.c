/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/answers.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/json.h"
#include "base/own.h"
#include "challenge/service.h"

#include <ctype.h>
#include <string.h>

enum { RANDOM_LENGTH = 32 };

char *answers_variable(struct arena *arena, const char *question)
{
	char *name =
		arena_printf(arena, "%s%s", isdigit((unsigned char)*question) ? "_" : "", question);

	for (char *c = name; c && *c; c++)
		*c = isalnum((unsigned char)*c) ? (char)toupper((unsigned char)*c) : '_';
	return name;
}

/* --- making them -------------------------------------------------------------------------- */

static char *generate(const char *template)
{
	const char *dots = strstr(template, "...");
	char random[RANDOM_LENGTH + 1];

	if (!dots)
		return strdup(template);
	id_random(random, RANDOM_LENGTH);
	return strf("%.*s%s%s", (int)(dots - template), template, random, dots + 3);
}

int challenge_answers(const struct challenge *challenge, json_t **ret_answers, struct err *e)
{
	AUTO(json_t *, json_decrefp) answers = json_object();

	for (size_t i = 0; i < challenge->question_count; i++) {
		const struct question *question = &challenge->questions[i];
		AUTO(char *, freep) answer = NULL;

		if (question->kind == ANSWER_REGEX)
			continue;
		answer = question->kind == ANSWER_STATIC ? strdup(question->answer)
							 : generate(question->answer);
		if (!answer || json_object_set_new(answers, question->id, json_text(answer)) < 0)
			return err_memory(e);
	}
	if (!answers)
		return err_memory(e);
	*ret_answers = TAKE(answers);
	return 0;
}

/* --- variables ---------------------------------------------------------------------------- */

const char *answers_get(const struct planner *p, const char *question)
{
	const char *given = json_string_value(json_object_get(p->facts->answers, question));

	for (size_t i = 0; !given && i < p->challenge->question_count; i++)
		if (p->challenge->questions[i].kind == ANSWER_STATIC &&
		    strcmp(p->challenge->questions[i].id, question) == 0)
			return p->challenge->questions[i].answer;
	return given;
}

static void define(struct planner *p, const char *question, const char *answer)
{
	const char *name = answers_variable(p->arena, question);

	if (name && answer)
		variables_add(&p->variables, name, answer);
}

void answers_define(struct planner *p)
{
	const struct challenge *challenge = p->challenge;
	const char *question;
	json_t *value;

	for (size_t i = 0; i < challenge->question_count; i++)
		define(p, challenge->questions[i].id, answers_get(p, challenge->questions[i].id));
	json_object_foreach ((json_t *)(uintptr_t)p->facts->answers, question, value)
		define(p, question, json_string_value(value));
	variables_add(&p->variables, "CTFY_INSTANCE_ID", p->facts->instance_id);
	variables_add(&p->variables, "CTFY_CHALLENGE_ID", challenge->id);
	if (p->facts->public_host)
		variables_add(&p->variables, "CTFY_PUBLIC_HOST", p->facts->public_host);
	variables_add(&p->variables, "COMPOSE_PROJECT_NAME", p->plan->project);
}

/* --- placements --------------------------------------------------------------------------- */

struct answer_lookup {
	struct planner *p;
	const char *answer;
};

static const char *look_up(void *cookie, const char *name)
{
	const struct answer_lookup *lookup = cookie;

	return strcmp(name, "answer") == 0 ? lookup->answer : planner_look_up(lookup->p, name);
}

static void place_file(struct service *s, const struct placement *place, const char *answer)
{
	struct plan_file file = { .path = arena_strdup(s->p->arena, place->where),
				  .content = arena_strdup(s->p->arena, answer),
				  .size = strlen(answer),
				  .mode = place->mode,
				  .uid = place->uid,
				  .gid = place->gid };
	struct answer_lookup lookup = { s->p, answer };
	struct err e = ERR_INIT;

	if (place->template_ &&
	    template_render(s->p->arena, place->template_, strlen(place->template_), look_up,
			    &lookup, &file.content, &file.size, &e) < 0)
		problem_at(s->p->problems, PROBLEM_ERROR, place->node, place->where, "%s", e.msg);
	else
		service_add_file(s, &file);
}

static void place(struct service *s, const struct placement *place, const char *answer)
{
	switch (place->way) {
	case PLACE_ENVIRONMENT: variables_set(&s->environment, place->where, answer); break;
	case PLACE_FILE: place_file(s, place, answer); break;
	case PLACE_BUILD_ARG:
		if (s->plan->build)
			service_set_text(s, s->plan->build->args, place->where, answer);
		break;
	}
}

static bool is_everybodys(const struct challenge *challenge, const char *question,
			  const char *answer)
{
	for (size_t i = 0; i < challenge->question_count; i++) {
		const struct question *row = &challenge->questions[i];

		if (strcmp(row->id, question) == 0)
			return row->kind == ANSWER_STATIC && strcmp(row->answer, answer) == 0;
	}
	return false;
}

/* An image that holds this instance's answer must not serve another. */
static bool holds_own_answer(const struct planner *p, const json_t *args)
{
	const char *question;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)p->facts->answers, question, value) {
		const char *answer = json_string_value(value);

		if (answer && planner_mentions(args, answer) &&
		    !is_everybodys(p->challenge, question, answer))
			return true;
	}
	return false;
}

void answers_place(struct service *s)
{
	const struct challenge *challenge = s->p->challenge;

	for (size_t i = 0; i < challenge->placement_count; i++) {
		const struct placement *row = &challenge->placements[i];
		const char *answer = answers_get(s->p, row->question);

		if (answer && (!row->service || strcmp(row->service, s->name) == 0))
			place(s, row, answer);
	}
	if (s->plan->build)
		s->plan->build->per_instance = holds_own_answer(s->p, s->plan->build->args);
}

/* --- tracing ------------------------------------------------------------------------------ */

/* Shorter ones turn up by chance. */
enum { LEAST_TRACED = 6 };

static void note(struct planner *p, const char *question, const char *service, const char *way,
		 const char *where)
{
	struct plan *plan = p->plan;
	struct plan_answer_use *rows;

	rows = arena_array(p->arena, plan->answer_use_count + 1, sizeof(*rows));
	if (!rows)
		return;
	if (plan->answer_use_count)
		memcpy(rows, plan->answer_uses, plan->answer_use_count * sizeof(*rows));
	rows[plan->answer_use_count++] =
		(struct plan_answer_use){ arena_strdup(p->arena, question), service, way, where };
	plan->answer_uses = rows;
}

static void trace_environment(struct planner *p, const struct plan_service *service,
			      const char *question, const char *answer)
{
	const json_t *env = json_object_get(service->container, "Env");

	for (size_t i = 0; i < json_array_size(env); i++) {
		const char *text = json_string_value(json_array_get(env, i));
		const char *equals = text ? strchr(text, '=') : NULL;

		if (equals && strstr(equals + 1, answer))
			note(p, question, service->name, "environment",
			     arena_strndup(p->arena, text, (size_t)(equals - text)));
	}
}

static void trace_build(struct planner *p, const struct plan_service *service, const char *question,
			const char *answer)
{
	const char *name;
	json_t *value;

	if (!service->build)
		return;
	json_object_foreach (service->build->args, name, value)
		if (strstr(json_string_value(value), answer))
			note(p, question, service->name, "build-arg", arena_strdup(p->arena, name));
}

static void trace_interpolation(struct planner *p, const struct plan_service *service,
				const char *question, const char *answer)
{
	const char *key;
	json_t *value;

	json_object_foreach (service->container, key, value)
		if (strcmp(key, "Env") != 0 && planner_mentions(value, answer))
			note(p, question, service->name, "interpolation",
			     arena_strdup(p->arena, key));
}

static void trace_files(struct planner *p, const struct plan_service *service, const char *question,
			const char *answer)
{
	for (size_t i = 0; i < service->file_count; i++)
		if (memmem(service->files[i].content, service->files[i].size, answer,
			   strlen(answer)))
			note(p, question, service->name, "file", service->files[i].path);
	for (size_t i = 0; i < service->bind_count; i++)
		if (service->binds[i].content &&
		    memmem(service->binds[i].content, service->binds[i].size, answer,
			   strlen(answer)))
			note(p, question, service->name,
			     service->binds[i].template_ ? "template" : "file",
			     service->binds[i].target);
}

static void trace(struct planner *p, const char *question, const char *answer)
{
	const struct plan *plan = p->plan;

	for (size_t i = 0; i < plan->service_count; i++) {
		trace_environment(p, &plan->services[i], question, answer);
		trace_build(p, &plan->services[i], question, answer);
		trace_interpolation(p, &plan->services[i], question, answer);
		trace_files(p, &plan->services[i], question, answer);
	}
	for (size_t i = 0; i < plan->attachment_count; i++)
		if (plan->attachments[i].content &&
		    memmem(plan->attachments[i].content, plan->attachments[i].size, answer,
			   strlen(answer)))
			note(p, question, NULL, "template", plan->attachments[i].filename);
}

void answers_trace(struct planner *p)
{
	for (size_t i = 0; i < p->challenge->question_count; i++) {
		const char *id = p->challenge->questions[i].id;
		const char *answer = answers_get(p, id);

		if (answer && strlen(answer) >= LEAST_TRACED)
			trace(p, id, answer);
	}
}
