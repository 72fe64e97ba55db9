/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/print.h"

#include <archive.h>
#include <archive_entry.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* clang-format off */
#define EVIDENCE_OPTIONS(ROW) \
	ROW(output, STRING, "FILE", NULL, "Where `get` saves to; else INSTANCE.tar.zst.")
/* clang-format on */

struct evidence_options {
	struct cli_common common;
	EVIDENCE_OPTIONS(OPTION_MEMBER)
};

/* clang-format off */
#define ROW(...) OPTION_ROW(struct evidence_options, __VA_ARGS__)
static const struct option_row evidence_rows[] = { EVIDENCE_OPTIONS(ROW) CLI_ROWS_END };
#undef ROW
/* clang-format on */

/* --- verify: a bundle against the manifest that is in it ---------------------------------- */

enum { MANIFEST_MAX = 1 << 20, HASH_SIZE = 65 };

static const char manifest_name[] = "manifest.json";

static void archivep(struct archive **archive)
{
	archive_read_free(*archive);
}

struct bundle {
	struct archive *archive;
	json_t *found; /* {name: {size, sha256}} of what is in it */
	struct buf manifest;
};

static int damaged(struct archive *archive, struct err *e)
{
	return err_set(e, ERR_INVALID, "it is damaged: %s", archive_error_string(archive));
}

