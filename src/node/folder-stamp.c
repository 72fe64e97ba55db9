/* SPDX-License-Identifier: Apache-2.0 */
#include "node/folder-stamp.h"

#include "base/err.h"
#include "base/own.h"

#include <errno.h>
#include <fts.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

enum { DIGEST_SIZE = (FOLDER_STAMP_SIZE - 1) / 2 };

static void fts_closep(FTS **tree)
{
	if (*tree)
		fts_close(*tree);
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* The change time tells of what a copied modification time would hide. */
static void add_entry(crypto_generichash_state *state, const FTSENT *entry)
{
	const struct stat *st = entry->fts_statp;
	bool known = entry->fts_info != FTS_NS && entry->fts_info != FTS_ERR;
	bool is_dir = entry->fts_info == FTS_D; /* whose times say no more than its entries do */
	const int64_t facts[] = {
		entry->fts_level,
		known ? (int64_t)st->st_mode : -1,
		known && !is_dir ? st->st_size : 0,
		known && !is_dir ? st->st_mtim.tv_sec : 0,
		known && !is_dir ? st->st_mtim.tv_nsec : 0,
		known && !is_dir ? st->st_ctim.tv_sec : 0,
		known && !is_dir ? st->st_ctim.tv_nsec : 0,
	};

	crypto_generichash_update(state, (const unsigned char *)facts, sizeof(facts));
	if (entry->fts_level > 0)
		crypto_generichash_update(state, (const unsigned char *)entry->fts_name,
					  entry->fts_namelen + 1U);
}

int folder_stamp(const char *dir, char stamp[FOLDER_STAMP_SIZE], struct err *e)
{
	AUTO(char *, freep) path = strdup(dir);
	char *const paths[] = { path, NULL };
	AUTO(FTS *, fts_closep) tree = NULL;
	unsigned char digest[DIGEST_SIZE];
	crypto_generichash_state state;
	FTSENT *entry;

	if (!path)
		return err_memory(e);
	tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	if (!tree)
		return err_errno(e, ERR_NOT_FOUND, "look into '%s'", dir);
	crypto_generichash_init(&state, NULL, 0, sizeof(digest));
	while ((errno = 0, entry = fts_read(tree))) {
		if (entry->fts_level == 0 && entry->fts_info == FTS_NS)
			return err_set(e, ERR_NOT_FOUND, "look into '%s': %s", dir,
				       strerror(entry->fts_errno));
		if (entry->fts_info != FTS_DP)
			add_entry(&state, entry);
	}
	if (errno)
		return err_errno(e, errno == ENOMEM ? ERR_MEMORY : ERR_NOT_FOUND, "look into '%s'",
				 dir);
	crypto_generichash_final(&state, digest, sizeof(digest));
	sodium_bin2hex(stamp, FOLDER_STAMP_SIZE, digest, sizeof(digest));
	return 0;
}
