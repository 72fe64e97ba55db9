/* SPDX-License-Identifier: Apache-2.0 */
/* Folders on their way: what is packed is what is put, and nothing else is. */
#include "folder.h"

#include "challenge/parcel.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <limits.h>
#include <unistd.h>

static struct folder f; /* challenges are put below it */
static struct folder from;

static la_ssize_t keep(struct archive *archive, void *parcel, const void *bytes, size_t len)
{
	(void)archive;
	buf_put(parcel, bytes, len);
	return (la_ssize_t)len;
}

struct item {
	const char *name, *text, *link, *hard_link;
};

/* As somebody with bad intentions packs. */
static struct buf make_parcel(const struct item *items)
{
	struct archive *archive = archive_write_new();
	struct buf parcel = BUF_INIT;

	archive_write_set_format_gnutar(archive);
	archive_write_open2(archive, &parcel, NULL, keep, NULL, NULL);
	for (; items->name; items++) {
		struct archive_entry *entry = archive_entry_new();

		archive_entry_set_pathname(entry, items->name);
		archive_entry_set_mode(entry, (items->link ? AE_IFLNK : AE_IFREG) | 0644);
		if (items->link)
			archive_entry_set_symlink(entry, items->link);
		if (items->hard_link)
			archive_entry_set_hardlink(entry, items->hard_link);
		archive_entry_set_size(entry, items->text ? (la_int64_t)strlen(items->text) : 0);
		archive_write_header(archive, entry);
		if (items->text)
			archive_write_data(archive, items->text, strlen(items->text));
		archive_entry_free(entry);
	}
	archive_write_free(archive);
	return parcel;
}

static char *text_of(const char *name)
{
	AUTO(char *, freep) path = strf("%s/%s", f.dir, name);
	char *text = NULL;

	file_read(path, 4096, &text, NULL, NULL);
	return text;
}

static void check_text(const char *name, const char *expected)
{
	AUTO(char *, freep) text = text_of(name);

	CHECK_STR(text ? text : "(none)", expected);
}

static int count_entries(const char *dir)
{
	DIR *entries = opendir(dir);
	int count = 0;

	while (readdir(entries))
		count++;
	closedir(entries);
	return count - 2;
}

static void open_both(void)
{
	folder_open(&f);
	folder_open(&from);
	folder_write(&from, "it/challenge.yml",
		     "name: It\nquestions: [{id: flag, text: t, answer: a}]\n");
	folder_write(&from, "it/deep/er/file", "one");
	folder_write(&from, "it/solve", "#!/bin/sh\n");
	folder_write(&from, "it/.git/config", "not this");
}

static void close_both(void)
{
	folder_close(&f);
	folder_close(&from);
}

static int put(const char *id, const char *at, const struct buf *parcel, struct err *e)
{
	return parcel_put(f.dir, id, at, parcel->data, parcel->len, e);
}

static struct buf pack_it(void)
{
	AUTO(char *, freep) dir = strf("%s/it", from.dir);
	struct buf parcel;
	struct err e = ERR_INIT;

	if (parcel_pack(dir, &parcel, &e) < 0)
		fail_msg("%s", e.msg);
	return parcel;
}

TEST(what_is_packed_is_put)
{
	AUTO(struct buf, buf_done) first = BUF_INIT;
	AUTO(struct buf, buf_done) second = BUF_INIT;
	char link[64] = "";
	struct err e = ERR_INIT;

	open_both();
	CHECK_EQ(chdir(from.dir), 0);
	CHECK_EQ(chmod("it/solve", 0700), 0);
	CHECK_EQ(symlink("deep/er/file", "it/link"), 0);
	first = pack_it();
	CHECK_EQ(put("it", NULL, &first, &e), 0);
	CHECK_EQ(chdir(f.dir), 0);
	check_text("it/deep/er/file", "one");
	CHECK_EQ(access("it/solve", X_OK), 0);
	CHECK(readlink("it/link", link, sizeof(link) - 1) > 0);
	CHECK_STR(link, "deep/er/file");
	CHECK_EQ(access("it/.git", F_OK), -1);

	/* Again, to where it is, with a file less and another text. */
	CHECK_EQ(rename("it", "elsewhere"), 0);
	CHECK_EQ(chdir(from.dir), 0);
	CHECK_EQ(unlink("it/link"), 0);
	folder_write(&from, "it/deep/er/file", "two");
	folder_write(&from, "it/challenge.yml",
		     "id: it\nname: It\nquestions: [{id: flag, text: t, answer: a}]\n");
	second = pack_it();
	CHECK_EQ(chdir(f.dir), 0);
	CHECK_EQ(put("it", "elsewhere", &second, &e), 0);
	check_text("elsewhere/deep/er/file", "two");
	CHECK_EQ(access("elsewhere/link", F_OK), -1);
	CHECK_EQ(count_entries(f.dir), 1);
	CHECK_EQ(chdir("/"), 0);
	close_both();
}

#define FILE_OF(name_, text_)                    \
	{                                        \
		.name = (name_), .text = (text_) \
	}
#define SPEC FILE_OF("challenge.yml", "name: X\nquestions: [{id: flag, text: t, answer: a}]\n")

