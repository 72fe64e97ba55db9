#include "base/own.h"

#include "platform-world.h"

#include <stdio.h>
#include <string.h>

/* Who may come in, as what, and what is written of it. */

static const json_t *entry(const struct reply *reply, size_t i)
{
	const json_t *found = json_array_get(json_object_get(reply->json, "entries"), i);

	if (!found)
		fail_msg("no entry %zu in %s", i, reply->body.data);
	return found;
}

static const char *entry_text(const struct reply *reply, size_t i, const char *name)
{
	return json_string_value(json_object_get(entry(reply, i), name));
}

/* The audit log */

TEST(what_organisers_change_is_written_down_with_how_it_ended)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;

	begin_world(&w);
	EXPECT(call(&w, w.admin, "POST", "/admin/competitions", "id: ctf\n", NULL), 200);
	EXPECT(call(&w, w.admin, "DELETE", "/admin/nodes/none", NULL, NULL), 404);
	EXPECT(call(&w, w.alice, "DELETE", "/admin/nodes/none", NULL, NULL), 403);
	reply = call(&w, w.admin, "GET", "/admin/audit", NULL, NULL);
	EXPECT(reply, 200);
	CHECK_EQ(json_array_size(json_object_get(reply->json, "entries")), 2);
	CHECK_STR(entry_text(reply, 0, "action"), "DELETE /api/v1/admin/nodes/{node}");
	CHECK_STR(entry_text(reply, 0, "object"), "/api/v1/admin/nodes/none");
	CHECK_STR(entry_text(reply, 0, "user"), "admin");
	CHECK_STR(entry_text(reply, 0, "peer"), "127.0.0.1");
	CHECK_EQ(json_integer_value(json_object_get(entry(reply, 0), "status")), 404);
	CHECK_EQ(json_integer_value(json_object_get(entry(reply, 1), "status")), 200);
}

TEST(a_cursor_goes_on_where_the_page_ended)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	char path[160], first[64];

	begin_world(&w);
	for (int i = 0; i < 3; i++)
		EXPECT(call(&w, w.admin, "DELETE", "/admin/nodes/none", NULL, NULL), 404);
	reply = call(&w, w.admin, "GET", "/admin/audit?limit=2", NULL, NULL);
	snprintf(first, sizeof(first), "%s", entry_text(reply, 1, "id"));
	snprintf(path, sizeof(path), "/admin/audit?limit=2&cursor=%s", text(reply, "next_cursor"));
	EXPECT(call(&w, w.admin, "DELETE", "/admin/nodes/none", NULL, NULL), 404);
	reply = call(&w, w.admin, "GET", path, NULL, NULL);
	EXPECT(reply, 200);
	CHECK_EQ(json_array_size(json_object_get(reply->json, "entries")), 1);
	CHECK(strcmp(entry_text(reply, 0, "id"), first) != 0);
	CHECK(json_is_null(json_object_get(reply->json, "next_cursor")));
	EXPECT(call(&w, w.admin, "GET", "/admin/audit?cursor=x", NULL, NULL), 422);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_organisers_change_is_written_down_with_how_it_ended),
		T(a_cursor_goes_on_where_the_page_ended),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
