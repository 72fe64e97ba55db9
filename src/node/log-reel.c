/* SPDX-License-Identifier: Apache-2.0 */
#include "node/log-reel.h"

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"

#include <string.h>

/* How a line lies in a file: this, and its text. */
struct record {
	char at[LOG_TIME_LEN + 1];
	uint8_t stream;
	uint8_t cut;
	uint32_t len;
};

enum { PARTS = 3 };

void log_reel_begin(struct log_reel *reel, const char *dir, int64_t room)
{
	*reel = (struct log_reel){ .dir = dir, .room = room, .text = BUF_INIT };
}

static void take_done(struct log_take *take)
{
	fclosep(&take->file);
	*take = (struct log_take){ 0 };
}

void log_reel_done(struct log_reel *reel)
{
	take_done(&reel->first);
	take_done(&reel->before);
	take_done(&reel->newest);
	buf_done(&reel->text);
}

static void turn(struct log_reel *reel)
{
	reel->left_out_lines += reel->before.lines;
	reel->left_out_text_bytes += reel->before.text_bytes;
	take_done(&reel->before);
	reel->before = reel->newest;
	reel->newest = (struct log_take){ 0 };
}

static struct log_take *place_for(struct log_reel *reel, int64_t bytes)
{
	if (!reel->first_is_full && reel->first.bytes + bytes <= reel->room)
		return &reel->first;
	reel->first_is_full = true;
	if (reel->newest.bytes > 0 && reel->newest.bytes + bytes > reel->room)
		turn(reel);
	return &reel->newest;
}

int log_reel_put(struct log_reel *reel, const struct log_line *line, struct err *e)
{
	struct record record = { .stream = (uint8_t)line->stream,
				 .cut = line->cut,
				 .len = (uint32_t)line->len };
	struct log_take *take = place_for(reel, (int64_t)(sizeof(record) + line->len));
	int r = take->file ? 0 : file_temporary(reel->dir, &take->file, e);

	if (r < 0)
		return r;
	memcpy(record.at, line->at, sizeof(record.at));
	if (fwrite(&record, sizeof(record), 1, take->file) != 1 ||
	    fwrite(line->text, 1, line->len, take->file) != line->len)
		return err_errno(e, ERR_INTERNAL, "write a log to '%s'", reel->dir);
	take->bytes += (int64_t)(sizeof(record) + line->len);
	take->lines++;
	take->text_bytes += (int64_t)line->len;
	reel->lines++;
	reel->text_bytes += (int64_t)line->len;
	return 0;
}

static struct log_take *part_of(struct log_reel *reel)
{
	return reel->part == 0 ? &reel->first : reel->part == 1 ? &reel->before : &reel->newest;
}

int log_reel_rewind(struct log_reel *reel, struct err *e)
{
	for (reel->part = PARTS - 1; reel->part >= 0; reel->part--) {
		FILE *file = part_of(reel)->file;

		if (file && (fflush(file) != 0 || fseeko(file, 0, SEEK_SET) != 0))
			return err_errno(e, ERR_INTERNAL, "write a log to '%s'", reel->dir);
	}
	reel->part = 0;
	reel->left = reel->first.bytes;
	return 0;
}

static int read_line(struct log_reel *reel, FILE *file, struct err *e)
{
	struct record record;
	char part[4096];

	if (fread(&record, sizeof(record), 1, file) != 1)
		return err_errno(e, ERR_INTERNAL, "read a log in '%s'", reel->dir);
	buf_clear(&reel->text);
	for (size_t left = record.len; left > 0;) {
		size_t n = fread(part, 1, left < sizeof(part) ? left : sizeof(part), file);

		if (n == 0)
			return err_errno(e, ERR_INTERNAL, "read a log in '%s'", reel->dir);
		buf_put(&reel->text, part, n);
		left -= n;
	}
	reel->left -= (int64_t)(sizeof(record) + record.len);
	memcpy(reel->at, record.at, sizeof(reel->at));
	reel->line = (struct log_line){ .at = reel->at,
					.stream = (enum engine_stream)record.stream,
					.text = reel->text.data,
					.len = reel->text.len,
					.cut = record.cut };
	return buf_check(&reel->text, e);
}

int log_reel_next(struct log_reel *reel, struct err *e)
{
	int r;

	while (reel->left == 0) {
		if (reel->part == PARTS - 1)
			return LOG_REEL_END;
		reel->part++;
		reel->left = part_of(reel)->bytes;
		if (reel->part == 1 && reel->left_out_lines > 0)
			return LOG_REEL_GAP;
	}
	r = read_line(reel, part_of(reel)->file, e);
	return r < 0 ? r : LOG_REEL_LINE;
}
