/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "base/secret.h"
#include "http/call.h"
#include "http/serve.h"
#include "platform/access.h"
#include "platform/main.h"
#include "platform/plain.h"
#include "platform/platform.h"
#include "wire/instance.h"

#include "platform-world.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The platform as its clients meet it, with nodes that do as they are told. */

/* Starting and stopping */

TEST(a_team_gets_an_instance_of_its_own_and_learns_nothing_of_the_node)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	const json_t *endpoint;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	reply = call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT);
	EXPECT(reply, 201);
	CHECK_STR(text(reply, "status"), "running");
	endpoint = json_array_get(json_object_get(reply->json, "endpoints"), 0);
	CHECK_STR(json_string_value(json_object_get(endpoint, "command")), "nc 10.1.2.3 4321");
	CHECK(!strstr(reply->body.data, node.url + strlen("http://")));
	CHECK(!json_object_get(reply->json, "node_id"));
	CHECK_HAS(node.last_body, "\"challenge_id\":\"web\"");
	CHECK_HAS(node.last_body, "\"answers\":{\"flag\":\"flag{");

	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, NULL), 200);
	CHECK_EQ(node.starts, 1);
	EXPECT(call(&w, w.bob, "GET", "/challenges/web/instance", NULL, NULL), 404);
	EXPECT(call(&w, w.bob, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	CHECK_EQ(count_live(&node), 2);

	reply = call(&w, w.alice, "DELETE", "/challenges/web/instance", NULL, WAIT);
	EXPECT(reply, 200);
	CHECK_STR(text(reply, "status"), "stopped");
	CHECK_EQ(count_live(&node), 1);
	EXPECT(call(&w, w.alice, "DELETE", "/challenges/web/instance", NULL, WAIT), 200);
}

TEST(a_start_that_is_sent_again_with_its_key_starts_nothing)
{
	static const char with_key[] = WAIT "\nIdempotency-Key: one";
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	char id[64];

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	reply = call(&w, w.alice, "POST", "/challenges/web/instance", NULL, with_key);
	EXPECT(reply, 201);
	snprintf(id, sizeof(id), "%s", text(reply, "id"));
	EXPECT(call(&w, w.alice, "DELETE", "/challenges/web/instance", NULL, WAIT), 200);
	reply = call(&w, w.alice, "POST", "/challenges/web/instance", NULL, with_key);
	EXPECT(reply, 200);
	CHECK_STR(text(reply, "id"), id);
	CHECK_STR(text(reply, "status"), "stopped");
	CHECK_EQ(node.starts, 1);
	EXPECT(call(&w, w.alice, "POST", "/challenges/pwn/instance", NULL, with_key), 422);
	EXPECT(call(&w, w.bob, "POST", "/challenges/web/instance", NULL, with_key), 201);
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL,
		    WAIT "\nIdempotency-Key: two"),
	       201);
	CHECK_EQ(node.starts, 3);
}

TEST(without_waiting_a_start_is_accepted_and_seen_through)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	tell(&node, &node.hold_starts, true);
	reply = call(&w, w.alice, "POST", "/challenges/web/instance", NULL, NULL);
	EXPECT(reply, 202);
	CHECK_STR(text(reply, "status"), "starting");
	tell(&node, &node.hold_starts, false);
	wait_for_status(&w, "running");
}

TEST(a_failing_start_tells_the_player_one_plain_sentence_and_leaves_nothing)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	node.words = "pull access denied for x";
	node.status = 502;
	reply = call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT);
	EXPECT(reply, 502);
	CHECK_STR(text(reply, "detail"), plain_start(502));
	reply = call(&w, w.alice, "GET", "/challenges/web/instance", NULL, NULL);
	CHECK_STR(text(reply, "status"), "failed");
	CHECK_STR(text(reply, "detail"), plain_start(502));
	reply = call(&w, w.admin, "GET", "/admin/instances?all=true", NULL, NULL);
	CHECK_HAS(reply->body.data, "\"cause\":\"pull access denied for x\"");

	/* And it is no obstacle to the next. */
	pthread_mutex_lock(&node.lock);
	node.words = NULL;
	pthread_mutex_unlock(&node.lock);
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	CHECK_EQ(count_live(&node), 1);
}

TEST(what_a_service_printed_is_the_organisers_to_read)
{
	static const char illness[] = "mkdir /var/lib/engine/volumes/v: flag{printed}";
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	char path[120];

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	node.illness = illness;
	reply = call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT);
	EXPECT(reply, 201);
	snprintf(path, sizeof(path), "/admin/instances/%s?check=true", text(reply, "id"));
	reply = call(&w, w.alice, "GET", "/challenges/web/instance?check=true", NULL, NULL);
	EXPECT(reply, 200);
	CHECK(json_is_false(json_object_get(reply->json, "is_healthy")));
	CHECK_HAS(reply->body.data, "\"detail\":\"it has ended\"");
	CHECK(!strstr(reply->body.data, "mkdir"));
	reply = call(&w, w.admin, "GET", path, NULL, NULL);
	CHECK_HAS(reply->body.data, illness);
}

