/* SPDX-License-Identifier: Apache-2.0 */
#include "node/main.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/own.h"
#include "http/serve.h"
#include "node/build-ground.h"
#include "node/catalogue.h"
#include "node/challenge-http.h"
#include "node/disk-watch.h"
#include "node/doctor.h"
#include "node/instance-http.h"
#include "node/instance.h"
#include "node/keeper.h"
#include "node/lint.h"
#include "node/node-http.h"
#include "node/node.h"
#include "node/pool.h"
#include "node/recover.h"
#include "node/timeline.h"
#include "node/trials.h"
#include "node/warm-http.h"
#include "node/warm.h"
#include "wire/node.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct node_daemon {
	struct node *node;
	struct keeper *keeper;
	struct watch *watch;
	struct disk_watch *disk_watch;
	struct http_server *server;
};

static const struct http_route *const route_tables[] = { instance_routes, node_routes, warm_routes,
							 challenge_routes, NULL };

static int listen_on(struct node_daemon *daemon, struct err *e)
{
	const struct node_options *options = daemon->node->options;
	const struct http_server_options server = {
		.listen = options->listen,
		.tables = route_tables,
		.ctx = daemon->node,
		.authorize = node_authorize,
		.cert_file = options->cert,
		.key_file = options->key,
	};

	return http_serve(&server, &daemon->server, e);
}

static void node_daemon_freep(struct node_daemon **daemon)
{
	node_daemon_free(*daemon);
}

static void tell_capacity(struct node *node)
{
	struct diagnosis diagnosis;
	struct err e = ERR_INIT;

	if (doctor_examine(node, &diagnosis, &e) < 0) {
		log_warn("the host's capacity is not known: %s", e.msg);
		return;
	}
	log_info("this host can hold %lld instances; what limits it is %s",
		 (long long)diagnosis.capacity, diagnosis.limiter);
	for (int i = 0; i < diagnosis.count; i++)
		if (diagnosis.findings[i].state != FINDING_FINE)
			log_warn("%s: %s; %s", diagnosis.findings[i].name,
				 diagnosis.findings[i].found, diagnosis.findings[i].fix);
}

int node_daemon_start(const struct node_options *options, const char *token,
		      struct node_daemon **ret_daemon, struct err *e)
{
	AUTO(struct node_daemon *, node_daemon_freep) daemon = calloc(1, sizeof(*daemon));
	int r;

	if (!daemon)
		return err_memory(e);
	r = node_new(options, &daemon->node, e);
	if (r < 0)
		return r;
	if (token) {
		free(daemon->node->token);
		daemon->node->token = strdup(token);
	}
	if (!daemon->node->token)
		return err_set(e, ERR_INVALID, "--token-file FILE is needed");
	r = build_ground_recover(daemon->node->build_ground, e);
	if (r == 0)
		r = trials_recover(daemon->node->trials, e);
	if (r == 0)
		r = recover_instances(daemon->node, e);
	if (r == 0)
		r = keeper_start(daemon->node, &daemon->keeper, e);
	if (r == 0)
		r = watch_start(daemon->node, &daemon->watch, e);
	if (r == 0)
		r = disk_watch_start(daemon->node, &daemon->disk_watch, e);
	if (r == 0)
		r = warm_start(daemon->node->warm, e);
	if (r == 0)
		r = listen_on(daemon, e);
	if (r < 0)
		return r;
	log_info("node '%s' is listening on port %u, with %s", daemon->node->id,
		 node_daemon_port(daemon), daemon->node->engine_name);
	tell_capacity(daemon->node);
	*ret_daemon = TAKE(daemon);
	return 0;
}

uint16_t node_daemon_port(const struct node_daemon *daemon)
{
	return http_server_port(daemon->server);
}

const char *node_daemon_id(const struct node_daemon *daemon)
{
	return daemon->node->id;
}

int node_daemon_clear(struct node_daemon *daemon, struct err *e)
{
	struct ctfy_stopped stopped = { 0 };
	int r;

	r = instance_stop_all(daemon->node, &stopped, e);
	fields_done(stopped_fields, &stopped);
	if (r < 0)
		return r;
	log_info("removing %zu networks that were ready", pool_ready(daemon->node->pool));
	pool_drain(daemon->node->pool);
	build_ground_clear(daemon->node->build_ground);
	return 0;
}

void node_daemon_free(struct node_daemon *daemon)
{
	if (!daemon)
		return;
	http_server_free(daemon->server);
	disk_watch_stop(daemon->disk_watch);
	watch_stop(daemon->watch);
	keeper_stop(daemon->keeper);
	node_free(daemon->node);
	free(daemon);
}

static void print_help(void)
{
	puts("Usage: ctfy node --token-file FILE --challenges DIR --state DIR [OPTION]...\n\n"
	     "Runs instances of challenges on this machine's Docker engine, for a platform.\n");
	options_help(node_option_rows, stdout);
}

static int parse(int argc, char **argv, struct node_options *options, struct err *e)
{
	int rest, r;

	r = options_parse(node_option_rows, options, argc, argv, &rest, e);
	if (r == 0 && rest > 0)
		return err_set(e, ERR_INVALID, "'%s' is not an option", argv[1]);
	return r;
}

