/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/field.h"
#include "base/file.h"
#include "base/id.h"
#include "base/image-name.h"
#include "base/log.h"
#include "base/option.h"
#include "base/own.h"
#include "base/plain.h"
#include "base/secret.h"
#include "base/spawn.h"

#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TEST(a_full_disk_is_no_fault_of_whoever_asked)
{
	struct err e = ERR_INIT;

	errno = ENOSPC;
	CHECK_EQ(err_errno(&e, ERR_INTERNAL, "write 'x'"), -ERR_UNAVAILABLE);
	CHECK_STR(e.msg, "write 'x': No space left on device");
	CHECK_EQ(err_errno(&e, ERR_ABORTED, "write 'x'"), -ERR_ABORTED);
	errno = EACCES;
	CHECK_EQ(err_errno(&e, ERR_INTERNAL, "write 'x'"), -ERR_INTERNAL);
}

TEST(an_error_carries_its_code_and_words)
{
	struct err e = ERR_INIT;

	CHECK_EQ(err_set(&e, ERR_ENGINE, "no such image: %s", "x"), -ERR_ENGINE);
	CHECK_EQ(err_wrap(&e, "start '%s'", "web"), -ERR_ENGINE);
	CHECK_STR(e.msg, "start 'web': no such image: x");
	CHECK_EQ(err_status(e.code), 502);
}

TEST(a_long_cause_keeps_its_end)
{
	struct err e = ERR_INIT;
	char cause[3000];

	memset(cause, 'x', sizeof(cause));
	memcpy(cause + sizeof(cause) - 9, "the end.", 9);
	err_set(&e, ERR_ENGINE, "%s", cause);
	err_wrap(&e, "start 'web'");
	CHECK_EQ(strlen(e.msg), ERR_MESSAGE_SIZE - 1);
	CHECK_EQ(strncmp(e.msg, "start 'web': ", 13), 0);
	CHECK_STR(e.msg + strlen(e.msg) - 8, "the end.");
}

TEST(a_limited_buffer_never_grows_past_its_limit)
{
	struct buf b = BUF_LIMITED(10);
	struct err e = ERR_INIT;

	buf_puts(&b, "12345");
	buf_puts(&b, "67890");
	CHECK_EQ(buf_check(&b, &e), 0);
	buf_putc(&b, '!');
	CHECK_EQ(buf_check(&b, &e), -ERR_TOO_LARGE);
	CHECK_STR(b.data, "1234567890");
	buf_done(&b);
	CHECK_EQ(b.len, 0);
}

TEST(a_taken_buffer_is_empty_and_usable)
{
	struct buf b = BUF_INIT;
	char *s = buf_take(&b);

	CHECK_STR(s, "");
	free(s);
	buf_printf(&b, "%d-%s", 7, "x");
	s = buf_take(&b);
	CHECK_STR(s, "7-x");
	CHECK_STR(b.data, "");
	free(s);
}

TEST(an_arena_holds_small_and_large)
{
	AUTO(struct arena *, arena_freep) a = arena_new();
	char *s = arena_printf(a, "%s", "small");
	char *large = arena_alloc(a, 1 << 20);
	char *next = arena_strdup(a, "next");

	memset(large, 1, 1 << 20);
	CHECK_STR(s, "small");
	CHECK_STR(next, "next");
	CHECK_EQ((uintptr_t)next % _Alignof(max_align_t), 0);
	CHECK(!arena_failed(a));
}

struct pet {
	char *name;
	int64_t legs;
	int64_t born;
	char **toys;
	size_t toy_count;
};

struct owner {
	char *name;
	struct pet *pets;
	size_t pet_count;
	json_t *answers;
	bool kind;
};

static const struct field pet_fields[] = {
	FIELD(struct pet, STRING, name, FIELD_REQUIRED),
	FIELD_RANGE(struct pet, legs, 0, 0, 8),
	FIELD(struct pet, TIME, born, 0),
	FIELD_STRINGS_OF(struct pet, toys, toy_count, 0),
	FIELDS_END,
};

