/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine room on a real engine. Everything made is called ctfy-engine-PID-... and labelled, and
 * is gone afterwards.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "base/work.h"
#include "engine/archive.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/exec.h"
#include "engine/image.h"
#include "engine/network.h"
#include "engine/tar.h"
#include "engine/volume.h"
#include "http/call.h"

#include "../unit/check.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static const char busybox[] = "ctfy/busybox";

static struct engine *engine;
static struct err e;
static char label[64];
static const char *const labels[] = { label, NULL };

/* Every fallible call below is to succeed, or says why not. */
#define OK(call)                               \
	do {                                   \
		if ((call) < 0)                \
			fail_msg("%s", e.msg); \
	} while (0)
#define FAILS(code, call) CHECK_EQ(call, -ERR_##code)

static const char *named(const char *what)
{
	static char name[64];

	snprintf(name, sizeof(name), "ctfy-engine-%d-%s", (int)getpid(), what);
	return name;
}

static json_t *our_labels(void)
{
	char *value = strchr(label, '=') + 1;

	return json_pack("{s:s}", "ctfy.engine-test", value);
}

/* A body for containers/create whose command is a shell's. */
static json_t *shell_body(const char *script)
{
	return json_pack("{s:s, s:[s,s,s], s:o, s:{s:b, s:s}}", "Image", busybox, "Cmd", "sh", "-c",
			 script, "Labels", our_labels(), "HostConfig", "Init", 1, "NetworkMode",
			 "none");
}

static char *create(const char *name, json_t *body)
{
	char *id = NULL;

	OK(engine_container_create(engine, named(name), body, &id, &e));
	json_decref(body);
	return id;
}

static char *start(const char *name, json_t *body)
{
	char *id = create(name, body);

	OK(engine_container_start(engine, id, &e));
	return id;
}

static void remove_now(char *id)
{
	OK(engine_container_remove(engine, id, true, &e));
	free(id);
}

static struct engine_container_state state_of(const char *id, json_t **ret_json)
{
	struct engine_container_state state;

	OK(engine_container_inspect(engine, id, ret_json, &e));
	engine_container_state(*ret_json, &state);
	return state;
}

TEST(opening_agrees_on_a_version)
{
	AUTO(json_t *, json_decrefp) info = NULL;

	CHECK(strchr(engine_api_version(engine), '.') != NULL);
	CHECK(engine_version(engine)[0] != '\0');
	OK(engine_ping(engine, &e));
	OK(engine_info(engine, &info, &e));
	CHECK(json_integer_value(json_object_get(info, "NCPU")) > 0);
}

TEST(an_engine_that_is_not_there_is_a_connect_error_naming_it)
{
	struct engine_options options = { .url = "unix:///nowhere/docker.sock" };
	struct engine *none = NULL;

	FAILS(CONNECT, engine_open(&options, &none, &e));
	CHECK_HAS(e.msg, "engine 'unix:///nowhere/docker.sock'");
	CHECK(none == NULL);
}

TEST(a_container_lives_from_create_to_remove)
{
	AUTO(json_t *, json_decrefp) created = NULL;
	AUTO(json_t *, json_decrefp) running = NULL;
	AUTO(json_t *, json_decrefp) exited = NULL;
	char *id = create("life", shell_body("trap 'exit 7' TERM; while :; do sleep 0.05; done"));
	struct engine_container_state state = state_of(id, &created);
	int exit_code = -1;

	CHECK_STR(state.status, "created");
	CHECK(!state.running && state.started_ms == 0 && state.health == NULL);

	OK(engine_container_start(engine, id, &e));
	OK(engine_container_start(engine, id, &e));
	state = state_of(id, &running);
	CHECK_STR(state.status, "running");
	CHECK(state.running && state.pid > 0);
	CHECK(state.started_ms > clock_now_ms(&clock_real) - 60000);

	OK(engine_container_stop(engine, id, 10, &e));
	OK(engine_container_stop(engine, id, 10, &e));
	OK(engine_container_wait(engine, id, 10000, &exit_code, &e));
	state = state_of(id, &exited);
	CHECK_STR(state.status, "exited");
	CHECK(!state.running && state.finished_ms >= state.started_ms);
	CHECK_EQ(exit_code, state.exit_code);

	OK(engine_container_remove(engine, id, false, &e));
	FAILS(NOT_FOUND, engine_container_remove(engine, id, true, &e));
	FAILS(NOT_FOUND, engine_container_start(engine, id, &e));
	FAILS(NOT_FOUND, engine_container_stop(engine, id, 1, &e));
	free(id);
}

TEST(the_list_shows_what_carries_the_label)
{
	AUTO(struct engine_container_list, engine_container_list_done) list = { 0 };
	AUTO(struct engine_container_list, engine_container_list_done) none = { 0 };
	const char *const others[] = { label, "no-such-label=1", NULL };
	char *id = create("listed", shell_body("true"));

	OK(engine_container_list(engine, labels, &list, &e));
	CHECK_EQ(list.count, 1);
	CHECK_STR(list.items[0].id, id);
	CHECK_STR(list.items[0].name, named("listed"));
	CHECK_STR(list.items[0].image, busybox);
	CHECK_STR(list.items[0].state, "created");
	CHECK(json_object_get(list.items[0].labels, "ctfy.engine-test") != NULL);
	CHECK(list.items[0].created_ms > clock_now_ms(&clock_real) - 60000);

	OK(engine_container_list(engine, others, &none, &e));
	CHECK_EQ(none.count, 0);
	remove_now(id);
}

