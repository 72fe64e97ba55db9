/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "node/build-cgroup.h"
#include "node/capture-count.h"
#include "node/disk-use.h"
#include "node/early-check.h"
#include "node/firewall.h"
#include "node/gate.h"
#include "node/late-container.h"
#include "node/log-lines.h"
#include "node/log-reel.h"
#include "node/name-server.h"
#include "node/names.h"
#include "node/node.h"
#include "node/port.h"
#include "node/redact.h"
#include "node/roster.h"
#include "node/socket-table.h"
#include "node/stale-table.h"
#include "node/subnet.h"
#include "node/timing.h"

#include "check.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void put_file(int dir, const char *name, off_t size, bool whole)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT, 0600);

	CHECK(fd >= 0);
	CHECK(whole ? posix_fallocate(fd, 0, size) == 0 : ftruncate(fd, size) == 0);
	close(fd);
}

TEST(a_trees_disk_is_what_its_blocks_take_each_once)
{
	const struct disk_use most = { .bytes = INT64_MAX, .inodes = INT64_MAX };
	char path[] = "unit-disk-XXXXXX";
	struct disk_use use = { 0 };
	struct err e = ERR_INIT;
	int dir;

	CHECK(mkdtemp(path)); /* below the build, which is no tmpfs */
	dir = open(path, O_RDONLY | O_DIRECTORY);
	CHECK(dir >= 0);
	put_file(dir, "whole", 1 << 20, true);
	put_file(dir, "hole", 1 << 30, false);
	CHECK(linkat(dir, "whole", dir, "again", 0) == 0);
	CHECK(symlinkat("/", dir, "link") == 0);
	CHECK(disk_use_add(&use, path, &most));
	CHECK(use.bytes >= 1 << 20 && use.bytes < 2 << 20);
	CHECK_EQ(use.inodes, 5);
	CHECK(!disk_use_exceeds(&use, &most));
	CHECK(disk_use_exceeds(&use, &(struct disk_use){ .bytes = INT64_MAX, .inodes = 4 }));
	CHECK(!disk_use_add(&use, "unit-disk-none", &most));
	close(dir);
	CHECK_EQ(tree_remove(path, &e), 0);
}

TEST(every_name_is_answered_with_there_is_none)
{
	static const uint8_t question[] =
		"\x12\x34\x01\x20\0\1\0\0\0\0\0\1\3www\7example\0\0\x1c\0\1"
		"\0\0\x29\4\xd0\0\0\0\0\0";
	static const uint8_t wanted[] = "\x12\x34\x81\x83\0\1\0\0\0\0\0\0\3www\7example\0\0\x1c\0";
	uint8_t answer[NAMES_MESSAGE_MAX];
	size_t len = names_answer(question, sizeof(question), answer);

	CHECK_EQ(len, sizeof(wanted));
	CHECK(memcmp(answer, wanted, len - 1) == 0); /* the class's last byte is 1 */
}

TEST(what_is_no_question_is_told_so_or_not_answered)
{
	uint8_t question[NAMES_MESSAGE_MAX + 1] = "\x12\x34\x01\0\0\1\0\0\0\0\0\0\3www\0\0\1\0\1";
	uint8_t answer[NAMES_MESSAGE_MAX];
	const size_t whole = 21;

	for (size_t len = 0; len < 12; len++)
		CHECK_EQ(names_answer(question, len, answer), 0);
	for (size_t len = 12; len < whole; len++) {
		CHECK_EQ(names_answer(question, len, answer), 12); /* without the question */
		CHECK_EQ(answer[3] & 0x0f, 1);
	}
	CHECK_EQ(names_answer(question, sizeof(question), answer), 0);
	question[2] = 0x28; /* an update */
	CHECK_EQ(names_answer(question, whole, answer), whole);
	CHECK_EQ(answer[3] & 0x0f, 4);
	question[2] = 0x80; /* an answer, which would be answered without end */
	CHECK_EQ(names_answer(question, whole, answer), 0);
	question[2] = 1;
	question[12] = 0xc0; /* a pointer */
	CHECK_EQ(names_answer(question, whole, answer), 12);
	memset(question + 12, 63, NAMES_MESSAGE_MAX - 12); /* a name without end */
	CHECK_EQ(names_answer(question, NAMES_MESSAGE_MAX, answer), 12);
}

