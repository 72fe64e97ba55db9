/* Challenges themselves, put to the test: what is wrong with their files. */
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
