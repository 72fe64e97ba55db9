/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A jail as a challenge's image has it, and then somebody who has left it.
 *
 *	jail		builds a jail as pwn.red/jail and nsjail do, and says "jailed" from inside
 *	jail escape	tries what reaches the host; a line "HELD name" or "GOT name" for each
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(int result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "jail: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	must(fd, path);
	must((int)write(fd, text, strlen(text)), path);
	close(fd);
}

/* --- the jail ----------------------------------------------------------------------------- */

static int inside(void *cookie)
{
	char byte;

	must((int)read(*(int *)cookie, &byte, 1), "wait for the launcher");
	must(setresgid(0, 0, 0), "setresgid");
	must(setresuid(0, 0, 0), "setresuid");
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "make / private");
	must(mount("none", "/mnt", "tmpfs", 0, "size=1m"), "mount a tmpfs");
	must(mkdir("/mnt/old", 0755), "mkdir");
	must(mkdir("/mnt/proc", 0755), "mkdir");
	must(mkdir("/mnt/bin", 0755), "mkdir");
	must(mount("/bin", "/mnt/bin", NULL, MS_BIND | MS_REC, NULL), "bind /bin");
	must(mount("proc", "/mnt/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL),
	     "mount /proc");
	must((int)syscall(SYS_pivot_root, "/mnt", "/mnt/old"), "pivot_root");
	must(chdir("/"), "chdir");
	must(umount2("/old", MNT_DETACH), "umount");
	must(sethostname("jail", 4), "sethostname");
	must(access("/etc/passwd", F_OK) == 0 ? -1 : 0, "leave the image's root");
	printf("jailed: pid %d\n", getpid());
	fflush(stdout);
	return 0;
}

