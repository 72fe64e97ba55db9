/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/own.h"
#include "wire/instance.h"
#include "wire/node.h"

#include "check.h"

#include <string.h>

/* What obj says, as compact JSON; the caller's. */
static char *said(const struct field *fields, const void *obj)
{
	AUTO(json_t *, json_decrefp) json = fields_encode(fields, obj);

	return json_dumps(json, JSON_COMPACT);
}

static int heard(const struct field *fields, const char *text, void *obj, json_t **ret_problems)
{
	AUTO(json_t *, json_decrefp) json = json_loads(text, 0, NULL);
	struct err e = ERR_INIT;

	assert_non_null(json);
	return fields_decode(fields, json, obj, ret_problems, &e);
}

/* Decodes text and encodes what came of it again. */
static char *echo(const struct field *fields, const char *text, void *obj)
{
	char *again;

	CHECK_EQ(heard(fields, text, obj, NULL), 0);
	again = said(fields, obj);
	fields_done(fields, obj);
	return again;
}

TEST(a_spec_asks_for_ids_and_ttl)
{
	AUTO(json_t *, json_decrefp) problems = NULL;
	AUTO(char *, freep) text = NULL;
	struct instance_spec spec = { 0 };

	CHECK_EQ(heard(instance_spec_fields, "{\"answers\":{}}", &spec, &problems),
		 -ERR_VALIDATION);
	text = json_dumps(problems, JSON_COMPACT);
	CHECK_STR(text, "[{\"loc\":[\"body\",\"challenge_id\"],\"msg\":\"field required\","
			"\"type\":\"value_error.missing\"},"
			"{\"loc\":[\"body\",\"instance_id\"],\"msg\":\"field required\","
			"\"type\":\"value_error.missing\"},"
			"{\"loc\":[\"body\",\"ttl\"],\"msg\":\"field required\","
			"\"type\":\"value_error.missing\"}]");
	fields_done(instance_spec_fields, &spec);
}

TEST(a_ttl_is_at_least_a_second_and_at_most_a_leap_year)
{
	struct instance_ttl ttl = { 0 };

	CHECK_EQ(heard(instance_ttl_fields, "{\"ttl\":0}", &ttl, NULL), -ERR_VALIDATION);
	CHECK_EQ(heard(instance_ttl_fields, "{\"ttl\":-5}", &ttl, NULL), -ERR_VALIDATION);
	CHECK_EQ(heard(instance_ttl_fields, "{\"ttl\":1.5}", &ttl, NULL), -ERR_VALIDATION);
	CHECK_EQ(heard(instance_ttl_fields, "{\"ttl\":31622401}", &ttl, NULL), -ERR_VALIDATION);
	CHECK_EQ(heard(instance_ttl_fields, "{\"ttl\":1}", &ttl, NULL), 0);
	CHECK_EQ(heard(instance_ttl_fields, "{\"ttl\":31622400}", &ttl, NULL), 0);
	CHECK_EQ(ttl.ttl, 31622400);
}

TEST(an_instance_survives_the_wire)
{
	static const char row[] =
		"{\"instance_id\":\"i1\",\"challenge_id\":\"web\",\"status\":\"running\","
		"\"detail\":null,"
		"\"endpoints\":[{\"service\":\"app\",\"container_port\":80,\"protocol\":\"tcp\","
		"\"host\":\"h\",\"port\":32768,\"url\":\"http://h:32768\"}],"
		"\"services\":[{\"service\":\"app\",\"state\":\"running\",\"health\":\"none\","
		"\"exit_code\":0,\"oom_killed\":false}],"
		"\"started_at\":\"2026-11-23T01:16:56.123Z\",\"expires_at\":null}";
	struct ctfy_instance instance = { 0 };
	AUTO(char *, freep) again = echo(instance_fields, row, &instance);

	CHECK_STR(again, row);
}

TEST(a_row_of_an_older_node_needs_only_its_id)
{
	struct ctfy_instance instance = { 0 };

	CHECK_EQ(heard(instance_fields, "{\"instance_id\":\"i1\",\"new\":[1]}", &instance, NULL),
		 0);
	CHECK(!instance.status && !instance.endpoints);
	fields_done(instance_fields, &instance);
}

