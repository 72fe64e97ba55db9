/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of an author's words reaches the engine: docs/engine-boundary.md, row by row. And what of
 * the host's files a challenge can name: nothing.
 */
#include "folder.h"

#include "challenge/context.h"
#include "challenge/folder.h"

#include <fcntl.h>
#include <limits.h>

static struct folder f;

#define HOST      "services/0/container/HostConfig/"
#define CONTAINER "services/0/container/"

/* A service "s" with one more key in the flow style, and what stands at the file's top level. */
static int plan_keys(const char *keys, const char *top)
{
	AUTO(char *, freep)
	text = strf("services: {s: {image: i, %s}}\n%s\n", keys, top ? top : "");

	folder_write(&f, "compose.yml", text);
	return folder_plan(&f);
}

struct row {
	const char *keys, *top;
	const char *path, *expected; /* what the engine gets */
	const char *problem;         /* or what is told */
};

static void check_rows(const struct row *rows, size_t count)
{
	folder_open(&f);
	folder_write(&f, "Dockerfile", "FROM x\n");
	for (size_t i = 0; i < count; i++) {
		int r = plan_keys(rows[i].keys, rows[i].top);

		if (rows[i].path && r < 0) {
			folder_print_problems(&f);
			fail_msg("refused: %s", rows[i].keys);
		}
		if (!rows[i].path && r == 0)
			fail_msg("not refused: %s %s", rows[i].keys, rows[i].top);
		if (rows[i].path)
			folder_check(f.json, rows[i].path, rows[i].expected);
		if (rows[i].problem)
			folder_check_problem(&f, rows[i].problem);
	}
	folder_close(&f);
}

#define CHECK_ROWS(rows) check_rows((rows), ARRAY_SIZE(rows))

#define V                "volumes: ['v:/v']"

TEST(a_volume_s_options_are_written_by_us)
{
	static const struct row rows[] = {
		{ V, "volumes: {v: {driver_opts: {type: tmpfs, device: /, o: 'size=1m,uid=1'}}}",
		  "volumes/0/driver_opts",
		  "{\"type\":\"tmpfs\",\"device\":\"tmpfs\",\"o\":\"size=1m,uid=1\"}", NULL },
		{ V, "volumes: {v: {driver: local, driver_opts: {type: tmpfs}}}",
		  "volumes/0/driver_opts", "{\"type\":\"tmpfs\",\"device\":\"tmpfs\"}", NULL },
		{ V,
		  "volumes: {v: {driver: rclone, driver_opts: {type: none, o: bind, device: /}}}",
		  "volumes/0/driver_opts", "", "are left out: they are for the driver" },
		{ V, "volumes: {v: {driver_opts: {type: tmpfs, o: bind, device: /}}}", NULL, NULL,
		  "compose.yml:2:42: error: volumes.v.driver_opts.o: 'bind' is not an option of a "
		  "volume in memory" },
		{ V, "volumes: {v: {driver_opts: {type: none, o: bind, device: /}}}", NULL, NULL,
		  "compose.yml:2:29: error: volumes.v.driver_opts.type: is refused: a volume is "
		  "the "
		  "instance's own" },
		{ V, "volumes: {v: {driver_opts: {type: nfs, o: 'addr=1.2.3.4', device: ':/x'}}}",
		  NULL, NULL, "volumes.v.driver_opts.type: is refused" },
		{ V, "volumes: {v: {driver_opts: {device: /, o: size=1m}}}", NULL, NULL,
		  "has no effect without a type" },
		{ V, "volumes: {v: {driver_opts: {type: tmpfs, mountpoint: /}}}", NULL, NULL,
		  "volumes.v.driver_opts.mountpoint: is refused" },
		{ V, "volumes: {v: {driver_opts: {type: [tmpfs]}}}", NULL, NULL,
		  "volumes.v.driver_opts.type: is refused" },
		{ V, "volumes: {v: {name: other, external: true}}", "volumes/0/name", "\"v\"",
		  NULL },
		{ "volumes: ['a/b:/v']", "volumes: {a/b: }", NULL, NULL,
		  "'a/b' can't be the name of a volume" },
	};

	CHECK_ROWS(rows);
}

TEST(not_even_a_policy_that_allows_everything_hands_a_volume_s_options_on)
{
	folder_open(&f);
	f.policy = policy_new_open();
	CHECK_EQ(plan_keys(V, "volumes: {v: {driver_opts: {type: tmpfs, o: bind, device: /}}}"),
		 -ERR_INVALID);
	CHECK_EQ(plan_keys(V, "volumes: {v: {driver_opts: {type: none, o: bind, device: /}}}"),
		 -ERR_INVALID);
	folder_close(&f);
}

TEST(a_tmpfs_has_options_of_tmpfs_alone)
{
	static const struct row rows[] = {
		{ "tmpfs: ['/t:size=1m,mode=1777,noexec']", NULL, HOST "Tmpfs",
		  "{\"/t\":\"size=1m,mode=1777,noexec\"}", NULL },
		{ "tmpfs: ['/t:size=50%,nr_inodes=4k']", NULL, HOST "Tmpfs",
		  "{\"/t\":\"size=50%,nr_inodes=4k\"}", NULL },
		{ "tmpfs: /t", NULL, HOST "Tmpfs", "{\"/t\":\"\"}", NULL },
		{ "tmpfs: ['/t:bind']", NULL, NULL, NULL, "'bind' is not an option of a mount" },
		{ "tmpfs: ['/t:size=1m,shared']", NULL, NULL, NULL, "'shared' is not an option" },
		{ "tmpfs: ['/t:mode=9']", NULL, NULL, NULL, "'mode=9' is not an option" },
		{ "tmpfs: ['/t:size=']", NULL, NULL, NULL, "'size=' is not an option" },
		{ "tmpfs: ['/t:size=1x']", NULL, NULL, NULL, "'size=1x' is not an option" },
		{ "tmpfs: ['/t:mpol=bind:0']", NULL, NULL, NULL, "'mpol=bind:0' is not an" },
	};

	CHECK_ROWS(rows);
}

