/* SPDX-License-Identifier: Apache-2.0 */
/* Challenges themselves, put to the test: what is wrong with their files, test runs. */
#include "sdk/client.h"
#include "wire/node.h"

int ctfy_node_lint_challenge(struct ctfy_node_client *client, const char *challenge_id,
			     struct ctfy_lint *ret_lint, const struct ctfy_call *call,
			     struct ctfy_error *error)
{
	struct request request = { .method = "GET",
				   .path = { "/admin/challenges/", challenge_id, "/lint" } };

	*ret_lint = (struct ctfy_lint){ 0 };
	return sdk_ask_fields(client, &request, call, lint_fields, ret_lint, error);
}

void ctfy_lint_done(struct ctfy_lint *lint)
{
	fields_done(lint_fields, lint);
}

int ctfy_node_lint_all_challenges(struct ctfy_node_client *client, struct ctfy_lints *ret_lints,
				  const struct ctfy_call *call, struct ctfy_error *error)
{
	struct request request = { .method = "GET", .path = { "/admin/challenges/lint" } };

	*ret_lints = (struct ctfy_lints){ 0 };
	return sdk_ask_fields(client, &request, call, lints_fields, ret_lints, error);
}

void ctfy_lints_done(struct ctfy_lints *lints)
{
	fields_done(lints_fields, lints);
}

static int ask_trial(struct ctfy_node_client *client, const char *method, const char *challenge_id,
		     struct ctfy_trial *ret_trial, const struct ctfy_call *call,
		     struct ctfy_error *error)
{
	struct request request = { .method = method,
				   .path = { "/admin/challenges/", challenge_id, "/trial" } };

	*ret_trial = (struct ctfy_trial){ 0 };
	return sdk_ask_fields(client, &request, call, trial_fields, ret_trial, error);
}

int ctfy_node_start_trial(struct ctfy_node_client *client, const char *challenge_id,
			  struct ctfy_trial *ret_trial, const struct ctfy_call *call,
			  struct ctfy_error *error)
{
	return ask_trial(client, "POST", challenge_id, ret_trial, call, error);
}

int ctfy_node_get_trial(struct ctfy_node_client *client, const char *challenge_id,
			struct ctfy_trial *ret_trial, const struct ctfy_call *call,
			struct ctfy_error *error)
{
	return ask_trial(client, "GET", challenge_id, ret_trial, call, error);
}

void ctfy_trial_done(struct ctfy_trial *trial)
{
	fields_done(trial_fields, trial);
}
