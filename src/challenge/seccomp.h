/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls that a container may make: the filter that goes with its create call.
 *
 * It is ours rather than the engine's, so that what a container may do doesn't hang on the engine's
 * version: Docker before 23 lets AF_VSOCK through, by which a container in a virtual machine speaks
 * to its hypervisor, past every network that there is. Beyond that it lets through what Docker's
 * own filter does, and what Linux has had since; and, as Docker from 25 on, no io_uring.
 *
 * A filter sees numbers, and not what pointers point at. 32-bit programs on x86 also open sockets
 * by socketcall(2), whose arguments are behind a pointer; and the engine's library for filters lets
 * that call through wherever socket(2) may be called at all. So AF_VSOCK is kept from 32-bit
 * programs only by keeping those out altogether.
 */
#ifndef CHALLENGE_SECCOMP_H
#define CHALLENGE_SECCOMP_H

#include <jansson.h>

enum seccomp_flag {
	/* What a jail inside the container is built with: namespaces, mounts, a root of its own. */
	SECCOMP_JAIL = 1 << 0,
	/* Programs of the machine's other architectures die at their first system call. */
	SECCOMP_NATIVE = 1 << 1,
};

/* The filter in the form that `--security-opt seccomp=` takes; NULL: out of memory. */
json_t *seccomp_profile(unsigned flags);

/* The same as an entry of HostConfig's SecurityOpt: "seccomp={...}". NULL: out of memory. */
json_t *seccomp_option(unsigned flags);

#endif