TEST(a_mount_propagates_nothing_to_the_host)
{
	folder_open(&f);
	folder_write(&f, "policy.yml", "allow: ['host-path:/srv/*']\n");
	AUTO(char *, freep) path = strf("%s/policy.yml", f.dir);
	CHECK_EQ(policy_load(path, &f.policy, &f.problems, &f.e), 0);
	CHECK_EQ(plan_keys("volumes: ['/srv/x:/x:rslave']", NULL), 0);
	CHECK_EQ(plan_keys("volumes: ['/srv/x:/x:rshared']", NULL), -ERR_POLICY);
	folder_check_problem(&f, "(opt-in: shared-mounts)");
	CHECK_EQ(plan_keys("volumes: [{type: bind, source: /srv/x, target: /x, "
			   "bind: {propagation: 'x,y'}}]",
			   NULL),
		 -ERR_INVALID);
	folder_check_problem(&f, "'x,y' is not a way of propagation");
	folder_close(&f);
}

TEST(labels_are_the_node_s_to_give)
{
	static const struct row rows[] = {
		{ "labels: {traefik.enable: 'true'}", NULL, CONTAINER "Labels", "{}",
		  "the label 'traefik.enable' is not kept (opt-in: labels)" },
		{ "build: {context: ., labels: {ctfy.content: x}}", NULL, "services/0/build/labels",
		  "", "the node's own have such names" },
		{ "labels: [ctfy.instance=other]", NULL, CONTAINER "Labels", "{}",
		  "'ctfy.instance' is not kept: the node's own have such names" },
		{ V ", annotations: {a: b}", "volumes: {v: {labels: {a: b}}}", "volumes/0",
		  "{\"name\":\"v\"}", "'labels' has no effect here" },
	};

	CHECK_ROWS(rows);
	folder_open(&f);
	f.policy = policy_new_open();
	CHECK_EQ(plan_keys("labels: {a: b, ctfy.instance: x, com.docker.compose.project: y}", NULL),
		 0);
	folder_check(f.json, CONTAINER "Labels", "{\"a\":\"b\"}");
	folder_close(&f);
}

TEST(sysctls_are_the_container_s_own)
{
	static const struct row rows[] = {
		{ "sysctls: {net.core.somaxconn: 1024}", NULL, HOST "Sysctls",
		  "{\"net.core.somaxconn\":\"1024\"}", NULL },
		{ "sysctls: {kernel.shmmax: 1}", NULL, HOST "Sysctls", "{\"kernel.shmmax\":\"1\"}",
		  NULL },
		{ "sysctls: {kernel.core_pattern: x}", NULL, NULL, NULL,
		  "(opt-in: sysctl:kernel.core_pattern)" },
		{ "sysctls: {kernel.seminar: 1}", NULL, NULL, NULL,
		  "opt-in: sysctl:kernel.seminar" },
		{ "sysctls: {'net./../kernel/core_pattern': x}", NULL, NULL, NULL,
		  "is no kernel parameter" },
		{ "sysctls: {net..kernel: x}", NULL, NULL, NULL, "is no kernel parameter" },
		{ "sysctls: {net.core.somaxconn: \"1\\n2\"}", NULL, NULL, NULL,
		  "is no kernel parameter" },
	};

	CHECK_ROWS(rows);
}

TEST(a_log_s_driver_and_options_are_ours)
{
	static const struct row rows[] = {
		{ "logging: {driver: syslog, options: {syslog-address: 'unix:///x'}}", NULL,
		  HOST "LogConfig",
		  "{\"Type\":\"json-file\",\"Config\":{\"max-size\":\"10485760\","
		  "\"max-file\":\"2\"}}",
		  "the driver 'syslog' is not used" },
		{ "logging: {options: {max-size: 1m, max-file: '1', tag: x}}", NULL,
		  HOST "LogConfig/Config", "{\"max-size\":\"1048576\",\"max-file\":\"1\"}",
		  "the option 'tag' has no effect" },
		{ "logging: {options: {max-size: 100g, max-file: 1000}}", NULL,
		  HOST "LogConfig/Config", "{\"max-size\":\"10485760\",\"max-file\":\"2\"}", NULL },
	};

	CHECK_ROWS(rows);
}

TEST(a_network_keeps_an_mtu_and_nothing_that_instances_would_share)
{
	static const struct row rows[] = {
		{ "networks: [n]",
		  "networks: {n: {driver_opts: {com.docker.network.driver.mtu: 1400, "
		  "com.docker.network.bridge.name: br0, parent: eth0}}}",
		  "networks/0/options", "{\"com.docker.network.driver.mtu\":\"1400\"}",
		  "the option 'com.docker.network.bridge.name' is not kept" },
		{ "networks: [n]",
		  "networks: {n: {driver_opts: {com.docker.network.driver.mtu: '1,x'}}}", NULL,
		  NULL, "'1,x' is no value of the option" },
		{ "networks: [n]",
		  "networks: {n: {driver: macvlan, external: true, name: host, attachable: true}}",
		  "networks", "[{\"name\":\"n\"}]", "a bridge is used instead" },
		{ "networks: ['n/x']", "networks: {n/x: }", NULL, NULL,
		  "'n/x' can't be the name of a network" },
		{ "networks: {n: {aliases: [\"a\\nb\"]}}", "networks: {n: }", NULL, NULL,
		  "is not a host name" },
		{ "network_mode: 'container:dockerd'", NULL, NULL, NULL,
		  "names no service of this challenge" },
	};

	CHECK_ROWS(rows);
}

