/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/seccomp.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/own.h"

#include <linux/sched.h>
#include <linux/vm_sockets.h>
#include <stdbool.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/socket.h>

/* Of every architecture; names that a kernel or the engine doesn't know are passed over. */
static const char *const allowed[] = {
	"_llseek",
	"_newselect",
	"accept",
	"accept4",
	"access",
	"adjtimex",
	"alarm",
	"arm_fadvise64_64",
	"arm_sync_file_range",
	"bind",
	"breakpoint",
	"brk",
	"cacheflush",
	"cachestat",
	"capget",
	"capset",
	"chdir",
	"chmod",
	"chown",
	"chown32",
	"clock_adjtime",
	"clock_adjtime64",
	"clock_getres",
	"clock_getres_time64",
	"clock_gettime",
	"clock_gettime64",
	"clock_nanosleep",
	"clock_nanosleep_time64",
	"close",
	"close_range",
	"connect",
	"copy_file_range",
	"creat",
	"dup",
	"dup2",
	"dup3",
	"epoll_create",
	"epoll_create1",
	"epoll_ctl",
	"epoll_ctl_old",
	"epoll_pwait",
	"epoll_pwait2",
	"epoll_wait",
	"epoll_wait_old",
	"eventfd",
	"eventfd2",
	"execve",
	"execveat",
	"exit",
	"exit_group",
	"faccessat",
	"faccessat2",
	"fadvise64",
	"fadvise64_64",
	"fallocate",
	"fanotify_mark",
	"fchdir",
	"fchmod",
	"fchmodat",
	"fchmodat2",
	"fchown",
	"fchown32",
	"fchownat",
	"fcntl",
	"fcntl64",
	"fdatasync",
	"fgetxattr",
	"flistxattr",
	"flock",
	"fork",
	"fremovexattr",
	"fsetxattr",
	"fstat",
	"fstat64",
	"fstatat",
	"fstatat64",
	"fstatfs",
	"fstatfs64",
	"fsync",
	"ftruncate",
	"ftruncate64",
	"futex",
	"futex_requeue",
	"futex_time64",
	"futex_wait",
	"futex_waitv",
	"futex_wake",
	"futimesat",
	"get_robust_list",
	"get_thread_area",
	"getcpu",
	"getcwd",
	"getdents",
	"getdents64",
	"getegid",
	"getegid32",
	"geteuid",
	"geteuid32",
	"getgid",
	"getgid32",
	"getgroups",
	"getgroups32",
	"getitimer",
	"getpeername",
	"getpgid",
	"getpgrp",
	"getpid",
	"getppid",
	"getpriority",
	"getrandom",
	"getresgid",
	"getresgid32",
	"getresuid",
	"getresuid32",
	"getrlimit",
	"getrusage",
	"getsid",
	"getsockname",
	"getsockopt",
	"gettid",
	"gettimeofday",
	"getuid",
	"getuid32",
	"getxattr",
	"inotify_add_watch",
	"inotify_init",
	"inotify_init1",
	"inotify_rm_watch",
	"io_cancel",
	"io_destroy",
	"io_getevents",
	"io_pgetevents",
	"io_pgetevents_time64",
	"io_setup",
	"io_submit",
	"ioctl",
	"ioprio_get",
	"ioprio_set",
	"ipc",
	"kill",
	"landlock_add_rule",
	"landlock_create_ruleset",
	"landlock_restrict_self",
	"lchown",
	"lchown32",
	"lgetxattr",
	"link",
	"linkat",
	"listen",
	"listxattr",
	"llistxattr",
	"llseek",
	"lremovexattr",
	"lseek",
	"lsetxattr",
	"lstat",
	"lstat64",
	"madvise",
	"map_shadow_stack",
	"membarrier",
	"memfd_create",
	"memfd_secret",
	"mincore",
	"mkdir",
	"mkdirat",
	"mknod",
	"mknodat",
	"mlock",
	"mlock2",
	"mlockall",
	"mmap",
	"mmap2",
	"mprotect",
	"mq_getsetattr",
	"mq_notify",
	"mq_open",
	"mq_timedreceive",
	"mq_timedreceive_time64",
	"mq_timedsend",
	"mq_timedsend_time64",
	"mq_unlink",
	"mremap",
	"msgctl",
	"msgget",
	"msgrcv",
	"msgsnd",
	"msync",
	"munlock",
	"munlockall",
	"munmap",
	"nanosleep",
	"newfstatat",
	"nice",
	"open",
	"openat",
	"openat2",
	"pause",
	"pidfd_open",
	"pidfd_send_signal",
	"pipe",
	"pipe2",
	"pkey_alloc",
	"pkey_free",
	"pkey_mprotect",
	"poll",
	"ppoll",
	"ppoll_time64",
	"prctl",
	"pread64",
	"preadv",
	"preadv2",
	"prlimit64",
	"process_mrelease",
	"pselect6",
	"pselect6_time64",
	"pwrite64",
	"pwritev",
	"pwritev2",
	"read",
	"readahead",
	"readdir",
	"readlink",
	"readlinkat",
	"readv",
	"recvfrom",
	"recvmmsg",
	"recvmmsg_time64",
	"recvmsg",
	"remap_file_pages",
	"removexattr",
	"rename",
	"renameat",
	"renameat2",
	"restart_syscall",
	"rmdir",
	"rseq",
	"rt_sigaction",
	"rt_sigpending",
	"rt_sigprocmask",
	"rt_sigqueueinfo",
	"rt_sigreturn",
	"rt_sigsuspend",
	"rt_sigtimedwait",
	"rt_sigtimedwait_time64",
	"rt_tgsigqueueinfo",
	"sched_get_priority_max",
	"sched_get_priority_min",
	"sched_getaffinity",
	"sched_getattr",
	"sched_getparam",
	"sched_getscheduler",
	"sched_rr_get_interval",
	"sched_rr_get_interval_time64",
	"sched_setaffinity",
	"sched_setattr",
	"sched_setparam",
	"sched_setscheduler",
	"sched_yield",
	"seccomp",
	"select",
	"semctl",
	"semget",
	"semop",
	"semtimedop",
	"semtimedop_time64",
	"sendfile",
	"sendfile64",
	"sendmmsg",
	"sendmsg",
	"sendto",
	"set_robust_list",
	"set_thread_area",
	"set_tid_address",
	"set_tls",
	"setfsgid",
	"setfsgid32",
	"setfsuid",
	"setfsuid32",
	"setgid",
	"setgid32",
	"setgroups",
	"setgroups32",
	"setitimer",
	"setpgid",
	"setpriority",
	"setregid",
	"setregid32",
	"setresgid",
	"setresgid32",
	"setresuid",
	"setresuid32",
	"setreuid",
	"setreuid32",
	"setrlimit",
	"setsid",
	"setsockopt",
	"setuid",
	"setuid32",
	"setxattr",
	"shmat",
	"shmctl",
	"shmdt",
	"shmget",
	"shutdown",
	"sigaction",
	"sigaltstack",
	"signal",
	"signalfd",
	"signalfd4",
	"sigpending",
	"sigprocmask",
	"sigreturn",
	"sigsuspend",
	"socketpair",
	"splice",
	"stat",
	"stat64",
	"statfs",
	"statfs64",
	"statx",
	"symlink",
	"symlinkat",
	"sync",
	"sync_file_range",
	"sync_file_range2",
	"syncfs",
	"sysinfo",
	"tee",
	"tgkill",
	"time",
	"timer_create",
	"timer_delete",
	"timer_getoverrun",
	"timer_gettime",
	"timer_gettime64",
	"timer_settime",
	"timer_settime64",
	"timerfd_create",
	"timerfd_gettime",
	"timerfd_gettime64",
	"timerfd_settime",
	"timerfd_settime64",
	"times",
	"tkill",
	"truncate",
	"truncate64",
	"ugetrlimit",
	"umask",
	"uname",
	"unlink",
	"unlinkat",
	"utime",
	"utimensat",
	"utimensat_time64",
	"utimes",
	"vfork",
	"vmsplice",
	"wait4",
	"waitid",
	"waitpid",
	"write",
	"writev",
};

