/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every call against a peer that is not ours: peer.py, a FastAPI application, which with-peer.py
 * starts. Only public headers and libctfy.so.
 */
#include <ctfy/node_client.h>

#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct ctfy_node_client *client;
static struct ctfy_error error;

static int connect_to_peer(void **state)
{
	(void)state;
	return ctfy_node_client_new(getenv("CTFY_PEER_URL"), getenv("CTFY_PEER_TOKEN"), NULL,
				    &client, &error);
}

static int disconnect(void **state)
{
	(void)state;
	ctfy_node_client_free(client);
	ctfy_error_done(&error);
	return 0;
}

/* 2026-11-23T00:00:00Z and so many hours, in milliseconds. */
static int64_t at_hour(double hour)
{
	return 1795392000000 + (int64_t)(hour * 3600000);
}

static void check_failed(int r, enum ctfy_error_kind kind, int status, const char *detail)
{
	CHECK_EQ(r, -(int)kind);
	CHECK_EQ(error.kind, kind);
	CHECK_EQ(error.status, status);
	CHECK_STR(error.detail, detail);
}

static void check_row(const struct ctfy_instance *row, const char *status, int64_t expires_at)
{
	CHECK_STR(row->instance_id, "team-7");
	CHECK_STR(row->challenge_id, "web-login");
	CHECK_STR(row->status, status);
	CHECK(!row->detail);
	CHECK_EQ(row->endpoint_count, 1);
	CHECK_STR(row->endpoints[0].service, "app");
	CHECK_EQ(row->endpoints[0].container_port, 8080);
	CHECK_STR(row->endpoints[0].protocol, "tcp");
	CHECK_STR(row->endpoints[0].host, "203.0.113.7");
	CHECK_EQ(row->endpoints[0].port, 32768);
	CHECK_STR(row->endpoints[0].url, "http://203.0.113.7:32768");
	CHECK_EQ(row->service_count, 2);
	CHECK_STR(row->services[1].service, "db");
	CHECK_EQ(row->started_at, at_hour(9));
	CHECK_EQ(row->expires_at, expires_at);
}

static int start(const char *challenge_id, int64_t ttl, bool respond_async,
		 struct ctfy_instance *ret_row)
{
	struct ctfy_answer answers[] = { { "flag", "flag{1}" }, { "second", "flag{2}" } };
	struct ctfy_start wanted = { .challenge_id = challenge_id,
				     .instance_id = "team-7",
				     .ttl = ttl,
				     .answers = answers,
				     .answer_count = 2,
				     .respond_async = respond_async };

	return ctfy_node_start_instance(client, &wanted, ret_row, NULL, &error);
}

TEST(an_instance_starts)
{
	struct ctfy_instance row;

	CHECK_EQ(start("web-login", 3600, false, &row), 0);
	check_row(&row, "running", at_hour(10));
	ctfy_instance_done(&row);
	CHECK(!row.instance_id && !row.endpoints && row.endpoint_count == 0);
}

TEST(an_instance_starts_behind_our_back)
{
	struct ctfy_instance row;

	CHECK_EQ(start("web-login", 3600, true, &row), 0);
	check_row(&row, "starting", at_hour(10));
	ctfy_instance_done(&row);
}

TEST(a_start_fails_with_the_engines_words)
{
	struct ctfy_instance row;

	check_failed(start("down", 3600, false, &row), CTFY_ERROR_NODE, 502,
		     "pull access denied for registry.example/down");
	CHECK(!row.instance_id);
}

TEST(a_body_that_fails_validation_is_told_as_a_list)
{
	struct ctfy_instance row;

	check_failed(start("web-login", 0, false, &row), CTFY_ERROR_NODE, 422,
		     "[{\"loc\":[\"body\",\"ttl\"],\"msg\":\"ensure this value is greater than "
		     "0\",\"type\":\"value_error.number.not_gt\",\"ctx\":{\"limit_value\":0}}]");
}

