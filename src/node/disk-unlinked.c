/* SPDX-License-Identifier: Apache-2.0 */
#include "node/disk-unlinked.h"

#include "base/file.h"
#include "base/own.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { CONTAINER_ID_LEN = 64 };

struct search {
	json_t *seen; /* {"device:inode": true}: a file may be open many times */
	json_t *taken;
};

/* The instance whose container a process is in; NULL: none of these. */
static const char *owner_of(const json_t *owners, const char *pid)
{
	AUTO(char *, freep) text = NULL;
	char path[64];
	const char *at;

	snprintf(path, sizeof(path), "/proc/%.20s/cgroup", pid);
	if (file_read(path, 65536, &text, NULL, NULL) < 0)
		return NULL;
	for (at = text; *at;) {
		size_t len = strspn(at, "0123456789abcdef");
		char id[CONTAINER_ID_LEN + 1];
		const char *owner;

		if (len == CONTAINER_ID_LEN) {
			memcpy(id, at, len);
			id[len] = '\0';
			owner = json_string_value(json_object_get(owners, id));
			if (owner)
				return owner;
		}
		at += len ? len : 1;
	}
	return NULL;
}

static void count(struct search *search, const char *owner, const struct stat *st)
{
	json_int_t before = json_integer_value(json_object_get(search->taken, owner));
	char key[64];

	snprintf(key, sizeof(key), "%ju:%ju", (uintmax_t)st->st_dev, (uintmax_t)st->st_ino);
	if (json_object_get(search->seen, key))
		return;
	json_object_set_new(search->seen, key, json_true());
	json_object_set_new(search->taken, owner,
			    json_integer(before + (json_int_t)st->st_blocks * 512));
}

/* What is in memory alone (memfd_create(2), /dev/shm) is held by the limit of memory. */
static bool is_in_memory(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) < 0 || fs.f_type == TMPFS_MAGIC || fs.f_type == HUGETLBFS_MAGIC;
}

/* One of /proc/PID's directories of links to files. */
static void look_through(struct search *search, const char *owner, const char *pid,
			 const char *which)
{
	AUTO(DIR *, closedirp) dir = NULL;
	struct dirent *entry;
	char path[128];

	snprintf(path, sizeof(path), "/proc/%.20s/%s", pid, which);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		struct stat st;

		if (fstatat(dirfd(dir), entry->d_name, &st, 0) < 0 || !S_ISREG(st.st_mode) ||
		    st.st_nlink > 0 || st.st_blocks == 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/%s/%.64s", pid, which, entry->d_name);
		if (!is_in_memory(path))
			count(search, owner, &st);
	}
}

void disk_unlinked_add(const json_t *owners, json_t *taken)
{
	AUTO(json_t *, json_decrefp) seen = json_object();
	AUTO(DIR *, closedirp) proc = opendir("/proc");
	struct search search = { seen, taken };
	struct dirent *entry;

	while (seen && proc && (entry = readdir(proc))) {
		const char *owner;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		owner = owner_of(owners, entry->d_name);
		if (!owner)
			continue;
		look_through(&search, owner, entry->d_name, "fd");
		look_through(&search, owner, entry->d_name, "map_files");
	}
}
