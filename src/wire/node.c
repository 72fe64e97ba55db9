/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/node.h"

/* clang-format off */
/* The heartbeat: of another's node the contract fixes two members, and these must be enough. */
#define HEALTH(kind, member, flags) FIELD(struct ctfy_node_health, kind, member, flags)
const struct field node_health_fields[] = {
	HEALTH(STRING, status, FIELD_LOOSE),
	HEALTH(INT, running, FIELD_REQUIRED),
	HEALTH(INT, capacity, FIELD_REQUIRED),
	HEALTH(STRING, version, FIELD_LOOSE),
	HEALTH(STRING, engine, FIELD_LOOSE),
	HEALTH(INT, quarantined, FIELD_LOOSE),
	HEALTH(INT, memory, FIELD_LOOSE | FIELD_OPTIONAL),
	HEALTH(INT, memory_promised, FIELD_LOOSE),
	HEALTH(INT, nano_cpus, FIELD_LOOSE | FIELD_OPTIONAL),
	HEALTH(INT, nano_cpus_promised, FIELD_LOOSE),
	HEALTH(STRING, warning, FIELD_LOOSE),
	FIELDS_END,
};

static const struct field stop_failure_fields[] = {
	FIELD(struct ctfy_stop_failure, STRING, instance_id, FIELD_REQUIRED),
	FIELD(struct ctfy_stop_failure, STRING, detail, 0),
	FIELDS_END,
};

const struct field stopped_fields[] = {
	FIELD_STRINGS_OF(struct ctfy_stopped, stopped, stopped_count, 0),
	FIELD_LIST_OF(struct ctfy_stopped, failed, failed_count, struct ctfy_stop_failure,
		      stop_failure_fields, 0),
	FIELDS_END,
};

static const struct field challenge_error_fields[] = {
	FIELD(struct ctfy_challenge_error, STRING, path, 0),
	FIELD(struct ctfy_challenge_error, STRING, detail, 0),
	FIELDS_END,
};

const struct field rescan_fields[] = {
	FIELD(struct ctfy_rescan, INT, total, FIELD_REQUIRED),
	FIELD_STRINGS_OF(struct ctfy_rescan, added, added_count, 0),
	FIELD_STRINGS_OF(struct ctfy_rescan, removed, removed_count, 0),
	FIELD_STRINGS_OF(struct ctfy_rescan, changed, changed_count, FIELD_LOOSE),
	FIELD_LIST_OF(struct ctfy_rescan, errors, error_count, struct ctfy_challenge_error,
		      challenge_error_fields, 0),
	FIELD_LIST_OF(struct ctfy_rescan, unstartable, unstartable_count,
		      struct ctfy_challenge_error, challenge_error_fields, FIELD_OPTIONAL),
	FIELDS_END,
};

const struct field image_scope_fields[] = {
	FIELD_STRINGS_OF(struct image_scope, challenge_ids, challenge_id_count, 0),
	FIELDS_END,
};

#define ROW(kind, member, flags) FIELD(struct ctfy_image_row, kind, member, flags)
#define PROGRESS \
	ROW(STRING, image, FIELD_OPTIONAL | FIELD_LOOSE), \
	ROW(INT, step, FIELD_OPTIONAL | FIELD_LOOSE), \
	ROW(INT, steps, FIELD_OPTIONAL | FIELD_LOOSE), \
	ROW(INT, bytes, FIELD_OPTIONAL | FIELD_LOOSE), \
	ROW(INT, bytes_total, FIELD_OPTIONAL | FIELD_LOOSE), \
	ROW(INT, position, FIELD_OPTIONAL | FIELD_LOOSE), \
	FIELD_STRINGS_OF(struct ctfy_image_row, digests, digest_count, \
			 FIELD_OPTIONAL | FIELD_LOOSE)
const struct field build_row_fields[] = {
	ROW(STRING, challenge_id, FIELD_REQUIRED),
	ROW(STRING, status, FIELD_REQUIRED),
	ROW(TIME, built_at, 0),
	ROW(STRING, error, 0),
	PROGRESS,
	ROW(INT, memory, FIELD_OPTIONAL | FIELD_LOOSE),
	ROW(INT, nano_cpus, FIELD_OPTIONAL | FIELD_LOOSE),
	FIELDS_END,
};

