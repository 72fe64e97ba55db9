/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's policy file: what it grants, to whom, and what is wrong with it. */
#include "folder.h"

#include "base/arena.h"
#include "challenge/variables.h"

static struct folder f;

static int load(const char *text)
{
	AUTO(char *, freep) path = strf("%s/policy.yml", f.dir);

	policy_free(f.policy);
	f.policy = NULL;
	problems_done(&f.problems);
	f.e = (struct err)ERR_INIT;
	folder_write(&f, "policy.yml", text);
	return policy_load(path, &f.policy, &f.problems, &f.e);
}

TEST(without_a_policy_nothing_is_allowed)
{
	struct limits limits;

	CHECK(!policy_allows(NULL, "c", "privileged"));
	policy_limits(NULL, "c", &limits);
	CHECK_EQ(limits.memory, 512 << 20);
	CHECK_EQ(limits.pids, 256);
	CHECK_EQ(limits.nano_cpus, 1000000000);
	CHECK_EQ(limits.health_deadline_ms, 120000);
}

TEST(a_challenge_gets_what_the_entries_that_match_it_grant)
{
	struct limits limits;

	folder_open(&f);
	CHECK_EQ(load("allow: [egress]\n"
		      "limits: {memory: 1g, pids: 100}\n"
		      "challenges:\n"
		      "  kernel: {allow: [privileged, 'device:/dev/kvm']}\n"
		      "  'web-*': {allow: ['capability:*'], limits: {memory: 2g, cpus: 0.5}}\n"
		      "  'web-big': {limits: {memory: 3g, health_deadline: 5m}}\n"),
		 0);
	CHECK(policy_allows(f.policy, "anything", "egress"));
	CHECK(!policy_allows(f.policy, "anything", "privileged"));
	CHECK(policy_allows(f.policy, "kernel", "privileged"));
	CHECK(policy_allows(f.policy, "kernel", "device:/dev/kvm"));
	CHECK(!policy_allows(f.policy, "kernel", "device:/dev/sda"));
	CHECK(policy_allows(f.policy, "web-1", "capability:SYS_ADMIN"));
	CHECK(!policy_allows(f.policy, "my-web-1", "capability:SYS_ADMIN"));

	policy_limits(f.policy, "anything", &limits);
	CHECK_EQ(limits.memory, 1 << 30);
	CHECK_EQ(limits.pids, 100);
	policy_limits(f.policy, "web-1", &limits);
	CHECK_EQ(limits.memory, 2LL << 30);
	CHECK_EQ(limits.nano_cpus, 500000000);
	CHECK_EQ(limits.pids, 100);
	policy_limits(f.policy, "web-big", &limits); /* of two that match, the later wins */
	CHECK_EQ(limits.memory, 3LL << 30);
	CHECK_EQ(limits.health_deadline_ms, 300000);
	folder_close(&f);
}

TEST(the_operator_s_variables_are_for_that_challenge)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	struct variables variables = { .arena = arena };

	folder_open(&f);
	CHECK_EQ(load("variables: {A: everywhere, B: x}\n"
		      "challenges: {c: {variables: {A: 1}}, d: {variables: {A: other}}}\n"),
		 0);
	policy_variables(f.policy, "c", &variables);
	CHECK_STR(variables_get(&variables, "A"), "1");
	CHECK_STR(variables_get(&variables, "B"), "x");
	folder_close(&f);
}

TEST(a_runtime_is_the_last_entry_s_that_says_one)
{
	size_t position = 0;

	CHECK(!policy_runtime(NULL, "c"));
	CHECK(!policy_next_runtime(NULL, &position));
	folder_open(&f);
	CHECK_EQ(load("runtime: runsc\nallow: [egress, 'runtime:crun', 'runtime:*']\n"
		      "challenges: {'c*': {runtime: kata}, d: {limits: {memory: 1g}}}\n"),
		 0);
	CHECK_STR(policy_runtime(f.policy, "c1"), "kata");
	CHECK_STR(policy_runtime(f.policy, "d"), "runsc");
	CHECK_STR(policy_next_runtime(f.policy, &position), "runsc");
	CHECK_STR(policy_next_runtime(f.policy, &position), "crun");
	CHECK_STR(policy_next_runtime(f.policy, &position), "kata");
	CHECK(!policy_next_runtime(f.policy, &position));
	folder_close(&f);
}