static const struct field owner_fields[] = {
	FIELD(struct owner, STRING, name, FIELD_REQUIRED),
	FIELD_LIST_OF(struct owner, pets, pet_count, struct pet, pet_fields, 0),
	FIELD(struct owner, OBJECT, answers, 0),
	FIELD(struct owner, BOOL, kind, 0),
	FIELDS_END,
};

TEST(a_message_survives_decoding_and_encoding)
{
	const char *text = "{\"name\": \"Ann\", \"pets\": [{\"name\": \"Rex\", \"legs\": 4, "
			   "\"born\": \"2026-11-23T01:16:56.123Z\", \"toys\": [\"ball\"]}], "
			   "\"answers\": {\"flag\": \"x\"}, \"kind\": true}";
	AUTO(json_t *, json_decrefp) json = json_loads(text, 0, NULL);
	AUTO(json_t *, json_decrefp) again = NULL;
	struct owner owner = { 0 };
	struct err e = ERR_INIT;

	CHECK_EQ(fields_decode(owner_fields, json, &owner, NULL, &e), 0);
	CHECK_EQ(owner.pet_count, 1);
	CHECK_EQ(owner.pets[0].legs, 4);
	CHECK_STR(owner.pets[0].toys[0], "ball");
	again = fields_encode(owner_fields, &owner);
	CHECK(json_equal(json, again));
	fields_done(owner_fields, &owner);
	CHECK(!owner.pets);
}

TEST(every_wrong_member_is_reported_with_its_place)
{
	AUTO(json_t *, json_decrefp) json =
		json_loads("{\"pets\": [{\"name\": 7, \"legs\": 9}], \"answers\": {\"flag\": 1}}",
			   0, NULL);
	AUTO(json_t *, json_decrefp) problems = NULL;
	AUTO(json_t *, json_decrefp) want =
		json_loads("[{\"loc\":[\"body\",\"name\"],\"msg\":\"field required\","
			   "\"type\":\"value_error.missing\"},"
			   "{\"loc\":[\"body\",\"pets\",0,\"name\"],\"msg\":\"str type expected\","
			   "\"type\":\"type_error.str\"},"
			   "{\"loc\":[\"body\",\"pets\",0,\"legs\"],"
			   "\"msg\":\"ensure this value is between 0 and 8\","
			   "\"type\":\"value_error.number.range\"},"
			   "{\"loc\":[\"body\",\"answers\",\"flag\"],\"msg\":\"str type expected\","
			   "\"type\":\"type_error.str\"}]",
			   0, NULL);
	struct owner owner = { 0 };
	struct err e = ERR_INIT;

	CHECK_EQ(fields_decode(owner_fields, json, &owner, &problems, &e), -ERR_VALIDATION);
	CHECK_STR(e.msg, "body.name: field required");
	CHECK(json_equal(problems, want));
	fields_done(owner_fields, &owner);
}

TEST(a_whole_number_is_an_integer_however_it_is_written)
{
	static const struct {
		const char *text;
		int64_t legs; /* -1: none */
	} cases[] = { { "4", 4 },      { "4.0", 4 },     { "0.4e1", 4 }, { "4.5", -1 },
		      { "1e300", -1 }, { "-1e300", -1 }, { "1e15", -1 }, { "\"4\"", -1 } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(char *, freep) text = strf("{\"name\": \"Rex\", \"legs\": %s}", cases[i].text);
		AUTO(json_t *, json_decrefp) json = json_loads(text, 0, NULL);
		struct pet pet = { 0 };
		struct err e = ERR_INIT;
		int r = fields_decode(pet_fields, json, &pet, NULL, &e);

		CHECK_EQ(r, cases[i].legs < 0 ? -ERR_VALIDATION : 0);
		if (r == 0)
			CHECK_EQ(pet.legs, cases[i].legs);
		fields_done(pet_fields, &pet);
	}
}

TEST(an_instant_is_rfc3339_both_ways)
{
	char text[CLOCK_TEXT_SIZE];
	int64_t ms;

	CHECK_STR(clock_format(1795396616123, text), "2026-11-23T01:16:56.123Z");
	CHECK(clock_parse("2026-11-23T01:16:56.123Z", &ms));
	CHECK_EQ(ms, 1795396616123);
	CHECK(clock_parse("2026-11-23T02:16:56.123456+01:00", &ms));
	CHECK_EQ(ms, 1795396616123);
	CHECK(!clock_parse("2026-11-23", &ms));
	CHECK(!clock_parse("2026-11-23T01:16:56Zx", &ms));
}

