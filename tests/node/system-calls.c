/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the filter of its container does to a program: statically linked, run inside.
 *
 *	system-calls all	the numbers of all calls that are refused (EPERM or ENOSYS), a line
 *each system-calls vsock	how socket(AF_VSOCK) goes in every way there is to call it
 *
 * Each call is made in a process of its own, with arguments that no call takes.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LAST_CALL = 470, REFUSED = 100, ABSENT = 101, OTHER = 102, CALL_SECONDS = 1 };

static int outcome(long result)
{
	if (result != -1)
		return OTHER;
	return errno == EPERM ? REFUSED : errno == ENOSYS ? ABSENT : OTHER;
}

/* REFUSED, ABSENT or OTHER; a child that dies of it has been let through. */
static int try_call(long number)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		alarm(CALL_SECONDS);
		_exit(outcome(syscall(number, -1L, -1L, -1L, -1L, -1L, -1L)));
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		exit(2);
	return WIFEXITED(status) ? WEXITSTATUS(status) : OTHER;
}

static void try_all(void)
{
	for (long number = 0; number <= LAST_CALL; number++) {
		int how;

		if (number == SYS_fork || number == SYS_vfork || number == SYS_exit ||
		    number == SYS_exit_group || number == SYS_rt_sigreturn)
			continue;
		how = try_call(number);
		if (how != OTHER)
			printf("%ld %s\n", number, how == REFUSED ? "refused" : "absent");
	}
}

#ifdef __x86_64__
/* As a 32-bit program calls; what the kernel answered. */
static long call_32(long number, long a, long b, long c)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(number), "b"(a), "c"(b), "d"(c)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)result;
}

static void try_32(void)
{
	enum { SOCKETCALL = 102, SOCKET = 359, CALL_SOCKET = 1 };
	unsigned *arguments = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long result;

	if (arguments == MAP_FAILED)
		exit(2);
	memcpy(arguments, (unsigned[]){ AF_VSOCK, SOCK_STREAM, 0 }, 3 * sizeof(unsigned));
	result = call_32(SOCKET, AF_VSOCK, SOCK_STREAM, 0);
	printf("socket-32 %s\n", result >= 0 ? "open" : strerror((int)-result));
	result = call_32(SOCKETCALL, CALL_SOCKET, (long)arguments, 0);
	printf("socketcall-32 %s\n", result >= 0 ? "open" : strerror((int)-result));
}
#else
static void try_32(void)
{
}
#endif

int main(int argc, char **argv)
{
	int fd;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 2 && strcmp(argv[1], "all") == 0) {
		try_all();
		return 0;
	}
	fd = socket(AF_VSOCK, SOCK_STREAM, 0);
	printf("socket %s\n", fd >= 0 ? "open" : strerror(errno));
	try_32();
	return 0;
}
