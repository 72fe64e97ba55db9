/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/policy.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "base/yaml.h"
#include "challenge/problem.h"
#include "challenge/safe-text.h"
#include "challenge/unit.h"
#include "challenge/variables.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

const struct policy_opt_in policy_opt_ins[] = {
	{ "privileged", "run a service with all rights over the host" },
	{ "jail",
	  "build jails inside: what nsjail, pwn.red/jail and kCTF need in place of 'privileged'" },
	{ "docker-socket", "give a service the engine's socket: all rights over the host" },
	{ "drop-docker-socket", "start the challenge without the engine's socket it asks for" },
	{ "host-network", "share the host's network" },
	{ "host-pid", "see and signal the host's processes" },
	{ "host-ipc", "share the host's memory segments and queues" },
	{ "host-uts", "set the host's name" },
	{ "host-cgroup", "share the host's cgroup namespace" },
	{ "host-userns", "leave the engine's user namespace" },
	{ "host-path:PATH", "mount or build from a path outside the challenge's folder" },
	{ "capability:NAME",
	  "hold a capability that isn't for the asking, NET_RAW and NET_ADMIN too" },
	{ "device:PATH", "use a device of the host" },
	{ "device-cgroup-rule", "use a class of devices of the host" },
	{ "gpu", "use the host's GPUs" },
	{ "unconfined-seccomp", "call any system call" },
	{ "seccomp-profile", "bring its own system call filter" },
	{ "unconfined-apparmor", "run without the engine's AppArmor profile" },
	{ "apparmor-profile:NAME", "run under another AppArmor profile of the host" },
	{ "selinux-label", "choose its own SELinux label" },
	{ "unmasked-proc", "see the parts of /proc and /sys that the engine hides" },
	{ "sysctl:NAME", "set a kernel parameter that isn't the container's own" },
	{ "cgroup-parent", "choose its own place among the host's cgroups" },
	{ "runtime:NAME", "run under another runtime of the engine" },
	{ "oom-score", "choose what the kernel kills when memory ends" },
	{ "real-time", "be scheduled in real time, or before others (rtprio, nice)" },
	{ "cpu-shares", "be given processors before other instances" },
	{ "egress", "open connections to the outside" },
	{ "memory", "take more memory than limits.memory_max" },
	{ "cpus", "take more processors than limits.cpus_max" },
	{ "pids", "run more processes than limits.pids_max" },
	{ "nofile", "open more files than limits.nofile_max" },
	{ "replicas", "run more replicas than limits.replicas_max" },
	{ "ports", "publish more ports than limits.ports_max" },
	{ "networks", "have more networks than limits.networks_max" },
	{ "prefix", "have a network that is larger than limits.prefix_min says" },
	{ "shared-mounts", "mount for the host what it mounts below a path of the host" },
	{ "labels", "carry labels of its own, on which what watches the engine may act" },
	{ "build-host-network", "build on the host's network" },
	{ "build-privileged", "build with rights over the host" },
	{ "*", "all of it" },
};
const size_t policy_opt_in_count = ARRAY_SIZE(policy_opt_ins);

enum limit_unit { UNIT_BYTES, UNIT_CPUS, UNIT_COUNT, UNIT_MILLISECONDS };

#define LIMIT(name, field, unit, value)                           \
	{                                                         \
		name, offsetof(struct limits, field), unit, value \
	}
static const struct {
	const char *name;
	size_t offset;
	enum limit_unit unit;
	int64_t value;
} limit_rows[] = {
	LIMIT("memory", memory, UNIT_BYTES, 512LL << 20),
	LIMIT("memory_max", memory_max, UNIT_BYTES, 4LL << 30),
	LIMIT("cpus", nano_cpus, UNIT_CPUS, 1000000000),
	LIMIT("cpus_max", nano_cpus_max, UNIT_CPUS, 4000000000),
	LIMIT("pids", pids, UNIT_COUNT, 256),
	LIMIT("pids_max", pids_max, UNIT_COUNT, 4096),
	/* Kept below what a small host's daemon may raise them to. */
	LIMIT("nofile", nofile_soft, UNIT_COUNT, 4096),
	LIMIT("nofile_hard", nofile_hard, UNIT_COUNT, 16384),
	LIMIT("nofile_max", nofile_max, UNIT_COUNT, 1048576),
	LIMIT("log_size", log_size, UNIT_BYTES, 10LL << 20),
	LIMIT("log_files", log_files, UNIT_COUNT, 2),
	LIMIT("replicas_max", replicas_max, UNIT_COUNT, 8),
	/* docker-proxy takes 3.2 MiB of memory for each. */
	LIMIT("ports_max", ports_max, UNIT_COUNT, 64),
	LIMIT("networks_max", networks_max, UNIT_COUNT, 16),
	/* As many addresses as 16 ordinary networks have. */
	LIMIT("prefix_min", prefix_min, UNIT_COUNT, 23),
	LIMIT("health_deadline", health_deadline_ms, UNIT_MILLISECONDS, 120000),
};

