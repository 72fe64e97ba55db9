/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/err.h"
#include "base/own.h"
#include "db/db.h"
#include "http/serve.h"
#include "platform/schema.h"

#include "platform-world.h"

#include <stdio.h>
#include <string.h>

/* Nodes as organisers handle them, and what becomes of instances when a node does not do well. */

static const char *string_of(const json_t *object, const char *name)
{
	const char *value = json_string_value(json_object_get(object, name));

	if (!value)
		fail_msg("no '%s'", name);
	return value;
}

/* The path of the node of this name, with what is behind it. */
static void node_path(struct world *w, const char *name, const char *rest, char path[128])
{
	const struct reply *reply = call(w, w->admin, "GET", "/admin/nodes", NULL, NULL);
	const json_t *node;
	size_t i;

	*path = '\0';
	json_array_foreach (json_object_get(reply->json, "nodes"), i, node)
		if (strcmp(string_of(node, "name"), name) == 0)
			snprintf(path, 128, "/admin/nodes/%s%s", string_of(node, "id"), rest);
	CHECK(*path);
}

static void make_secret(struct world *w, const char *body, char secret[SECRET_TOKEN_SIZE])
{
	const struct reply *reply = call(w, w->admin, "POST", "/admin/join-secrets", body, NULL);

	EXPECT(reply, 201);
	snprintf(secret, SECRET_TOKEN_SIZE, "%s", text(reply, "join_secret"));
}

static const struct reply *join(struct world *w, const char *secret, const char *name,
				const char *url)
{
	char body[512];

	snprintf(body, sizeof(body), "{\"join_secret\":\"%s\",\"name\":\"%s\",\"url\":\"%s\"}",
		 secret, name, url);
	return call(w, NULL, "POST", "/nodes/register", body, NULL);
}

TEST(a_join_secret_is_good_for_the_name_it_was_first_used_for_or_for_those_it_was_made_for)
{
	AUTO(struct world, end_platform) w;
	char once[SECRET_TOKEN_SIZE], standing[SECRET_TOKEN_SIZE], racks[SECRET_TOKEN_SIZE];
	char path[128];
	const struct reply *reply;
	const json_t *row;

	begin_world(&w);
	make_secret(&w, "{\"single_use\":true,\"name\":\"rack 1\"}", once);
	make_secret(&w, "{\"days\":1}", standing);
	EXPECT(join(&w, once, "n1", "ftp://x"), 422); /* no node came of it: it is still good */
	EXPECT(join(&w, once, "n1", "http://127.0.0.1:1"), 201);
	EXPECT(join(&w, once, "n2", "http://127.0.0.1:1"), 403);
	EXPECT(join(&w, standing, "n2", "http://127.0.0.1:1"), 201);
	reply = join(&w, standing, "n3", "http://127.0.0.1:1");
	EXPECT(reply, 403);
	CHECK_HAS(reply->body.data, "good for 'n2', not for 'n3'");
	EXPECT(join(&w, standing, "n2", "http://127.0.0.1:1"), 403); /* known: see below */
	make_secret(&w, "{\"nodes\":[\"rack-*\",\"n4\"]}", racks);
	EXPECT(join(&w, racks, "rack-1", "http://127.0.0.1:1"), 201);
	EXPECT(join(&w, racks, "rack-2", "http://127.0.0.1:1"), 201);
	EXPECT(join(&w, racks, "n4", "http://127.0.0.1:1"), 201);
	EXPECT(join(&w, racks, "n5", "http://127.0.0.1:1"), 403);
	EXPECT(call(&w, w.admin, "POST", "/admin/join-secrets", "{\"nodes\":[\"r*ck\"]}", NULL),
	       422);
	reply = call(&w, w.admin, "GET", "/admin/join-secrets", NULL, NULL);
	CHECK_EQ(json_array_size(json_object_get(reply->json, "join_secrets")), 3);
	CHECK(!strstr(reply->body.data, once));
	row = json_array_get(json_object_get(reply->json, "join_secrets"), 0);
	snprintf(path, sizeof(path), "/admin/join-secrets/%s", string_of(row, "id"));
	EXPECT(call(&w, w.admin, "DELETE", path, NULL, NULL), 204);
	EXPECT(call(&w, w.admin, "DELETE", path, NULL, NULL), 404);
	EXPECT(call(&w, w.admin, "POST", "/admin/join-secrets", "{\"days\":-1}", NULL), 422);
}

