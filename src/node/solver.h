/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An author's solver, run against a running instance: in a container of its own, on the instance's
 * networks, for it is no more to be trusted than the challenge itself.
 *
 * It finds the challenge's folder, read-only, where it runs; the attachments where
 * CTFY_ATTACHMENTS says; and as its arguments the endpoints, by the addresses that they have
 * inside. Its container carries the instance's labels, so that whatever ends the instance ends it
 * too.
 */
#ifndef NODE_SOLVER_H
#define NODE_SOLVER_H

#include "engine/demux.h"

#include <ctfy/types.h>
#include <stdatomic.h>
#include <stdbool.h>

struct challenge;
struct err;
struct node;

enum {
	SOLVER_PATIENCE_MS = 300 * 1000,
	SOLVER_MEMORY = 1 << 30,
	SOLVER_PIDS = 512,
	SOLVER_OUTPUT_MAX = 1 << 20, /* of what its answers are looked for in */
};

bool challenge_has_solver(const struct challenge *challenge);

/*
 * Runs it to its end, and removes its container. Fails with INVALID where it can't be run or
 * doesn't exit with 0, TIMEOUT after SOLVER_PATIENCE_MS, ABORTED once *cancelled, ENGINE, or with
 * what output said.
 */
int container_solve(struct node *node, const struct challenge *challenge,
		    const struct ctfy_instance *row, const atomic_bool *cancelled,
		    engine_output *output, void *cookie, struct err *e);

#endif