TEST(what_a_full_node_refuses_another_takes)
{
	AUTO(struct fake_node, end_node) full;
	AUTO(struct fake_node, end_node) other;
	AUTO(struct world, end_platform) w;

	begin_node(&full);
	begin_node(&other);
	begin_world(&w);
	full.words = "10/10 instances are running";
	full.status = 503;
	add_node(&w, "full", &full);
	add_node(&w, "other", &other);
	wait_for_state(&w, "healthy");
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	EXPECT(call(&w, w.bob, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	CHECK_EQ(count_live(&other), 2);
	CHECK_EQ(count_live(&full), 0);
}

TEST(what_an_engine_fails_at_one_other_node_tries)
{
	AUTO(struct fake_node, end_node) broken;
	AUTO(struct fake_node, end_node) other;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;

	begin_node(&broken);
	begin_node(&other);
	begin_world(&w);
	broken.words = "the engine is out of disk";
	broken.status = 502;
	add_node(&w, "broken", &broken);
	add_node(&w, "other", &other);
	wait_for_state(&w, "healthy");
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	EXPECT(call(&w, w.bob, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	CHECK_EQ(count_live(&other), 2);

	/* What fails on both fails. */
	other.words = "no such image";
	other.status = 502;
	reply = call(&w, w.alice, "POST", "/challenges/pwn/instance", NULL, WAIT);
	EXPECT(reply, 502);
}

TEST(where_all_refuse_the_player_is_told_that_it_waits_for_room)
{
	AUTO(struct fake_node, end_node) full;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;

	begin_node(&full);
	begin_world(&w);
	full.words = "10/10 instances are running";
	full.status = 503;
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 503);
	add_node(&w, "full", &full);
	wait_for_state(&w, "healthy");
	reply = call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT);
	EXPECT(reply, 202);
	CHECK_STR(text(reply, "detail"), "no node has room yet: it starts when one has");
}

struct starter {
	struct world *w;
	int status;
	char id[64];
};

static void *start_at_once(void *cookie)
{
	struct starter *s = cookie;
	const struct reply *reply =
		call(s->w, s->w->alice, "POST", "/challenges/web/instance", NULL, WAIT);

	s->status = reply->status;
	snprintf(s->id, sizeof(s->id), "%s", text(reply, "id"));
	forget_reply();
	return NULL;
}

TEST(starts_at_once_by_one_team_start_one_instance)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	struct starter starters[8];
	pthread_t threads[8];

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	for (size_t i = 0; i < 8; i++) {
		starters[i] = (struct starter){ .w = &w };
		CHECK_EQ(pthread_create(&threads[i], NULL, start_at_once, &starters[i]), 0);
	}
	for (size_t i = 0; i < 8; i++) {
		pthread_join(threads[i], NULL);
		CHECK(starters[i].status == 200 || starters[i].status == 201);
		CHECK_STR(starters[i].id, starters[0].id);
	}
	CHECK_EQ(node.starts, 1);
	CHECK_EQ(count_live(&node), 1);
}

TEST(a_stop_during_a_start_leaves_nothing)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	tell(&node, &node.hold_starts, true);
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, NULL), 202);
	wait_for_count(&node, &node.starts, 1);
	EXPECT(call(&w, w.alice, "DELETE", "/challenges/web/instance", NULL, NULL), 202);
	wait_for_count(&node, &node.stops, 1); /* the node is told at once */
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, NULL), 409);
	tell(&node, &node.hold_starts, false);
	wait_for_status(&w, "stopped");
	CHECK_EQ(count_live(&node), 0);
}

TEST(an_instance_ends_when_its_time_is_over)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	node.lifetime = 1;
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, NULL), 202);
	wait_for_status(&w, "expired");
	CHECK_EQ(count_live(&node), 0);
}

TEST(an_instance_that_its_node_ended_in_time_has_expired_not_failed)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	node.lifetime = 1;
	node.forgets = true;
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	EXPECT(call(&w, w.alice, "GET", "/challenges/web/instance?check=true", NULL, NULL), 200);
	wait_for_status(&w, "expired");
}

TEST(a_renewed_instance_has_its_whole_time_again)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	int64_t before, after;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	EXPECT(call(&w, w.alice, "PATCH", "/challenges/web/instance", NULL, NULL), 404);
	node.lifetime = 60000;
	reply = call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT);
	EXPECT(reply, 201);
	CHECK(clock_parse(text(reply, "expires_at"), &before));
	reply = call(&w, w.alice, "PATCH", "/challenges/web/instance", NULL, NULL);
	EXPECT(reply, 200);
	CHECK(clock_parse(text(reply, "expires_at"), &after));
	CHECK(after > before + 1000000);
}

static int64_t instant(const struct reply *reply, const char *name)
{
	int64_t at = 0;

	if (!clock_parse(text(reply, name), &at))
		fail_msg("'%s' is no time in: %s", name, reply->body.data);
	return at;
}

