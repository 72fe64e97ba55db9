/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service's healthcheck, run by the node where the engine is slow to.
 *
 * The engine runs the first check an interval after a container's start, and the next one an
 * interval later: who waits for a service, or looks after a failure, would wait that long. So we
 * run the same command beside it. That it passes is taken for the engine's word until that comes;
 * that it fails says nothing, as the engine's retries are its own. A check that takes longer than
 * EARLY_CHECK_PATIENCE_MS, or writes more than a MiB, is the engine's alone, until the container is
 * started anew.
 */
#ifndef NODE_EARLY_CHECK_H
#define NODE_EARLY_CHECK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct early_check;
struct node;

enum {
	EARLY_CHECK_PATIENCE_MS = 10 * 1000,
	EARLY_CHECK_INTERVAL_MS = 2000, /* an engine that checks this often needs no help */
	EARLY_CHECK_PAUSE_MS = 1000,    /* between two of ours, after a failure */
	EARLY_CHECK_TRUST_MS = 10 * 1000,
};

/* Whether the engine's word may be old: of a container as the engine inspects it. */
bool early_check_is_due(const json_t *inspected);

/* The command of a container's healthcheck, as an exec takes it: a new array. NULL: it has none. */
json_t *early_check_command(const json_t *inspected);

/*
 * Whether the check of an instance's container has passed lately. With ask, one begins in the
 * background where that isn't known; the answer comes to whoever asks again. ret_words, unless
 * NULL, is what the last one that failed wrote: the caller's; NULL: none failed.
 */
bool early_check_passed(struct node *node, const char *instance_id, const json_t *inspected,
			bool ask, char **ret_words);

/*
 * Whether a check that came to this has to be left to the engine; what took longer than its own
 * timeout, which was shorter than our patience, has failed as it would have failed there.
 */
bool early_check_is_too_much(int r, int64_t patience_ms);

/* Those of an instance that has ended. */
void early_checks_free(struct early_check *checks);

#endif
