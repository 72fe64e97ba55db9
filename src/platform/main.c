/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/main.h"

#include "base/arena.h"
#include "base/claim.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/steady-clock.h"
#include "base/work.h"
#include "db/db.h"
#include "platform/access.h"
#include "platform/archive.h"
#include "platform/challenges.h"
#include "platform/events.h"
#include "platform/first-boot.h"
#include "platform/instance.h"
#include "platform/limit.h"
#include "platform/meter.h"
#include "platform/node.h"
#include "platform/oidc.h"
#include "platform/platform.h"
#include "platform/programme.h"
#include "platform/s3.h"
#include "platform/schema.h"
#include "platform/scoreboard.h"
#include "platform/settle.h"
#include "platform/turn.h"
#include "platform/vault.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

/* clang-format off */
#define ROW(...) OPTION_ROW(struct platform_options, __VA_ARGS__)
const struct option_row platform_option_rows[] = { PLATFORM_OPTIONS(ROW) { .name = NULL } };
#undef ROW
/* clang-format on */

/* One for each of 5,000 players who listen, and some for their calls. */
enum { CONNECTIONS_WANTED = 8000 };

enum { EXPIRY_INTERVAL_S = 1, SHUTDOWN_MAX_S = 10 };

struct platform_daemon {
	struct platform platform;
	struct http_server *server;

	pthread_t expiry; /* the thread that ends instances whose time is over */
	bool expiry_runs;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool ending;
};

/* Until the daemon ends: true each time it is time to look. */
static bool wait_for_expiry(struct platform_daemon *daemon)
{
	struct timespec until;
	bool ending;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += EXPIRY_INTERVAL_S;
	pthread_mutex_lock(&daemon->lock);
	while (!daemon->ending && pthread_cond_timedwait(&daemon->wake, &daemon->lock, &until) == 0)
		continue;
	ending = daemon->ending;
	pthread_mutex_unlock(&daemon->lock);
	return !ending;
}

static void tick(struct steady_clock *clock)
{
	char words[STEADY_CLOCK_WORDS];
	struct err e = ERR_INIT;

	if (steady_clock_tick(clock, &e) < 0)
		log_warn("remember the time: %s", e.msg);
	if (steady_clock_news(clock, words))
		log_error("%s", words);
}

static void *run_expiry(void *cookie)
{
	struct platform_daemon *daemon = cookie;
	const struct steady_clock *clock = daemon->platform.steady;
	struct err e = ERR_INIT;

	while (wait_for_expiry(daemon)) {
		tick(daemon->platform.steady);
		if (steady_clock_doubts(clock))
			continue;
		if (settler_expire(daemon->platform.settler, &e) < 0)
			log_error("%s; trying again", e.msg);
		if (settler_warn(daemon->platform.settler, &e) < 0)
			log_error("instances near their end: %s; trying again", e.msg);
		if (steady_clock_is_sure(clock) &&
		    archives_expire(daemon->platform.archives, &e) < 0)
			log_error("archives that are old enough: %s; trying again", e.msg);
	}
	return NULL;
}

static void end_expiry(struct platform_daemon *daemon)
{
	if (!daemon->expiry_runs)
		return;
	pthread_mutex_lock(&daemon->lock);
	daemon->ending = true;
	pthread_cond_signal(&daemon->wake);
	pthread_mutex_unlock(&daemon->lock);
	pthread_join(daemon->expiry, NULL);
}

static int begin_expiry(struct platform_daemon *daemon, struct err *e)
{
	if (pthread_create(&daemon->expiry, NULL, run_expiry, daemon) != 0)
		return err_set(e, ERR_INTERNAL, "no thread to be had");
	daemon->expiry_runs = true;
	return 0;
}

static bool is_open_or_closed(const char *word)
{
	return strcmp(word, "open") == 0 || strcmp(word, "closed") == 0;
}

