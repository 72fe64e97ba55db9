#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "cli/commands.h"

#include <archive.h>
#include <archive_entry.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* `ctfy evidence verify FILE`: a bundle of a node's, against the manifest that is in it. */

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
	*ret_found = json_pack("{s:I,s:s}", "size", size, "sha256", hash);
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

static int check_whole(const json_t *manifest, const struct buf *sums, struct err *e)
{
	const char *whole = json_string_value(json_object_get(manifest, "sha256"));
	unsigned char digest[crypto_hash_sha256_BYTES];
	char hash[HASH_SIZE];

	if (buf_failed(sums))
		return err_memory(e);
	crypto_hash_sha256(digest, (const unsigned char *)sums->data, sums->len);
	sodium_bin2hex(hash, sizeof(hash), digest, sizeof(digest));
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
	if (archive_read_open_filename(bundle->archive, path, 64 << 10) != ARCHIVE_OK)
		return err_set(e, ERR_INVALID, "%s", archive_error_string(bundle->archive));
	r = read_all(bundle, e);
	if (r == 0 && bundle->manifest.len == 0)
		r = err_set(e, ERR_INVALID, "it has no manifest: it was cut short");
	if (r == 0)
		r = json_parse(bundle->manifest.data, bundle->manifest.len, ret_manifest, e);
	return r < 0 ? r : check_manifest(bundle, *ret_manifest, e);
}

static int verify(const char *path)
{
	AUTO(struct archive *, archivep) archive = archive_read_new();
	AUTO(json_t *, json_decrefp) found = json_object();
	AUTO(json_t *, json_decrefp) manifest = NULL;
	struct bundle bundle = { .archive = archive,
				 .found = found,
				 .manifest = BUF_LIMITED(MANIFEST_MAX) };
	struct err e = ERR_INIT;
	const char *instance = "", *made_at = "";
	int r = verify_open(&bundle, path, &manifest, &e);

	buf_done(&bundle.manifest);
	if (r < 0) {
		fprintf(stderr, "ctfy: '%s': %s\n", path, e.msg);
		return CLI_FAILED;
	}
	json_unpack(manifest, "{s:s,s:s}", "instance_id", &instance, "made_at", &made_at);
	printf("%s: evidence of instance '%s', made at %s: all %zu parts are as they were packed\n",
	       path, instance, made_at, json_array_size(json_object_get(manifest, "parts")));
	return CLI_OK;
}

int cmd_evidence(int argc, char **argv)
{
	static const char usage[] = "Usage: ctfy evidence verify FILE\n\n"
				    "Checks a bundle of an instance's evidence by its manifest.\n";
	bool help = argc == 2 && strcmp(argv[1], "--help") == 0;

	if (argc == 3 && strcmp(argv[1], "verify") == 0)
		return verify(argv[2]);
	fputs(usage, help ? stdout : stderr);
	return help ? CLI_OK : CLI_USAGE;
}