TEST(an_organiser_sees_the_whole_of_an_instance_and_sets_its_end)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	char path[128], seen[160];
	int64_t end;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	reply = call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT);
	EXPECT(reply, 201);
	end = instant(reply, "expires_at");
	snprintf(path, sizeof(path), "/admin/instances/%s", text(reply, "id"));

	EXPECT(call(&w, w.admin, "PATCH", path, "{}", NULL), 422);
	EXPECT(call(&w, w.admin, "PATCH", path, "{\"extend\":0}", NULL), 422);
	EXPECT(call(&w, w.admin, "PATCH", path, "{\"until\":\"2001-01-01T00:00:00Z\"}", NULL), 422);
	reply = call(&w, w.admin, "PATCH", path, "{\"extend\":7200}", NULL);
	EXPECT(reply, 200);
	CHECK(instant(reply, "expires_at") >= end + 7200000);

	reply = call(&w, w.admin, "GET", path, NULL, NULL);
	EXPECT(reply, 200);
	CHECK(instant(reply, "expires_at") >= end + 7200000);
	CHECK_STR(text(reply, "team"), "Red");
	CHECK_STR(text(reply, "node"), "n1");
	CHECK_STR(text(reply, "user"), "alice");
	CHECK_STR(text(reply, "copy_id"), text(reply, "id"));
	CHECK_EQ(json_array_size(json_object_get(reply->json, "answered_questions")), 1);
	CHECK(!strstr(reply->body.data, "flag{"));
	snprintf(seen, sizeof(seen), "%s?check=true", path);
	reply = call(&w, w.admin, "GET", seen, NULL, NULL);
	CHECK(json_is_true(json_object_get(reply->json, "is_healthy")));
	CHECK_HAS(call(&w, w.admin, "GET", "/admin/audit", NULL, NULL)->body.data,
		  "'web' of team 'Red' until ");

	EXPECT(call(&w, w.alice, "DELETE", "/challenges/web/instance", NULL, WAIT), 200);
	EXPECT(call(&w, w.admin, "PATCH", path, "{\"extend\":60}", NULL), 409);
	EXPECT(call(&w, w.admin, "GET", "/admin/instances/none", NULL, NULL), 404);
}

TEST(an_instance_that_its_node_lost_is_not_shown_as_running)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	reply = call(&w, w.alice, "GET", "/challenges/web/instance?check=true", NULL, NULL);
	CHECK(json_is_true(json_object_get(reply->json, "is_healthy")));
	pthread_mutex_lock(&node.lock);
	memset(node.live, 0, sizeof(node.live));
	pthread_mutex_unlock(&node.lock);
	EXPECT(call(&w, w.alice, "GET", "/challenges/web/instance?check=true", NULL, NULL), 200);
	wait_for_status(&w, "failed");
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);
}

/* Nodes */

TEST(a_slow_node_delays_no_other)
{
	AUTO(struct fake_node, end_node) slow;
	AUTO(struct fake_node, end_node) quick;
	AUTO(struct world, end_platform) w;

	begin_node(&slow);
	begin_node(&quick);
	begin_world(&w);
	slow.hang_health = true;
	add_node(&w, "slow", &slow);
	add_node(&w, "quick", &quick);
	wait_for_count(&slow, &slow.beats, 1);
	wait_for_more(&quick, &quick.beats, 5);
	CHECK_EQ(slow.beats, 1);
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	CHECK_EQ(count_live(&quick), 1);
}

TEST(a_stop_on_a_lost_node_is_made_up_for_when_it_is_back)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	uint16_t port;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);

	port = http_server_port(node.server);
	http_server_free(TAKE(node.server));
	wait_for_state(&w, "lost");
	EXPECT(call(&w, w.alice, "DELETE", "/challenges/web/instance", NULL, WAIT), 200);
	wait_for_status(&w, "stopped");
	CHECK_EQ(count_live(&node), 1);

	listen_as(&node, port);
	wait_for_count(&node, &node.stops, 1);
	CHECK_EQ(count_live(&node), 0);
}

TEST(a_stop_that_the_node_refuses_is_asked_for_again)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	tell(&node, &node.refuse_stops, true);
	EXPECT(call(&w, w.alice, "DELETE", "/challenges/web/instance", NULL, NULL), 202);
	wait_for_count(&node, &node.stops, 2);
	tell(&node, &node.refuse_stops, false);
	wait_for_status(&w, "stopped");
	CHECK_EQ(count_live(&node), 0);
}

TEST(a_restart_takes_up_what_was_under_way)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	char first_body[4096];

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	tell(&node, &node.hold_starts, true);
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, NULL), 202);
	wait_for_count(&node, &node.starts, 1);
	snprintf(first_body, sizeof(first_body), "%s", node.last_body);
	end_platform(&w);
	tell(&node, &node.hold_starts, false);
	begin_platform(&w);
	wait_for_status(&w, "running");
	CHECK_STR(node.last_body, first_body);
	CHECK_EQ(count_live(&node), 1);
}

/* Nobody who has the database has a node's token. */
static void check_not_in_store(const struct world *w, const char *token)
{
	static const char *const files[] = { "platform.db", "platform.db-wal" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		AUTO(char *, freep) bytes = NULL;
		struct err e = ERR_INIT;
		char path[256];
		size_t len;

		snprintf(path, sizeof(path), "%s/%s", w->state, files[i]);
		CHECK_EQ(file_read(path, 64 << 20, &bytes, &len, &e), 0);
		CHECK(!memmem(bytes, len, token, strlen(token)));
	}
}

