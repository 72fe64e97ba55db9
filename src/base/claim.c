/* SPDX-License-Identifier: Apache-2.0 */
#include "base/claim.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>

int claim_dir(const char *dir, int *ret_fd, struct err *e)
{
	AUTO(char *, freep) path = strf("%s/lock", dir);
	AUTO(int, closep) fd = -1;

	if (!path)
		return err_memory(e);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(e, ERR_INVALID, "open '%s'", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK
			       ? err_set(e, ERR_CONFLICT, "'%s' is in use by another process", dir)
			       : err_errno(e, ERR_INTERNAL, "lock '%s'", path);
	*ret_fd = take_fd(&fd);
	return 0;
}

/* An abstract socket's name begins with a NUL and has no file. */
static int address_of(const char *name, struct sockaddr_un *address, socklen_t *ret_size)
{
	size_t len = strlen(name);

	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (len >= sizeof(address->sun_path))
		return -1;
	memcpy(address->sun_path + 1, name, len);
	*ret_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len);
	return 0;
}

int claim_name(const char *name, int *ret_fd, struct err *e)
{
	AUTO(int, closep) fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;
	socklen_t size;

	if (fd < 0)
		return err_errno(e, ERR_INTERNAL, "make a socket");
	if (address_of(name, &address, &size) < 0)
		return err_set(e, ERR_INVALID, "'%s' is too long a name", name);
	if (bind(fd, (const struct sockaddr *)&address, size) < 0)
		return errno == EADDRINUSE
			       ? err_set(e, ERR_CONFLICT, "another process is '%s'", name)
			       : err_errno(e, ERR_INTERNAL, "claim '%s'", name);
	*ret_fd = take_fd(&fd);
	return 0;
}

bool is_claimed(const char *prefix)
{
	AUTO(FILE *, fclosep) sockets = fopen("/proc/net/unix", "re");
	AUTO(char *, freep) line = NULL;
	AUTO(char *, freep) sought = strf(" @%s", prefix); /* how proc(5) writes the NUL */
	size_t size = 0;

	while (sockets && sought && getline(&line, &size, sockets) > 0)
		if (strstr(line, sought))
			return true;
	return false;
}