struct grant {
	const char *pattern; /* of challenge ids */
	const char **allow;
	size_t allow_count;
	bool limited[ARRAY_SIZE(limit_rows)];
	int64_t limits[ARRAY_SIZE(limit_rows)];
	struct variables variables;
	const char *runtime; /* NULL: not said */
};

struct policy {
	struct arena *arena;
	struct grant *grants;
	size_t count;
};

struct reader {
	struct arena *arena;
	struct problems *problems;
};

const char *policy_opt_in_meaning(const char *opt_in)
{
	size_t len = strcspn(opt_in, ":");

	for (size_t i = 0; i < policy_opt_in_count; i++) {
		const char *name = policy_opt_ins[i].name;

		if (strcspn(name, ":") == len && strncmp(name, opt_in, len) == 0 &&
		    name[len] == opt_in[len])
			return policy_opt_ins[i].meaning;
	}
	return NULL;
}

bool policy_is_runtime(const char *name)
{
	return text_is_of(name, TEXT_LETTERS TEXT_DIGITS "_.-");
}

static bool opt_in_exists(const char *pattern)
{
	return strchr(pattern, '*') || policy_opt_in_meaning(pattern);
}

static void read_allow(struct reader *in, const struct yaml_node *node, struct grant *grant)
{
	if (node->kind != YAML_LIST) {
		problem_at(in->problems, PROBLEM_ERROR, node, "allow", "must be a list, not %s",
			   yaml_kind_name(node->kind));
		return;
	}
	grant->allow = arena_array(in->arena, node->count, sizeof(const char *));
	for (size_t i = 0; i < node->count && grant->allow; i++) {
		const char *name = yaml_string(node->items[i]);

		if (!name || !opt_in_exists(name))
			problem_at(in->problems, PROBLEM_ERROR, node->items[i], "allow",
				   "'%s' is not an opt-in", name ? name : "");
		else
			grant->allow[grant->allow_count++] = arena_strdup(in->arena, name);
	}
}

static bool read_limit(const char *text, enum limit_unit unit, int64_t *ret_value)
{
	int64_t ns;

	switch (unit) {
	case UNIT_BYTES: return unit_bytes(text, ret_value);
	case UNIT_CPUS: return unit_cpus(text, ret_value);
	case UNIT_COUNT: return unit_integer(text, 1, INT32_MAX, ret_value);
	case UNIT_MILLISECONDS:
		if (!unit_duration(text, &ns))
			return false;
		*ret_value = ns / 1000000;
		return true;
	}
	return false;
}

static void read_limit_entry(struct reader *in, const struct yaml_entry *entry, struct grant *grant)
{
	const char *text = yaml_scalar_text(in->arena, entry->value);

	for (size_t i = 0; i < ARRAY_SIZE(limit_rows); i++) {
		if (strcmp(limit_rows[i].name, entry->key) != 0)
			continue;
		grant->limited[i] = text &&
				    read_limit(text, limit_rows[i].unit, &grant->limits[i]) &&
				    grant->limits[i] > 0;
		if (!grant->limited[i])
			problem_at(in->problems, PROBLEM_ERROR, entry->value, entry->key,
				   "'%s' is not an amount", text ? text : "");
		return;
	}
	problem_at(in->problems, PROBLEM_ERROR, entry->value, entry->key, "no such limit");
}

static void read_runtime(struct reader *in, const struct yaml_node *node, struct grant *grant)
{
	const char *name = yaml_string(node);

	if (name && policy_is_runtime(name))
		grant->runtime = arena_strdup(in->arena, name);
	else
		problem_at(in->problems, PROBLEM_ERROR, node, "runtime",
			   "must be the name that the engine has for it");
}