TEST(a_drained_node_gets_nothing_new_and_keeps_what_it_has)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	char path[128];

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	node_path(&w, "n1", "/drain", path);
	EXPECT(call(&w, w.admin, "POST", path, NULL, NULL), 200);
	EXPECT(call(&w, w.bob, "POST", "/challenges/web/instance", NULL, WAIT), 503);
	CHECK_EQ(count_live(&node), 1);

	/* It is still so after a restart. */
	end_platform(&w);
	begin_platform(&w);
	wait_for_state(&w, "healthy");
	EXPECT(call(&w, w.bob, "POST", "/challenges/web/instance", NULL, WAIT), 503);
	node_path(&w, "n1", "/undrain", path);
	EXPECT(call(&w, w.admin, "POST", path, NULL, NULL), 200);
	EXPECT(call(&w, w.bob, "POST", "/challenges/web/instance", NULL, WAIT), 201);
}

TEST(a_rotated_token_is_good_for_both_directions_and_the_old_one_for_none)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	char path[128], secret[SECRET_TOKEN_SIZE], first[SECRET_TOKEN_SIZE];
	char second[SECRET_TOKEN_SIZE];
	const struct reply *reply;

	begin_node(&node);
	begin_world(&w);
	make_secret(&w, "{\"nodes\":[\"*\"]}", secret);
	snprintf(first, sizeof(first), "%s", text(join(&w, secret, "n1", node.url), "token"));
	node_path(&w, "n1", "/token", path);
	reply = call(&w, w.admin, "POST", path, NULL, NULL);
	EXPECT(reply, 201);
	snprintf(second, sizeof(second), "%s", text(reply, "token"));
	EXPECT(call(&w, first, "GET", "/nodes/me", NULL, NULL), 401);
	EXPECT(call(&w, second, "GET", "/nodes/me", NULL, NULL), 200);
	EXPECT(call(&w, w.admin, "DELETE", path, NULL, NULL), 204);
	EXPECT(call(&w, second, "GET", "/nodes/me", NULL, NULL), 401);
}

static const json_t *report_of(const struct reply *reply, const char *name)
{
	const json_t *report;
	size_t i;

	json_array_foreach (json_object_get(reply->json, "nodes"), i, report)
		if (strcmp(string_of(report, "node"), name) == 0)
			return report;
	fail_msg("nothing of '%s' in %s", name, reply->body.data);
	return NULL;
}

TEST(builds_and_pulls_are_told_per_node_and_within_a_scope)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	char secret[SECRET_TOKEN_SIZE];
	const struct reply *reply;
	const json_t *images;

	begin_node(&node);
	begin_world(&w);
	make_secret(&w, "{\"nodes\":[\"*\"]}", secret);
	EXPECT(join(&w, secret, "gone", "http://127.0.0.1:1"), 201);
	EXPECT(join(&w, secret, "n1", node.url), 201);
	reply = call(&w, w.admin, "POST", "/admin/challenges/build?challenge=web", NULL, NULL);
	EXPECT(reply, 202);
	CHECK(json_object_get(report_of(reply, "n1"), "build"));
	CHECK(*string_of(report_of(reply, "gone"), "detail"));
	CHECK_STR(node.last_bulk, "{\"challenge_ids\":[\"web\"]}");
	EXPECT(call(&w, w.admin, "POST", "/admin/challenges/pull", NULL, NULL), 202);
	CHECK_STR(node.last_bulk, "");
	EXPECT(call(&w, w.admin, "POST", "/admin/challenges/pull?competition=none", NULL, NULL),
	       404);
	reply = call(&w, w.admin, "GET", "/admin/challenges/images?challenge=web", NULL, NULL);
	EXPECT(reply, 200);
	images = json_object_get(report_of(reply, "n1"), "images");
	CHECK_EQ(json_array_size(json_object_get(images, "builds")), 1);
	CHECK_STR(string_of(json_array_get(json_object_get(images, "pulls"), 0), "status"),
		  "pulled");
}

