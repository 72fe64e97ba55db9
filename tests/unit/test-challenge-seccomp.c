/* SPDX-License-Identifier: Apache-2.0 */
/* The filter of system calls; what it does to a program is tried by tests/node/test-containment.py.
 */
#include "challenge/seccomp.h"

#include "base/own.h"

#include "check.h"

#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

static bool names_call(const json_t *rule, const char *call)
{
	const json_t *name;
	size_t i;

	json_array_foreach (json_object_get(rule, "names"), i, name)
		if (strcmp(json_string_value(name), call) == 0)
			return true;
	return false;
}

/* The rules that let a call through. */
static size_t allowances(const json_t *profile, const char *call, const json_t **ret_rule)
{
	const json_t *rule;
	size_t i, count = 0;

	json_array_foreach (json_object_get(profile, "syscalls"), i, rule) {
		const char *action = json_string_value(json_object_get(rule, "action"));

		if (strcmp(action, "SCMP_ACT_ALLOW") != 0 || !names_call(rule, call))
			continue;
		*ret_rule = rule;
		count++;
	}
	return count;
}

TEST(what_no_rule_names_is_refused)
{
	AUTO(json_t *, json_decrefp) profile = seccomp_profile(0);
	const json_t *rule = NULL;

	CHECK_STR(json_string_value(json_object_get(profile, "defaultAction")), "SCMP_ACT_ERRNO");
	CHECK_EQ(allowances(profile, "kexec_load", &rule), 0);
	CHECK_EQ(allowances(profile, "io_uring_setup", &rule), 0);
	CHECK_EQ(allowances(profile, "keyctl", &rule), 0);
	CHECK_EQ(allowances(profile, "read", &rule), 1);
}

TEST(every_family_of_sockets_but_the_hypervisors_is_open)
{
	AUTO(json_t *, json_decrefp) profile = seccomp_profile(0);
	const json_t *rule = NULL, *argument;

	CHECK_EQ(allowances(profile, "socket", &rule), 1);
	CHECK_EQ(json_array_size(json_object_get(rule, "args")), 1);
	argument = json_array_get(json_object_get(rule, "args"), 0);
	CHECK_EQ(json_integer_value(json_object_get(argument, "value")), AF_VSOCK);
	CHECK_STR(json_string_value(json_object_get(argument, "op")), "SCMP_CMP_NE");
}

TEST(mounts_take_a_capability_or_a_jail)
{
	AUTO(json_t *, json_decrefp) plain = seccomp_profile(0);
	AUTO(json_t *, json_decrefp) jail = seccomp_profile(SECCOMP_JAIL);
	const json_t *rule = NULL;

	CHECK_EQ(allowances(plain, "mount", &rule), 1);
	assert_non_null(json_object_get(json_object_get(rule, "includes"), "caps"));
	CHECK_EQ(allowances(jail, "mount", &rule), 1);
	assert_null(json_object_get(rule, "includes"));
	CHECK_EQ(allowances(jail, "kexec_load", &rule), 0);
	CHECK_EQ(allowances(jail, "bpf", &rule), 0);
	CHECK_EQ(allowances(jail, "init_module", &rule), 0);
}

TEST(other_architectures_can_be_left_out)
{
	AUTO(json_t *, json_decrefp) profile = seccomp_profile(SECCOMP_NATIVE);
	const json_t *row;
	size_t i;

	json_array_foreach (json_object_get(profile, "archMap"), i, row)
		CHECK_EQ(json_array_size(json_object_get(row, "subArchitectures")), 0);
	CHECK(i > 0);
}

TEST(the_option_is_what_the_engine_takes)
{
	AUTO(json_t *, json_decrefp) option = seccomp_option(0);
	const char *text = json_string_value(option);
	AUTO(json_t *, json_decrefp) profile = NULL;

	CHECK_EQ(strncmp(text, "seccomp=", 8), 0);
	profile = json_loads(text + 8, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(profile);
}

RUN_TESTS(T(what_no_rule_names_is_refused), T(every_family_of_sockets_but_the_hypervisors_is_open),
	  T(mounts_take_a_capability_or_a_jail), T(other_architectures_can_be_left_out),
	  T(the_option_is_what_the_engine_takes))
