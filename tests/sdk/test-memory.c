/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every call while memory ends: at the first allocation of ours, at the second, and so on until the
 * call succeeds. Each time it says out of memory, leaves nothing half made, and the client goes on.
 *
 * The rooms are linked in, so that the linker can limit their allocations; libcurl and jansson keep
 * their own allocators.
 */
#include <ctfy/node_client.h>

#include "check.h"
#include "limited-memory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct ctfy_node_client *client;

typedef int sdk_call(struct ctfy_error *error);

/* Grants one allocation more each time, until the call gets by. */
static void check_call(sdk_call *call)
{
	enum { ENOUGH = 500 };
	int r = -1;

	for (int granted = 0; r < 0 && granted < ENOUGH; granted++) {
		struct ctfy_error error = CTFY_ERROR_INIT;

		allocations_left = granted;
		r = call(&error);
		allocations_left = INT_MAX;
		if (r < 0) {
			CHECK_EQ(r, -CTFY_ERROR_MEMORY);
			CHECK_EQ(error.kind, CTFY_ERROR_MEMORY);
		}
		ctfy_error_done(&error);
	}
	CHECK_EQ(r, 0);
}

static int make_client(struct ctfy_error *error)
{
	struct ctfy_node_client *own = NULL;
	int r = ctfy_node_client_new(getenv("CTFY_PEER_URL"), getenv("CTFY_PEER_TOKEN"), NULL, &own,
				     error);

	ctfy_node_client_free(own);
	return r;
}

static int start_instance(struct ctfy_error *error)
{
	struct ctfy_answer answer = { "flag", "flag{1}" };
	struct ctfy_start start = { .challenge_id = "web-login",
				    .instance_id = "team-7",
				    .ttl = 60,
				    .answers = &answer,
				    .answer_count = 1 };
	struct ctfy_call call = { .request_id = "r1" };
	struct ctfy_instance row;
	int r = ctfy_node_start_instance(client, &start, &row, &call, error);

	ctfy_instance_done(&row);
	return r;
}

static int get_status_and_text(struct ctfy_error *error)
{
	char *json = NULL;
	struct ctfy_call call = { .ret_json = &json };
	struct ctfy_instance row;
	int r = ctfy_node_get_status(client, "team-7", &row, &call, error);

	ctfy_instance_done(&row);
	free(json);
	return r;
}

static int rescan(struct ctfy_error *error)
{
	struct ctfy_rescan rescan;
	int r = ctfy_node_rescan_challenges(client, &rescan, NULL, error);

	ctfy_rescan_done(&rescan);
	return r;
}

static int lint_all(struct ctfy_error *error)
{
	struct ctfy_lints lints;
	int r = ctfy_node_lint_all_challenges(client, &lints, NULL, error);

	ctfy_lints_done(&lints);
	return r;
}

static int build_all(struct ctfy_error *error)
{
	const char *const ids[] = { "web-login", "pwn-me" };
	struct ctfy_bulk bulk;
	int r = ctfy_node_build_all_challenges(client, ids, 2, &bulk, NULL, error);

	ctfy_bulk_done(&bulk);
	return r;
}

static int list_containers(struct ctfy_error *error)
{
	struct ctfy_containers containers;
	int r = ctfy_node_list_containers(client, "team-7", &containers, NULL, error);

	ctfy_containers_done(&containers);
	return r;
}

static int get_timeline(struct ctfy_error *error)
{
	struct ctfy_timeline timeline;
	int r = ctfy_node_get_timeline(client, "team-7", &timeline, NULL, error);

	ctfy_timeline_done(&timeline);
	return r;
}

static int get_agent_runtime(struct ctfy_error *error)
{
	struct ctfy_agent_runtime runtime;
	int r = ctfy_node_get_agent_runtime(client, "team-7", &runtime, NULL, error);

	ctfy_agent_runtime_done(&runtime);
	return r;
}

static int get_traffic(struct ctfy_error *error)
{
	struct ctfy_traffic_query query = { .since = "f1" };
	char *traffic = NULL;
	int r = ctfy_node_get_traffic(client, "team-7", &query, &traffic, NULL, error);

	free(traffic);
	return r;
}

static int get_container_logs(struct ctfy_error *error)
{
	struct ctfy_bytes logs;
	int r = ctfy_node_get_container_logs(client, "team-7", NULL, &logs, NULL, error);

	ctfy_bytes_done(&logs);
	return r;
}

static int get_pcap(struct ctfy_error *error)
{
	struct ctfy_bytes pcap;
	int r = ctfy_node_get_pcap(client, "team-7", &pcap, NULL, error);

	ctfy_bytes_done(&pcap);
	return r;
}

static int write_logs(struct ctfy_error *error)
{
	int fds[2];
	int r;

	assert_int_equal(pipe(fds), 0);
	r = ctfy_node_get_container_logs_to_fd(client, "team-7", NULL, fds[1], NULL, NULL, error);
	close(fds[0]);
	close(fds[1]);
	return r;
}

static int open_shell(struct ctfy_error *error)
{
	struct ctfy_shell *shell = NULL;
	int r = ctfy_node_open_shell(client, "team-7", "app", 80, 24, &shell, NULL, error);

	ctfy_shell_close(shell);
	return r;
}

TEST(no_call_breaks_when_memory_ends)
{
	static sdk_call *const calls[] = {
		make_client,        start_instance,  get_status_and_text, rescan,
		build_all,          list_containers, get_agent_runtime,   get_traffic,
		get_container_logs, get_pcap,        write_logs,          open_shell,
		lint_all,           get_timeline,
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		check_call(calls[i]);
}

TEST(a_refusal_that_finds_no_memory_is_still_one)
{
	struct ctfy_error error = CTFY_ERROR_INIT;
	struct ctfy_instance row;
	int r = -CTFY_ERROR_MEMORY;

	for (int granted = 0; r == -CTFY_ERROR_MEMORY || !error.detail; granted++) {
		ctfy_error_done(&error);
		allocations_left = granted;
		r = ctfy_node_get_status(client, "dict", &row, NULL, &error);
		allocations_left = INT_MAX;
		CHECK(r == -CTFY_ERROR_MEMORY || r == -CTFY_ERROR_NODE);
	}
	CHECK_STR(error.detail, "{\"code\":\"busy\",\"ratio\":0.1,\"who\":[\"Jos\xC3\xA9\",null]}");
	ctfy_error_done(&error);
}

static int connect_to_peer(void **state)
{
	(void)state;
	return ctfy_node_client_new(getenv("CTFY_PEER_URL"), getenv("CTFY_PEER_TOKEN"), NULL,
				    &client, NULL);
}

static int disconnect(void **state)
{
	(void)state;
	ctfy_node_client_free(client);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(no_call_breaks_when_memory_ends),
		T(a_refusal_that_finds_no_memory_is_still_one),
	};

	return cmocka_run_group_tests(tests, connect_to_peer, disconnect);
}
