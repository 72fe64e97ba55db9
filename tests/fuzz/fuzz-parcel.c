/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A challenge's folder as somebody sent it: a tar, by gzip or not. Nothing of it may come to lie
 * outside of its folder, and a refusal says why. The root's neighbour must stay as it is.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "challenge/parcel.h"

#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64], root[80], guard[80];

static void forget_dir(void)
{
	tree_remove(dir, NULL);
}

static void make_dir(void)
{
	if (*dir)
		return;
	snprintf(dir, sizeof(dir), "%s/ctfy-fuzz-XXXXXX",
		 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	if (!mkdtemp(dir))
		abort();
	atexit(forget_dir);
	snprintf(root, sizeof(root), "%s/root", dir);
	snprintf(guard, sizeof(guard), "%s/guard", dir);
	if (mkdir(root, 0700) < 0 || file_write(guard, "guard", 5, 0600, NULL) < 0)
		abort();
}

/* How many entries there are beside "." and "..". */
static size_t count(const char *path)
{
	AUTO(DIR *, closedirp) open = opendir(path);
	size_t found = 0;

	while (open && readdir(open))
		found++;
	return found - 2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(char *, freep) text = NULL;
	struct err e = ERR_INIT;
	size_t len;
	int r;

	make_dir();
	r = parcel_put(root, "fuzz", NULL, data, size, &e);
	assert(r == 0 || *e.msg);
	assert(count(dir) == 2);
	assert(r == 0 ? count(root) >= 1 : count(root) == 0);
	if (file_read(guard, 16, &text, &len, &e) < 0 || strcmp(text, "guard") != 0)
		abort();
	if (r == 0 && (tree_remove(root, &e) < 0 || mkdir(root, 0700) < 0))
		abort();
	return 0;
}