TEST(an_instant_that_does_not_exist_is_none)
{
	static const char *const none[] = {
		"2026-02-30T00:00:00Z",
		"2026-02-29T00:00:00Z",
		"2100-02-29T00:00:00Z",
		"2026-04-31T00:00:00Z",
		"2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z",
		"2026-01-00T00:00:00Z",
		"2026-01-01T24:00:00Z",
		"2026-01-01T00:60:00Z",
		"2026-01-01T00:00:61Z",
		"2026-01-01T00:00:00+25:00",
		"2026-01-01T00:00:00+01:60",
		"2026-01-01T00:00:00",
		"2026-01-01T00:00:00.Z",
		" 2026-01-01T00:00:00Z",
		"26-01-01T00:00:00Z",
		"+202-01-01T00:00:00Z",
		"2026-1-1T00:00:00Z",
		"2026-01-01T00:00:00+1:00",
		"2026-01-01T00:00:00 Z",
		"2026-01-01X00:00:00Z",
		"2026-01-01T00:00:00+01:00x",
		"",
	};
	int64_t ms;

	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
		if (clock_parse(none[i], &ms))
			CHECK_STR(none[i], "no instant");
	CHECK(clock_parse("2024-02-29T23:59:60Z", &ms));
	CHECK(clock_parse("2000-02-29 23:59:59.5-23:59", &ms));
}

TEST(ids_are_the_contract_s)
{
	char id[64];
	char longest[65];

	memset(longest, 'a', 64);
	longest[63] = '\0';
	CHECK(id_valid(longest));
	longest[63] = 'a';
	longest[64] = '\0';
	CHECK(!id_valid(longest));
	CHECK(id_valid("A-b_c.9"));
	CHECK(!id_valid(""));
	CHECK(!id_valid(".x"));
	CHECK(!id_valid("a/b"));
	CHECK(!id_valid("a b"));
	id_random(id, 32);
	CHECK_EQ(strlen(id), 32);
	CHECK(id_valid(id));
}

