/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "engine/buildkit.h"
#include "engine/container.h"
#include "engine/demux.h"
#include "engine/engine.h"
#include "engine/reference.h"
#include "engine/tar.h"

#include "check.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>
#include <sys/stat.h>

static struct err e;

/* Frames */

static int note(void *cookie, enum engine_stream stream, const void *bytes, size_t len,
		struct err *err)
{
	struct buf *heard = cookie;

	(void)err;
	for (size_t i = 0; i < len; i++)
		buf_printf(heard, "%d%c", (int)stream, ((const char *)bytes)[i]);
	return 0;
}

static const char frames[] = "\1\0\0\0\0\0\0\3abc"
			     "\2\0\0\0\0\0\0\0"
			     "\2\0\0\0\0\0\0\2de"
			     "\1\0\0\0\0\0\0\1f";

TEST(frames_may_be_cut_anywhere)
{
	for (size_t first = 0; first < sizeof(frames); first++) {
		AUTO(struct buf, buf_done) heard = BUF_INIT;
		struct engine_demux demux = { .output = note, .cookie = &heard };

		CHECK_EQ(engine_demux_feed(&demux, frames, first, &e), 0);
		CHECK_EQ(engine_demux_feed(&demux, frames + first, sizeof(frames) - 1 - first, &e),
			 0);
		CHECK_EQ(engine_demux_end(&demux, &e), 0);
		CHECK_STR(heard.data, "1a1b1c2d2e1f");
	}
}

TEST(frames_may_come_byte_by_byte)
{
	AUTO(struct buf, buf_done) heard = BUF_INIT;
	struct engine_demux demux = { .output = note, .cookie = &heard };

	for (size_t i = 0; i < sizeof(frames) - 1; i++)
		CHECK_EQ(engine_demux_feed(&demux, frames + i, 1, &e), 0);
	CHECK_STR(heard.data, "1a1b1c2d2e1f");
}

TEST(an_output_that_ends_inside_a_frame_is_a_fault)
{
	AUTO(struct buf, buf_done) heard = BUF_INIT;
	struct engine_demux demux = { .output = note, .cookie = &heard };

	CHECK_EQ(engine_demux_feed(&demux, frames, 5, &e), 0);
	CHECK_EQ(engine_demux_end(&demux, &e), -ERR_PROTOCOL);
	CHECK_EQ(engine_demux_feed(&demux, frames + 5, 5, &e), 0);
	CHECK_EQ(engine_demux_end(&demux, &e), -ERR_PROTOCOL);
}

TEST(what_is_no_frame_is_a_fault)
{
	AUTO(struct buf, buf_done) heard = BUF_INIT;
	struct engine_demux demux = { .output = note, .cookie = &heard };

	CHECK_EQ(engine_demux_feed(&demux, "plain text", 10, &e), -ERR_PROTOCOL);
	CHECK_HAS(e.msg, "70 6c 61 69");
}

TEST(a_terminal_has_no_frames)
{
	AUTO(struct buf, buf_done) heard = BUF_INIT;
	struct engine_demux demux = { .raw = true, .output = note, .cookie = &heard };

	CHECK_EQ(engine_demux_feed(&demux, "hi", 2, &e), 0);
	CHECK_EQ(engine_demux_feed(&demux, "", 0, &e), 0);
	CHECK_EQ(engine_demux_end(&demux, &e), 0);
	CHECK_STR(heard.data, "0h0i");
}

/* References */

static void check_reference(const char *text, const char *name, const char *tag,
			    const char *registry)
{
	AUTO(struct reference, reference_done) reference = { 0 };

	CHECK_EQ(reference_parse(text, &reference, &e), 0);
	CHECK_STR(reference.name, name);
	CHECK_STR(reference.tag, tag);
	CHECK_STR(reference.registry, registry);
}

TEST(a_reference_has_parts)
{
	static const char hub[] = "https://index.docker.io/v1/";

	check_reference("debian", "debian", "latest", hub);
	check_reference("debian:12", "debian", "12", hub);
	check_reference("team/web:1", "team/web", "1", hub);
	check_reference("a.b/web", "a.b/web", "latest", "a.b");
	check_reference("host:5000/web", "host:5000/web", "latest", "host:5000");
	check_reference("host:5000/web:2", "host:5000/web", "2", "host:5000");
	check_reference("localhost/web:2", "localhost/web", "2", "localhost");
	check_reference("web@sha256:12", "web", "sha256:12", hub);
	check_reference("host:5000/web:2@sha256:12", "host:5000/web", "sha256:12", "host:5000");
}

TEST(a_reference_without_a_name_is_refused)
{
	struct reference reference = { 0 };

	CHECK_EQ(reference_parse("", &reference, &e), -ERR_INVALID);
	CHECK_EQ(reference_parse(":tag", &reference, &e), -ERR_INVALID);
	CHECK_EQ(reference_parse("@sha256:12", &reference, &e), -ERR_INVALID);
}

/* BuildKit's protobuf */