TEST(containers_are_a_bare_array)
{
	AUTO(json_t *, json_decrefp) array = json_loads(
		"[{\"container_id\":\"c1\",\"name\":\"n\",\"service\":\"app\",\"role\":\"service\","
		"\"image\":\"i\",\"state\":\"running\",\"health\":\"none\","
		"\"created_at\":\"2026-11-23T01:16:56.123Z\"}]",
		0, NULL);
	AUTO(json_t *, json_decrefp) object = json_object();
	AUTO(json_t *, json_decrefp) again = NULL;
	struct ctfy_containers containers = { 0 };
	struct err e = ERR_INIT;

	CHECK_EQ(containers_decode(object, &containers, &e), -ERR_VALIDATION);
	containers_done(&containers);
	CHECK_EQ(containers_decode(array, &containers, &e), 0);
	CHECK_EQ(containers.row_count, 1);
	again = containers_encode(&containers);
	CHECK(json_equal(again, array));
	containers_done(&containers);
}

TEST(builds_and_pulls_say_when_in_their_own_words)
{
	char id[] = "web", status[] = "failed", error[] = "no";
	struct ctfy_image_row row = {
		.challenge_id = id,
		.status = status,
		.built_at = 1000,
		.pulled_at = 2000,
		.error = error,
	};
	AUTO(char *, freep) build = said(build_row_fields, &row);
	AUTO(char *, freep) pull = said(pull_row_fields, &row);

	CHECK_STR(build, "{\"challenge_id\":\"web\",\"status\":\"failed\","
			 "\"built_at\":\"1970-01-01T00:00:01.000Z\",\"error\":\"no\"}");
	CHECK_STR(pull, "{\"challenge_id\":\"web\",\"status\":\"failed\","
			"\"pulled_at\":\"1970-01-01T00:00:02.000Z\",\"error\":\"no\"}");
}

TEST(a_build_tells_how_it_goes_and_what_it_made)
{
	char id[] = "web", status[] = "building", image[] = "i", digest[] = "i@sha256:1";
	char *digests[] = { digest };
	struct ctfy_image_row heard_row = { 0 };
	struct ctfy_image_row row = {
		.challenge_id = id,
		.status = status,
		.image = image,
		.step = 3,
		.steps = 7,
		.digests = digests,
		.digest_count = 1,
	};
	AUTO(char *, freep) text = said(build_row_fields, &row);

	CHECK_STR(text, "{\"challenge_id\":\"web\",\"status\":\"building\",\"built_at\":null,"
			"\"error\":null,\"image\":\"i\",\"step\":3,\"steps\":7,"
			"\"digests\":[\"i@sha256:1\"]}");
	/* Another's node may mean something else by these names. */
	CHECK_EQ(heard(build_row_fields,
		       "{\"challenge_id\":\"web\",\"status\":\"built\",\"step\":\"3 of 7\","
		       "\"image\":{},\"digests\":{}}",
		       &heard_row, NULL),
		 0);
	CHECK_EQ(heard_row.step, 0);
	fields_done(build_row_fields, &heard_row);
}

TEST(no_scope_differs_from_an_empty_one)
{
	struct image_scope all = { 0 }, none = { 0 };

	CHECK_EQ(heard(image_scope_fields, "{\"challenge_ids\":null}", &all, NULL), 0);
	CHECK_EQ(heard(image_scope_fields, "{\"challenge_ids\":[]}", &none, NULL), 0);
	CHECK(!all.challenge_ids);
	CHECK(none.challenge_ids && none.challenge_id_count == 0);
	fields_done(image_scope_fields, &none);
}

TEST(a_heartbeat_needs_only_what_the_contract_fixes)
{
	struct ctfy_node_health health = { 0 };

	CHECK_EQ(heard(node_health_fields,
		       "{\"running\":3,\"capacity\":20,\"engine\":{\"name\":\"podman\"},"
		       "\"version\":2}",
		       &health, NULL),
		 0);
	CHECK_EQ(health.running, 3);
	CHECK_EQ(health.capacity, 20);
	CHECK(!health.engine && !health.version);
	CHECK_EQ(heard(node_health_fields, "{\"running\":3}", &health, NULL), -ERR_VALIDATION);
	fields_done(node_health_fields, &health);
}

RUN_TESTS(T(a_spec_asks_for_ids_and_ttl), T(a_ttl_is_at_least_a_second_and_at_most_a_leap_year),
	  T(an_instance_survives_the_wire), T(a_row_of_an_older_node_needs_only_its_id),
	  T(containers_are_a_bare_array), T(builds_and_pulls_say_when_in_their_own_words),
	  T(a_build_tells_how_it_goes_and_what_it_made), T(no_scope_differs_from_an_empty_one),
	  T(a_heartbeat_needs_only_what_the_contract_fixes))