TEST(secrets_compare_and_hash)
{
	char hash[SECRET_HASH_SIZE];
	struct err e = ERR_INIT;

	CHECK_EQ(secret_init(&e), 0);
	CHECK(secret_equal("abc", "abc"));
	CHECK(!secret_equal("abc", "abd"));
	CHECK(!secret_equal("abc", "abcd"));
	secret_hash("abc", hash);
	CHECK_STR(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(a_tree_is_copied_with_links_and_modes_and_removed)
{
	char dir[] = "/tmp/ctfy-test-XXXXXX";
	AUTO(char *, freep) from = NULL;
	AUTO(char *, freep) to = NULL;
	AUTO(char *, freep) path = NULL;
	AUTO(char *, freep) text = NULL;
	struct err e = ERR_INIT;
	AUTO(int, closep) fd = -1;
	struct stat st;

	CHECK(mkdtemp(dir));
	from = strf("%s/from", dir);
	to = strf("%s/to", dir);
	path = strf("%s/from/a/b", dir);
	CHECK_EQ(dir_make(path, 0755, &e), 0);
	free(path);
	path = strf("%s/from/a/b/file", dir);
	CHECK_EQ(file_write(path, "text", 4, 0751, &e), 0);
	free(path);
	path = strf("%s/from/link", dir);
	CHECK_EQ(symlink("a/b/file", path), 0);
	fd = open(from, O_RDONLY | O_DIRECTORY);
	CHECK_EQ(tree_copy(fd, to, &e), 0);
	free(path);
	path = strf("%s/to/link", dir);
	CHECK_EQ(file_read(path, 100, &text, NULL, &e), 0);
	CHECK_STR(text, "text");
	CHECK_EQ(stat(path, &st), 0);
	CHECK_EQ(st.st_mode & 0777, 0751);
	CHECK_EQ(lstat(path, &st), 0);
	CHECK(S_ISLNK(st.st_mode));
	CHECK_EQ(tree_remove(dir, &e), 0);
	CHECK(!file_exists(dir));
	CHECK_EQ(tree_remove(dir, &e), 0);
}

TEST(a_tree_as_deep_as_anybody_makes_it_is_removed)
{
	char dir[] = "/tmp/ctfy-test-XXXXXX";
	int at, below, depth;
	struct err e = ERR_INIT;

	CHECK(mkdtemp(dir));
	at = open(dir, O_RDONLY | O_DIRECTORY);
	for (depth = 0; depth < 8000; depth++) {
		CHECK_EQ(mkdirat(at, "d", 0755), 0);
		CHECK_EQ(symlinkat("nowhere", at, "link"), 0);
		below = openat(at, "d", O_RDONLY | O_DIRECTORY);
		CHECK(below >= 0);
		close(at);
		at = below;
	}
	close(at);
	CHECK_EQ(tree_remove(dir, &e), 0);
	CHECK(!file_exists(dir));
}

TEST(a_message_is_cut_between_characters)
{
	struct err e = ERR_INIT;
	AUTO(json_t *, json_decrefp) json = NULL;
	char cause[3000];

	for (size_t shift = 0; shift < 3; shift++) {
		memset(cause, 'x', sizeof(cause));
		for (size_t i = shift; i + 3 < sizeof(cause); i += 3)
			memcpy(cause + i, "\xe2\x94\x81", 3);
		cause[sizeof(cause) - 1] = '\0';
		err_set(&e, ERR_ENGINE, "%s", cause);
		err_wrap(&e, "%s", cause);
		json_decref(json);
		json = json_string(e.msg);
		CHECK(json);
	}
}

#define SERVER_OPTIONS(ROW)                                       \
	ROW(listen, STRING, "ADDR", "127.0.0.1:7070", "Address.") \
	ROW(max_shells, COUNT, "N", "32", "Shells.")              \
	ROW(ttl, DURATION, "TIME", "30m", "Life.")                \
	ROW(once, FLAG, NULL, NULL, "Once.")

struct server_options {
	SERVER_OPTIONS(OPTION_MEMBER)
};

static const struct option_row server_rows[] = {
#define ROW(...) OPTION_ROW(struct server_options, __VA_ARGS__)
	SERVER_OPTIONS(ROW)
#undef ROW
		{ .name = NULL },
};

TEST(options_come_from_their_table)
{
	char *argv[] = { (char[]){ "x" },     (char[]){ "--max-shells=7" },
			 (char[]){ "first" }, (char[]){ "--ttl" },
			 (char[]){ "2h" },    (char[]){ "--once" },
			 (char[]){ "--" },    (char[]){ "--last" } };
	char *bad[] = { (char[]){ "x" }, (char[]){ "--max-shells" }, (char[]){ "many" } };
	struct server_options o;
	struct err e = ERR_INIT;
	int rest;

	CHECK_EQ(options_parse(server_rows, &o, 8, argv, &rest, &e), 0);
	CHECK_EQ(rest, 2);
	CHECK_STR(argv[1], "first");
	CHECK_STR(argv[2], "--last");
	CHECK_STR(o.listen, "127.0.0.1:7070");
	CHECK_EQ(o.max_shells, 7);
	CHECK_EQ(o.ttl, 2 * 3600 * 1000);
	CHECK(o.once);
	CHECK_EQ(options_parse(server_rows, &o, 3, bad, &rest, &e), -ERR_INVALID);
	CHECK_HAS(e.msg, "'many'");
}

TEST(an_image_is_the_same_however_it_is_named)
{
	static const struct {
		const char *text, *host, *path, *tag, *digest;
	} rows[] = {
		{ "busybox", "docker.io", "library/busybox", "latest", NULL },
		{ "ctfy/capture", "docker.io", "ctfy/capture", "latest", NULL },
		{ "docker.io/ctfy/capture", "docker.io", "ctfy/capture", "latest", NULL },
		{ "index.docker.io/ctfy/capture:latest", "docker.io", "ctfy/capture", "latest",
		  NULL },
		{ "registry-1.docker.io/ctfy/x:1", "docker.io", "ctfy/x", "1", NULL },
		{ "ctfy/x@sha256:12", "docker.io", "ctfy/x", NULL, "sha256:12" },
		{ "ctfy/x:1@sha256:12", "docker.io", "ctfy/x", "1", "sha256:12" },
		{ "reg:5000/ctfy/x", "reg:5000", "ctfy/x", "latest", NULL },
		{ "localhost/ctfy/x", "localhost", "ctfy/x", "latest", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(struct image_name, image_name_done) name = { 0 };
		struct err e = ERR_INIT;

		CHECK_EQ(image_name_parse(rows[i].text, &name, &e), 0);
		CHECK_STR(name.host, rows[i].host);
		CHECK_STR(name.path, rows[i].path);
		CHECK_STR(name.tag ? name.tag : "", rows[i].tag ? rows[i].tag : "");
		CHECK_STR(name.digest ? name.digest : "", rows[i].digest ? rows[i].digest : "");
	}
}

TEST(two_names_of_images_are_ours)
{
	static const struct {
		const char *text;
		enum image_owner owner;
	} rows[] = {
		{ "ctfy/capture", IMAGE_CTFYS },
		{ "docker.io/ctfy/anything:2", IMAGE_CTFYS },
		{ "localhost/ctfy/capture", IMAGE_CTFYS },
		{ "ctfy-challenge/a/web:1", IMAGE_CHALLENGES },
		{ "index.docker.io/ctfy-challenge/a/web@sha256:12", IMAGE_CHALLENGES },
		{ "ctfy-challenger/x", IMAGE_ANYBODYS },
		{ "ctfy", IMAGE_ANYBODYS },
		{ "registry.example/ctfy/capture", IMAGE_ANYBODYS },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(struct image_name, image_name_done) name = { 0 };
		struct err e = ERR_INIT;

		CHECK_EQ(image_name_parse(rows[i].text, &name, &e), 0);
		CHECK_EQ(image_name_owner(&name), rows[i].owner);
	}
}

TEST(what_may_be_an_id_or_another_challenge_s_is_no_name)
{
	static const char *const fine[] = {
		"debian:bookworm-slim",
		"cafe:latest",
		"team/cafe",
		"ghcr.io/a/b_c:v1.2",
		"reg:5000/x__y",
		"a/b---c",
		"ctfy/busybox",
		"localhost/web",
		"pwn.red/jail",
		"10.0.0.1:80/x",
		"x@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	};
	static const char *const faulty[] = {
		"",
		"a",
		"cafe",
		"0123456789ab",
		"sha256:0123",
		"ctfy-challenge/a/web:1",
		"docker.io/ctfy-challenge/a/web",
		"localhost/ctfy-challenge/a/web",
		"Ctfy-challenge/a",
		"ctfy-challenge\"\"/a",
		"ctfy-challenge//a",
		"x y",
		"x:a/b:",
		"x:-",
		"x@sha256:12",
		"http://x/y",
		"../x",
	};

	for (size_t i = 0; i < ARRAY_SIZE(fine); i++)
		CHECK(!image_name_fault(fine[i]));
	for (size_t i = 0; i < ARRAY_SIZE(faulty); i++)
		CHECK(image_name_fault(faulty[i]));
}

static void check_plain(const char *text, enum plain_kind kind, const char *expected)
{
	AUTO(char *, freep) plain = plain_text(text, kind);

	CHECK_STR(plain, expected);
}

TEST(a_strangers_text_is_made_plain)
{
	check_plain("plain, größer \xe2\x82\xac \xf0\x9f\x9a\xa9\t|", PLAIN_LINE,
		    "plain, größer \xe2\x82\xac \xf0\x9f\x9a\xa9\t|");
	check_plain("\x1b[31mred\x1b]0;title\a\r\n", PLAIN_LINE,
		    "\\x1b[31mred\\x1b]0;title\\x07\\x0d\\x0a");
	check_plain("two\nlines\x7f", PLAIN_LINES, "two\nlines\\x7f");
	/* NOLINTNEXTLINE(misc-misleading-bidirectional): such a text is made plain */
	check_plain("\xc2\x9b"
		    "31m \xe2\x80\xae txt \xe2\x81\xa6 \xe2\x80\xa8 \xf3\xa0\x81\x81",
		    PLAIN_LINE, "\\u009b31m \\u202e txt \\u2066 \\u2028 \\U000e0041");
	check_plain("\xff\xc0\x80 \xed\xa0\x80", PLAIN_LINE,
		    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	check_plain("", PLAIN_LINE, "");
	check_plain(NULL, PLAIN_LINE, "");
}

/* What a line in the log becomes; the caller's. */
static char *logged(enum log_format format, const char *words)
{
	int ends[2], kept = dup(STDERR_FILENO);
	struct buf line = BUF_INIT;
	char bytes[1024];
	ssize_t len;

	CHECK_EQ(pipe(ends), 0);
	CHECK(dup2(ends[1], STDERR_FILENO) >= 0);
	log_open(format, LOG_INFO);
	log_info("%s", words);
	log_open(LOG_TEXT, LOG_INFO);
	CHECK(dup2(kept, STDERR_FILENO) >= 0);
	close(kept);
	close(ends[1]);
	while ((len = read(ends[0], bytes, sizeof(bytes))) > 0)
		buf_put(&line, bytes, (size_t)len);
	close(ends[0]);
	return buf_take(&line);
}

TEST(no_byte_of_a_stranger_makes_a_line_of_the_log_anything_else)
{
	static const char words[] = "a\xff\xc2\x9b\"\\\n\x1b\x7f\xc3\xa9";
	AUTO(char *, freep) json_line = logged(LOG_JSON, words);
	AUTO(char *, freep) line = logged(LOG_TEXT, words);
	AUTO(json_t *, json_decrefp) json = json_loads(json_line, 0, NULL);

	CHECK(json);
	CHECK_STR(json_string_value(json_object_get(json, "message")),
		  "a\xef\xbf\xbd\xc2\x9b\"\\\n\x1b\x7f\xc3\xa9");
	CHECK_HAS(line, "a\xef\xbf\xbd\\u009b\"\\\\n\\u001b\\u007f\xc3\xa9\n");
}

/* What is in our environment, tokens and libraries to preload among it, is no other program's
 * business. */
TEST(another_program_gets_path_alone)
{
	static const char *const argv[] = { "env", NULL };
	AUTO(struct buf, buf_done) said = BUF_INIT;
	AUTO(char *, freep) expected = strf("LC_ALL=C\nPATH=%s\n", getenv("PATH"));
	struct err e = ERR_INIT;

	setenv("CTFY_TEST_TOKEN", "secret", 1);
	CHECK_EQ(spawn_read(argv, NULL, &said, &e), 0);
	CHECK_STR(said.data, expected);
	unsetenv("CTFY_TEST_TOKEN");
}

RUN_TESTS(T(another_program_gets_path_alone),
	  T(no_byte_of_a_stranger_makes_a_line_of_the_log_anything_else),
	  T(a_strangers_text_is_made_plain), T(an_image_is_the_same_however_it_is_named),
	  T(two_names_of_images_are_ours), T(what_may_be_an_id_or_another_challenge_s_is_no_name),
	  T(a_full_disk_is_no_fault_of_whoever_asked), T(an_error_carries_its_code_and_words),
	  T(a_long_cause_keeps_its_end), T(a_limited_buffer_never_grows_past_its_limit),
	  T(a_taken_buffer_is_empty_and_usable), T(an_arena_holds_small_and_large),
	  T(a_message_survives_decoding_and_encoding),
	  T(every_wrong_member_is_reported_with_its_place),
	  T(a_whole_number_is_an_integer_however_it_is_written), T(an_instant_is_rfc3339_both_ways),
	  T(an_instant_that_does_not_exist_is_none), T(ids_are_the_contract_s),
	  T(secrets_compare_and_hash), T(a_tree_is_copied_with_links_and_modes_and_removed),
	  T(a_tree_as_deep_as_anybody_makes_it_is_removed), T(a_message_is_cut_between_characters),
	  T(options_come_from_their_table))