static int check_options(const struct platform_options *options, struct err *e)
{
	if (!options->state)
		return err_set(e, ERR_INVALID, "--state DIR is needed");
	if (!options->challenges)
		return err_set(e, ERR_INVALID, "--challenges DIR is needed");
	if (!is_open_or_closed(options->registration))
		return err_set(e, ERR_INVALID, "--registration is open or closed, not '%s'",
			       options->registration);
	if (!is_open_or_closed(options->oidc_accounts))
		return err_set(e, ERR_INVALID, "--oidc-accounts is open or closed, not '%s'",
			       options->oidc_accounts);
	if (options->heartbeat < 1 || options->heartbeat_timeout < 1 || options->call_timeout < 1)
		return err_set(e, ERR_INVALID, "a time of 0 is not usable");
	return 0;
}

static int open_vault(struct platform *platform, struct err *e)
{
	const char *path = platform->options->answer_key_file;
	char own[PATH_MAX];

	snprintf(own, sizeof(own), "%s/answer-key", platform->options->state);
	return vault_open(platform->db, path ? path : own, e);
}

/*
 * A key is made with a database: where the one is and the other isn't, a disk wasn't mounted or
 * something was deleted, and a platform that begins anew would hide that.
 */
static int check_database(const struct platform *platform, const char *database, struct err *e)
{
	const struct platform_options *options = platform->options;
	char key[PATH_MAX];

	snprintf(key, sizeof(key), "%s/answer-key", options->state);
	if (file_exists(database) || options->new_database ||
	    !file_exists(options->answer_key_file ? options->answer_key_file : key))
		return 0;
	return err_set(e, ERR_INVALID,
		       "'%s' is gone, but its answer key '%s' is there: restore it (ctfy restore), "
		       "mount what it is on, or begin anew with --new-database",
		       database, options->answer_key_file ? options->answer_key_file : key);
}

static int open_clock(struct platform *platform, struct err *e)
{
	const struct platform_options *options = platform->options;
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof(path), "%s/clock", options->state) >= PATH_MAX)
		return err_set(e, ERR_INVALID, "'%s' is too long a path", options->state);
	r = steady_clock_open(path, options->accept_clock, &platform->steady, e);
	if (r == 0)
		platform->clock = steady_clock_of(platform->steady);
	return r;
}

static int open_store(struct platform *platform, struct err *e)
{
	char path[PATH_MAX];
	int r;

	r = dir_make(platform->options->state, 0700, e);
	if (r == 0)
		r = claim_dir(platform->options->state, &platform->state_claim, e);
	if (r == 0)
		r = open_clock(platform, e);
	if (r < 0)
		return r;
	if (snprintf(path, sizeof(path), "%s/platform.db", platform->options->state) >= PATH_MAX)
		return err_set(e, ERR_INVALID, "'%s' is too long a path", platform->options->state);
	r = check_database(platform, path, e);
	if (r == 0)
		r = schema_open(path, &platform->db, e);
	return r < 0 ? r : open_vault(platform, e);
}

static void report_challenges(struct platform *platform)
{
	AUTO(const struct shelf *, shelf_dropp) shelf = challenges_take(platform->challenges);
	json_t *error;
	size_t i;

	log_info("%zu challenges in '%s'", shelf->count, platform->options->challenges);
	json_array_foreach (shelf->errors, i, error)
		log_warn("challenge '%s': %s", json_string_value(json_object_get(error, "path")),
			 json_string_value(json_object_get(error, "detail")));
}

static void report_competition(const struct competition *competition, const struct shelf *shelf)
{
	AUTO(json_t *, json_decrefp) warnings = competition_warnings(competition, shelf);
	json_t *warning;
	size_t i;

	json_array_foreach (warnings, i, warning)
		log_warn("competition '%s': %s", competition->id, json_string_value(warning));
}

static void report_competitions(struct platform *platform)
{
	AUTO(const struct shelf *, shelf_dropp) shelf = challenges_take(platform->challenges);
	const struct competitions *all = programme_all(platform->programme);

	for (size_t i = 0; i < all->competition_count; i++)
		report_competition(&all->competitions[i], shelf);
}

static int open_boards(struct platform *platform, struct err *e)
{
	const struct scoreboards_options options = { .db = platform->db,
						     .challenges = platform->challenges,
						     .programme = platform->programme,
						     .clock = platform->clock,
						     .changed = platform_board_changed,
						     .cookie = platform };
	int r = events_new(&platform->events, e);

	return r < 0 ? r : scoreboards_new(&options, &platform->boards, e);
}

