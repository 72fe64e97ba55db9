/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/own.h"
#include "base/secret.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/print.h"

#include <stdio.h>
#include <string.h>

/* clang-format off */
#define JOIN_OPTIONS(ROW) \
	ROW(join_secret_file, STRING, "FILE", NULL, "The platform's join secret.") \
	ROW(node_token_file, STRING, "FILE", NULL, "Where to write the node's token, for ctfy node --token-file.")
/* clang-format on */

struct join_options {
	struct cli_common common;
	JOIN_OPTIONS(OPTION_MEMBER)
};

/* clang-format off */
#define ROW(...) OPTION_ROW(struct join_options, __VA_ARGS__)
static const struct option_row join_rows[] = { JOIN_OPTIONS(ROW) CLI_ROWS_END };
#undef ROW
/* clang-format on */

static int write_token(const char *path, const char *token, struct err *e)
{
	AUTO(char *, freep) line = strf("%s\n", token);

	return line ? file_write(path, line, strlen(line), 0600, e) : err_memory(e);
}

static int run_join(struct cli *cli, struct err *e)
{
	const struct join_options *options = cli->options;
	AUTO(char *, freep) secret = NULL;
	AUTO(json_t *, json_decrefp) body = NULL;
	AUTO(json_t *, json_decrefp) answer = NULL;
	struct api_call call = { .method = "POST", .path = "/nodes/register", .ret_json = &answer };
	int r;

	if (!options->join_secret_file || !options->node_token_file)
		return CLI_MISUSE(e,
				  "--join-secret-file FILE and --node-token-file FILE are needed");
	r = secret_read_file(options->join_secret_file, &secret, e);
	if (r < 0)
		return r;
	body = json_make("{s:s, s:s, s:s}", "join_secret", secret, "name", cli->argv[0], "url",
			 cli->argv[1]);
	call.body = body;
	r = body ? api_do(cli->api, &call, e) : err_memory(e);
	if (r == 0)
		r = write_token(options->node_token_file, text_of(answer, "token"), e);
	if (r < 0)
		return r;
	if (cli->common->json)
		print_json(answer);
	else
		printf("%s is registered. Its token is in %s: start it with ctfy node.\n",
		       cli->argv[0], options->node_token_file);
	return CLI_OK;
}

const struct cli_command cmd_join = {
	.name = "join",
	.arguments = "NAME NODE_URL",
	.summary = "Register a node with the platform, and keep its token.",
	.details =
		"NODE_URL is where the platform will reach it. A node that joins again under its\n"
		"name gets a new token; the old one is good for nothing from then on. For that "
		"the\n"
		"join secret is not enough: be an admin, or set CTFY_TOKEN to the node's own "
		"token.",
	.least = 2,
	.most = 2,
	.run = run_join,
	.options = join_rows,
	.options_size = sizeof(struct join_options),
};
