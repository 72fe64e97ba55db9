/* SPDX-License-Identifier: Apache-2.0 */
#include "node/doctor.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "challenge/policy.h"
#include "engine/engine.h"
#include "node/boundary.h"
#include "node/firewall.h"
#include "node/node.h"
#include "node/port.h"
#include "node/runtime.h"
#include "node/subnet.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/vm_sockets.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/*
 * What one instance of one container costs its host: measured while 400 of them ran on Docker
 * 20.10. Larger ones cost more; a doctor that says less than the truth is the safe one.
 */
enum {
	COST_MEMORY_KIB = 16 * 1024, /* shim, docker-proxy and engine 5 MiB; and a small service */
	COST_ENGINE_FDS = 8,
	COST_THREADS = 12,
	COST_DISK_KIB = 4 * 1024, /* layer, logs, state */
	COST_CONNECTIONS = 64,
	COST_NEIGHBOURS = 2,
	COST_NETWORKS = 1,
	COST_PORTS = 1,
};

struct examination {
	struct node *node;
	const json_t *info; /* the engine's own account */
	struct diagnosis *diagnosis;
};

__attribute__((format(printf, 5, 6))) static struct finding *
find(struct examination *x, const char *name, enum finding_state state, int64_t enough_for,
     const char *fmt, ...)
{
	struct finding *finding = &x->diagnosis->findings[x->diagnosis->count];
	va_list ap;

	if (x->diagnosis->count < FINDINGS_MAX - 1)
		x->diagnosis->count++; /* beyond, the last one is written over */
	*finding = (struct finding){ .name = name, .state = state, .enough_for = enough_for };
	va_start(ap, fmt);
	vsnprintf(finding->found, sizeof(finding->found), fmt, ap);
	va_end(ap);
	return finding;
}

__attribute__((format(printf, 2, 3))) static void advise(struct finding *finding, const char *fmt,
							 ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(finding->fix, sizeof(finding->fix), fmt, ap);
	va_end(ap);
}

/* A number in a file of /proc; -1: not there. */
static int64_t proc_number(const char *path)
{
	AUTO(char *, freep) text = NULL;

	return file_read(path, 4096, &text, NULL, NULL) < 0 ? -1 : strtoll(text, NULL, 10);
}

static int64_t meminfo_kib(const char *name)
{
	AUTO(char *, freep) text = NULL;
	const char *line;

	if (file_read("/proc/meminfo", 65536, &text, NULL, NULL) < 0)
		return 0;
	line = strstr(text, name);
	return line ? strtoll(line + strlen(name) + 1, NULL, 10) : 0;
}

/* Whether what is found suffices for the capacity that the operator asked for. */
static enum finding_state judge(const struct examination *x, int64_t enough_for)
{
	return enough_for < x->node->options->capacity ? FINDING_WARNING : FINDING_FINE;
}

static void examine_memory(struct examination *x)
{
	int64_t available = meminfo_kib("MemAvailable:");
	int64_t enough = (available - x->node->options->min_free_memory / 1024) / COST_MEMORY_KIB;
	struct finding *finding = find(x, "memory", judge(x, enough), enough > 0 ? enough : 0,
				       "%" PRId64 " MiB available of %" PRId64, available / 1024,
				       meminfo_kib("MemTotal:") / 1024);

	if (finding->state != FINDING_FINE)
		advise(finding, "more memory, another node, or --capacity %" PRId64, enough);
}

static void examine_disk(struct examination *x, const char *name, const char *dir)
{
	struct finding *finding;
	struct statvfs fs;
	int64_t left, enough;

	if (statvfs(dir, &fs) < 0)
		return;
	left = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
	enough = (left - x->node->options->min_free_disk) / 1024 / COST_DISK_KIB;
	finding = find(x, name, judge(x, enough), enough > 0 ? enough : 0,
		       "%" PRId64 " GiB free at %.80s", left >> 30, dir);
	if (finding->state != FINDING_FINE)
		advise(finding, "a larger disk for %.80s", dir);
}