/* What comes with a capability: without it the kernel refuses them, or should. */
struct privileged_calls {
	const char *capability;
	const char *names[12];
};

static const struct privileged_calls by_capability[] = {
	{ "CAP_DAC_READ_SEARCH", { "open_by_handle_at" } },
	{ "CAP_SYS_ADMIN",
	  { "bpf", "clone", "clone3", "fanotify_init", "fsconfig", "fsmount", "fsopen", "fspick",
	    "lookup_dcookie", "mount", "mount_setattr" } },
	{ "CAP_SYS_ADMIN",
	  { "move_mount", "name_to_handle_at", "open_tree", "perf_event_open", "quotactl",
	    "quotactl_fd", "setdomainname", "sethostname", "setns", "syslog", "umount" } },
	{ "CAP_SYS_ADMIN", { "umount2", "unshare" } },
	{ "CAP_SYS_BOOT", { "reboot" } },
	{ "CAP_SYS_CHROOT", { "chroot" } },
	{ "CAP_SYS_MODULE", { "delete_module", "init_module", "finit_module" } },
	{ "CAP_SYS_NICE",
	  { "get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node" } },
	{ "CAP_SYS_PACCT", { "acct" } },
	{ "CAP_SYS_PTRACE", { "kcmp", "pidfd_getfd", "process_madvise" } },
	{ "CAP_SYS_RAWIO", { "iopl", "ioperm" } },
	{ "CAP_SYS_TIME", { "clock_settime", "clock_settime64", "settimeofday", "stime" } },
	{ "CAP_SYS_TTY_CONFIG", { "vhangup" } },
	{ "CAP_SYSLOG", { "syslog" } },
	{ "CAP_BPF", { "bpf" } },
	{ "CAP_PERFMON", { "perf_event_open" } },
};

