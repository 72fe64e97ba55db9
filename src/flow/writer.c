/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/writer.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/own.h"
#include "flow/lines.h"
#include "flow/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	LINE_MAX_BYTES = 1 << 20, /* two heads of 64 KiB in which every byte is escaped */
	LINE_HELD = 128 << 10,    /* a larger buffer is given back */
	FILE_MODE = 0600,
};

struct flow_writer {
	int fd;
	struct flow_options options;
	struct flow_counts counts;
	struct ration ration;
	struct buf line;
	uint64_t end;  /* of the file, as far as we know */
	uint64_t told; /* how much was lost when the file said so last */
	uint64_t next_id;
	char run[9];
	bool torn;    /* the file ends within a line */
	bool failing; /* the last line was not written */
};

static void make_run(char run[9])
{
	unsigned char random[4];

	/* Never fails for so few bytes (getrandom(2)), once the machine has booted. */
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		memset(random, 0, sizeof(random));
	snprintf(run, 9, "%02x%02x%02x%02x", random[0], random[1], random[2], random[3]);
}

/* Whether somebody was ended while writing the last line. */
static int find_end(struct flow_writer *writer, const char *path, struct err *e)
{
	AUTO(int, closep) fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t end = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	char last = '\n';

	if (end < 0 || (end > 0 && pread(fd, &last, 1, end - 1) < 0))
		return err_errno(e, ERR_INTERNAL, "read '%s'", path);
	writer->end = (uint64_t)end;
	writer->torn = last != '\n';
	return 0;
}

static void put_event(struct flow_writer *writer, const char *what)
{
	struct buf *line = lines_begin(writer);

	buf_printf(line, "{\"recorder\":\"%s\",\"at\":", what);
	text_put_time(line, clock_now_ms(&clock_real) * 1000);
	if (strcmp(what, "lost") == 0)
		buf_printf(line, ",\"flows\":%llu,\"lines\":%llu",
			   (unsigned long long)writer->counts.lost_flows,
			   (unsigned long long)writer->counts.lost_lines);
	buf_putc(line, '}');
	lines_put(writer);
}

int flow_writer_open(const char *path, const struct flow_options *options,
		     struct flow_writer **ret_writer, struct err *e)
{
	struct flow_writer *writer = calloc(1, sizeof(*writer));
	int r = 0;

	if (!writer)
		return err_memory(e);
	writer->options = *options;
	writer->ration.max = options->memory_max;
	writer->line = (struct buf)BUF_LIMITED(LINE_MAX_BYTES);
	make_run(writer->run);
	writer->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, FILE_MODE);
	if (writer->fd < 0)
		r = err_errno(e, ERR_INTERNAL, "open '%s'", path);
	if (r == 0)
		r = find_end(writer, path, e);
	if (r < 0) {
		closep(&writer->fd);
		free(writer);
		return r;
	}
	put_event(writer, "begun");
	*ret_writer = writer;
	return 0;
}

static uint64_t count_lost(const struct flow_writer *writer)
{
	return writer->counts.lost_flows + writer->counts.lost_lines;
}

static void tell_lost(struct flow_writer *writer)
{
	uint64_t now = count_lost(writer);

	if (now == writer->told)
		return;
	writer->told = now;
	put_event(writer, "lost");
	if (count_lost(writer) != now) /* that line was lost as well: it will be told again */
		writer->told = 0;
}

void flow_writer_close(struct flow_writer *writer)
{
	if (!writer)
		return;
	tell_lost(writer);
	put_event(writer, "ended");
	closep(&writer->fd);
	buf_done(&writer->line);
	free(writer);
}

const struct flow_options *flow_writer_options(const struct flow_writer *writer)
{
	return &writer->options;
}

const struct flow_counts *flow_writer_counts(const struct flow_writer *writer)
{
	return &writer->counts;
}

struct ration *lines_ration(struct flow_writer *writer)
{
	return &writer->ration;
}

/* The run, and behind it a number in hexadecimal digits. */
void lines_id(struct flow_writer *writer, char id[FLOW_ID_SIZE])
{
	uint64_t number = ++writer->next_id;
	char digits[16];
	size_t at = sizeof(digits), len = strlen(writer->run);

	do
		digits[--at] = "0123456789abcdef"[number & 15];
	while (number >>= 4);
	memcpy(id, writer->run, len);
	id[len++] = '-';
	memcpy(id + len, digits + at, sizeof(digits) - at);
	id[len + sizeof(digits) - at] = '\0';
}

bool lines_have_room(const struct flow_writer *writer)
{
	return writer->end < writer->options.file_max;
}

bool lines_take_flows(const struct flow_writer *writer)
{
	return writer->end < 2 * writer->options.file_max;
}

void lines_lose_flow(struct flow_writer *writer)
{
	writer->counts.lost_flows++;
}

void lines_count_flow(struct flow_writer *writer)
{
	writer->counts.flows++;
}

struct buf *lines_begin(struct flow_writer *writer)
{
	buf_clear(&writer->line);
	return &writer->line;
}

/* Returns how much of it is in the file. */
static size_t append(struct flow_writer *writer)
{
	static char line_end[] = "\n";
	struct iovec parts[2] = { { line_end, writer->torn ? 1 : 0 },
				  { writer->line.data, writer->line.len } };
	size_t all = parts[0].iov_len + parts[1].iov_len;
	ssize_t n;

	do
		n = writev(writer->fd, parts, 2);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return 0;
	writer->torn = (size_t)n < all && !(writer->torn && n == 1);
	return (size_t)n == all ? writer->line.len : 0;
}

static int64_t lose_line(struct flow_writer *writer)
{
	writer->counts.lost_lines++;
	writer->failing = true;
	buf_done(&writer->line); /* it may be what no memory is left for */
	return -1;
}

int64_t lines_put(struct flow_writer *writer)
{
	struct buf *line = &writer->line;
	size_t len;
	off_t end;

	buf_putc(line, '\n');
	len = buf_failed(line) ? 0 : append(writer);
	if (len == 0)
		return lose_line(writer);
	/* Another may append as well: after a write our place is behind what we wrote. */
	end = lseek(writer->fd, 0, SEEK_CUR);
	writer->end = (uint64_t)end;
	writer->counts.lines++;
	writer->counts.bytes += len;
	if (line->capacity > LINE_HELD)
		buf_done(line);
	if (writer->failing) {
		writer->failing = false;
		tell_lost(writer);
	}
	return end - (off_t)len;
}