TEST(a_node_joins_with_the_secret_and_speaks_with_its_token)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	AUTO(char *, freep) secret = NULL;
	char path[256], body[512], first[SECRET_TOKEN_SIZE];
	const struct reply *reply;
	struct err e = ERR_INIT;

	begin_node(&node);
	begin_world(&w);
	snprintf(path, sizeof(path), "%s/join-secret", w.state);
	CHECK_EQ(secret_read_file(path, &secret, &e), 0);
	snprintf(body, sizeof(body), "{\"join_secret\":\"no\",\"name\":\"n1\",\"url\":\"%s\"}",
		 node.url);
	EXPECT(call(&w, NULL, "POST", "/nodes/register", body, NULL), 403);
	snprintf(body, sizeof(body), "{\"join_secret\":\"%s\",\"name\":\"n1\",\"url\":\"%s\"}",
		 secret, node.url);
	reply = call(&w, NULL, "POST", "/nodes/register", body, NULL);
	EXPECT(reply, 201);
	snprintf(first, sizeof(first), "%s", text(reply, "token"));
	reply = call(&w, first, "GET", "/nodes/me", NULL, NULL);
	EXPECT(reply, 200);
	CHECK_STR(text(reply, "name"), "n1");

	/*
	 * Its name is its own: the secret alone is not enough to have it. It joins again: the same
	 * node, a new token, and the old one is over.
	 */
	EXPECT(call(&w, NULL, "POST", "/nodes/register", body, NULL), 403);
	EXPECT(call(&w, w.alice, "POST", "/nodes/register", body, NULL), 403);
	CHECK_HAS(call(&w, w.admin, "GET", "/admin/audit", NULL, NULL)->body.data,
		  "\"node registration\",\"object\":\"n1\"");
	EXPECT(call(&w, first, "GET", "/nodes/me", NULL, NULL), 200);
	EXPECT(call(&w, w.admin, "POST", "/nodes/register", body, NULL), 201);
	EXPECT(call(&w, first, "GET", "/nodes/me", NULL, NULL), 401);
	snprintf(first, sizeof(first), "%s",
		 text(call(&w, w.admin, "POST", "/nodes/register", body, NULL), "token"));
	check_not_in_store(&w, first);
	reply = call(&w, first, "POST", "/nodes/register", body, NULL);
	EXPECT(reply, 201);
	CHECK(strcmp(text(reply, "token"), first) != 0);
	EXPECT(call(&w, first, "GET", "/nodes/me", NULL, NULL), 401);
	reply = call(&w, w.admin, "GET", "/admin/nodes", NULL, NULL);
	CHECK_EQ(json_array_size(json_object_get(reply->json, "nodes")), 1);

	snprintf(body, sizeof(body), "{\"join_secret\":\"%s\",\"name\":\"n2\",\"url\":\"ftp:x\"}",
		 secret);
	EXPECT(call(&w, NULL, "POST", "/nodes/register", body, NULL), 422);
}

TEST(a_node_with_instances_is_not_removed)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	char path[128];

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	reply = call(&w, w.admin, "GET", "/admin/nodes", NULL, NULL);
	snprintf(path, sizeof(path), "/admin/nodes/%s",
		 json_string_value(
			 json_object_get(json_array_get(json_object_get(reply->json, "nodes"), 0),
					 "id")));
	EXPECT(call(&w, w.admin, "DELETE", path, NULL, NULL), 409);
	EXPECT(call(&w, w.alice, "DELETE", "/challenges/web/instance", NULL, WAIT), 200);
	EXPECT(call(&w, w.admin, "DELETE", path, NULL, NULL), 204);
	EXPECT(call(&w, w.admin, "DELETE", path, NULL, NULL), 404);
}

/* Challenges and answers */

TEST(files_come_from_the_instances_node_or_from_the_folder)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	reply = call(&w, w.alice, "GET", "/challenges/web/attachments", NULL, NULL);
	EXPECT(reply, 200);
	CHECK_HAS(reply->body.data, "\"gate\"");
	reply = call(&w, w.alice, "GET", "/challenges/web/attachments/gate", NULL, NULL);
	EXPECT(reply, 200);
	CHECK_STR(reply->body.data, "bytes");
	CHECK_HAS(reply->headers.data, "Content-Type: application/octet-stream");
	CHECK_HAS(reply->headers.data, "attachment; filename*=UTF-8''gate");
	EXPECT(call(&w, w.alice, "GET", "/challenges/web/attachments/no", NULL, NULL), 404);
	EXPECT(call(&w, w.alice, "GET", "/challenges/web/attachments/..%2f..", NULL, NULL), 404);

	reply = call(&w, w.alice, "GET", "/challenges/quiz/attachments", NULL, NULL);
	CHECK_HAS(reply->body.data, "\"map.txt\"");
	reply = call(&w, w.alice, "GET", "/challenges/quiz/attachments/map.txt", NULL, NULL);
	EXPECT(reply, 200);
	CHECK_STR(reply->body.data, "France");
	EXPECT(call(&w, w.alice, "GET", "/challenges/quiz/attachments/challenge.yml", NULL, NULL),
	       404);
}

TEST(hidden_and_unknown_challenges_are_not_there)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;

	begin_world(&w);
	reply = call(&w, w.alice, "GET", "/challenges", NULL, NULL);
	EXPECT(reply, 200);
	CHECK_EQ(json_array_size(json_object_get(reply->json, "challenges")), 3);
	EXPECT(call(&w, w.alice, "GET", "/challenges/secret", NULL, NULL), 404);
	EXPECT(call(&w, w.alice, "GET", "/challenges/none", NULL, NULL), 404);
	EXPECT(call(&w, w.alice, "POST", "/challenges/secret/submissions", "{\"answer\":\"x\"}",
		    NULL),
	       404);
	EXPECT(call(&w, w.alice, "POST", "/challenges/quiz/instance", NULL, NULL), 409);
}