static const unsigned char status[] = {
	0x0a, 0x0c, 0x0a, 2, 'd',  '1', 0x1a, 4,   'S',  't', 'e',  'p', 0x2a, 0, /* started */
	0x0a, 0x0e, 0x1a, 4, 'K',  'e', 'p',  't', 0x20, 1,   0x2a, 0,   0x32, 0,
	0x50, 0x51,                                         /* cached, done */
	0x0a, 0x08, 0x1a, 2, 'N',  'o', 0x2a, 0,   0x32, 0, /* done before */
	0x12, 0x02, 0x0a, 0,                                /* not for us */
	0x1a, 0x09, 0x18, 1, 0x22, 5,   'h',  'e', 'l',  'l', 'o',
};

TEST(a_build_trace_becomes_text)
{
	AUTO(struct buf, buf_done) text = BUF_INIT;

	buildkit_text(status, sizeof(status), &text);
	CHECK_STR(text.data, "Step\nKept (cached)\nhello");
}

TEST(a_build_trace_cut_anywhere_is_survived)
{
	for (size_t len = 0; len < sizeof(status); len++) {
		AUTO(struct buf, buf_done) text = BUF_INIT;
		AUTO(unsigned char *, freep) cut = malloc(len + 1);

		memcpy(cut, status, len);
		buildkit_text(cut, len, &text);
		CHECK(text.len <= strlen("Step\nKept (cached)\nhello"));
	}
}

/* Tars */

struct entries {
	const struct tar_entry *at, *end;
};

static int next_entry(void *cookie, struct tar_entry *ret_entry, struct err *err)
{
	struct entries *entries = cookie;

	(void)err;
	if (entries->at == entries->end)
		return 0;
	*ret_entry = *entries->at++;
	return 1;
}

static void read_all(struct tar *tar, size_t piece, struct buf *out)
{
	AUTO(char *, freep) bytes = malloc(piece);
	size_t len;

	do {
		CHECK_EQ(tar_read(tar, bytes, piece, &len, &e), 0);
		buf_put(out, bytes, len);
	} while (len > 0);
	CHECK_EQ(tar_read(tar, bytes, piece, &len, &e), 0);
	CHECK_EQ(len, 0);
}

static char long_name[400];

static void check_entry(struct archive *archive, const char *name, mode_t mode, size_t size)
{
	struct archive_entry *entry;

	CHECK_EQ(archive_read_next_header(archive, &entry), ARCHIVE_OK);
	CHECK_STR(archive_entry_pathname(entry), name);
	CHECK_EQ(archive_entry_mode(entry), mode);
	CHECK_EQ(archive_entry_size(entry), size);
	CHECK_EQ(archive_entry_uid(entry), 3000000);
	CHECK_EQ(archive_entry_mtime(entry), 1700000000);
}

static void test_tar(size_t piece)
{
	AUTO(char *, freep) big = calloc(1, 200000);
	const struct tar_entry files[] = {
		{ .name = "dir", .mode = S_IFDIR | 0755 },
		{ .name = "dir/bytes", .mode = S_IFREG | 0640, .bytes = "hello", .size = 5 },
		{ .name = "dir/empty", .mode = S_IFREG | 0600 },
		{ .name = "dir/\xff\xfe", .mode = S_IFREG | 04755, .bytes = big, .size = 200000 },
		{ .name = "dir/link", .mode = S_IFLNK | 0777, .link = "by\xc3\xa9tes" },
		{ .name = "dir/proc", .mode = S_IFREG | 0644, .path = "/etc/passwd" },
		{ .name = long_name, .mode = S_IFREG | 0644, .bytes = "x", .size = 1 },
	};
	struct tar_entry owned[ARRAY_SIZE(files)];
	struct entries entries = { owned, owned + ARRAY_SIZE(owned) };
	AUTO(struct tar *, tar_freep) tar = NULL;
	AUTO(struct buf, buf_done) out = BUF_INIT;
	struct archive *archive = archive_read_new();
	struct archive_entry *entry;
	struct stat passwd;

	memset(long_name, 'n', sizeof(long_name) - 1);
	memcpy(owned, files, sizeof(files));
	for (size_t i = 0; i < ARRAY_SIZE(owned); i++) {
		owned[i].uid = 3000000;
		owned[i].mtime = 1700000000;
	}
	CHECK_EQ(stat("/etc/passwd", &passwd), 0);
	CHECK_EQ(tar_new(next_entry, &entries, &tar, &e), 0);
	read_all(tar, piece, &out);

	archive_read_support_format_tar(archive);
	CHECK_EQ(archive_read_open_memory(archive, out.data, out.len), ARCHIVE_OK);
	check_entry(archive, "dir/", S_IFDIR | 0755, 0);
	check_entry(archive, "dir/bytes", S_IFREG | 0640, 5);
	check_entry(archive, "dir/empty", S_IFREG | 0600, 0);
	check_entry(archive, "dir/\xff\xfe", S_IFREG | 04755, 200000);
	check_entry(archive, "dir/link", S_IFLNK | 0777, 0);
	check_entry(archive, "dir/proc", S_IFREG | 0644, (size_t)passwd.st_size);
	check_entry(archive, long_name, S_IFREG | 0644, 1);
	CHECK_EQ(archive_read_next_header(archive, &entry), ARCHIVE_EOF);
	archive_read_free(archive);
}

