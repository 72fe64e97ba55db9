/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instances as commands show them.
 */
#ifndef CLI_INSTANCE_H
#define CLI_INSTANCE_H

#include <jansson.h>

/* Status, what to connect to, and how much time is left. */
void print_instance(const json_t *instance);

#endif