static enum log_format log_format_of(const char *word)
{
	return strcmp(word, "json") == 0   ? LOG_JSON
	       : strcmp(word, "text") == 0 ? LOG_TEXT
					   : LOG_AUTO;
}

static bool is_node_state(const char *dir)
{
	AUTO(char *, freep) db = strf("%s/node.db", dir);

	return db && file_exists(db);
}

/* Challenges that don't even load are told as the node is made. */
static int tell_unstartable(struct node *node, struct err *e)
{
	struct ctfy_rescan found = { 0 };
	int r = node_lint_unstartable(node, &found, e);

	for (size_t i = 0; i < found.unstartable_count; i++)
		log_warn("challenge '%s' would not start: %s", found.unstartable[i].path,
			 found.unstartable[i].detail);
	fields_done(rescan_fields, &found);
	return r;
}

/*
 * 0: fine; 1: something is at fault. A directory that is no node's state yet is looked at, and left
 * as it is: dir, which goes again, stands in for it.
 */
static int check(const struct node_options *given, const char *dir)
{
	AUTO(struct node *, node_freep) node = NULL;
	struct node_options options = *given;
	struct diagnosis diagnosis;
	struct err e = ERR_INIT;
	bool stands_in = options.state && !is_node_state(options.state);
	char *state = stands_in ? realpath(options.state, NULL) : NULL;

	if (stands_in)
		options.state = dir;
	if (node_new(&options, &node, &e) < 0) {
		free(state);
		fprintf(stderr, "ctfy: %s\n", e.msg);
		return 1;
	}
	if (state) {
		free(node->state_dir);
		node->state_dir = state;
	}
	if (tell_unstartable(node, &e) < 0 || doctor_examine(node, &diagnosis, &e) < 0) {
		fprintf(stderr, "ctfy: %s\n", e.msg);
		return 1;
	}
	doctor_print(&diagnosis, stdout);
	for (int i = 0; i < diagnosis.count; i++)
		if (diagnosis.findings[i].state == FINDING_FAULT)
			return 1;
	return 0;
}

/* A host can be examined before there is a node on it: then in_passing, without its directories. */
static int check_with_stand_in(const struct node_options *given, bool in_passing)
{
	struct node_options options = *given;
	char dir[] = "/tmp/ctfy-doctor-XXXXXX";
	int status;

	if (!mkdtemp(dir)) {
		fprintf(stderr, "ctfy: make '%s': %s\n", dir, strerrordesc_np(errno));
		return 1;
	}
	if (in_passing && !options.state)
		options.state = dir;
	if (in_passing && !options.challenges)
		options.challenges = dir;
	status = check(&options, dir);
	tree_remove(dir, NULL);
	return status;
}

int node_doctor_main(int argc, char **argv)
{
	struct node_options options;
	struct err e = ERR_INIT;

	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		puts("Usage: ctfy doctor [OPTION]...\n\n"
		     "Says how many instances this host can hold, what limits it, and how to mend\n"
		     "what it finds. Leaves nothing changed. Options are those of ctfy node:\n");
		options_help(node_option_rows, stdout);
		return 0;
	}
	if (parse(argc, argv, &options, &e) < 0) {
		fprintf(stderr, "ctfy doctor: %s\n", e.msg);
		return 2;
	}
	log_open(LOG_TEXT, LOG_WARN);
	options.check = true;
	return check_with_stand_in(&options, true);
}

static void reload(struct node_daemon *daemon)
{
	struct ctfy_rescan rescan = { 0 };
	struct err e = ERR_INIT;

	if (node_reload(daemon->node, &e) < 0)
		log_error("reload: %s; going on as before", e.msg);
	else if (catalogue_rescan(daemon->node->catalogue, &rescan, &e) < 0)
		log_error("reload: %s", e.msg);
	else
		log_info("reloaded: %lld challenges, %zu new, %zu gone", (long long)rescan.total,
			 rescan.added_count, rescan.removed_count);
	warm_review(daemon->node->warm);
	fields_done(rescan_fields, &rescan);
}

int node_main(int argc, char **argv)
{
	struct node_daemon *daemon;
	struct node_options options;
	struct err e = ERR_INIT;
	sigset_t signals;
	int signal_number;

	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		print_help();
		return 0;
	}
	if (parse(argc, argv, &options, &e) < 0) {
		fprintf(stderr, "ctfy node: %s\n", e.msg);
		return 2;
	}
	log_open(log_format_of(options.log_format), options.check ? LOG_WARN : LOG_INFO);
	if (options.check)
		return check_with_stand_in(&options, false);

	/* Blocked before the first thread is made, so that only we take them. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);

	if (node_daemon_start(&options, NULL, &daemon, &e) < 0) {
		fprintf(stderr, "ctfy node: %s\n", e.msg);
		return 1;
	}
	service_notify("READY=1");
	while (sigwait(&signals, &signal_number) == 0 && signal_number == SIGHUP) {
		service_notify("RELOADING=1");
		reload(daemon);
		service_notify("READY=1");
	}
	log_info("ending: instances go on running");
	service_notify("STOPPING=1");
	node_daemon_free(daemon);
	return 0;
}
