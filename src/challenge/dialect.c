#include "challenge/dialect.h"

#include "base/own.h"
#include "challenge/folder.h"

const struct dialect dialects[] = {
	{ "kctf",
	  { "challenge.yaml", "challenge.yml" },
	  spec_is_kctf,
	  spec_read_kctf,
	  spec_keys_kctf },
	{ "gzctf",
	  { "challenge.yaml", "challenge.yml" },
	  spec_is_gzctf,
	  spec_read_gzctf,
	  spec_keys_gzctf },
	{ "rcds",
	  { "challenge.yaml", "challenge.yml" },
	  spec_is_rcds,
	  spec_read_rcds,
	  spec_keys_rcds },
	{ "ctfcli",
	  { "challenge.yml", "challenge.yaml", "ctfcli.yaml", "ctfcli.yml" },
	  spec_is_ctfcli,
	  spec_read_ctfcli,
	  spec_keys_ctfcli },
	{ "nyu", { "challenge.json" }, spec_is_nyu, spec_read_nyu, spec_keys_nyu },
	{ "ecsc", { "challenge.json" }, spec_is_ecsc, spec_read_ecsc, spec_keys_ecsc },
	{ "xbow", { "benchmark.json" }, spec_is_xbow, spec_read_xbow, spec_keys_xbow },
	{ "rcds",
	  { "task.yml", "task.yaml", "chal.yml", "chal.yaml" },
	  spec_is_rcds,
	  spec_read_rcds,
	  spec_keys_rcds },
};
const size_t dialect_count = ARRAY_SIZE(dialects);

bool dialect_has_spec(const char *dir)
{
	for (size_t i = 0; i < ARRAY_SIZE(dialects); i++)
		for (const char *const *name = dialects[i].files; *name; name++)
			if (dir_has_file(dir, *name))
				return true;
	return false;
}