TEST(what_is_wrong_with_challenges_is_told_by_the_node_that_is_named_else_a_healthy_one)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	char secret[SECRET_TOKEN_SIZE], path[128], gone[64];
	const struct reply *reply;

	begin_node(&node);
	begin_world(&w);
	EXPECT(call(&w, w.admin, "GET", "/admin/challenges/web/lint", NULL, NULL), 503);
	make_secret(&w, "{\"nodes\":[\"*\"]}", secret);
	reply = join(&w, secret, "gone", "http://127.0.0.1:1");
	snprintf(gone, sizeof(gone), "%s", text(reply, "node_id"));
	add_node(&w, "n1", &node);
	wait_for_count(&node, &node.beats, 2);
	reply = call(&w, w.admin, "GET", "/admin/challenges/web/lint", NULL, NULL);
	EXPECT(reply, 200);
	CHECK_STR(text(reply, "node"), "n1");
	CHECK_STR(string_of(json_object_get(reply->json, "lint"), "outcome"), "policy");
	reply = call(&w, w.admin, "GET", "/admin/challenges/lint", NULL, NULL);
	EXPECT(reply, 200);
	CHECK_EQ(json_array_size(
			 json_object_get(json_object_get(reply->json, "lints"), "challenges")),
		 2);
	EXPECT(call(&w, w.admin, "GET", "/admin/challenges/none/lint", NULL, NULL), 404);
	EXPECT(call(&w, w.admin, "GET", "/admin/challenges/web/lint?node=none", NULL, NULL), 404);
	snprintf(path, sizeof(path), "/admin/challenges/web/lint?node=%s", gone);
	EXPECT(call(&w, w.admin, "GET", path, NULL, NULL), 502);
}

TEST(a_test_run_is_begun_and_followed_on_a_node_and_is_in_the_audit_log)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	const json_t *trial, *entry;
	char path[128];

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	reply = call(&w, w.admin, "POST", "/admin/challenges/web/trial", NULL, NULL);
	EXPECT(reply, 202);
	CHECK_STR(string_of(json_object_get(reply->json, "trial"), "outcome"), "running");
	snprintf(path, sizeof(path), "/admin/challenges/web/trial?node=%s", text(reply, "node_id"));
	reply = call(&w, w.admin, "GET", path, NULL, NULL);
	EXPECT(reply, 200);
	trial = json_object_get(reply->json, "trial");
	CHECK_STR(string_of(trial, "outcome"), "solved");
	CHECK_STR(string_of(trial, "output"), "flag{x}\n");
	CHECK_EQ(node.trials, 1);
	EXPECT(call(&w, w.admin, "POST", "/admin/challenges/none/trial", NULL, NULL), 404);
	reply = call(&w, w.admin, "GET", "/admin/audit?limit=2", NULL, NULL);
	entry = json_array_get(json_object_get(reply->json, "entries"), 1);
	CHECK_STR(string_of(entry, "action"), "POST /api/v1/admin/challenges/{id}/trial");
	CHECK_STR(string_of(entry, "note"), "on node 'n1'");
}

TEST(what_a_lost_node_ran_goes_to_another_with_the_same_answers_and_its_copy_is_stopped)
{
	AUTO(struct fake_node, end_node) first;
	AUTO(struct fake_node, end_node) second;
	AUTO(struct world, end_platform) w;
	char body[4096];
	uint16_t port;

	begin_node(&first);
	begin_node(&second);
	begin_world(&w);
	add_node(&w, "n1", &first);
	wait_for_state(&w, "healthy");
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	add_node(&w, "n2", &second);
	wait_for_state(&w, "healthy");

	port = http_server_port(first.server);
	http_server_free(TAKE(first.server));
	wait_for_count(&second, &second.starts, 1);
	wait_for_status(&w, "running");
	snprintf(body, sizeof(body), "%s", strstr(first.last_body, "\"answers\""));
	CHECK_STR(strstr(second.last_body, "\"answers\""), body);
	CHECK_EQ(count_live(&second), 1);
	CHECK_EQ(count_live(&first), 1);

	listen_as(&first, port);
	wait_for_count(&first, &first.stops, 1);
	CHECK_EQ(count_live(&first), 0);
	CHECK_EQ(count_live(&second), 1);
	CHECK_EQ(second.stops, 0);
}

