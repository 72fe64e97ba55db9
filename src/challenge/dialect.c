/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/dialect.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/own.h"
#include "challenge/compose.h"
#include "challenge/folder.h"

#include <stdlib.h>

/* Events' own formats that are like rCDS' in having one `flag:`, and say what the challenge is
 * called. */
static bool is_named_and_flagged(const struct yaml_node *root)
{
	return spec_is_rcds(root) && yaml_get(root, "flag") &&
	       (yaml_get(root, "name") || yaml_get(root, "title"));
}

const struct dialect dialects[] = {
	{ "kctf",
	  { "challenge.yaml", "challenge.yml" },
	  spec_is_kctf,
	  spec_read_kctf,
	  spec_keys_kctf,
	  false },
	{ "rctf",
	  { "challenge.yaml", "challenge.yml" },
	  spec_is_rctf,
	  spec_read_rctf,
	  spec_keys_rctf,
	  false },
	{ "gzctf",
	  { "challenge.yaml", "challenge.yml" },
	  spec_is_gzctf,
	  spec_read_gzctf,
	  spec_keys_gzctf,
	  false },
	{ "rcds",
	  { "challenge.yaml", "challenge.yml" },
	  spec_is_rcds,
	  spec_read_rcds,
	  spec_keys_rcds,
	  false },
	{ "ctfcli",
	  { "challenge.yml", "challenge.yaml", "ctfcli.yaml", "ctfcli.yml" },
	  spec_is_ctfcli,
	  spec_read_ctfcli,
	  spec_keys_ctfcli,
	  false },
	{ "nyu", { "challenge.json" }, spec_is_nyu, spec_read_nyu, spec_keys_nyu, false },
	{ "ecsc", { "challenge.json" }, spec_is_ecsc, spec_read_ecsc, spec_keys_ecsc, false },
	{ "xbow", { "benchmark.json" }, spec_is_xbow, spec_read_xbow, spec_keys_xbow, false },
	{ "rcds",
	  { "task.yml", "task.yaml", "chal.yml", "chal.yaml" },
	  spec_is_rcds,
	  spec_read_rcds,
	  spec_keys_rcds,
	  false },
	{ "cybench",
	  { "metadata.json" },
	  spec_is_cybench,
	  spec_read_cybench,
	  spec_keys_cybench,
	  true },
	{ "inspect",
	  { "eval.yaml", "eval.yml" },
	  spec_is_inspect,
	  spec_read_inspect,
	  spec_keys_inspect,
	  true },
	{ "rcds",
	  { "info.yaml", "info.yml", "info.json", "metadata.yml", "metadata.json", "chal.json",
	    "chall.yml", "chall.yaml" },
	  is_named_and_flagged,
	  spec_read_rcds,
	  spec_keys_rcds,
	  true },
};
const size_t dialect_count = ARRAY_SIZE(dialects);

static bool says_spec(const struct dialect *dialect, const char *dir, const char *name)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	AUTO(struct problems, problems_done) problems = PROBLEMS_INIT;
	AUTO(char *, freep) real = realpath(dir, NULL); /* dir may be relative */
	const char *path = arena && real ? path_join(arena, real, name) : NULL;
	struct yaml_node *root = NULL;
	struct err e = ERR_INIT;
	unsigned second;

	return path &&
	       compose_parse_first(arena, real, path, real, &root, &second, &problems, &e) == 0 &&
	       dialect->recognise(root);
}

bool dialect_has_spec(const char *dir)
{
	for (size_t i = 0; i < ARRAY_SIZE(dialects); i++)
		for (const char *const *name = dialects[i].files; *name; name++)
			if (dir_has_file(dir, *name) &&
			    (!dialects[i].common_name || says_spec(&dialects[i], dir, *name)))
				return true;
	return false;
}