/* Without a capability in the container's own user namespace these are refused by the kernel. */
static const char *const jail_calls[] = {
	"chroot",  "clone",      "clone3",    "mount",         "pivot_root",   "sethostname",
	"setns",   "umount",     "umount2",   "unshare",       "fsopen",       "fsconfig",
	"fsmount", "move_mount", "open_tree", "mount_setattr", "setdomainname"
};

/* Namespaces that a process may not make for itself, as bits of clone(2)'s flags. */
static const json_int_t new_namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
					 CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

static json_t *name_list(const char *const *names, size_t most)
{
	json_t *list = json_array();

	for (size_t i = 0; i < most && names[i]; i++)
		json_array_append_new(list, json_text(names[i]));
	return list;
}

static void allow(json_t *rules, json_t *names, json_t *args, json_t *includes, json_t *excludes)
{
	json_array_append_new(rules, json_make("{s:o,s:s,s:o*,s:o*,s:o*}", "names", names, "action",
					       "SCMP_ACT_ALLOW", "args", args, "includes", includes,
					       "excludes", excludes));
}

/* [{index, value, op}]: one argument compared. */
static json_t *argument(int index, json_int_t value, json_int_t masked, const char *op)
{
	return json_make("[{s:i,s:I,s:I,s:s}]", "index", index, "value", value, "valueTwo", masked,
			 "op", op);
}

static void add_personalities(json_t *rules)
{
	static const json_int_t harmless[] = { PER_LINUX, PER_LINUX32, UNAME26,
					       PER_LINUX32 | UNAME26, 0xffffffff };

	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
		allow(rules, json_make("[s]", "personality"),
		      argument(0, harmless[i], 0, "SCMP_CMP_EQ"), NULL, NULL);
}

static void add_sockets(json_t *rules)
{
	allow(rules, json_make("[s]", "socket"), argument(0, AF_VSOCK, 0, "SCMP_CMP_NE"), NULL,
	      NULL);
	allow(rules, json_make("[s]", "socketcall"), NULL, NULL, NULL);
}