static void in_store(struct world *w, const char *statement)
{
	char path[256];
	struct db *db;
	struct err e = ERR_INIT;

	snprintf(path, sizeof(path), "%s/platform.db", w->state);
	CHECK_EQ(schema_open(path, &db, &e), 0);
	CHECK_EQ(db_run(db, statement, NULL, &e), 0);
	db_close(db);
}

TEST(what_is_owed_to_a_node_is_not_forgotten_while_the_store_fails)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	int stops;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	tell(&node, &node.refuse_stops, true);
	EXPECT(call(&w, w.alice, "DELETE", "/challenges/web/instance", NULL, NULL), 202);
	wait_for_more(&node, &node.stops, 2);
	in_store(&w, "ALTER TABLE instance RENAME TO away");
	wait_for_more(&node, &node.beats, 5);
	tell(&node, &node.refuse_stops, false);
	stops = node.stops; /* nobody stops anything without the table */
	in_store(&w, "ALTER TABLE away RENAME TO instance");
	wait_for_count(&node, &node.stops, stops + 1);
	CHECK_EQ(count_live(&node), 0);
}

/* Who comes within one millisecond has come at the same time. */
static void wait_for_the_next_millisecond(void)
{
	int64_t now = clock_now_ms(&clock_real);

	while (clock_now_ms(&clock_real) == now)
		continue;
}

TEST(where_all_are_full_a_start_waits_its_turn_and_knows_its_place)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	char carol[SECRET_TOKEN_SIZE], path[128];
	const struct reply *reply;

	begin_node(&node);
	node.capacity = 1;
	begin_world(&w);
	make_player(&w, "carol", "Green", carol);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	EXPECT(call(&w, w.bob, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	reply = call(&w, w.alice, "POST", "/challenges/web/instance", NULL, NULL);
	EXPECT(reply, 202);
	CHECK(strstr(text(reply, "detail"), "room"));
	snprintf(path, sizeof(path), "/admin/instances/%s/containers", text(reply, "id"));
	EXPECT(call(&w, w.admin, "GET", path, NULL, NULL), 409);
	wait_for_the_next_millisecond();
	EXPECT(call(&w, carol, "POST", "/challenges/web/instance", NULL, NULL), 202);
	reply = call(&w, carol, "GET", "/challenges/web/instance?check=true", NULL, NULL);
	CHECK_EQ(json_integer_value(json_object_get(reply->json, "queue_position")), 2);
	reply = call(&w, w.alice, "GET", "/challenges/web/instance?check=true", NULL, NULL);
	CHECK_EQ(json_integer_value(json_object_get(reply->json, "queue_position")), 1);
	CHECK(json_integer_value(json_object_get(reply->json, "eta_ms")) > 0);

	/* Nobody's place is lost with the platform, and who gives up makes room. */
	end_platform(&w);
	begin_platform(&w);
	wait_for_state(&w, "healthy");
	EXPECT(call(&w, w.bob, "DELETE", "/challenges/web/instance", NULL, WAIT), 200);
	wait_for_status(&w, "running");
	reply = call(&w, carol, "GET", "/challenges/web/instance", NULL, NULL);
	CHECK_STR(text(reply, "status"), "starting");
	EXPECT(call(&w, carol, "DELETE", "/challenges/web/instance", NULL, WAIT), 200);
	CHECK_EQ(count_live(&node), 1);
	CHECK_EQ(node.starts, 2);
}

static void expect_row(const struct reply *reply, const char *row)
{
	if (!strstr(reply->body.data, row))
		fail_msg("no '%s' in %s", row, reply->body.data);
}

/* A node knows better than its last heartbeat how full it is. */
TEST(a_start_that_a_full_node_refuses_waits_for_room)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	int starts;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	pthread_mutex_lock(&node.lock);
	node.words = "the node is full: 10/10 instances";
	node.status = 503;
	pthread_mutex_unlock(&node.lock);
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, NULL), 202);
	wait_for_more(&node, &node.starts, 2); /* and again after a heartbeat */
	reply = call(&w, w.alice, "GET", "/challenges/web/instance?check=true", NULL, NULL);
	EXPECT(reply, 200);
	CHECK_STR(text(reply, "status"), "starting");

	/* It is asked with each heartbeat, and no more often. */
	pthread_mutex_lock(&node.lock);
	starts = node.starts - node.beats;
	pthread_mutex_unlock(&node.lock);
	wait_for_more(&node, &node.beats, 10);
	pthread_mutex_lock(&node.lock);
	CHECK(node.starts - node.beats <= starts + 2);
	node.words = NULL;
	pthread_mutex_unlock(&node.lock);
	wait_for_status(&w, "running");
}

