/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading and planning while memory ends: at the first allocation, at the second, and so on until
 * they get by. Each time they say out of memory and leave nothing behind.
 *
 * jansson is given the limited allocators, too; libyaml keeps its own.
 */
#include "folder.h"
#include "limited-memory.h"

#include "challenge/import.h"
#include "challenge/lint.h"

#include <stdlib.h>

static struct folder f;

enum { ENOUGH = 20000 };

/* Grants one allocation more each time, until the work gets by. */
static void check_work(int (*work)(struct err *e))
{
	int granted, r = -1;

	for (granted = 0; r < 0 && granted < ENOUGH; granted++) {
		struct err e = ERR_INIT;

		allocations_left = granted;
		r = work(&e);
		allocations_left = INT_MAX;
		if (r < 0 && e.code != ERR_MEMORY)
			fail_msg("with %d allocations: %s", granted, e.msg);
	}
	CHECK_EQ(r, 0);
	CHECK(granted > 10);
}

static int load(struct err *e)
{
	AUTO(struct challenge *, challenge_freep) challenge = NULL;
	AUTO(struct problems, problems_done) problems = PROBLEMS_INIT;

	return challenge_load(f.dir, &challenge, &problems, e);
}

static int plan(struct err *e)
{
	AUTO(struct problems, problems_done) problems = PROBLEMS_INIT;
	AUTO(struct plan *, plan_freep) made = NULL;
	AUTO(json_t *, json_decrefp) json = NULL;
	struct plan_facts facts = { .instance_id = "i", .answers = f.answers };
	int r;

	r = plan_make(f.challenge, f.policy, &facts, &made, &problems, e);
	if (r < 0)
		return r;
	json = plan_json(made);
	return json ? 0 : err_memory(e);
}

static int import(struct err *e)
{
	AUTO(char *, freep) text = challenge_yaml(f.challenge);

	return text ? 0 : err_memory(e);
}

static void open_rich_folder(void)
{
	folder_open(&f);
	f.policy = policy_new_open();
	folder_write(
		&f, "challenge.yml",
		"name: x\ntags: [a, b]\nquestions: [{id: q, answer: 'f{...}', also: [x], place: "
		"[{file: /f, service: web, template: 'a{{answer|json}}'}, {environment: E}]}]\n"
		"hints: [h]\ntemplates: [conf/t]\nendpoints: [{service: web, port: 9}]\n"
		"attachments: [{filename: n, source: n, template: true}, "
		"{filename: s, service: web, stage: st, path: /s, command: a b}]\n");
	folder_write(&f, "n", "{{q}}");
	folder_write(&f, "conf/t", "{{q}}");
	folder_write(&f, "Dockerfile", "FROM x AS st\nARG Q\nEXPOSE 1\n");
	folder_write(&f, ".dockerignore", "n\n");
	folder_write(&f, ".env", "A=\"b $X\"\n");
	folder_write(&f, "base.yml", "services: {b: {image: i, environment: [Z=$A]}}\n");
	folder_write(&f, "more.yml", "services: {m: {image: i}}\n");
	folder_write(&f, "compose.override.yml", "services: {web: {environment: {O: 1}}}\n");
	folder_write(
		&f, "compose.yml",
		"include: [more.yml]\n"
		"services:\n"
		"  web:\n"
		"    build: {context: ., args: [Q], labels: {l: m}, extra_hosts: ['a:1.1.1.1']}\n"
		"    command: serve 'all of it' $Q\n"
		"    environment: [Q, 'B=${NOPE:-$A}']\n"
		"    ports: ['80:80', 81]\n"
		"    volumes: ['./conf:/c:ro', './d:/d', 'v:/v', {type: tmpfs, target: /t}]\n"
		"    networks: {n: {aliases: [x], ipv4_address: 10.0.0.9}, default: }\n"
		"    healthcheck: {test: [CMD, a], interval: 1s}\n"
		"    depends_on: {db: {condition: service_healthy}}\n"
		"    cap_add: [SYS_ADMIN]\n"
		"    security_opt: [seccomp=unconfined]\n"
		"    devices: [/dev/kvm]\n"
		"    sysctls: {net.a: 1}\n"
		"    ulimits: {core: 0}\n"
		"    configs: [c]\n"
		"    links: ['db:d']\n"
		"  db: {extends: {file: base.yml, service: b}, privileged: true}\n"
		"networks: {n: {ipam: {config: [{subnet: 10.0.0.0/24}]}, driver_opts: "
		"{com.docker.network.driver.mtu: 1}}}\n"
		"volumes: {v: {driver_opts: {type: tmpfs}}}\n"
		"configs: {c: {content: x}}\n");
	CHECK_EQ(folder_load(&f), 0);
}

TEST(loading_survives_the_end_of_memory)
{
	open_rich_folder();
	check_work(load);
	folder_close(&f);
}

TEST(planning_survives_the_end_of_memory)
{
	open_rich_folder();
	check_work(plan);
	folder_close(&f);
}

TEST(importing_survives_the_end_of_memory)
{
	open_rich_folder();
	check_work(import);
	folder_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = { T(loading_survives_the_end_of_memory),
					    T(planning_survives_the_end_of_memory),
					    T(importing_survives_the_end_of_memory) };

	json_set_alloc_funcs(limited_malloc, free);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