const struct field pull_row_fields[] = {
	ROW(STRING, challenge_id, FIELD_REQUIRED),
	ROW(STRING, status, FIELD_REQUIRED),
	ROW(TIME, pulled_at, 0),
	ROW(STRING, error, 0),
	PROGRESS,
	FIELDS_END,
};

#define ROWS(row_fields) \
	FIELD_LIST_OF(struct ctfy_image_rows, rows, row_count, struct ctfy_image_row, \
		      row_fields, FIELD_REQUIRED)
const struct field build_rows_fields[] = { ROWS(build_row_fields), FIELDS_END };
const struct field pull_rows_fields[] = { ROWS(pull_row_fields), FIELDS_END };

#define BULK(member) FIELD_STRINGS_OF(struct ctfy_bulk, member, member##_count, 0)
const struct field build_bulk_fields[] = {
	BULK(queued),
	BULK(skipped_built),
	BULK(skipped_in_progress),
	FIELDS_END,
};

const struct field pull_bulk_fields[] = {
	BULK(queued),
	BULK(skipped_pulled),
	BULK(skipped_in_progress),
	FIELDS_END,
};

#define PROBLEM(kind, member, flags) FIELD(struct ctfy_problem, kind, member, flags)
static const struct field problem_fields[] = {
	PROBLEM(STRING, kind, FIELD_REQUIRED),
	PROBLEM(STRING, file, 0),
	PROBLEM(INT, line, 0),
	PROBLEM(INT, column, 0),
	PROBLEM(STRING, key, 0),
	PROBLEM(STRING, message, 0),
	PROBLEM(STRING, opt_in, 0),
	PROBLEM(STRING, allows, 0),
	FIELDS_END,
};

const struct field lint_fields[] = {
	FIELD(struct ctfy_lint, STRING, path, FIELD_REQUIRED),
	FIELD(struct ctfy_lint, STRING, id, 0),
	FIELD(struct ctfy_lint, STRING, dialect, 0),
	FIELD(struct ctfy_lint, STRING, outcome, FIELD_REQUIRED),
	FIELD_LIST_OF(struct ctfy_lint, problems, problem_count, struct ctfy_problem,
		      problem_fields, FIELD_REQUIRED),
	FIELDS_END,
};

const struct field lints_fields[] = {
	FIELD_LIST_OF(struct ctfy_lints, challenges, challenge_count, struct ctfy_lint,
		      lint_fields, FIELD_REQUIRED),
	FIELDS_END,
};

static const struct field trial_step_fields[] = {
	FIELD(struct ctfy_trial_step, STRING, step, FIELD_REQUIRED),
	FIELD(struct ctfy_trial_step, INT, ms, FIELD_REQUIRED),
	FIELDS_END,
};

static const struct field trial_answer_fields[] = {
	FIELD(struct ctfy_trial_answer, STRING, question, FIELD_REQUIRED),
	FIELD(struct ctfy_trial_answer, BOOL, found, FIELD_REQUIRED),
	FIELDS_END,
};

const struct field trial_fields[] = {
	FIELD(struct ctfy_trial, STRING, challenge_id, FIELD_REQUIRED),
	FIELD(struct ctfy_trial, STRING, outcome, FIELD_REQUIRED),
	FIELD(struct ctfy_trial, STRING, step, 0),
	FIELD(struct ctfy_trial, STRING, detail, 0),
	FIELD_LIST_OF(struct ctfy_trial, steps, step_count, struct ctfy_trial_step,
		      trial_step_fields, 0),
	FIELD_LIST_OF(struct ctfy_trial, answers, answer_count, struct ctfy_trial_answer,
		      trial_answer_fields, 0),
	FIELD(struct ctfy_trial, STRING, output, 0),
	FIELD(struct ctfy_trial, TIME, started_at, 0),
	FIELD(struct ctfy_trial, TIME, ended_at, 0),
	FIELDS_END,
};
/* clang-format on */
