/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A crowd for a platform on this machine: scripted nodes, players and listeners in one process.
 *
 *	storm PORT STATE NAME=NUMBER...
 *
 * STATE is the platform's, for its secrets; its accounts are platform_store.py's. Names: nodes,
 * hanging, capacity, start_ms, players, challenges, threads, pause_ms, listeners, stuck, seconds.
 * Says "ready" on a line of its own when all is connected, and begins when it is told a line on its
 * standard input. Prints one line of JSON, and stays until its input ends.
 */
#include "storm-crowd.h"
#include "storm-ears.h"
#include "storm-fleet.h"

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "base/secret.h"
#include "http/call.h"

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

struct settings {
	unsigned nodes, hanging, capacity, start_ms;
	unsigned players, challenges, threads, pause_ms;
	unsigned listeners, stuck;
	unsigned seconds;
};

struct storm {
	struct settings settings;
	uint16_t port;
	char *join_secret, *admin_token;
	struct http_client *platform;
	struct fleet *fleet;
	struct crowd *crowd;
	struct ears *ears;
};

static int set(struct settings *s, const char *word, struct err *e)
{
	const struct {
		const char *name;
		unsigned *value;
	} names[] = {
		{ "nodes", &s->nodes },         { "hanging", &s->hanging },
		{ "capacity", &s->capacity },   { "start_ms", &s->start_ms },
		{ "players", &s->players },     { "challenges", &s->challenges },
		{ "threads", &s->threads },     { "pause_ms", &s->pause_ms },
		{ "listeners", &s->listeners }, { "stuck", &s->stuck },
		{ "seconds", &s->seconds },
	};
	size_t len = strcspn(word, "=");

	for (size_t i = 0; word[len] && i < ARRAY_SIZE(names); i++) {
		if (strlen(names[i].name) != len || strncmp(names[i].name, word, len) != 0)
			continue;
		*names[i].value = (unsigned)strtoul(word + len + 1, NULL, 10);
		return 0;
	}
	return err_set(e, ERR_INVALID, "'%s' is no setting", word);
}

static int read_secret(const char *state, const char *name, char **ret_secret, struct err *e)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", state, name);
	return secret_read_file(path, ret_secret, e);
}

static int connect_platform(struct storm *storm, struct err *e)
{
	char url[64];
	const struct http_client_options options = { .base_url = url,
						     .role = "platform",
						     .max_idle = storm->settings.threads + 2 };

	snprintf(url, sizeof(url), "http://127.0.0.1:%u", storm->port);
	return http_client_new(&options, &storm->platform, e);
}

static int open_fleet(struct storm *storm, struct err *e)
{
	const struct fleet_options options = { .nodes = storm->settings.nodes,
					       .hanging = storm->settings.hanging,
					       .capacity = storm->settings.capacity,
					       .start_ms = storm->settings.start_ms };
	int r = fleet_new(&options, &storm->fleet, e);

	return r < 0 ? r : fleet_register(storm->fleet, storm->platform, storm->join_secret, e);
}

static int open_crowd(struct storm *storm, struct err *e)
{
	const struct crowd_options options = { .platform = storm->platform,
					       .fleet = storm->fleet,
					       .players = storm->settings.players,
					       .challenges = storm->settings.challenges,
					       .threads = storm->settings.threads,
					       .pause_ms = storm->settings.pause_ms,
					       .play_ms = 1000 * (int64_t)storm->settings.seconds };

	return crowd_new(&options, &storm->crowd, e);
}

static int open_ears(struct storm *storm, struct err *e)
{
	const struct ears_options options = { .platform = storm->platform,
					      .port = storm->port,
					      .admin_token = storm->admin_token,
					      .listeners = storm->settings.listeners,
					      .stuck = storm->settings.stuck };

	return ears_new(&options, &storm->ears, e);
}

static void wait_for_word(void)
{
	fflush(stdout);
	while (getchar() != '\n' && !feof(stdin))
		continue;
}

static int let_it_storm(struct storm *storm, struct err *e)
{
	const struct timespec time = { .tv_sec = storm->settings.seconds };
	int r;

	fleet_watch(storm->fleet);
	r = storm->settings.listeners > 0 ? ears_listen(storm->ears, e) : 0;
	if (r == 0 && storm->settings.players > 0)
		r = crowd_play(storm->crowd, e);
	else if (r == 0)
		nanosleep(&time, NULL);
	ears_stop(storm->ears);
	return r;
}

static void print_report(struct storm *storm)
{
	struct crowd_report crowd;
	struct fleet_report fleet;

	crowd_report(storm->crowd, &crowd);
	fleet_report(storm->fleet, &fleet);
	printf("{\"players\": {\"calls\": %zu, \"started\": %zu, \"ran\": %zu, \"solved\": %zu,"
	       " \"stopped\": %zu, \"refused\": %zu, \"late_ms\": %lld, \"times\": ",
	       crowd.calls, crowd.started, crowd.ran, crowd.solved, crowd.stopped, crowd.refused,
	       (long long)crowd.late_ms);
	crowd_print_times(storm->crowd, stdout);
	printf("}, \"nodes\": {\"instances\": %zu, \"copies\": %zu, \"live\": %zu,"
	       " \"doubles\": %zu, \"beats\": %llu, \"gap_ms\": %lld}, \"listeners\": ",
	       fleet.instances, fleet.copies, fleet.live, fleet.doubles,
	       (unsigned long long)fleet.beats, (long long)fleet.gap_ms);
	ears_print(storm->ears, stdout);
	puts("}");
}

static int run(struct storm *storm, const char *state, struct err *e)
{
	int r;

	if ((r = secret_init(e)) < 0 ||
	    (r = read_secret(state, "join-secret", &storm->join_secret, e)) < 0 ||
	    (r = read_secret(state, "admin-token", &storm->admin_token, e)) < 0 ||
	    (r = connect_platform(storm, e)) < 0 || (r = open_fleet(storm, e)) < 0 ||
	    (r = open_crowd(storm, e)) < 0 || (r = open_ears(storm, e)) < 0)
		return r;
	puts("ready");
	wait_for_word();
	r = let_it_storm(storm, e);
	if (r < 0)
		return r;
	print_report(storm);
	wait_for_word();
	return 0;
}

static void storm_done(struct storm *storm)
{
	ears_free(storm->ears);
	crowd_free(storm->crowd);
	fleet_free(storm->fleet);
	http_client_free(storm->platform);
	free(storm->admin_token);
	free(storm->join_secret);
}

static void raise_open_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
	AUTO(struct storm, storm_done) storm = { .settings = { .nodes = 100,
							       .capacity = 50,
							       .start_ms = 300,
							       .challenges = 20,
							       .threads = 64,
							       .pause_ms = 5000,
							       .seconds = 60 } };
	struct err e = ERR_INIT;
	int r = argc < 3 ? err_set(&e, ERR_INVALID, "usage: storm PORT STATE NAME=NUMBER...") : 0;

	signal(SIGPIPE, SIG_IGN);
	log_open(LOG_TEXT, LOG_ERROR);
	raise_open_files();
	for (int i = 3; r == 0 && i < argc; i++)
		r = set(&storm.settings, argv[i], &e);
	if (r == 0) {
		storm.port = (uint16_t)strtoul(argv[1], NULL, 10);
		r = run(&storm, argv[2], &e);
	}
	if (r < 0)
		fprintf(stderr, "storm: %s\n", e.msg);
	return r < 0 ? 1 : 0;
}
