/* SPDX-License-Identifier: Apache-2.0 */
#include "node/capture.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	/* A packet is never longer: tcpdump's own snapshot length. */
	PACKET_MAX = 262144,
	PART_SIZE = 64 << 10,
};

struct pcap_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy, snapshot, link;
};

struct packet_header {
	uint32_t seconds, micros;
	uint32_t captured, length;
};

struct capture_file {
	FILE *file;
	uint64_t left;             /* bytes of it that were there when it was opened */
	struct packet_header next; /* the packet that comes next */
	bool ended;
};

struct capture {
	struct pcap_header header;
	struct capture_file *files;
	size_t count;
};

/* Reads the header of the file's next packet; the end is whatever isn't a whole packet. */
static void advance(struct capture_file *file)
{
	file->ended = file->left < sizeof(file->next) ||
		      fread(&file->next, sizeof(file->next), 1, file->file) != 1;
	if (file->ended)
		return;
	file->left -= sizeof(file->next);
	file->ended = file->next.captured > PACKET_MAX || file->next.captured > file->left;
}

static int open_file(struct capture *capture, int dir, const char *name, struct err *e)
{
	struct capture_file *files =
		realloc(capture->files, (capture->count + 1) * sizeof(*capture->files));
	struct capture_file file = { 0 };
	struct stat st;
	int fd;

	if (!files)
		return err_memory(e);
	capture->files = files;
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, ERR_INTERNAL, "open '%s'", name);
	file.file = fdopen(fd, "r");
	if (!file.file) {
		close(fd);
		return err_memory(e);
	}
	files[capture->count++] = file;
	if (fstat(fd, &st) < 0 || (uint64_t)st.st_size < sizeof(capture->header) ||
	    fread(&capture->header, sizeof(capture->header), 1, file.file) != 1) {
		files[capture->count - 1].ended = true; /* it is being made */
		return 0;
	}
	files[capture->count - 1].left = (uint64_t)st.st_size - sizeof(capture->header);
	advance(&files[capture->count - 1]);
	return 0;
}

static int open_files(struct capture *capture, DIR *dir, struct err *e)
{
	struct dirent *entry;
	int r = 0;

	while (r == 0 && (entry = readdir(dir)))
		if (strstr(entry->d_name, ".pcap"))
			r = open_file(capture, dirfd(dir), entry->d_name, e);
	return r;
}

int capture_open_dir(const char *path, struct capture **ret_capture, struct err *e)
{
	AUTO(struct capture *, capture_closep) capture = calloc(1, sizeof(*capture));
	AUTO(DIR *, closedirp) dir = opendir(path);
	int r = capture ? 0 : err_memory(e);

	if (r == 0 && dir)
		r = open_files(capture, dir, e);
	if (r < 0)
		return r;
	if (!capture->header.magic)
		return err_set(e, ERR_NOT_FOUND, "no packets are in '%s'", path);
	*ret_capture = TAKE(capture);
	return 0;
}

void capture_close(struct capture *capture)
{
	if (!capture)
		return;
	for (size_t i = 0; i < capture->count; i++)
		fclose(capture->files[i].file);
	free(capture->files);
	free(capture);
}

static bool is_before(const struct packet_header *a, const struct packet_header *b)
{
	return a->seconds != b->seconds ? a->seconds < b->seconds : a->micros < b->micros;
}

static struct capture_file *earliest(struct capture *capture)
{
	struct capture_file *found = NULL;

	for (size_t i = 0; i < capture->count; i++) {
		struct capture_file *file = &capture->files[i];

		if (!file->ended && (!found || is_before(&file->next, &found->next)))
			found = file;
	}
	return found;
}

/* Appends the file's next packet; false: the ring has come round, and took the file away. */
static bool take_packet(struct capture_file *file, struct buf *part, void *bytes)
{
	if (fread(bytes, 1, file->next.captured, file->file) != file->next.captured) {
		file->ended = true;
		return false;
	}
	buf_put(part, &file->next, sizeof(file->next));
	buf_put(part, bytes, file->next.captured);
	file->left -= file->next.captured;
	advance(file);
	return true;
}

static int flush(struct buf *part, capture_sink *sink, void *cookie, struct err *e)
{
	int r = buf_check(part, e);

	if (r == 0)
		r = sink(cookie, part->data, part->len, e);
	buf_clear(part);
	return r;
}

int capture_read(struct capture *capture, capture_sink *sink, void *cookie, struct err *e)
{
	AUTO(char *, freep) bytes = malloc(PACKET_MAX);
	struct buf part = BUF_INIT;
	struct capture_file *file;
	int r = bytes ? 0 : err_memory(e);

	buf_put(&part, &capture->header, sizeof(capture->header));
	while (r == 0 && (file = earliest(capture)))
		if (take_packet(file, &part, bytes) && part.len >= PART_SIZE)
			r = flush(&part, sink, cookie, e);
	if (r == 0)
		r = flush(&part, sink, cookie, e);
	buf_done(&part);
	return r;
}