static void read_variable(struct reader *in, const struct yaml_entry *entry, struct grant *grant)
{
	const char *text = yaml_scalar_text(in->arena, entry->value);

	if (!text)
		problem_at(in->problems, PROBLEM_ERROR, entry->value, entry->key,
			   "must be a string");
	else
		variables_set(&grant->variables, entry->key, text);
}

static void read_each(struct reader *in, const struct yaml_entry *entry, struct grant *grant,
		      void (*read)(struct reader *, const struct yaml_entry *, struct grant *))
{
	if (entry->value->kind != YAML_MAP) {
		problem_at(in->problems, PROBLEM_ERROR, entry->value, entry->key,
			   "must be a map, not %s", yaml_kind_name(entry->value->kind));
		return;
	}
	for (size_t i = 0; i < entry->value->count; i++)
		read(in, &entry->value->entries[i], grant);
}

/* True where the entry is one that a grant may have. */
static bool read_grant_entry(struct reader *in, const struct yaml_entry *entry, struct grant *grant)
{
	if (strcmp(entry->key, "allow") == 0)
		read_allow(in, entry->value, grant);
	else if (strcmp(entry->key, "limits") == 0)
		read_each(in, entry, grant, read_limit_entry);
	else if (strcmp(entry->key, "variables") == 0)
		read_each(in, entry, grant, read_variable);
	else if (strcmp(entry->key, "runtime") == 0)
		read_runtime(in, entry->value, grant);
	else
		return false;
	return true;
}

static void read_grant(struct reader *in, const struct yaml_entry *entry, struct grant *grant)
{
	grant->pattern = arena_strdup(in->arena, entry->key);
	grant->variables.arena = in->arena;
	if (entry->value->kind != YAML_MAP) {
		problem_at(in->problems, PROBLEM_ERROR, entry->value, entry->key,
			   "must be a map, not %s", yaml_kind_name(entry->value->kind));
		return;
	}
	for (size_t i = 0; i < entry->value->count; i++)
		if (!read_grant_entry(in, &entry->value->entries[i], grant))
			problem_at(in->problems, PROBLEM_ERROR, entry->value->entries[i].value,
				   entry->value->entries[i].key,
				   "unknown: a challenge's entry has allow, limits, variables, "
				   "runtime");
}

/* The file's own allow, limits, variables and runtime are a grant to every challenge. */
static int read_policy(struct reader *in, const struct yaml_node *root, struct policy *policy)
{
	const struct yaml_node *challenges = yaml_get(root, "challenges");
	size_t count = challenges && challenges->kind == YAML_MAP ? challenges->count : 0;

	if (challenges && challenges->kind != YAML_MAP && challenges->kind != YAML_NULL)
		problem_at(in->problems, PROBLEM_ERROR, challenges, "challenges",
			   "must be a map, not %s", yaml_kind_name(challenges->kind));
	policy->grants = arena_array(in->arena, count + 1, sizeof(*policy->grants));
	if (!policy->grants)
		return -1;
	policy->count = count + 1;
	policy->grants[0] = (struct grant){ .pattern = "*", .variables.arena = in->arena };
	for (size_t i = 0; i < count; i++)
		read_grant(in, &challenges->entries[i], &policy->grants[i + 1]);
	if (root->kind == YAML_NULL)
		return 0;
	if (root->kind != YAML_MAP)
		problem_at(in->problems, PROBLEM_ERROR, root, NULL, "a policy must be a map");
	for (size_t i = 0; root->kind == YAML_MAP && i < root->count; i++) {
		const struct yaml_entry *entry = &root->entries[i];

		if (strcmp(entry->key, "challenges") == 0)
			continue;
		if (!read_grant_entry(in, entry, &policy->grants[0]))
			problem_at(in->problems, PROBLEM_ERROR, entry->value, entry->key,
				   "unknown: a policy has allow, limits, variables, runtime, "
				   "challenges");
	}
	return 0;
}

int policy_load(const char *path, struct policy **ret_policy, struct problems *problems,
		struct err *e)
{
	AUTO(struct policy *, policy_freep) policy = calloc(1, sizeof(*policy));
	AUTO(char *, freep) text = NULL;
	struct yaml_file *file;
	struct yaml_node *root;
	struct yaml_fault fault = { 0 };
	size_t len;
	int r;

