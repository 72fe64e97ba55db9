/* SPDX-License-Identifier: Apache-2.0 */
/* Compose files become plans: every key, in every form, and what is refused. */
#include "folder.h"

static struct folder f;

static void plan_compose(const char *text)
{
	folder_write(&f, "compose.yml", text);
	if (folder_plan(&f) < 0) {
		folder_print_problems(&f);
		fail_msg("%s\n%s", f.e.msg, text);
	}
}

/* A service "s" of an image, with more keys. Each line of keys is indented here. */
static char *service_text(const char *keys)
{
	struct buf b = BUF_INIT;

	buf_printf(&b, "services:\n  s:\n%s", strstr(keys, "image:") ? "" : "    image: i\n");
	while (*keys) {
		size_t len = strcspn(keys, "\n");

		buf_printf(&b, "    %.*s\n", (int)len, keys);
		keys += len + (keys[len] == '\n');
	}
	return buf_take(&b);
}

struct fact {
	const char *keys, *path, *expected;
};

static void check_facts(const struct fact *facts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		AUTO(char *, freep) text = service_text(facts[i].keys);

		plan_compose(text);
		folder_check(folder_at(f.json, "services/0"), facts[i].path, facts[i].expected);
	}
}

#define HOST "container/HostConfig/"

TEST(every_service_key_becomes_what_the_engine_calls_it)
{
	static const struct fact facts[] = {
		{ "image: debian:12", "image", "\"debian:12\"" },
		{ "hostname: h", "container/Hostname", "\"h\"" },
		{ "domainname: d", "container/Domainname", "\"d\"" },
		{ "user: 1000", "container/User", "\"1000\"" },
		{ "user: \"1:2\"", "container/User", "\"1:2\"" },
		{ "working_dir: /w", "container/WorkingDir", "\"/w\"" },
		{ "stop_signal: SIGINT", "container/StopSignal", "\"SIGINT\"" },
		{ "stop_grace_period: 1m30s", "container/StopTimeout", "90" },
		{ "stop_grace_period: 1500ms", "container/StopTimeout", "2" },
		{ "tty: true", "container/Tty", "true" },
		{ "stdin_open: \"yes\"", "container/OpenStdin", "true" },
		{ "init: true", HOST "Init", "true" },
		{ "read_only: true", HOST "ReadonlyRootfs", "true" },
		{ "platform: linux/amd64", "platform", "\"linux/amd64\"" },
		{ "pull_policy: always", "pull_policy", "\"always\"" },
		{ "pull_policy: if_not_present", "pull_policy", "\"missing\"" },
		{ "", "pull_policy", "\"missing\"" },

		{ "command: bash -c 'a b'", "container/Cmd", "[\"bash\",\"-c\",\"a b\"]" },
		{ "command: [a, 1, true]", "container/Cmd", "[\"a\",\"1\",\"true\"]" },
		{ "command:", "container/Cmd", "" },
		{ "", "container/Cmd", "" },
		{ "entrypoint: /run.sh now", "container/Entrypoint", "[\"/run.sh\",\"now\"]" },
		{ "entrypoint: ''", "container/Entrypoint", "[]" },
		{ "entrypoint: []", "container/Entrypoint", "[]" },
		{ "entrypoint:", "container/Entrypoint", "" },

		{ "environment: [A=1, B=, C]", "container/Env", "[\"A=1\",\"B=\",\"C\"]" },
		{ "environment: [\"A=x=y\"]", "container/Env", "[\"A=x=y\"]" },
		{ "environment: {A: 1, B: true, C: 1.50, D: no, E: , F: 'x'}", "container/Env",
		  "[\"A=1\",\"B=true\",\"C=1.5\",\"D=no\",\"E\",\"F=x\"]" },
		{ "environment: [A=1, A=2]", "container/Env", "[\"A=2\"]" },
		{ "environment:", "container/Env", "[]" },

		{ "restart: always", HOST "RestartPolicy",
		  "{\"Name\":\"always\",\"MaximumRetryCount\":0}" },
		{ "restart: unless-stopped", HOST "RestartPolicy/Name", "\"unless-stopped\"" },
		{ "restart: on-failure:10", HOST "RestartPolicy",
		  "{\"Name\":\"on-failure\",\"MaximumRetryCount\":10}" },
		{ "restart: no", HOST "RestartPolicy/Name", "\"no\"" },
		{ "restart: \"no\"", HOST "RestartPolicy/Name", "\"no\"" },
		{ "restart: false", HOST "RestartPolicy/Name", "\"no\"" },
		{ "restart: ''", HOST "RestartPolicy", "" },
		{ "", HOST "RestartPolicy", "" },
		{ "deploy: {restart_policy: {condition: on-failure, max_attempts: 3}}",
		  HOST "RestartPolicy", "{\"Name\":\"on-failure\",\"MaximumRetryCount\":3}" },
		{ "deploy: {restart_policy: {condition: any}}\nrestart: \"no\"",
		  HOST "RestartPolicy/Name", "\"no\"" },

		{ "healthcheck: {test: curl localhost, interval: 10s, timeout: 1s, retries: 5, "
		  "start_period: 1m}",
		  "container/Healthcheck",
		  "{\"Test\":[\"CMD-SHELL\",\"curl localhost\"],\"Interval\":10000000000,"
		  "\"Timeout\":1000000000,\"Retries\":5,\"StartPeriod\":60000000000}" },
		{ "healthcheck: {test: [CMD, true]}", "container/Healthcheck/Test",
		  "[\"CMD\",\"true\"]" },
		{ "healthcheck: {disable: true}", "container/Healthcheck/Test", "[\"NONE\"]" },
		{ "healthcheck: {test: [NONE]}", "container/Healthcheck/Test", "[\"NONE\"]" },
		{ "healthcheck: {interval: 5s}", "container/Healthcheck",
		  "{\"Interval\":5000000000}" },

		{ "mem_limit: 1g", HOST "Memory", "1073741824" },
		{ "mem_limit: 2Gb", "memory", "2147483648" },
		{ "mem_limit: 128m", HOST "MemorySwap", "134217728" },
		{ "mem_limit: 128m\nmemswap_limit: 256m", HOST "MemorySwap", "268435456" },
		{ "mem_reservation: 64m", HOST "MemoryReservation", "67108864" },
		{ "mem_swappiness: 10", HOST "MemorySwappiness", "10" },
		{ "deploy: {resources: {limits: {memory: 100M, cpus: '0.25', pids: 7}}}",
		  HOST "Memory", "104857600" },
		{ "deploy: {resources: {limits: {memory: 100M, cpus: '0.25', pids: 7}}}",
		  HOST "NanoCpus", "250000000" },
		{ "deploy: {resources: {limits: {memory: 100M, cpus: '0.25', pids: 7}}}",
		  HOST "PidsLimit", "7" },
		{ "cpus: 0.5", HOST "NanoCpus", "500000000" },
		{ "cpus: '2'", "nano_cpus", "2000000000" },
		{ "cpu_quota: 50000", HOST "NanoCpus", "500000000" },
		{ "cpu_quota: 50000\ncpu_period: 25000", HOST "NanoCpus", "2000000000" },
		{ "cpu_shares: 512", HOST "CpuShares", "512" },
		{ "cpuset: 0,1", HOST "CpusetCpus", "\"0,1\"" },
		{ "pids_limit: 100", HOST "PidsLimit", "100" },
		{ "shm_size: 128m", HOST "ShmSize", "134217728" },
		{ "ulimits: {nofile: 1000, core: 0}", HOST "Ulimits",
		  "[{\"Name\":\"nofile\",\"Soft\":1000,\"Hard\":1000},"
		  "{\"Name\":\"core\",\"Soft\":0,\"Hard\":0}]" },
		{ "ulimits: {nofile: {soft: 100, hard: 200}}", HOST "Ulimits/0",
		  "{\"Name\":\"nofile\",\"Soft\":100,\"Hard\":200}" },
		{ "oom_score_adj: 500", HOST "OomScoreAdj", "500" },
		{ "deploy: {replicas: 4}", "replicas", "4" },
		{ "scale: 2", "replicas", "2" },

		{ "cap_drop: [ALL]", HOST "CapAdd", "[]" },
		{ "cap_drop: [all]\ncap_add: [setuid, CAP_CHOWN]", HOST "CapAdd",
		  "[\"CHOWN\",\"SETUID\"]" },
		{ "cap_add: [MKNOD]", HOST "CapDrop", "[\"ALL\"]" },
		{ "security_opt: [no-new-privileges]", HOST "SecurityOpt",
		  "[\"no-new-privileges:true\"]" },
		{ "security_opt: [no-new-privileges:false]", HOST "SecurityOpt", "" },
		{ "security_opt: ['seccomp=builtin']", HOST "SecurityOpt/1", "" },
		{ "group_add: [audio, 1000]", HOST "GroupAdd", "[\"audio\",\"1000\"]" },
		{ "sysctls: {net.core.somaxconn: 1024}", HOST "Sysctls",
		  "{\"net.core.somaxconn\":\"1024\"}" },
		{ "sysctls: [net.ipv4.ip_forward=1]", HOST "Sysctls",
		  "{\"net.ipv4.ip_forward\":\"1\"}" },
		{ "privileged: false", HOST "Privileged", "" },
		{ "ipc: shareable", HOST "IpcMode", "\"shareable\"" },

		{ "dns: 1.1.1.1", HOST "Dns", "[\"1.1.1.1\"]" },
		{ "dns: [1.1.1.1, 8.8.8.8]", HOST "Dns", "[\"1.1.1.1\",\"8.8.8.8\"]" },
		{ "dns_search: example.com", HOST "DnsSearch", "[\"example.com\"]" },
		{ "dns_opt: [ndots:1]", HOST "DnsOptions", "[\"ndots:1\"]" },
		{ "extra_hosts: [\"a:1.2.3.4\", \"b=::1\"]", HOST "ExtraHosts",
		  "[\"a:1.2.3.4\",\"b:::1\"]" },
		{ "extra_hosts: {a: 1.2.3.4, b: [1.1.1.1, 2.2.2.2]}", HOST "ExtraHosts",
		  "[\"a:1.2.3.4\",\"b:1.1.1.1\",\"b:2.2.2.2\"]" },
		{ "network_mode: none", "network_mode", "\"none\"" },
		{ "network_mode: none", "networks", "" },

		{ "tmpfs: /run", HOST "Tmpfs", "{\"/run\":\"\"}" },
		{ "tmpfs: [\"/run:size=1m,mode=755\", /tmp]", HOST "Tmpfs",
		  "{\"/run\":\"size=1m,mode=755\",\"/tmp\":\"\"}" },
		{ "volumes: [{type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 0700}}]",
		  HOST "Tmpfs", "{\"/t\":\"size=1048576,mode=700\"}" },
		{ "volumes: [/data]", "volumes", "[{\"target\":\"/data\"}]" },
		{ "volumes: [/data//./x/]", "volumes", "[{\"target\":\"/data/x\"}]" },
		{ "tmpfs: /run/", HOST "Tmpfs", "{\"/run\":\"\"}" },
		{ "volumes: [{target: /data}]", "volumes", "[{\"target\":\"/data\"}]" },
		{ "logging: {driver: json-file, options: {max-size: 1m, max-file: '1'}}",
		  HOST "LogConfig/Config", "{\"max-size\":\"1048576\",\"max-file\":\"1\"}" },
		{ "logging: {options: {max-size: 100g}}", HOST "LogConfig/Config/max-size",
		  "\"10485760\"" },
	};

	folder_open(&f);
	check_facts(facts, ARRAY_SIZE(facts));
	folder_close(&f);
}

