/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/err.h"
#include "base/own.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/instance.h"
#include "cli/listing.h"
#include "cli/print.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* start, status, renew, stop */

static void print_services(const json_t *instance)
{
	json_t *service;
	size_t i;

	json_array_foreach (json_object_get(instance, "services"), i, service) {
		const char *health = text_of(service, "health");

		printf("  %-12s %s%s%s", text_of(service, "service"), text_of(service, "state"),
		       *health && strcmp(health, "none") != 0 ? ", " : "",
		       *health && strcmp(health, "none") != 0 ? health : "");
		if (is_true(service, "oom_killed"))
			fputs(", out of memory", stdout);
		if (*text_of(service, "detail")) {
			fputs(": ", stdout);
			print_text(text_of(service, "detail"));
		}
		putchar('\n');
	}
}

void print_instance(const json_t *instance)
{
	char span[SPAN_SIZE];
	json_t *endpoint;
	size_t i;

	printf("%s is %s", text_of(instance, "challenge_id"), text_of(instance, "status"));
	if (strcmp(text_of(instance, "status"), "running") == 0)
		printf(", and ends %s", span_of(instance, "expires_at", span));
	putchar('\n');
	if (*text_of(instance, "detail")) {
		print_text(text_of(instance, "detail"));
		putchar('\n');
	}
	json_array_foreach (json_object_get(instance, "endpoints"), i, endpoint)
		printf("  %-12s %s\n", text_of(endpoint, "service"), text_of(endpoint, "command"));
	print_services(instance);
}

static int show(struct cli *cli, const json_t *instance)
{
	if (cli->common->json)
		print_json(instance);
	else
		print_instance(instance);
	return CLI_OK;
}

/* Progress */

/* One line on standard error that is written over; nothing where that is no terminal. */
struct progress {
	bool visible;
	int64_t began;
	size_t len;
};

static void progress_begin(struct progress *progress, const struct cli *cli)
{
	progress->visible = isatty(STDERR_FILENO) && !cli->common->json;
	progress->began = clock_monotonic_ms();
	progress->len = 0;
}

/* "starting web: images, 2 before it ... 3 s": what is known of it. */
static void describe(const char *what, const char *of, const json_t *instance, char *line,
		     size_t size)
{
	const char *phase = text_of(instance, "phase");
	int64_t position = number_of(instance, "queue_position");
	int64_t eta_s = (number_of(instance, "eta_ms") + 999) / 1000;
	size_t len = (size_t)snprintf(line, size, "%s %s", what, of);

	if (*phase && len < size)
		len += (size_t)snprintf(line + len, size - len, ": %s", phase);
	if (position > 0 && len < size)
		len += (size_t)snprintf(line + len, size - len, ", number %lld in the queue",
					(long long)position);
	if (eta_s > 0 && len < size)
		snprintf(line + len, size - len, ", about %lld s", (long long)eta_s);
}

static void progress_say(struct progress *progress, const char *what, const char *of,
			 const json_t *instance)
{
	char words[160], line[200];
	int len;

	if (!progress->visible)
		return;
	describe(what, of, instance, words, sizeof(words));
	len = snprintf(line, sizeof(line), "%s ... %lld s", words,
		       (long long)(clock_monotonic_ms() - progress->began) / 1000);
	fprintf(stderr, "\r%-*s", (int)progress->len, line);
	progress->len = len > 0 ? (size_t)len : 0;
}

static void progress_end(struct progress *progress)
{
	if (progress->visible)
		fprintf(stderr, "\r%*s\r", (int)progress->len, "");
}

/* Start */

/* clang-format off */
#define START_OPTIONS(ROW) \
	ROW(no_wait, FLAG, NULL, NULL, "Return at once, while it is starting.") \
	ROW(timeout, DURATION, "TIME", "5m", "Longest time to wait until it runs and is healthy.")
#define STOP_OPTIONS(ROW) \
	ROW(no_wait, FLAG, NULL, NULL, "Return at once, while it is stopping.")
/* clang-format on */

struct start_options {
	struct cli_common common;
	START_OPTIONS(OPTION_MEMBER)
};

struct stop_options {
	struct cli_common common;
	STOP_OPTIONS(OPTION_MEMBER)
};

