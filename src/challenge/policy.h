/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the operator of a node lets its challenges do beyond the defaults: the node's policy file.
 *
 *	limits: {memory: 512m, memory_max: 4g, pids: 256}
 *	challenges:
 *	  kernel-pwn:
 *	    allow: [privileged, "device:/dev/kvm"]
 *	  "web-*":
 *	    allow: [egress]
 *	    limits: {memory: 1g}
 *	    runtime: runsc
 *	    variables: {REGISTRY: mirror.local}
 *
 * A challenge gets what every entry grants whose pattern matches its id. Entries of `allow` are
 * patterns too ("capability:*"). The challenge itself has no say in it. A policy never changes.
 */
#ifndef CHALLENGE_POLICY_H
#define CHALLENGE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct problems;
struct variables;
struct policy;

/* Sizes in bytes. The first of a pair is what a service gets that asks for nothing. */
struct limits {
	int64_t memory, memory_max;
	int64_t nano_cpus, nano_cpus_max;
	int64_t pids, pids_max;
	int64_t nofile_soft, nofile_hard, nofile_max;
	int64_t log_size, log_files;
	int64_t replicas_max;
	int64_t ports_max, networks_max; /* of an instance */
	int64_t prefix_min;              /* the shortest prefix of a network */
	int64_t health_deadline_ms;
};

/* Reads the policy file. Fails with NOT_FOUND or INVALID; problems names every fault. */
int policy_load(const char *path, struct policy **ret_policy, struct problems *problems,
		struct err *e);
void policy_free(struct policy *policy);
static inline void policy_freep(struct policy **policy)
{
	policy_free(*policy);
}

/* A policy that allows everything: for surveys, never for a node. NULL: out of memory. */
struct policy *policy_new_open(void);

/* Everywhere below a NULL policy is one without entries. */
bool policy_allows(const struct policy *policy, const char *challenge_id, const char *opt_in);
void policy_limits(const struct policy *policy, const char *challenge_id,
		   struct limits *ret_limits);
void policy_variables(const struct policy *policy, const char *challenge_id,
		      struct variables *variables);
/* The runtime of the engine's for what does not ask for another; borrowed. NULL: it says none. */
const char *policy_runtime(const struct policy *policy, const char *challenge_id);
/*
 * The runtimes that it names, one by one: those of `runtime:`, and those that `allow` has in full.
 * Begins at 0; NULL: that was all.
 */
const char *policy_next_runtime(const struct policy *policy, size_t *position);

/* Every opt-in there is, "capability:NAME" where it has a parameter; and what it lets happen. */
struct policy_opt_in {
	const char *name;
	const char *meaning;
};
extern const struct policy_opt_in policy_opt_ins[];
extern const size_t policy_opt_in_count;

/* Whether it can be a runtime's name: engines take paths and addresses of programs as well. */
bool policy_is_runtime(const char *name);

/* What an opt-in as it is asked for ("capability:SYS_PTRACE") lets happen; NULL: there is none. */
const char *policy_opt_in_meaning(const char *opt_in);

#endif
