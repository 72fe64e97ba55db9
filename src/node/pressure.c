/* SPDX-License-Identifier: Apache-2.0 */
#include "node/pressure.h"

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "node/node.h"

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

enum { MIB = 1 << 20 };

static int check_disk(const char *dir, int64_t least, struct err *e)
{
	struct statvfs fs;
	int64_t left;

	if (statvfs(dir, &fs) < 0) /* an engine elsewhere: its disk is not ours to judge */
		return 0;
	left = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
	if (left < least)
		return err_set(
			e, ERR_UNAVAILABLE,
			"the node is short of disk: %lld MiB are free at '%s', %lld must stay",
			(long long)(left / MIB), dir, (long long)(least / MIB));
	return 0;
}

static int check_memory(int64_t least, struct err *e)
{
	AUTO(char *, freep) text = NULL;
	const char *line;
	long long kib;

	if (file_read("/proc/meminfo", 65536, &text, NULL, NULL) < 0)
		return 0;
	line = strstr(text, "MemAvailable:");
	if (!line || sscanf(line, "MemAvailable: %lld", &kib) != 1 || kib * 1024 >= least)
		return 0;
	return err_set(e, ERR_UNAVAILABLE,
		       "the node is short of memory: %lld MiB are available, %lld must stay",
		       kib / 1024, (long long)(least / MIB));
}

int pressure_check_disk(const struct node *node, struct err *e)
{
	int r = check_disk(node->state_dir, node->options->min_free_disk, e);

	return r == 0 ? check_disk(node->engine_dir, node->options->min_free_disk, e) : r;
}

int pressure_check_watermark(const struct node *node, struct err *e)
{
	int64_t least = node->options->min_free_disk / 2;
	int r = check_disk(node->state_dir, least, e);

	return r == 0 ? check_disk(node->engine_dir, least, e) : r;
}

int pressure_check(const struct node *node, struct err *e)
{
	int r = pressure_check_disk(node, e);

	if (r == 0)
		r = check_memory(node->options->min_free_memory, e);
	return r;
}