/* clone3(2) has its flags behind a pointer: without it, programs fall back to clone(2). */
static void add_clone(json_t *rules)
{
	allow(rules, json_make("[s]", "clone"),
	      argument(0, new_namespaces, 0, "SCMP_CMP_MASKED_EQ"), NULL,
	      json_make("{s:[s],s:[s,s]}", "caps", "CAP_SYS_ADMIN", "arches", "s390", "s390x"));
	allow(rules, json_make("[s]", "clone"),
	      argument(1, new_namespaces, 0, "SCMP_CMP_MASKED_EQ"),
	      json_make("{s:[s,s]}", "arches", "s390", "s390x"),
	      json_make("{s:[s]}", "caps", "CAP_SYS_ADMIN"));
	json_array_append_new(rules,
			      json_make("{s:[s],s:s,s:i,s:{s:[s]}}", "names", "clone3", "action",
					"SCMP_ACT_ERRNO", "errnoRet", 38 /* ENOSYS */, "excludes",
					"caps", "CAP_SYS_ADMIN"));
}

static void add_of_architectures(json_t *rules)
{
	allow(rules, json_make("[s]", "arch_prctl"), NULL,
	      json_make("{s:[s,s]}", "arches", "amd64", "x32"), NULL);
	allow(rules, json_make("[s]", "modify_ldt"), NULL,
	      json_make("{s:[s,s,s]}", "arches", "amd64", "x32", "x86"), NULL);
	/* Before Linux 4.8 ptrace(2) was a way past the filter. */
	allow(rules, json_make("[s,s,s]", "ptrace", "process_vm_readv", "process_vm_writev"), NULL,
	      json_make("{s:s}", "minKernel", "4.8"), NULL);
}

static void add_by_capability(json_t *rules)
{
	for (size_t i = 0; i < ARRAY_SIZE(by_capability); i++)
		allow(rules, name_list(by_capability[i].names, ARRAY_SIZE(by_capability[i].names)),
		      NULL, json_make("{s:[s]}", "caps", by_capability[i].capability), NULL);
}

/* Each architecture, with those whose programs its kernel runs besides. */
static json_t *architectures(bool native)
{
	static const struct {
		const char *name;
		const char *besides[3];
	} rows[] = {
		{ "SCMP_ARCH_X86_64", { "SCMP_ARCH_X86", "SCMP_ARCH_X32" } },
		{ "SCMP_ARCH_AARCH64", { "SCMP_ARCH_ARM" } },
		{ "SCMP_ARCH_PPC64LE", { NULL } },
		{ "SCMP_ARCH_RISCV64", { NULL } },
	};
	json_t *map = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		json_array_append_new(
			map,
			json_make("{s:s,s:o}", "architecture", rows[i].name, "subArchitectures",
				  name_list(rows[i].besides,
					    native ? 0 : ARRAY_SIZE(rows[i].besides))));
	return map;
}

json_t *seccomp_profile(unsigned flags)
{
	json_t *rules = json_array();
	json_t *profile;

	allow(rules, name_list(allowed, ARRAY_SIZE(allowed)), NULL, NULL, NULL);
	add_personalities(rules);
	add_sockets(rules);
	add_of_architectures(rules);
	/* A jail's capabilities are of its own user namespace: none of these would be its. */
	if (!(flags & SECCOMP_JAIL))
		add_by_capability(rules);
	if (flags & SECCOMP_JAIL)
		allow(rules, name_list(jail_calls, ARRAY_SIZE(jail_calls)), NULL, NULL, NULL);
	else
		add_clone(rules);
	profile = json_make("{s:s,s:i,s:o,s:o}", "defaultAction", "SCMP_ACT_ERRNO",
			    "defaultErrnoRet", 1 /* EPERM */, "archMap",
			    architectures(flags & SECCOMP_NATIVE), "syscalls", rules);
	return profile;
}

json_t *seccomp_option(unsigned flags)
{
	AUTO(json_t *, json_decrefp) profile = seccomp_profile(flags);
	AUTO(char *, freep) text = profile ? json_dumps(profile, JSON_COMPACT) : NULL;

	return text ? json_textf("seccomp=%s", text) : NULL;
}