TEST(subnets_are_taken_once_and_rest_before_they_return)
{
	struct subnets *subnets = NULL;
	char a[SUBNET_TEXT_SIZE], b[SUBNET_TEXT_SIZE], c[SUBNET_TEXT_SIZE];
	struct err e = ERR_INIT;

	CHECK_EQ(subnets_new("10.176.0.0/25", &subnets, &e), 0);
	CHECK_EQ(subnets_take(subnets, 0, a, &e), 0);
	CHECK_STR(a, "10.176.0.0/27");
	CHECK_EQ(subnets_take(subnets, 0, b, &e), 0);
	CHECK_STR(b, "10.176.0.32/27");
	subnets_release(subnets, a);
	CHECK_EQ(subnets_take(subnets, 0, c, &e), 0);
	CHECK_STR(c, "10.176.0.64/27");
	CHECK_EQ(subnets_left(subnets), 2);
	subnets_free(subnets);
}

TEST(a_large_subnet_is_aligned_and_a_full_space_says_so)
{
	struct subnets *subnets = NULL;
	char cidr[SUBNET_TEXT_SIZE];
	struct err e = ERR_INIT;

	CHECK_EQ(subnets_new("10.176.0.0/24", &subnets, &e), 0);
	CHECK_EQ(subnets_take(subnets, 0, cidr, &e), 0);
	CHECK_EQ(subnets_take(subnets, 25, cidr, &e), 0);
	CHECK_STR(cidr, "10.176.0.128/25");
	CHECK_EQ(subnets_take(subnets, 25, cidr, &e), -ERR_UNAVAILABLE);
	CHECK_STR(e.msg, "no subnet of /25 is free in 10.176.0.0/24");
	CHECK_EQ(subnets_left(subnets), 3);
	subnets_release(subnets, "192.168.1.0/24"); /* not ours: ignored */
	CHECK_EQ(subnets_left(subnets), 3);
	subnets_free(subnets);
}

TEST(a_claimed_subnet_is_not_given_again)
{
	struct subnets *subnets = NULL;
	char cidr[SUBNET_TEXT_SIZE], address[SUBNET_TEXT_SIZE];
	struct err e = ERR_INIT;

	CHECK_EQ(subnets_new("10.176.0.0/26", &subnets, &e), 0);
	subnets_claim(subnets, "10.176.0.0/27");
	CHECK_EQ(subnets_take(subnets, 0, cidr, &e), 0);
	CHECK_STR(cidr, "10.176.0.32/27");
	CHECK_EQ(subnets_take(subnets, 0, cidr, &e), -ERR_UNAVAILABLE);
	subnet_address("10.176.0.32/27", 1, address);
	CHECK_STR(address, "10.176.0.33");
	subnets_free(subnets);
}

TEST(a_space_that_is_none_is_refused)
{
	static const char *const bad[] = { "",     "10.0.0.0",   "10.0.0.0/33", "10.0.0.0/28",
					   "x/16", "10.0.0.0/4", "10.0.0/16",   "10.0.0.0/16x" };
	struct subnets *subnets = NULL;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_EQ(subnets_new(bad[i], &subnets, &e), -ERR_INVALID);
}

TEST(a_port_that_is_in_use_is_passed_over)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(in);
	struct ports *ports = NULL;
	struct err e = ERR_INIT;
	struct rlimit limit;
	char range[32];
	uint16_t port, busy;

	CHECK_EQ(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	CHECK_EQ(listen(fd, 1), 0);
	CHECK_EQ(getsockname(fd, (struct sockaddr *)&in, &size), 0);
	busy = ntohs(in.sin_port);
	snprintf(range, sizeof(range), "%u-%u", busy, busy);
	CHECK_EQ(ports_new(range, "127.0.0.1", &ports, &e), 0);
	CHECK_EQ(ports_take(ports, &port, &e), -ERR_UNAVAILABLE);
	close(fd);
	getrlimit(RLIMIT_NOFILE, &limit);
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 0, limit.rlim_max });
	CHECK_EQ(ports_take(ports, &port, &e), -ERR_UNAVAILABLE);
	setrlimit(RLIMIT_NOFILE, &limit);
	CHECK_HAS(e.msg, "Too many open files");
	CHECK_EQ(ports_take(ports, &port, &e), 0);
	CHECK_EQ(port, busy);
	CHECK_EQ(ports_take(ports, &port, &e), -ERR_UNAVAILABLE);
	ports_release(ports, busy);
	CHECK_EQ(ports_left(ports), 1);
	ports_free(ports);
}

static const atomic_bool never;

struct crowd {
	struct gate gate;
	atomic_int inside, most, order;
};

static void *pass_gate(void *cookie)
{
	struct crowd *crowd = cookie;
	int inside;

	if (!gate_enter(&crowd->gate, cookie, &never))
		return cookie;
	inside = atomic_fetch_add(&crowd->inside, 1) + 1;
	if (inside > atomic_load(&crowd->most))
		atomic_store(&crowd->most, inside);
	sched_yield();
	atomic_fetch_sub(&crowd->inside, 1);
	gate_leave(&crowd->gate);
	return NULL;
}