static bool share_file_system(const char *a, const char *b)
{
	struct stat first, second;

	return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev;
}

/* What instances write must not take the room of what is kept about them. */
static void examine_shared_disk(struct examination *x)
{
	const struct node *node = x->node;
	bool state = share_file_system(node->state_dir, node->engine_dir);
	bool evidence = share_file_system(node->evidence_dir, node->engine_dir);

	if (state || evidence)
		advise(find(x, "shared disk", FINDING_WARNING, INT64_MAX,
			    "%s on the file system that instances write to",
			    state && evidence ? "state and evidence are"
			    : state           ? "the state is"
					      : "the evidence is"),
		       "the engine's data root on a file system of its own");
}

static void examine_subnets(struct examination *x)
{
	int64_t left = (int64_t)subnets_left(x->node->subnets) / COST_NETWORKS;
	struct finding *finding =
		find(x, "subnets", judge(x, left), left, "%" PRId64 " of /%d left in %s", left,
		     SUBNET_PREFIX, x->node->options->subnets);

	if (finding->state != FINDING_FINE)
		advise(finding, "a larger --subnets, such as 10.176.0.0/12");
}

/* A route of the host's own into our address space would make both useless. */
static void examine_routes(struct examination *x)
{
	AUTO(char *, freep) text = NULL;
	char *line, *next;

	if (file_read("/proc/net/route", 1 << 20, &text, NULL, NULL) < 0)
		return;
	for (line = text; line; line = next) {
		unsigned destination, gateway, mask;
		char interface[32], address[INET_ADDRSTRLEN];
		struct in_addr in;

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (sscanf(line, "%31s %x %x %*x %*d %*d %*d %x", interface, &destination, &gateway,
			   &mask) != 4 ||
		    mask == 0 || strncmp(interface, "cfy", 3) == 0)
			continue;
		in.s_addr = destination; /* the kernel prints it in the network's byte order */
		inet_ntop(AF_INET, &in, address, sizeof(address));
		if (!subnets_overlap(x->node->subnets, ntohl(destination), ntohl(mask)))
			continue;
		advise(find(x, "routes", FINDING_FAULT, INT64_MAX, "%s on %s lies in %s", address,
			    interface, x->node->options->subnets),
		       "another --subnets, one that nothing else on this host uses");
		return; /* one is enough to move */
	}
}

static void examine_ports(struct examination *x)
{
	int64_t left = (int64_t)ports_left(x->node->ports) / COST_PORTS;
	AUTO(char *, freep) text = NULL;
	unsigned first = 0, last = 0, low = 0, high = 0;
	struct finding *finding = find(x, "ports", judge(x, left), left, "%" PRId64 " left in %s",
				       left, x->node->options->ports);

	if (finding->state != FINDING_FINE)
		advise(finding, "a larger --ports");
	if (file_read("/proc/sys/net/ipv4/ip_local_port_range", 64, &text, NULL, NULL) < 0 ||
	    sscanf(text, "%u %u", &low, &high) != 2 ||
	    sscanf(x->node->options->ports, "%u-%u", &first, &last) != 2)
		return;
	if (first <= high && last >= low)
		advise(find(x, "local ports", FINDING_WARNING, INT64_MAX,
			    "the host's own connections use %u-%u, which overlaps", low, high),
		       "--ports outside of net.ipv4.ip_local_port_range");
}

