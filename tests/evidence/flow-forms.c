/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes flows as a relay does, and gives them in another form: flow-forms FILE page|har|mitm
 */
#include "base/err.h"
#include "base/own.h"
#include "flow/tap.h"
#include "node/traffic.h"

#include <stdio.h>
#include <string.h>

struct said {
	enum tap_side side;
	const char *bytes;
	size_t len;
};

#define C(text)                                    \
	{                                          \
		TAP_CLIENT, text, sizeof(text) - 1 \
	}
#define S(text)                                    \
	{                                          \
		TAP_SERVER, text, sizeof(text) - 1 \
	}

static const struct said http[] = {
	C("POST /a?b=c HTTP/1.1\r\nHost: web\r\nContent-Length: 5\r\nX-B: \xff\r\n\r\nhello"),
	S("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 22\r\n\r\n"
	  "\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\xcf\x06\0\x47\xdd\xdc\x79\x02\0\0\0"),
	C("CONNECT y:22 HTTP/1.1\r\n\r\n"),
	S("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"),
};
static const struct said websocket[] = {
	C("GET /ws HTTP/1.1\r\nHost: web\r\nUpgrade: websocket\r\n\r\n"),
	S("HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\n\r\n\x81\x03one"),
	C("\x82\x02\0\xff"),
	S("\x88\x02\x03\xe8"),
};
static const struct said raw[] = { C("hello\n"), S("\0\1"), C("bye") };
static const struct said unanswered[] = { C("GET /none HTTP/1.1\r\n\r\n") };

static void tell(struct flow_writer *writer, const struct said *said, size_t count)
{
	static const struct tap_peers peers = { "192.0.2.1:5", "[2001:db8::2]:80", "port",
						"web:80" };
	int64_t now = 1700000000000000;
	struct tap *tap = tap_open(writer, &peers, now);

	for (size_t i = 0; i < count; i++, now += 1500)
		tap_bytes(tap, said[i].side, said[i].bytes, said[i].len, now);
	tap_close(tap, now);
}

static int write_all(const char *path, struct err *e)
{
	struct flow_options options = FLOW_OPTIONS_INIT;
	struct flow_writer *writer;
	int r = flow_writer_open(path, &options, &writer, e);

	if (r < 0)
		return r;
	tell(writer, http, ARRAY_SIZE(http));
	tell(writer, websocket, ARRAY_SIZE(websocket));
	tell(writer, raw, ARRAY_SIZE(raw));
	tell(writer, unanswered, ARRAY_SIZE(unanswered));
	flow_writer_close(writer);
	return 0;
}

static int print(void *cookie, const void *bytes, size_t len, struct err *e)
{
	(void)cookie;
	return fwrite(bytes, 1, len, stdout) == len ? 0 : err_errno(e, ERR_INTERNAL, "write");
}

static int give(const char *path, const char *form, struct err *e)
{
	AUTO(struct traffic *, traffic_closep) traffic = NULL;
	int r = traffic_open_file(path, &traffic, e);

	if (r < 0)
		return r;
	if (strcmp(form, "har") == 0)
		return traffic_har(traffic, print, NULL, e);
	if (strcmp(form, "mitm") == 0)
		return traffic_mitm(traffic, print, NULL, e);
	return traffic_page(traffic, "i", 1000, print, NULL, e);
}

int main(int argc, char **argv)
{
	struct err e = ERR_INIT;
	int r = argc == 3 ? write_all(argv[1], &e) : err_set(&e, ERR_INVALID, "FILE FORM");

	if (r == 0)
		r = give(argv[1], argv[2], &e);
	if (r < 0)
		fprintf(stderr, "%s\n", e.msg);
	return r < 0;
}