TEST(ports_are_read_in_every_form)
{
#define PORT(n, p, pub) "{\"container_port\":" #n ",\"protocol\":\"" p "\",\"published\":" #pub "}"
	static const struct fact facts[] = {
		{ "ports: ['8080:80']", "ports", "[" PORT(80, "tcp", true) "]" },
		{ "ports: [22222:22]", "ports", "[" PORT(22, "tcp", true) "]" },
		{ "ports: ['80']", "ports", "[" PORT(80, "tcp", true) "]" },
		{ "ports: [80]", "ports", "[" PORT(80, "tcp", true) "]" },
		{ "ports: ['127.0.0.1:8080:80']", "ports", "[" PORT(80, "tcp", true) "]" },
		{ "ports: ['127.0.0.1::80']", "ports", "[" PORT(80, "tcp", true) "]" },
		{ "ports: ['[::1]:8080:80/udp']", "ports", "[" PORT(80, "udp", true) "]" },
		{ "ports: ['53:53/UDP', '53:53/tcp']", "ports",
		  "[" PORT(53, "udp", true) "," PORT(53, "tcp", true) "]" },
		{ "ports: ['8000-8001:9000-9001']", "ports",
		  "[" PORT(9000, "tcp", true) "," PORT(9001, "tcp", true) "]" },
		{ "ports: ['0:9000-9001']", "ports",
		  "[" PORT(9000, "tcp", true) "," PORT(9001, "tcp", true) "]" },
		{ "ports: ['8000-9000:80']", "ports", "[" PORT(80, "tcp", true) "]" },
		{ "ports: ['80:80', '81:80']", "ports", "[" PORT(80, "tcp", true) "]" },
		{ "ports: [{target: 80, published: 8080, protocol: tcp, mode: host}]", "ports",
		  "[" PORT(80, "tcp", true) "]" },
		{ "ports: [{target: 80, app_protocol: http}]", "ports/0/app_protocol", "\"http\"" },
		{ "ports: ['8080:80']", "container/ExposedPorts", "{\"80/tcp\":{}}" },
		{ "expose: [3306]", "ports", "[" PORT(3306, "tcp", false) "]" },
		{ "expose: ['3307:3306']", "ports", "[" PORT(3306, "tcp", false) "]" },
		{ "expose: ['53/udp', 1-2]", "ports",
		  "[" PORT(53, "udp", false) "," PORT(1, "tcp", false) "," PORT(2, "tcp",
										false) "]" },
		{ "expose: [80]\nports: [8080:80]", "ports", "[" PORT(80, "tcp", true) "]" },
		{ "ports:", "ports", "" },
	};

	folder_open(&f);
	check_facts(facts, ARRAY_SIZE(facts));
	folder_close(&f);
}

TEST(what_a_service_does_not_ask_for_has_a_default)
{
	static const struct fact facts[] = {
		{ "", HOST "Memory", "536870912" },
		{ "", HOST "MemorySwap", "536870912" },
		{ "", HOST "NanoCpus", "1000000000" },
		{ "", HOST "PidsLimit", "256" },
		{ "", HOST "Ulimits", "[{\"Name\":\"nofile\",\"Soft\":4096,\"Hard\":16384}]" },
		{ "", HOST "CapDrop", "[\"ALL\"]" },
		{ "", HOST "CapAdd",
		  "[\"CHOWN\",\"DAC_OVERRIDE\",\"FOWNER\",\"FSETID\",\"KILL\",\"SETGID\","
		  "\"SETUID\",\"SETPCAP\",\"NET_BIND_SERVICE\",\"SYS_CHROOT\",\"AUDIT_WRITE\"]" },
		{ "", HOST "SecurityOpt", "[\"no-new-privileges:true\"]" },
		{ "", HOST "LogConfig",
		  "{\"Type\":\"json-file\",\"Config\":{\"max-size\":\"10485760\",\"max-file\":"
		  "\"2\"}"
		  "}" },
		{ "", HOST "Privileged", "" },
		{ "", "networks", "[{\"network\":\"default\",\"aliases\":[\"s\"]}]" },
		{ "", "replicas", "1" },
	};

	folder_open(&f);
	check_facts(facts, ARRAY_SIZE(facts));
	folder_check(f.json, "networks", "[{\"name\":\"default\"}]");
	folder_check(f.json, "project", "\"ctfy-i1\"");
	folder_check(f.json, "health_deadline_ms", "120000");
	folder_close(&f);
}