TEST(a_solve_stands_on_the_scoreboard_at_once)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	char etag[128], condition[160];

	begin_world(&w);
	reply = call(&w, NULL, "GET", "/scoreboard", NULL, NULL);
	EXPECT(reply, 200);
	CHECK_EQ(sscanf(strcasestr(reply->headers.data, "etag:"), "%*[^\"]%127[^\r\n]", etag), 1);
	snprintf(condition, sizeof(condition), "If-None-Match: %s", etag);
	EXPECT(call(&w, NULL, "GET", "/scoreboard", NULL, condition), 304);
	reply = call(&w, w.bob, "POST", "/challenges/quiz/submissions", "{\"answer\":\"Paris\"}",
		     NULL);
	EXPECT(reply, 201);
	CHECK_STR(text(reply, "verdict"), "correct");
	CHECK(json_is_true(json_object_get(reply->json, "first_blood")));
	CHECK_EQ(json_integer_value(json_object_get(reply->json, "value")), 50);
	reply = call(&w, NULL, "GET", "/scoreboard", NULL, condition);
	EXPECT(reply, 200);
	reply = call(&w, NULL, "GET", "/scoreboard", NULL, NULL);
	CHECK_STR(json_string_value(
			  json_object_get(json_array_get(json_object_get(reply->json, "teams"), 0),
					  "team")),
		  "Blue");
	reply = call(&w, w.alice, "GET", "/submissions", NULL, NULL);
	CHECK_EQ(json_array_size(json_object_get(reply->json, "submissions")), 0);
}

TEST(before_it_begins_and_after_it_ended_nobody_plays)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;

	begin_world(&w);
	apply(&w, "id: ctf\nname: Soon\nstart: 2999-01-01T00:00:00Z\n");
	reply = call(&w, w.alice, "GET", "/challenges", NULL, NULL);
	EXPECT(reply, 403);
	CHECK_STR(text(reply, "detail"), "'Soon' begins at 2999-01-01T00:00:00.000Z");
	EXPECT(call(&w, w.alice, "GET", "/challenges/web", NULL, NULL), 403);
	EXPECT(call(&w, w.admin, "GET", "/challenges", NULL, NULL), 200);
	apply(&w, "id: ctf\nname: Over\nend: 2001-01-01T00:00:00Z\n");
	EXPECT(call(&w, w.alice, "GET", "/challenges", NULL, NULL), 200);
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, NULL), 403);
	EXPECT(call(&w, w.alice, "POST", "/challenges/quiz/submissions", "{\"answer\":\"Paris\"}",
		    NULL),
	       403);
}

TEST(a_freeze_hides_later_solves_from_players_only)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;

	begin_world(&w);
	apply(&w, "id: ctf\nfreeze: 2001-01-01T00:00:00Z\n");
	EXPECT(call(&w, w.bob, "POST", "/challenges/quiz/submissions", "{\"answer\":\"Paris\"}",
		    NULL),
	       201);
	reply = call(&w, NULL, "GET", "/scoreboard", NULL, NULL);
	CHECK_HAS(reply->body.data, "\"frozen\":true");
	CHECK(!strstr(reply->body.data, "\"score\":50"));
	reply = call(&w, w.admin, "GET", "/admin/scoreboard", NULL, NULL);
	CHECK_HAS(reply->body.data, "\"score\":50");
}

TEST(a_challenge_that_is_taken_out_is_gone_with_its_points)
{
	AUTO(struct world, end_platform) w;

	begin_world(&w);
	EXPECT(call(&w, w.bob, "POST", "/challenges/quiz/submissions", "{\"answer\":\"Paris\"}",
		    NULL),
	       201);
	apply(&w, "id: ctf\nchallenges: [web]\n");
	EXPECT(call(&w, w.alice, "GET", "/challenges/quiz", NULL, NULL), 404);
	CHECK(!strstr(call(&w, NULL, "GET", "/scoreboard", NULL, NULL)->body.data, ":50"));
}

/* Accounts */

TEST(a_token_that_was_ended_is_good_for_nothing)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	char path[128], token[SECRET_TOKEN_SIZE];

	begin_world(&w);
	reply = call(&w, w.alice, "POST", "/me/tokens", "{\"name\":\"bot\",\"days\":1}", NULL);
	EXPECT(reply, 201);
	snprintf(token, sizeof(token), "%s", text(reply, "token"));
	snprintf(path, sizeof(path), "/me/tokens/%s", text(reply, "id"));
	EXPECT(call(&w, token, "GET", "/me", NULL, NULL), 200);
	EXPECT(call(&w, w.bob, "DELETE", path, NULL, NULL), 404);
	EXPECT(call(&w, w.alice, "DELETE", path, NULL, NULL), 204);
	EXPECT(call(&w, token, "GET", "/me", NULL, NULL), 401);
	EXPECT(call(&w, w.alice, "DELETE", "/sessions", NULL, NULL), 204);
	EXPECT(call(&w, w.alice, "GET", "/me", NULL, NULL), 401);
}

TEST(a_new_password_ends_the_other_tokens)
{
	AUTO(struct world, end_platform) w;
	char other[SECRET_TOKEN_SIZE];

	begin_world(&w);
	snprintf(other, sizeof(other), "%s",
		 text(call(&w, w.alice, "POST", "/me/tokens", "{\"name\":\"bot\"}", NULL),
		      "token"));
	EXPECT(call(&w, w.alice, "PUT", "/me/password",
		    "{\"old_password\":\"wrong\",\"password\":\"longer password\"}", NULL),
	       403);
	EXPECT(call(&w, w.alice, "PUT", "/me/password",
		    "{\"old_password\":\"password\",\"password\":\"longer password\"}", NULL),
	       204);
	EXPECT(call(&w, other, "GET", "/me", NULL, NULL), 401);
	EXPECT(call(&w, w.alice, "GET", "/me", NULL, NULL), 200);
	EXPECT(call(&w, NULL, "POST", "/sessions", "{\"name\":\"alice\",\"password\":\"password\"}",
		    NULL),
	       401);
}

