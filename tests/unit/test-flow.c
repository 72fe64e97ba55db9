#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "flow/tap.h"

#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static struct flow_writer *open_writer(void)
{
	struct flow_options options = FLOW_OPTIONS_INIT;
	struct flow_writer *writer = NULL;
	struct err e = ERR_INIT;
	int fd;

	snprintf(path, sizeof(path), "/tmp/ctfy-flow-XXXXXX");
	fd = mkstemp(path);
	CHECK(fd >= 0);
	close(fd);
	CHECK_EQ(flow_writer_open(path, &options, &writer, &e), 0);
	return writer;
}

TEST(what_is_no_http_is_a_raw_flow)
{
	static const struct tap_peers peers = { "192.0.2.1:5", "10.0.0.2:80", "port", "x:80" };
	struct flow_writer *writer = open_writer();
	struct tap *tap = tap_open(writer, &peers, 0);
	AUTO(char *, freep) text = NULL;
	struct err e = ERR_INIT;
	size_t len;

	tap_bytes(tap, TAP_CLIENT, "hello\n", 6, 1);
	tap_bytes(tap, TAP_SERVER, "\0\1", 2, 2);
	tap_close(tap, 3);
	flow_writer_close(writer);
	CHECK_EQ(file_read(path, 1 << 20, &text, &len, &e), 0);
	CHECK_HAS(text, "\"protocol\":\"raw\"");
	CHECK_HAS(text, "\"text\":\"hello\\n\"");
	CHECK_HAS(text, "\"base64\":\"AAE=\"");
	unlink(path);
}

RUN_TESTS(T(what_is_no_http_is_a_raw_flow))