/* Reads the entry that the archive stands at; kept gets its bytes, unless it is NULL. */
static int read_entry(struct archive *archive, struct buf *kept, json_t **ret_found, struct err *e)
{
	unsigned char digest[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state state;
	char part[32 << 10], hash[HASH_SIZE];
	json_int_t size = 0;
	la_ssize_t len;

	crypto_hash_sha256_init(&state);
	while ((len = archive_read_data(archive, part, sizeof(part))) > 0) {
		crypto_hash_sha256_update(&state, (unsigned char *)part, (size_t)len);
		size += len;
		if (kept)
			buf_put(kept, part, (size_t)len);
	}
	if (len < 0)
		return damaged(archive, e);
	crypto_hash_sha256_final(&state, digest);
	sodium_bin2hex(hash, sizeof(hash), digest, sizeof(digest));
	*ret_found = json_make("{s:I,s:s}", "size", size, "sha256", hash);
	return *ret_found ? 0 : err_memory(e);
}

static int read_all(struct bundle *bundle, struct err *e)
{
	struct archive_entry *entry;
	int status, r;

	while ((status = archive_read_next_header(bundle->archive, &entry)) == ARCHIVE_OK) {
		const char *name = archive_entry_pathname(entry);
		bool is_manifest = strcmp(name, manifest_name) == 0;
		json_t *found = NULL;

		if (json_object_get(bundle->found, name))
			return err_set(e, ERR_INVALID, "'%s' is in it twice", name);
		r = read_entry(bundle->archive, is_manifest ? &bundle->manifest : NULL, &found, e);
		if (r == 0 && json_object_set_new(bundle->found, name, found) < 0)
			r = err_memory(e);
		if (r < 0)
			return r;
	}
	return status == ARCHIVE_EOF ? buf_check(&bundle->manifest, e)
				     : damaged(bundle->archive, e);
}

/* One part of the manifest's against what was found, which is then ticked off. */
static int check_part(struct bundle *bundle, const json_t *part, struct buf *sums, struct err *e)
{
	const char *name, *hash;
	json_int_t size;
	json_t *found;

	if (json_unpack((json_t *)(uintptr_t)part, "{s:s,s:s,s:I}", "name", &name, "sha256", &hash,
			"size", &size) < 0)
		return err_set(e, ERR_INVALID, "its manifest is not one of ctfy's");
	found = json_object_get(bundle->found, name);
	if (!found)
		return err_set(e, ERR_INVALID, "'%s' is missing", name);
	if (json_integer_value(json_object_get(found, "size")) != size ||
	    strcmp(json_string_value(json_object_get(found, "sha256")), hash) != 0)
		return err_set(e, ERR_INVALID, "'%s' is not what was packed", name);
	buf_printf(sums, "%s  %s\n", hash, name);
	json_object_del(bundle->found, name);
	return 0;
}

static void hash_text(const char *text, size_t len, char hash[HASH_SIZE])
{
	unsigned char digest[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(digest, (const unsigned char *)text, len);
	sodium_bin2hex(hash, HASH_SIZE, digest, sizeof(digest));
}

/* Version 2 says what is missing: that is under its hash, too. */
static int add_account(const json_t *manifest, struct buf *sums, struct err *e)
{
	const json_t *account = json_object_get(manifest, "account");
	AUTO(char *, freep) text = NULL;
	char hash[HASH_SIZE];

	if (!account)
		return 0;
	text = json_dumps(account, JSON_COMPACT | JSON_SORT_KEYS);
	if (!text)
		return err_memory(e);
	hash_text(text, strlen(text), hash);
	buf_printf(sums, "%s  account\n", hash);
	return 0;
}

/* Since version 3 the hash is over all else that the manifest says. */
static int hash_manifest(const json_t *manifest, char hash[HASH_SIZE], struct err *e)
{
	AUTO(json_t *, json_decrefp) rest = json_copy((json_t *)(uintptr_t)manifest);
	AUTO(char *, freep) text = NULL;

	json_object_del(rest, "sha256");
	text = rest ? json_dumps(rest, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	if (!text)
		return err_memory(e);
	hash_text(text, strlen(text), hash);
	return 0;
}

/* Before that it was over the parts' hashes and names, as sha256sum prints them, and the account's.
 */
static int hash_sums(const json_t *manifest, struct buf *sums, char hash[HASH_SIZE], struct err *e)
{
	int r = add_account(manifest, sums, e);

	if (r == 0)
		r = buf_check(sums, e);
	if (r == 0)
		hash_text(sums->data, sums->len, hash);
	return r;
}

static int check_whole(const json_t *manifest, struct buf *sums, struct err *e)
{
	const char *whole = json_string_value(json_object_get(manifest, "sha256"));
	char hash[HASH_SIZE];
	int r = json_integer_value(json_object_get(manifest, "version")) >= 3
			? hash_manifest(manifest, hash, e)
			: hash_sums(manifest, sums, hash, e);

	if (r < 0)
		return r;
	if (!whole || strcmp(whole, hash) != 0)
		return err_set(e, ERR_INVALID, "its manifest was changed");
	return 0;
}

static int check_manifest(struct bundle *bundle, json_t *manifest, struct err *e)
{
	struct buf sums = BUF_INIT;
	const json_t *part;
	const char *extra;
	json_t *found;
	size_t i;
	int r = 0;

	json_object_del(bundle->found, manifest_name);
	json_array_foreach (json_object_get(manifest, "parts"), i, part)
		if (r == 0)
			r = check_part(bundle, part, &sums, e);
	if (r == 0)
		r = check_whole(manifest, &sums, e);
	buf_done(&sums);
	json_object_foreach (bundle->found, extra, found)
		if (r == 0)
			r = err_set(e, ERR_INVALID, "'%s' was added", extra);
	return r;
}

static int verify_open(struct bundle *bundle, const char *path, json_t **ret_manifest,
		       struct err *e)
{
	int r;

	if (!bundle->archive || !bundle->found)
		return err_memory(e);
	archive_read_support_filter_zstd(bundle->archive);
	archive_read_support_format_tar(bundle->archive);
	/* To the end of the file, where zstd's checksum is: not to the end of the tar alone. */
	archive_read_set_option(bundle->archive, "tar", "read_concatenated_archives", "1");
	if (archive_read_open_filename(bundle->archive, path, 64 << 10) != ARCHIVE_OK)
		return err_set(e, ERR_INVALID, "%s", archive_error_string(bundle->archive));
	r = read_all(bundle, e);
	if (r == 0 && bundle->manifest.len == 0)
		r = err_set(e, ERR_INVALID, "it has no manifest: it was cut short");
	if (r == 0)
		r = json_parse(bundle->manifest.data, bundle->manifest.len, ret_manifest, e);
	return r < 0 ? r : check_manifest(bundle, *ret_manifest, e);
}

static int verify(const char *path, json_t **ret_manifest, struct err *e)
{
	AUTO(struct archive *, archivep) archive = archive_read_new();
	AUTO(json_t *, json_decrefp) found = json_object();
	AUTO(json_t *, json_decrefp) manifest = NULL;
	struct bundle bundle = { .archive = archive,
				 .found = found,
				 .manifest = BUF_LIMITED(MANIFEST_MAX) };
	int r = verify_open(&bundle, path, &manifest, e);

	buf_done(&bundle.manifest);
	if (r < 0)
		return err_wrap(e, "'%s'", path);
	*ret_manifest = TAKE(manifest);
	return 0;
}

static void tell_account(const json_t *account)
{
	const json_t *row;
	size_t i;

	if (!account)
		return;
	puts(is_true(account, "complete") ? "complete: nothing that was to be recorded is missing"
					  : "not complete:");
	json_array_foreach (json_object_get(account, "missing"), i, row)
		print_words(json_string_value(row));
	json_array_foreach (json_object_get(account, "absent"), i, row) {
		fputs("absent: ", stdout);
		print_text(text_of(row, "name"));
		fputs(", ", stdout);
		print_text(text_of(row, "why"));
		putchar('\n');
	}
}

static void tell(const struct cli *cli, const char *path, const json_t *manifest)
{
	if (cli->common->json) {
		print_json(manifest);
		return;
	}
	printf("%s: evidence of instance '%s', made at %s: all %zu parts are as they were packed\n",
	       path, text_of(manifest, "instance_id"), text_of(manifest, "made_at"),
	       json_array_size(json_object_get(manifest, "parts")));
	tell_account(json_object_get(manifest, "account"));
}

static int run_verify(struct cli *cli, struct err *e)
{
	AUTO(json_t *, json_decrefp) manifest = NULL;
	int r = verify(cli->argv[1], &manifest, e);

	if (r == 0)
		tell(cli, cli->argv[1], manifest);
	return r;
}

/* --- get: from the platform --------------------------------------------------------------- */

/* Under its name there is never less than a whole bundle. */
static int fetch(struct cli *cli, const char *path, json_t **ret_manifest, struct err *e)
{
	AUTO(char *, freep) route =
		api_path(cli->api, "/admin/instances/%s/evidence", cli->argv[1]);
	AUTO(char *, freep) beside = strf("%s.unverified", path);
	int r;

	if (!route || !beside)
		return err_memory(e);
	r = api_download(cli->api, route, beside, e);
	if (r < 0)
		return err_wrap(e, "instance '%s'", cli->argv[1]);
	r = verify(beside, ret_manifest, e);
	if (r == 0 && rename(beside, path) < 0)
		r = err_errno(e, ERR_INVALID, "write '%s'", path);
	if (r < 0)
		unlink(beside);
	return r;
}

static int run_get(struct cli *cli, struct err *e)
{
	const struct evidence_options *options = cli->options;
	AUTO(char *, freep) own = strf("%s.tar.zst", cli->argv[1]);
	AUTO(json_t *, json_decrefp) manifest = NULL;
	const char *path = options->output ? options->output : own;
	int r = path ? fetch(cli, path, &manifest, e) : err_memory(e);

	if (r == 0)
		tell(cli, path, manifest);
	return r;
}

/* --- timeline ----------------------------------------------------------------------------- */

static void print_timeline(const json_t *events)
{
	static const char *const headings[] = { "AT", "EVENT", "SERVICE", "DETAIL", NULL };
	struct table *table = table_new(headings);
	const json_t *event;
	size_t i;

	json_array_foreach (events, i, event)
		table_add(table, text_of(event, "at"), text_of(event, "event"),
			  text_of(event, "service"), text_of(event, "detail"));
	table_print(table, "Nothing has happened to it.");
}

static int run_timeline(struct cli *cli, struct err *e)
{
	AUTO(char *, freep) route =
		api_path(cli->api, "/admin/instances/%s/timeline", cli->argv[1]);
	AUTO(json_t *, json_decrefp) timeline = NULL;
	int r = route ? api_get(cli->api, route, &timeline, e) : err_memory(e);

	if (r < 0)
		return err_wrap(e, "instance '%s'", cli->argv[1]);
	if (cli->common->json)
		print_json(timeline);
	else
		print_timeline(json_object_get(timeline, "events"));
	return CLI_OK;
}

static int run_evidence(struct cli *cli, struct err *e)
{
	static const struct {
		const char *name;
		cli_run *run;
	} actions[] = { { "get", run_get },
			{ "timeline", run_timeline },
			{ "verify", run_verify } };

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (strcmp(actions[i].name, cli->argv[0]) == 0)
			return actions[i].run(cli, e);
	return CLI_MISUSE(e, "there is no 'evidence %s': get, timeline or verify", cli->argv[0]);
}

const struct cli_command cmd_evidence = {
	.name = "evidence",
	.arguments = "get INSTANCE | timeline INSTANCE | verify FILE",
	.summary =
		"An instance's evidence in one file; what happened to it; whether a file is whole.",
	.details =
		"`get` and `timeline` are for organisers. `get` verifies what it fetched, and "
		"leaves\n"
		"nothing behind that is not whole. `verify` asks nobody: it checks a file by the\n"
		"manifest that is in it.",
	.least = 2,
	.most = 2,
	.run = run_evidence,
	.options = evidence_rows,
	.options_size = sizeof(struct evidence_options),
};
