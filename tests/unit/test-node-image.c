/* SPDX-License-Identifier: Apache-2.0 */
/* Images, as far as it can be told without an engine. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "challenge/dockerfile.h"
#include "node/credential.h"
#include "node/folder-stamp.h"
#include "node/image-making.h"
#include "node/image-pull.h"
#include "node/image-reference.h"
#include "node/image-steps.h"

#include "check.h"
#include "folder.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- references --------------------------------------------------------------------------- */

TEST(a_reference_is_spelled_out)
{
	static const struct {
		const char *reference, *full, *registry;
	} rows[] = {
		{ "busybox", "docker.io/library/busybox:latest", "docker.io" },
		{ "busybox:1.36", "docker.io/library/busybox:1.36", "docker.io" },
		{ "team/web", "docker.io/team/web:latest", "docker.io" },
		{ "docker.io/busybox", "docker.io/library/busybox:latest", "docker.io" },
		{ "index.docker.io/team/web:2", "docker.io/team/web:2", "docker.io" },
		{ "localhost/web", "localhost/web:latest", "localhost" },
		{ "reg.example:5000/web", "reg.example:5000/web:latest", "reg.example:5000" },
		{ "127.0.0.1:5000/a/b:c", "127.0.0.1:5000/a/b:c", "127.0.0.1:5000" },
		{ "busybox@sha256:12", "docker.io/library/busybox@sha256:12", "docker.io" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(char *, freep) full = reference_full(rows[i].reference);
		AUTO(char *, freep) registry = reference_registry(rows[i].reference);

		CHECK_STR(full, rows[i].full);
		CHECK_STR(registry, rows[i].registry);
	}
}

TEST(a_repository_has_neither_tag_nor_digest)
{
	AUTO(char *, freep) tagged = reference_repository("reg:5000/web:1.2");
	AUTO(char *, freep) pinned = reference_repository("busybox:1.36@sha256:12");

	CHECK_STR(tagged, "reg:5000/web");
	CHECK_STR(pinned, "docker.io/library/busybox");
}

static void check_mirrored(const char *reference, const char *mirror, const char *expected)
{
	AUTO(char *, freep) mirrored = NULL;

	CHECK_EQ(reference_mirrored(reference, mirror, &mirrored), 0);
	if (!expected)
		CHECK(!mirrored);
	else
		CHECK_STR(mirrored, expected);
}

TEST(a_mirror_is_asked_for_what_docker_io_has)
{
	check_mirrored("busybox", "http://cache:5000", "cache:5000/library/busybox:latest");
	check_mirrored("team/web:2", "cache:5000/", "cache:5000/team/web:2");
	check_mirrored("team/web:2", "https://cache/hub", "cache/hub/team/web:2");
	check_mirrored("quay.io/team/web:2", "cache:5000", NULL);
	check_mirrored("busybox@sha256:12", "cache:5000", NULL);
}

/* --- patience ----------------------------------------------------------------------------- */

TEST(only_a_busy_or_broken_registry_is_asked_again)
{
	static const char *const again[] = {
		"pull image 'x': toomanyrequests: You have reached your pull rate limit",
		"received unexpected HTTP status: 503 Service Unavailable",
		"error parsing HTTP 502 response body: invalid character '<'",
		"unexpected status code 429 Too Many Requests",
		"Head \"http://r/v2/x\": received unexpected HTTP status: 500 Oh no",
	};
	static const char *const never[] = {
		"pull access denied for x, repository does not exist or may require 'docker login'",
		"manifest for r:5000/x:1 not found: manifest unknown: manifest unknown",
		"Get \"http://127.0.0.1:5429/v2/\": dial tcp 127.0.0.1:5429: connection refused",
		"Get \"http://r:500/v2/\": dial tcp: connect: connection refused",
		"received unexpected HTTP status: 404 Not Found",
		"unauthorized: authentication required",
		"HTTP status 5000",
	};

	for (size_t i = 0; i < ARRAY_SIZE(again); i++)
		CHECK(pull_retry_pause_ms(again[i], 1) > 0);
	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		CHECK_EQ(pull_retry_pause_ms(never[i], 1), -1);
}

TEST(patience_grows_and_ends)
{
	int64_t last = 0, pause;
	unsigned attempt = 1;

	for (; (pause = pull_retry_pause_ms("toomanyrequests", attempt)) > 0; attempt++) {
		CHECK(pause > last);
		last = pause;
	}
	CHECK_EQ(attempt, 5);
	CHECK(last <= 8000);
}

/* --- logins ------------------------------------------------------------------------------- */

static int find_login(const char *config, const char *registry, struct credential *ret_login,
		      struct err *e)
{
	AUTO(json_t *, json_decrefp) json = json_loads(config, 0, NULL);

	CHECK(json);
	return credential_of(json, registry, ret_login, e);
}

/* "dXNlcjpwOmFzcw==" is "user:p:ass". */
TEST(a_login_is_found_however_its_registry_is_written)
{
	static const struct {
		const char *key, *registry;
	} rows[] = {
		{ "reg.example:5000", "reg.example:5000" },
		{ "https://reg.example:5000/v1/", "reg.example:5000" },
		{ "https://index.docker.io/v1/", "docker.io" },
		{ "docker.io", "docker.io" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(struct credential, credential_done) login = { 0 };
		struct err e = ERR_INIT;
		char config[256];

		snprintf(config, sizeof(config),
			 "{\"auths\":{\"%s\":{\"auth\":\"dXNlcjpwOmFzcw==\"}}}", rows[i].key);
		CHECK_EQ(find_login(config, rows[i].registry, &login, &e), 1);
		CHECK_STR(login.username, "user");
		CHECK_STR(login.password, "p:ass");
		CHECK_EQ(find_login(config, "other.example", &login, &e), 0);
	}
}

TEST(a_login_may_stand_in_clear)
{
	AUTO(struct credential, credential_done) login = { 0 };
	struct err e = ERR_INIT;

	CHECK_EQ(find_login("{\"auths\":{\"r\":{\"username\":\"u\",\"password\":\"p\"}}}", "r",
			    &login, &e),
		 1);
	CHECK_STR(login.username, "u");
	CHECK_STR(login.password, "p");
}

TEST(no_auths_no_login)
{
	struct credential login = { 0 };
	struct err e = ERR_INIT;

	CHECK_EQ(find_login("{}", "r", &login, &e), 0);
	CHECK_EQ(find_login("{\"auths\":[]}", "r", &login, &e), 0);
	CHECK_EQ(find_login("[]", "r", &login, &e), 0);
	CHECK_EQ(find_login("{\"auths\":{\"r\":{}}}", "r", &login, &e), 0);
	CHECK_EQ(find_login("{\"auths\":{\"r\":\"x\"}}", "r", &login, &e), 0);
	CHECK_EQ(credential_find("/nowhere/config.json", "r", &login, &e), 0);
}

TEST(what_cannot_be_used_is_said)
{
	struct credential login = { 0 };
	struct err e = ERR_INIT;

	CHECK_EQ(find_login("{\"auths\":{\"r\":{}},\"credsStore\":\"pass\"}", "r", &login, &e),
		 -ERR_UNIMPLEMENTED);
	CHECK_HAS(e.msg, "credential helper 'pass'");
	CHECK_EQ(find_login("{\"credHelpers\":{\"r\":\"ecr\"}}", "r", &login, &e),
		 -ERR_UNIMPLEMENTED);
	CHECK_HAS(e.msg, "credential helper 'ecr'");
	CHECK_EQ(find_login("{\"auths\":{\"r\":{\"identitytoken\":\"t\"}}}", "r", &login, &e),
		 -ERR_UNIMPLEMENTED);
	CHECK_EQ(find_login("{\"auths\":{\"r\":{\"auth\":\"!\"}}}", "r", &login, &e), -ERR_INVALID);
	CHECK_EQ(find_login("{\"auths\":{\"r\":{\"auth\":\"dXNlcg==\"}}}", "r", &login, &e),
		 -ERR_INVALID);
	CHECK_HAS(e.msg, "USER:PASSWORD");
}

/* --- steps -------------------------------------------------------------------------------- */

static const char two_stages[] = "Step 1/8 : FROM debian:bookworm-slim AS build\n"
				 " ---> 7b9c66d99d9f\n"
				 "Step 2/8 : RUN make\n"
				 " ---> Using cache\n"
				 " ---> 9f5a50b205ee\n"
				 "Step 3/8 : ARG FLAG\n"
				 " ---> Running in 0eca93dcbc9b\n"
				 "Removing intermediate container 0eca93dcbc9b\n"
				 " ---> a9c519377573\n"
				 "Step 4/8 : RUN echo \"$FLAG\" > /mark\n"
				 " ---> dcd3a60f92ab\n"
				 "Step 5/8 : FROM debian:bookworm-slim\n"
				 " ---> 7b9c66d99d9f\n"
				 "Step 6/8 : RUN echo socat > /socat\n"
				 " ---> 8b59dd7aae03\n"
				 "Step 7/8 : COPY --from=build /mark /srv/\n"
				 " ---> dc1c59308343\n"
				 "Step 8/8 : LABEL a=b\n"
				 " ---> a7edc4983f82\n"
				 "Successfully built a7edc4983f82\n";

static struct build_steps *steps_new(const json_t *own_args)
{
	struct build_steps *steps = calloc(1, sizeof(*steps));

	CHECK(steps);
	steps->own_args = own_args;
	return steps;
}

TEST(what_comes_before_an_instance_own_argument_is_shared)
{
	AUTO(json_t *, json_decrefp) own = json_pack("{s:b}", "FLAG", 1);
	AUTO(struct build_steps *, freep) steps = steps_new(own);

	build_steps_take(steps, two_stages);
	CHECK_EQ(steps->step, 8);
	CHECK_EQ(steps->steps, 8);
	CHECK_STR(steps->words, "LABEL a=b");
	CHECK_EQ(steps->stage_count, 2);
	CHECK(steps->stages[0].own && steps->stages[1].own);
	CHECK_STR(steps->stages[0].shared, "9f5a50b205ee");
	CHECK_STR(steps->stages[0].last, "dcd3a60f92ab");
	CHECK_STR(steps->stages[1].shared, "8b59dd7aae03");
	CHECK_STR(steps->stages[1].last, "a7edc4983f82");
}

TEST(without_arguments_of_its_own_all_is_shared)
{
	AUTO(struct build_steps *, freep) steps = steps_new(NULL);

	build_steps_take(steps, two_stages);
	CHECK(!steps->stages[0].own && !steps->stages[1].own);
	CHECK_STR(steps->stages[0].last, "dcd3a60f92ab");
	CHECK_STR(steps->stages[0].shared, "dcd3a60f92ab");
}

TEST(output_that_comes_in_pieces_says_the_same)
{
	AUTO(json_t *, json_decrefp) own = json_pack("{s:b}", "FLAG", 1);
	AUTO(struct build_steps *, freep) whole = steps_new(own);
	AUTO(struct build_steps *, freep) pieces = steps_new(own);

	build_steps_take(whole, two_stages);
	for (size_t i = 0; two_stages[i]; i++)
		build_steps_take(pieces, (char[]){ two_stages[i], '\0' });
	CHECK_EQ(pieces->stage_count, whole->stage_count);
	for (size_t i = 0; i < whole->stage_count; i++) {
		CHECK_STR(pieces->stages[i].shared, whole->stages[i].shared);
		CHECK_STR(pieces->stages[i].last, whole->stages[i].last);
	}
	CHECK_STR(pieces->words, whole->words);
	CHECK_STR(pieces->output.text, whole->output.text);
}

TEST(a_stage_on_an_own_one_is_own_and_numbers_name_stages)
{
	AUTO(json_t *, json_decrefp) own = json_pack("{s:b}", "FLAG", 1);
	AUTO(struct build_steps *, freep) steps = steps_new(own);

	build_steps_take(steps, "Step 1/7 : FROM a\n ---> 111111111111\n"
				"Step 2/7 : ARG OTHER=1 FLAG=2\n ---> 222222222222\n"
				"Step 3/7 : FROM 0 as Second\n ---> 222222222222\n"
				"Step 4/7 : RUN x\n ---> 333333333333\n"
				"Step 5/7 : FROM b\n ---> 444444444444\n"
				"Step 6/7 : COPY --chown=0:0 --from=1 a b\n ---> 555555555555\n"
				"Step 7/7 : FROM --platform=x SECOND\n ---> 333333333333\n");
	CHECK_EQ(steps->stage_count, 4);
	for (size_t i = 0; i < 4; i++)
		CHECK(steps->stages[i].own);
	CHECK_STR(steps->stages[1].name, "Second");
	CHECK_STR(steps->stages[1].shared, "");
	CHECK_STR(steps->stages[2].shared, "");
}

TEST(other_builders_tell_their_step_and_no_layers)
{
	AUTO(struct build_steps *, freep) steps = steps_new(NULL);

	build_steps_take(steps, "[internal] load build definition from Dockerfile\n");
	CHECK_EQ(steps->step, 0);
	build_steps_take(steps, "[build 2/5] RUN make\n");
	CHECK_EQ(steps->step, 2);
	CHECK_EQ(steps->steps, 5);
	CHECK_STR(steps->words, "RUN make");
	build_steps_take(steps, "[3/4] COPY a b (cached)\n[notes 1/2 of it]\n");
	CHECK_EQ(steps->step, 3);
	build_steps_take(steps, "STEP 4/6: RUN x\n");
	CHECK_EQ(steps->step, 4);
	CHECK_EQ(steps->steps, 6);
	CHECK_EQ(steps->stage_count, 0);
}

TEST(a_program_that_imitates_the_builder_gets_no_further_than_its_stage)
{
	AUTO(struct build_steps *, freep) steps = steps_new(NULL);

	build_steps_take(steps, " ---> 111111111111\n ---> nothing\n");
	CHECK_EQ(steps->stage_count, 0);
	for (int i = 0; i < 2 * STAGES_MAX; i++)
		build_steps_take(steps, "Step 1/1 : FROM a\n");
	CHECK_EQ(steps->stage_count, STAGES_MAX);
	for (int i = 0; i < 5000; i++)
		build_steps_take(steps, "a line that does not end ");
	build_steps_take(steps, "\nStep 9/9 : RUN y\n");
	CHECK_EQ(steps->step, 9);
}

TEST(the_last_lines_of_the_output_are_kept)
{
	AUTO(struct build_steps *, freep) steps = steps_new(NULL);
	char line[64];

	for (int i = 0; i < 1000; i++) {
		snprintf(line, sizeof(line), "line %d\n", i);
		build_steps_take(steps, line);
	}
	CHECK(steps->output.len < IMAGE_OUTPUT_SIZE);
	CHECK_STR(image_output_end(&steps->output, 20), "line 998\nline 999\n");
	CHECK_EQ(strncmp(image_output_end(&steps->output, IMAGE_OUTPUT_SIZE), "line ", 5), 0);
}

/* --- what a build begins with ------------------------------------------------------------- */

static void check_images(const char *text, const char *args_text, const char *expected)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	AUTO(json_t *, json_decrefp) args = json_loads(args_text, 0, NULL);
	AUTO(struct buf, buf_done) found = BUF_INIT;
	struct dockerfile file;
	const char **images;
	size_t count;

	CHECK(dockerfile_read(arena, text, &file));
	CHECK(dockerfile_images(arena, &file, args, &images, &count));
	for (size_t i = 0; i < count; i++)
		buf_printf(&found, "%s%s", i ? " " : "", images[i]);
	CHECK_STR(found.data, expected);
}

TEST(images_that_a_dockerfile_begins_with)
{
	check_images("FROM debian\n", "{}", "debian");
	check_images("from --platform=linux/amd64 a:1 AS b\nFROM B\nFROM c\n", "{}", "a:1 c");
	check_images("FROM scratch\nCOPY --chown=1 --from=x/y:2 / /\n", "{}", "x/y:2");
	check_images("FROM a AS one\nFROM b\nCOPY --from=one / /\nCOPY --from=0 / /\n", "{}",
		     "a b");
	check_images("# escape=`\nFROM `\n  a\n", "{}", "a");
	check_images("ARG V=12\nARG BASE=\"node\"\nFROM ${BASE}:$V\n", "{}", "node:12");
	check_images("ARG V=12\nFROM node:${V}\n", "{\"V\":\"20\"}", "node:20");
	check_images("ARG V\nFROM node:${V:-18}\nFROM x:$V\n", "{}", "node:18");
	check_images("FROM a\nARG V=1\nFROM b:$V\n", "{}", "a");
	check_images("FROM a\nRUN --mount=type=bind,from=t:1,target=/t --network=none true\n", "{}",
		     "a t:1");
	check_images("FROM a AS x\nFROM b\nRUN --mount=from=x,target=/t <<EOF\nFROM c\nEOF\n", "{}",
		     "a b");
}

/* --- names -------------------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
	return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

/* Whoever stops first would take the other's image along, or be kept from stopping by it. */
TEST(an_image_that_holds_an_instance_s_answer_bears_its_name)
{
	struct folder f;

	folder_open(&f);
	folder_write(&f, "Dockerfile", "FROM x\nARG FLAG\n");
	folder_write(&f, "compose.yml", "services: {s: {build: {context: ., args: [FLAG]}}}\n");
	folder_write(&f, "challenge.yml",
		     "name: x\nquestions: [{id: flag, text: q, answer: 'flag{...}'}]\n");
	CHECK_EQ(folder_plan(&f), 0);
	CHECK(f.plan->services[0].build->per_instance);
	CHECK(ends_with(f.plan->services[0].image, "-i1"));

	folder_write(&f, "challenge.yml",
		     "name: x\nquestions: [{id: flag, text: q, answer: 'flag{all}'}]\n");
	CHECK_EQ(folder_plan(&f), 0);
	CHECK(!f.plan->services[0].build->per_instance);
	CHECK(!ends_with(f.plan->services[0].image, "-i1"));
	folder_close(&f);
}

/* --- makings ------------------------------------------------------------------------------ */

struct waiter {
	struct images *images;
	atomic_bool cancelled;
	int result;
	struct err error;
};

static void *wait_for_image(void *cookie)
{
	struct waiter *waiter = cookie;
	struct making *making;

	waiter->result =
		making_begin(waiter->images, "x", &waiter->cancelled, &making, &waiter->error);
	if (waiter->result == 1)
		making_end(waiter->images, making, 0, &waiter->error);
	return NULL;
}

static struct waiter wait_while(int result, const char *words, bool cancel)
{
	struct waiter waiter = { .result = 99 };
	struct err e = ERR_INIT;
	struct making *making, *other;
	pthread_t thread;

	CHECK_EQ(images_new(&waiter.images, &e), 0);
	CHECK_EQ(making_begin(waiter.images, "x", NULL, &making, &e), 1);
	CHECK_EQ(making_begin(waiter.images, "y", NULL, &other, &e), 1);
	making_end(waiter.images, other, 0, &e);
	pthread_create(&thread, NULL, wait_for_image, &waiter);
	if (cancel) {
		atomic_store(&waiter.cancelled, true);
		pthread_join(thread, NULL);
	}
	if (result < 0)
		err_set(&e, (enum err_code) - result, "%s", words);
	making_end(waiter.images, making, result, &e);
	if (!cancel)
		pthread_join(thread, NULL);
	images_free(waiter.images);
	return waiter;
}

/* A waiter that comes too late to wait makes it itself: 1 is as right as 0. */
TEST(whoever_waits_for_an_image_has_its_maker_s_result)
{
	struct waiter waiter = wait_while(0, "", false);

	CHECK(waiter.result == 0 || waiter.result == 1);
	waiter = wait_while(-ERR_ENGINE, "no such thing", false);
	CHECK(waiter.result == -ERR_ENGINE || waiter.result == 1);
	if (waiter.result < 0)
		CHECK_STR(waiter.error.msg, "no such thing");
	waiter = wait_while(-ERR_ABORTED, "called off", false);
	CHECK_EQ(waiter.result, 1);
}

TEST(whoever_is_no_longer_wanted_stops_waiting)
{
	CHECK_EQ(wait_while(0, "", true).result, -ERR_ABORTED);
}

/* --- stamps ------------------------------------------------------------------------------- */

TEST(a_stamp_changes_with_what_is_in_the_folder)
{
	char dir[] = "/tmp/test-stamp-XXXXXX", file[64], link[64];
	char first[FOLDER_STAMP_SIZE], second[FOLDER_STAMP_SIZE];
	struct err e = ERR_INIT;
	int fd;

	CHECK(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/file", dir);
	snprintf(link, sizeof(link), "%s/link", dir);
	fd = open(file, O_CREAT | O_WRONLY, 0644);
	CHECK(fd >= 0);
	CHECK_EQ(folder_stamp(dir, first, &e), 0);
	CHECK_EQ(folder_stamp(dir, second, &e), 0);
	CHECK_STR(first, second);

	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_EQ(folder_stamp(dir, second, &e), 0);
	CHECK(strcmp(first, second) != 0);

	CHECK_EQ(chmod(file, 0755), 0);
	CHECK_EQ(folder_stamp(dir, first, &e), 0);
	CHECK(strcmp(first, second) != 0);

	CHECK_EQ(symlink("nowhere", link), 0);
	CHECK_EQ(folder_stamp(dir, second, &e), 0);
	CHECK(strcmp(first, second) != 0);

	unlink(link);
	unlink(file);
	rmdir(dir);
	close(fd);
	CHECK_EQ(folder_stamp(dir, first, &e), -ERR_NOT_FOUND);
}

RUN_TESTS(T(a_reference_is_spelled_out), T(a_repository_has_neither_tag_nor_digest),
	  T(a_mirror_is_asked_for_what_docker_io_has),
	  T(only_a_busy_or_broken_registry_is_asked_again), T(patience_grows_and_ends),
	  T(a_login_is_found_however_its_registry_is_written), T(a_login_may_stand_in_clear),
	  T(no_auths_no_login), T(what_cannot_be_used_is_said),
	  T(what_comes_before_an_instance_own_argument_is_shared),
	  T(without_arguments_of_its_own_all_is_shared),
	  T(output_that_comes_in_pieces_says_the_same),
	  T(a_stage_on_an_own_one_is_own_and_numbers_name_stages),
	  T(other_builders_tell_their_step_and_no_layers),
	  T(a_program_that_imitates_the_builder_gets_no_further_than_its_stage),
	  T(the_last_lines_of_the_output_are_kept), T(images_that_a_dockerfile_begins_with),
	  T(an_image_that_holds_an_instance_s_answer_bears_its_name),
	  T(whoever_waits_for_an_image_has_its_maker_s_result),
	  T(whoever_is_no_longer_wanted_stops_waiting),
	  T(a_stamp_changes_with_what_is_in_the_folder))