TEST(a_gate_never_lets_more_than_its_width_in)
{
	struct crowd crowd = { .inside = 0 };
	pthread_t threads[32];

	gate_init(&crowd.gate, 3);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, pass_gate, &crowd), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	CHECK(atomic_load(&crowd.most) <= 3);
	CHECK_EQ(gate_waiting(&crowd.gate), 0);
	gate_done(&crowd.gate);
}

TEST(who_is_called_off_leaves_the_queue)
{
	atomic_bool cancelled;
	struct gate gate;

	atomic_init(&cancelled, true);
	gate_init(&gate, 1);
	CHECK(gate_enter(&gate, "first", &never));
	CHECK(!gate_enter(&gate, "second", &cancelled));
	CHECK_EQ(gate_waiting(&gate), 0);
	CHECK(!gate_is_idle(&gate));
	gate_leave(&gate);
	CHECK(gate_enter(&gate, "third", &never));
	gate_leave(&gate);
	CHECK(gate_is_idle(&gate));
	gate_done(&gate);
}

TEST(percentiles_are_of_the_last_starts)
{
	struct timings *timings = NULL;
	struct err e = ERR_INIT;
	int64_t ms;

	CHECK_EQ(timings_new(&timings, &e), 0);
	CHECK(!timings_percentile(timings, "web", 50, &ms));
	for (int i = 0; i < 100; i++)
		timings_add(timings, "web", 9999);
	for (int i = 1; i <= 64; i++)
		timings_add(timings, "web", i);
	CHECK(timings_percentile(timings, "web", 50, &ms));
	CHECK_EQ(ms, 32);
	CHECK(timings_percentile(timings, "web", 95, &ms));
	CHECK_EQ(ms, 60);
	timings_free(timings);
}

TEST(a_roster_has_each_id_once_and_keeps_to_its_capacity)
{
	struct instance *a, *b, *c, *existing = NULL;
	struct node node = { .options = NULL };
	struct roster *roster = NULL;
	struct roll roll = { 0 };
	struct err e = ERR_INIT;

	CHECK_EQ(roster_new(&roster, &e), 0);
	node.roster = roster;
	a = instance_new(&node, "a", "web", "{}");
	b = instance_new(&node, "a", "web", "{}");
	c = instance_new(&node, "c", "web", "{}");
	CHECK_EQ(roster_enter(roster, a, 1, &existing, &e), 0);
	CHECK(!existing);
	CHECK_EQ(roster_enter(roster, b, 1, &existing, &e), 0);
	CHECK(existing == a);
	instance_unref(existing);
	CHECK_EQ(roster_enter(roster, c, 1, &existing, &e), -ERR_UNAVAILABLE);
	CHECK_STR(e.msg, "the node is full: 1/1 instances");
	CHECK_EQ(roster_roll(roster, &roll, &e), 0);
	CHECK_EQ(roll.count, 1);
	roster_leave(a);
	CHECK_EQ(roster_count(roster), 0);
	CHECK_STR(roll.instances[0]->id, "a"); /* whoever still looks at it keeps it */
	roll_done(&roll);
	for (int uses = 0; uses < 2; uses++) {
		instance_unref(b);
		instance_unref(c);
	}
	instance_unref(a);
	roster_free(roster);
}

TEST(bridge_names_fit_and_tell_open_from_closed)
{
	char a[BRIDGE_NAME_SIZE], b[BRIDGE_NAME_SIZE], c[BRIDGE_NAME_SIZE];

	firewall_bridge_name("node", "p_default", false, a);
	firewall_bridge_name("node", "p_default", true, b);
	firewall_bridge_name("node", "p_other", false, c);
	CHECK_EQ(strlen(a), 15);
	CHECK_EQ(strncmp(a, "cfyc", 4), 0);
	CHECK_EQ(strncmp(b, "cfyo", 4), 0);
	CHECK(strcmp(a, c) != 0);
}

/* Lines as "stream|time's last digit|text|" and "!" where it was cut. */
static int note_line(void *cookie, const struct log_line *line, struct err *e)
{
	(void)e;
	buf_printf(cookie, "%d|%s|", line->stream, *line->at ? line->at + LOG_TIME_LEN - 2 : "");
	buf_put(cookie, line->text, line->len);
	buf_puts(cookie, line->cut ? "!\n" : "\n");
	return 0;
}

