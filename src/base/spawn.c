/* SPDX-License-Identifier: Apache-2.0 */
#include "base/spawn.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"

#include <errno.h>
#include <paths.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* How it ended, in words: the last of what it said. */
static int describe(const char *name, int status, int said, struct err *e)
{
	char words[512] = "";
	off_t end = lseek(said, 0, SEEK_END);
	off_t from = end < (off_t)sizeof(words) ? 0 : end - (off_t)sizeof(words) + 1;
	ssize_t len = pread(said, words, sizeof(words) - 1, from);

	while (len > 0 && strchr(" \n", words[len - 1]))
		words[--len] = '\0';
	if (WIFSIGNALED(status))
		return err_set(e, ERR_INTERNAL, "%s was ended by signal %d: %s", name,
			       WTERMSIG(status), words);
	return err_set(e, ERR_INTERNAL, "%s exited with %d: %s", name, WEXITSTATUS(status), words);
}

static int spawn(const char *const *argv, int in, int out, pid_t *ret_pid)
{
	/* What it says is read, so it speaks one language. The rest of our environment is ours. */
	AUTO(char *, freep) path = strf("PATH=%s", getenv("PATH") ? getenv("PATH") : _PATH_STDPATH);
	char language[] = "LC_ALL=C", *environment[] = { language, path, NULL };
	posix_spawn_file_actions_t actions;
	int error;

	if (!path)
		return ENOMEM;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
	error = posix_spawnp(ret_pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv,
			     environment);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

/* Runs to the end; ret_said, the caller's, is what it said. */
static int run(const char *const *argv, const char *input, int *ret_status, int *ret_said,
	       struct err *e)
{
	/* Files in memory are its standard streams: no pipe fills up, and nobody has to feed it. */
	AUTO(int, closep) in = memfd_create("input", MFD_CLOEXEC);
	AUTO(int, closep) out = memfd_create("output", MFD_CLOEXEC);
	size_t len = input ? strlen(input) : 0;
	pid_t pid = -1;

	if (in < 0 || out < 0 || write(in, input ? input : "", len) != (ssize_t)len ||
	    lseek(in, 0, SEEK_SET) < 0)
		return err_errno(e, ERR_INTERNAL, "prepare to run %s", argv[0]);
	errno = spawn(argv, in, out, &pid);
	if (errno)
		return err_errno(e, ERR_INTERNAL, "run %s", argv[0]);
	while (waitpid(pid, ret_status, 0) < 0)
		if (errno != EINTR)
			return err_errno(e, ERR_INTERNAL, "wait for %s", argv[0]);
	*ret_said = take_fd(&out);
	return 0;
}

int spawn_wait(const char *const *argv, const char *input, struct err *e)
{
	AUTO(int, closep) said = -1;
	int status = 0, r;

	r = run(argv, input, &status, &said, e);
	return r < 0 || status == 0 ? r : describe(argv[0], status, said, e);
}

static int read_said(const char *name, int said, struct buf *ret_said, struct err *e)
{
	char bytes[4096];
	off_t at = 0;
	ssize_t len;

	while ((len = pread(said, bytes, sizeof(bytes), at)) > 0) {
		buf_put(ret_said, bytes, (size_t)len);
		at += len;
	}
	return len < 0 ? err_errno(e, ERR_INTERNAL, "read what %s said", name)
		       : buf_check(ret_said, e);
}

int spawn_read(const char *const *argv, const char *input, struct buf *ret_said, struct err *e)
{
	AUTO(int, closep) said = -1;
	int status = 0, r;

	r = run(argv, input, &status, &said, e);
	if (r == 0 && status != 0)
		r = describe(argv[0], status, said, e);
	return r < 0 ? r : read_said(argv[0], said, ret_said, e);
}

int spawn_ask(const char *const *argv, int *ret_status, struct err *e)
{
	AUTO(int, closep) said = -1;
	int status = 0, r;

	r = run(argv, NULL, &status, &said, e);
	if (r < 0)
		return r;
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 127)
		return describe(argv[0], status, said, e);
	*ret_status = WEXITSTATUS(status);
	return 0;
}
