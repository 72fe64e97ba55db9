/* SPDX-License-Identifier: Apache-2.0 */
/* Replays saved samples: replay FILE-OR-DIRECTORY... */
#include "fuzz.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_SAMPLE = 16 << 20 };

static size_t replayed;

static void replay(const char *path)
{
	AUTO(DIR *, closedirp) dir = opendir(path);
	AUTO(char *, freep) bytes = NULL;
	struct err e = ERR_INIT;
	struct dirent *entry;
	size_t len;

	while (dir && (entry = readdir(dir))) {
		AUTO(char *, freep) below = strf("%s/%s", path, entry->d_name);

		if (entry->d_name[0] != '.')
			replay(below);
	}
	if (dir)
		return;
	if (file_read(path, MAX_SAMPLE, &bytes, &len, &e) < 0) {
		fprintf(stderr, "%s\n", e.msg);
		exit(1);
	}
	LLVMFuzzerTestOneInput((const uint8_t *)bytes, len);
	replayed++;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%zu samples\n", replayed);
	return replayed ? 0 : 1;
}
