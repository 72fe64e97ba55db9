/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/own.h"

#include "platform-world.h"

#include <stdio.h>
#include <string.h>

/* What organisers are shown to judge. */

/* The answer that the node was given for the last start. */
static void last_answer(struct fake_node *node, char answer_text[128])
{
	const char *at = strstr(node->last_body, "\"flag\":\"");

	CHECK(at);
	at += strlen("\"flag\":\"");
	snprintf(answer_text, 128, "%.*s", (int)strcspn(at, "\""), at);
}

static const json_t *first(const struct reply *reply, const char *list)
{
	const json_t *item = json_array_get(json_object_get(reply->json, list), 0);

	if (!item)
		fail_msg("nothing in %s", reply->body.data);
	return item;
}

static const char *string(const json_t *json, const char *name)
{
	return json_string_value(json_object_get(json, name));
}

/* Where a pattern takes too long to tell: handed in by bob, whose id is in the path. */
static void hold_answer(struct world *w, char path[160])
{
	static const char slow[] = "RRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRR!";
	const struct reply *reply = answer(w, w->bob, "quiz", slow);

	EXPECT(reply, 201);
	CHECK_STR(string(reply->json, "verdict"), "held");
	snprintf(path, 160, "/admin/submissions/%s", string(reply->json, "id"));
}

TEST(an_answer_that_no_pattern_could_tell_waits_for_an_organiser)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	char path[160];

	begin_world(&w);
	hold_answer(&w, path);
	reply = call(&w, w.admin, "GET", "/admin/submissions?verdict=held", NULL, NULL);
	CHECK_STR(string(first(reply, "submissions"), "question_id"), "flag");
	EXPECT(call(&w, w.admin, "PATCH", path, "{\"verdict\":\"maybe\"}", NULL), 422);
	EXPECT(call(&w, w.admin, "PATCH", "/admin/submissions/none", "{\"verdict\":\"wrong\"}",
		    NULL),
	       404);
	reply = call(&w, w.admin, "PATCH", path, "{\"verdict\":\"correct\"}", NULL);
	EXPECT(reply, 200);
	CHECK_STR(string(reply->json, "verdict"), "correct");
	EXPECT(call(&w, w.admin, "PATCH", path, "{\"verdict\":\"wrong\"}", NULL), 409);
	CHECK_STR(string(answer(&w, w.bob, "quiz", "Paris")->json, "verdict"), "repeated");
	for (int i = 0; i < 5; i++)
		hold_answer(&w, path);
	EXPECT(answer(&w, w.bob, "quiz", "RRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRR?"), 409);

	/* Nor in another team. */
	EXPECT(call(&w, w.bob, "DELETE", "/team/members/me", NULL, NULL), 204);
	EXPECT(call(&w, w.bob, "POST", "/teams", "{\"name\":\"Green\"}", NULL), 201);
	EXPECT(answer(&w, w.bob, "quiz", "RRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRR?"), 409);
	EXPECT(call(&w, w.admin, "PATCH", path, "{\"verdict\":\"wrong\"}", NULL), 200);
	hold_answer(&w, path);
}

TEST(another_teams_answer_waits_for_review_with_both_sides)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	const json_t *review;
	char reds[128], path[160];

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	last_answer(&node, reds);
	reply = answer(&w, w.bob, "web", reds);
	EXPECT(reply, 201);
	CHECK_STR(text(reply, "verdict"), "wrong");

	reply = call(&w, w.admin, "GET", "/admin/reviews?state=open", NULL, NULL);
	EXPECT(reply, 200);
	review = first(reply, "reviews");
	CHECK_STR(string(json_object_get(review, "by"), "team"), "Blue");
	CHECK(json_is_null(json_object_get(json_object_get(review, "by"), "instance_id")));
	CHECK_STR(string(json_object_get(review, "of"), "team"), "Red");
	CHECK(string(json_object_get(review, "of"), "evidence"));
	snprintf(path, sizeof(path), "/admin/reviews/%s", string(review, "submission_id"));
	EXPECT(call(&w, w.admin, "PATCH", path, "{\"review\":\"maybe\"}", NULL), 422);
	EXPECT(call(&w, w.admin, "PATCH", path,
		    "{\"review\":\"dismissed\",\"note\":\"a shared screen\"}", NULL),
	       204);
	reply = call(&w, w.admin, "GET", "/admin/reviews?state=open", NULL, NULL);
	CHECK_EQ(json_array_size(json_object_get(reply->json, "reviews")), 0);
	reply = call(&w, w.admin, "GET", "/admin/reviews", NULL, NULL);
	CHECK_STR(string(first(reply, "reviews"), "note"), "a shared screen");

	/* Handed in again it is nothing new to look at. */
	EXPECT(answer(&w, w.bob, "web", reds), 201);
	reply = call(&w, w.admin, "GET", "/admin/reviews", NULL, NULL);
	CHECK_EQ(json_array_size(json_object_get(reply->json, "reviews")), 1);
	reply = call(&w, w.admin, "GET", "/admin/submissions?verdict=foreign", NULL, NULL);
	CHECK_EQ(json_array_size(json_object_get(reply->json, "submissions")), 2);
	EXPECT(call(&w, w.admin, "PATCH", "/admin/reviews/none", "{\"review\":\"open\"}", NULL),
	       404);
}

TEST(odd_solves_are_listed_with_what_is_odd)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	char own[128];

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	EXPECT(answer(&w, w.alice, "quiz", "Paris"), 201);
	EXPECT(call(&w, w.bob, "GET", "/challenges/quiz/attachments/map.txt", NULL, NULL), 200);
	EXPECT(answer(&w, w.bob, "quiz", "Paris"), 201);
	EXPECT(call(&w, w.bob, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	last_answer(&node, own);
	EXPECT(answer(&w, w.bob, "web", own), 201);

	reply = call(&w, w.admin, "GET", "/admin/suspicions?quick=3600&limit=2", NULL, NULL);
	EXPECT(reply, 200);
	CHECK_EQ(json_array_size(json_object_get(reply->json, "suspicions")), 2);
	CHECK_STR(string(first(reply, "suspicions"), "team"), "Red");
	CHECK_HAS(reply->body.data, "\"reasons\":[\"not_downloaded\"]");
	CHECK_HAS(reply->body.data, "\"reasons\":[\"too_quick\"]");
	reply = call(&w, w.admin, "GET", "/admin/suspicions?quick=3600&cursor=2", NULL, NULL);
	CHECK_STR(string(first(reply, "suspicions"), "challenge_id"), "web");
	CHECK(string(first(reply, "suspicions"), "evidence"));
	CHECK(json_is_null(json_object_get(reply->json, "next_cursor")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_answer_that_no_pattern_could_tell_waits_for_an_organiser),
		T(another_teams_answer_waits_for_review_with_both_sides),
		T(odd_solves_are_listed_with_what_is_odd),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