TEST(an_instance_is_renewed_watched_and_stopped)
{
	struct ctfy_instance row;
	struct ctfy_health health;
	bool is_healthy = false;

	CHECK_EQ(ctfy_node_set_ttl(client, "team-7", 7200, &row, NULL, &error), 0);
	check_row(&row, "running", at_hour(11.5));
	ctfy_instance_done(&row);
	CHECK_EQ(ctfy_node_get_status(client, "team-7", &row, NULL, &error), 0);
	check_row(&row, "running", at_hour(10));
	ctfy_instance_done(&row);
	CHECK_EQ(ctfy_node_check_health(client, "team-7", &is_healthy, &health, NULL, &error), 0);
	CHECK(is_healthy && health.is_healthy);
	CHECK_EQ(health.service_count, 2);
	CHECK_STR(health.services[0].health, "healthy");
	ctfy_health_done(&health);
	CHECK_EQ(ctfy_node_stop_instance(client, "team-7", NULL, &error), 0);
}

TEST(every_shape_of_error_keeps_its_detail)
{
	struct ctfy_instance row;
	struct {
		const char *id;
		int status;
		const char *detail;
	} cases[] = {
		{ "team-8", 404, "instance 'team-8' not found" },
		{ "dict", 409, "{\"code\":\"busy\",\"ratio\":0.1,\"who\":[\"Jos\xC3\xA9\",null]}" },
		{ "list", 400, "[\"first\",{\"second\":2}]" },
		{ "html", 502, "<html><h1>502 Bad Gateway</h1></html>" },
		{ "boom", 500, "Internal Server Error" },
		{ "a/b", 404, "Not Found" }, /* FastAPI decodes before it routes */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_failed(ctfy_node_get_status(client, cases[i].id, &row, NULL, &error),
			     CTFY_ERROR_NODE, cases[i].status, cases[i].detail);
}

TEST(a_wrong_token_is_told)
{
	struct ctfy_node_client *stranger;
	struct ctfy_node_health health;

	CHECK_EQ(ctfy_node_client_new(getenv("CTFY_PEER_URL"), "guess", NULL, &stranger, &error),
		 0);
	check_failed(ctfy_node_health(stranger, &health, NULL, &error), CTFY_ERROR_NODE, 401,
		     "invalid or missing bearer token");
	ctfy_node_client_free(stranger);
	CHECK_EQ(ctfy_node_client_new(getenv("CTFY_PEER_URL"), NULL, NULL, &stranger, &error), 0);
	check_failed(ctfy_node_health(stranger, &health, NULL, &error), CTFY_ERROR_NODE, 401,
		     "invalid or missing bearer token");
	ctfy_node_client_free(stranger);
}

TEST(the_node_tells_its_health)
{
	struct ctfy_node_health health;
	char *json = NULL;
	struct ctfy_call call = { .ret_json = &json, .timeout = 5, .request_id = "r1" };

	CHECK_EQ(ctfy_node_health(client, &health, &call, &error), 0);
	CHECK_EQ(health.running, 3);
	CHECK_EQ(health.capacity, 20);
	CHECK_STR(health.engine, "docker 20.10.24");
	CHECK_HAS(json, "\"capacity\":20");
	ctfy_node_health_done(&health);
	free(json);
}

TEST(the_node_stops_all_and_scans_again)
{
	struct ctfy_stopped stopped;
	struct ctfy_rescan rescan;

	CHECK_EQ(ctfy_node_stop_all(client, NULL, NULL, &error), 0);
	CHECK_EQ(ctfy_node_stop_all(client, &stopped, NULL, &error), 0);
	CHECK_EQ(stopped.stopped_count, 1);
	CHECK_STR(stopped.stopped[0], "team-7");
	CHECK_EQ(stopped.failed_count, 1);
	CHECK_STR(stopped.failed[0].detail, "engine gone");
	ctfy_stopped_done(&stopped);

	CHECK_EQ(ctfy_node_rescan_challenges(client, &rescan, NULL, &error), 0);
	CHECK_EQ(rescan.total, 2);
	CHECK_STR(rescan.added[0], "pwn-me");
	CHECK_STR(rescan.removed[0], "old");
	CHECK_STR(rescan.errors[0].path, "broken/challenge.yml");
	ctfy_rescan_done(&rescan);
}

TEST(challenges_are_linted)
{
	struct ctfy_lints lints;
	struct ctfy_lint lint;

	CHECK_EQ(ctfy_node_lint_challenge(client, "web-login", &lint, NULL, &error), 0);
	CHECK_STR(lint.outcome, "policy");
	CHECK_EQ(lint.problem_count, 1);
	CHECK_EQ(lint.problems[0].line, 4);
	CHECK_STR(lint.problems[0].opt_in, "privileged");
	CHECK_STR(lint.problems[0].allows, "run a service with all rights over the host");
	ctfy_lint_done(&lint);
	check_failed(ctfy_node_lint_challenge(client, "no-such", &lint, NULL, &error),
		     CTFY_ERROR_NODE, 404, "challenge 'no-such' not found");
	ctfy_lint_done(&lint);

	CHECK_EQ(ctfy_node_lint_all_challenges(client, &lints, NULL, &error), 0);
	CHECK_EQ(lints.challenge_count, 2);
	CHECK(!lints.challenges[0].id);
	CHECK_STR(lints.challenges[0].problems[0].message, "'name' is missing");
	ctfy_lints_done(&lints);
}

TEST(a_challenge_is_tried)
{
	struct ctfy_trial trial;

	CHECK_EQ(ctfy_node_start_trial(client, "web-login", &trial, NULL, &error), 0);
	CHECK_STR(trial.outcome, "running");
	CHECK_STR(trial.detail, "images");
	CHECK_EQ(trial.started_at, at_hour(9));
	ctfy_trial_done(&trial);
	CHECK_EQ(ctfy_node_get_trial(client, "web-login", &trial, NULL, &error), 0);
	CHECK_STR(trial.outcome, "solved");
	CHECK_EQ(trial.steps[0].ms, 1200);
	CHECK(trial.answers[0].found);
	CHECK_STR(trial.output, "flag{x}\n");
	ctfy_trial_done(&trial);
	check_failed(ctfy_node_start_trial(client, "no-such", &trial, NULL, &error),
		     CTFY_ERROR_NODE, 404, "challenge 'no-such' not found");
	ctfy_trial_done(&trial);
}

TEST(images_are_built)
{
	const char *const ids[] = { "pwn-me", "no-such" };
	struct ctfy_image_row row;
	struct ctfy_image_rows rows;
	struct ctfy_bulk bulk;

	CHECK_EQ(ctfy_node_build_challenge(client, "web-login", &row, NULL, &error), 0);
	CHECK_STR(row.status, "building");
	ctfy_image_row_done(&row);
	check_failed(ctfy_node_build_challenge(client, "no-such", &row, NULL, &error),
		     CTFY_ERROR_NODE, 404, "challenge 'no-such' not found");

	CHECK_EQ(ctfy_node_build_all_challenges(client, NULL, 0, &bulk, NULL, &error), 0);
	CHECK_EQ(bulk.queued_count, 1);
	CHECK_STR(bulk.queued[0], "pwn-me");
	CHECK_STR(bulk.skipped_built[0], "web-login");
	CHECK_EQ(bulk.skipped_pulled_count, 0);
	ctfy_bulk_done(&bulk);
	CHECK_EQ(ctfy_node_build_all_challenges(client, ids, 0, &bulk, NULL, &error), 0);
	CHECK_EQ(bulk.queued_count, 0);
	ctfy_bulk_done(&bulk);
	check_failed(ctfy_node_build_all_challenges(client, ids, 2, &bulk, NULL, &error),
		     CTFY_ERROR_NODE, 404, "challenge 'no-such' not found");

	CHECK_EQ(ctfy_node_get_build_state(client, &rows, NULL, &error), 0);
	CHECK_EQ(rows.row_count, 2);
	CHECK_EQ(rows.rows[0].built_at, at_hour(8));
	CHECK_STR(rows.rows[1].status, "failed");
	CHECK_STR(rows.rows[1].error, "step 3/7: make: *** [all] Error 2");
	ctfy_image_rows_done(&rows);
}

TEST(images_are_pulled)
{
	const char *const ids[] = { "pwn-me" };
	struct ctfy_image_row row;
	struct ctfy_image_rows rows;
	struct ctfy_bulk bulk;

	CHECK_EQ(ctfy_node_pull_challenge(client, "web-login", &row, NULL, &error), 0);
	CHECK_STR(row.status, "pulling");
	ctfy_image_row_done(&row);
	CHECK_EQ(ctfy_node_pull_all_challenges(client, NULL, 0, &bulk, NULL, &error), 0);
	CHECK_STR(bulk.skipped_pulled[0], "web-login");
	ctfy_bulk_done(&bulk);
	CHECK_EQ(ctfy_node_pull_all_challenges(client, ids, 1, &bulk, NULL, &error), 0);
	CHECK_STR(bulk.queued[0], "pwn-me");
	CHECK_EQ(bulk.skipped_pulled_count, 0);
	ctfy_bulk_done(&bulk);
	CHECK_EQ(ctfy_node_get_pull_state(client, &rows, NULL, &error), 0);
	CHECK_EQ(rows.rows[0].pulled_at, at_hour(8));
	CHECK_EQ(rows.rows[0].built_at, 0);
	ctfy_image_rows_done(&rows);
}

TEST(containers_are_listed)
{
	struct ctfy_containers containers;

	CHECK_EQ(ctfy_node_list_containers(client, "team-7", &containers, NULL, &error), 0);
	CHECK_EQ(containers.row_count, 2);
	CHECK_STR(containers.rows[1].role, "sidecar");
	CHECK_STR(containers.rows[1].container_id, "9a0b3e");
	ctfy_containers_done(&containers);
}

TEST(a_timeline_is_told)
{
	struct ctfy_timeline timeline;

	CHECK_EQ(ctfy_node_get_timeline(client, "team-7", &timeline, NULL, &error), 0);
	CHECK_EQ(timeline.event_count, 2);
	CHECK_EQ(timeline.events[0].at, at_hour(9));
	CHECK(!timeline.events[0].service);
	CHECK_EQ(timeline.events[1].at, at_hour(9) + 4500);
	CHECK_STR(timeline.events[1].event, "die");
	CHECK_STR(timeline.events[1].service, "app");
	CHECK_STR(timeline.events[1].detail, "exited with 137");
	ctfy_timeline_done(&timeline);
	check_failed(ctfy_node_get_timeline(client, "team-8", &timeline, NULL, &error),
		     CTFY_ERROR_NODE, 404, "instance 'team-8' not found");
	ctfy_timeline_done(&timeline);
}

TEST(an_agent_learns_how_to_attach)
{
	struct ctfy_agent_runtime runtime;

	CHECK_EQ(ctfy_node_get_agent_runtime(client, "team-7", &runtime, NULL, &error), 0);
	CHECK_STR(runtime.provider, "docker");
	CHECK_EQ(runtime.env_count, 2);
	CHECK_STR(runtime.env[0].name, "HTTP_PROXY");
	CHECK_STR(runtime.env[0].value, "http://203.0.113.7:18080");
	CHECK_EQ(runtime.endpoint_count, 1);
	CHECK_STR(runtime.docker, "{\"network\":\"ctfy-team-7\",\"containers\":[\"4f1d2c\"]}");
	ctfy_agent_runtime_done(&runtime);
}

/* What a call wrote to a file, as text. */
static const char *written(FILE *file, char *text, size_t size)
{
	size_t len;

	rewind(file);
	len = fread(text, 1, size - 1, file);
	text[len] = '\0';
	return text;
}

TEST(traffic_comes_in_pages)
{
	struct ctfy_traffic_query since = { .since = "f1", .limit = 1 };
	struct ctfy_traffic_query har = { .har = true };
	char *traffic = NULL;
	FILE *file = tmpfile();
	uint64_t size;
	char text[4096];

	CHECK_EQ(ctfy_node_get_traffic(client, "team-7", NULL, &traffic, NULL, &error), 0);
	CHECK_HAS(traffic, "\"f1\"");
	free(traffic);
	CHECK_EQ(ctfy_node_get_traffic(client, "team-7", &since, &traffic, NULL, &error), 0);
	CHECK(!strstr(traffic, "\"f1\""));
	CHECK_HAS(traffic, "\"next\":\"f2\"");
	free(traffic);
	CHECK_EQ(ctfy_node_get_traffic_to_fd(client, "team-7", &har, fileno(file), &size, NULL,
					     &error),
		 0);
	CHECK_STR(written(file, text, sizeof(text)),
		  "{\"log\":{\"version\":\"1.2\",\"entries\":[]}}");
	CHECK_EQ(size, strlen(text));
	fclose(file);
}

TEST(logs_are_text)
{
	struct ctfy_log_query query = { .tail = 1, .service = "app" };
	struct ctfy_bytes logs;
	FILE *file = tmpfile();
	uint64_t size;
	char text[4096];

	CHECK_EQ(ctfy_node_get_container_logs(client, "team-7", NULL, &logs, NULL, &error), 0);
	CHECK_STR(logs.data, "app | listening on :8080\ndb  | ready\xE2\x80\xA6\n");
	CHECK_EQ(logs.size, strlen(logs.data));
	ctfy_bytes_done(&logs);
	CHECK_EQ(ctfy_node_get_container_logs_to_fd(client, "team-7", &query, fileno(file), &size,
						    NULL, &error),
		 0);
	CHECK_STR(written(file, text, sizeof(text)), "app | listening on :8080\n");
	CHECK_EQ(size, strlen(text));
	fclose(file);
}

TEST(a_capture_is_bytes_and_none_is_an_empty_one)
{
	struct ctfy_bytes pcap;
	uint64_t size = 99;

	CHECK_EQ(ctfy_node_get_pcap(client, "team-7", &pcap, NULL, &error), 0);
	CHECK_EQ(pcap.size, 24);
	CHECK_EQ(memcmp(pcap.data, "\xD4\xC3\xB2\xA1", 4), 0);
	CHECK_STR(pcap.content_type, "application/vnd.tcpdump.pcap");
	ctfy_bytes_done(&pcap);
	CHECK_EQ(ctfy_node_get_pcap(client, "team-8", &pcap, NULL, &error), 0);
	CHECK_EQ(pcap.size, 0);
	CHECK_STR(pcap.data, "");
	ctfy_bytes_done(&pcap);
	CHECK_EQ(ctfy_node_get_pcap_to_fd(client, "team-8", -1, &size, NULL, &error), 0);
	CHECK_EQ(size, 0);
}

struct received {
	char type[64];
	int64_t announced;
	size_t size;
	int begun;
};

static int begin(void *cookie, const char *content_type, int64_t size)
{
	struct received *received = cookie;

	snprintf(received->type, sizeof(received->type), "%s", content_type);
	received->announced = size;
	received->begun++;
	return 0;
}

static int receive(void *cookie, const void *bytes, size_t size)
{
	struct received *received = cookie;

	(void)bytes;
	received->size += size;
	return 0;
}

TEST(all_evidence_comes_in_one_file)
{
	FILE *file = tmpfile();
	uint64_t size = 0;

	CHECK_EQ(ctfy_node_get_evidence_to_fd(client, "team-7", fileno(file), &size, NULL, &error),
		 0);
	CHECK_EQ(size, 128);
	fclose(file);
	check_failed(ctfy_node_get_evidence_to_fd(client, "team-8", -1, &size, NULL, &error),
		     CTFY_ERROR_NODE, 404, "instance 'team-8' not found");
}

static struct ctfy_shell *shell;

static void open_shell(unsigned columns, unsigned rows)
{
	CHECK_EQ(ctfy_node_open_shell(client, "team-7", "app", columns, rows, &shell, NULL, &error),
		 0);
}

/* Reads until so many bytes are there, or the end. */
static size_t read_shell(char *bytes, size_t size)
{
	size_t len = 0, part = 1;

	while (len < size && part > 0) {
		CHECK_EQ(ctfy_shell_read(shell, bytes + len, size - len, 60, &part, &error), 0);
		len += part;
	}
	return len;
}

static void check_shown(const char *text)
{
	char shown[256] = "";

	CHECK_EQ(read_shell(shown, strlen(text)), strlen(text));
	CHECK_STR(shown, text);
}

TEST(a_shell_is_typed_into_resized_and_ends_with_a_code)
{
	char rest[16];

	open_shell(80, 24);
	check_shown("80x24$ ");
	CHECK_EQ(ctfy_shell_write(shell, "gr\303\274n\n", 6, &error), 0);
	check_shown("gr\303\274n\n");
	CHECK_EQ(ctfy_shell_resize(shell, 132, 50, &error), 0);
	check_shown("132x50$ ");
	CHECK_EQ(ctfy_shell_exit_code(shell), CTFY_SHELL_NO_CODE);
	CHECK_EQ(ctfy_shell_write(shell, "exit\n", 5, &error), 0);
	check_shown("exit\n");
	CHECK_EQ(read_shell(rest, sizeof(rest)), 0);
	CHECK_EQ(ctfy_shell_exit_code(shell), 7);
	ctfy_shell_close(shell);
}

TEST(much_goes_through_a_shell_unchanged)
{
	enum { MUCH = 300000 };
	char *typed = malloc(MUCH), *shown = malloc(MUCH);

	for (size_t i = 0; i < MUCH; i++)
		typed[i] = (char)(i * 7 + i / 251);
	open_shell(80, 24);
	check_shown("80x24$ ");
	for (size_t at = 0; at < MUCH; at += 100000) { /* one frame, and several */
		CHECK_EQ(ctfy_shell_write(shell, typed + at, 100000, &error), 0);
		CHECK_EQ(read_shell(shown + at, 100000), 100000);
	}
	CHECK_EQ(memcmp(typed, shown, MUCH), 0);
	ctfy_shell_close(shell);
	free(typed);
	free(shown);
}

TEST(a_shell_that_says_nothing_can_be_read_again)
{
	size_t size = 99;
	char byte;

	open_shell(80, 24);
	check_shown("80x24$ ");
	CHECK_EQ(ctfy_shell_read(shell, &byte, 1, 0.01, &size, &error), -CTFY_ERROR_TIMEOUT);
	CHECK_EQ(size, 99);
	CHECK_EQ(ctfy_shell_write(shell, "more", 4, &error), 0);
	check_shown("more");
	ctfy_shell_close(shell);
}

TEST(a_shell_that_cannot_be_is_refused)
{
	shell = NULL;
	CHECK_EQ(ctfy_node_open_shell(client, "team-8", "app", 80, 24, &shell, NULL, &error),
		 -CTFY_ERROR_NODE);
	CHECK_EQ(error.status, 403); /* what the peer's library makes of any refusal */
	CHECK_EQ(ctfy_node_open_shell(client, "team-7", "app", 0, 24, &shell, NULL, &error),
		 -CTFY_ERROR_ARGUMENT);
	CHECK_EQ(ctfy_node_open_shell(client, "team-7", "", 80, 24, &shell, NULL, &error),
		 -CTFY_ERROR_ARGUMENT);
	CHECK(!shell);
	ctfy_shell_close(NULL);
}

static int keep(void *cookie, const void *bytes, size_t size)
{
	strncat(cookie, bytes, size);
	return 0;
}

TEST(an_agent_is_run_and_told)
{
	const char *const command[] = { "solve", "--fast" };
	char name[] = "LEVEL", value[] = "2";
	struct ctfy_variable env = { name, value };
	const struct ctfy_agent agent = {
		.image = "bot", .command = command, .command_count = 2, .env = &env, .env_count = 1
	};
	char told[1024] = "";
	const struct ctfy_sink sink = { .write = keep, .cookie = told };

	CHECK_EQ(ctfy_node_run_agent(client, "team-7", &agent, &sink, NULL, &error), 0);
	CHECK_HAS(told, "\"text\": \"bot solve --fast LEVEL=2\"}\n");
	check_failed(ctfy_node_run_agent(client, "team-8", &agent, &sink, NULL, &error),
		     CTFY_ERROR_NODE, 404, "instance 'team-8' not found");
}

TEST(attachments_are_listed_and_fetched)
{
	struct ctfy_attachments attachments;
	struct ctfy_bytes file;
	struct received received = { 0 };
	struct ctfy_sink sink = { begin, receive, &received };

	CHECK_EQ(ctfy_node_list_instance_attachments(client, "team-7", &attachments, NULL, &error),
		 0);
	CHECK_EQ(attachments.attachment_count, 1);
	CHECK_STR(attachments.attachments[0].filename, "login.elf");
	CHECK_EQ(attachments.attachments[0].size, 64);
	ctfy_attachments_done(&attachments);
	CHECK_EQ(ctfy_node_download_instance_attachment(client, "team-7", "login.elf", &file, NULL,
							&error),
		 0);
	CHECK_EQ(file.size, 64);
	CHECK_STR(file.content_type, "application/x-elf");
	ctfy_bytes_done(&file);
	CHECK_EQ(ctfy_node_download_instance_attachment_to(client, "team-7", "login.elf", &sink,
							   NULL, &error),
		 0);
	CHECK_EQ(received.begun, 1);
	CHECK_EQ(received.announced, 64);
	CHECK_EQ(received.size, 64);
	CHECK_STR(received.type, "application/x-elf");
	check_failed(ctfy_node_download_instance_attachment_to(client, "team-7", "no", &sink, NULL,
							       &error),
		     CTFY_ERROR_NODE, 404, "no attachment 'no'");
	CHECK_EQ(received.begun, 1);
}

TEST(a_vpn_configuration_is_verbatim)
{
	struct ctfy_bytes config;

	CHECK_EQ(ctfy_node_get_openvpn_config(client, "team-7", &config, NULL, &error), 0);
	CHECK_STR(config.data, "client\r\ndev tun\nremote 203.0.113.7 1194 udp\n");
	ctfy_bytes_done(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_instance_starts),
		T(an_instance_starts_behind_our_back),
		T(a_start_fails_with_the_engines_words),
		T(a_body_that_fails_validation_is_told_as_a_list),
		T(an_instance_is_renewed_watched_and_stopped),
		T(every_shape_of_error_keeps_its_detail),
		T(a_wrong_token_is_told),
		T(the_node_tells_its_health),
		T(the_node_stops_all_and_scans_again),
		T(challenges_are_linted),
		T(a_challenge_is_tried),
		T(images_are_built),
		T(images_are_pulled),
		T(containers_are_listed),
		T(a_timeline_is_told),
		T(an_agent_learns_how_to_attach),
		T(traffic_comes_in_pages),
		T(logs_are_text),
		T(a_capture_is_bytes_and_none_is_an_empty_one),
		T(all_evidence_comes_in_one_file),
		T(a_shell_is_typed_into_resized_and_ends_with_a_code),
		T(much_goes_through_a_shell_unchanged),
		T(a_shell_that_says_nothing_can_be_read_again),
		T(a_shell_that_cannot_be_is_refused),
		T(an_agent_is_run_and_told),
		T(attachments_are_listed_and_fetched),
		T(a_vpn_configuration_is_verbatim),
	};

	return cmocka_run_group_tests(tests, connect_to_peer, disconnect);
}