TEST(what_endangers_the_host_is_refused_by_name)
{
	static const struct {
		const char *keys, *opt_in;
	} facts[] = {
		{ "privileged: true", "privileged" },
		{ "volumes: ['/var/run/docker.sock:/var/run/docker.sock']", "docker-socket" },
		{ "volumes: ['/run/docker.sock:/s:ro']", "docker-socket" },
		{ "volumes: [{type: bind, source: /var/run/../run/docker.sock, target: /s}]",
		  "docker-socket" },
		{ "network_mode: host", "host-network" },
		{ "pid: host", "host-pid" },
		{ "ipc: host", "host-ipc" },
		{ "uts: host", "host-uts" },
		{ "cgroup: host", "host-cgroup" },
		{ "userns_mode: host", "host-userns" },
		{ "volumes: ['/etc:/host:ro']", "host-path:/etc" },
		{ "volumes: ['../../x:/x']", "host-path:/x" },
		{ "cap_add: [SYS_ADMIN]", "capability:SYS_ADMIN" },
		{ "cap_add: [CAP_sys_ptrace]", "capability:SYS_PTRACE" },
		{ "cap_add: [all]", "capability:ALL" },
		{ "cap_add: [NET_RAW]", "capability:NET_RAW" },
		{ "cap_add: [CAP_NET_ADMIN]", "capability:NET_ADMIN" },
		{ "ulimits: {rtprio: 99}", "real-time" },
		{ "ulimits: {nice: {soft: 0, hard: 40}}", "real-time" },
		{ "cpu_shares: 1025", "cpu-shares" },
		{ "cpu_rt_period: 100", "real-time" },
		{ "devices: ['/dev/kvm']", "device:/dev/kvm" },
		{ "devices: ['/dev/fuse:/dev/fuse:rw']", "device:/dev/fuse" },
		{ "devices: [{source: /dev/vsock}]", "device:/dev/vsock" },
		{ "device_cgroup_rules: ['c 1:3 mr']", "device-cgroup-rule" },
		{ "gpus: all", "gpu" },
		{ "deploy: {resources: {reservations: {devices: [{capabilities: [gpu]}]}}}",
		  "gpu" },
		{ "security_opt: [seccomp=unconfined]", "unconfined-seccomp" },
		{ "security_opt: ['seccomp:unconfined']", "unconfined-seccomp" },
		{ "security_opt: [seccomp=./profile.json]", "seccomp-profile" },
		{ "security_opt: [apparmor=unconfined]", "unconfined-apparmor" },
		{ "security_opt: ['apparmor:other']", "apparmor-profile:other" },
		{ "security_opt: ['label=disable']", "selinux-label" },
		{ "security_opt: ['systempaths=unconfined']", "unmasked-proc" },
		{ "sysctls: {kernel.core_pattern: x}", "sysctl:kernel.core_pattern" },
		{ "cgroup_parent: /x", "cgroup-parent" },
		{ "runtime: kata", "runtime:kata" },
		{ "oom_score_adj: -500", "oom-score" },
		{ "oom_kill_disable: true", "oom-score" },
		{ "cpu_rt_runtime: 100", "real-time" },
		{ "mem_limit: 64g", "memory" },
		{ "cpus: 64", "cpus" },
		{ "pids_limit: 1000000", "pids" },
		{ "pids_limit: -1", "pids" },
		{ "ulimits: {nofile: 99999999}", "nofile" },
		{ "ulimits: {nofile: -1}", "nofile" },
		{ "deploy: {replicas: 100}", "replicas" },
		{ "build: {context: ., network: host}", "build-host-network" },
		{ "build: {context: ., privileged: true}", "build-privileged" },
		{ "build: ../elsewhere", "host-path:/tmp/elsewhere" },
		{ "env_file: /etc/passwd", "host-path:/etc/passwd" },
	};

	folder_open(&f);
	folder_write(&f, "Dockerfile", "FROM x\n");
	folder_write(&f, "profile.json", "{}");
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		AUTO(char *, freep) text = service_text(facts[i].keys);

		folder_write(&f, "compose.yml", text);
		if (folder_plan(&f) != -ERR_POLICY)
			fail_msg("not refused: %s (%s)", facts[i].keys, f.e.msg);
		CHECK_EQ(f.problems.by_kind[PROBLEM_POLICY], 1);
		CHECK_EQ(f.problems.by_kind[PROBLEM_ERROR], 0);
		for (size_t j = 0; j < f.problems.count; j++)
			if (f.problems.rows[j].kind == PROBLEM_POLICY)
				CHECK_STR(f.problems.rows[j].opt_in, facts[i].opt_in);
	}
	folder_close(&f);
}

TEST(an_opt_in_lets_it_through)
{
	static const struct fact facts[] = {
		{ "privileged: true", HOST "Privileged", "true" },
		{ "privileged: true", HOST "CapDrop", "" },
		{ "privileged: true", HOST "SecurityOpt", "" },
		{ "volumes: ['/var/run/docker.sock:/s:ro']", "binds",
		  "[{\"kind\":\"host\",\"source\":\"/var/run/docker.sock\",\"target\":\"/s\","
		  "\"read_only\":true}]" },
		{ "volumes: ['/srv/x:/x:rshared']", "binds",
		  "[{\"kind\":\"host\",\"source\":\"/srv/x\",\"target\":\"/x\","
		  "\"propagation\":\"rshared\"}]" },
		{ "network_mode: host", "network_mode", "\"host\"" },
		{ "pid: host", HOST "PidMode", "\"host\"" },
		{ "labels: {a: 1, b: }", "container/Labels", "{\"a\":\"1\",\"b\":\"\"}" },
		{ "labels: [a=1, b]", "container/Labels", "{\"a\":\"1\",\"b\":\"\"}" },
		{ "cap_add: [SYS_ADMIN]\ncap_drop: [ALL]", HOST "CapAdd", "[\"SYS_ADMIN\"]" },
		{ "devices: ['/dev/kvm:/dev/k:r']", HOST "Devices",
		  "[{\"PathOnHost\":\"/dev/kvm\",\"PathInContainer\":\"/dev/k\","
		  "\"CgroupPermissions\":\"r\"}]" },
		{ "gpus: all", HOST "DeviceRequests",
		  "[{\"Driver\":\"\",\"Count\":-1,\"Capabilities\":[[\"gpu\"]]}]" },
		{ "security_opt: [seccomp=unconfined]", HOST "SecurityOpt",
		  "[\"seccomp=unconfined\",\"no-new-privileges:true\"]" },
		{ "security_opt: ['seccomp:./profile.json']", HOST "SecurityOpt/0",
		  "\"seccomp={\\\"defaultAction\\\":\\\"SCMP_ACT_ALLOW\\\"}\"" },
		{ "mem_limit: 64g", HOST "Memory", "68719476736" },
		{ "pids_limit: -1", HOST "PidsLimit", "-1" },
		{ "runtime: kata", HOST "Runtime", "\"kata\"" },
		{ "oom_kill_disable: true", HOST "OomKillDisable", "true" },
	};

	folder_open(&f);
	f.policy = policy_new_open();
	folder_write(&f, "profile.json", "{\"defaultAction\": \"SCMP_ACT_ALLOW\"}");
	check_facts(facts, ARRAY_SIZE(facts));
	folder_close(&f);
}

