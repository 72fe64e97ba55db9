/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of packets that are merged in the order of time. Lines "%%" part one from the next. What
 * comes out is one file of whole packets.
 */
#include "fuzz.h"

#include "base/err.h"
#include "base/file.h"
#include "node/capture.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILES = 3, FILE_HEAD = 24, PACKET_HEAD = 16 };

static char dir[64];

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
}

static void write_files(const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size;

	for (int i = 0; i < FILES; i++) {
		const uint8_t *stop = size ? memmem(data, (size_t)(end - data), "\n%%\n", 4) : NULL;
		char path[96];
		FILE *file;

		stop = stop ? stop : end;
		snprintf(path, sizeof(path), "%s/%d-1.pcap", dir, i);
		file = fopen(path, "w");
		if (!file ||
		    fwrite(data, 1, (size_t)(stop - data), file) != (size_t)(stop - data) ||
		    fclose(file) != 0)
			abort();
		data = end - stop >= 4 ? stop + 4 : end;
	}
}

struct got {
	unsigned char *bytes;
	size_t len;
};

static int take(void *cookie, const void *bytes, size_t len, struct err *e)
{
	struct got *got = cookie;

	(void)e;
	got->bytes = realloc(got->bytes, got->len + len + 1);
	if (!got->bytes)
		abort();
	memcpy(got->bytes + got->len, bytes, len);
	got->len += len;
	return 0;
}

static void check(const struct got *got)
{
	size_t at = FILE_HEAD;

	assert(got->len >= FILE_HEAD);
	while (at < got->len) {
		uint32_t captured;

		assert(got->len - at >= PACKET_HEAD);
		memcpy(&captured, got->bytes + at + 8, sizeof(captured));
		assert(captured <= got->len - at - PACKET_HEAD);
		at += PACKET_HEAD + captured;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct capture *capture = NULL;
	struct got got = { 0 };
	struct err e = ERR_INIT;

	make_dir();
	write_files(data, size);
	if (capture_open_dir(dir, &capture, &e) < 0) {
		assert(e.code == ERR_NOT_FOUND);
		return 0;
	}
	if (capture_read(capture, take, &got, &e) < 0)
		abort();
	check(&got);
	free(got.bytes);
	capture_close(capture);
	return 0;
}