static void feed(struct log_parser *parser, enum engine_stream stream, const char *text)
{
	struct err e = ERR_INIT;

	for (; *text; text++) /* in the smallest of pieces */
		CHECK_EQ(log_parser_take(parser, stream, text, 1, &e), 0);
}

static void feed_frame(struct log_parser *parser, enum engine_stream stream, const char *text)
{
	log_parser_frame(parser, stream);
	feed(parser, stream, text);
}

static void check_lines(struct log_parser *parser, struct buf *seen, const char *expected)
{
	struct err e = ERR_INIT;

	CHECK_EQ(log_parser_end(parser, &e), 0);
	CHECK_STR(seen->data, expected);
	buf_done(seen);
}

#define AT(n) "2026-11-23T01:00:00.00000000" #n "Z "

TEST(log_lines_are_what_was_written)
{
	struct buf seen = BUF_INIT;
	struct log_parser parser;

	log_parser_begin(&parser, note_line, &seen);
	feed_frame(&parser, ENGINE_STDOUT, AT(1) "one\n");
	feed_frame(&parser, ENGINE_STDERR, AT(2) AT(3) "of its own\r\n");
	feed_frame(&parser, ENGINE_STDOUT, AT(4) "");
	feed_frame(&parser, ENGINE_STDOUT, AT(5) "ended without");
	feed_frame(&parser, ENGINE_STDOUT, AT(6) "\n");
	feed_frame(&parser, ENGINE_STDOUT, "2026-no time\n");
	feed_frame(&parser, ENGINE_STDOUT, AT(7) "last");
	check_lines(&parser, &seen,
		    "1|1Z|one\n2|2Z|" AT(3) "of its own\r\n1|4Z|!\n1|5Z|ended without!\n1|6Z|\n"
					    "1|6Z|2026-no time\n1|7Z|last!\n");
	log_parser_begin(&parser, note_line, &seen);
	feed(&parser, ENGINE_TTY, AT(1) "one\n" AT(2) AT(3) "two\n2026");
	check_lines(&parser, &seen, "0|1Z|one\n0|2Z|" AT(3) "two\n0|2Z|2026!\n");
}

TEST(a_log_line_that_the_engine_cut_is_one_line)
{
	char entry[(16 << 10) + 1];
	struct buf seen = BUF_INIT, expected = BUF_INIT;

	memset(entry, 'x', sizeof(entry) - 1);
	entry[sizeof(entry) - 1] = '\0';
	for (int framed = 0; framed <= 1; framed++) {
		enum engine_stream stream = framed ? ENGINE_STDOUT : ENGINE_TTY;
		struct log_parser parser;

		log_parser_begin(&parser, note_line, &seen);
		for (int i = 0; i < 3; i++) {
			if (framed)
				log_parser_frame(&parser, stream);
			feed(&parser, stream, i == 0 ? AT(1) : i == 1 ? AT(2) : AT(3));
			feed(&parser, stream, i < 2 ? entry : AT(9) "end\n");
		}
		buf_printf(&expected, "%d|1Z|%s%s" AT(9) "end\n", stream, entry, entry);
		check_lines(&parser, &seen, expected.data);
		buf_clear(&expected);
	}
	buf_done(&expected);
}

TEST(of_many_log_lines_the_first_and_the_newest_stay)
{
	struct log_reel reel;
	struct err e = ERR_INIT;
	char text[8];
	int r, next = 0, gaps = 0;

	log_reel_begin(&reel, "/tmp", 1000); /* some 20 lines */
	for (int i = 0; i < 200; i++) {
		const struct log_line line = { .at = "2026-11-23T01:00:00.000000001Z",
					       .stream = ENGINE_STDOUT,
					       .text = text,
					       .len = (size_t)snprintf(text, 8, "%d", i) };

		CHECK_EQ(log_reel_put(&reel, &line, &e), 0);
	}
	for (int again = 0; again < 2; again++, next = gaps = 0) {
		CHECK_EQ(log_reel_rewind(&reel, &e), 0);
		while ((r = log_reel_next(&reel, &e)) > 0) {
			if (r == LOG_REEL_GAP) {
				gaps++;
				CHECK(next > 10 && next < 40);
				next += (int)reel.left_out_lines;
				continue;
			}
			CHECK_EQ(atoi(reel.line.text), next++);
		}
		CHECK_EQ(r, 0);
		CHECK_EQ(next, 200);
		CHECK_EQ(gaps, 1);
	}
	log_reel_done(&reel);
}