TEST(where_registration_is_closed_only_organisers_make_accounts)
{
	static const char body[] = "{\"name\":\"carol\",\"password\":\"password\"}";
	AUTO(struct world, end_platform) w;

	begin_world(&w);
	end_platform(&w);
	w.options.registration = "closed";
	begin_platform(&w);
	EXPECT(call(&w, NULL, "POST", "/users", body, NULL), 403);
	EXPECT(call(&w, w.admin, "POST", "/admin/users", body, NULL), 201);
}

/* Routes and roles */

/* An agent has a token for one instance alone. */
enum { AS_NOBODY, AS_AGENT, AS_PLAYER, AS_ORGANISER, AS_ADMIN, AS_NODE, ROLES };

static const char *const role_names[] = {
	"nobody", "agent", "player", "organiser", "admin", "node"
};

/* The least that each route takes; written down twice, so that no slip of a row goes unseen. */
static const struct expectation {
	const char *method, *path;
	int least; /* AS_NOBODY: open; AS_NODE: nodes alone */
} expectations[] = {
	{ "POST", "/users", AS_NOBODY },
	{ "POST", "/sessions", AS_NOBODY },
	{ "DELETE", "/sessions", AS_PLAYER },
	{ "GET", "/oidc", AS_NOBODY },
	{ "GET", "/oidc/login", AS_NOBODY },
	{ "GET", "/oidc/callback", AS_NOBODY },
	{ "GET", "/me", AS_AGENT },
	{ "PUT", "/me/password", AS_PLAYER },
	{ "GET", "/me/tokens", AS_PLAYER },
	{ "POST", "/me/tokens", AS_PLAYER },
	{ "DELETE", "/me/tokens/{token}", AS_PLAYER },
	{ "GET", "/admin/users", AS_ORGANISER },
	{ "POST", "/admin/users", AS_ORGANISER },
	{ "PATCH", "/admin/users/{user}", AS_ADMIN },
	{ "POST", "/admin/users/bulk", AS_ADMIN },
	{ "GET", "/team", AS_PLAYER },
	{ "POST", "/teams", AS_PLAYER },
	{ "GET", "/teams/{team}", AS_NOBODY },
	{ "POST", "/team/members", AS_PLAYER },
	{ "DELETE", "/team/members/me", AS_PLAYER },
	{ "GET", "/admin/teams", AS_ORGANISER },
	{ "PATCH", "/admin/teams/{team}", AS_ORGANISER },
	{ "POST", "/admin/teams/bulk", AS_ORGANISER },
	{ "GET", "/health", AS_NOBODY },
	{ "GET", "/competitions", AS_NOBODY },
	{ "GET", "/scoreboard", AS_NOBODY },
	{ "GET", "/scoreboard/history", AS_NOBODY },
	{ "GET", "/scoreboard/ctftime", AS_NOBODY },
	{ "GET", "/admin/scoreboard", AS_ORGANISER },
	{ "POST", "/admin/competitions", AS_ORGANISER },
	{ "GET", "/admin/competitions/{competition}", AS_ORGANISER },
	{ "GET", "/challenges", AS_PLAYER },
	{ "GET", "/challenges/{id}", AS_AGENT },
	{ "POST", "/challenges/{id}/hints/{hint}", AS_PLAYER },
	{ "GET", "/instances", AS_PLAYER },
	{ "POST", "/challenges/{id}/instance", AS_PLAYER },
	{ "GET", "/challenges/{id}/instance", AS_AGENT },
	{ "PATCH", "/challenges/{id}/instance", AS_PLAYER },
	{ "DELETE", "/challenges/{id}/instance", AS_PLAYER },
	{ "GET", "/admin/instances", AS_ORGANISER },
	{ "GET", "/admin/instances/{instance}", AS_ORGANISER },
	{ "PATCH", "/admin/instances/{instance}", AS_ORGANISER },
	{ "DELETE", "/admin/instances/{instance}", AS_ORGANISER },
	{ "GET", "/challenges/{id}/openvpn-config", AS_PLAYER },
	{ "GET", "/admin/instances/{instance}/containers", AS_ORGANISER },
	{ "GET", "/admin/instances/{instance}/container-logs", AS_ORGANISER },
	{ "GET", "/admin/instances/{instance}/traffic", AS_ORGANISER },
	{ "GET", "/admin/instances/{instance}/pcap", AS_ORGANISER },
	{ "GET", "/admin/instances/{instance}/evidence", AS_ORGANISER },
	{ "GET", "/admin/instances/{instance}/timeline", AS_ORGANISER },
	{ "GET", "/admin/instances/{instance}/agent-runtime", AS_ORGANISER },
	{ "POST", "/admin/instances/{instance}/agent-runs", AS_ORGANISER },
	{ "GET", "/admin/instances/{instance}/openvpn-config", AS_ORGANISER },
	{ "GET", "/admin/instances/{instance}/containers/{container}/shell", AS_ORGANISER },
	{ "GET", "/challenges/{id}/attachments", AS_AGENT },
	{ "GET", "/challenges/{id}/attachments/{name}", AS_AGENT },
	{ "POST", "/challenges/{id}/submissions", AS_AGENT },
	{ "GET", "/submissions", AS_PLAYER },
	{ "GET", "/admin/submissions", AS_ORGANISER },
	{ "PATCH", "/admin/submissions/{submission}", AS_ORGANISER },
	{ "POST", "/nodes/register", AS_NOBODY },
	{ "GET", "/nodes/me", AS_NODE },
	{ "GET", "/admin/audit", AS_ORGANISER },
	{ "GET", "/admin/reviews", AS_ORGANISER },
	{ "PATCH", "/admin/reviews/{submission}", AS_ORGANISER },
	{ "GET", "/admin/suspicions", AS_ORGANISER },
	{ "GET", "/notices", AS_PLAYER },
	{ "POST", "/admin/notices", AS_ORGANISER },
	{ "GET", "/events", AS_NOBODY },
	{ "GET", "/admin/nodes", AS_ORGANISER },
	{ "GET", "/admin/nodes/{node}", AS_ORGANISER },
	{ "DELETE", "/admin/nodes/{node}", AS_ADMIN },
	{ "POST", "/admin/nodes/{node}/drain", AS_ORGANISER },
	{ "POST", "/admin/nodes/{node}/undrain", AS_ORGANISER },
	{ "POST", "/admin/nodes/{node}/token", AS_ADMIN },
	{ "DELETE", "/admin/nodes/{node}/token", AS_ADMIN },
	{ "GET", "/admin/archives", AS_ORGANISER },
	{ "GET", "/admin/archives/{archive}/{file}", AS_ORGANISER },
	{ "GET", "/admin/join-secrets", AS_ADMIN },
	{ "POST", "/admin/join-secrets", AS_ADMIN },
	{ "DELETE", "/admin/join-secrets/{secret}", AS_ADMIN },
	{ "PUT", "/admin/challenges/{id}", AS_ADMIN },
	{ "POST", "/admin/challenges/rescan", AS_ORGANISER },
	{ "POST", "/admin/challenges/build", AS_ORGANISER },
	{ "POST", "/admin/challenges/pull", AS_ORGANISER },
	{ "GET", "/admin/challenges/images", AS_ORGANISER },
	{ "GET", "/admin/challenges/lint", AS_ORGANISER },
	{ "GET", "/admin/challenges/{id}/lint", AS_ORGANISER },
	{ "POST", "/admin/challenges/{id}/trial", AS_ORGANISER },
	{ "GET", "/admin/challenges/{id}/trial", AS_ORGANISER },
};