TEST(addresses_are_ours_and_ipam_options_go_nowhere)
{
	static const struct row rows[] = {
		{ "networks: [n]",
		  "networks: {n: {ipam: {driver: x, options: {a: b}, config: [{subnet: 10.0.0.0/8, "
		  "ip_range: 10.1.0.0/16, aux_addresses: {h: 10.0.0.9}}]}}}",
		  "networks", "[{\"name\":\"n\"}]", "'options' has no effect here" },
		{ "ports: ['0.0.0.0:22:22']", NULL, "services/0/ports",
		  "[{\"container_port\":22,\"protocol\":\"tcp\",\"published\":true}]", NULL },
		{ "mac_address: 02:42:ac:11:00:02", NULL, CONTAINER "MacAddress", "",
		  "has no effect" },
	};

	CHECK_ROWS(rows);
}

TEST(names_and_addresses_in_a_container_s_files_are_such)
{
	static const struct row rows[] = {
		{ "extra_hosts: ['h:1.2.3.4', 'g:host-gateway', 'six:::1']", NULL,
		  HOST "ExtraHosts", "[\"h:1.2.3.4\",\"g:host-gateway\",\"six:::1\"]", NULL },
		{ "extra_hosts: [\"h:1.2.3.4\\n5.6.7.8 x\"]", NULL, NULL, NULL,
		  "is not the address of 'h'" },
		{ "extra_hosts: {'a b': 1.2.3.4}", NULL, NULL, NULL, "'a b' is not a host name" },
		{ "dns: [8.8.8.8]", NULL, HOST "Dns", "[\"8.8.8.8\"]", NULL },
		{ "dns: ['unix:///x']", NULL, NULL, NULL, "can't stand in resolv.conf" },
		{ "dns_search: [\"a\\nnameserver 1.1.1.1\"]", NULL, NULL, NULL, "resolv.conf" },
		{ "dns_opt: ['a b']", NULL, NULL, NULL, "can't stand in resolv.conf" },
		{ "hostname: 'a b'", NULL, NULL, NULL, "'a b' is not a host name" },
		{ "domainname: 'a/b'", NULL, NULL, NULL, "'a/b' is not a domain's name" },
		{ "container_name: 'a/b'", NULL, NULL, NULL, "'a/b' is not a host name" },
	};

	CHECK_ROWS(rows);
}

TEST(a_build_gets_arguments_and_no_switches_of_the_builder)
{
	static const struct row rows[] = {
		{ "build: {context: ., args: {A: b, BUILDKIT_SYNTAX: evil/frontend}}", NULL,
		  "services/0/build/args", "{\"A\":\"b\"}", "'BUILDKIT_SYNTAX' is not passed on" },
		{ "build: {context: ., args: {'A B': c}}", NULL, NULL, NULL,
		  "'A B' is not the name of an argument" },
		{ "build: {context: ., target: 'a&remote=http://x'}", NULL, NULL, NULL,
		  "is not the name of a stage" },
		{ "build: {context: ., platforms: ['a&x=y']}", NULL, NULL, NULL,
		  "is not a platform" },
		{ "build: {context: ., extra_hosts: ['h:x']}", NULL, NULL, NULL,
		  "'x' is not the address of 'h'" },
		{ "build: {context: ., network: 'container:x'}", NULL, "services/0/build/network",
		  "", "the build uses the default network" },
		{ "build: {context: ., shm_size: 64g}", NULL, NULL, NULL, "(opt-in: memory)" },
		{ "build: {context: ., ulimits: {nofile: 1}, cache_from: [x], cache_to: "
		  "['type=local'],"
		  " tags: [ctfy/capture], isolation: x}",
		  NULL, "services/0/build/cache_from", "", "has no effect on a build here" },
		{ "build: {context: ., secrets: [s]}", NULL, NULL, NULL, "not supported" },
		{ "build: {context: ., ssh: [default]}", NULL, NULL, NULL, "not supported" },
		{ "build: {context: ., additional_contexts: {x: /etc}}", NULL, NULL, NULL,
		  "not supported" },
	};

	CHECK_ROWS(rows);
}

TEST(an_image_and_a_platform_are_references_and_no_urls)
{
	static const struct row rows[] = {
		{ "platform: linux/arm64/v8", NULL, "services/0/platform", "\"linux/arm64/v8\"",
		  NULL },
		{ "platform: 'x?y'", NULL, NULL, NULL, "is not a platform" },
		{ "stop_signal: \"9\\nx\"", NULL, NULL, NULL, "is not a signal" },
		{ "group_add: ['a/b']", NULL, NULL, NULL, "'a/b' is not a group" },
	};

	CHECK_ROWS(rows);
	folder_open(&f);
	folder_write(&f, "compose.yml", "services: {s: {image: 'i?fromSrc=http://x'}}\n");
	CHECK_EQ(folder_plan(&f), -ERR_INVALID);
	folder_check_problem(&f, "is not the name of an image");
	folder_close(&f);
}