static void check_redacted(json_t *answers, const char *text, const char *expected)
{
	json_t *json = json_pack("{s:[s]}", "Env", text);
	const char *redacted = NULL;
	struct err e = ERR_INIT;

	CHECK_EQ(redact(json, answers, &e), 0);
	CHECK_EQ(json_unpack(json, "{s:[s]}", "Env", &redacted), 0);
	CHECK_STR(redacted, expected);
	json_decref(json);
}

#define HASH_OF_42     "73475cb40a568e8da8a045ced110137e159f890ac4da883b6b17dc651b3a8049"
#define HASH_OF_SESAME "1538bf4a533cfaf8ad93cdf14b4fe94c4b3cbdaf8cadcd86b03c1494b90f96b7"

TEST(secrets_are_marked_where_they_stand_and_nothing_else)
{
	json_t *answers =
		json_pack("{s:s,s:s,s:s}", "long", "flag{sesame}", "short", "42", "none", "");
	static const char mark[] = "[answer:long sha256:" HASH_OF_SESAME "]";
	char text[256];

	check_redacted(answers, "nothing of it", "nothing of it");
	check_redacted(answers, "", "");
	snprintf(text, sizeof(text), "a %s b %s", mark, mark);
	check_redacted(answers, "a flag{sesame} b flag{sesame}", text);
	check_redacted(answers, "ANSWER=42", "ANSWER=[answer:short sha256:" HASH_OF_42 "]");
	check_redacted(answers, "42", "[answer:short sha256:" HASH_OF_42 "]");
	check_redacted(answers, "PORT=4242", "PORT=4242");
	check_redacted(answers, "10.42.0.1", "10.42.0.1");
	check_redacted(NULL, "CTFY_TOKEN=42", "CTFY_TOKEN=[token sha256:" HASH_OF_42 "]");
	check_redacted(NULL, "CTFY_TOKEN=", "CTFY_TOKEN=");
	json_decref(answers);
}

TEST(what_tcpdump_says_is_counted_by_start)
{
	struct capture_count count;

	capture_count_read(CAPTURE_BEGINS "\ntcpdump: listening on cfyc1, link-type EN10MB\n"
					  "tcpdump: 5 packets captured, 9 packets received by "
					  "filter, 1 packet dropped by kernel\n"
					  "9 packets captured\n10 packets received by filter\n"
					  "1 packet dropped by kernel\n" CAPTURE_BEGINS
					  "\nkilled\n" CAPTURE_BEGINS
					  "\ntcpdump: 3 packets captured, 7 packets received by "
					  "filter, 2 packets dropped by kernel\n",
			   &count);
	CHECK_EQ(count.starts, 3);
	CHECK_EQ(count.silent, 1);
	CHECK_EQ(count.captured, 12);
	CHECK_EQ(count.dropped, 3);
	CHECK_EQ(count.behind, 2);
	CHECK_EQ(count.said, 3);
	capture_count_read("", &count);
	CHECK_EQ(count.starts, 0);
	CHECK_EQ(count.silent, 0);
	capture_count_read(
		"packets packet  packets captured 99999999999999999999999 packets dropped", &count);
	CHECK_EQ(count.captured, 0);
}

#define HEADINGS \
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
#define REST " 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100\n"

static enum listens read_table(const char *rows, bool tcp, uint16_t port)
{
	char text[2048];
	enum listens found;
	FILE *table;

	snprintf(text, sizeof(text), HEADINGS "%s", rows);
	table = fmemopen(text, strlen(text), "r");
	found = socket_table_read(table, tcp, port);
	fclose(table);
	return found;
}

TEST(a_port_is_told_by_whether_it_is_open_to_others)
{
	static const char inside[] = "   0: 0100007F:1F41 00000000:0000 0A" REST;
	static const char both[] = "   0: 0100007F:1F41 00000000:0000 0A" REST
				   "   1: 050011AC:1F41 00000000:0000 0A" REST;
	static const char any6[] =
		"   0: 00000000000000000000000000000000:1F41 00000000000000000000000000000000:0000 "
		"0A" REST;
	static const char inside6[] =
		"   0: 00000000000000000000000001000000:1F41 00000000000000000000000000000000:0000 "
		"0A" REST;
	static const char mapped[] =
		"   0: 0000000000000000FFFF00000100007F:1F41 00000000000000000000000000000000:0000 "
		"0A" REST;
	static const char connected[] = "   0: 0100007F:1F41 0100007F:9C40 01" REST
					"   1: 00000000:1F41 00000000:0000 0A" REST;
	static const char datagrams[] = " 1234: 0100007F:1388 00000000:0000 07" REST
					" 1235: 00000000:1389 00000000:0000 07" REST
					" 1236: 00000000:138A 0100007F:9C40 01" REST;

	CHECK_EQ(read_table(inside, true, 8001), LISTENS_LOOPBACK);
	CHECK_EQ(read_table(inside, true, 8002), LISTENS_NOT);
	CHECK_EQ(read_table(both, true, 8001), LISTENS_OUTSIDE);
	CHECK_EQ(read_table(any6, true, 8001), LISTENS_OUTSIDE);
	CHECK_EQ(read_table(inside6, true, 8001), LISTENS_LOOPBACK);
	CHECK_EQ(read_table(mapped, true, 8001), LISTENS_LOOPBACK);
	CHECK_EQ(read_table(connected, true, 8001), LISTENS_NOT);
	CHECK_EQ(read_table(datagrams, false, 5000), LISTENS_LOOPBACK);
	CHECK_EQ(read_table(datagrams, false, 5001), LISTENS_OUTSIDE);
	CHECK_EQ(read_table(datagrams, false, 5002), LISTENS_NOT);
	CHECK_EQ(read_table("", true, 8001), LISTENS_NOT);
	CHECK_EQ(socket_table_listens(0, "tcp", 8001), LISTENS_UNKNOWN);
}

