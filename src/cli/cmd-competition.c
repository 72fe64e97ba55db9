/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/print.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* competition apply FILE|DIR */

#define COMPETITION_OPTIONS(ROW) \
	ROW(dry_run, FLAG, NULL, NULL, "Show what would change, and change nothing.")

struct competition_options {
	struct cli_common common;
	COMPETITION_OPTIONS(OPTION_MEMBER)
};

/* clang-format off */
#define ROW(...) OPTION_ROW(struct competition_options, __VA_ARGS__)
static const struct option_row option_rows[] = { COMPETITION_OPTIONS(ROW) CLI_ROWS_END };
#undef ROW
/* clang-format on */

enum { COMPETITION_FILE_MAX = 1 << 20 };

static void print_value(const char *sign, const json_t *value)
{
	AUTO(char *, freep) text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

	printf("    %s ", sign);
	print_text(text ? text : "");
	putchar('\n');
}

static void print_warnings(const json_t *applied)
{
	const json_t *warning;
	size_t i;

	json_array_foreach (json_object_get(applied, "warnings"), i, warning) {
		printf("  warning: ");
		print_text(json_string_value(warning));
		putchar('\n');
	}
}

static void print_changes(const char *path, const json_t *applied, bool dry_run)
{
	const json_t *changes = json_object_get(applied, "changes");
	json_t *change;
	size_t i;

	printf("%s: competition '%s': ", path, text_of(applied, "id"));
	if (json_array_size(changes) == 0) {
		puts("nothing changes");
		print_warnings(applied);
		return;
	}
	puts(dry_run ? "would change" : "changed");
	json_array_foreach (changes, i, change) {
		printf("  %s\n", text_of(change, "key"));
		if (!json_is_null(json_object_get(change, "from")))
			print_value("-", json_object_get(change, "from"));
		print_value("+", json_object_get(change, "to"));
	}
	print_warnings(applied);
}

static int send_file(struct cli *cli, const char *path, bool dry_run, json_t **ret_applied,
		     struct err *e)
{
	AUTO(char *, freep) text = NULL;
	const struct api_call call = {
		.method = "POST",
		.path = dry_run ? "/admin/competitions?dry_run=true" : "/admin/competitions",
		.ret_json = ret_applied,
	};
	struct api_call with_text = call;
	int r = file_read(path, COMPETITION_FILE_MAX, &text, NULL, e);

	if (r < 0)
		return r;
	with_text.text = text;
	r = api_do(cli->api, &with_text, e);
	/* The platform can't know what the file is called here. */
	return r < 0 ? err_wrap(e, "'%s'", path) : r;
}

/* What would change is shown first, then it is done. */
static int apply_file(struct cli *cli, const char *path, bool dry_run, struct err *e)
{
	AUTO(json_t *, json_decrefp) planned = NULL;
	AUTO(json_t *, json_decrefp) applied = NULL;
	bool changes;
	int r;

	r = send_file(cli, path, true, &planned, e);
	if (r < 0)
		return r;
	changes = json_array_size(json_object_get(planned, "changes")) > 0;
	if (!cli->common->json)
		print_changes(path, planned, dry_run || !changes);
	if (!dry_run && changes)
		r = send_file(cli, path, false, &applied, e);
	if (r >= 0 && cli->common->json)
		print_json(applied ? applied : planned);
	return r < 0 ? r : CLI_OK;
}

static int is_competition_file(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && entry->d_name[0] != '.' &&
	       (strcmp(dot, ".yml") == 0 || strcmp(dot, ".yaml") == 0);
}

static int apply_directory(struct cli *cli, const char *dir, bool dry_run, struct err *e)
{
	struct dirent **entries;
	int r = CLI_OK, count = scandir(dir, &entries, is_competition_file, alphasort);

	if (count < 0)
		return err_errno(e, ERR_INVALID, "read '%s'", dir);
	if (count == 0)
		r = err_set(e, ERR_NOT_FOUND, "there is no *.yml in '%s'", dir);
	for (int i = 0; i < count; i++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", dir, entries[i]->d_name);
		if (r == CLI_OK)
			r = apply_file(cli, path, dry_run, e);
		free(entries[i]);
	}
	free(entries);
	return r;
}

static int run_competition(struct cli *cli, struct err *e)
{
	const struct competition_options *options = cli->options;
	struct stat st;

	if (strcmp(cli->argv[0], "apply") != 0)
		return CLI_MISUSE(e, "it is: ctfy competition apply FILE|DIR");
	if (stat(cli->argv[1], &st) < 0)
		return err_errno(e, ERR_NOT_FOUND, "'%s'", cli->argv[1]);
	return S_ISDIR(st.st_mode) ? apply_directory(cli, cli->argv[1], options->dry_run, e)
				   : apply_file(cli, cli->argv[1], options->dry_run, e);
}

const struct cli_command cmd_competition = {
	.name = "competition",
	.arguments = "apply FILE|DIR",
	.summary = "Make competitions what their files say; shows what changes.",
	.details = "A directory stands for its *.yml. Applying the same again changes nothing.",
	.least = 2,
	.most = 2,
	.run = run_competition,
	.options = option_rows,
	.options_size = sizeof(struct competition_options),
};
