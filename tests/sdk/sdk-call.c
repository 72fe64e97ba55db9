/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes calls of the SDK from the command line, for the tests to look at.
 *
 *	sdk-call [OPTION...] URL TOKEN CALL [ARG...] [, CALL [ARG...]]...
 *
 * All calls go through one client. A typed result is printed as JSON, encoded anew from the struct
 * (--json: the node's own text; --both: that, and the struct on the next line); bytes as they are,
 * after a line with their type when streamed. A failure prints "KIND STATUS DETAIL" on stderr and
 * ends with exit status 1.
 */
#include "base/own.h"
#include "wire/instance.h"
#include "wire/node.h"

#include <ctfy/node_client.h>

#include <getopt.h>
#include <string.h>

struct context {
	struct ctfy_node_client *client;
	struct ctfy_call call;
	char *json;
	struct ctfy_traffic_query traffic;
	struct ctfy_log_query logs;
	const char *output_dir;
	bool async;
	bool both;
	uint64_t stop_at; /* bytes after which our sink has had enough */
	uint64_t sunk;
	struct ctfy_error error;
};

typedef int command(struct context *c, char **args, int count);

static void print_text(struct context *c, const json_t *encoded)
{
	AUTO(char *, freep) text = json_dumps(encoded, JSON_COMPACT);

	if (c->json)
		puts(c->json);
	if (!c->json || c->both)
		puts(text);
}

static void print_json(struct context *c, const struct field *fields, const void *obj)
{
	AUTO(json_t *, json_decrefp) json = fields_encode(fields, obj);

	print_text(c, json);
}

static void print_bytes(const struct ctfy_bytes *bytes)
{
	printf("%s\n", bytes->content_type);
	fwrite(bytes->data, 1, bytes->size, stdout);
}

static int sink_begin(void *cookie, const char *content_type, int64_t size)
{
	(void)cookie;
	printf("%s %lld\n", content_type, (long long)size);
	return 0;
}

static int sink_write(void *cookie, const void *bytes, size_t size)
{
	struct context *c = cookie;

	c->sunk += size;
	if (c->stop_at && c->sunk >= c->stop_at)
		return 1;
	fwrite(bytes, 1, size, stdout);
	return 0;
}

static struct ctfy_sink sink_to(struct context *c)
{
	return (struct ctfy_sink){ sink_begin, sink_write, c };
}

static int print_size(int r, uint64_t size)
{
	fprintf(stderr, "wrote %llu\n", (unsigned long long)size);
	return r;
}

static int start_instance(struct context *c, char **args, int count)
{
	struct ctfy_answer answers[8] = { 0 };
	struct ctfy_start start = { .challenge_id = args[0],
				    .instance_id = args[1],
				    .ttl = atoll(args[2]),
				    .answers = answers,
				    .proxy_output_dir = c->output_dir,
				    .respond_async = c->async };
	struct ctfy_instance instance;
	int r;

	for (int i = 3; i < count; i++) {
		char *equals = strchr(args[i], '=');

		*equals = '\0';
		answers[start.answer_count++] = (struct ctfy_answer){ args[i], equals + 1 };
	}
	r = ctfy_node_start_instance(c->client, &start, &instance, &c->call, &c->error);
	if (r == 0)
		print_json(c, instance_fields, &instance);
	ctfy_instance_done(&instance);
	return r;
}

static int set_ttl(struct context *c, char **args, int count)
{
	struct ctfy_instance instance;
	int r = ctfy_node_set_ttl(c->client, args[0], atoll(args[1]), &instance, &c->call,
				  &c->error);

	(void)count;
	if (r == 0)
		print_json(c, instance_fields, &instance);
	ctfy_instance_done(&instance);
	return r;
}

static int stop_instance(struct context *c, char **args, int count)
{
	(void)count;
	return ctfy_node_stop_instance(c->client, args[0], &c->call, &c->error);
}

static int stop_all(struct context *c, char **args, int count)
{
	struct ctfy_stopped stopped;
	int r;

	(void)args;
	if (count > 0) /* "quiet": whatever the body is */
		return ctfy_node_stop_all(c->client, NULL, &c->call, &c->error);
	r = ctfy_node_stop_all(c->client, &stopped, &c->call, &c->error);
	if (r == 0)
		print_json(c, stopped_fields, &stopped);
	ctfy_stopped_done(&stopped);
	return r;
}

static int rescan_challenges(struct context *c, char **args, int count)
{
	struct ctfy_rescan rescan;
	int r = ctfy_node_rescan_challenges(c->client, &rescan, &c->call, &c->error);

	(void)args;
	(void)count;
	if (r == 0)
		print_json(c, rescan_fields, &rescan);
	ctfy_rescan_done(&rescan);
	return r;
}

static int lint_challenge(struct context *c, char **args, int count)
{
	struct ctfy_lint lint;
	int r = ctfy_node_lint_challenge(c->client, args[0], &lint, &c->call, &c->error);

	(void)count;
	if (r == 0)
		print_json(c, lint_fields, &lint);
	ctfy_lint_done(&lint);
	return r;
}

static int lint_all_challenges(struct context *c, char **args, int count)
{
	struct ctfy_lints lints;
	int r = ctfy_node_lint_all_challenges(c->client, &lints, &c->call, &c->error);

	(void)args;
	(void)count;
	if (r == 0)
		print_json(c, lints_fields, &lints);
	ctfy_lints_done(&lints);
	return r;
}

typedef int trial_call(struct ctfy_node_client *client, const char *challenge_id,
		       struct ctfy_trial *ret_trial, const struct ctfy_call *call,
		       struct ctfy_error *error);

static int ask_trial(struct context *c, trial_call *ask, const char *challenge_id)
{
	struct ctfy_trial trial;
	int r = ask(c->client, challenge_id, &trial, &c->call, &c->error);

	if (r == 0)
		print_json(c, trial_fields, &trial);
	ctfy_trial_done(&trial);
	return r;
}

static int start_trial(struct context *c, char **args, int count)
{
	(void)count;
	return ask_trial(c, ctfy_node_start_trial, args[0]);
}

static int get_trial(struct context *c, char **args, int count)
{
	(void)count;
	return ask_trial(c, ctfy_node_get_trial, args[0]);
}

typedef int one_call(struct ctfy_node_client *client, const char *challenge_id,
		     struct ctfy_image_row *ret_row, const struct ctfy_call *call,
		     struct ctfy_error *error);

static int image_one(struct context *c, one_call *call, const struct field *fields, char *id)
{
	struct ctfy_image_row row;
	int r = call(c->client, id, &row, &c->call, &c->error);

	if (r == 0)
		print_json(c, fields, &row);
	ctfy_image_row_done(&row);
	return r;
}

static int build_challenge(struct context *c, char **args, int count)
{
	(void)count;
	return image_one(c, ctfy_node_build_challenge, build_row_fields, args[0]);
}

static int pull_challenge(struct context *c, char **args, int count)
{
	(void)count;
	return image_one(c, ctfy_node_pull_challenge, pull_row_fields, args[0]);
}

typedef int all_call(struct ctfy_node_client *client, const char *const *challenge_ids,
		     size_t challenge_id_count, struct ctfy_bulk *ret_bulk,
		     const struct ctfy_call *call, struct ctfy_error *error);

/* No argument: every challenge; "none": an empty list. */
static int image_all(struct context *c, all_call *call, const struct field *fields, char **ids,
		     int count)
{
	const char *list[16] = { 0 };
	struct ctfy_bulk bulk;
	bool none = count == 1 && strcmp(ids[0], "none") == 0;
	int r;

	for (int i = 0; i < count; i++)
		list[i] = ids[i];
	r = call(c->client, count ? list : NULL, none ? 0 : (size_t)count, &bulk, &c->call,
		 &c->error);
	if (r == 0)
		print_json(c, fields, &bulk);
	ctfy_bulk_done(&bulk);
	return r;
}

static int build_all_challenges(struct context *c, char **args, int count)
{
	return image_all(c, ctfy_node_build_all_challenges, build_bulk_fields, args, count);
}

static int pull_all_challenges(struct context *c, char **args, int count)
{
	return image_all(c, ctfy_node_pull_all_challenges, pull_bulk_fields, args, count);
}

static int get_build_state(struct context *c, char **args, int count)
{
	struct ctfy_image_rows rows;
	int r = ctfy_node_get_build_state(c->client, &rows, &c->call, &c->error);

	(void)args;
	(void)count;
	if (r == 0)
		print_json(c, build_rows_fields, &rows);
	ctfy_image_rows_done(&rows);
	return r;
}

static int get_pull_state(struct context *c, char **args, int count)
{
	struct ctfy_image_rows rows;
	int r = ctfy_node_get_pull_state(c->client, &rows, &c->call, &c->error);

	(void)args;
	(void)count;
	if (r == 0)
		print_json(c, pull_rows_fields, &rows);
	ctfy_image_rows_done(&rows);
	return r;
}

static int get_status(struct context *c, char **args, int count)
{
	struct ctfy_instance instance;
	int r = ctfy_node_get_status(c->client, args[0], &instance, &c->call, &c->error);

	(void)count;
	if (r == 0)
		print_json(c, instance_fields, &instance);
	ctfy_instance_done(&instance);
	return r;
}

static int check_health(struct context *c, char **args, int count)
{
	struct ctfy_health health;
	bool is_healthy;
	int r = ctfy_node_check_health(c->client, args[0], &is_healthy, count > 1 ? &health : NULL,
				       &c->call, &c->error);

	if (r == 0)
		puts(is_healthy ? "true" : "false");
	if (r == 0 && count > 1)
		print_json(c, health_fields, &health);
	if (count > 1)
		ctfy_health_done(&health);
	return r;
}

static int node_health(struct context *c, char **args, int count)
{
	struct ctfy_node_health health;
	int r = ctfy_node_health(c->client, &health, &c->call, &c->error);

	(void)args;
	(void)count;
	if (r == 0)
		print_json(c, node_health_fields, &health);
	ctfy_node_health_done(&health);
	return r;
}

static int get_traffic(struct context *c, char **args, int count)
{
	AUTO(char *, freep) traffic = NULL;
	int r = ctfy_node_get_traffic(c->client, args[0], &c->traffic, &traffic, &c->call,
				      &c->error);

	(void)count;
	if (r == 0)
		puts(traffic);
	return r;
}

static int get_traffic_to(struct context *c, char **args, int count)
{
	struct ctfy_sink sink = sink_to(c);

	(void)count;
	return ctfy_node_get_traffic_to(c->client, args[0], &c->traffic, &sink, &c->call,
					&c->error);
}

static int get_traffic_to_fd(struct context *c, char **args, int count)
{
	uint64_t size = 0;
	int r = ctfy_node_get_traffic_to_fd(c->client, args[0], &c->traffic, STDOUT_FILENO, &size,
					    &c->call, &c->error);

	(void)count;
	return print_size(r, size);
}

static int list_containers(struct context *c, char **args, int count)
{
	struct ctfy_containers containers;
	int r = ctfy_node_list_containers(c->client, args[0], &containers, &c->call, &c->error);

	(void)count;
	if (r == 0) {
		AUTO(json_t *, json_decrefp) json = containers_encode(&containers);

		print_text(c, json);
	}
	ctfy_containers_done(&containers);
	return r;
}

static int get_container_logs(struct context *c, char **args, int count)
{
	struct ctfy_bytes logs;
	int r = ctfy_node_get_container_logs(c->client, args[0], &c->logs, &logs, &c->call,
					     &c->error);

	(void)count;
	if (r == 0)
		print_bytes(&logs);
	ctfy_bytes_done(&logs);
	return r;
}

static int get_container_logs_to(struct context *c, char **args, int count)
{
	struct ctfy_sink sink = sink_to(c);

	(void)count;
	return ctfy_node_get_container_logs_to(c->client, args[0], &c->logs, &sink, &c->call,
					       &c->error);
}

static int get_container_logs_to_fd(struct context *c, char **args, int count)
{
	uint64_t size = 0;
	int r = ctfy_node_get_container_logs_to_fd(c->client, args[0], &c->logs, STDOUT_FILENO,
						   &size, &c->call, &c->error);

	(void)count;
	return print_size(r, size);
}

static int get_pcap(struct context *c, char **args, int count)
{
	struct ctfy_bytes pcap;
	int r = ctfy_node_get_pcap(c->client, args[0], &pcap, &c->call, &c->error);

	(void)count;
	if (r == 0)
		print_bytes(&pcap);
	ctfy_bytes_done(&pcap);
	return r;
}

static int get_pcap_to(struct context *c, char **args, int count)
{
	struct ctfy_sink sink = sink_to(c);

	(void)count;
	return ctfy_node_get_pcap_to(c->client, args[0], &sink, &c->call, &c->error);
}

static int get_pcap_to_fd(struct context *c, char **args, int count)
{
	uint64_t size = 0;
	int r = ctfy_node_get_pcap_to_fd(c->client, args[0], STDOUT_FILENO, &size, &c->call,
					 &c->error);

	(void)count;
	return print_size(r, size);
}

static int get_evidence_to(struct context *c, char **args, int count)
{
	struct ctfy_sink sink = sink_to(c);

	(void)count;
	return ctfy_node_get_evidence_to(c->client, args[0], &sink, &c->call, &c->error);
}

static int get_evidence_to_fd(struct context *c, char **args, int count)
{
	uint64_t size = 0;
	int r = ctfy_node_get_evidence_to_fd(c->client, args[0], STDOUT_FILENO, &size, &c->call,
					     &c->error);

	(void)count;
	return print_size(r, size);
}

static int get_agent_runtime(struct context *c, char **args, int count)
{
	struct ctfy_agent_runtime runtime;
	int r = ctfy_node_get_agent_runtime(c->client, args[0], &runtime, &c->call, &c->error);

	(void)count;
	if (r < 0)
		return r;
	if (c->json) {
		puts(c->json);
		ctfy_agent_runtime_done(&runtime);
		return r;
	}
	printf("%s %s %s\n", runtime.provider, runtime.proxy_url, runtime.ca_pem);
	for (size_t i = 0; i < runtime.env_count; i++)
		printf("%s=%s\n", runtime.env[i].name, runtime.env[i].value);
	for (size_t i = 0; i < runtime.endpoint_count; i++)
		print_json(c, endpoint_fields, &runtime.endpoints[i]);
	printf("%s\n", runtime.docker ? runtime.docker : "no docker");
	ctfy_agent_runtime_done(&runtime);
	return r;
}

static int list_instance_attachments(struct context *c, char **args, int count)
{
	struct ctfy_attachments attachments;
	int r = ctfy_node_list_instance_attachments(c->client, args[0], &attachments, &c->call,
						    &c->error);

	(void)count;
	if (r == 0)
		print_json(c, attachments_fields, &attachments);
	ctfy_attachments_done(&attachments);
	return r;
}

static int get_openvpn_config(struct context *c, char **args, int count)
{
	struct ctfy_bytes config;
	int r = ctfy_node_get_openvpn_config(c->client, args[0], &config, &c->call, &c->error);

	(void)count;
	if (r == 0)
		print_bytes(&config);
	ctfy_bytes_done(&config);
	return r;
}

static int download_instance_attachment(struct context *c, char **args, int count)
{
	struct ctfy_bytes attachment;
	int r = ctfy_node_download_instance_attachment(c->client, args[0], args[1], &attachment,
						       &c->call, &c->error);

	(void)count;
	if (r == 0)
		print_bytes(&attachment);
	ctfy_bytes_done(&attachment);
	return r;
}

static int download_instance_attachment_to(struct context *c, char **args, int count)
{
	struct ctfy_sink sink = sink_to(c);

	(void)count;
	return ctfy_node_download_instance_attachment_to(c->client, args[0], args[1], &sink,
							 &c->call, &c->error);
}

static int download_instance_attachment_to_fd(struct context *c, char **args, int count)
{
	uint64_t size = 0;
	int r = ctfy_node_download_instance_attachment_to_fd(c->client, args[0], args[1],
							     STDOUT_FILENO, &size, &c->call,
							     &c->error);

	(void)count;
	return print_size(r, size);
}

static const struct {
	const char *name;
	command *run;
	int min_args;
} commands[] = {
#define COMMAND(name, min_args)       \
	{                             \
#name, name, min_args \
	}
	COMMAND(start_instance, 3),
	COMMAND(set_ttl, 2),
	COMMAND(stop_instance, 1),
	COMMAND(stop_all, 0),
	COMMAND(rescan_challenges, 0),
	COMMAND(lint_challenge, 1),
	COMMAND(lint_all_challenges, 0),
	COMMAND(start_trial, 1),
	COMMAND(get_trial, 1),
	COMMAND(build_challenge, 1),
	COMMAND(build_all_challenges, 0),
	COMMAND(get_build_state, 0),
	COMMAND(pull_challenge, 1),
	COMMAND(pull_all_challenges, 0),
	COMMAND(get_pull_state, 0),
	COMMAND(get_status, 1),
	COMMAND(check_health, 1),
	COMMAND(node_health, 0),
	COMMAND(get_traffic, 1),
	COMMAND(get_traffic_to, 1),
	COMMAND(get_traffic_to_fd, 1),
	COMMAND(list_containers, 1),
	COMMAND(get_container_logs, 1),
	COMMAND(get_container_logs_to, 1),
	COMMAND(get_container_logs_to_fd, 1),
	COMMAND(get_pcap, 1),
	COMMAND(get_pcap_to, 1),
	COMMAND(get_pcap_to_fd, 1),
	COMMAND(get_evidence_to, 1),
	COMMAND(get_evidence_to_fd, 1),
	COMMAND(get_agent_runtime, 1),
	COMMAND(list_instance_attachments, 1),
	COMMAND(get_openvpn_config, 1),
	COMMAND(download_instance_attachment, 2),
	COMMAND(download_instance_attachment_to, 2),
	COMMAND(download_instance_attachment_to_fd, 2),
};

static int run(struct context *c, char **words, int count)
{
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, words[0]) != 0 || count - 1 < commands[i].min_args)
			continue;
		r = commands[i].run(c, words + 1, count - 1);
		fflush(stdout);
		free(c->json);
		c->json = NULL;
		return r;
	}
	fprintf(stderr, "sdk-call: no such call '%s', or too few arguments\n", words[0]);
	exit(2);
}