TEST(a_refused_create_carries_the_engines_words)
{
	json_t *body = shell_body("true");
	char *id = create("taken", json_incref(body));
	char *other = NULL;

	FAILS(CONFLICT, engine_container_create(engine, named("taken"), body, &other, &e));
	CHECK_HAS(e.msg, "create container 'ctfy-engine-");
	CHECK_HAS(e.msg, "is already in use");

	json_object_set_new(body, "Image", json_string("ctfy/no-such-image"));
	FAILS(NOT_FOUND, engine_container_create(engine, named("other"), body, &other, &e));
	CHECK_HAS(e.msg, "o such image: ctfy/no-such-image");
	json_object_set_new(body, "Image", json_string(busybox));
	FAILS(ENGINE, engine_container_create(engine, "/bad name/", body, &other, &e));
	CHECK_HAS(e.msg, "nvalid container name");
	CHECK(other == NULL);
	json_decref(body);
	remove_now(id);
}

TEST(a_start_that_fails_says_which_way)
{
	json_t *missing = shell_body("true"), *gone = shell_body("true");
	struct engine_network_options network = { .name = named("gone"), .labels = NULL };
	AUTO(char *, freep) network_id = NULL;
	char *entrypoint, *networked;

	json_object_set_new(missing, "Cmd", json_pack("[s]", "/no/such/program"));
	json_object_set_new(missing, "HostConfig", json_object());
	entrypoint = create("entrypoint", missing);
	FAILS(ENGINE, engine_container_start(engine, entrypoint, &e));
	CHECK_HAS(e.msg, "/no/such/program");
	remove_now(entrypoint);

	OK(engine_network_create(engine, &network, &network_id, &e));
	json_object_set_new(gone, "HostConfig", json_pack("{s:s}", "NetworkMode", network_id));
	networked = create("networked", gone);
	OK(engine_network_remove(engine, network_id, &e));
	FAILS(ENGINE, engine_container_start(engine, networked, &e));
	CHECK_HAS(e.msg, "start container");
	remove_now(networked);

	FAILS(NOT_FOUND, engine_container_start(engine, "ctfy-engine-nobody", &e));
}

static json_t *publishing_body(const char *port)
{
	json_t *body = shell_body("sleep 60");

	json_object_set_new(body, "ExposedPorts", json_pack("{s:{}}", "80/tcp"));
	json_object_set_new(body, "HostConfig",
			    json_pack("{s:{s:[{s:s, s:s}]}}", "PortBindings", "80/tcp", "HostIp",
				      "127.0.0.1", "HostPort", port));
	return body;
}

static char *published_port(const char *id)
{
	AUTO(json_t *, json_decrefp) json = NULL;
	const json_t *ports;

	OK(engine_container_inspect(engine, id, &json, &e));
	ports = json_object_get(json_object_get(json, "NetworkSettings"), "Ports");
	ports = json_array_get(json_object_get(ports, "80/tcp"), 0);
	return strdup(json_string_value(json_object_get(ports, "HostPort")));
}

TEST(a_taken_host_port_is_a_conflict)
{
	char *first = start("port-1", publishing_body(""));
	AUTO(char *, freep) port = published_port(first);
	char *second = create("port-2", publishing_body(port));

	FAILS(CONFLICT, engine_container_start(engine, second, &e));
	CHECK_HAS(e.msg, "already");
	remove_now(second);
	remove_now(first);
}

/* Logs */

struct log {
	struct buf text[3]; /* by stream */
	unsigned pieces, pieces_wanted;
};

static void log_done(struct log *log)
{
	for (size_t i = 0; i < ARRAY_SIZE(log->text); i++)
		buf_done(&log->text[i]);
}

#define LOG_INIT                                         \
	{                                                \
		.text = { BUF_INIT, BUF_INIT, BUF_INIT } \
	}

static int keep(void *cookie, enum engine_stream stream, const void *bytes, size_t len,
		struct err *err)
{
	struct log *log = cookie;

	buf_put(&log->text[stream], bytes, len);
	if (++log->pieces == log->pieces_wanted)
		return err_set(err, ERR_ABORTED, "heard enough");
	return buf_check(&log->text[stream], err);
}

TEST(a_log_comes_with_its_streams_apart)
{
	AUTO(struct log, log_done) all = LOG_INIT;
	AUTO(struct log, log_done) tail = LOG_INIT;
	AUTO(struct log, log_done) timed = LOG_INIT;
	AUTO(struct log, log_done) later = LOG_INIT;
	struct engine_log_options last = { .tail = 1 };
	struct engine_log_options stamps = { .timestamps = true };
	struct engine_log_options future = { .since_ms = clock_now_ms(&clock_real) + 3600000 };
	char *id = start("log", shell_body("echo one; echo two; echo oops >&2"));
	int exit_code;

	OK(engine_container_wait(engine, id, 10000, &exit_code, &e));
	OK(engine_container_logs(engine, id, &(struct engine_log_options){ 0 }, keep, &all, &e));
	CHECK_STR(all.text[ENGINE_STDOUT].data, "one\ntwo\n");
	CHECK_STR(all.text[ENGINE_STDERR].data, "oops\n");

	OK(engine_container_logs(engine, id, &last, keep, &tail, &e));
	CHECK_EQ(tail.text[ENGINE_STDOUT].len + tail.text[ENGINE_STDERR].len <= 5, 1);

	OK(engine_container_logs(engine, id, &stamps, keep, &timed, &e));
	CHECK(engine_time_ms("2026-11-23T01:16:56Z") > 0);
	CHECK_HAS(timed.text[ENGINE_STDERR].data, "Z oops\n");

	OK(engine_container_logs(engine, id, &future, keep, &later, &e));
	CHECK_EQ(later.text[ENGINE_STDOUT].len, 0);
	remove_now(id);
}

TEST(a_followed_log_ends_with_its_container)
{
	AUTO(struct log, log_done) log = LOG_INIT;
	struct engine_log_options follow = { .follow = true, .timeout_ms = 30000 };
	char *id = start("follow", shell_body("for i in 1 2 3; do echo $i; sleep 0.2; done"));

	OK(engine_container_logs(engine, id, &follow, keep, &log, &e));
	CHECK_STR(log.text[ENGINE_STDOUT].data, "1\n2\n3\n");
	remove_now(id);
}

