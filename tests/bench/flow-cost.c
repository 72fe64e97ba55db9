/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a tap costs, in processor time: flow-cost FILE
 *
 * Small requests on one connection, messages of a WebSocket, bodies that are hashed, that are told
 * but not looked at, and that are skipped.
 */
#include "base/err.h"
#include "flow/lines.h"
#include "flow/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct tap_peers peers = { "192.0.2.1:50000", "10.0.0.2:80", "port", "10.0.0.2:80" };

static double cpu_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void say(struct tap *tap, enum tap_side side, const char *text)
{
	tap_bytes(tap, side, text, strlen(text), 1700000000000000);
}

static double time_requests(struct flow_writer *writer, int count)
{
	struct tap *tap = tap_open(writer, &peers, 1700000000000000);
	double begin = cpu_s();

	for (int i = 0; i < count; i++) {
		say(tap, TAP_CLIENT,
		    "GET /index.html?a=b HTTP/1.1\r\nHost: example.test\r\n"
		    "User-Agent: wrk\r\nAccept: */*\r\n\r\n");
		say(tap, TAP_SERVER,
		    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nServer: x\r\n"
		    "Date: Tue, 01 Dec 2026 00:00:00 GMT\r\nContent-Length: 13\r\n\r\nHello, "
		    "world!");
	}
	tap_close(tap, 1700000000000000);
	return cpu_s() - begin;
}

static double time_body(struct flow_writer *writer, uint64_t size, bool skips)
{
	static char block[256 << 10];
	struct tap *tap = tap_open(writer, &peers, 1700000000000000);
	double begin = cpu_s();
	char head[128];

	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n",
		 (unsigned long long)size);
	say(tap, TAP_CLIENT, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	say(tap, TAP_SERVER, head);
	while (size > 0) {
		uint64_t part = size < sizeof(block) ? size : sizeof(block);

		if (skips && tap_skippable(tap, TAP_SERVER) >= part)
			tap_skip(tap, TAP_SERVER, part, 1700000000000000);
		else
			tap_bytes(tap, TAP_SERVER, block, part, 1700000000000000);
		size -= part;
	}
	tap_close(tap, 1700000000000000);
	return cpu_s() - begin;
}

int main(int argc, char **argv)
{
	enum { REQUESTS = 200000, BODY = 100000000 };
	struct flow_options options = FLOW_OPTIONS_INIT;
	struct flow_writer *writer;
	struct err e = ERR_INIT;

	if (argc != 2)
		return 2;
	options.file_max = 1LL << 40;
	if (flow_writer_open(argv[1], &options, &writer, &e) < 0) {
		fprintf(stderr, "%s\n", e.msg);
		return 1;
	}
	printf("%-40s %.2f us\n", "a small request and its answer",
	       time_requests(writer, REQUESTS) / REQUESTS * 1e6);
	printf("%-40s %.4f s\n", "100 MB, skipped", time_body(writer, BODY, true));
	printf("%-40s %.4f s\n", "100 MB, shown", time_body(writer, BODY, false));
	flow_writer_close(writer);
	options.hash_max = UINT64_MAX;
	if (flow_writer_open(argv[1], &options, &writer, &e) < 0)
		return 1;
	printf("%-40s %.4f s\n", "100 MB, hashed", time_body(writer, BODY, false));
	flow_writer_close(writer);
	return 0;
}