static json_t *with_check(const char *health, json_int_t interval, json_t *test)
{
	return json_pack("{s:s,s:{s:{s:I,s:o}},s:{s:s,s:b,s:{s:s}}}", "Id", "c", "Config",
			 "Healthcheck", "Interval", interval, "Test", test, "State", "Status",
			 "running", "Running", 1, "Health", "Status", health);
}

static void check_due(const char *health, json_int_t interval, bool due)
{
	json_t *inspected = with_check(health, interval, json_pack("[s,s]", "CMD", "true"));

	CHECK_EQ(early_check_is_due(inspected), due);
	json_decref(inspected);
}

TEST(a_check_is_made_early_where_the_engine_is_slow)
{
	const json_int_t second = 1000000000;

	check_due("starting", 150 * second, true);
	check_due("unhealthy", 150 * second, true);
	check_due("starting", 0, true); /* the engine's default: 30 s */
	check_due("healthy", 150 * second, false);
	check_due("starting", second, false);
	check_due("none", 0, false);
}

static void check_command(json_t *test, const char *expected)
{
	json_t *inspected = with_check("starting", 0, test);
	json_t *command = early_check_command(inspected);
	char *text = command ? json_dumps(command, JSON_COMPACT) : NULL;

	if (expected)
		CHECK_STR(text, expected);
	else
		CHECK(!text);
	free(text);
	json_decref(command);
	json_decref(inspected);
}

TEST(an_early_check_is_the_engines_command)
{
	check_command(json_pack("[s,s,s]", "CMD", "test", "-e"), "[\"test\",\"-e\"]");
	check_command(json_pack("[s,s]", "CMD-SHELL", "a && b"), "[\"/bin/sh\",\"-c\",\"a && b\"]");
	check_command(json_pack("[s]", "NONE"), NULL);
	check_command(json_pack("[]"), NULL);
}

TEST(name_servers_are_those_of_resolv_conf)
{
	struct name_servers servers;

	name_servers_parse("# nameserver 192.0.2.9\nnameserver 192.0.2.1\noptions ndots:1\n"
			   "nameserver\t192.0.2.2 \nnameserver 2001:db8::1\nnameserver 1.2.3\n"
			   "nameserver 192.0.2.3",
			   &servers);
	CHECK_EQ(servers.count, 3);
	CHECK_STR(servers.addresses[0], "192.0.2.1");
	CHECK_STR(servers.addresses[1], "192.0.2.2");
	CHECK_STR(servers.addresses[2], "192.0.2.3");
	name_servers_parse("", &servers);
	CHECK_EQ(servers.count, 0);
}

static size_t owner_of(const char *line)
{
	const char *id = NULL;
	size_t len = stale_table_owner(line, &id);

	CHECK(!len || strncmp(id, "abc234", len) == 0);
	return len;
}

TEST(a_table_is_a_node_s_by_its_name)
{
	CHECK_EQ(owner_of("table ip ctfy-abc234\ntable inet ctfy\n"), 6);
	CHECK_EQ(owner_of("table inet ctfy_build_abc234"), 6);
	CHECK_EQ(owner_of("table inet ctfy"), 0);
	CHECK_EQ(owner_of("table ip ctfy-"), 0);
	CHECK_EQ(owner_of("table ip ctfy-abc 234"), 0);
	CHECK_EQ(owner_of("table ip ctfy-abc;234"), 0);
	CHECK_EQ(owner_of("table ip nat"), 0);
}