static const struct expectation *expectation_of(const struct http_route *route)
{
	for (size_t i = 0; i < ARRAY_SIZE(expectations); i++)
		if (strcmp(expectations[i].method, route->method) == 0 &&
		    strcmp(expectations[i].path, route->path + strlen("/api/v1")) == 0)
			return &expectations[i];
	fail_msg("nobody wrote down who may %s %s", route->method, route->path);
	return NULL;
}

static bool may(const struct http_route *route, int role)
{
	int least = expectation_of(route)->least;

	if (least == AS_NOBODY || least == AS_NODE)
		return least == AS_NOBODY || role == AS_NODE;
	return role >= least && role <= AS_ADMIN;
}

/* The route's path, with "none" for each of its parameters but a challenge's id. */
static void fill_path(const char *route, char *path, size_t size)
{
	size_t len = 0;

	for (; *route && len + 5 < size; route++) {
		const char *value = strncmp(route, "{id}", 4) == 0 ? "web" : "none";

		if (*route != '{') {
			path[len++] = *route;
			continue;
		}
		memcpy(path + len, value, strlen(value));
		len += strlen(value);
		route = strchr(route, '}');
	}
	path[len] = '\0';
}

/* Tokens that outlive whatever the walk does: the route may end the one it is called with. */
static void fresh_token(struct world *w, const char *master, char token[SECRET_TOKEN_SIZE])
{
	const struct reply *reply =
		call(w, master, "POST", "/me/tokens", "{\"name\":\"walk\"}", NULL);

	EXPECT(reply, 201);
	snprintf(token, SECRET_TOKEN_SIZE, "%s", text(reply, "token"));
}

static void walk_route(struct world *w, const struct http_route *route,
		       const char *const masters[ROLES])
{
	char path[256], token[SECRET_TOKEN_SIZE];

	fill_path(route->path, path, sizeof(path));
	if (strcmp(path, "/api/v1/events") == 0) /* it has no end where it is found */
		snprintf(path, sizeof(path), "/api/v1/events?competition=none");
	for (int role = AS_NOBODY; role < ROLES; role++) {
		const struct reply *reply;
		int expected = role == AS_NOBODY ? 401 : 403;

		if (role == AS_NODE || role == AS_AGENT)
			snprintf(token, sizeof(token), "%s", masters[role]);
		else if (role != AS_NOBODY)
			fresh_token(w, masters[role], token);
		reply = call(w, role == AS_NOBODY ? NULL : token, route->method, path, NULL, NULL);
		if (may(route, role) ? reply->status == 401 || reply->status == 403
				     : reply->status != expected)
			fail_msg("%s %s as %s: %d %s", route->method, route->path, role_names[role],
				 reply->status, reply->body.data);
	}
}

