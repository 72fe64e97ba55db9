/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/instance.h"
#include "cli/listing.h"
#include "cli/print.h"

#include <stdio.h>
#include <string.h>

/* challenges, show, attachments */

static void add_challenge(struct table *table, const json_t *c)
{
	const json_t *instance = json_object_get(c, "instance");
	const char *state = json_is_object(instance)     ? text_of(instance, "status")
			    : is_true(c, "has_instance") ? "-"
							 : "";
	char value[32], solvers[32], solved[32] = "";

	snprintf(value, sizeof(value), "%lld", (long long)number_of(c, "value"));
	snprintf(solvers, sizeof(solvers), "%lld", (long long)number_of(c, "solvers"));
	if (is_true(c, "solved"))
		snprintf(solved, sizeof(solved), "solved");
	else if (number_of(c, "questions_solved") > 0)
		snprintf(solved, sizeof(solved), "%lld/%lld",
			 (long long)number_of(c, "questions_solved"),
			 (long long)number_of(c, "questions"));
	table_add(table, text_of(c, "id"), text_of(c, "category"), text_of(c, "name"), value,
		  solvers, solved, state);
}

static int run_challenges(struct cli *cli, struct err *e)
{
	static const char *const headings[] = { "ID",       "CATEGORY", "NAME",     ">VALUE",
						">SOLVERS", "YOURS",    "INSTANCE", NULL };
	static const struct listing listing = { "challenges", headings, add_challenge,
						"There are no challenges yet." };
	AUTO(char *, freep) path = api_path(cli->api, "/challenges");

	return listing_print(cli, path, &listing, e);
}

const struct cli_command cmd_challenges = {
	.name = "challenges",
	.arguments = "",
	.summary = "List the challenges.",
	.run = run_challenges,
};

static void print_questions(const json_t *c)
{
	const json_t *questions = json_object_get(c, "questions");
	json_t *question;
	size_t i;

	json_array_foreach (questions, i, question) {
		printf("\n[%c] %s (%lld points)", is_true(question, "solved") ? 'x' : ' ',
		       text_of(question, "id"), (long long)number_of(question, "value"));
		if (*text_of(question, "text")) {
			fputs(": ", stdout);
			print_text(text_of(question, "text"));
		}
	}
	putchar('\n');
}

static void print_hints(const json_t *c)
{
	json_t *hint;
	size_t i;

	json_array_foreach (json_object_get(c, "hints"), i, hint) {
		printf("\nHint %zu", i + 1);
		if (number_of(hint, "cost") > 0)
			printf(" (%lld points)\n", (long long)number_of(hint, "cost"));
		else
			fputs(": ", stdout);
		print_text(text_of(hint, "text"));
		putchar('\n');
	}
}

static void print_challenge(const json_t *c)
{
	print_text(text_of(c, "name"));
	printf("  (%s, %lld points, %lld solvers)\n\n", text_of(c, "category"),
	       (long long)number_of(c, "value"), (long long)number_of(c, "solvers"));
	print_text(text_of(c, "description"));
	putchar('\n');
	if (*text_of(c, "connection_info")) {
		putchar('\n');
		print_text(text_of(c, "connection_info"));
		putchar('\n');
	}
	print_questions(c);
	print_hints(c);
	if (json_is_object(json_object_get(c, "instance"))) {
		putchar('\n');
		print_instance(json_object_get(c, "instance"));
	} else if (is_true(c, "has_instance")) {
		printf("\nStart yours: ctfy start %s\n", text_of(c, "id"));
	}
}

static int run_show(struct cli *cli, struct err *e)
{
	AUTO(char *, freep) path = api_path(cli->api, "/challenges/%s", cli->argv[0]);
	AUTO(json_t *, json_decrefp) challenge = NULL;
	int r = api_get(cli->api, path, &challenge, e);

	if (r < 0)
		return r;
	if (cli->common->json)
		print_json(challenge);
	else
		print_challenge(challenge);
	return CLI_OK;
}

const struct cli_command cmd_show = {
	.name = "show",
	.arguments = "CHALLENGE",
	.summary = "Show a challenge: its text, its questions, your instance.",
	.least = 1,
	.most = 1,
	.run = run_show,
};

/* clang-format off */
#define ATTACHMENTS_OPTIONS(ROW) \
	ROW(output, STRING, "DIR", ".", "Where to put the files.") \
	ROW(list, FLAG, NULL, NULL, "Only list them.")
/* clang-format on */

struct attachments_options {
	struct cli_common common;
	ATTACHMENTS_OPTIONS(OPTION_MEMBER)
};

/* clang-format off */
#define ROW(...) OPTION_ROW(struct attachments_options, __VA_ARGS__)
static const struct option_row attachments_rows[] = { ATTACHMENTS_OPTIONS(ROW) CLI_ROWS_END };
#undef ROW
/* clang-format on */

/* The platform names the files, and a name must not lead out of the directory. */
static bool is_plain_name(const char *name)
{
	return *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !strchr(name, '/');
}

static int download(struct cli *cli, const char *challenge, const char *name, struct err *e)
{
	const struct attachments_options *options = cli->options;
	AUTO(char *, freep) path =
		api_path(cli->api, "/challenges/%s/attachments/%s", challenge, name);
	AUTO(char *, freep) to = strf("%s/%s", options->output, name);
	int r;

	if (!is_plain_name(name))
		return err_set(e, ERR_INVALID, "'%s' is no name for a file here", name);
	r = to ? api_download(cli->api, path, to, e) : err_memory(e);
	if (r == 0 && !cli->common->json) {
		print_text(to);
		putchar('\n');
	}
	return r;
}

static void list_attachments(const json_t *list)
{
	static const char *const headings[] = { "FILE", ">BYTES", NULL };
	struct table *table = table_new(headings);
	json_t *file;
	size_t i;

	json_array_foreach (json_object_get(list, "attachments"), i, file) {
		char size[32];

		snprintf(size, sizeof(size), "%lld", (long long)number_of(file, "size"));
		table_add(table, text_of(file, "filename"), size);
	}
	table_print(table, "It has no files; one that makes some for each instance has them when "
			   "yours runs.");
}

static int run_attachments(struct cli *cli, struct err *e)
{
	const struct attachments_options *options = cli->options;
	AUTO(char *, freep) path = api_path(cli->api, "/challenges/%s/attachments", cli->argv[0]);
	AUTO(json_t *, json_decrefp) list = NULL;
	json_t *file;
	size_t i;
	const struct api_call call = {
		.method = "GET", .path = path, .ret_json = &list, .exact = true
	};
	int r = path ? api_do(cli->api, &call, e) : err_memory(e);

	if (r < 0)
		return r;
	if (cli->common->json)
		print_json(list);
	else if (options->list || json_array_size(json_object_get(list, "attachments")) == 0)
		list_attachments(list);
	if (options->list)
		return CLI_OK;
	json_array_foreach (json_object_get(list, "attachments"), i, file) {
		r = download(cli, cli->argv[0], text_of(file, "filename"), e);
		if (r < 0)
			return r;
	}
	return CLI_OK;
}

const struct cli_command cmd_attachments = {
	.name = "attachments",
	.arguments = "CHALLENGE",
	.summary = "Download a challenge's files.",
	.details = "Some are made for your instance alone: start it first.",
	.least = 1,
	.most = 1,
	.run = run_attachments,
	.options = attachments_rows,
	.options_size = sizeof(struct attachments_options),
};