TEST(an_empty_policy_is_a_policy)
{
	folder_open(&f);
	CHECK_EQ(load("# nothing yet\n"), 0);
	CHECK(!policy_allows(f.policy, "c", "egress"));
	CHECK_EQ(load("challenges: {}\n"), 0);
	folder_close(&f);
}

TEST(a_faulty_policy_is_refused_with_its_place)
{
	static const struct {
		const char *text, *message;
	} facts[] = {
		{ "allow: [priviliged]", ":1:9: error: allow: 'priviliged' is not an opt-in" },
		{ "allow: [capability]", "'capability' is not an opt-in" },
		{ "allow: [privileged:x]", "'privileged:x' is not an opt-in" },
		{ "allow: egress", "allow: must be a list, not a string" },
		{ "limits: {memory: lots}", "memory: 'lots' is not an amount" },
		{ "limits: {memory: 0}", "memory: '0' is not an amount" },
		{ "limits: {speed: 1}", "speed: no such limit" },
		{ "limits: [a]", "limits: must be a map, not a list" },
		{ "variables: {A: [1]}", "A: must be a string" },
		{ "challenge: {}",
		  "unknown: a policy has allow, limits, variables, runtime, challenges" },
		{ "runtime: /bin/sh", "runtime: must be the name that the engine has for it" },
		{ "runtime: [a]", "runtime: must be the name that the engine has for it" },
		{ "challenges: [a]", "challenges: must be a map, not a list" },
		{ "challenges: {c: [a]}", "c: must be a map, not a list" },
		{ "challenges: {c: {permit: []}}", "unknown: a challenge's entry has allow" },
		{ "[a]", "a policy must be a map" },
		{ "a: [", "did not find expected" },
	};

	folder_open(&f);
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		CHECK_EQ(load(facts[i].text), -ERR_INVALID);
		folder_check_problem(&f, facts[i].message);
	}
	CHECK_EQ(policy_load("/nowhere/policy.yml", &f.policy, &f.problems, &f.e), -ERR_NOT_FOUND);
	folder_close(&f);
}

TEST(every_opt_in_says_what_it_lets_happen)
{
	for (size_t i = 0; i < policy_opt_in_count; i++) {
		CHECK(*policy_opt_ins[i].name);
		CHECK(*policy_opt_ins[i].meaning);
	}
}

TEST(the_operator_s_limits_hold_for_what_is_asked)
{
	folder_open(&f);
	folder_write(&f, "compose.yml", "services: {s: {image: i, mem_limit: 2g}}\n");
	CHECK_EQ(load("limits: {memory_max: 1g}\n"), 0);
	CHECK_EQ(folder_plan(&f), -ERR_POLICY);
	folder_check_problem(&f, "compose.yml:1:37: policy: services.s.mem_limit: more than the "
				 "node's 1024 MiB of memory (opt-in: memory)");
	CHECK_EQ(load("limits: {memory_max: 1g}\nallow: [memory]\n"), 0);
	CHECK_EQ(folder_plan(&f), 0);
	CHECK_EQ(f.plan->services[0].memory, 2LL << 30);
	folder_close(&f);
}

TEST(egress_takes_both_the_challenge_and_the_operator)
{
	folder_open(&f);
	folder_write(&f, "compose.yml", "services: {s: {image: i}}\n");
	folder_write(&f, "challenge.yml", "name: x\nflags: [f]\negress: true\n");
	CHECK_EQ(folder_plan(&f), -ERR_POLICY);
	folder_check_problem(&f, "challenge.yml:3:9: policy: egress: the challenge asks for "
				 "connections to the outside (opt-in: egress)");
	CHECK_EQ(load("allow: [egress]\n"), 0);
	CHECK_EQ(folder_plan(&f), 0);
	CHECK(f.plan->networks[0].egress);
	folder_write(&f, "challenge.yml", "name: x\nflags: [f]\n");
	CHECK_EQ(folder_plan(&f), 0);
	CHECK(!f.plan->networks[0].egress);
	folder_close(&f);
}

RUN_TESTS(T(without_a_policy_nothing_is_allowed),
	  T(a_challenge_gets_what_the_entries_that_match_it_grant),
	  T(the_operator_s_variables_are_for_that_challenge), T(an_empty_policy_is_a_policy),
	  T(a_runtime_is_the_last_entry_s_that_says_one),
	  T(a_faulty_policy_is_refused_with_its_place), T(every_opt_in_says_what_it_lets_happen),
	  T(the_operator_s_limits_hold_for_what_is_asked),
	  T(egress_takes_both_the_challenge_and_the_operator))