TEST(a_fault_of_the_file_is_named)
{
	static const struct {
		const char *keys, *message;
	} facts[] = {
		{ "imagine: x", "compose.yml:4:5: error: services.s.imagine: unknown key" },
		{ "ports: ['99999:80']",
		  "compose.yml:4:13: error: services.s.ports: '99999:80' is not a port" },
		{ "ports: ['80/sctp']", "the protocol 'sctp' is not supported" },
		{ "ports: ['1-3:1-2']", "'1-3:1-2': the ranges differ in length" },
		{ "ports: 80", "must be a list, not a number" },
		{ "ports: ['1-65535']", "more than 1024 ports" },
		{ "ports: [{published: 1}]", "needs a 'target' from 1 to 65535" },
		{ "ports: [{target: 1, colour: red}]", "unknown key 'colour'" },
		{ "command: \"open 'quote\"",
		  "services.s.command: a quote is not closed in 'open 'quote'" },
		{ "mem_limit: lots", "'lots' is not a size: write it like '512m' or '2g'" },
		{ "mem_limit: 1m", "services.s.mem_limit: the engine needs at least 6m" },
		{ "mem_limit: 64m\nmemswap_limit: 32m", "memory and swap together" },
		{ "stop_grace_period: 10", "'10' is not a duration: write it like '10s'" },
		{ "healthcheck: {test: [true]}", "a test begins with NONE, CMD or CMD-SHELL" },
		{ "healthcheck: {interval: 1us}", "must be at least 1ms" },
		{ "healthcheck: {tset: x}", "unknown key 'tset'" },
		{ "healthcheck: curl", "must be a map, not a string" },
		{ "restart: sometimes", "'sometimes' is not a restart policy" },
		{ "restart: always:3", "'always:3' is not a restart policy" },
		{ "cap_add: [SYS_ADMIRAL]", "there is no capability 'SYS_ADMIRAL'" },
		{ "cap_drop: [NONE]", "there is no capability 'NONE'" },
		{ "cap_add: NET_RAW", "services.s.cap_add: must be a list, not a string" },
		{ "security_opt: [magic]", "'magic' is not a security option" },
		{ "environment: ['=x']", "'' is not the name of a variable" },
		{ "environment: A=1", "must be a map or a list, not a string" },
		{ "environment: {A: [1]}", "must be a string, not a list" },
		{ "env_file: nope.env", "the file 'nope.env' does not exist" },
		{ "env_file: bad.env",
		  "bad.env:2:1: error: services.s.env_file: expected NAME=value" },
		{ "volumes: [data:/d]", "the volume 'data' is not defined under 'volumes:'" },
		{ "volumes: ['./x:relative']", "'relative' is not an absolute path" },
		{ "volumes: ['~/x:/x']", "a node has no home directory to mount from" },
		{ "volumes: [{type: npipe, source: a, target: /b}]", "'npipe' is not supported" },
		{ "volumes: [{type: bind, target: /b}]", "a bind needs a 'source'" },
		{ "volumes: [{type: bind, source: ./nope, target: /b, bind: {create_host_path: "
		  "false}}]",
		  "'./nope' does not exist" },
		{ "ports: ['80:80:80:80']", "'80:80:80:80' is not a port" },
		{ "ports: ['host.name:80:80']", "'host.name:80:80' is not a port" },
		{ "networks: [lan]", "the network 'lan' is not defined under 'networks:'" },
		{ "network_mode: service:other", "names no service of this challenge" },
		{ "network_mode: container:other", "names no service of this challenge" },
		{ "network_mode: magic", "'magic' is not a network mode" },
		{ "depends_on: [other]", "services.s.depends_on: there is no service 'other'" },
		{ "depends_on: [s]", "a service can't depend on itself" },
		{ "depends_on: {s: {condition: maybe}}", "'maybe' is not a condition" },
		{ "links: [other]", "there is no service 'other'" },
		{ "volumes_from: [x]", "mount a named volume in both services" },
		{ "external_links: [x]", "an instance has no containers but its own" },
		{ "build: {dockerfile: D}", "the Dockerfile 'D' does not exist in '.'" },
		{ "build: nope", "the context 'nope' is not a directory" },
		{ "build: https://github.com/x/y.git",
		  "put the sources in the challenge's folder" },
		{ "build: {context: ., secrets: [x]}", "are not supported" },
		{ "build: {context: ., ssh: [default]}", "are not supported" },
		{ "build: {context: ., colour: red}", "unknown key 'colour'" },
		{ "build: [x]", "must be a directory or a map, not a list" },
		{ "hostname: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		  "a host name has at most 63 characters" },
		{ "pid: service:x", "only 'host' and 'private' are" },
		{ "tty: maybe", "'maybe' is neither true nor false" },
		{ "pids_limit: many", "'many' is not a number" },
		{ "ulimits: {nofile: {soft: 1}}", "'nofile' needs both 'soft' and 'hard'" },
		{ "depends_on: {s: {condtion: x}}", "unknown key 'condtion'" },
		{ "ulimits: {core: {soft: 1, hard: 1, medium: 1}}", "unknown key 'medium'" },
		{ "volumes: [{target: /x, bind: {propagate: x}}]", "unknown key 'propagate'" },
		{ "env_file: [{path: bad.env, neded: no}]", "unknown key 'neded'" },
		{ "logging: {drvier: x}", "unknown key 'drvier'" },
		{ "extends: {servce: x}", "services.s.extends: unknown key 'servce'" },
		{ "configs: [c]", "'c' is not defined under 'configs:'" },
		{ "provider: {type: x}", "services.s.provider: is not supported" },
		{ "image: ''", "'' is not the name of an image" },
		{ "image: ctfy-challenge/other/web:1", "another challenge's answers may be in it" },
		{ "image: docker.io/ctfy-challenge/other/web:1", "is what a node calls" },
		{ "image: cafe", "'cafe' may be an image's id" },
		{ "command: ${", "invalid interpolation" },
		{ "command: ${X:?say it}", "the variable 'X' is required: say it" },
		{ "extends: other", "there is no service 'other' to extend" },
		{ "extends: s", "the service extends itself" },
		{ "extends: {file: nope.yml, service: s}", "the file 'nope.yml' does not exist" },
	};

	folder_open(&f);
	folder_write(&f, "bad.env", "A=1\nB C\n");
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		AUTO(char *, freep) text = service_text(facts[i].keys);

		folder_write(&f, "compose.yml", text);
		if (folder_plan(&f) != -ERR_INVALID)
			fail_msg("not refused: %s (%s)", facts[i].keys, f.e.msg);
		folder_check_problem(&f, facts[i].message);
	}
	folder_close(&f);
}

TEST(a_fault_of_the_whole_file_is_named)
{
	static const struct {
		const char *text, *message;
	} facts[] = {
		{ "", "compose.yml:1:1: error: the file is empty" },
		{ "[]", "error: the file is empty" },
		{ "[a]", "the file must be a map of sections" },
		{ "services: {}", "services: there are no services" },
		{ "services: [a]", "services: there are no services" },
		{ "version: '3'", "there are no services" },
		{ "services: {a: b}", "services.a: a service must be a map, not a string" },
		{ "services: {'a b': {image: i}}", "a service's name takes letters" },
		{ "services: {a: {}}", "services.a: has neither an image nor a build" },
		{ "servces: {a: {image: i}}\nversion: '3'",
		  "1:1: error: servces: unknown at the top" },
		{ "services:\n  a: {image: i}\n  a: {image: j}\n",
		  "compose.yml:3:3: error: the key 'a' is already defined at line 2" },
		{ "services: {a: {image: i, depends_on: [b]}, b: {image: i, depends_on: [a]}}",
		  "the services 'a' and others wait for each other" },
		{ "services: {a: {image: i, networks: [n], network_mode: none}}\nnetworks: {n: }",
		  "has both network_mode and networks" },
		{ "services: {a: {image: i, networks: [n]}}\nnetworks: {n: {colour: red}}",
		  "networks.n: unknown key 'colour'" },
		{ "services: {a: {image: i, volumes: ['v:/v']}}\nvolumes: {v: {colour: red}}",
		  "volumes.v: unknown key 'colour'" },
		{ "services: {a: {image: i, networks: {n: {ipv4_address: 10.1.0.5}}}}\n"
		  "networks: {n: {ipam: {config: [{subnet: 10.2.0.0/24}]}}}",
		  "'10.1.0.5' lies in no subnet of the network 'n'" },
		{ "include: nope.yml\nservices: {a: {image: i}}",
		  "include: the file 'nope.yml' does not exist" },
		{ "include: compose.yml\nservices: {a: {image: i}}",
		  "more than 200 files are drawn in: one includes itself" },
		{ "include: [compose.yml, compose.yml]\nservices: {a: {image: i}}",
		  "more than 200 files are drawn in: one includes itself" },
	};

	folder_open(&f);
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		folder_write(&f, "compose.yml", facts[i].text);
		if (folder_plan(&f) != -ERR_INVALID)
			fail_msg("not refused: %s (%s)", facts[i].text, f.e.msg);
		folder_check_problem(&f, facts[i].message);
	}
	folder_close(&f);
}

