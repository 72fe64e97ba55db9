/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where `ctfy challenge test` tries challenges: on a node, by the SDK, with the author's program
 * run here, as whoever runs the command.
 */
#ifndef CLI_TEST_GROUND_H
#define CLI_TEST_GROUND_H

#include "trial/trial.h"

#include <signal.h>
#include <stdint.h>

struct challenge;
struct ctfy_node_client;

/* The cookie of test_ground. */
struct test_place {
	struct ctfy_node_client *node;
	const struct challenge *challenge;
	const char *solver;        /* its path in the challenge's folder */
	int64_t solver_timeout_ms; /* how long it may take */
	const volatile sig_atomic_t *interrupted;
};

extern const struct trial_ground test_ground;

#endif
