/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/own.h"
#include "base/plain.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/print.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ENV_FILE_MAX = 1 << 20, LINE_MAX_BYTES = 8 << 20, NO_CODE = -1 };

/* clang-format off */
#define AGENT_OPTIONS(ROW) \
	ROW(submit, FLAG, NULL, NULL, "Let it read this challenge and submit answers: CTFY_URL, and CTFY_TOKEN.") \
	ROW(env_file, STRING, "FILE", NULL, "Its environment, NAME=VALUE lines.")
/* clang-format on */

struct agent_options {
	struct cli_common common;
	AGENT_OPTIONS(OPTION_MEMBER)
};

/* clang-format off */
#define ROW(...) OPTION_ROW(struct agent_options, __VA_ARGS__)
static const struct option_row agent_rows[] = { AGENT_OPTIONS(ROW) CLI_ROWS_END };
#undef ROW
/* clang-format on */

/* --- what it is given --------------------------------------------------------------------- */

static int read_env(const char *path, json_t *env, struct err *e)
{
	AUTO(char *, freep) text = NULL;
	char *line, *rest;
	int r = file_read(path, ENV_FILE_MAX, &text, NULL, e);

	if (r < 0)
		return r;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *equals = strchr(line, '=');

		if (*line == '#')
			continue;
		if (!equals || equals == line)
			return err_set(e, ERR_INVALID, "'%s': '%s' is not NAME=VALUE", path, line);
		*equals = '\0';
		json_object_set_new(env, line, json_text(equals + 1));
	}
	return 0;
}

/* {url, token}: the token stays with the node. */
static int make_platform(struct cli *cli, const char *instance, json_t **ret_platform,
			 struct err *e)
{
	AUTO(json_t *, json_decrefp) body =
		json_make("{s:s,s:s}", "name", "agent", "instance_id", instance);
	AUTO(json_t *, json_decrefp) answer = NULL;
	const struct api_call call = {
		.method = "POST", .path = "/me/tokens", .body = body, .ret_json = &answer
	};
	int r = body ? api_do(cli->api, &call, e) : err_memory(e);

	if (r < 0)
		return err_wrap(e, "a token for instance '%s'", instance);
	*ret_platform =
		json_make("{s:s,s:s}", "url", api_url(cli->api), "token", text_of(answer, "token"));
	return *ret_platform ? 0 : err_memory(e);
}

/* argv: "run", instance, image, command... */
static int make_body(struct cli *cli, json_t **ret_body, struct err *e)
{
	const struct agent_options *options = cli->options;
	AUTO(json_t *, json_decrefp) env = json_object();
	AUTO(json_t *, json_decrefp) command = json_array();
	AUTO(json_t *, json_decrefp) platform = NULL;
	int r = env && command ? 0 : err_memory(e);

	for (int i = 3; i < cli->argc; i++)
		json_array_append_new(command, json_text(cli->argv[i]));
	if (r == 0 && options->env_file)
		r = read_env(options->env_file, env, e);
	if (r == 0 && options->submit)
		r = make_platform(cli, cli->argv[1], &platform, e);
	if (r < 0)
		return r;
	*ret_body = json_make("{s:s,s:O,s:O*,s:O*}", "image", cli->argv[2], "env", env, "command",
			      cli->argc > 3 ? command : NULL, "platform", platform);
	return *ret_body ? 0 : err_memory(e);
}

/* --- what it says ------------------------------------------------------------------------- */

struct telling {
	struct buf line; /* as far as it has come */
	bool json;
	int exit_code; /* NO_CODE: it goes on */
};

/* A program gets the bytes as they are; on a terminal nothing of them acts. */
static void print_output(const char *text, size_t len, FILE *out)
{
	struct buf plain = BUF_INIT;

	if (!isatty(fileno(out))) {
		fwrite(text, 1, len, out);
		return;
	}
	plain_put(&plain, text, len, PLAIN_LINES);
	fwrite(plain.data, 1, plain.len, out);
	buf_done(&plain);
}

static int tell(struct telling *telling, struct err *e)
{
	AUTO(json_t *, json_decrefp) json =
		json_loadb(telling->line.data, telling->line.len, JSON_ALLOW_NUL, NULL);
	const json_t *text = json_object_get(json, "text"), *code;
	FILE *out = strcmp(text_of(json, "stream"), "stderr") == 0 ? stderr : stdout;

	if (telling->json)
		printf("%s\n", telling->line.data);
	else if (text)
		print_output(json_string_value(text), json_string_length(text), out);
	code = json_object_get(json, "exit_code");
	if (code)
		telling->exit_code = (int)json_integer_value(code);
	return fflush(telling->json ? stdout : out) == 0 ? 0 : err_errno(e, ERR_ABORTED, "write");
}

static int take_part(void *cookie, const void *bytes, size_t len, struct err *e)
{
	struct telling *telling = cookie;
	const char *next = bytes, *end;
	int r = 0;

	while (r == 0 && (end = memchr(next, '\n', len))) {
		buf_put(&telling->line, next, (size_t)(end - next));
		len -= (size_t)(end - next) + 1;
		next = end + 1;
		if (telling->line.len > 0) /* else it only says that it goes on */
			r = tell(telling, e);
		buf_clear(&telling->line);
	}
	buf_put(&telling->line, next, len);
	return r < 0 ? r : buf_check(&telling->line, e);
}

static int run_agent(struct cli *cli, struct err *e)
{
	AUTO(char *, freep) path = NULL;
	AUTO(json_t *, json_decrefp) body = NULL;
	struct telling telling = { .line = BUF_LIMITED(LINE_MAX_BYTES),
				   .json = cli->common->json,
				   .exit_code = NO_CODE };
	struct api_call call = { .method = "POST" };
	int r;

	if (strcmp(cli->argv[0], "run") != 0)
		return CLI_MISUSE(e, "there is no 'agent %s': agent run INSTANCE -- IMAGE",
				  cli->argv[0]);
	r = make_body(cli, &body, e);
	if (r < 0)
		return r;
	path = api_path(cli->api, "/admin/instances/%s/agent-runs", cli->argv[1]);
	call.path = path;
	call.body = body;
	r = path ? api_stream(cli->api, &call, take_part, &telling, e) : err_memory(e);
	buf_done(&telling.line);
	if (r == 0 && telling.exit_code == NO_CODE)
		r = err_set(e, ERR_ABORTED, "the run was cut short");
	return r < 0 ? r : telling.exit_code;
}

const struct cli_command cmd_agent = {
	.name = "agent",
	.arguments = "run INSTANCE [OPTION]... -- IMAGE [COMMAND...]",
	.summary = "Run an agent on an instance's network, recorded.",
	.details =
		"For organisers. The image runs on the instance's node, with the recorder as its\n"
		"proxy; what it writes comes here, and joins the evidence. It exits with what the\n"
		"agent exits with; interrupting it ends the agent.",
	.least = 3,
	.most = -1,
	.run = run_agent,
	.options = agent_rows,
	.options_size = sizeof(struct agent_options),
};