TEST(a_tar_is_whole_however_it_is_read)
{
	test_tar(1 << 20);
	test_tar(4096);
	test_tar(7);
}

TEST(a_tar_given_up_is_freed)
{
	AUTO(char *, freep) big = calloc(1, 1 << 20);
	const struct tar_entry file = {
		.name = "big", .mode = S_IFREG | 0644, .bytes = big, .size = 1 << 20
	};
	struct entries entries = { &file, &file + 1 };
	AUTO(struct tar *, tar_freep) tar = NULL;
	char bytes[100];
	size_t len;

	CHECK_EQ(tar_new(next_entry, &entries, &tar, &e), 0);
	CHECK_EQ(tar_read(tar, bytes, sizeof(bytes), &len, &e), 0);
	CHECK_EQ(len, sizeof(bytes));
}

static void check_refused(const struct tar_entry *file, const char *why)
{
	struct entries entries = { file, file + 1 };
	AUTO(struct tar *, tar_freep) tar = NULL;
	char bytes[4096];
	size_t len;
	int r;

	CHECK_EQ(tar_new(next_entry, &entries, &tar, &e), 0);
	do
		r = tar_read(tar, bytes, sizeof(bytes), &len, &e);
	while (r == 0 && len > 0);
	CHECK_EQ(r, -ERR_INVALID);
	CHECK_HAS(e.msg, why);
}

TEST(a_file_that_cannot_be_read_fails_the_tar)
{
	const struct tar_entry absent = { .name = "x", .mode = S_IFREG, .path = "/no/such/file" };
	const struct tar_entry directory = { .name = "x", .mode = S_IFREG, .path = "/tmp" };
	const struct tar_entry fifo = { .name = "x", .mode = S_IFREG, .path = "/dev/null" };

	check_refused(&absent, "read '/no/such/file': No such file");
	check_refused(&directory, "read '/tmp': not a regular file");
	check_refused(&fifo, "read '/dev/null': not a regular file");
}

TEST(a_file_that_shrinks_meanwhile_fails_the_tar)
{
	char path[] = "/tmp/ctfy-engine-XXXXXX";
	AUTO(int, closep) fd = mkstemp(path);
	const struct tar_entry file = { .name = "shrinks", .mode = S_IFREG | 0644, .path = path };
	struct entries entries = { &file, &file + 1 };
	AUTO(struct tar *, tar_freep) tar = NULL;
	char bytes[4096];
	size_t len;
	int r;

	CHECK_EQ(ftruncate(fd, 1 << 20), 0);
	CHECK_EQ(tar_new(next_entry, &entries, &tar, &e), 0);
	CHECK_EQ(tar_read(tar, bytes, sizeof(bytes), &len, &e), 0);
	CHECK_EQ(ftruncate(fd, 1 << 10), 0);
	do
		r = tar_read(tar, bytes, sizeof(bytes), &len, &e);
	while (r == 0 && len > 0);
	CHECK_EQ(r, -ERR_INVALID);
	CHECK_STR(e.msg, "'shrinks' became shorter while it was read");
	CHECK_EQ(unlink(path), 0);
}

/* States */

TEST(an_inspected_state_is_read)
{
	AUTO(json_t *, json_decrefp)
	json = json_loads(
		"{\"State\": {\"Status\": \"exited\", \"ExitCode\": 137, \"OOMKilled\": true,"
		" \"StartedAt\": \"2026-11-23T01:16:56.5Z\","
		" \"FinishedAt\": \"0001-01-01T00:00:00Z\","
		" \"Health\": {\"Status\": \"none\"}}}",
		0, NULL);
	AUTO(json_t *, json_decrefp) empty = json_object();
	struct engine_container_state state;

	engine_container_state(json, &state);
	CHECK_STR(state.status, "exited");
	CHECK_EQ(state.exit_code, 137);
	CHECK(state.oom_killed && !state.running);
	CHECK(state.health == NULL);
	CHECK_EQ(state.started_ms % 1000, 500);
	CHECK_EQ(state.finished_ms, 0);

	engine_container_state(empty, &state);
	CHECK_STR(state.status, "");
	CHECK_STR(state.error, "");
	CHECK_EQ(state.started_ms, 0);
}

RUN_TESTS(T(frames_may_be_cut_anywhere), T(frames_may_come_byte_by_byte),
	  T(an_output_that_ends_inside_a_frame_is_a_fault), T(what_is_no_frame_is_a_fault),
	  T(a_terminal_has_no_frames), T(a_reference_has_parts),
	  T(a_reference_without_a_name_is_refused), T(a_build_trace_becomes_text),
	  T(a_build_trace_cut_anywhere_is_survived), T(a_tar_is_whole_however_it_is_read),
	  T(a_tar_given_up_is_freed), T(a_file_that_shrinks_meanwhile_fails_the_tar),
	  T(a_file_that_cannot_be_read_fails_the_tar), T(an_inspected_state_is_read))