static int open_archive_s3(struct platform *platform, struct err *e)
{
	const struct platform_options *options = platform->options;
	const struct s3_options s3 = { .url = options->archive_s3,
				       .region = options->archive_s3_region,
				       .ca_file = options->archive_s3_ca,
				       .credentials_file = options->archive_s3_credentials,
				       .clock = platform->clock };

	return options->archive_s3 ? s3_new(&s3, &platform->archive_s3, e) : 0;
}

static int open_archives(struct platform *platform, struct err *e)
{
	struct archives_options options = { .db = platform->db,
					    .clock = platform->clock,
					    .dir = platform->archive_dir,
					    .days = platform->options->archive_days,
					    .idle_timeout_ms = platform->options->call_timeout };
	int r;

	if (snprintf(platform->archive_dir, sizeof(platform->archive_dir), "%s/archive",
		     platform->options->state) >= (int)sizeof(platform->archive_dir))
		return err_set(e, ERR_INVALID, "'%s' is too long a path", platform->options->state);
	r = open_archive_s3(platform, e);
	if (r < 0)
		return r;
	options.s3 = platform->archive_s3;
	return archives_new(&options, &platform->archives, e);
}

static int open_oidc(struct platform *platform, struct err *e)
{
	const struct platform_options *options = platform->options;
	const struct oidc_options oidc = { .issuer = options->oidc_issuer,
					   .client_id = options->oidc_client_id,
					   .client_secret_file = options->oidc_client_secret_file,
					   .scopes = options->oidc_scopes,
					   .ca_file = options->oidc_ca,
					   .wanted = { options->oidc_name_claim,
						       options->oidc_role_claim },
					   .clock = platform->clock };

	return options->oidc_issuer ? oidc_new(&oidc, &platform->oidc, e) : 0;
}

static int open_parts(struct platform *platform, struct err *e)
{
	const struct platform_options *options = platform->options;
	struct settler_options settler = { .db = platform->db,
					   .clock = platform->clock,
					   .call_timeout_ms = options->call_timeout,
					   .replaced = platform_instance_replaced,
					   .nearing_end = platform_instance_nearing_end,
					   .cookie = platform };
	struct nodes_options nodes = { .db = platform->db,
				       .clock = platform->clock,
				       .heartbeat_ms = options->heartbeat,
				       .heartbeat_timeout_ms = options->heartbeat_timeout,
				       .ca_file = options->node_ca,
				       .beaten = settler_node_beaten };
	int r;

	r = challenges_new(options->challenges, &platform->challenges, e);
	if (r == 0)
		r = keyring_new(platform->db, &platform->keyring, e);
	if (r == 0)
		r = limiter_new(&platform->limiter, e);
	if (r == 0)
		r = turns_new(0, &platform->turns, e);
	if (r == 0)
		r = open_oidc(platform, e);
	if (r == 0)
		r = openapi_make(platform_route_tables, &platform->openapi, e);
	if (r == 0)
		r = programme_new(platform->db, &platform->programme, e);
	if (r == 0)
		r = open_boards(platform, e);
	if (r == 0)
		r = meter_new(platform_route_tables, &platform->meter, e);
	if (r == 0)
		r = open_archives(platform, e);
	settler.meter = platform->meter;
	settler.archives = platform->archives;
	if (r == 0)
		r = settler_new(&settler, &platform->settler, e);
	if (r < 0)
		return r;
	nodes.cookie = platform->settler;
	r = nodes_new(&nodes, &platform->nodes, e);
	if (r < 0)
		return r;
	settler_use_nodes(platform->settler, platform->nodes);
	report_challenges(platform);
	report_competitions(platform);
	return 0;
}

static int open_platform(struct platform *platform, struct err *e)
{
	int r;

	r = secret_init(e);
	if (r == 0)
		r = open_store(platform, e);
	if (r == 0)
		r = first_boot_admin(platform, e);
	if (r == 0)
		r = first_boot_join_secret(platform, e);
	if (r == 0)
		r = first_boot_competition(platform, e);
	return r < 0 ? r : open_parts(platform, e);
}

static void end_token(void *cookie, const char *token_id)
{
	http_server_cut(cookie, token_id);
}