TEST(a_table_covers_its_node_s_subnets_and_whatever_it_does_not_tell)
{
	static const char listing[] = "ct state != new accept\n"
				      "ip daddr 10.176.0.0/12 add @clients\n";

	CHECK(stale_table_covers(listing, inet_addr("10.191.255.1")));
	CHECK(!stale_table_covers(listing, inet_addr("10.192.0.1")));
	CHECK(stale_table_covers("", inet_addr("10.192.0.1")));
	CHECK(stale_table_covers("ip daddr @set", inet_addr("10.192.0.1")));
	CHECK(stale_table_covers("ip daddr 10.0.0.0/99", inet_addr("192.0.2.1")));
}

TEST(a_check_that_is_too_much_is_left_to_the_engine)
{
	CHECK(early_check_is_too_much(-ERR_TIMEOUT, EARLY_CHECK_PATIENCE_MS));
	CHECK(early_check_is_too_much(-ERR_TOO_LARGE, 1000));
	CHECK(!early_check_is_too_much(-ERR_TIMEOUT, 1000)); /* its own timeout: it has failed */
	CHECK(!early_check_is_too_much(-ERR_ENGINE, EARLY_CHECK_PATIENCE_MS));
	CHECK(!early_check_is_too_much(0, EARLY_CHECK_PATIENCE_MS));
}

TEST(a_container_is_late_by_the_time_that_it_has_been_seen)
{
	json_t *seen = json_object();

	CHECK(!late_container_is_old(seen, "a", 5000));
	CHECK(!late_container_is_old(seen, "a", 5000 + LATE_CONTAINER_AGE_MS - 1));
	CHECK(!late_container_is_old(seen, "b", 5000 + LATE_CONTAINER_AGE_MS));
	CHECK(late_container_is_old(seen, "a", 5000 + LATE_CONTAINER_AGE_MS));
	json_decref(seen);
}

/* A tree as the kernel would have made it, of directories and files that are there to be written.
 */
static void make_tree(char *root, const char *const *dirs, const char *const *files)
{
	struct err e = ERR_INIT;

	CHECK(mkdtemp(root));
	for (; *dirs; dirs++) {
		AUTO(char *, freep) dir = strf("%s/%s", root, *dirs);

		CHECK(mkdir(dir, 0755) == 0);
	}
	for (; *files; files++) {
		AUTO(char *, freep) file = strf("%s/%s", root, *files);

		CHECK_EQ(file_write(file, "", 0, 0644, &e), 0);
	}
}

static void check_file(const char *root, const char *name, const char *text)
{
	AUTO(char *, freep) path = strf("%s/%s", root, name);
	AUTO(char *, freep) found = NULL;
	struct err e = ERR_INIT;

	CHECK_EQ(file_read(path, 4096, &found, NULL, &e), 0);
	CHECK_STR(found, text);
}

static const struct build_cgroup_limits build_limits = { .memory = 1LL << 32,
							 .cpus = 2,
							 .pids = 9 };

TEST(builds_are_held_by_one_group_of_version_2)
{
	static const char *const dirs[] = { "ctfy-build", "docker", "docker/buildkit", NULL };
	static const char *const files[] = { "cgroup.controllers",
					     "cgroup.subtree_control",
					     "docker/cgroup.subtree_control",
					     "ctfy-build/pids.max",
					     "ctfy-build/memory.max",
					     "ctfy-build/memory.swap.max",
					     "ctfy-build/cpu.max",
					     "docker/buildkit/pids.max",
					     "docker/buildkit/memory.max",
					     "docker/buildkit/cpu.max",
					     NULL };
	char root[] = "/tmp/unit-cgroup-XXXXXX";

	make_tree(root, dirs, files);
	CHECK_EQ(build_cgroup_limit(root, "ctfy-build", &build_limits), 0);
	check_file(root, "cgroup.subtree_control", "+pids +memory +cpu");
	check_file(root, "ctfy-build/pids.max", "9");
	check_file(root, "ctfy-build/memory.max", "4294967296");
	check_file(root, "ctfy-build/memory.swap.max", "0");
	check_file(root, "ctfy-build/cpu.max", "200000 100000");
	/* Without swap's file, which not every kernel has; and below a group of the engine's. */
	CHECK_EQ(build_cgroup_limit(root, "docker/buildkit", &build_limits), 0);
	check_file(root, "docker/cgroup.subtree_control", "+pids +memory +cpu");
	check_file(root, "docker/buildkit/pids.max", "9");
	check_file(root, "docker/buildkit/cpu.max", "200000 100000");
	/* The controllers are not there for it: this is told, not passed over. */
	CHECK_EQ(build_cgroup_limit(root, "ctfy-build/none", &build_limits), -1);
	CHECK_EQ(tree_remove(root, NULL), 0);
}

