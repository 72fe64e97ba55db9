/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What containers' processes hold open, or mapped, though no directory names it any more: it takes
 * disk until they end, and no walk finds it.
 */
#ifndef NODE_DISK_UNLINKED_H
#define NODE_DISK_UNLINKED_H

#include <jansson.h>

/*
 * Adds to taken, {instance: bytes}, what the processes of the containers in owners, {container's
 * id: instance}, have so. Processes are found by their control group, so also those of an exec.
 * Wants the right to look into them (CAP_SYS_PTRACE); what can't be looked at counts nothing.
 */
void disk_unlinked_add(const json_t *owners, json_t *taken);

#endif