static int serve(struct platform_daemon *daemon, struct err *e)
{
	const struct platform_options *options = daemon->platform.options;
	const struct http_server_options server = {
		.listen = options->listen,
		.tables = platform_route_tables,
		.ctx = &daemon->platform,
		.authorize = platform_authorize,
		.run = platform_run,
		.proxies =
			options->behind_proxy || options->proxy_protocol ? options->proxies : NULL,
		.proxy_protocol = options->proxy_protocol,
		.spool_dir = options->state,
		.spool_max = (uint64_t)options->spool,
		.answers_max = (uint64_t)options->answer_memory,
		.bodies_max = (uint64_t)options->body_memory,
		.streams_max = (uint64_t)options->streams,
		.cert_file = options->cert,
		.key_file = options->key,
	};

	int r = http_serve(&server, &daemon->server, e);

	if (r < 0)
		return r;
	daemon->platform.server = daemon->server;
	keyring_tell(daemon->platform.keyring, end_token, daemon->server);
	return 0;
}

static void platform_daemon_freep(struct platform_daemon **daemon)
{
	platform_daemon_free(*daemon);
}

int platform_daemon_new(const struct platform_options *options, struct platform_daemon **ret_daemon,
			struct err *e)
{
	AUTO(struct platform_daemon *, platform_daemon_freep) daemon = NULL;
	int r;

	r = check_options(options, e);
	if (r < 0)
		return r;
	daemon = calloc(1, sizeof(*daemon));
	if (!daemon)
		return err_memory(e);
	pthread_mutex_init(&daemon->lock, NULL);
	cond_init_monotonic(&daemon->wake);
	daemon->platform.options = options;
	daemon->platform.clock = &clock_real;
	daemon->platform.state_claim = -1;
	daemon->platform.registration_open = strcmp(options->registration, "open") == 0;
	r = open_platform(&daemon->platform, e);
	if (r < 0)
		return r;
	*ret_daemon = TAKE(daemon);
	return 0;
}

static void report_listening(const struct platform_daemon *daemon)
{
	unsigned connections = http_connection_limit();

	log_info("the platform is listening on port %u", platform_daemon_port(daemon));
	if (connections < CONNECTIONS_WANTED)
		log_warn("open files are limited to %u, so that %u connections are possible at "
			 "once: raise the hard limit (ulimit -Hn, LimitNOFILE=) for a large event",
			 2 * connections, connections);
}

int platform_daemon_listen(struct platform_daemon *daemon, struct err *e)
{
	int r;

	r = nodes_begin(daemon->platform.nodes, e);
	if (r == 0)
		r = begin_expiry(daemon, e);
	if (r == 0)
		r = serve(daemon, e);
	if (r == 0)
		report_listening(daemon);
	return r;
}

uint16_t platform_daemon_port(const struct platform_daemon *daemon)
{
	return http_server_port(daemon->server);
}

struct events *platform_daemon_events(const struct platform_daemon *daemon)
{
	return daemon->platform.events;
}

int platform_daemon_add_node(struct platform_daemon *daemon, const char *name, const char *url,
			     const char *token, struct err *e)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	char *id;
	int r;

	if (!arena)
		return err_memory(e);
	r = nodes_put(daemon->platform.nodes, arena, name, url, token, &id, e);
	return r < 0 ? r : keyring_refresh_node(daemon->platform.keyring, id, e);
}

static int begin_stop_of_all(struct platform *platform, const struct instances *live, struct err *e)
{
	for (size_t i = 0; i < live->count; i++) {
		const struct instance *instance = &live->rows[i];
		bool was_starting = instances_is(instance, "starting");
		int r = instances_begin_stop(platform->db, instance->id, "stopped", NULL, NULL, e);

		if (r < 0)
			return r;
		if (was_starting)
			settler_cancel(platform->settler, instance);
		else
			settler_kick(platform->settler, instance->id, instance->node_id);
	}
	return 0;
}

int platform_daemon_stop_all(struct platform_daemon *daemon, int64_t timeout_ms, size_t *ret_left,
			     struct err *e)
{
	int64_t until = clock_monotonic_ms() + timeout_ms;
	AUTO(struct arena *, arena_freep) arena = arena_new();
	AUTO(struct instances, instances_done) live = { .rows = NULL };
	AUTO(struct instances, instances_done) left = { .rows = NULL };
	struct platform *platform = &daemon->platform;
	int r;