/* clang-format off */
#define ROW(...) OPTION_ROW(struct start_options, __VA_ARGS__)
static const struct option_row start_rows[] = { START_OPTIONS(ROW) CLI_ROWS_END };
#undef ROW
#define ROW(...) OPTION_ROW(struct stop_options, __VA_ARGS__)
static const struct option_row stop_rows[] = { STOP_OPTIONS(ROW) CLI_ROWS_END };
#undef ROW
/* clang-format on */

static bool has_status(const json_t *instance, const char *status)
{
	return strcmp(text_of(instance, "status"), status) == 0;
}

static void take(json_t **instance, json_t *fresh)
{
	json_decref(*instance);
	*instance = fresh;
}

/* One look at it; the platform waits up to a second for the end of its start. */
static int look(struct cli *cli, const char *path, json_t **instance, struct err *e)
{
	json_t *fresh = NULL;
	const struct api_call call = {
		.method = "GET", .path = path, .wait_s = 1, .ret_json = &fresh
	};
	int r = api_do(cli->api, &call, e);

	if (r == 0)
		take(instance, fresh);
	return r;
}

static void pause_ms(long ms)
{
	struct timespec span = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&span, NULL);
}

static bool is_under_way(const json_t *instance)
{
	return has_status(instance, "starting") ||
	       (has_status(instance, "running") && !is_true(instance, "is_healthy"));
}

/* The first of its services that has ended and that nobody starts again: waiting is of no use. */
static const json_t *find_over(const json_t *instance)
{
	static const char *const over[] = { "exited", "dead", "removed" };
	json_t *service;
	size_t i;

	json_array_foreach (json_object_get(instance, "services"), i, service)
		for (size_t j = 0; *text_of(service, "detail") && j < ARRAY_SIZE(over); j++)
			if (strcmp(text_of(service, "state"), over[j]) == 0)
				return service;
	return NULL;
}

enum { HEALTH_INTERVAL_MS = 500 };

/* The platform itself waits a while for a start; the services' health has to be asked for. */
static int watch_start(struct cli *cli, struct progress *progress, const char *path, int64_t until,
		       json_t **instance, struct err *e)
{
	int r = 0;

	while (r == 0 && is_under_way(*instance) && !find_over(*instance) &&
	       clock_monotonic_ms() < until) {
		bool starting = has_status(*instance, "starting");

		progress_say(progress, starting ? "starting" : "waiting for the services of",
			     cli->argv[0], *instance);
		if (!starting && json_object_get(*instance, "is_healthy"))
			pause_ms(HEALTH_INTERVAL_MS);
		r = look(cli, path, instance, e);
	}
	return r;
}

static int wait_for_start(struct cli *cli, json_t **instance, struct err *e)
{
	const struct start_options *options = cli->options;
	AUTO(char *, freep) path =
		api_path(cli->api, "/challenges/%s/instance?check=true", cli->argv[0]);
	int64_t until = clock_monotonic_ms() + options->timeout;
	struct progress progress;
	int r;

	progress_begin(&progress, cli);
	r = path ? watch_start(cli, &progress, path, until, instance, e) : err_memory(e);
	progress_end(&progress);
	return r;
}

static enum cli_status start_status(const json_t *instance)
{
	if (has_status(instance, "running") && !is_true(instance, "is_healthy"))
		return find_over(instance) ? CLI_FAILED : CLI_NOT_YET;
	if (has_status(instance, "running"))
		return CLI_OK;
	return has_status(instance, "starting") ? CLI_NOT_YET : CLI_FAILED;
}

static int refuse_over(const char *challenge, const json_t *service, struct err *e)
{
	return err_set(e, ERR_NODE, "'%s' does not work: its service '%s' (%s, exit code %lld): %s",
		       challenge, text_of(service, "service"), text_of(service, "state"),
		       (long long)number_of(service, "exit_code"), text_of(service, "detail"));
}

static int run_start(struct cli *cli, struct err *e)
{
	const struct start_options *options = cli->options;
	AUTO(char *, freep) path = api_path(cli->api, "/challenges/%s/instance", cli->argv[0]);
	AUTO(json_t *, json_decrefp) instance = NULL;
	const struct api_call call = { .method = "POST", .path = path, .ret_json = &instance };
	const json_t *over;
	int r;

	r = path ? api_do(cli->api, &call, e) : err_memory(e);
	if (r == 0 && !options->no_wait)
		r = wait_for_start(cli, &instance, e);
	if (r < 0)
		return r;
	if (has_status(instance, "failed") && !cli->common->json)
		return err_set(e, ERR_NODE, "%s", text_of(instance, "detail"));
	show(cli, instance);
	over = has_status(instance, "running") ? find_over(instance) : NULL;
	if (over && !cli->common->json)
		return refuse_over(cli->argv[0], over, e);
	return options->no_wait ? CLI_OK : (int)start_status(instance);
}