	if (!policy || !(policy->arena = arena_new()))
		return err_memory(e);
	r = file_read(path, YAML_MAX_FILE, &text, &len, e);
	if (r < 0)
		return r;
	file = arena_alloc(policy->arena, sizeof(*file));
	if (!file)
		return err_memory(e);
	file->path = arena_strdup(policy->arena, path);
	r = yaml_parse(policy->arena, file, text, len, &root, &fault, e);
	if (r < 0) {
		problem_add(problems, PROBLEM_ERROR, path, fault.line, fault.column, NULL, "%s",
			    fault.reason);
		return r;
	}
	if (read_policy(&(struct reader){ policy->arena, problems }, root, policy) < 0 ||
	    arena_failed(policy->arena))
		return err_memory(e);
	if (problems_refusals(problems))
		return problems_error(problems, e);
	*ret_policy = TAKE(policy);
	return 0;
}

struct policy *policy_new_open(void)
{
	static const char *everything[] = { "*" };
	struct policy *policy = calloc(1, sizeof(*policy));

	if (!policy)
		return NULL;
	policy->arena = arena_new();
	policy->grants = policy->arena ? arena_alloc(policy->arena, sizeof(*policy->grants)) : NULL;
	if (!policy->grants) {
		policy_free(policy);
		return NULL;
	}
	policy->count = 1;
	policy->grants[0].pattern = "*";
	policy->grants[0].allow = everything;
	policy->grants[0].allow_count = 1;
	policy->grants[0].variables.arena = policy->arena;
	return policy;
}

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	arena_free(policy->arena);
	free(policy);
}

/* Later grants are looked at first: the file's own is the last resort. */
static const struct grant *next_grant(const struct policy *policy, const char *challenge_id,
				      size_t *position)
{
	while (*position > 0) {
		const struct grant *grant = &policy->grants[--*position];

		if (fnmatch(grant->pattern, challenge_id, 0) == 0)
			return grant;
	}
	return NULL;
}

bool policy_allows(const struct policy *policy, const char *challenge_id, const char *opt_in)
{
	size_t position = policy ? policy->count : 0;
	const struct grant *grant;

	while ((grant = next_grant(policy, challenge_id, &position)))
		for (size_t i = 0; i < grant->allow_count; i++)
			if (fnmatch(grant->allow[i], opt_in, 0) == 0)
				return true;
	return false;
}

void policy_limits(const struct policy *policy, const char *challenge_id, struct limits *ret_limits)
{
	for (size_t i = 0; i < ARRAY_SIZE(limit_rows); i++) {
		int64_t *limit = (int64_t *)(void *)((char *)ret_limits + limit_rows[i].offset);
		size_t position = policy ? policy->count : 0;
		const struct grant *grant;

		*limit = limit_rows[i].value;
		while ((grant = next_grant(policy, challenge_id, &position))) {
			if (grant->limited[i]) {
				*limit = grant->limits[i];
				break;
			}
		}
	}
}

void policy_variables(const struct policy *policy, const char *challenge_id,
		      struct variables *variables)
{
	size_t position = policy ? policy->count : 0;
	const struct grant *grant;

	while ((grant = next_grant(policy, challenge_id, &position)))
		variables_add_all(variables, &grant->variables);
}

const char *policy_runtime(const struct policy *policy, const char *challenge_id)
{
	size_t position = policy ? policy->count : 0;
	const struct grant *grant;

	while ((grant = next_grant(policy, challenge_id, &position)))
		if (grant->runtime)
			return grant->runtime;
	return NULL;
}

/* Of one grant: first its own, then those that it allows by name. */
static const char *runtime_of(const struct grant *grant, size_t i)
{
	static const char prefix[] = "runtime:";
	const char *allowed;

	if (i == 0)
		return grant->runtime;
	allowed = grant->allow[i - 1];
	if (strncmp(allowed, prefix, strlen(prefix)) != 0 ||
	    !policy_is_runtime(allowed + strlen(prefix)))
		return NULL; /* another opt-in, or a pattern */
	return allowed + strlen(prefix);
}

const char *policy_next_runtime(const struct policy *policy, size_t *position)
{
	size_t at = 0;

	for (size_t i = 0; policy && i < policy->count; i++)
		for (size_t j = 0; j <= policy->grants[i].allow_count; j++) {
			const char *name;

			if (at++ < *position)
				continue;
			*position = at;
			name = runtime_of(&policy->grants[i], j);
			if (name)
				return name;
		}
	return NULL;
}
