/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection as a tap sees it. The bytes are a script: for each part one that says whose it is
 * (bit 0), whether it is skipped where it may be (bit 1), that the side ends there (bit 2) and is
 * cut into single bytes (bit 3), two that say how long it is, and the part. What is written must be
 * read again, whole; all memory is given back, and there is never more of it than was allowed.
 *
 * The first byte chooses what comes before: nothing, a WebSocket, HTTP/2 with or without an
 * upgrade.
 */
#include "fuzz.h"

#include "base/err.h"
#include "flow/lines.h"
#include "flow/reader.h"
#include "flow/tap.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static void forget_file(void)
{
	unlink(path);
}

static void make_file(void)
{
	int fd;

	if (*path)
		return;
	snprintf(path, sizeof(path), "%s/ctfy-fuzz-XXXXXX",
		 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	fd = mkstemp(path);
	if (fd < 0)
		abort();
	close(fd);
	atexit(forget_file);
}

struct script {
	const uint8_t *at, *end;
	struct tap *tap;
	int64_t now;
	uint64_t told[2];
};

static void say(struct script *script, enum tap_side side, const char *text)
{
	tap_bytes(script->tap, side, text, strlen(text), script->now);
	script->told[side] += strlen(text);
}

static void say_before(struct script *script, unsigned what)
{
	if (what == 1) {
		say(script, TAP_CLIENT, "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n");
		say(script, TAP_SERVER,
		    "HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\n"
		    "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
	} else if (what == 2) {
		say(script, TAP_CLIENT, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	} else if (what == 3) {
		say(script, TAP_CLIENT,
		    "GET / HTTP/1.1\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n\r\n");
		say(script, TAP_SERVER, "HTTP/1.1 101 Yes\r\nUpgrade: h2c\r\n\r\n");
		say(script, TAP_CLIENT, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	}
}

/* Of just that size, so that who reads beyond it is caught. */
static void tell(struct script *script, enum tap_side side, const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len);

	if (!copy)
		abort();
	memcpy(copy, bytes, len);
	tap_bytes(script->tap, side, copy, len, script->now);
	free(copy);
	script->told[side] += len;
}

static void play_part(struct script *script)
{
	unsigned how = script->at[0], max = script->at[1] | (unsigned)script->at[2] << 8;
	enum tap_side side = how & 1 ? TAP_SERVER : TAP_CLIENT;
	size_t len, step;

	script->at += 3;
	len = (size_t)(script->end - script->at);
	len = len < max ? len : max;
	step = how & 8 ? 1 : len;
	for (size_t at = 0; at < len; at += step) {
		if (how & 2 && tap_skippable(script->tap, side) >= step) {
			tap_skip(script->tap, side, step, script->now);
			script->told[side] += step;
		} else {
			tell(script, side, script->at + at, step);
		}
	}
	script->at += len;
	script->now += how & 16 ? 2000000 : 10;
	if (how & 16)
		tap_tick(script->tap, script->now);
	if (how & 4)
		tap_end(script->tap, side, how & 32 ? TAP_RESET : TAP_CLOSED, script->now);
}

static void check_file(const struct flow_counts *counts)
{
	struct flow_reader *reader = NULL;
	struct err e = ERR_INIT;
	uint64_t flows = 0;
	json_t *flow;

	if (flow_reader_open(path, &reader, &e) < 0)
		abort();
	while (flow_reader_next(reader, &flow, &e) > 0) {
		assert(json_is_object(json_object_get(flow, "request")));
		assert(json_is_string(json_object_get(flow, "started_at")));
		assert(json_object_get(json_object_get(flow, "request"), "body"));
		json_decref(flow);
		flows++;
	}
	assert(flow_reader_counts(reader)->bad_lines == 0);
	assert(flows + counts->lost_flows >= counts->flows);
	flow_reader_close(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct tap_peers peers = { "192.0.2.1:5", "10.0.0.2:80", "port", "x:80" };
	struct flow_options options = FLOW_OPTIONS_INIT;
	struct script script = { .at = data + 1, .end = data + size, .now = 1700000000000000 };
	struct flow_writer *writer = NULL;
	struct flow_counts counts;
	struct err e = ERR_INIT;

	if (size < 1)
		return 0;
	make_file();
	if (truncate(path, 0) < 0)
		abort();
	options.body_max = 300;
	options.raw_max = 5000;
	options.hash_max = 1000;
	options.events_max = 20;
	if (data[0] & 4)
		options.memory_max = 6000;
	if (flow_writer_open(path, &options, &writer, &e) < 0)
		abort();
	script.tap = tap_open(writer, &peers, script.now);
	say_before(&script, data[0] & 3);
	while (script.end - script.at > 3) {
		play_part(&script);
		assert(lines_ration(writer)->used <= options.memory_max);
	}
	tap_close(script.tap, script.now);
	assert(lines_ration(writer)->used == 0);
	counts = *flow_writer_counts(writer);
	flow_writer_close(writer);
	check_file(&counts);
	return 0;
}