TEST(what_limits_a_container_s_disk_is_not_the_author_s)
{
	static const struct row rows[] = {
		{ "storage_opt: {size: 1g}", NULL, HOST "StorageOpt", "", "has no effect" },
		{ "blkio_config: {device_read_bps: [{path: /dev/sda, rate: 1}]}", NULL,
		  HOST "BlkioDeviceReadBps", "", "has no effect" },
		{ "credential_spec: {file: x}, isolation: hyperv", NULL, HOST "Isolation", "",
		  "Windows" },
	};

	CHECK_ROWS(rows);
}

/* --- opt-ins ------------------------------------------------------------------------------ */

static void set_policy(const char *text)
{
	AUTO(char *, freep) path = strf("%s/policy.yml", f.dir);

	folder_write(&f, "policy.yml", text);
	policy_free(f.policy);
	f.policy = NULL;
	problems_done(&f.problems);
	CHECK_EQ(policy_load(path, &f.policy, &f.problems, &f.e), 0);
}

TEST(an_opt_in_for_devices_is_for_the_device_that_is_meant)
{
	folder_open(&f);
	set_policy("allow: ['device:/dev/net/*', device-cgroup-rule, 'cgroup-parent']\n");
	CHECK_EQ(plan_keys("devices: ['/dev/net/tun']", NULL), 0);
	CHECK_EQ(plan_keys("devices: ['/dev/net/../mem']", NULL), -ERR_POLICY);
	folder_check_problem(&f, "(opt-in: device:/dev/mem)");
	CHECK_EQ(plan_keys("devices: [{source: /dev/net//./../sda, target: /x}]", NULL),
		 -ERR_POLICY);
	CHECK_EQ(plan_keys("devices: ['/dev/net/tun:/x:rwmz']", NULL), -ERR_INVALID);
	CHECK_EQ(plan_keys("devices: ['dev/net/tun']", NULL), -ERR_INVALID);
	CHECK_EQ(plan_keys("device_cgroup_rules: ['c 1:3 rwm']", NULL), 0);
	CHECK_EQ(plan_keys("device_cgroup_rules: [\"c 1:3 r\\na\"]", NULL), -ERR_INVALID);
	CHECK_EQ(plan_keys("cgroup_parent: /a/../..", NULL), -ERR_INVALID);
	folder_close(&f);
}

/* An engine takes a program's path for one as well. */
TEST(a_runtime_is_one_that_has_a_name)
{
	folder_open(&f);
	set_policy("allow: ['runtime:*']\n");
	CHECK_EQ(plan_keys("runtime: runsc", NULL), 0);
	folder_check(f.json, HOST "Runtime", "\"runsc\"");
	CHECK_EQ(plan_keys("runtime: /bin/sh", NULL), -ERR_INVALID);
	CHECK_EQ(plan_keys("runtime: ../sh", NULL), -ERR_INVALID);
	folder_check_problem(&f, "'../sh' is not the name of a runtime");
	/* By the opt-in it is a way out of the node's own, without it the word of every day. */
	CHECK_EQ(plan_keys("runtime: runc", NULL), 0);
	folder_check(f.json, HOST "Runtime", "\"runc\"");
	set_policy("allow: [egress]\n");
	CHECK_EQ(plan_keys("runtime: runc", NULL), 0);
	folder_check(f.json, HOST "Runtime", "");
	folder_close(&f);
}

/* --- jails -------------------------------------------------------------------------------- */

#define JAIL_REFUSED "'jail' is enough here (opt-in: jail)"

TEST(a_dockerfile_has_nothing_behind_a_nul)
{
	static const char text[] = "FROM x\n#\0\nCOPY --from=ctfy-challenge/a/b:1 / /\n";
	AUTO(char *, freep) path = NULL;

	folder_open(&f);
	path = strf("%s/Dockerfile", f.dir);
	CHECK_EQ(file_write(path, text, sizeof(text) - 1, 0644, NULL), 0);
	folder_write(&f, "compose.yml", "services: {s: {build: .}}");
	CHECK(folder_plan(&f) < 0);
	folder_check_problem(&f, "holds a NUL");
	folder_close(&f);
}

TEST(a_jail_is_known_by_its_image_and_its_dockerfile)
{
	static const char *const dockerfiles[] = {
		"FROM pwn.red/jail\nCOPY --from=ubuntu:22.04 / /srv\n",
		"FROM ubuntu AS app\nFROM docker.io/redpwn/jail:v0.3\nCOPY --from=app / /srv\n",
		"FROM debian\nRUN apt-get install -y nsjail\n",
		"FROM ubuntu AS chroot\nFROM gcr.io/kctf-docker/challenge:1\n",
	};
	folder_open(&f);
	for (size_t i = 0; i < ARRAY_SIZE(dockerfiles); i++) {
		folder_write(&f, "Dockerfile", dockerfiles[i]);
		folder_write(&f, "compose.yml", "services: {s: {build: ., privileged: true}}");
		CHECK_EQ(folder_plan(&f), -ERR_POLICY);
		folder_check_problem(&f, JAIL_REFUSED);
	}
	folder_write(&f, "compose.yml",
		     "services: {s: {image: pwn.red/jail, cap_add: [SYS_ADMIN]}}");
	CHECK_EQ(folder_plan(&f), -ERR_POLICY);
	folder_check_problem(&f, JAIL_REFUSED);
	folder_write(&f, "Dockerfile", "FROM debian\n");
	folder_write(&f, "compose.yml", "services: {s: {build: ., privileged: true}}");
	CHECK_EQ(folder_plan(&f), -ERR_POLICY);
	folder_check_problem(&f, "(opt-in: privileged)");
	folder_close(&f);
}