static void examine_kernel(struct examination *x)
{
	static const struct {
		const char *name, *path, *setting;
		int64_t cost, reserve;
	} limits[] = {
		{ "processes", "/proc/sys/kernel/pid_max", "kernel.pid_max", COST_THREADS, 1000 },
		{ "threads", "/proc/sys/kernel/threads-max", "kernel.threads-max", COST_THREADS,
		  1000 },
		{ "conntrack", "/proc/sys/net/netfilter/nf_conntrack_max",
		  "net.netfilter.nf_conntrack_max", COST_CONNECTIONS, 1024 },
		{ "neighbours", "/proc/sys/net/ipv4/neigh/default/gc_thresh3",
		  "net.ipv4.neigh.default.gc_thresh3", COST_NEIGHBOURS, 64 },
		/* Last: with cgroup v2 each container's shim watches its memory through one. */
		{ "inotify", "/proc/sys/fs/inotify/max_user_instances",
		  "fs.inotify.max_user_instances", 1, 64 },
	};
	const char *cgroups = json_string_value(json_object_get(x->info, "CgroupVersion"));
	size_t count = ARRAY_SIZE(limits) - (cgroups && strcmp(cgroups, "2") != 0);

	for (size_t i = 0; i < count; i++) {
		int64_t limit = proc_number(limits[i].path);
		int64_t enough = (limit - limits[i].reserve) / limits[i].cost;
		struct finding *finding;

		if (limit < 0)
			continue;
		finding = find(x, limits[i].name, judge(x, enough), enough > 0 ? enough : 0,
			       "%s = %" PRId64, limits[i].setting, limit);
		if (finding->state != FINDING_FINE)
			advise(finding, "sysctl -w %s=%" PRId64, limits[i].setting,
			       2 * (x->node->options->capacity * limits[i].cost +
				    limits[i].reserve));
	}
	if (proc_number("/proc/sys/net/ipv4/ip_forward") == 0)
		advise(find(x, "forwarding", FINDING_FAULT, 0, "net.ipv4.ip_forward = 0"),
		       "sysctl -w net.ipv4.ip_forward=1");
}

static pid_t engine_pid(void)
{
	static const char *const files[] = { "/run/docker.pid", "/var/run/docker.pid" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int64_t pid = proc_number(files[i]);

		if (pid > 0)
			return (pid_t)pid;
	}
	return 0;
}

static void examine_engine_files(struct examination *x)
{
	AUTO(char *, freep) text = NULL;
	char path[64];
	const char *line;
	long long limit;
	struct finding *finding;
	int64_t enough;

	snprintf(path, sizeof(path), "/proc/%d/limits", engine_pid());
	if (file_read(path, 65536, &text, NULL, NULL) < 0)
		return; /* an engine that is not a local dockerd */
	line = strstr(text, "Max open files");
	if (!line || sscanf(line, "Max open files %lld", &limit) != 1)
		return;
	enough = (limit - 256) / COST_ENGINE_FDS;
	finding = find(x, "engine files", judge(x, enough), enough,
		       "the engine may open %lld files", limit);
	if (finding->state != FINDING_FINE)
		advise(finding, "LimitNOFILE=%" PRId64 " in the engine's unit",
		       2 * x->node->options->capacity * COST_ENGINE_FDS + 1024);
}

static void examine_engine(struct examination *x)
{
	static const struct {
		const char *name, *member, *missing;
	} abilities[] = {
		{ "memory limits", "MemoryLimit", "containers can't be held to their memory" },
		{ "pids limits", "PidsLimit", "containers can fork without end" },
		{ "cpu limits", "CpuCfsQuota", "containers can't be held to their processors" },
	};
	const char *driver = json_string_value(json_object_get(x->info, "Driver"));

	for (size_t i = 0; i < ARRAY_SIZE(abilities); i++) {
		const json_t *ability = json_object_get(x->info, abilities[i].member);

		if (ability && !json_is_true(ability))
			advise(find(x, abilities[i].name, FINDING_FAULT, INT64_MAX, "%s",
				    abilities[i].missing),
			       "enable the cgroup controller, on the kernel's command line");
	}
	find(x, "engine", FINDING_FINE, INT64_MAX, "%s, storage driver %s", x->node->engine_name,
	     driver ? driver : "unknown");
	if (driver && strcmp(driver, "vfs") == 0)
		advise(find(x, "storage", FINDING_WARNING, INT64_MAX,
			    "vfs copies every layer for every container"),
		       "a file system on which overlay2 works, for the engine's data root");
	if (!json_is_true(json_object_get(x->info, "LiveRestoreEnabled")) &&
	    !engine_is_podman(x->node->engine))
		advise(find(x, "live restore", FINDING_WARNING, INT64_MAX,
			    "a restart of the engine ends every container"),
		       "\"live-restore\": true in daemon.json");
}

