/* SPDX-License-Identifier: Apache-2.0 */
#include "node/build-cgroup.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/own.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	CPU_PERIOD_US = 100000,
	END_ROUNDS = 200, /* of 10 ms: what forks meanwhile is in the next one */
	PROCESSES_MAX = 1 << 20,
};

static bool is_unified(const char *root)
{
	AUTO(char *, freep) file = strf("%s/cgroup.controllers", root);

	return file && file_exists(file);
}

static int put(const char *dir, const char *file, const char *text)
{
	AUTO(char *, freep) path = strf("%s/%s", dir, file);
	AUTO(int, closep) fd = path ? open(path, O_WRONLY | O_CLOEXEC) : -1;

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

static int put_number(const char *dir, const char *file, int64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)number);
	return put(dir, file, text);
}

/* Its parent too, as the engine would make it. */
static int make_group(const char *root, const char *name, char **ret_dir)
{
	AUTO(char *, freep) parent = strf("%s/%.*s", root, (int)strcspn(name, "/"), name);
	AUTO(char *, freep) dir = strf("%s/%s", root, name);

	if (!parent || !dir || (mkdir(parent, 0755) < 0 && errno != EEXIST) ||
	    (mkdir(dir, 0755) < 0 && errno != EEXIST))
		return -1;
	*ret_dir = TAKE(dir);
	return 0;
}

static int make_group_v1(const char *root, const char *controller, const char *name, char **ret_dir)
{
	AUTO(char *, freep) tree = strf("%s/%s", root, controller);

	return tree ? make_group(tree, name, ret_dir) : -1;
}

static int limit_v1(const char *root, const char *name, const struct build_cgroup_limits *limits)
{
	AUTO(char *, freep) pids = NULL;
	AUTO(char *, freep) memory = NULL;
	AUTO(char *, freep) cpu = NULL;

	if (make_group_v1(root, "pids", name, &pids) < 0 ||
	    make_group_v1(root, "memory", name, &memory) < 0 ||
	    make_group_v1(root, "cpu", name, &cpu) < 0)
		return -1;
	if (put_number(pids, "pids.max", limits->pids) < 0)
		return -1;
	/* No less than memory and swap may be now, no more than that later: whichever it was. */
	put_number(memory, "memory.memsw.limit_in_bytes", limits->memory);
	if (put_number(memory, "memory.limit_in_bytes", limits->memory) < 0)
		return -1;
	put_number(memory, "memory.memsw.limit_in_bytes", limits->memory);
	return put_number(cpu, "cpu.cfs_quota_us", limits->cpus * CPU_PERIOD_US);
}

/* A group has the controllers that every group above it hands on. */
static int hand_on(const char *root, const char *name)
{
	static const char controllers[] = "+pids +memory +cpu";
	AUTO(char *, freep) parent = strf("%s/%.*s", root, (int)strcspn(name, "/"), name);

	if (!parent || put(root, "cgroup.subtree_control", controllers) < 0)
		return -1;
	return strchr(name, '/') ? put(parent, "cgroup.subtree_control", controllers) : 0;
}

static int limit_v2(const char *root, const char *name, const struct build_cgroup_limits *limits)
{
	AUTO(char *, freep) dir = NULL;
	char cpus[48];

	if (make_group(root, name, &dir) < 0 || hand_on(root, name) < 0)
		return -1;
	snprintf(cpus, sizeof(cpus), "%lld %d", (long long)limits->cpus * CPU_PERIOD_US,
		 CPU_PERIOD_US);
	if (put_number(dir, "pids.max", limits->pids) < 0 ||
	    put_number(dir, "memory.max", limits->memory) < 0 || put(dir, "cpu.max", cpus) < 0)
		return -1;
	put(dir, "memory.swap.max", "0"); /* not every kernel counts swap */
	return 0;
}

int build_cgroup_limit(const char *root, const char *name, const struct build_cgroup_limits *limits)
{
	return is_unified(root) ? limit_v2(root, name, limits) : limit_v1(root, name, limits);
}

/* Where a group's processes are told: in version 1 the one controller that every engine uses. */
static char *group_dir(const char *root, const char *name)
{
	return is_unified(root) ? strf("%s/%s", root, name) : strf("%s/pids/%s", root, name);
}

/* Whether there were any. */
static bool kill_processes(const char *dir)
{
	AUTO(char *, freep) path = strf("%s/cgroup.procs", dir);
	AUTO(char *, freep) text = NULL;
	bool found = false;

	if (!path || file_read(path, PROCESSES_MAX, &text, NULL, NULL) < 0)
		return false;
	for (char *line = text, *end; *line; line = end + (*end == '\n')) {
		long pid = strtol(line, &end, 10);

		if (end == line)
			break;
		found = found || pid > 1;
		if (pid > 1)
			kill((pid_t)pid, SIGKILL);
	}
	return found;
}

void build_cgroup_end(const char *root, const char *name)
{
	const struct timespec pause = { .tv_nsec = 10 * 1000000L };
	AUTO(char *, freep) dir = group_dir(root, name);

	for (int i = 0; dir && i < END_ROUNDS && kill_processes(dir); i++)
		nanosleep(&pause, NULL);
	if (dir)
		rmdir(dir); /* the engine's to remove, if it is still there for it */
}

void build_cgroup_end_all(const char *root, const char *parent, const char *prefix)
{
	AUTO(char *, freep) path = group_dir(root, parent);
	AUTO(DIR *, closedirp) dir = path ? opendir(path) : NULL;
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		AUTO(char *, freep) name = NULL;

		if (entry->d_type != DT_DIR || strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		name = strf("%s/%s", parent, entry->d_name);
		if (name)
			build_cgroup_end(root, name);
	}
}