TEST(who_may_have_all_rights_is_told_where_a_jail_s_would_do)
{
	folder_open(&f);
	set_policy("allow: [privileged]\n");
	folder_write(&f, "compose.yml", "services: {s: {image: pwn.red/jail, privileged: true}}");
	CHECK_EQ(folder_plan(&f), 0);
	folder_check(f.json, HOST "Privileged", "true");
	folder_check_problem(&f,
			     "warning: services.s.privileged: 'jail' is enough here, in place of "
			     "'privileged'");
	folder_close(&f);
}

static bool has_option(const char *beginning)
{
	const json_t *option;
	size_t i;

	json_array_foreach (folder_at(f.json, HOST "SecurityOpt"), i, option)
		if (strncmp(json_string_value(option), beginning, strlen(beginning)) == 0)
			return true;
	return false;
}

static bool planned_capability(const char *name)
{
	const json_t *row;
	size_t i;

	json_array_foreach (folder_at(f.json, HOST "CapAdd"), i, row)
		if (strcmp(json_string_value(row), name) == 0)
			return true;
	return false;
}

TEST(a_jail_s_rights_take_the_place_of_all)
{
	static const char *const ways[] = {
		"services: {s: {image: i, privileged: true}}",
		"services: {s: {image: i, cap_add: [SYS_ADMIN], security_opt: [seccomp=unconfined, "
		"apparmor=unconfined, systempaths=unconfined]}}",
	};

	folder_open(&f);
	set_policy("allow: [jail]\n");
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		folder_write(&f, "compose.yml", ways[i]);
		CHECK_EQ(folder_plan(&f), 0);
		folder_check(f.json, HOST "Privileged", "");
		folder_check(f.json, "services/0/jail", "true");
		folder_check(f.json, HOST "MaskedPaths", "[]");
		folder_check(f.json, HOST "ReadonlyPaths", "[]");
		folder_check(f.json, HOST "CgroupnsMode", "\"private\"");
		folder_check(f.json, HOST "CapDrop", "[\"ALL\"]");
		CHECK(planned_capability("SYS_ADMIN"));
		CHECK(!planned_capability("NET_RAW"));
		CHECK(!planned_capability("NET_ADMIN"));
		CHECK(has_option("seccomp={"));
		CHECK(has_option("no-new-privileges:true"));
	}
	/* Other rights are as they were; and who asks for none gets none. */
	CHECK_EQ(plan_keys("privileged: true, pid: host", NULL), -ERR_POLICY);
	CHECK_EQ(plan_keys("privileged: true, cap_add: [SYS_MODULE]", NULL), -ERR_POLICY);
	CHECK_EQ(plan_keys("privileged: true, devices: [/dev/kvm]", NULL), -ERR_POLICY);
	CHECK_EQ(plan_keys("tty: true", NULL), 0);
	folder_check(f.json, "services/0/jail", "");
	CHECK_EQ(plan_keys("security_opt: [seccomp=unconfined]", NULL), -ERR_POLICY);
	folder_close(&f);
}

TEST(one_challenge_takes_so_many_ports_and_networks_and_no_more)
{
	struct buf text = BUF_INIT;

	folder_open(&f);
	CHECK_EQ(plan_keys("ports: ['8000-8063:8000-8063']", NULL), 0);
	CHECK_EQ(plan_keys("ports: ['8000-8064:8000-8064']", NULL), -ERR_POLICY);
	folder_check_problem(&f, "65 ports are published, and the node's ports_max is 64 "
				 "(opt-in: ports)");
	CHECK_EQ(plan_keys("ports: ['8000-8032:8000-8032'], scale: 2", NULL), -ERR_POLICY);
	CHECK_EQ(plan_keys("expose: ['8000-8999']", NULL), 0);

	buf_puts(&text, "services: {s: {image: i, networks: [n0");
	for (int i = 1; i < 17; i++)
		buf_printf(&text, ", n%d", i);
	buf_puts(&text, "]}}\nnetworks: {n0: ");
	for (int i = 1; i < 17; i++)
		buf_printf(&text, ", n%d: ", i);
	buf_puts(&text, "}\n");
	folder_write(&f, "compose.yml", text.data);
	CHECK_EQ(folder_plan(&f), -ERR_POLICY);
	folder_check_problem(&f, "networks_max of 16 (opt-in: networks)");
	set_policy("limits: {networks_max: 17, ports_max: 65}\n");
	CHECK_EQ(folder_plan(&f), 0);
	CHECK_EQ(plan_keys("ports: ['8000-8064:8000-8064']", NULL), 0);
	buf_done(&text);
	folder_close(&f);
}

#define FAR_APART "networks: {n: {ipv4_address: 10.0.15.9}}"
#define LARGE     "networks: {n: {ipam: {config: [{subnet: 10.0.0.0/16}]}}}"

TEST(an_address_far_off_takes_no_large_network)
{
	folder_open(&f);
	CHECK_EQ(plan_keys("networks: {n: {ipv4_address: 10.0.1.9}}", LARGE), 0);
	folder_check(f.json, "networks/0/prefix", "23");
	CHECK_EQ(plan_keys(FAR_APART, LARGE), -ERR_POLICY);
	folder_check_problem(&f,
			     "the address needs a /20 for its network, and the node's prefix_min "
			     "is 23 (opt-in: prefix)");
	CHECK_EQ(plan_keys("networks: [n]", "networks: {n: {ipam: {config: [{subnet: 10.0.0.0/16, "
					    "gateway: 10.0.15.9}]}}}"),
		 -ERR_POLICY);
	set_policy("limits: {prefix_min: 20}\n");
	CHECK_EQ(plan_keys(FAR_APART, LARGE), 0);
	folder_check(f.json, "networks/0/prefix", "20");
	folder_close(&f);
}