TEST(what_has_no_effect_is_a_warning)
{
	static const char *const keys[] = {
		"annotations: {a: b}",
		"attach: false",
		"blkio_config: {weight: 1}",
		"cpu_count: 2",
		"cpu_percent: 50",
		"credential_spec: {}",
		"develop: {}",
		"isolation: default",
		"mac_address: 02:42:ac:11:00:02",
		"pre_stop: []",
		"pull_refresh_after: 1d",
		"build: {dockerfile_inline: FROM x, no_cache_filter: [y]}",
		"label_file: x",
		"storage_opt: {size: 1G}",
		"deploy: {mode: global}",
		"memswap_limit: 1g",
		"network_mode: bridge",
		"logging: {driver: syslog}",
		"healthcheck: {start_interval: 1s}",
		"ports: ['127.0.0.1:80:80']",
		"volumes: ['./absent:/a']",
		"volumes: ['/a', './folder:/x:rx']",
		"extra_hosts: ['host.docker.internal:host-gateway']",
		"environment: [A=$UNKNOWN]",
	};

	folder_open(&f);
	folder_write(&f, "folder/x", "");
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		AUTO(char *, freep) text = service_text(keys[i]);

		plan_compose(text);
		/* One that there is nothing to answer, and one of the key. */
		if (f.problems.by_kind[PROBLEM_WARNING] != 2) {
			folder_print_problems(&f);
			fail_msg("%s", keys[i]);
		}
	}
	folder_close(&f);
}

TEST(an_override_may_have_another_of_its_names_and_all_profiles_be_on)
{
	folder_open(&f);
	folder_write(&f, "docker-compose.override.yaml", "services: {s: {hostname: h}}\n");
	folder_write(&f, ".env", "COMPOSE_PROFILES=*\n");
	plan_compose("services: {s: {image: i, profiles: [p]}}\n");
	folder_check(f.json, "services/0/container/Hostname", "\"h\"");
	folder_close(&f);
}

TEST(extensions_and_version_are_passed_over)
{
	folder_open(&f);
	plan_compose("version: '2.4'\nname: mine\nx-a: &a {image: i}\n"
		     "services:\n  s:\n    <<: *a\n    x-b: 1\n");
	CHECK_EQ(f.problems.count, 1);
	folder_check_problem(&f, "flags: nothing to answer");
	folder_check(f.json, "services/0/image", "\"i\"");
	folder_close(&f);
}

/* --- between services --------------------------------------------------------------------- */

TEST(services_come_in_the_order_of_their_dependencies)
{
	folder_open(&f);
	plan_compose("services:\n"
		     "  web: {image: i, depends_on: {db: {condition: service_healthy}, "
		     "init: {condition: service_completed_successfully}}}\n"
		     "  other: {image: i}\n"
		     "  init: {image: i, depends_on: [db]}\n"
		     "  db: {image: i}\n");
	folder_check(f.json, "services/0/name", "\"other\"");
	folder_check(f.json, "services/1/name", "\"db\"");
	folder_check(f.json, "services/2/name", "\"init\"");
	folder_check(f.json, "services/2/one_shot", "true");
	folder_check(f.json, "services/3/name", "\"web\"");
	folder_check(f.json, "services/3/depends_on",
		     "[{\"service\":\"db\",\"condition\":\"healthy\"},"
		     "{\"service\":\"init\",\"condition\":\"completed\"}]");
	folder_close(&f);
}

TEST(a_link_does_not_weaken_a_dependency)
{
	static const char *const orders[] = {
		"links: [db], depends_on: {db: {condition: service_healthy}}",
		"depends_on: {db: {condition: service_healthy}}, links: [db]",
	};

	folder_open(&f);
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		AUTO(char *, freep) text =
			strf("services: {web: {image: i, %s}, db: {image: i}}\n", orders[i]);

		plan_compose(text);
		folder_check(f.json, "services/1/depends_on",
			     "[{\"service\":\"db\",\"condition\":\"healthy\"}]");
	}
	folder_close(&f);
}

TEST(a_service_off_by_its_profile_is_left_out)
{
	static const char text[] =
		"services:\n"
		"  web: {image: i, depends_on: {debug: {condition: service_started, required: "
		"false}}}\n"
		"  debug: {image: i, profiles: [dev, test]}\n";

	folder_open(&f);
	plan_compose(text);
	folder_check(f.json, "services/1", "");
	folder_check(f.json, "services/0/depends_on", "");
	folder_write(&f, ".env", "COMPOSE_PROFILES=other,test\n");
	plan_compose(text);
	folder_check(f.json, "services/1/name", "\"web\"");
	folder_close(&f);
}

TEST(a_container_s_fixed_name_is_only_an_alias)
{
	folder_open(&f);
	plan_compose(
		"services:\n"
		"  Web_1: {image: i, container_name: fixed, networks: {a: {aliases: [x]}, b: }}\n"
		"  peer: {image: i, network_mode: 'container:fixed'}\n"
		"networks: {a: , b: {}}\n");
	folder_check(f.json, "services/0/networks",
		     "[{\"network\":\"a\",\"aliases\":[\"x\",\"Web_1\",\"fixed\"]},"
		     "{\"network\":\"b\",\"aliases\":[\"Web_1\",\"fixed\"]}]");
	folder_check(f.json, "services/1/network_mode", "\"service\"");
	folder_check(f.json, "services/1/network_service", "\"Web_1\"");
	folder_check(f.json, "services/1/depends_on/0/service", "\"Web_1\"");
	folder_close(&f);
}

TEST(ports_are_published_of_a_network_of_one_s_own)
{
	folder_open(&f);
	plan_compose("services:\n"
		     "  none: {image: i, network_mode: none, ports: [80], expose: [90]}\n"
		     "  a: {image: i, ports: [80], networks: [hidden]}\n"
		     "  b: {image: i, ports: [80], networks: [hidden, open]}\n"
		     "  c: {image: i, network_mode: 'service:b', expose: [90]}\n"
		     "networks: {hidden: {internal: true}, open: }\n");
	folder_check(f.json, "services/0/ports", "");
	folder_check(f.json, "services/0/container/ExposedPorts", "{}");
	folder_check_problem(&f, "services.none.ports: have no effect with network_mode 'none'");
	folder_check_problem(&f,
			     "services.a: its ports can't be reached: the engine publishes none "
			     "of an internal network");
	CHECK_EQ(f.problems.by_kind[PROBLEM_WARNING], 3);
	folder_close(&f);

	folder_open(&f);
	folder_write(&f, "compose.yml",
		     "services: {a: {image: i, network_mode: 'service:b', ports: [80]}, b: {image: "
		     "i}}\n");
	CHECK_EQ(folder_plan(&f), -ERR_INVALID);
	folder_check_problem(&f, "a service on the network of 'b' publishes no ports: 'b' has to");
	folder_close(&f);
}

TEST(networks_are_joined_by_priority_and_name)
{
	folder_open(&f);
	plan_compose(
		"services: {a: {image: i, networks: {c: , b: {priority: -1}, a: , d: {priority: "
		"10}}}}\n"
		"networks: {a: , b: , c: , d: }\n");
	folder_check(f.json, "services/0/networks/0/network", "\"d\"");
	folder_check(f.json, "services/0/networks/1/network", "\"a\"");
	folder_check(f.json, "services/0/networks/2/network", "\"c\"");
	folder_check(f.json, "services/0/networks/3/network", "\"b\"");
	folder_close(&f);
}

static const char *project_of(const char *instance_id, char *text, size_t size)
{
	struct plan_facts facts = { .instance_id = instance_id };
	AUTO(struct plan *, plan_freep) plan = NULL;

	CHECK_EQ(plan_make(f.challenge, NULL, &facts, &plan, NULL, &f.e), 0);
	snprintf(text, size, "%s", plan->project);
	return text;
}

TEST(no_two_instances_have_one_project_s_name)
{
	char a[128], b[128];

	folder_open(&f);
	folder_write(&f, "compose.yml", "services: {s: {image: i}}\n");
	CHECK_EQ(folder_load(&f), 0);
	CHECK_STR(project_of("team-1_x", a, sizeof(a)), "ctfy-team-1_x");
	CHECK(strcmp(project_of("a.b", a, sizeof(a)), project_of("a-b", b, sizeof(b))) != 0);
	CHECK(strcmp(project_of("AB", a, sizeof(a)), project_of("ab", b, sizeof(b))) != 0);
	CHECK_EQ(strspn(a, "abcdefghijklmnopqrstuvwxyz0123456789-_"), strlen(a));
	folder_close(&f);
}

TEST(a_link_makes_its_alias)
{
	folder_open(&f);
	plan_compose("services:\n  web: {image: i, links: ['db:mysql', cache]}\n"
		     "  db: {image: i}\n  cache: {image: i}\n");
	folder_check(f.json, "services/0/networks/0/aliases", "[\"db\",\"mysql\"]");
	folder_check(f.json, "services/2/depends_on",
		     "[{\"service\":\"db\",\"condition\":\"started\"},"
		     "{\"service\":\"cache\",\"condition\":\"started\"}]");
	folder_close(&f);
}

