/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/mount-options.h"

#include "base/arena.h"
#include "base/own.h"

#include <string.h>

static const char digits[] = "0123456789";

/* Those without a value. "dev" opens nothing: a container's devices are its cgroup's to allow. */
static const char *const flags[] = { "ro",       "rw",         "exec",        "noexec",
				     "suid",     "nosuid",     "dev",         "nodev",
				     "atime",    "noatime",    "diratime",    "nodiratime",
				     "relatime", "norelatime", "strictatime", "nostrictatime",
				     "sync",     "async" };

static const struct {
	const char *name, *values, *units;
} valued[] = {
	{ "size", digits, "kKmMgG%" },
	{ "nr_blocks", digits, "kKmMgG" },
	{ "nr_inodes", digits, "kKmMgG" },
	{ "mode", "01234567", "" },
	{ "uid", digits, "" },
	{ "gid", digits, "" },
};

static bool is_value(const char *value, const char *values, const char *units)
{
	size_t len = strspn(value, values);

	return len && len < 16 && (!value[len] || (strchr(units, value[len]) && !value[len + 1]));
}

static bool is_known(const char *option)
{
	const char *equals = strchr(option, '=');
	size_t len = equals ? (size_t)(equals - option) : 0;

	for (size_t i = 0; !equals && i < ARRAY_SIZE(flags); i++)
		if (strcmp(flags[i], option) == 0)
			return true;
	for (size_t i = 0; equals && i < ARRAY_SIZE(valued); i++)
		if (strlen(valued[i].name) == len && strncmp(valued[i].name, option, len) == 0)
			return is_value(equals + 1, valued[i].values, valued[i].units);
	return false;
}

bool tmpfs_options(struct arena *arena, const char *text, const char **ret_options,
		   const char **ret_bad)
{
	char *copy = arena_strdup(arena, text), *save = NULL;
	const char *all = "";

	for (char *option = copy ? strtok_r(copy, ",", &save) : NULL; option;
	     option = strtok_r(NULL, ",", &save)) {
		if (!is_known(option)) {
			*ret_bad = option;
			return false;
		}
		all = all && *all ? arena_printf(arena, "%s,%s", all, option) : option;
	}
	*ret_options = all ? all : "";
	return true;
}