TEST(a_limit_that_the_kernel_does_not_have_is_refused)
{
	static const struct row rows[] = {
		{ "ulimits: {nproc: 5, core: 0, rtprio: 0}", NULL, HOST "Ulimits/0",
		  "{\"Name\":\"nproc\",\"Soft\":5,\"Hard\":5}", NULL },
		{ "ulimits: {evil: 5}", NULL, NULL, NULL, "there is no limit 'evil'" },
		{ "cpu_shares: 1024", NULL, HOST "CpuShares", "1024", NULL },
	};

	CHECK_ROWS(rows);
}

/* --- paths -------------------------------------------------------------------------------- */

static void link_to(const char *target, const char *name)
{
	AUTO(char *, freep) path = strf("%s/%s", f.dir, name);
	AUTO(char *, freep) parent = strf("%s/%s", f.dir, name);

	*strrchr(parent, '/') = '\0';
	CHECK_EQ(dir_make(parent, 0755, NULL), 0);
	CHECK_EQ(symlink(target, path), 0);
}

/* Links through so many others that the way to /etc is longer than any path may be. */
static void make_long_way(void)
{
	AUTO(char *, freep) name = NULL;
	struct buf way = BUF_INIT;

	name = calloc(1, 201);
	CHECK(name);
	memset(name, 'd', 200);
	for (int i = 0; i < 12; i++)
		buf_printf(&way, "%s/", name);
	/* Three links of 2,400 bytes each, within each other: 7,200 in all. */
	AUTO(char *, freep) deep = strf("%s/real/%s", f.dir, way.data);
	CHECK_EQ(dir_make(deep, 0755, NULL), 0);
	AUTO(char *, freep) first = strf("real/%s", way.data);
	link_to(first, "a");
	AUTO(char *, freep) second_dir = strf("%s/a/%s", f.dir, way.data);
	CHECK_EQ(dir_make(second_dir, 0755, NULL), 0);
	AUTO(char *, freep) second = strf("a/%s", way.data);
	link_to(second, "b");
	AUTO(char *, freep) out = strf("%s/b/out", f.dir);
	CHECK_EQ(symlink("/etc", out), 0);
	buf_done(&way);
}

TEST(a_link_that_is_too_long_to_follow_leads_nowhere)
{
	AUTO(char *, freep) path = NULL;
	int fd = -1;

	folder_open(&f);
	make_long_way();
	folder_write(&f, "compose.yml", "services: {a: {image: i, volumes: ['./b/out:/l:ro']}}\n");
	CHECK_EQ(folder_plan(&f), -ERR_POLICY);
	folder_check_problem(&f, "(opt-in: host-path:/etc)");
	folder_write(&f, "compose.yml", "services: {a: {image: i, volumes: ['./b:/l:ro']}}\n");
	CHECK_EQ(folder_plan(&f), -ERR_INVALID); /* in the folder, but the engine takes a name */
	folder_check_problem(&f, "it can't be told where");
	folder_write(&f, "challenge.yml", "name: n\nflags: [x]\nfiles: [b/out/passwd, real]\n");
	CHECK_EQ(folder_load(&f), 0);
	CHECK_EQ(f.challenge->attachment_count, 0);
	folder_check_problem(&f, "'b/out/passwd' is not offered: it is outside the folder");
	path = strf("%s/b/out/passwd", f.dir);
	CHECK_EQ(folder_open_path(f.dir, path, O_RDONLY, &fd, NULL), -ERR_INVALID);
	folder_close(&f);
}