const struct cli_command cmd_start = {
	.name = "start",
	.arguments = "CHALLENGE",
	.summary = "Start your team's own instance of a challenge.",
	.details =
		"Waits until it runs and its services are healthy, and fails at once when one of\n"
		"them has ended. One that runs already is shown as it is.",
	.least = 1,
	.most = 1,
	.run = run_start,
	.options = start_rows,
	.options_size = sizeof(struct start_options),
};

/* Status */

static int show_one(struct cli *cli, const char *challenge, struct err *e)
{
	AUTO(char *, freep) path =
		api_path(cli->api, "/challenges/%s/instance?check=true", challenge);
	AUTO(json_t *, json_decrefp) instance = NULL;
	int r = api_get(cli->api, path, &instance, e);

	return r < 0 ? r : show(cli, instance);
}

static void add_instance(struct table *table, const json_t *instance)
{
	const json_t *first = json_array_get(json_object_get(instance, "endpoints"), 0);
	char span[SPAN_SIZE];

	table_add(table, text_of(instance, "challenge_id"), text_of(instance, "status"),
		  span_of(instance, "expires_at", span), text_of(first, "command"));
}

static int show_all(struct cli *cli, struct err *e)
{
	static const char *const headings[] = { "CHALLENGE", "STATUS", "ENDS", "CONNECT", NULL };
	static const struct listing listing = {
		"instances", headings, add_instance,
		"Your team has no instances: ctfy start CHALLENGE"
	};
	AUTO(char *, freep) path = api_path(cli->api, "/instances");

	return listing_print(cli, path, &listing, e);
}

static int run_status(struct cli *cli, struct err *e)
{
	return cli->argc > 0 ? show_one(cli, cli->argv[0], e) : show_all(cli, e);
}

const struct cli_command cmd_status = {
	.name = "status",
	.arguments = "[CHALLENGE]",
	.summary = "Show your team's instances, or how one of them is doing.",
	.most = 1,
	.run = run_status,
};

/* Renew and stop */

static int run_renew(struct cli *cli, struct err *e)
{
	AUTO(char *, freep) path = api_path(cli->api, "/challenges/%s/instance", cli->argv[0]);
	AUTO(json_t *, json_decrefp) instance = NULL;
	const struct api_call call = { .method = "PATCH", .path = path, .ret_json = &instance };
	int r = path ? api_do(cli->api, &call, e) : err_memory(e);

	return r < 0 ? r : show(cli, instance);
}

const struct cli_command cmd_renew = {
	.name = "renew",
	.arguments = "CHALLENGE",
	.summary = "Give your instance its whole time again, from now.",
	.least = 1,
	.most = 1,
	.run = run_renew,
};

enum { STOP_WAIT_S = 60 };

static int run_stop(struct cli *cli, struct err *e)
{
	const struct stop_options *options = cli->options;
	AUTO(char *, freep) path = api_path(cli->api, "/challenges/%s/instance", cli->argv[0]);
	AUTO(json_t *, json_decrefp) instance = NULL;
	const struct api_call call = { .method = "DELETE",
				       .path = path,
				       .wait_s = options->no_wait ? 0 : STOP_WAIT_S,
				       .ret_json = &instance };
	struct progress progress;
	int r;

	progress_begin(&progress, cli);
	progress_say(&progress, "stopping", cli->argv[0], NULL);
	r = path ? api_do(cli->api, &call, e) : err_memory(e);
	progress_end(&progress);
	if (r < 0)
		return r;
	show(cli, instance);
	return has_status(instance, "stopping") && !options->no_wait ? CLI_NOT_YET : CLI_OK;
}

const struct cli_command cmd_stop = {
	.name = "stop",
	.arguments = "CHALLENGE",
	.summary = "Stop your team's instance of a challenge.",
	.least = 1,
	.most = 1,
	.run = run_stop,
	.options = stop_rows,
	.options_size = sizeof(struct stop_options),
};