static int run_all(struct context *c, char **words, int count)
{
	int begin = 0, r = 0;

	for (int i = 0; i <= count && r == 0; i++) {
		if (i < count && strcmp(words[i], ",") != 0)
			continue;
		r = run(c, words + begin, i - begin);
		begin = i + 1;
	}
	return r;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "timeout", required_argument, NULL, 't' },
		{ "body-max", required_argument, NULL, 'm' },
		{ "idle", required_argument, NULL, 'i' },
		{ "request-id", required_argument, NULL, 'r' },
		{ "json", no_argument, NULL, 'j' },
		{ "both", no_argument, NULL, 'b' },
		{ "ca", required_argument, NULL, 'c' },
		{ "output-dir", required_argument, NULL, 'o' },
		{ "async", no_argument, NULL, 'a' },
		{ "since", required_argument, NULL, 's' },
		{ "limit", required_argument, NULL, 'l' },
		{ "har", no_argument, NULL, 'h' },
		{ "tail", required_argument, NULL, 'n' },
		{ "service", required_argument, NULL, 'v' },
		{ "stop-at", required_argument, NULL, 'x' },
		{ 0 },
	};
	struct ctfy_node_options client_options = { 0 };
	struct context c = { .error = CTFY_ERROR_INIT };
	int option, r;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (option) {
		case 't': c.call.timeout = atof(optarg); break;
		case 'i': c.call.idle_timeout = atof(optarg); break;
		case 'm': c.call.body_max = strtoull(optarg, NULL, 10); break;
		case 'r': c.call.request_id = optarg; break;
		case 'j': c.call.ret_json = &c.json; break;
		case 'b':
			c.call.ret_json = &c.json;
			c.both = true;
			break;
		case 'c': client_options.ca_file = optarg; break;
		case 'o': c.output_dir = optarg; break;
		case 'a': c.async = true; break;
		case 's': c.traffic.since = optarg; break;
		case 'l': c.traffic.limit = atoll(optarg); break;
		case 'h': c.traffic.har = true; break;
		case 'n': c.logs.tail = atoll(optarg); break;
		case 'v': c.logs.service = optarg; break;
		case 'x': c.stop_at = strtoull(optarg, NULL, 10); break;
		default: return 2;
		}
	}
	if (argc - optind < 3) {
		fprintf(stderr, "usage: sdk-call [OPTION...] URL TOKEN CALL [ARG...]...\n");
		return 2;
	}

	r = ctfy_node_client_new(argv[optind], argv[optind + 1], &client_options, &c.client,
				 &c.error);
	if (r == 0)
		r = run_all(&c, argv + optind + 2, argc - optind - 2);
	if (r < 0)
		fprintf(stderr, "%s %d %s\n", ctfy_error_word(c.error.kind), c.error.status,
			c.error.detail);
	ctfy_error_done(&c.error);
	ctfy_node_client_free(c.client);
	return r < 0 ? 1 : 0;
}