/* Every way that a challenge has to name a file, with a link to the host's in its place. */
TEST(no_key_of_any_file_reads_what_a_link_leads_to_outside)
{
	static const struct {
		const char *file, *text, *link, *target, *told;
	} ways[] = {
		{ "compose.yml", "services: {s: {image: i, env_file: out}}", "out", "/etc/hostname",
		  "services.s.env_file" },
		{ "compose.yml", "services: {s: {image: i}}", ".env", "/etc/passwd",
		  "is a symlink that leaves the folder" },
		{ "compose.yml", "services: {s: {extends: {file: out, service: s}}}", "out",
		  "/etc/hostname", "services.s.extends" },
		{ "compose.yml", "include: [out]\nservices: {s: {image: i}}", "out",
		  "/etc/hostname", "include" },
		{ "compose.yml",
		  "include: [{path: in.yml, env_file: out}]\nservices: {s: {image: i}}", "out",
		  "/etc/hostname", "include.env_file" },
		{ "compose.yml",
		  "include: [{path: in.yml, project_directory: /etc}]\nservices: {s: {image: i}}",
		  "x", "x", "include.project_directory" },
		{ "compose.yml", "services: {s: {build: ctx}}", "ctx", "/etc", "services.s.build" },
		{ "compose.yml", "services: {s: {build: {context: ., dockerfile: out}}}", "out",
		  "/etc/hostname", "services.s.build" },
		{ "compose.yml", "services: {s: {build: good}}", "good/.dockerignore",
		  "/etc/hostname", "is a symlink that leaves the folder" },
		{ "compose.yml",
		  "services: {s: {image: i, secrets: [x]}}\nsecrets: {x: {file: out}}", "out",
		  "/etc/passwd", "services.s.secrets" },
		{ "compose.yml",
		  "services: {s: {image: i, configs: [x]}}\nconfigs: {x: {file: out}}", "out",
		  "/etc/passwd", "services.s.configs" },
		{ "compose.yml", "services: {s: {image: i, volumes: ['./out:/x']}}", "out", "/etc",
		  "services.s.volumes" },
		{ "compose.yml",
		  "services: {s: {image: i, volumes: [{type: bind, source: out, target: /x}]}}",
		  "out", "/etc", "services.s.volumes" },
		{ "compose.yml", "services: {s: {image: i, volumes: ['./sock:/x']}}", "sock",
		  "/var/run", "services.s.volumes" },
		{ "compose.yml", "services: {s: {image: i}}", "compose.override.yml",
		  "/etc/hostname", "is a symlink that leaves the folder" },
		{ "challenge.yml", "name: n\nflags: [x]\ncompose: out.yml", "out.yml",
		  "/etc/hostname", "is a symlink that leaves the folder" },
		{ "challenge.yml", "name: n\nflags: [x]\ncompose: ../out.yml", "x", "x",
		  "is outside the challenge's folder" },
		{ "challenge.yml", "name: n\nflags: [x]\nimage: ./ctx", "ctx", "/etc", NULL },
		{ "challenge.yml", "name: n\nflags: [x]\nfiles: [out]", "out", "/etc/passwd",
		  "is not offered: it is outside the folder" },
		{ "challenge.yml",
		  "name: n\nflags: [x]\nattachments: [{filename: a, source: out, template: true}]",
		  "out", "/etc/passwd", "is not offered: it is outside the folder" },
		{ "challenge.yml", "name: n\nflags: [x]\ntemplates: [out]", "out", "/etc/passwd",
		  "'out' is outside the folder" },
		{ "challenge.yml", "name: n\nflag: {file: out}", "out", "/etc/hostname",
		  "is a symlink that leaves the folder" },
		{ "challenge.yml", "name: n\nflag: {file: ../../etc/hostname}", "x", "x",
		  "is outside the folder" },
		{ "challenge.yml", "name: n\nprovide: [out]\nflag: x", "out", "/etc/passwd",
		  "is not offered: it is outside the folder" },
		{ "challenge.yaml", "apiVersion: kctf.dev/v1\nkind: Challenge\nspec: {image: i}",
		  "metadata.yaml", "/etc/hostname", "is a symlink that leaves the folder" },
		{ "benchmark.json", "{\"name\": \"n\", \"level\": 1}", "docker-compose.yml",
		  "/etc/hostname", "is a symlink that leaves the folder" },
		{ "x", "", "challenge.yml", "/etc/hostname",
		  "is a symlink that leaves the folder" },
		{ "x", "", "Dockerfile", "/etc/hostname", "is a symlink that leaves the folder" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		AUTO(char *, freep) in_text = NULL;

		folder_open(&f);
		folder_write(&f, ways[i].file, ways[i].text);
		folder_write(&f, "in.yml", "services: {t: {image: i}}");
		folder_write(&f, "good/Dockerfile", "FROM x");
		link_to(ways[i].target, ways[i].link);
		folder_plan(&f);
		in_text = f.json ? json_dumps(f.json, JSON_COMPACT) : NULL;
		if (in_text && strstr(in_text, "/etc"))
			fail_msg("it got through: %s: %s", ways[i].text, in_text);
		if (ways[i].told)
			folder_check_problem(&f, ways[i].told);
		else
			CHECK(f.e.code);
		folder_close(&f);
	}
}

TEST(a_link_within_the_folder_is_as_good_as_a_file)
{
	AUTO(char *, freep) absolute = NULL;

	folder_open(&f);
	folder_write(&f, "real/data", "x");
	folder_write(&f, "real/env", "A=b\n");
	link_to("real/data", "data");
	absolute = strf("%s/real/env", f.dir);
	link_to(absolute, "env");
	CHECK_EQ(plan_keys("volumes: ['./data:/d:ro'], env_file: env", NULL), 0);
	AUTO(char *, freep) source = strf("\"%s/real/data\"", f.dir);
	folder_check(f.json, "services/0/binds/0/source", source);
	folder_check(f.json, CONTAINER "Env", "[\"A=b\"]");
	folder_close(&f);
}

/* The plan was made of an honest file; then it changed. */
TEST(what_a_plan_named_is_not_followed_out_of_the_folder_later)
{
	AUTO(char *, freep) path = NULL;
	int fd = -1;

	folder_open(&f);
	folder_write(&f, "data", "x");
	CHECK_EQ(plan_keys("volumes: ['./data:/d']", NULL), 0);
	path = strf("%s/data", f.dir);
	CHECK_EQ(plan_open(f.plan->folder, f.plan->services[0].binds[0].source, O_RDONLY, &fd,
			   &f.e),
		 0);
	close(fd);
	CHECK_EQ(unlink(path), 0);
	CHECK_EQ(symlink("/etc/passwd", path), 0);
	CHECK_EQ(plan_open(f.plan->folder, f.plan->services[0].binds[0].source, O_RDONLY, &fd,
			   &f.e),
		 -ERR_INVALID);
	folder_close(&f);
}

static int refuse_all(void *cookie, const struct context_entry *entry)
{
	(void)cookie;
	(void)entry;
	return 1;
}

TEST(a_context_that_became_a_link_is_not_walked)
{
	AUTO(char *, freep) path = NULL;
	struct plan_build build = { .dockerfile = "Dockerfile" };

	folder_open(&f);
	folder_write(&f, "x", "");
	link_to("/etc", "ctx");
	path = strf("%s/ctx", f.dir);
	build.folder = f.dir;
	build.context = path;
	CHECK_EQ(context_walk(&build, refuse_all, NULL, &f.e), -ERR_INVALID);
	folder_close(&f);
}

static char *verdict(const char *path)
{
	AUTO(struct problems, problems_done) problems = PROBLEMS_INIT;
	AUTO(struct challenge *, challenge_freep) challenge = NULL;
	AUTO(struct plan *, plan_freep) plan = NULL;
	AUTO(json_t *, json_decrefp) answers = NULL;
	AUTO(json_t *, json_decrefp) json = NULL;
	struct plan_facts facts = { .instance_id = "i", .public_host = "h" };
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	int r = challenge_load(path, &challenge, &problems, &e);

	if (r == 0)
		r = challenge_answers(challenge, &answers, &e);
	facts.answers = answers;
	if (r == 0)
		r = plan_make(challenge, NULL, &facts, &plan, &problems, &e);
	json = r == 0 ? plan_json(plan) : NULL;
	AUTO(char *, freep) text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	buf_printf(&b, "%d %s %s\n", r, e.msg, text ? text : "");
	for (size_t i = 0; i < problems.count; i++) {
		AUTO(char *, freep) row = problem_text(&problems.rows[i]);

		buf_printf(&b, "%s\n", row);
	}
	return buf_take(&b);
}

static int note_dir(void *cookie, const char *dir)
{
	buf_printf(cookie, "%s ", strrchr(dir, '/') ? strrchr(dir, '/') + 1 : dir);
	return 0;
}

TEST(a_relative_path_to_the_folder_changes_no_verdict)
{
	static const char *const files[] = {
		"services: {s: {image: i, volumes: ['./data:/d:ro', './absent:/x']}}",
		"services: {s: {image: i, volumes: ['./out:/d:ro']}}",
		"services: {s: {image: i, volumes: ['../x:/d:ro']}}",
		"services: {s: {build: .}}",
		"services: {s: {image: i, env_file: out/passwd}}",
	};
	AUTO(char *, freep) here = getcwd(NULL, 0);
	AUTO(char *, freep) up = NULL;
	struct buf found = BUF_INIT, found_too = BUF_INIT;

	folder_open(&f);
	folder_write(&f, "data", "");
	folder_write(&f, "Dockerfile", "FROM x");
	link_to("/etc", "out");
	up = strf("../%s", strrchr(f.dir, '/') + 1);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		folder_write(&f, "compose.yml", files[i]);
		AUTO(char *, freep) absolute = verdict(f.dir);
		CHECK_EQ(chdir(f.dir), 0);
		AUTO(char *, freep) dot = verdict(".");
		AUTO(char *, freep) climbing = verdict(up);
		CHECK_EQ(chdir("/"), 0);
		AUTO(char *, freep) relative = verdict(f.dir + 1);
		CHECK_STR(dot, absolute);
		CHECK_STR(climbing, absolute);
		CHECK_STR(relative, absolute);
	}
	/* One whose compose file, a level down, speaks of what is above it. */
	folder_close(&f);
	folder_open(&f);
	folder_write(&f, "one/deploy/compose.yml", "services: {s: {build: ..}}");
	folder_write(&f, "one/Dockerfile", "FROM x");
	CHECK_EQ(challenge_walk(f.dir, note_dir, &found, &f.e), 0);
	CHECK_EQ(chdir(f.dir), 0);
	CHECK_EQ(challenge_walk(".", note_dir, &found_too, &f.e), 0);
	CHECK_STR(found.data, "one ");
	CHECK_STR(found_too.data, found.data);
	CHECK_EQ(chdir(here), 0);
	buf_done(&found);
	buf_done(&found_too);
	folder_close(&f);
}

