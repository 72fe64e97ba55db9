/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What node and platform say of a whole node: its health, its challenges, its images.
 *
 * The structs are those of include/ctfy/types.h; decoding asks only for what the contract fixes.
 */
#ifndef WIRE_NODE_H
#define WIRE_NODE_H

#include "base/field.h"

#include <ctfy/types.h>

/* The optional body of build-all and pull-all; absent ids mean every challenge. */
struct image_scope {
	const char *const *challenge_ids; /* NULL: not given */
	size_t challenge_id_count;
};

extern const struct field node_health_fields[]; /* struct ctfy_node_health */
extern const struct field stopped_fields[];     /* struct ctfy_stopped: stop-all */
extern const struct field rescan_fields[];      /* struct ctfy_rescan */
extern const struct field image_scope_fields[]; /* struct image_scope */

/* struct ctfy_image_row, ctfy_image_rows and ctfy_bulk, as builds and as pulls have them. */
extern const struct field build_row_fields[];
extern const struct field build_rows_fields[];
extern const struct field build_bulk_fields[];
extern const struct field pull_row_fields[];
extern const struct field pull_rows_fields[];
extern const struct field pull_bulk_fields[];

/* What is wrong with challenges: struct ctfy_lint and ctfy_lints. */
extern const struct field lint_fields[];
extern const struct field lints_fields[];
/* A test run of one: struct ctfy_trial. */
extern const struct field trial_fields[];

#endif