TEST(a_log_ends_when_its_reader_has_enough)
{
	AUTO(struct log, log_done) log = LOG_INIT;
	struct engine_log_options follow = { .follow = true, .timeout_ms = 30000 };
	char *id = start("endless", shell_body("while :; do echo again; sleep 0.05; done"));

	log.pieces_wanted = 3;
	FAILS(ABORTED, engine_container_logs(engine, id, &follow, keep, &log, &e));
	CHECK_HAS(e.msg, "heard enough");
	FAILS(TIMEOUT, engine_container_logs(engine, id,
					     &(struct engine_log_options){ .follow = true,
									   .timeout_ms = 200 },
					     keep, &log, &e));
	remove_now(id);
}

TEST(a_terminals_log_is_raw)
{
	AUTO(struct log, log_done) log = LOG_INIT;
	json_t *body = shell_body("printf '\\001\\000\\000\\000raw'");
	char *id;
	int exit_code;

	json_object_set_new(body, "Tty", json_true());
	id = start("tty", body);
	OK(engine_container_wait(engine, id, 10000, &exit_code, &e));
	OK(engine_container_logs(engine, id, &(struct engine_log_options){ 0 }, keep, &log, &e));
	CHECK_EQ(log.text[ENGINE_TTY].len, 7);
	CHECK_EQ(memcmp(log.text[ENGINE_TTY].data, "\1\0\0\0raw", 7), 0);
	remove_now(id);
}

/* Networks */

TEST(a_network_lives_and_refuses_what_overlaps)
{
	AUTO(json_t *, json_decrefp) ours = our_labels();
	AUTO(json_t *, json_decrefp) inspected = NULL;
	AUTO(struct engine_network_list, engine_network_list_done) list = { 0 };
	struct engine_network_options options = { .name = named("net"),
						  .subnet = "10.213.7.0/28",
						  .gateway = "10.213.7.14",
						  .bridge = "cfyt-engine0",
						  .internal = true,
						  .labels = ours };
	AUTO(char *, freep) name = strdup(options.name);
	AUTO(char *, freep) id = NULL;
	char *none = NULL;

	options.name = name;
	OK(engine_network_create(engine, &options, &id, &e));
	FAILS(CONFLICT, engine_network_create(engine, &options, &none, &e));
	CHECK_HAS(e.msg, "already exists");
	options.name = named("overlap");
	options.bridge = "cfyt-engine1";
	FAILS(CONFLICT, engine_network_create(engine, &options, &none, &e));
	CHECK_HAS(e.msg, "create network 'ctfy-engine-");
	CHECK_HAS(e.msg, "overlap");
	options.subnet = "10.213.8.0/28";
	options.gateway = NULL;
	options.bridge = "a-name-too-long-for-a-bridge";
	FAILS(ENGINE, engine_network_create(engine, &options, &none, &e));

	OK(engine_network_list(engine, labels, &list, &e));
	CHECK_EQ(list.count, 1);
	CHECK_STR(list.items[0].id, id);
	CHECK_STR(list.items[0].name, name);
	CHECK_STR(list.items[0].driver, "bridge");
	CHECK_STR(list.items[0].subnet, "10.213.7.0/28");
	CHECK(list.items[0].internal);
	CHECK(list.items[0].created_ms > clock_now_ms(&clock_real) - 60000);

	OK(engine_network_inspect(engine, id, &inspected, &e));
	CHECK_STR(json_string_value(json_object_get(json_object_get(inspected, "Options"),
						    "com.docker.network.bridge.name")),
		  "cfyt-engine0");
	OK(engine_network_remove(engine, id, &e));
	FAILS(NOT_FOUND, engine_network_remove(engine, id, &e));
}

TEST(a_container_joins_and_leaves_networks)
{
	AUTO(json_t *, json_decrefp) inspected = NULL;
	AUTO(json_t *, json_decrefp)
	endpoint = json_pack("{s:[s], s:{s:s}}", "Aliases", "db", "IPAMConfig", "IPv4Address",
			     "10.213.9.5");
	struct engine_network_options options = { .name = named("join"),
						  .subnet = "10.213.9.0/28" };
	AUTO(char *, freep) network = NULL;
	json_t *body = shell_body("sleep 60");
	const json_t *joined;
	char *id;

	OK(engine_network_create(engine, &options, &network, &e));
	json_object_del(json_object_get(body, "HostConfig"), "NetworkMode");
	id = create("member", body);
	OK(engine_network_connect(engine, network, id, endpoint, &e));
	OK(engine_container_start(engine, id, &e));
	OK(engine_container_inspect(engine, id, &inspected, &e));
	joined = json_object_get(json_object_get(inspected, "NetworkSettings"), "Networks");
	CHECK_EQ(json_object_size(joined), 2);
	joined = json_object_get(joined, named("join"));
	CHECK_STR(json_string_value(json_object_get(joined, "IPAddress")), "10.213.9.5");

	FAILS(CONFLICT, engine_network_connect(engine, network, id, endpoint, &e));
	FAILS(CONFLICT, engine_network_remove(engine, network, &e));
	CHECK_HAS(e.msg, "active endpoints");
	OK(engine_network_disconnect(engine, network, id, true, &e));
	OK(engine_network_remove(engine, network, &e));
	FAILS(NOT_FOUND, engine_network_connect(engine, network, id, NULL, &e));
	remove_now(id);
}

/* Volumes */

