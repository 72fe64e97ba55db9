/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A challenge's answers: how they are made, and how they get into an instance.
 */
#ifndef CHALLENGE_ANSWERS_H
#define CHALLENGE_ANSWERS_H

struct arena;
struct planner;
struct service;

/* The variable that stands for a question's answer: its id in upper case, "_" for the rest. */
char *answers_variable(struct arena *arena, const char *question);

/* Defines the instance's facts and each answer as variables. */
void answers_define(struct planner *p);

/* The answer to a question in this instance; NULL: none. */
const char *answers_get(const struct planner *p, const char *question);

/* Puts answers where the challenge's placements want them in this service. */
void answers_place(struct service *s);

/* Notes in the plan where each answer ended up. */
void answers_trace(struct planner *p);

#endif