TEST(every_route_is_open_to_its_roles_and_to_no_other)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	char organiser[SECRET_TOKEN_SIZE], path[128];
	char agent[SECRET_TOKEN_SIZE];
	const char *const masters[ROLES] = {
		NULL, agent, w.alice, organiser, w.admin, "node-token"
	};
	const struct reply *reply;
	struct err e = ERR_INIT;
	size_t walked = 0;

	begin_node(&node);
	begin_world(&w);
	CHECK_EQ(platform_daemon_add_node(w.daemon, "n1", node.url, "node-token", &e), 0);
	wait_for_state(&w, "healthy");
	make_agent(&w, w.bob, "web", agent);
	make_player(&w, "olga", NULL, organiser);
	reply = call(&w, organiser, "GET", "/me", NULL, NULL);
	snprintf(path, sizeof(path), "/admin/users/%s", text(reply, "id"));
	EXPECT(call(&w, w.admin, "PATCH", path, "{\"role\":\"organiser\"}", NULL), 200);
	for (size_t i = 0; platform_route_tables[i]; i++) {
		if (platform_route_tables[i] == platform_web_routes ||
		    platform_route_tables[i] == platform_openapi_routes ||
		    platform_route_tables[i] == platform_metrics_routes)
			continue; /* no part of the API: open to everybody */
		for (size_t j = 0; platform_route_tables[i][j].method; j++, walked++)
			walk_route(&w, &platform_route_tables[i][j], masters);
	}
	CHECK_EQ(walked, ARRAY_SIZE(expectations));
	EXPECT(call(&w, NULL, "GET", "/nowhere", NULL, NULL), 404);
	EXPECT(call(&w, w.alice, "PUT", "/team", NULL, NULL), 405);
}

/* Of an account that is disabled, of a token that was ended: nobody's, whatever the route. */
static void walk_as_nobody(struct world *w, const char *token)
{
	for (size_t i = 0; platform_route_tables[i]; i++)
		for (const struct http_route *route = platform_route_tables[i]; route->method;
		     route++) {
			char path[256];

			if (route->flags & HTTP_OPEN ||
			    strncmp(route->path, "/api/v1/", strlen("/api/v1/")) != 0)
				continue;
			fill_path(route->path, path, sizeof(path));
			EXPECT(call(w, token, route->method, path, NULL, NULL), 401);
		}
}

TEST(no_route_is_open_to_a_token_that_was_ended_or_whose_account_is_disabled)
{
	AUTO(struct world, end_platform) w;
	char path[128];

	begin_world(&w);
	snprintf(path, sizeof(path), "/admin/users/%s",
		 text(call(&w, w.alice, "GET", "/me", NULL, NULL), "id"));
	EXPECT(call(&w, w.admin, "PATCH", path, "{\"disabled\":true}", NULL), 200);
	walk_as_nobody(&w, w.alice);
	EXPECT(call(&w, w.alice, "GET", "/events", NULL, NULL), 401);
	EXPECT(call(&w, w.bob, "DELETE", "/sessions", NULL, NULL), 204);
	walk_as_nobody(&w, w.bob);
	EXPECT(call(&w, w.bob, "GET", "/events", NULL, NULL), 401);
}

static bool is_written_down(const struct http_route *route)
{
	for (const struct openapi_route *words = openapi_routes; words->method; words++)
		if (strcmp(words->method, route->method) == 0 &&
		    strcmp(words->path, route->path + strlen("/api/v1")) == 0)
			return true;
	return false;
}

TEST(every_route_is_in_the_document_and_nothing_else)
{
	size_t routes = 0, written = 0;

	for (size_t i = 0; platform_route_tables[i]; i++)
		for (const struct http_route *route = platform_route_tables[i]; route->method;
		     route++) {
			if (strncmp(route->path, "/api/v1/", strlen("/api/v1/")) != 0)
				continue;
			routes++;
			if (!is_written_down(route))
				fail_msg("openapi-table.c has no %s %s", route->method,
					 route->path);
		}
	while (openapi_routes[written].method)
		written++;
	CHECK_EQ(written, routes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_team_gets_an_instance_of_its_own_and_learns_nothing_of_the_node),
		T(a_start_that_is_sent_again_with_its_key_starts_nothing),
		T(without_waiting_a_start_is_accepted_and_seen_through),
		T(a_failing_start_tells_the_player_one_plain_sentence_and_leaves_nothing),
		T(what_a_service_printed_is_the_organisers_to_read),
		T(what_a_full_node_refuses_another_takes),
		T(what_an_engine_fails_at_one_other_node_tries),
		T(where_all_refuse_the_player_is_told_that_it_waits_for_room),
		T(starts_at_once_by_one_team_start_one_instance),
		T(a_stop_during_a_start_leaves_nothing),
		T(an_instance_ends_when_its_time_is_over),
		T(an_instance_that_its_node_ended_in_time_has_expired_not_failed),
		T(a_renewed_instance_has_its_whole_time_again),
		T(an_organiser_sees_the_whole_of_an_instance_and_sets_its_end),
		T(an_instance_that_its_node_lost_is_not_shown_as_running),
		T(a_slow_node_delays_no_other),
		T(a_stop_on_a_lost_node_is_made_up_for_when_it_is_back),
		T(a_stop_that_the_node_refuses_is_asked_for_again),
		T(a_restart_takes_up_what_was_under_way),
		T(a_node_joins_with_the_secret_and_speaks_with_its_token),
		T(a_node_with_instances_is_not_removed),
		T(files_come_from_the_instances_node_or_from_the_folder),
		T(hidden_and_unknown_challenges_are_not_there),
		T(a_solve_stands_on_the_scoreboard_at_once),
		T(before_it_begins_and_after_it_ended_nobody_plays),
		T(a_freeze_hides_later_solves_from_players_only),
		T(a_challenge_that_is_taken_out_is_gone_with_its_points),
		T(a_token_that_was_ended_is_good_for_nothing),
		T(a_new_password_ends_the_other_tokens),
		T(where_registration_is_closed_only_organisers_make_accounts),
		T(every_route_is_open_to_its_roles_and_to_no_other),
		T(no_route_is_open_to_a_token_that_was_ended_or_whose_account_is_disabled),
		T(every_route_is_in_the_document_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