	if (!arena)
		return err_memory(e);
	atomic_store(&platform->ending, true);
	r = instances_live(platform->db, arena, &live, e);
	if (r == 0)
		r = begin_stop_of_all(platform, &live, e);
	for (size_t i = 0; r == 0 && i < live.count; i++) {
		int64_t remaining = until - clock_monotonic_ms();

		if (remaining > 0)
			settler_wait(platform->settler, live.rows[i].id, remaining);
	}
	if (r == 0)
		r = instances_live(platform->db, arena, &left, e);
	*ret_left = left.count;
	return r;
}

void platform_daemon_free(struct platform_daemon *daemon)
{
	struct platform *platform;

	if (!daemon)
		return;
	platform = &daemon->platform;
	if (platform->settler)
		settler_end(platform->settler);
	if (platform->events)
		events_end(platform->events);
	s3_end(platform->archive_s3);
	http_server_free(daemon->server);
	end_expiry(daemon);
	if (platform->nodes)
		nodes_end(platform->nodes);
	settler_free(platform->settler);
	nodes_free(platform->nodes);
	archives_free(platform->archives);
	s3_free(platform->archive_s3);
	meter_free(platform->meter);
	scoreboards_free(platform->boards);
	events_free(platform->events);
	programme_free(platform->programme);
	openapi_done(&platform->openapi);
	oidc_free(platform->oidc);
	turns_free(platform->turns);
	limiter_free(platform->limiter);
	keyring_free(platform->keyring);
	challenges_free(platform->challenges);
	db_close(platform->db);
	steady_clock_free(platform->steady);
	closep(&platform->state_claim);
	pthread_cond_destroy(&daemon->wake);
	pthread_mutex_destroy(&daemon->lock);
	free(daemon);
}

static void print_help(void)
{
	puts("Usage: ctfy platform --state DIR --challenges DIR [OPTION]...\n\n"
	     "Runs the platform: accounts, teams, scores, and instances on registered nodes.\n");
	options_help(platform_option_rows, stdout);
}

static enum log_format log_format_of(const char *word)
{
	return strcmp(word, "json") == 0   ? LOG_JSON
	       : strcmp(word, "text") == 0 ? LOG_TEXT
					   : LOG_AUTO;
}

/* All that matters is in the store: a node that keeps us waiting doesn't keep us from ending. */
static void *leave_in_time(void *cookie)
{
	struct timespec grace = { .tv_sec = SHUTDOWN_MAX_S };

	(void)cookie;
	nanosleep(&grace, NULL);
	log_warn("calls to nodes are still under way: they are taken up at the next start");
	_exit(0);
}

static void end(struct platform_daemon *daemon)
{
	pthread_t patience;

	log_info("ending: instances go on running");
	if (pthread_create(&patience, NULL, leave_in_time, NULL) == 0)
		pthread_detach(patience);
	platform_daemon_free(daemon);
}

int platform_main(int argc, char **argv)
{
	struct platform_daemon *daemon = NULL;
	struct platform_options options;
	struct err e = ERR_INIT;
	sigset_t signals;
	int rest, signal_number;

	if (options_parse(platform_option_rows, &options, argc, argv, &rest, &e) < 0 || rest > 0) {
		if (rest > 0 && !*e.msg)
			err_set(&e, ERR_INVALID, "'%s' is not an option", argv[1]);
		fprintf(stderr, "ctfy platform: %s\n", e.msg);
		return 2;
	}
	if (options.help) {
		print_help();
		return 0;
	}
	log_open(log_format_of(options.log_format), LOG_INFO);

	/* Blocked before the first thread is made, so that only we take them. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);

	if (platform_daemon_new(&options, &daemon, &e) < 0 ||
	    platform_daemon_listen(daemon, &e) < 0) {
		fprintf(stderr, "ctfy platform: %s\n", e.msg);
		platform_daemon_free(daemon);
		return 1;
	}
	sigwait(&signals, &signal_number);
	end(daemon);
	return 0;
}