static bool is_in_path(const char *program)
{
	const char *search = getenv("PATH");
	AUTO(char *, freep) path = strdup(search ? search : "/usr/sbin:/usr/bin");
	char *rest = path;
	const char *dir;

	while (rest && (dir = strsep(&rest, ":"))) {
		AUTO(char *, freep) file = strf("%s/%s", dir, program);

		if (file && access(file, X_OK) == 0)
			return true;
	}
	return false;
}

static void examine_programs(struct examination *x)
{
	if (!is_in_path("conntrack"))
		advise(find(x, "conntrack tool", FINDING_WARNING, INT64_MAX,
			    "not installed: networks are not used again"),
		       "apt-get install conntrack");
	if (node_isolates(x->node) && !is_in_path("nft"))
		advise(find(x, "firewall", FINDING_FAULT, 0,
			    "nft is not installed: no node starts with --isolation firewall"),
		       "apt-get install nftables");
	if (x->node->firewall && !firewall_guards_ports(x->node->firewall))
		advise(find(x, "firewall", FINDING_WARNING, INT64_MAX,
			    "services may take their neighbours' MAC and IP addresses"),
		       "a kernel with nftables' bridge family (CONFIG_NF_TABLES_BRIDGE)");
	if (!node_isolates(x->node))
		advise(find(x, "isolation", FINDING_WARNING, INT64_MAX,
			    "none: instances reach the host and its networks"),
		       "--isolation firewall");
}

/*
 * The number that AF_VSOCK knows this machine by, where there is somebody to speak to by it: a
 * hypervisor, or machines of our own. VMADDR_CID_ANY: there is not.
 */
static unsigned vsock_number(void)
{
	AUTO(int, closep) fd = open("/dev/vsock", O_RDONLY | O_CLOEXEC);
	unsigned number = VMADDR_CID_ANY;

	if (fd < 0 || ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &number) < 0)
		return VMADDR_CID_ANY;
	return number;
}

/* No filter of system calls keeps it from 32-bit programs: see challenge/seccomp.h. */
static void examine_hypervisor(struct examination *x)
{
	unsigned number = x->node->options->native_only ? VMADDR_CID_ANY : vsock_number();

	if (number != VMADDR_CID_ANY)
		advise(find(x, "AF_VSOCK", FINDING_WARNING, INT64_MAX,
			    "32-bit programs reach what listens there beyond this machine (%u)",
			    number),
		       "'install vsock /bin/false' in /etc/modprobe.d, or --native-only");
}

static void examine_runtime(struct examination *x, const char *name, enum finding_state missing)
{
	struct err why = ERR_INIT;

	if (runtime_check(x->node->engine, x->info, name, &why) == 0)
		return;
	advise(find(x, "runtime", missing, missing == FINDING_FAULT ? 0 : INT64_MAX, "%.150s",
		    why.msg),
	       "\"runtimes\": {\"%.40s\": {\"path\": ...}} in daemon.json", name);
}

/* Those that the operator names; a challenge that has another one by a pattern finds out. */
static void examine_runtimes(struct examination *x)
{
	struct node *node = x->node;
	size_t position = 0;
	const char *name;

	if (node->options->runtime)
		examine_runtime(x, node->options->runtime, FINDING_FAULT);
	pthread_rwlock_rdlock(&node->config);
	while ((name = policy_next_runtime(node->policy, &position)))
		examine_runtime(x, name, FINDING_WARNING);
	pthread_rwlock_unlock(&node->config);
}