TEST(a_volume_in_use_stays)
{
	AUTO(json_t *, json_decrefp) ours = our_labels();
	AUTO(struct engine_volume_list, engine_volume_list_done) list = { 0 };
	AUTO(char *, freep) name = strdup(named("volume"));
	json_t *body = shell_body("true");
	char *id;

	OK(engine_volume_create(engine, name, NULL, ours, &e));
	OK(engine_volume_create(engine, name, NULL, ours, &e));
	OK(engine_volume_list(engine, labels, &list, &e));
	CHECK_EQ(list.count, 1);
	CHECK_STR(list.items[0].name, name);
	CHECK_HAS(list.items[0].mountpoint, name);
	CHECK(list.items[0].created_ms > clock_now_ms(&clock_real) - 60000);

	json_object_set_new(json_object_get(body, "HostConfig"), "Mounts",
			    json_pack("[{s:s, s:s, s:s}]", "Type", "volume", "Source", name,
				      "Target", "/data"));
	id = create("volume", body);
	FAILS(CONFLICT, engine_volume_remove(engine, name, &e));
	remove_now(id);
	OK(engine_volume_remove(engine, name, &e));
	FAILS(NOT_FOUND, engine_volume_remove(engine, name, &e));
}

/* Exec */

static const char *const *shell(const char *script)
{
	static const char *argv[] = { "sh", "-c", NULL, NULL };

	argv[2] = script;
	return argv;
}

static int exec_exit_code(const char *id, const char *script)
{
	AUTO(struct engine_exec_result, engine_exec_result_done)
	result = ENGINE_EXEC_RESULT_LIMITED(1 << 20);
	struct engine_exec_options options = { .argv = shell(script) };

	OK(engine_exec_run(engine, id, &options, 20000, &result, &e));
	return result.exit_code;
}

static char *exec_output(const char *id, const char *script)
{
	AUTO(struct engine_exec_result, engine_exec_result_done)
	result = ENGINE_EXEC_RESULT_LIMITED(1 << 20);
	struct engine_exec_options options = { .argv = shell(script) };

	OK(engine_exec_run(engine, id, &options, 20000, &result, &e));
	if (result.exit_code != 0)
		fail_msg("'%s' exited with %d: %s", script, result.exit_code, result.err.data);
	return buf_take(&result.out);
}

TEST(a_command_runs_and_its_output_comes_apart)
{
	AUTO(struct engine_exec_result, engine_exec_result_done)
	result = ENGINE_EXEC_RESULT_LIMITED(4096);
	const char *const env[] = { "WHO=you", NULL };
	struct engine_exec_options options = {
		.argv = shell("echo $WHO; pwd; id -u; echo oops >&2; exit 3"),
		.env = env,
		.user = "1000:1000",
		.workdir = "/bin",
	};
	char *id = start("exec", shell_body("sleep 60"));

	OK(engine_exec_run(engine, id, &options, 20000, &result, &e));
	CHECK_EQ(result.exit_code, 3);
	CHECK_STR(result.out.data, "you\n/bin\n1000\n");
	CHECK_STR(result.err.data, "oops\n");
	remove_now(id);
}

TEST(a_command_that_is_not_there_exits_with_126_or_127)
{
	AUTO(struct engine_exec_result, engine_exec_result_done)
	result = ENGINE_EXEC_RESULT_LIMITED(4096);
	const char *const argv[] = { "/no/such/program", NULL };
	struct engine_exec_options options = { .argv = argv };
	char *id = start("noexec", shell_body("sleep 60"));

	OK(engine_exec_run(engine, id, &options, 20000, &result, &e));
	CHECK(result.exit_code == 126 || result.exit_code == 127);
	CHECK_HAS(result.out.data, "/no/such/program");
	remove_now(id);
}

TEST(a_command_is_held_to_its_limits)
{
	AUTO(struct engine_exec_result, engine_exec_result_done)
	result = ENGINE_EXEC_RESULT_LIMITED(1000);
	struct engine_exec_options wordy = { .argv = shell("yes & wait") };
	struct engine_exec_options slow;
	char *id = start("limits", shell_body("sleep 60"));

	FAILS(TOO_LARGE, engine_exec_run(engine, id, &wordy, 20000, &result, &e));
	slow = (struct engine_exec_options){ .argv = shell("sleep 4321 & wait") };
	FAILS(TIMEOUT, engine_exec_run(engine, id, &slow, 200, &result, &e));
	CHECK_HAS(e.msg, "run 'sh' in container");
	CHECK_EQ(exec_exit_code(id, "while pidof yes; do :; done"), 0);
	CHECK_EQ(exec_exit_code(id, "while ps | grep -q '[s]leep 4321'; do :; done"), 0);
	remove_now(id);
}

TEST(an_exec_needs_a_running_container)
{
	struct engine_exec_options options = { .argv = shell("true") };
	char *id = create("stopped", shell_body("true"));
	char *exec = NULL;

	FAILS(CONFLICT, engine_exec_create(engine, id, &options, &exec, &e));
	FAILS(NOT_FOUND, engine_exec_create(engine, "ctfy-engine-nobody", &options, &exec, &e));
	CHECK(exec == NULL);
	remove_now(id);
}

/* Reads until the text is there or the peer ends. */
static void read_until(struct http_tunnel *tunnel, struct buf *got, const char *text)
{
	char bytes[4096];
	size_t len = 1;

	while (len > 0 && (!text || !strstr(got->data, text))) {
		OK(http_tunnel_read(tunnel, bytes, sizeof(bytes), 20000, &len, &e));
		buf_put(got, bytes, len);
	}
	if (text)
		CHECK_HAS(got->data, text);
}

static void say(struct http_tunnel *tunnel, const char *text)
{
	OK(http_tunnel_write(tunnel, text, strlen(text), &e));
}

TEST(a_terminal_can_be_talked_to_and_resized)
{
	AUTO(struct buf, buf_done) got = BUF_INIT;
	AUTO(char *, freep) exec = NULL;
	const char *const argv[] = { "sh", NULL };
	struct engine_exec_options options = { .argv = argv, .tty = true, .stdin_open = true };
	struct engine_exec_state state;
	struct http_tunnel *tunnel;
	char *id = start("terminal", shell_body("sleep 60"));

	OK(engine_exec_create(engine, id, &options, &exec, &e));
	OK(engine_exec_attach(engine, exec, true, &tunnel, &e));
	read_until(tunnel, &got, "#");
	OK(engine_exec_resize(engine, exec, 123, 45, &e));
	say(tunnel, "stty size\n");
	read_until(tunnel, &got, "45 123");
	OK(engine_exec_inspect(engine, exec, &state, &e));
	CHECK(state.running && state.pid > 0);
	say(tunnel, "exit 9\n");
	read_until(tunnel, &got, NULL);
	http_tunnel_close(tunnel);
	OK(engine_exec_inspect(engine, exec, &state, &e));
	CHECK(!state.running);
	CHECK_EQ(state.exit_code, 9);
	remove_now(id);
}

