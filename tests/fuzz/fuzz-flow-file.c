/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of flows, however damaged: reading it never fails, and what comes out is whole. The same
 * flows are what HAR and mitmproxy's form are made of.
 */
#include "fuzz.h"

#include "base/err.h"
#include "flow/merge.h"
#include "flow/reader.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static void forget_file(void)
{
	unlink(path);
}

static void write_file(const uint8_t *data, size_t size)
{
	FILE *file;
	int fd;

	if (!*path) {
		snprintf(path, sizeof(path), "%s/ctfy-fuzz-XXXXXX",
			 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
		fd = mkstemp(path);
		if (fd < 0)
			abort();
		close(fd);
		atexit(forget_file);
	}
	file = fopen(path, "w");
	if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0)
		abort();
}

static void read_from(int64_t at)
{
	struct flow_reader *reader = NULL;
	struct err e = ERR_INIT;
	json_t *flow;
	int r;

	if (flow_reader_open(path, &reader, &e) < 0 || flow_reader_seek(reader, at, &e) < 0)
		abort();
	while ((r = flow_reader_next_any(reader, &flow, &e)) > 0) {
		assert(json_object_get(flow, "request"));
		json_decref(flow);
	}
	assert(r == 0);
	flow_reader_close(reader);
}

static void try_codings(const uint8_t *data, size_t size)
{
	static const char *const codings[] = { "gzip", "deflate", "br", "zstd" };
	struct inflation *inflation = inflation_new();
	size_t len;

	for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++) {
		char *text = content_decode(codings[i], data, size, 1000, &len);

		assert(!text || len <= 1000);
		free(text);
	}
	for (int i = 0; inflation && i < 2; i++) {
		char *text = inflation_message(inflation, data, size, 1000, i, &len);

		assert(!text || len <= 1000);
		free(text);
	}
	inflation_free(inflation);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	write_file(data, size);
	read_from(0);
	read_from((int64_t)size / 2);
	try_codings(data, size);
	return 0;
}
