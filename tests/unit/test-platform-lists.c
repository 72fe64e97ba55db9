/* SPDX-License-Identifier: Apache-2.0 */
#include "base/own.h"

#include "platform-world.h"

#include <stdio.h>
#include <string.h>

/* Long lists: page by page, and by what is asked for. */

static const char *id_at(const json_t *list, size_t i)
{
	return json_string_value(json_object_get(json_array_get(list, i), "id"));
}

/* The list is the same in one piece and row by row. Returns how long it is. */
static size_t walk(struct world *w, const char *path, const char *member)
{
	AUTO(json_t *, json_decrefp) whole = NULL;
	char next[256], cursor[128] = "";
	const struct reply *reply;
	size_t count = 0;

	snprintf(next, sizeof(next), "%s%climit=10000", path, strchr(path, '?') ? '&' : '?');
	reply = call(w, w->admin, "GET", next, NULL, NULL);
	EXPECT(reply, 200);
	whole = json_incref(json_object_get(reply->json, member));
	CHECK(json_is_null(json_object_get(reply->json, "next_cursor")));
	do {
		const json_t *rows;

		snprintf(next, sizeof(next), "%s%climit=1%s", path, strchr(path, '?') ? '&' : '?',
			 cursor);
		reply = call(w, w->admin, "GET", next, NULL, NULL);
		EXPECT(reply, 200);
		rows = json_object_get(reply->json, member);
		if (json_array_size(rows) == 0)
			break;
		CHECK_STR(id_at(rows, 0), id_at(whole, count));
		count++;
		snprintf(cursor, sizeof(cursor), "&cursor=%s", text(reply, "next_cursor"));
	} while (count <= json_array_size(whole));
	CHECK_EQ(count, json_array_size(whole));
	CHECK(json_is_null(json_object_get(reply->json, "next_cursor")));
	return count;
}

static void start(struct world *w, const char *token, const char *challenge)
{
	char path[64];

	snprintf(path, sizeof(path), "/challenges/%s/instance", challenge);
	EXPECT(call(w, token, "POST", path, NULL, WAIT), 201);
}

static void stop(struct world *w, const char *token, const char *challenge)
{
	char path[64];

	snprintf(path, sizeof(path), "/challenges/%s/instance", challenge);
	EXPECT(call(w, token, "DELETE", path, NULL, WAIT), 200);
}

TEST(every_long_list_can_be_read_page_by_page)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	start(&w, w.alice, "web");
	start(&w, w.alice, "pwn");
	start(&w, w.bob, "web");
	stop(&w, w.alice, "web");
	CHECK_EQ(walk(&w, "/admin/users", "users"), 3);
	CHECK_EQ(walk(&w, "/admin/teams", "teams"), 2);
	CHECK_EQ(walk(&w, "/admin/instances", "instances"), 2);
	CHECK_EQ(walk(&w, "/admin/instances?all=true", "instances"), 3);
	stop(&w, w.alice, "pwn");
	stop(&w, w.bob, "web");
	CHECK_EQ(walk(&w, "/admin/archives", "archives"), 3);
	CHECK_EQ(walk(&w, "/admin/archives?challenge=web", "archives"), 2);
	EXPECT(call(&w, w.admin, "GET", "/admin/users?cursor=x", NULL, NULL), 422);
	EXPECT(call(&w, w.admin, "GET", "/admin/teams?limit=0", NULL, NULL), 422);
	EXPECT(call(&w, w.admin, "GET", "/admin/instances?limit=10001", NULL, NULL), 422);
}

/* The instance of the one archive that the query finds; "" where it finds another number. */
static void find_archived(struct world *w, const char *filter, const char *value, char instance[64])
{
	const struct reply *reply;
	const json_t *list;
	char path[128];

	snprintf(path, sizeof(path), "/admin/archives?%s=%s", filter, value);
	reply = call(w, w->admin, "GET", path, NULL, NULL);
	EXPECT(reply, 200);
	list = json_object_get(reply->json, "archives");
	snprintf(instance, 64, "%s",
		 json_array_size(list) == 1
			 ? json_string_value(
				   json_object_get(json_array_get(list, 0), "instance_id"))
			 : "");
}

TEST(an_archive_is_found_by_what_was_handed_in_with_its_instance)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	char first[64], second[64], submission[64], found[64];
	const struct reply *reply;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	start(&w, w.alice, "web");
	EXPECT(answer(&w, w.alice, "web", "a guess"), 201);
	reply = call(&w, w.admin, "GET", "/admin/submissions", NULL, NULL);
	snprintf(submission, sizeof(submission), "%s",
		 id_at(json_object_get(reply->json, "submissions"), 0));
	reply = call(&w, w.alice, "GET", "/challenges/web/instance", NULL, NULL);
	snprintf(first, sizeof(first), "%s", text(reply, "id"));
	stop(&w, w.alice, "web");
	start(&w, w.alice, "web");
	reply = call(&w, w.alice, "GET", "/challenges/web/instance", NULL, NULL);
	snprintf(second, sizeof(second), "%s", text(reply, "id"));
	stop(&w, w.alice, "web");

	find_archived(&w, "submission", submission, found);
	CHECK_STR(found, first);
	find_archived(&w, "instance", second, found);
	CHECK_STR(found, second);
	find_archived(&w, "submission", "nobodys", found);
	CHECK_STR(found, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(every_long_list_can_be_read_page_by_page),
		T(an_archive_is_found_by_what_was_handed_in_with_its_instance),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