TEST(what_would_do_harm_is_refused_and_leaves_nothing)
{
	static const struct {
		struct item items[4];
		const char *why;
	} parcels[] = {
		{ { SPEC, FILE_OF("../evil", "x") }, "'../evil' is outside of it" },
		{ { SPEC, FILE_OF("/tmp/evil", "x") }, "'/tmp/evil' is outside of it" },
		{ { SPEC, FILE_OF("a/../../evil", "x") }, "'a/../../evil' is outside of it" },
		{ { SPEC, { .name = "d", .link = "/" }, FILE_OF("d/evil", "x") }, "'d'" },
		{ { SPEC, { .name = "h", .hard_link = "/etc/passwd" } }, "'h' is a hard link" },
		{ { SPEC, SPEC }, "'challenge.yml'" },
		{ { SPEC, { .name = "d/planted", .link = "x" }, { .name = "d", .link = ".." } },
		  "'d/planted' would be made in what is no directory" },
		{ { SPEC, { .name = "d", .link = "/tmp" }, { .name = "d/planted", .link = "x" } },
		  "'d'" },
		{ { SPEC, { .name = "s", .link = "" } }, "'s' is a symlink to nothing" },
		{ { SPEC, FILE_OF("f", "x"), FILE_OF("f/g", "x") },
		  "'f/g' would be made in what is no directory" },
		{ { SPEC, FILE_OF(".", "x") }, "'.' is no name for a file" },
		{ { FILE_OF("README", "x") }, "there is no challenge in it" },
		{ { FILE_OF("challenge.yml", "name: [") }, "challenge.yml" },
		{ { FILE_OF("challenge.yml", "id: y\nname: Y\n") },
		  "it is the challenge 'y', not 'x'" },
	};

	open_both();
	for (size_t i = 0; i < ARRAY_SIZE(parcels); i++) {
		AUTO(struct buf, buf_done) parcel = make_parcel(parcels[i].items);
		struct err e = ERR_INIT;

		CHECK_EQ(put("x", NULL, &parcel, &e), -ERR_INVALID);
		if (!strstr(e.msg, parcels[i].why))
			fail_msg("'%s', not '%s'", e.msg, parcels[i].why);
		CHECK_EQ(count_entries(f.dir), 0);
	}
	CHECK_EQ(parcel_put(f.dir, "x", NULL, "no tar", 6, NULL), -ERR_INVALID);
	CHECK_EQ(count_entries(f.dir), 0);
	close_both();
}

/* It would make as many directories as it has parts. */
TEST(a_name_that_is_no_path_any_more_is_refused)
{
	char name[PATH_MAX + 1] = "";
	AUTO(struct buf, buf_done) parcel = BUF_INIT;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < PATH_MAX; i++)
		name[i] = i % 2 ? '/' : 'a';
	name[PATH_MAX - 1] = 'f';
	parcel = make_parcel((const struct item[]){ SPEC, FILE_OF(name, "x"), { .name = NULL } });
	open_both();
	CHECK_EQ(put("x", NULL, &parcel, &e), -ERR_INVALID);
	CHECK_STR(e.msg, "a name in it is longer than 4095 bytes");
	CHECK_EQ(count_entries(f.dir), 0);
	close_both();
}

/* The entry's type says symlink, and nothing says where to: libarchive has NULL for it. */
TEST(a_symlink_without_a_target_is_survived)
{
	char header[1536] = "s";
	unsigned sum = 0;
	struct err e = ERR_INIT;

	open_both();
	memcpy(header + 100, "0000644", 8);
	memcpy(header + 108, "0000000", 8);
	memcpy(header + 116, "0000000", 8);
	memcpy(header + 124, "00000000000", 12);
	memcpy(header + 136, "00000000000", 12);
	memset(header + 148, ' ', 8);
	header[156] = '2';
	/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): the version is behind it */
	memcpy(header + 257, "ustar\00000", 8);
	for (size_t i = 0; i < 512; i++)
		sum += (unsigned char)header[i];
	snprintf(header + 148, 8, "%06o", sum);
	CHECK_EQ(parcel_put(f.dir, "x", NULL, header, sizeof(header), &e), -ERR_INVALID);
	CHECK_STR(e.msg, "'s' is a symlink to nothing");
	CHECK_EQ(count_entries(f.dir), 0);
	close_both();
}

TEST(odd_names_within_the_folder_are_only_names)
{
	static const struct item items[] = { SPEC,
					     FILE_OF("./a//b/./c", "1"),
					     { .name = "l/m", .link = "../a/b/c" },
					     { .name = NULL } };
	AUTO(struct buf, buf_done) parcel = make_parcel(items);
	struct err e = ERR_INIT;

	open_both();
	CHECK_EQ(put("x", NULL, &parcel, &e), 0);
	CHECK_EQ(chdir(f.dir), 0);
	check_text("x/a/b/c", "1");
	check_text("x/l/m", "1");
	CHECK_EQ(chdir("/"), 0);
	close_both();
}

TEST(what_a_killed_process_left_is_swept_and_nothing_else)
{
	struct err e = ERR_INIT;

	open_both();
	folder_write(&f, ".parcel-Ab3xYz/it/challenge.yml", "name: half\n");
	folder_write(&f, ".parcel-notours/x", "");
	folder_write(&f, ".git/x", "");
	folder_write(&f, "it/challenge.yml", "name: It\n");
	CHECK_EQ(parcel_sweep(f.dir, &e), 0);
	CHECK_EQ(count_entries(f.dir), 3);
	CHECK_EQ(parcel_sweep("/nowhere/at/all", &e), 0);
	close_both();
}

RUN_TESTS(T(what_is_packed_is_put), T(what_would_do_harm_is_refused_and_leaves_nothing),
	  T(a_name_that_is_no_path_any_more_is_refused), T(a_symlink_without_a_target_is_survived),
	  T(odd_names_within_the_folder_are_only_names),
	  T(what_a_killed_process_left_is_swept_and_nothing_else))
