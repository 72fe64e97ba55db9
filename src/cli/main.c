/* SPDX-License-Identifier: Apache-2.0 */
#include "node/main.h"
#include "base/err.h"
#include "base/own.h"
#include "base/secret.h"
#include "base/utf8.h"
#include "cli/api.h"
#include "cli/cmd-challenge.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "platform/main.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static int print_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	puts("ctfy " CTFY_VERSION);
	return CLI_OK;
}

/* clang-format off */
#define RAW(name_, arguments_, summary_, main_) \
	static const struct cli_command raw_##main_ = { \
		.name = name_, .arguments = arguments_, .summary = summary_, .main = main_ }

RAW("up", "[OPTION]...", "Run platform and node on this machine, in one process.", cmd_up);
RAW("platform", "[OPTION]...", "Run the platform.", platform_main);
RAW("backup", "--state DIR FILE", "Copy the platform's database while it runs.", platform_backup_main);
RAW("restore", "--state DIR FILE", "Put a backup in its place.", platform_restore_main);
RAW("node", "[OPTION]...", "Run a node for a platform.", node_main);
RAW("doctor", "[OPTION]...", "Say what this host can hold, and what limits it.", node_doctor_main);
RAW("clean", "[--all | NODE...]", "Remove what nodes left on this engine.", node_clean_main);
RAW("challenge", "lint|plan|test|sync PATH...", "Check challenge folders; show what they would start; try them; upload them.", cmd_challenge);
RAW("version", "", "Print the version.", print_version);
/* clang-format on */

static const struct {
	const char *title;
	const struct cli_command *commands[20];
} groups[] = {
	{ "Play",
	  { &cmd_register, &cmd_login, &cmd_logout, &cmd_me, &cmd_password, &cmd_token, &cmd_team,
	    &cmd_challenges, &cmd_show, &cmd_attachments, &cmd_start, &cmd_status, &cmd_renew,
	    &cmd_stop, &cmd_submit, &cmd_submissions, &cmd_scoreboard, NULL } },
	{ "Organise",
	  { &cmd_competition, &cmd_admin, &cmd_shell, &cmd_agent, &cmd_evidence, NULL } },
	{ "Run",
	  { &raw_cmd_up, &raw_platform_main, &raw_platform_backup_main, &raw_platform_restore_main,
	    &raw_node_main, &raw_node_doctor_main, &raw_node_clean_main, &cmd_join, NULL } },
	{ "Make challenges", { &raw_cmd_challenge, NULL } },
	{ "About", { &raw_print_version, NULL } },
};

static void print_overview(FILE *out)
{
	fputs("Usage: ctfy COMMAND [ARGUMENT]...\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		fprintf(out, "\n%s:\n", groups[i].title);
		for (size_t j = 0; groups[i].commands[j]; j++)
			fprintf(out, "  %-14s%s\n", groups[i].commands[j]->name,
				groups[i].commands[j]->summary);
	}
	fputs("\n`ctfy COMMAND --help` says more about one.\n", out);
}

static const struct cli_command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		for (size_t j = 0; groups[i].commands[j]; j++)
			if (strcmp(groups[i].commands[j]->name, name) == 0)
				return groups[i].commands[j];
	return NULL;
}

/* clang-format off */
#define ROW(...) OPTION_ROW(struct cli_common, __VA_ARGS__)
static const struct option_row common_rows[] = { CLI_COMMON_OPTIONS(ROW) CLI_ROWS_END };
#undef ROW
/* clang-format on */

static size_t count_rows(const struct option_row *rows)
{
	size_t count = 0;

	while (rows && rows[count].name)
		count++;
	return count;
}

/* The command's own rows, then the common ones: their struct begins with the common one. */
static struct option_row *all_rows(const struct cli_command *command)
{
	size_t own = count_rows(command->options), common = count_rows(common_rows);
	struct option_row *rows = calloc(own + common + 1, sizeof(*rows));

	if (rows && command->options)
		memcpy(rows, command->options, own * sizeof(*rows));
	if (rows)
		memcpy(rows + own, common_rows, common * sizeof(*rows));
	return rows;
}

static void print_command_help(const struct cli_command *command, const struct option_row *rows)
{
	/* Where what comes last may be anything, they have a place before it. */
	bool placed = strstr(command->arguments, "[OPTION]") != NULL;

	printf("Usage: ctfy %s%s%s%s\n\n%s\n", command->name, *command->arguments ? " " : "",
	       command->arguments, placed ? "" : " [OPTION]...", command->summary);
	if (command->details)
		printf("\n%s\n", command->details);
	puts("\nOptions:");
	options_help(rows, stdout);
}