TEST(builds_are_held_by_one_group_in_each_tree_of_version_1)
{
	static const char *const dirs[] = {
		"pids",           "memory", "cpu", "pids/ctfy-build", "memory/ctfy-build",
		"cpu/ctfy-build", NULL
	};
	static const char *const files[] = { "pids/ctfy-build/pids.max",
					     "memory/ctfy-build/memory.limit_in_bytes",
					     "memory/ctfy-build/memory.memsw.limit_in_bytes",
					     "cpu/ctfy-build/cpu.cfs_quota_us", NULL };
	char root[] = "/tmp/unit-cgroup-XXXXXX";

	make_tree(root, dirs, files);
	CHECK_EQ(build_cgroup_limit(root, "ctfy-build", &build_limits), 0);
	check_file(root, "pids/ctfy-build/pids.max", "9");
	check_file(root, "memory/ctfy-build/memory.limit_in_bytes", "4294967296");
	check_file(root, "memory/ctfy-build/memory.memsw.limit_in_bytes", "4294967296");
	check_file(root, "cpu/ctfy-build/cpu.cfs_quota_us", "200000");
	CHECK_EQ(build_cgroup_limit(root, "other", &build_limits), -1);
	CHECK_EQ(tree_remove(root, NULL), 0);
}

TEST(what_is_left_of_a_build_is_ended_and_nothing_else)
{
	static const char *const dirs[] = { "ctfy-build", "ctfy-build/mine-1",
					    "ctfy-build/theirs-1", NULL };
	static const char *const files[] = { "cgroup.controllers", NULL };
	char root[] = "/tmp/unit-cgroup-XXXXXX";
	pid_t pids[2];

	make_tree(root, dirs, files);
	for (int i = 0; i < 2; i++) {
		AUTO(char *, freep)
		file = strf("%s/ctfy-build/%s-1/cgroup.procs", root, i ? "theirs" : "mine");
		char text[32];

		pids[i] = fork();
		if (pids[i] == 0)
			for (;;)
				pause();
		snprintf(text, sizeof(text), "%d\n", pids[i]);
		CHECK_EQ(file_write(file, text, strlen(text), 0644, NULL), 0);
	}
	build_cgroup_end_all(root, "ctfy-build", "mine-");
	CHECK_EQ(waitpid(pids[0], NULL, 0), pids[0]);
	CHECK_EQ(waitpid(pids[1], NULL, WNOHANG), 0);
	build_cgroup_end(root, "ctfy-build/theirs-1");
	CHECK_EQ(waitpid(pids[1], NULL, 0), pids[1]);
	build_cgroup_end(root, "ctfy-build/none");
	CHECK_EQ(tree_remove(root, NULL), 0);
}

RUN_TESTS(T(builds_are_held_by_one_group_of_version_2),
	  T(builds_are_held_by_one_group_in_each_tree_of_version_1),
	  T(what_is_left_of_a_build_is_ended_and_nothing_else),
	  T(a_check_that_is_too_much_is_left_to_the_engine),
	  T(a_container_is_late_by_the_time_that_it_has_been_seen),
	  T(name_servers_are_those_of_resolv_conf), T(a_table_is_a_node_s_by_its_name),
	  T(a_table_covers_its_node_s_subnets_and_whatever_it_does_not_tell),
	  T(a_trees_disk_is_what_its_blocks_take_each_once),
	  T(every_name_is_answered_with_there_is_none),
	  T(what_is_no_question_is_told_so_or_not_answered),
	  T(subnets_are_taken_once_and_rest_before_they_return),
	  T(a_large_subnet_is_aligned_and_a_full_space_says_so),
	  T(a_claimed_subnet_is_not_given_again), T(a_space_that_is_none_is_refused),
	  T(a_port_that_is_in_use_is_passed_over), T(a_gate_never_lets_more_than_its_width_in),
	  T(who_is_called_off_leaves_the_queue), T(percentiles_are_of_the_last_starts),
	  T(a_roster_has_each_id_once_and_keeps_to_its_capacity),
	  T(bridge_names_fit_and_tell_open_from_closed), T(log_lines_are_what_was_written),
	  T(a_log_line_that_the_engine_cut_is_one_line),
	  T(of_many_log_lines_the_first_and_the_newest_stay),
	  T(secrets_are_marked_where_they_stand_and_nothing_else),
	  T(what_tcpdump_says_is_counted_by_start),
	  T(a_port_is_told_by_whether_it_is_open_to_others),
	  T(a_check_is_made_early_where_the_engine_is_slow),
	  T(an_early_check_is_the_engines_command))