TEST(networks_are_the_instance_s_own)
{
	folder_open(&f);
	plan_compose("services:\n"
		     "  a: {image: i, networks: {lan: {ipv4_address: 172.20.0.5}, ext: }}\n"
		     "  b: {image: i, networks: {lan: {ipv4_address: 172.20.1.7}, hidden: }}\n"
		     "networks:\n"
		     "  lan:\n"
		     "    driver: bridge\n"
		     "    driver_opts: {com.docker.network.driver.mtu: 1400}\n"
		     "    ipam: {config: [{subnet: 172.20.0.0/16, gateway: 172.20.0.1}]}\n"
		     "  ext: {external: true, name: ctfnet}\n"
		     "  hidden: {internal: true}\n"
		     "  unused: {driver: overlay}\n");
	folder_check(f.json, "networks/0",
		     "{\"name\":\"lan\",\"prefix\":23,\"gateway_offset\":1,"
		     "\"options\":{\"com.docker.network.driver.mtu\":\"1400\"}}");
	folder_check(f.json, "networks/1", "{\"name\":\"ext\"}");
	folder_check(f.json, "networks/2", "{\"name\":\"hidden\",\"internal\":true}");
	folder_check(f.json, "networks/3", "");
	folder_check(f.json, "services/0/networks/1/host_offset", "5");
	folder_check(f.json, "services/1/networks/1/host_offset", "263");
	folder_close(&f);
}

TEST(a_bridge_s_name_and_another_driver_are_not_kept)
{
	folder_open(&f);
	plan_compose("services: {a: {image: i}}\n"
		     "networks: {default: {driver: macvlan, driver_opts: "
		     "{com.docker.network.bridge.name: br0}}}\n");
	folder_check(f.json, "networks", "[{\"name\":\"default\"}]");
	folder_check_problem(&f, "a bridge is used instead of the driver 'macvlan'");
	folder_check_problem(&f, "the option 'com.docker.network.bridge.name' is not kept");
	folder_close(&f);
}

TEST(a_vpn_on_the_node_s_own_image_may_route)
{
	static const char rights[] = "    cap_add: [NET_ADMIN]\n    devices: [/dev/net/tun]\n";
	static const struct {
		const char *dockerfile; /* NULL: the service is of the image itself */
		int result;
	} facts[] = {
		{ NULL, 0 },
		{ "FROM ctfy/openvpn-base\nCOPY x /x\n", 0 },
		{ "FROM ctfy/openvpn-base:latest AS a\nFROM A\n", 0 },
		{ "FROM ctfy/openvpn-base AS a\nFROM debian\nCOPY --from=a / /\n", -ERR_POLICY },
		{ "FROM ctfy/openvpn-base-evil\n", -ERR_POLICY },
		{ "FROM debian\n", -ERR_POLICY },
	};

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		AUTO(char *, freep) compose = NULL;

		folder_open(&f);
		compose = strf("services:\n  v:\n%s    %s\n", rights,
			       facts[i].dockerfile ? "build: ." : "image: ctfy/openvpn-base");
		folder_write(&f, "compose.yml", compose);
		folder_write(&f, "Dockerfile", facts[i].dockerfile ? facts[i].dockerfile : "");
		CHECK_EQ(folder_plan(&f), facts[i].result);
		folder_close(&f);
	}
	folder_open(&f);
	folder_write(&f, "compose.yml",
		     "services: {v: {image: ctfy/openvpn-base, cap_add: [SYS_ADMIN]}}\n");
	CHECK_EQ(folder_plan(&f), -ERR_POLICY);
	folder_close(&f);
}

TEST(volumes_are_the_instance_s_own)
{
	folder_open(&f);
	plan_compose("services:\n"
		     "  a: {image: i, volumes: ['data:/d', 'data:/e:ro', "
		     "{type: volume, source: ext, target: /x, volume: {nocopy: true}}]}\n"
		     "volumes: {data: , ext: {external: true}, mem: {driver_opts: {type: tmpfs}}, "
		     "bad: {driver: nfs}}\n");
	folder_check(f.json, "services/0/volumes",
		     "[{\"volume\":\"data\",\"target\":\"/d\"},"
		     "{\"volume\":\"data\",\"target\":\"/e\",\"read_only\":true},"
		     "{\"volume\":\"ext\",\"target\":\"/x\",\"nocopy\":true}]");
	folder_check(f.json, "volumes", "[{\"name\":\"data\"},{\"name\":\"ext\"}]");
	folder_close(&f);
}

/* --- binds -------------------------------------------------------------------------------- */

TEST(instances_never_share_or_dirty_the_source)
{
	folder_open(&f);
	folder_write(&f, "conf/a", "");
	folder_write(&f, "app/b", "");
	plan_compose("services:\n"
		     "  one: {image: i, volumes: ['./conf:/c:ro', './app:/a', './absent:/x']}\n"
		     "  two: {image: i, volumes: ['./app:/shared:ro']}\n");
	folder_check(f.json, "services/0/binds/0/kind", "\"shared\"");
	folder_check(f.json, "services/0/binds/0/read_only", "true");
	folder_check(f.json, "services/0/binds/1/kind", "\"copy\"");
	folder_check(f.json, "services/0/binds/1/slot", "\"bind-1\"");
	folder_check(f.json, "services/0/binds/2/kind", "\"empty\"");
	/* What one service writes, the other sees. */
	folder_check(f.json, "services/1/binds/0/kind", "\"copy\"");
	folder_check(f.json, "services/1/binds/0/slot", "\"bind-1\"");
	folder_check(f.json, "services/1/binds/0/read_only", "true");
	folder_close(&f);
}

TEST(a_symlink_out_of_the_folder_is_the_operator_s_to_allow)
{
	AUTO(char *, freep) path = NULL;

	folder_open(&f);
	path = strf("%s/link", f.dir);
	CHECK_EQ(symlink("/etc", path), 0);
	folder_write(&f, "compose.yml", "services: {a: {image: i, volumes: ['./link:/l:ro']}}\n");
	CHECK_EQ(folder_plan(&f), -ERR_POLICY);
	folder_check_problem(&f, "the path 'link' is a symlink out of the challenge's folder");
	folder_close(&f);
}

TEST(the_engine_s_socket_can_be_left_out)
{
	struct problems problems = PROBLEMS_INIT;
	AUTO(char *, freep) path = NULL;

	folder_open(&f);
	folder_write(&f, "policy.yml", "allow: [drop-docker-socket]\n");
	path = strf("%s/policy.yml", f.dir);
	CHECK_EQ(policy_load(path, &f.policy, &problems, NULL), 0);
	plan_compose("services: {a: {image: i, volumes: ['/var/run/docker.sock:/s']}}\n");
	folder_check(f.json, "services/0/binds", "");
	folder_check_problem(&f, "is left out, as the operator's policy says");
	folder_close(&f);
}

/* --- builds ------------------------------------------------------------------------------- */

TEST(a_dockerfile_without_a_from_is_warned_of)
{
	folder_open(&f);
	folder_write(&f, "Dockerfile", "# FROM x\nRUN true\n");
	plan_compose("services: {a: {build: .}}\n");
	folder_check_problem(&f, "services.a.build: the Dockerfile has no FROM");
	folder_close(&f);
}

