/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line: a table of commands, each with its own file, its options in rows, and one
 * function. main.c parses, opens what the command needs, runs it and says what went wrong.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/option.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct api;
struct err;

/* What ctfy exits with; docs/cli.md has the same list. */
enum cli_status {
	CLI_OK = 0,
	CLI_FAILED = 1,        /* refused, or it did not work */
	CLI_USAGE = 2,         /* the command line itself is wrong */
	CLI_UNREACHABLE = 3,   /* no answer from the platform */
	CLI_NOT_LOGGED_IN = 4, /* no token, or one that is not valid */
	CLI_WRONG_ANSWER = 5,  /* submit: the answer is wrong */
	CLI_NOT_YET = 6,       /* still going on when our patience ended */
};

/* Options of every command that talks to the platform. */
/* clang-format off */
#define CLI_COMMON_OPTIONS(ROW) \
	ROW(url, STRING, "URL", NULL, "The platform; else CTFY_URL, else where you logged in.") \
	ROW(token_file, STRING, "FILE", NULL, "File with an API token; else CTFY_TOKEN, else that of your login.") \
	ROW(ca_file, STRING, "FILE", NULL, "Authorities accepted for https (PEM); else the system's.") \
	ROW(competition, STRING, "ID", NULL, "Which competition, where there are several.") \
	ROW(json, FLAG, NULL, NULL, "Print JSON, for programs.") \
	ROW(help, FLAG, NULL, NULL, "Show this help.")
/* clang-format on */

struct cli_common {
	CLI_COMMON_OPTIONS(OPTION_MEMBER)
};

/* A command at work. */
struct cli {
	const struct cli_common *common;
	const void *options; /* the command's own struct */
	struct api *api;
	int argc; /* words that are not options */
	char **argv;
	bool terminal; /* standard output is one */
};

/* Instead of an error code: the words fit none of the command's forms. */
enum { CLI_MISUSED = -1000 };
#define CLI_MISUSE(e, ...) (err_set((e), ERR_INVALID, __VA_ARGS__), CLI_MISUSED)

/*
 * Runs to an exit status, or a negative error code with e filled, which main reports: an
 * UNAUTHORIZED as CLI_NOT_LOGGED_IN, a failed connection as CLI_UNREACHABLE, CLI_MISUSED as
 * CLI_USAGE, else CLI_FAILED.
 */
typedef int cli_run(struct cli *cli, struct err *e);

struct cli_command {
	const char *name;
	const char *arguments; /* as help shows them; "" for none */
	const char *summary;
	const char *details; /* more of it, in its own help; NULL: none */
	int least, most;     /* words it takes; most -1: any number */
	cli_run *run;
	/* Its own options; their struct begins with a struct cli_common. NULL: the common ones. */
	const struct option_row *options;
	size_t options_size;
	int (*main)(int argc, char **argv); /* instead of all that: it parses for itself */
};

/* Parses, runs and reports what came of it: the exit status. */
int cli_main(const struct cli_command *command, int argc, char **argv);

/* A row of a command's own options, given its struct. */
#define CLI_ROWS_END         \
	{                    \
		.name = NULL \
	}

#endif