static int check_words(const struct cli_command *command, int count, struct err *e)
{
	if (count < command->least)
		return err_set(e, ERR_INVALID, "something is missing: ctfy %s %s", command->name,
			       command->arguments);
	if (command->most >= 0 && count > command->most)
		return err_set(e, ERR_INVALID, "that is too much: ctfy %s %s", command->name,
			       command->arguments);
	return 0;
}

/* A platform is told texts: what was said in another encoding would reach it as something else. */
static int check_encoding(int argc, char **argv, struct err *e)
{
	for (int i = 1; i < argc; i++)
		if (!utf8_is_valid(argv[i], strlen(argv[i])))
			return err_set(e, ERR_INVALID,
				       "the word %d is not in UTF-8: is the terminal?", i);
	return 0;
}

static enum cli_status status_of(int r)
{
	if (r == CLI_MISUSED)
		return CLI_USAGE;
	switch (-r) {
	case ERR_UNAUTHORIZED: return CLI_NOT_LOGGED_IN;
	case ERR_CONNECT:
	case ERR_TIMEOUT:
	case ERR_TLS:
	case ERR_TRANSPORT: return CLI_UNREACHABLE;
	default: return CLI_FAILED;
	}
}

static int run(const struct cli_command *command, struct cli *cli, struct err *e)
{
	int r = secret_init(e);

	if (r == 0)
		r = api_open(cli->common, &cli->api, e);
	if (r == 0)
		r = command->run(cli, e);
	api_close(cli->api);
	if (r >= 0)
		return r;
	fflush(stdout);
	fprintf(stderr, "ctfy %s: ", command->name);
	print_text_to(stderr, e->msg); /* the platform's words, and so its players' and engines' */
	fputc('\n', stderr);
	if (r == -ERR_UNAUTHORIZED)
		fprintf(stderr, "(ctfy login NAME, or set CTFY_TOKEN)\n");
	return status_of(r);
}

int cli_main(const struct cli_command *command, int argc, char **argv)
{
	size_t size = command->options ? command->options_size : sizeof(struct cli_common);
	AUTO(struct option_row *, freep) rows = all_rows(command);
	AUTO(void *, freep) options = calloc(1, size);
	struct cli cli = { .common = options,
			   .options = options,
			   .argv = argv + 1,
			   .terminal = isatty(STDOUT_FILENO) != 0 };
	struct err e = ERR_INIT;
	int r;

	if (!rows || !options) {
		fputs("ctfy: out of memory\n", stderr);
		return CLI_FAILED;
	}
	r = check_encoding(argc, argv, &e);
	if (r == 0)
		r = options_parse(rows, options, argc, argv, &cli.argc, &e);
	if (r == 0 && cli.common->help) {
		print_command_help(command, rows);
		return CLI_OK;
	}
	if (r == 0)
		r = check_words(command, cli.argc, &e);
	if (r < 0) {
		fprintf(stderr, "ctfy %s: %s\n", command->name, e.msg);
		return CLI_USAGE;
	}
	return run(command, &cli, &e);
}

static int dispatch(int argc, char **argv)
{
	const struct cli_command *command = find_command(argv[0]);

	if (!command) {
		fprintf(stderr, "ctfy: there is no command '%s': see ctfy help\n", argv[0]);
		return CLI_USAGE;
	}
	return command->main ? command->main(argc, argv) : cli_main(command, argc, argv);
}

static bool asks_for_help(const char *word)
{
	return strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* A daemon holds a file per connection; the usual soft limit of 1024 is for programs with select().
 */
static void raise_open_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* What could not be written was not done; who stops reading, as head does, has enough. */
static int finish(int status)
{
	if (fflush(stdout) == 0 || errno == EPIPE)
		return status;
	fprintf(stderr, "ctfy: write to standard output: %s\n", strerrordesc_np(errno));
	return status == CLI_OK ? CLI_FAILED : status;
}

int main(int argc, char **argv)
{
	char *help_of[] = { NULL, (char[]){ "--help" }, NULL };

	signal(SIGPIPE, SIG_IGN);
	raise_open_files();
	if (argc < 2) {
		print_overview(stderr);
		return CLI_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0)
		return finish(print_version(argc, argv));
	if (!asks_for_help(argv[1]))
		return finish(dispatch(argc - 1, argv + 1));
	if (argc == 2) {
		print_overview(stdout);
		return finish(CLI_OK);
	}
	help_of[0] = argv[2];
	return finish(dispatch(2, help_of));
}