TEST(a_build_is_planned_with_its_arguments)
{
	folder_open(&f);
	folder_write(&f, "src/Dockerfile.prod", "FROM x\nCOPY --chmod=755 a /a\n");
	folder_write(&f, ".env", "PASSED=on\n");
	plan_compose("services:\n"
		     "  Web: {image: 'ctf:latest', build: {context: ./src, dockerfile: "
		     "Dockerfile.prod, "
		     "args: [A=1, PASSED, ABSENT], target: run, labels: {l: 1}, shm_size: 1m, "
		     "extra_hosts: ['h:1.1.1.1'], network: none, pull: true, "
		     "platforms: [linux/amd64]}}\n"
		     "  worker: {image: 'ctf:latest'}\n");
	folder_check(f.json, "services/0/build/dockerfile", "\"Dockerfile.prod\"");
	folder_check(f.json, "services/0/build/args", "{\"A\":\"1\",\"PASSED\":\"on\"}");
	folder_check(f.json, "services/0/build/target", "\"run\"");
	folder_check(f.json, "services/0/build/labels", "");
	folder_check(f.json, "services/0/build/shm_size", "1048576");
	folder_check(f.json, "services/0/build/extra_hosts", "[\"h:1.1.1.1\"]");
	folder_check(f.json, "services/0/build/network", "\"none\"");
	folder_check(f.json, "services/0/build/pull", "true");
	folder_check(f.json, "services/0/build/platform", "\"linux/amd64\"");
	folder_check(f.json, "services/0/build/needs_buildkit", "true");
	folder_check(f.json, "services/0/build/per_instance", "");
	/* The tag that the author chose is nobody's: both run what is built here. */
	CHECK_STR(f.plan->services[0].image, f.plan->services[1].image);
	CHECK_STR(f.plan->services[1].built_by, "Web");
	CHECK_EQ(strncmp(f.plan->services[0].image, "ctfy-challenge/", 15), 0);
	CHECK_HAS(f.plan->services[0].image, "/web:");
	folder_close(&f);
}

static char *content_hash(void)
{
	plan_compose("services: {s: {build: .}}\n");
	return strdup(f.plan->services[0].build->content_hash);
}

TEST(a_content_hash_follows_the_context_alone)
{
	AUTO(char *, freep) first = NULL;
	AUTO(char *, freep) same = NULL;
	AUTO(char *, freep) ignored = NULL;
	AUTO(char *, freep) changed = NULL;
	AUTO(char *, freep) mode = NULL;
	AUTO(char *, freep) path = NULL;

	folder_open(&f);
	folder_write(&f, "Dockerfile", "FROM x\n");
	folder_write(&f, ".dockerignore", "*.md\ncompose.yml\n");
	folder_write(&f, "a", "1");
	first = content_hash();
	folder_write(&f, "a", "1");
	same = content_hash();
	CHECK_STR(first, same);
	folder_write(&f, "notes.md", "x");
	ignored = content_hash();
	CHECK_STR(first, ignored);
	folder_write(&f, "a", "2");
	changed = content_hash();
	CHECK(strcmp(first, changed) != 0);
	path = strf("%s/a", f.dir);
	CHECK_EQ(chmod(path, 0755), 0);
	mode = content_hash();
	CHECK(strcmp(changed, mode) != 0);
	folder_close(&f);
}

TEST(an_inline_dockerfile_and_one_outside_the_context)
{
	folder_open(&f);
	folder_write(&f, "src/a", "");
	folder_write(&f, "docker/Dockerfile", "FROM x\n");
	plan_compose("services:\n"
		     "  a: {build: {context: src, dockerfile_inline: \"FROM y\\n\"}}\n"
		     "  b: {build: {context: src, dockerfile: ../docker/Dockerfile}}\n");
	folder_check(f.json, "services/0/build/dockerfile_inline", "\"FROM y\\n\"");
	folder_check(f.json, "services/0/build/dockerfile", "");
	CHECK_EQ(f.plan->services[1].build->dockerfile[0], '/');
	CHECK_HAS(f.plan->services[1].build->dockerfile, "/docker/Dockerfile");
	folder_close(&f);
}

TEST(an_extract_lacks_sources_without_fault)
{
	folder_open(&f);
	f.extract = true;
	folder_write(&f, "src/a", "");
	plan_compose("services: {a: {build: gone, env_file: gone.env}, b: {build: src}}\n");
	CHECK_EQ(f.problems.by_kind[PROBLEM_WARNING], 4);
	CHECK_EQ(f.plan->service_count, 2);
	folder_close(&f);
}

/* --- several files ------------------------------------------------------------------------ */

TEST(an_override_is_laid_over_the_file)
{
	folder_open(&f);
	folder_write(&f, "compose.override.yml",
		     "services:\n"
		     "  s:\n"
		     "    environment: {B: 3, C: 4}\n"
		     "    command: new\n"
		     "    ports: ['81:81', '80:80']\n"
		     "    volumes: ['v2:/data']\n"
		     "    cap_add: !reset []\n"
		     "    dns: !override [9.9.9.9]\n"
		     "    healthcheck: {test: [CMD, new]}\n"
		     "    labels: !reset null\n"
		     "  added: {image: j}\n"
		     "volumes: {v2: }\n");
	plan_compose("services:\n"
		     "  s:\n"
		     "    image: i\n"
		     "    environment: [A=1, B=2]\n"
		     "    command: [old, words]\n"
		     "    ports: ['80:80']\n"
		     "    volumes: ['v1:/data', 'v1:/other']\n"
		     "    cap_add: [MKNOD]\n"
		     "    dns: [1.1.1.1]\n"
		     "    labels: {a: b}\n"
		     "    healthcheck: {test: [CMD, old, x], retries: 3}\n"
		     "volumes: {v1: }\n");
	folder_check(f.json, "services/0/container/Env", "[\"A=1\",\"B=3\",\"C=4\"]");
	folder_check(f.json, "services/0/container/Cmd", "[\"new\"]");
	folder_check(f.json, "services/0/container/Labels", "{}");
	folder_check(f.json, "services/0/ports/1/container_port", "81");
	folder_check(f.json, "services/0/ports/2", "");
	folder_check(f.json, "services/0/volumes",
		     "[{\"volume\":\"v1\",\"target\":\"/other\"},"
		     "{\"volume\":\"v2\",\"target\":\"/data\"}]");
	folder_check(f.json, "services/0/container/HostConfig/Dns", "[\"9.9.9.9\"]");
	folder_check(f.json, "services/0/container/Healthcheck",
		     "{\"Test\":[\"CMD\",\"new\"],\"Retries\":3}");
	folder_check(f.json, "services/1/name", "\"added\"");
	folder_close(&f);
}

TEST(a_service_extends_another_of_its_own_or_another_file)
{
	folder_open(&f);
	folder_write(&f, "common/base.yml",
		     "services:\n"
		     "  root: {image: r, environment: {A: 1, B: 1}, volumes: ['./conf:/c:ro']}\n"
		     "  mid: {extends: root, environment: [B=2], build: .}\n");
	folder_write(&f, "common/conf/x", "");
	folder_write(&f, "common/Dockerfile", "FROM x\n");
	plan_compose(
		"services:\n"
		"  top: {extends: {file: common/base.yml, service: mid}, environment: {C: 3}}\n"
		"  own: {extends: {service: top}, environment: {A: 9}}\n");
	folder_check(f.json, "services/0/container/Env", "[\"A=1\",\"B=2\",\"C=3\"]");
	folder_check(f.json, "services/1/container/Env", "[\"A=9\",\"B=2\",\"C=3\"]");
	CHECK_HAS(f.plan->services[0].binds[0].source, "/common/conf");
	CHECK_HAS(f.plan->services[0].build->context, "/common");
	folder_close(&f);
}

TEST(an_included_file_brings_its_services_and_its_own_env)
{
	folder_open(&f);
	folder_write(&f, ".env", "WHO=outer\n");
	folder_write(&f, "db/.env", "WHO=inner\nONLY=here\n");
	folder_write(&f, "db/compose.yml",
		     "services: {db: {image: i, environment: [W=$WHO, O=$ONLY], "
		     "volumes: ['./x:/x:ro']}}\nnetworks: {back: }\n");
	folder_write(&f, "db/x/y", "");
	folder_write(&f, "more.yml", "services: {more: {image: '${IMAGE}'}}\n");
	folder_write(&f, "more.env", "IMAGE=from-env-file\n");
	plan_compose("include:\n"
		     "  - db/compose.yml\n"
		     "  - {path: more.yml, env_file: more.env, project_directory: .}\n"
		     "services: {web: {image: i, depends_on: [db], networks: [back]}}\n");
	folder_check(f.json, "services/0/name", "\"db\"");
	folder_check(f.json, "services/0/container/Env", "[\"W=outer\",\"O=here\"]");
	CHECK_HAS(f.plan->services[0].binds[0].source, "/db/x");
	folder_check(f.json, "services/1/name", "\"web\"");
	folder_check(f.json, "services/2/image", "\"from-env-file\"");
	folder_close(&f);
}