/* What attackers try, tried. */
static void examine_boundaries(struct examination *x)
{
	static const struct {
		const char *name, *holds, *open;
	} texts[BOUNDARIES] = {
		[BOUNDARY_SOURCES] = { "forged sources", "do not get to the host",
				       "a service that forges its source gets to the host" },
		[BOUNDARY_HANDSHAKES] = { "forged handshakes", "do not get to the host",
					  "a service gets to the host, by making up a "
					  "conversation or without" },
		[BOUNDARY_CONNECTIONS] = { "network floods", "fill no table of the host's",
					   "what services send each other fills the host's table "
					   "of connections" },
		[BOUNDARY_PORTS] = { "closed ports", "are out of reach from outside",
				     "who is beside the host reaches unpublished ports" },
	};
	struct boundaries found;

	if (!node_isolates(x->node) || !x->node->options->check)
		return;
	boundary_try(x->node->options->subnets, &found);
	for (int i = 0; i < BOUNDARIES; i++) {
		const char *where = found.apart ? " (no node's rules here yet: tried apart)" : "";

		if (found.states[i] == BOUNDARY_HOLDS)
			find(x, texts[i].name, FINDING_FINE, INT64_MAX, "%s%s", texts[i].holds,
			     where);
		else if (found.states[i] == BOUNDARY_OPEN)
			advise(find(x, texts[i].name, FINDING_FAULT, INT64_MAX, "%s%s",
				    texts[i].open, where),
			       "restart the node, which sets its rules (nft list table inet "
			       "ctfy); see what takes them away");
		else
			find(x, texts[i].name, FINDING_WARNING, INT64_MAX, "not tried: %.140s",
			     found.why);
	}
}

static void conclude(struct diagnosis *diagnosis, const struct node *node)
{
	diagnosis->capacity = node->options->capacity;
	diagnosis->limiter = "--capacity";
	for (int i = 0; i < diagnosis->count; i++) {
		if (diagnosis->findings[i].enough_for >= diagnosis->capacity)
			continue;
		diagnosis->capacity = diagnosis->findings[i].enough_for;
		diagnosis->limiter = diagnosis->findings[i].name;
	}
}

int doctor_examine(struct node *node, struct diagnosis *ret_diagnosis, struct err *e)
{
	AUTO(json_t *, json_decrefp) info = NULL;
	struct examination x = { .node = node, .diagnosis = ret_diagnosis };
	int r;

	*ret_diagnosis = (struct diagnosis){ .count = 0 };
	r = engine_info(node->engine, &info, e);
	if (r < 0)
		return r;
	x.info = info;
	examine_engine(&x);
	examine_engine_files(&x);
	examine_memory(&x);
	examine_disk(&x, "disk", node->state_dir);
	examine_disk(&x, "engine disk", node->engine_dir);
	examine_shared_disk(&x);
	examine_subnets(&x);
	examine_routes(&x);
	examine_ports(&x);
	examine_kernel(&x);
	examine_programs(&x);
	examine_hypervisor(&x);
	examine_runtimes(&x);
	examine_boundaries(&x);
	conclude(ret_diagnosis, node);
	return 0;
}

void doctor_print(const struct diagnosis *diagnosis, FILE *out)
{
	static const char *const words[] = { "ok", "warning", "FAULT" };

	for (int i = 0; i < diagnosis->count; i++) {
		const struct finding *finding = &diagnosis->findings[i];

		fprintf(out, "%-8s %-15s %s", words[finding->state], finding->name, finding->found);
		if (finding->enough_for != INT64_MAX)
			fprintf(out, ": enough for %" PRId64, finding->enough_for);
		fputc('\n', out);
		if (*finding->fix)
			fprintf(out, "%-8s %-15s -> %s\n", "", "", finding->fix);
	}
	fprintf(out, "\nThis host can hold %" PRId64 " instances; what limits it is %s.\n",
		diagnosis->capacity, diagnosis->limiter);
}