TEST(the_end_of_input_reaches_a_command)
{
	AUTO(struct log, log_done) log = LOG_INIT;
	AUTO(struct buf, buf_done) got = BUF_INIT;
	AUTO(char *, freep) exec = NULL;
	const char *const argv[] = { "sha256sum", NULL };
	struct engine_exec_options options = { .argv = argv, .stdin_open = true };
	struct engine_demux demux = { .output = keep, .cookie = &log };
	struct http_tunnel *tunnel;
	char *id = start("input", shell_body("sleep 60"));

	OK(engine_exec_create(engine, id, &options, &exec, &e));
	OK(engine_exec_attach(engine, exec, false, &tunnel, &e));
	say(tunnel, "hello\n");
	OK(http_tunnel_end_write(tunnel, &e));
	read_until(tunnel, &got, NULL);
	OK(engine_demux_feed(&demux, got.data, got.len, &e));
	OK(engine_demux_end(&demux, &e));
	CHECK_HAS(log.text[ENGINE_STDOUT].data,
		  "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
	http_tunnel_close(tunnel);
	remove_now(id);
}

TEST(a_process_left_behind_can_be_killed)
{
	AUTO(struct buf, buf_done) got = BUF_INIT;
	AUTO(char *, freep) exec = NULL;
	const char *const argv[] = { "sh", NULL };
	struct engine_exec_options options = { .argv = argv, .tty = true, .stdin_open = true };
	struct engine_exec_state state;
	struct http_tunnel *tunnel;
	char *id = start("left", shell_body("sleep 60"));

	OK(engine_exec_create(engine, id, &options, &exec, &e));
	OK(engine_exec_attach(engine, exec, true, &tunnel, &e));
	read_until(tunnel, &got, "#");
	http_tunnel_close(tunnel);
	OK(engine_exec_inspect(engine, exec, &state, &e));
	CHECK(state.running);
	OK(engine_exec_kill(engine, exec, SIGKILL, &e));
	do
		OK(engine_exec_inspect(engine, exec, &state, &e));
	while (state.running);
	CHECK_EQ(state.exit_code, 137);
	OK(engine_exec_kill(engine, exec, SIGKILL, &e));
	remove_now(id);
}

TEST(attaching_to_nothing_is_refused)
{
	struct http_tunnel *tunnel = NULL;

	FAILS(NOT_FOUND, engine_exec_attach(engine, "no-such-exec", false, &tunnel, &e));
	CHECK_HAS(e.msg, "attach to exec 'no-such-exec'");
	CHECK_HAS(e.msg, "o such exec");
	CHECK(tunnel == NULL);
}

/* Archives */

TEST(files_are_put_into_a_container_before_it_starts)
{
	static const struct engine_file files[] = {
		{ .path = "/secret/deep/flag.txt",
		  .bytes = "flag{x}\n",
		  .size = 8,
		  .mode = 0640,
		  .uid = 1000,
		  .gid = 1001 },
		{ .path = "/bin/run-me",
		  .bytes = "#!/bin/sh\necho ran\n",
		  .size = 19,
		  .mode = 0755 },
		{ .path = "/empty", .mode = 0600 },
	};
	AUTO(char *, freep) facts = NULL;
	AUTO(char *, freep) output = NULL;
	char *id = create("files", shell_body("sleep 60"));

	OK(engine_archive_put_files(engine, id, files, ARRAY_SIZE(files), &e));
	OK(engine_container_start(engine, id, &e));
	facts = exec_output(id, "stat -c '%a %u:%g %s' /secret/deep/flag.txt /empty; "
				"stat -c '%a %u:%g' /secret/deep; cat /secret/deep/flag.txt");
	CHECK_STR(facts, "640 1000:1001 8\n600 0:0 0\n755 0:0\nflag{x}\n");
	output = exec_output(id, "run-me");
	CHECK_STR(output, "ran\n");
	remove_now(id);
}

TEST(a_file_is_read_out_of_a_container)
{
	AUTO(struct buf, buf_done) bytes = BUF_INIT;
	AUTO(struct buf, buf_done) linked = BUF_INIT;
	struct buf small = BUF_LIMITED(1000);
	char *id =
		start("read",
		      shell_body("head -c 300000 /dev/zero | tr '\\0' x >/big; mkdir /d; "
				 "echo hi >/d/real; ln -s real /d/one; "
				 "ln -s d/one /two; "
				 "for i in 1 2 3 4 5 6 7 8 9; do ln -s $((i+1)) /$i; done; "
				 "echo hi >/10; ln -s \xc3\xa9 /e; ln -s $(printf '\\377') /raw; "
				 "echo done; sleep 60"));
	AUTO(struct log, log_done) log = LOG_INIT;
	struct engine_log_options follow = { .follow = true };

	log.pieces_wanted = 1;
	FAILS(ABORTED, engine_container_logs(engine, id, &follow, keep, &log, &e));

	OK(engine_archive_read_file(engine, id, "/big", &bytes, &e));
	CHECK_EQ(bytes.len, 300000);
	CHECK_EQ(bytes.data[299999], 'x');
	OK(engine_archive_read_file(engine, id, "/two", &linked, &e));
	CHECK_STR(linked.data, "hi\n");

	FAILS(TOO_LARGE, engine_archive_read_file(engine, id, "/big", &small, &e));
	buf_done(&small);
	FAILS(NOT_FOUND, engine_archive_read_file(engine, id, "/nothing", &linked, &e));
	CHECK_HAS(e.msg, "read '/nothing' of container");
	FAILS(INVALID, engine_archive_read_file(engine, id, "/d", &linked, &e));
	CHECK_HAS(e.msg, "not a regular file");
	FAILS(INVALID, engine_archive_read_file(engine, id, "/1", &linked, &e));
	CHECK_HAS(e.msg, "too many symlinks");
	FAILS(INVALID, engine_archive_read_file(engine, id, "/e", &linked, &e));
	CHECK_HAS(e.msg, "not in ASCII");
	FAILS(INVALID, engine_archive_read_file(engine, id, "/raw", &linked, &e));
	remove_now(id);
}

TEST(nothing_is_written_below_a_read_only_root)
{
	static const struct engine_file file = {
		.path = "/x", .bytes = "x", .size = 1, .mode = 0644
	};
	json_t *body = shell_body("sleep 60");
	char *id;

	json_object_set_new(json_object_get(body, "HostConfig"), "ReadonlyRootfs", json_true());
	id = create("readonly", body);
	CHECK(engine_archive_put_files(engine, id, &file, 1, &e) < 0);
	CHECK_HAS(e.msg, "write to '/' of container");
	CHECK_HAS(e.msg, "read-only");
	remove_now(id);
}

/* Builds */

struct entries {
	const struct tar_entry *at, *end;
};

static int next_entry(void *cookie, struct tar_entry *ret_entry, struct err *err)
{
	struct entries *entries = cookie;

	(void)err;
	if (entries->at == entries->end)
		return 0;
	*ret_entry = *entries->at++;
	return 1;
}

static int note_progress(void *cookie, const struct engine_progress *progress, struct err *err)
{
	buf_puts(cookie, progress->text);
	return buf_check(cookie, err);
}

/* Builds from a Dockerfile's text and a file beside it. */
static int build(struct engine_build *build, const char *dockerfile, struct buf *text,
		 char **ret_id)
{
	const struct tar_entry files[] = {
		{ .name = "Dockerfile",
		  .mode = S_IFREG | 0644,
		  .bytes = dockerfile,
		  .size = strlen(dockerfile) },
		{ .name = "dir", .mode = S_IFDIR | 0755 },
		{ .name = "dir/fi\xc3\xa9le",
		  .mode = S_IFREG | 0751,
		  .bytes = "content",
		  .size = 7 },
		{ .name = "dir/link", .mode = S_IFLNK | 0777, .link = "fi\xc3\xa9le" },
	};
	struct entries entries = { files, files + ARRAY_SIZE(files) };
	AUTO(struct tar *, tar_freep) tar = NULL;

	OK(tar_new(next_entry, &entries, &tar, &e));
	build->context = tar_read;
	build->context_cookie = tar;
	if (!build->progress) {
		build->progress = note_progress;
		build->cookie = text;
	}
	build->timeout_ms = 60000;
	return engine_image_build(engine, build, ret_id, &e);
}

static void check_built(const char *name, const char *id, bool at_first)
{
	AUTO(json_t *, json_decrefp) inspected = NULL;
	AUTO(struct engine_image_list, engine_image_list_done) list = { 0 };
	const json_t *config;

	CHECK_EQ(engine_image_exists(engine, name, &e), 1);
	OK(engine_image_inspect(engine, name, &inspected, &e));
	CHECK_STR(json_string_value(json_object_get(inspected, "Id")), id);
	config = json_object_get(inspected, "Config");
	CHECK(json_object_get(json_object_get(config, "Labels"), "ctfy.engine-test") != NULL);
	OK(engine_image_list(engine, labels, &list, &e));
	CHECK_EQ(list.count, 1);
	CHECK(json_array_size(list.items[0].references) == (at_first ? 1 : 2));
	CHECK(list.items[0].size > 1000000);
	CHECK(list.items[0].created_ms > clock_now_ms(&clock_real) - 600000);
}

static void test_build(bool buildkit)
{
	AUTO(struct buf, buf_done) text = BUF_INIT;
	AUTO(json_t *, json_decrefp) ours = our_labels();
	AUTO(json_t *, json_decrefp) args = json_pack("{s:s}", "WHO", "you & me");
	AUTO(char *, freep) name = strdup(named(buildkit ? "built-kit" : "built"));
	AUTO(char *, freep) second = strf("%s:second", name);
	AUTO(char *, freep) id = NULL;
	struct engine_build wanted = { .reference = name,
				       .args = args,
				       .labels = ours,
				       .target = "wanted",
				       .no_cache = true,
				       .buildkit = buildkit };

	OK(build(&wanted,
		 "FROM ctfy/busybox AS wanted\nARG WHO\nCOPY dir /dir\n"
		 "RUN echo \"for $WHO: $(cat /dir/link)\" && stat -c %a /dir/fi*\n"
		 "FROM wanted AS unwanted\nRUN exit 1\n",
		 &text, &id));
	CHECK_HAS(text.data, "for you & me: content");
	CHECK_HAS(text.data, "751");
	CHECK_EQ(strncmp(id, "sha256:", 7), 0);
	check_built(name, id, true);

	OK(engine_image_tag(engine, name, second, &e));
	check_built(second, id, false);
	OK(engine_image_remove(engine, second, false, &e));
	OK(engine_image_remove(engine, name, false, &e));
	FAILS(NOT_FOUND, engine_image_remove(engine, name, false, &e));
	CHECK_EQ(engine_image_exists(engine, name, &e), 0);
}

TEST(an_image_is_built_from_a_tar)
{
	test_build(false);
}

TEST(buildkit_builds_too_and_its_output_is_text)
{
	test_build(true);
}

TEST(a_failed_build_says_why)
{
	AUTO(struct buf, buf_done) text = BUF_INIT;
	AUTO(char *, freep) name = strdup(named("failed"));
	struct engine_build wanted = { .reference = name };
	char *id = NULL;

	FAILS(ENGINE,
	      build(&wanted, "FROM ctfy/busybox\nRUN echo reason >&2; exit 3\n", &text, &id));
	CHECK_HAS(e.msg, "build image 'ctfy-engine-");
	CHECK_HAS(e.msg, "exit 3");
	CHECK_HAS(text.data, "reason");
	FAILS(ENGINE, build(&wanted, "FROM ctfy/busybox\nNONSENSE\n", &text, &id));
	CHECK_HAS(e.msg, "NONSENSE");
	FAILS(ENGINE, build(&wanted, "FROM ctfy/busybox\nCOPY absent /\n", &text, &id));
	CHECK_HAS(e.msg, "absent");
	CHECK(id == NULL);
	CHECK_EQ(engine_image_exists(engine, name, &e), 0);
}

TEST(a_failed_buildkit_build_says_why)
{
	AUTO(struct buf, buf_done) text = BUF_INIT;
	struct engine_build wanted = { .buildkit = true };
	char *id = NULL;

	FAILS(ENGINE,
	      build(&wanted, "FROM ctfy/busybox\nRUN echo reason >&2; exit 3\n", &text, &id));
	CHECK_HAS(e.msg, "exit code: 3");
	CHECK_HAS(text.data, "reason");
	FAILS(ENGINE, build(&wanted, "FROM ctfy/busybox\nNONSENSE\n", &text, &id));
	CHECK_HAS(e.msg, "NONSENSE");
	CHECK(id == NULL);
}

static int give_up(void *cookie, const struct engine_progress *progress, struct err *err)
{
	(void)cookie;
	return strstr(progress->text, "begun") ? err_set(err, ERR_ABORTED, "no longer wanted") : 0;
}

TEST(a_build_given_up_ends)
{
	struct engine_build wanted = { .progress = give_up, .no_cache = true };
	char *id = NULL;
	int64_t before = clock_monotonic_ms();

	FAILS(ABORTED,
	      build(&wanted, "FROM ctfy/busybox\nRUN echo 'begun'; sleep 50\n", NULL, &id));
	CHECK_HAS(e.msg, "no longer wanted");
	CHECK(clock_monotonic_ms() - before < 40000);
}

TEST(a_context_that_fails_ends_the_build_with_its_own_words)
{
	AUTO(struct tar *, tar_freep) tar = NULL;
	const struct tar_entry files[] = {
		{ .name = "Dockerfile", .mode = S_IFREG | 0644, .path = "/no/such/file" },
	};
	struct entries entries = { files, files + ARRAY_SIZE(files) };
	struct engine_build wanted = { .context = tar_read, .timeout_ms = 60000 };

	OK(tar_new(next_entry, &entries, &tar, &e));
	wanted.context_cookie = tar;
	FAILS(INVALID, engine_image_build(engine, &wanted, NULL, &e));
	CHECK_HAS(e.msg, "build image: read '/no/such/file': No such file");
}

TEST(an_image_in_use_stays)
{
	char *id = create("user", shell_body("true"));

	FAILS(CONFLICT, engine_image_remove(engine, busybox, false, &e));
	CHECK_EQ(engine_image_exists(engine, busybox, &e), 1);
	remove_now(id);
}

TEST(a_pull_that_cannot_be_says_so)
{
	struct engine_pull pull = { .reference = "127.0.0.1:1/no/such:image", .timeout_ms = 60000 };

	FAILS(ENGINE, engine_image_pull(engine, &pull, &e));
	CHECK_HAS(e.msg, "pull image '127.0.0.1:1/no/such:image': ");
	pull.reference = ":tag";
	FAILS(INVALID, engine_image_pull(engine, &pull, &e));
}

/* Events */

struct heard {
	char actions[256];
	char exit_code[8];
	const char *until;
	int64_t last_ns;
};

static int hear(void *cookie, const struct engine_event *event, struct err *err)
{
	struct heard *heard = cookie;
	size_t len = strlen(heard->actions);
	const char *exit_code = json_string_value(json_object_get(event->attributes, "exitCode"));

	CHECK_STR(event->type, "container");
	CHECK_EQ(strlen(event->id), 64);
	snprintf(heard->actions + len, sizeof(heard->actions) - len, "%s,", event->action);
	if (exit_code)
		snprintf(heard->exit_code, sizeof(heard->exit_code), "%s", exit_code);
	heard->last_ns = event->time_ns;
	if (heard->until && strstr(event->action, heard->until))
		return err_set(err, ERR_ABORTED, "heard it");
	return 0;
}

static json_t *our_events(void)
{
	return json_pack("{s:[s], s:[s,s,s,s], s:[s]}", "type", "container", "event", "create",
			 "start", "die", "health_status", "label", label);
}

TEST(events_of_the_past_come_and_the_window_closes)
{
	AUTO(json_t *, json_decrefp) filters = our_events();
	struct engine_event_options window = { .filters = filters };
	struct heard heard = { 0 };
	char *id;
	int exit_code;

	window.since_ms = clock_now_ms(&clock_real);
	id = start("events", shell_body("exit 5"));
	OK(engine_container_wait(engine, id, 20000, &exit_code, &e));
	window.until_ms = clock_now_ms(&clock_real) + 500;
	OK(engine_events(engine, &window, hear, &heard, &e));
	CHECK_STR(heard.actions, "create,start,die,");
	CHECK_STR(heard.exit_code, "5");
	CHECK(heard.last_ns / 1000000 >= window.since_ms);
	remove_now(id);
}

TEST(who_listens_or_follows_can_be_called_off)
{
	atomic_bool cancelled = true;
	struct engine_event_options events = { .cancelled = &cancelled };
	struct engine_log_options follow = { .follow = true, .cancelled = &cancelled };
	AUTO(struct log, log_done) log = LOG_INIT;
	struct heard heard = { 0 };
	char *id = start("called-off", shell_body("sleep 60"));

	FAILS(ABORTED, engine_events(engine, &events, hear, &heard, &e));
	FAILS(ABORTED, engine_container_logs(engine, id, &follow, keep, &log, &e));
	remove_now(id);
}

TEST(a_health_check_is_heard_and_seen)
{
	AUTO(json_t *, json_decrefp) filters = our_events();
	AUTO(json_t *, json_decrefp) json = NULL;
	struct engine_event_options options = { .filters = filters };
	struct heard heard = { .until = "health_status: healthy" };
	json_t *body = shell_body("sleep 60");
	char *id;

	json_object_set_new(body, "Healthcheck",
			    json_pack("{s:[s,s], s:i}", "Test", "CMD", "true", "Interval",
				      100000000));
	options.since_ms = clock_now_ms(&clock_real);
	options.until_ms = options.since_ms + 30000;
	id = start("health", body);
	FAILS(ABORTED, engine_events(engine, &options, hear, &heard, &e));
	CHECK_STR(state_of(id, &json).health, "healthy");
	remove_now(id);
}

/* Many threads */

static int one_life(void *cookie, size_t i, struct err *err)
{
	AUTO(json_t *, json_decrefp) body = shell_body("echo hi");
	AUTO(char *, freep) name = strf("ctfy-engine-%d-thread-%zu", (int)getpid(), i);
	AUTO(char *, freep) id = NULL;
	AUTO(struct log, log_done) log = LOG_INIT;
	int exit_code, r;

	(void)cookie;
	if ((r = engine_container_create(engine, name, body, &id, err)) < 0 ||
	    (r = engine_container_start(engine, id, err)) < 0 ||
	    (r = engine_container_wait(engine, id, 60000, &exit_code, err)) < 0 ||
	    (r = engine_container_logs(engine, id, &(struct engine_log_options){ 0 }, keep, &log,
				       err)) < 0)
		return r;
	if (strcmp(log.text[ENGINE_STDOUT].data, "hi\n") != 0)
		return err_set(err, ERR_INTERNAL, "log: '%s'", log.text[ENGINE_STDOUT].data);
	return engine_container_remove(engine, id, false, err);
}

TEST(many_threads_share_one_engine)
{
	OK(work_each(12, 6, one_life, NULL, &e));
}

static void sweep(void)
{
	AUTO(struct engine_container_list, engine_container_list_done) containers = { 0 };
	AUTO(struct engine_network_list, engine_network_list_done) networks = { 0 };
	AUTO(struct engine_volume_list, engine_volume_list_done) volumes = { 0 };
	AUTO(struct engine_image_list, engine_image_list_done) images = { 0 };

	engine_container_list(engine, labels, &containers, NULL);
	for (size_t i = 0; i < containers.count; i++)
		engine_container_remove(engine, containers.items[i].id, true, NULL);
	engine_network_list(engine, labels, &networks, NULL);
	for (size_t i = 0; i < networks.count; i++)
		engine_network_remove(engine, networks.items[i].id, NULL);
	engine_volume_list(engine, labels, &volumes, NULL);
	for (size_t i = 0; i < volumes.count; i++)
		engine_volume_remove(engine, volumes.items[i].name, NULL);
	engine_image_list(engine, labels, &images, NULL);
	for (size_t i = 0; i < images.count; i++)
		engine_image_remove(engine, images.items[i].id, true, NULL);
}

static int meet_engine(void)
{
	struct engine_options options = { 0 };

	snprintf(label, sizeof(label), "ctfy.engine-test=%d", (int)getpid());
	if (engine_open(&options, &engine, &e) < 0) {
		fprintf(stderr, "%s (start one with tools/engine.sh)\n", e.msg);
		return getenv("CI") ? 1 : 77;
	}
	if (engine_image_exists(engine, busybox, &e) != 1) {
		fprintf(stderr, "no image '%s' (make it with tools/base-image.sh)\n", busybox);
		return getenv("CI") ? 1 : 77;
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(opening_agrees_on_a_version),
		T(an_engine_that_is_not_there_is_a_connect_error_naming_it),
		T(a_container_lives_from_create_to_remove),
		T(the_list_shows_what_carries_the_label),
		T(a_refused_create_carries_the_engines_words),
		T(a_start_that_fails_says_which_way),
		T(a_taken_host_port_is_a_conflict),
		T(a_log_comes_with_its_streams_apart),
		T(a_followed_log_ends_with_its_container),
		T(a_log_ends_when_its_reader_has_enough),
		T(a_terminals_log_is_raw),
		T(a_network_lives_and_refuses_what_overlaps),
		T(a_container_joins_and_leaves_networks),
		T(a_volume_in_use_stays),
		T(a_command_runs_and_its_output_comes_apart),
		T(a_command_that_is_not_there_exits_with_126_or_127),
		T(a_command_is_held_to_its_limits),
		T(an_exec_needs_a_running_container),
		T(a_terminal_can_be_talked_to_and_resized),
		T(the_end_of_input_reaches_a_command),
		T(a_process_left_behind_can_be_killed),
		T(attaching_to_nothing_is_refused),
		T(files_are_put_into_a_container_before_it_starts),
		T(a_file_is_read_out_of_a_container),
		T(nothing_is_written_below_a_read_only_root),
		T(an_image_is_built_from_a_tar),
		T(buildkit_builds_too_and_its_output_is_text),
		T(a_failed_build_says_why),
		T(a_failed_buildkit_build_says_why),
		T(a_build_given_up_ends),
		T(a_context_that_fails_ends_the_build_with_its_own_words),
		T(an_image_in_use_stays),
		T(a_pull_that_cannot_be_says_so),
		T(events_of_the_past_come_and_the_window_closes),
		T(who_listens_or_follows_can_be_called_off),
		T(a_health_check_is_heard_and_seen),
		T(many_threads_share_one_engine),
	};
	int r = meet_engine();

	if (r == 0) {
		r = cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
		sweep();
	}
	engine_close(engine);
	return r;
}