TEST(what_an_included_file_defines_is_not_redefined)
{
	folder_open(&f);
	folder_write(&f, "db.yml", "services: {db: {image: i}}\n");
	folder_write(&f, "compose.yml", "include: [db.yml]\nservices: {db: {image: other}}\n");
	CHECK_EQ(folder_plan(&f), -ERR_INVALID);
	folder_check_problem(&f, "'db' is defined otherwise in the included 'db.yml'");
	folder_close(&f);
}

TEST(version_1_of_the_format_is_understood)
{
	folder_open(&f);
	plan_compose("web:\n  image: i\n  ports: ['80:80']\n  links: [db]\ndb:\n  image: j\n");
	folder_check(f.json, "services/0/name", "\"db\"");
	folder_check(f.json, "services/1/name", "\"web\"");
	folder_check_problem(&f, "as in version 1 of the format");
	folder_close(&f);
}

/* --- files -------------------------------------------------------------------------------- */

TEST(a_secret_of_a_file_has_the_owner_and_mode_that_it_is_given)
{
	folder_open(&f);
	folder_write(&f, "tight.txt", "tight");
	folder_write(&f, "compose.yml",
		     "services:\n  web:\n    image: i\n    secrets:\n"
		     "      - {source: s, target: own, uid: '5', gid: '6', mode: 0400}\n"
		     "      - s\n"
		     "secrets: {s: {file: ./tight.txt}}\n");
	CHECK_EQ(folder_plan(&f), 0);
	folder_check(f.json, "services/0/files",
		     "[{\"path\":\"/run/secrets/own\",\"mode\":\"0400\",\"uid\":5,\"gid\":6,"
		     "\"content\":\"tight\"}]");
	folder_check(f.json, "services/0/binds/0/target", "\"/run/secrets/s\"");
	folder_close(&f);
}

TEST(configs_and_secrets_reach_the_container)
{
	folder_open(&f);
	folder_write(&f, "nginx.conf", "x");
	folder_write(&f, ".env", "TOKEN=secret\n");
	plan_compose("services:\n"
		     "  s:\n"
		     "    image: i\n"
		     "    configs: [inline, {source: filed, target: /etc/nginx.conf}]\n"
		     "    secrets: [{source: tok, target: name, mode: 0400, uid: '5', gid: '6'}]\n"
		     "configs: {inline: {content: \"a=$TOKEN\"}, filed: {file: ./nginx.conf}}\n"
		     "secrets: {tok: {environment: TOKEN}}\n");
	folder_check(f.json, "services/0/files",
		     "[{\"path\":\"/inline\",\"mode\":\"0444\",\"content\":\"a=secret\"},"
		     "{\"path\":\"/run/secrets/name\",\"mode\":\"0400\",\"uid\":5,\"gid\":6,"
		     "\"content\":\"secret\"}]");
	folder_check(f.json, "services/0/binds/0/target", "\"/etc/nginx.conf\"");
	folder_check(f.json, "services/0/binds/0/kind", "\"shared\"");
	folder_close(&f);
}

TEST(a_file_that_a_mount_would_hide_is_mounted_itself)
{
	folder_open(&f);
	folder_write(&f, "app/x", "");
	plan_compose(
		"services:\n"
		"  ro: {image: i, read_only: true, configs: [c]}\n"
		"  tmp: {image: i, tmpfs: /run, secrets: [s]}\n"
		"  bound: {image: i, volumes: ['./app:/app:ro'], configs: [{source: c, target: "
		"/app/new}]}\n"
		"configs: {c: {content: x}}\nsecrets: {s: {environment: CTFY_INSTANCE_ID}}\n");
	folder_check(f.json, "services/0/files", "");
	folder_check(f.json, "services/0/binds/0/kind", "\"rendered\"");
	folder_check(f.json, "services/0/binds/0/content", "\"x\"");
	folder_check(f.json, "services/1/binds/0/target", "\"/run/secrets/s\"");
	folder_check(f.json, "services/1/binds/0/content", "\"i1\"");
	/* The place for it is made in a copy, never in the source. */
	folder_check(f.json, "services/2/binds/0/kind", "\"copy\"");
	folder_check(f.json, "services/2/binds/1/kind", "\"rendered\"");
	folder_close(&f);
}

TEST(the_daemon_s_environment_never_leaks_in)
{
	folder_open(&f);
	CHECK_EQ(setenv("CTFY_TEST_LEAK", "leaked", 1), 0);
	plan_compose("services: {s: {image: 'i${CTFY_TEST_LEAK}', environment: [CTFY_TEST_LEAK, "
		     "HOME]}}\n");
	folder_check(f.json, "services/0/image", "\"i\"");
	folder_check(f.json, "services/0/container/Env", "[\"CTFY_TEST_LEAK\",\"HOME\"]");
	folder_close(&f);
}

TEST(the_project_s_directory_is_known_as_pwd)
{
	folder_open(&f);
	folder_write(&f, "conf/x", "");
	plan_compose("services: {s: {image: i, volumes: ['$PWD/conf:/c:ro']}}\n");
	folder_check(f.json, "services/0/binds/0/kind", "\"shared\"");
	folder_close(&f);
}

TEST(env_files_yield_to_environment)
{
	folder_open(&f);
	folder_write(&f, "a.env", "A=file\nB=file\nC=\"$WHO\"\n");
	folder_write(&f, "b.env", "B=second\n");
	folder_write(&f, ".env", "WHO=dotenv\n");
	plan_compose("services: {s: {image: i, env_file: [a.env, {path: b.env}, {path: nope, "
		     "required: false}], environment: {A: own}}}\n");
	folder_check(f.json, "services/0/container/Env", "[\"A=own\",\"B=second\",\"C=dotenv\"]");
	folder_close(&f);
}

TEST(text_that_is_not_utf_8_is_survived)
{
	folder_open(&f);
	folder_write(&f, ".env", "LATIN=caf\xe9\n");
	plan_compose("services: {s: {image: i, environment: ['X=$LATIN']}}\n");
	folder_check(f.json, "services/0/container/Env", "[\"X=caf\xef\xbf\xbd\"]");
	folder_close(&f);
}

RUN_TESTS(T(every_service_key_becomes_what_the_engine_calls_it), T(ports_are_read_in_every_form),
	  T(what_a_service_does_not_ask_for_has_a_default),
	  T(what_endangers_the_host_is_refused_by_name), T(an_opt_in_lets_it_through),
	  T(a_fault_of_the_file_is_named), T(a_fault_of_the_whole_file_is_named),
	  T(what_has_no_effect_is_a_warning),
	  T(an_override_may_have_another_of_its_names_and_all_profiles_be_on),
	  T(extensions_and_version_are_passed_over),
	  T(services_come_in_the_order_of_their_dependencies),
	  T(a_link_does_not_weaken_a_dependency), T(a_service_off_by_its_profile_is_left_out),
	  T(a_container_s_fixed_name_is_only_an_alias), T(no_two_instances_have_one_project_s_name),
	  T(a_link_makes_its_alias), T(networks_are_the_instance_s_own),
	  T(ports_are_published_of_a_network_of_one_s_own),
	  T(networks_are_joined_by_priority_and_name),
	  T(a_bridge_s_name_and_another_driver_are_not_kept),
	  T(a_vpn_on_the_node_s_own_image_may_route), T(volumes_are_the_instance_s_own),

	  T(instances_never_share_or_dirty_the_source),
	  T(a_symlink_out_of_the_folder_is_the_operator_s_to_allow),
	  T(the_engine_s_socket_can_be_left_out), T(a_dockerfile_without_a_from_is_warned_of),
	  T(a_build_is_planned_with_its_arguments), T(a_content_hash_follows_the_context_alone),
	  T(an_inline_dockerfile_and_one_outside_the_context),
	  T(an_extract_lacks_sources_without_fault), T(an_override_is_laid_over_the_file),
	  T(a_service_extends_another_of_its_own_or_another_file),
	  T(an_included_file_brings_its_services_and_its_own_env),
	  T(what_an_included_file_defines_is_not_redefined),
	  T(version_1_of_the_format_is_understood),
	  T(a_secret_of_a_file_has_the_owner_and_mode_that_it_is_given),
	  T(configs_and_secrets_reach_the_container),
	  T(a_file_that_a_mount_would_hide_is_mounted_itself),
	  T(the_daemon_s_environment_never_leaks_in), T(the_project_s_directory_is_known_as_pwd),
	  T(env_files_yield_to_environment), T(text_that_is_not_utf_8_is_survived))
