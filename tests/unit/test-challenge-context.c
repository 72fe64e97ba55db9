/* SPDX-License-Identifier: Apache-2.0 */
/* What a build context holds, and what keeps out of it. */
#include "folder.h"

#include "challenge/context.h"
#include "challenge/digest.h"

#include <fcntl.h>
#include <sodium.h>

static struct folder f;

static int collect(void *cookie, const struct context_entry *entry)
{
	struct buf *out = cookie;

	buf_printf(out, "%s%s%s%s ", entry->name, S_ISDIR(entry->st.st_mode) ? "/" : "",
		   entry->target ? "->" : "", entry->target ? entry->target : "");
	return 0;
}

static void check_context(const struct plan_build *build, const char *expected)
{
	AUTO(struct buf, buf_done) out = BUF_INIT;
	struct err e = ERR_INIT;

	CHECK_EQ(context_walk(build, collect, &out, &e), 0);
	CHECK_STR(out.data, expected);
}

static void link_to(const char *target, const char *name)
{
	AUTO(char *, freep) path = strf("%s/%s", f.dir, name);

	CHECK_EQ(symlink(target, path), 0);
}

TEST(everything_is_told_in_order_parents_first)
{
	struct plan_build build = { .dockerfile = "Dockerfile" };

	folder_open(&f);
	build.context = f.dir;
	folder_write(&f, "Dockerfile", "");
	folder_write(&f, "b/deep/file", "");
	folder_write(&f, "a", "");
	folder_write(&f, ".hidden", "");
	check_context(&build, ".hidden Dockerfile a b/ b/deep/ b/deep/file ");
	folder_close(&f);
}

TEST(symlinks_are_kept_and_never_followed)
{
	struct plan_build build = { .dockerfile = "Dockerfile" };

	folder_open(&f);
	build.context = f.dir;
	folder_write(&f, "dir/x", "");
	link_to("/etc", "etc");
	link_to("dir", "loop");
	link_to("../../nowhere", "dir/out");
	check_context(&build, "dir/ dir/out->../../nowhere dir/x etc->/etc loop->dir ");
	folder_close(&f);
}

TEST(pipes_and_sockets_are_left_out)
{
	struct plan_build build = { .dockerfile = "Dockerfile" };
	AUTO(char *, freep) pipe = NULL;

	folder_open(&f);
	build.context = f.dir;
	pipe = strf("%s/pipe", f.dir);
	CHECK_EQ(mkfifo(pipe, 0600), 0);
	folder_write(&f, "a", "");
	check_context(&build, "a ");
	folder_close(&f);
}

TEST(dockerignore_is_obeyed_but_for_what_the_builder_needs)
{
	struct plan_build build = { .dockerfile = "docker/Dockerfile" };

	folder_open(&f);
	build.context = f.dir;
	folder_write(&f, ".dockerignore", "*\n!keep\n!logs/last\n");
	folder_write(&f, "docker/Dockerfile", "");
	folder_write(&f, "docker/other", "");
	folder_write(&f, "keep/a", "");
	folder_write(&f, "logs/first", "");
	folder_write(&f, "logs/last", "");
	folder_write(&f, "drop", "");
	check_context(&build, ".dockerignore docker/Dockerfile keep/ keep/a logs/last ");
	folder_close(&f);
}

TEST(a_dockerfile_in_an_ignored_directory_is_there)
{
	struct plan_build build = { .dockerfile = "docker/deep/Dockerfile" };

	folder_open(&f);
	build.context = f.dir;
	folder_write(&f, ".dockerignore", "docker\n");
	folder_write(&f, "docker/deep/Dockerfile", "");
	folder_write(&f, "docker/deep/other", "");
	folder_write(&f, "dockerfiles", "");
	check_context(&build, ".dockerignore docker/deep/Dockerfile dockerfiles ");
	folder_close(&f);
}

TEST(a_dockerfile_may_have_an_ignore_file_of_its_own)
{
	struct plan_build build = { .dockerfile = "Dockerfile" };

	folder_open(&f);
	build.context = f.dir;
	folder_write(&f, "Dockerfile", "");
	folder_write(&f, "Dockerfile.dockerignore", "a\n");
	folder_write(&f, ".dockerignore", "b\n");
	folder_write(&f, "a", "");
	folder_write(&f, "b", "");
	check_context(&build, ".dockerignore Dockerfile Dockerfile.dockerignore b ");
	folder_close(&f);
}

static int stop(void *cookie, const struct context_entry *entry)
{
	(void)entry;
	return ++*(int *)cookie == 2 ? 5 : 0;
}

TEST(a_walk_stops_when_it_is_told_to)
{
	struct plan_build build = { .dockerfile = "Dockerfile" };
	int seen = 0;

	folder_open(&f);
	build.context = f.dir;
	folder_write(&f, "a", "");
	folder_write(&f, "b", "");
	folder_write(&f, "c", "");
	CHECK_EQ(context_walk(&build, stop, &seen, NULL), 5);
	CHECK_EQ(seen, 2);
	build.context = "/nowhere/at/all";
	CHECK_EQ(context_walk(&build, stop, &seen, &f.e), -ERR_NOT_FOUND);
	folder_close(&f);
}

TEST(a_file_s_digest_is_its_content_s_whether_read_or_remembered)
{
	static const char path[] = "/bin/bash"; /* large, and not of today */
	unsigned char digest[DIGEST_SIZE], expected[DIGEST_SIZE];
	AUTO(char *, freep) bytes = NULL;
	struct stat st;
	size_t len;

	CHECK_EQ(file_read(path, 64 << 20, &bytes, &len, NULL), 0);
	crypto_hash_sha256(expected, (unsigned char *)bytes, len);
	CHECK_EQ(stat(path, &st), 0);
	for (int i = 0; i < 3; i++) {
		memset(digest, 0, sizeof(digest));
		CHECK_EQ(digest_file(AT_FDCWD, path, &st, digest, NULL), 0);
		assert_memory_equal(digest, expected, sizeof(digest));
	}
	/* Remembered: with the same identity, no file is read. */
	CHECK_EQ(digest_file(AT_FDCWD, "/nowhere", &st, digest, NULL), 0);
	st.st_mtim.tv_nsec ^= 1;
	CHECK_EQ(digest_file(AT_FDCWD, "/nowhere", &st, digest, NULL), -ERR_INVALID);
}

RUN_TESTS(T(everything_is_told_in_order_parents_first), T(symlinks_are_kept_and_never_followed),
	  T(pipes_and_sockets_are_left_out),
	  T(dockerignore_is_obeyed_but_for_what_the_builder_needs),
	  T(a_dockerfile_in_an_ignored_directory_is_there),
	  T(a_dockerfile_may_have_an_ignore_file_of_its_own), T(a_walk_stops_when_it_is_told_to),
	  T(a_file_s_digest_is_its_content_s_whether_read_or_remembered))