RUN_TESTS(T(a_volume_s_options_are_written_by_us),
	  T(not_even_a_policy_that_allows_everything_hands_a_volume_s_options_on),
	  T(a_tmpfs_has_options_of_tmpfs_alone), T(a_dockerfile_has_nothing_behind_a_nul),
	  T(a_mount_propagates_nothing_to_the_host), T(labels_are_the_node_s_to_give),
	  T(sysctls_are_the_container_s_own), T(a_log_s_driver_and_options_are_ours),
	  T(a_network_keeps_an_mtu_and_nothing_that_instances_would_share),
	  T(addresses_are_ours_and_ipam_options_go_nowhere),
	  T(names_and_addresses_in_a_container_s_files_are_such),
	  T(a_build_gets_arguments_and_no_switches_of_the_builder),
	  T(an_image_and_a_platform_are_references_and_no_urls),
	  T(what_limits_a_container_s_disk_is_not_the_author_s),
	  T(an_opt_in_for_devices_is_for_the_device_that_is_meant),
	  T(a_runtime_is_one_that_has_a_name), T(a_jail_is_known_by_its_image_and_its_dockerfile),
	  T(who_may_have_all_rights_is_told_where_a_jail_s_would_do),
	  T(a_jail_s_rights_take_the_place_of_all),
	  T(one_challenge_takes_so_many_ports_and_networks_and_no_more),
	  T(an_address_far_off_takes_no_large_network),
	  T(a_limit_that_the_kernel_does_not_have_is_refused),
	  T(a_link_that_is_too_long_to_follow_leads_nowhere),
	  T(no_key_of_any_file_reads_what_a_link_leads_to_outside),
	  T(a_link_within_the_folder_is_as_good_as_a_file),
	  T(what_a_plan_named_is_not_followed_out_of_the_folder_later),
	  T(a_context_that_became_a_link_is_not_walked),
	  T(a_relative_path_to_the_folder_changes_no_verdict))