static int run_jail(void)
{
	static char stack[1 << 16];
	char path[64];
	int status, told[2];
	pid_t pid;

	/* What the jail's launcher does before it enters one: as root of the container. */
	must(mount("none", "/tmp", "tmpfs", 0, "size=1m"), "mount for the launcher");
	must(pipe(told), "pipe");
	pid = clone(inside, stack + sizeof(stack),
		    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC |
			    CLONE_NEWNET | SIGCHLD,
		    &told[0]);
	must(pid, "clone");
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	put(path, "0 1000 1");
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	put(path, "0 1000 1");
	must((int)write(told[1], "x", 1), "tell");
	must(waitpid(pid, &status, 0), "wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* --- who has left it ---------------------------------------------------------------------- */

static void tell(int got, const char *name)
{
	printf("%s %s%s%s\n", got ? "GOT" : "HELD", name, got ? "" : ": ",
	       got ? "" : strerror(errno));
	fflush(stdout);
}

static int writes(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	int got = fd >= 0 && write(fd, text, strlen(text)) >= 0;

	if (fd >= 0)
		close(fd);
	return got;
}

static int opens_node(mode_t kind, dev_t device)
{
	int fd;

	unlink("/tmp/node");
	if (mknod("/tmp/node", kind | 0600, device) < 0)
		return 0;
	fd = open("/tmp/node", O_RDWR);
	if (fd < 0)
		fd = open("/tmp/node", O_RDONLY);
	return fd >= 0;
}

static int mounts(const char *type, const char *options)
{
	mkdir("/mnt/m", 0755);
	return mount("none", "/mnt/m", type, 0, options) == 0;
}

static int writes_below(const char *type, const char *options, const char *file, const char *text)
{
	char path[256];
	int got, error;

	if (!mounts(type, options))
		return 0;
	snprintf(path, sizeof(path), "/mnt/m/%s", file);
	got = writes(path, text);
	error = errno;
	umount2("/mnt/m", MNT_DETACH);
	errno = error;
	return got;
}

static int finds_host_process(void)
{
	char name[64] = "";
	int fd = open("/proc/1/comm", O_RDONLY);

	if (fd >= 0 && read(fd, name, sizeof(name) - 1) > 0 &&
	    (strstr(name, "systemd") || strstr(name, "dockerd")))
		return 1;
	errno = ESRCH;
	return 0;
}

static int escape(void)
{
	static const char *const controllers[] = { "memory", "pids", "cpu", "devices", "freezer" };
	static const struct {
		const char *controller, *file, *text;
	} limits[] = { { "memory", "memory.limit_in_bytes", "-1" },
		       { "pids", "pids.max", "max" },
		       { "cpu", "cpu.cfs_quota_us", "-1" },
		       { "devices", "devices.allow", "a" } };

	tell(writes("/proc/sys/kernel/core_pattern", "|/tmp/x"), "core_pattern");
	tell(writes("/proc/sys/kernel/modprobe", "/tmp/x"), "modprobe");
	tell(writes("/proc/sys/vm/drop_caches", "1"), "drop_caches");
	tell(writes("/proc/sysrq-trigger", "?"), "sysrq");
	tell(open("/proc/kcore", O_RDONLY) >= 0, "kcore");
	tell(writes_below("proc", NULL, "sys/kernel/core_pattern", "|/tmp/x"), "fresh-proc");
	tell(writes_below("proc", NULL, "sysrq-trigger", "?"), "fresh-proc-sysrq");
	tell(writes_below("sysfs", NULL, "kernel/uevent_helper", "/tmp/x"), "uevent_helper");
	tell(writes_below("sysfs", NULL, "power/state", "x"), "power-state");
	for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++) {
		char name[64];

		snprintf(name, sizeof(name), "release_agent-%s", controllers[i]);
		tell(writes_below("cgroup", controllers[i], "release_agent", "/tmp/x"), name);
	}
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		tell(writes_below("cgroup", limits[i].controller, limits[i].file, limits[i].text),
		     limits[i].file);
	tell(writes_below("cgroup2", NULL, "memory.max", "max"), "memory.max");
	tell(mounts("debugfs", NULL), "debugfs");
	tell(mounts("tracefs", NULL), "tracefs");
	tell(mounts("securityfs", NULL), "securityfs");
	tell(mounts("configfs", NULL), "configfs");
	tell(mounts("bpf", NULL), "bpffs");
	tell(mounts("devtmpfs", NULL), "devtmpfs");
	tell(opens_node(S_IFCHR, makedev(1, 1)), "dev-mem");
	tell(opens_node(S_IFCHR, makedev(1, 11)), "dev-kmsg");
	tell(opens_node(S_IFCHR, makedev(10, 200)), "dev-tun");
	tell(opens_node(S_IFBLK, makedev(8, 0)), "dev-sda");
	tell(opens_node(S_IFBLK, makedev(254, 0)), "dev-vda");
	tell(opens_node(S_IFBLK, makedev(259, 0)), "dev-nvme");
	tell(socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)) >= 0, "packet-socket");
	tell(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) >= 0, "raw-socket");
	tell(socket(40 /* AF_VSOCK */, SOCK_STREAM, 0) >= 0, "vsock");
	tell(syscall(SYS_init_module, "x", 1, "") == 0, "init_module");
	tell(syscall(SYS_finit_module, 0, "", 0) == 0, "finit_module");
	tell(syscall(SYS_kexec_load, 0, 0, NULL, 0) == 0, "kexec");
	tell(syscall(SYS_reboot, 0xfee1dead, 672274793, 0, NULL) == 0, "reboot");
	tell(syscall(SYS_bpf, 0, NULL, 0) >= 0 || errno != EPERM, "bpf");
	tell(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0) >= 0 || errno != EPERM, "perf");
	tell(syscall(SYS_open_by_handle_at, AT_FDCWD, NULL, 0) >= 0, "open_by_handle");
	tell(syscall(SYS_swapon, "/tmp/x", 0) == 0, "swapon");
	tell(nice(-20) == -20, "nice");
	tell(finds_host_process(), "host-processes");
	return 0;
}

int main(int argc, char **argv)
{
	return argc > 1 && strcmp(argv[1], "escape") == 0 ? escape() : run_jail();
}