TEST(metrics_tell_organisers_what_was_asked_and_what_came_of_it)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	EXPECT(call(&w, w.bob, "POST", "/challenges/none/instance", NULL, WAIT), 404);
	EXPECT(call(&w, NULL, "GET", "/metrics", NULL, NULL), 401);
	EXPECT(call(&w, w.alice, "GET", "/metrics", NULL, NULL), 403);
	reply = call(&w, w.admin, "GET", "/metrics", NULL, NULL);
	EXPECT(reply, 200);
	expect_row(reply, "ctfy_instances{state=\"running\"} 1\n");
	expect_row(reply, "ctfy_instances_total{event=\"started\"} 1\n");
	expect_row(reply, "ctfy_nodes{state=\"healthy\"} 1\n");
	expect_row(reply, "ctfy_nodes{state=\"lost\"} 0\n");
	expect_row(reply, "ctfy_listeners 0\n");
	expect_row(reply, "ctfy_refused_total{of=\"bodies\"} 0\n");
	expect_row(reply, "ctfy_requests_total{method=\"POST\",route=\"/api/v1/challenges/{id}/"
			  "instance\",status=\"2xx\"} 1\n");
	expect_row(reply, "ctfy_requests_total{method=\"POST\",route=\"/api/v1/challenges/{id}/"
			  "instance\",status=\"4xx\"} 1\n");
}

TEST(a_start_that_was_called_off_is_no_failure)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;

	begin_node(&node);
	node.hold_starts = true;
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, NULL), 202);
	wait_for_count(&node, &node.starts, 1);
	EXPECT(call(&w, w.alice, "DELETE", "/challenges/web/instance", NULL, NULL), 202);
	node.words = "the start was called off";
	tell(&node, &node.hold_starts, false);
	wait_for_status(&w, "stopped");
	expect_row(call(&w, w.admin, "GET", "/metrics", NULL, NULL),
		   "ctfy_instances_total{event=\"failed\"} 0\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_join_secret_is_good_for_the_name_it_was_first_used_for_or_for_those_it_was_made_for),
		T(a_start_that_a_full_node_refuses_waits_for_room),
		T(metrics_tell_organisers_what_was_asked_and_what_came_of_it),
		T(where_all_are_full_a_start_waits_its_turn_and_knows_its_place),
		T(a_drained_node_gets_nothing_new_and_keeps_what_it_has),
		T(a_rotated_token_is_good_for_both_directions_and_the_old_one_for_none),
		T(builds_and_pulls_are_told_per_node_and_within_a_scope),
		T(what_is_wrong_with_challenges_is_told_by_the_node_that_is_named_else_a_healthy_one),
		T(a_test_run_is_begun_and_followed_on_a_node_and_is_in_the_audit_log),
		T(what_a_lost_node_ran_goes_to_another_with_the_same_answers_and_its_copy_is_stopped),
		T(what_is_owed_to_a_node_is_not_forgotten_while_the_store_fails),
		T(a_start_that_was_called_off_is_no_failure),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
