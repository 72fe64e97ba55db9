/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/secret.h"
#include "cli/commands.h"
#include "node/main.h"
#include "platform/main.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* clang-format off */
#define UP_OPTIONS(ROW) \
	ROW(listen, STRING, "ADDR", "127.0.0.1:8000", "Address the platform answers on.") \
	ROW(challenges, STRING, "DIR", "challenges", "Directory of challenge folders.") \
	ROW(state, STRING, "DIR", NULL, "Directory of all state; made if absent.") \
	ROW(competition, STRING, "FILE", NULL, "Competition to apply at start: a file, or a directory of *.yml.") \
	ROW(registration, STRING, "WHO", "open", "Who may make an account: \"open\" (anybody) or \"closed\" (organisers only).") \
	PLATFORM_ARCHIVE_OPTIONS(ROW) \
	PLATFORM_OIDC_OPTIONS(ROW) \
	ROW(node_listen, STRING, "ADDR", "127.0.0.1:7070", "Address the node API answers on.") \
	ROW(engine, STRING, "URL", NULL, "Docker Engine API: unix://, tcp:// or https://.") \
	ROW(public_host, STRING, "HOST", NULL, "Name or address under which players reach published ports.") \
	ROW(bind, STRING, "ADDR", NULL, "Host address that published ports bind to.") \
	ROW(ports, STRING, "FIRST-LAST", NULL, "Host ports to publish on.") \
	ROW(subnets, STRING, "CIDR", NULL, "Address space that instances' networks are cut from.") \
	ROW(capacity, COUNT, "N", NULL, "Most instances at once; unset: the node's default.") \
	ROW(policy, STRING, "FILE", NULL, "Operator's policy: what challenges may do beyond the defaults.") \
	ROW(isolation, STRING, "MODE", NULL, "\"firewall\": instances reach neither host, LAN nor each other; \"none\": only Docker's own rules.") \
	ROW(accept_clock, FLAG, NULL, NULL, "Believe the machine's clock, though it has jumped.") \
	ROW(new_database, FLAG, NULL, NULL, "Begin anew, though there is an answer key of a database that is gone.") \
	ROW(keep, FLAG, NULL, NULL, "Leave instances running at the end, for the next start to take up.") \
	ROW(log_format, STRING, "FORMAT", "auto", "\"text\", \"json\", or \"auto\": text on a terminal.") \
	ROW(help, FLAG, NULL, NULL, "Show this help.")
/* clang-format on */

struct up_options {
	UP_OPTIONS(OPTION_MEMBER)
};

/* clang-format off */
#define ROW(...) OPTION_ROW(struct up_options, __VA_ARGS__)
static const struct option_row up_rows[] = { UP_OPTIONS(ROW) CLI_ROWS_END };
#undef ROW
/* clang-format on */

enum { STOP_TIMEOUT_MS = 120000 };

/* Both daemons, and what their options point to. */
struct up {
	char *platform_state, *node_state, *token_file, *token;
	struct platform_options platform_options;
	struct node_options node_options;
	struct platform_daemon *platform;
	struct node_daemon *node;
};

static void up_done(struct up *up)
{
	platform_daemon_free(up->platform);
	node_daemon_free(up->node);
	free(up->platform_state);
	free(up->node_state);
	free(up->token_file);
	free(up->token);
}

/* What is unset stays the node's own default. */
static void set(const char **option, const char *value)
{
	if (value)
		*option = value;
}

static int set_node_options(struct up *up, const struct up_options *options, int argc, char **argv,
			    struct err *e)
{
	struct node_options *node = &up->node_options;
	int rest, r;

	r = options_parse(node_option_rows, node, argc, argv, &rest, e);
	if (r == 0 && rest > 0)
		return err_set(e, ERR_INVALID, "'%s' is not an option", argv[1]);
	if (r < 0)
		return r;
	node->listen = options->node_listen;
	node->challenges = options->challenges;
	node->state = up->node_state;
	if (options->capacity > 0)
		node->capacity = options->capacity;
	node->token_file = up->token_file;
	node->accept_clock = options->accept_clock;
	set(&node->engine, options->engine);
	set(&node->public_host, options->public_host);
	set(&node->bind, options->bind);
	set(&node->ports, options->ports);
	set(&node->subnets, options->subnets);
	set(&node->policy, options->policy);
	set(&node->isolation, options->isolation);
	return 0;
}

static int set_platform_options(struct up *up, const struct up_options *options, struct err *e)
{
	struct platform_options *platform = &up->platform_options;
	int rest, r;

	r = options_parse(platform_option_rows, platform, 0, NULL, &rest, e);
	if (r < 0)
		return r;
	platform->listen = options->listen;
	platform->challenges = options->challenges;
	platform->state = up->platform_state;
	platform->competition = options->competition;
	platform->registration = options->registration;
	platform->accept_clock = options->accept_clock;
	platform->new_database = options->new_database;
#define ROW(name, ...) platform->name = options->name;
	PLATFORM_ARCHIVE_OPTIONS(ROW)
	PLATFORM_OIDC_OPTIONS(ROW)
#undef ROW
	return 0;
}

/* The token that both sides know, made at the first start. */
static int prepare_token(struct up *up, struct err *e)
{
	char fresh[SECRET_TOKEN_SIZE];
	AUTO(char *, freep) line = NULL;
	int r = 0;

	if (!file_exists(up->token_file)) {
		secret_token(fresh);
		line = strf("%s\n", fresh);
		r = line ? file_write(up->token_file, line, strlen(line), 0600, e) : err_memory(e);
	}
	return r < 0 ? r : secret_read_file(up->token_file, &up->token, e);
}

/* argv[1..]: further options for the node. */
static int prepare(struct up *up, const struct up_options *options, int argc, char **argv,
		   struct err *e)
{
	int r;

	if (!options->state)
		return err_set(e, ERR_INVALID, "--state DIR is needed");
	up->platform_state = strf("%s/platform", options->state);
	up->node_state = strf("%s/node", options->state);
	up->token_file = strf("%s/node-token", options->state);
	if (!up->platform_state || !up->node_state || !up->token_file)
		return err_memory(e);
	r = secret_init(e);
	if (r == 0)
		r = dir_make(options->state, 0700, e);
	if (r == 0)
		r = prepare_token(up, e);
	if (r == 0)
		r = set_node_options(up, options, argc, argv, e);
	return r < 0 ? r : set_platform_options(up, options, e);
}

/* The node first: the platform learns its port before it makes its first call. */
static int start(struct up *up, struct err *e)
{
	char url[64];
	int r;

	r = node_daemon_start(&up->node_options, up->token, &up->node, e);
	if (r == 0)
		r = platform_daemon_new(&up->platform_options, &up->platform, e);
	if (r < 0)
		return r;
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", node_daemon_port(up->node));
	r = platform_daemon_add_node(up->platform, "local", url, up->token, e);
	return r < 0 ? r : platform_daemon_listen(up->platform, e);
}

static void welcome(const struct up *up, const struct up_options *options)
{
	printf("ctfy is up: http://127.0.0.1:%u\n"
	       "  challenges   %s\n"
	       "  admin token  %s/admin-token\n"
	       "  admin login  ctfy login admin --password-file %s/admin-password\n"
	       "  first steps  ctfy register NAME --team TEAM; ctfy challenges; ctfy start ID\n",
	       platform_daemon_port(up->platform), options->challenges, up->platform_state,
	       up->platform_state);
	fflush(stdout);
}

/* A second signal means now. */
static void *leave_at_once(void *cookie)
{
	const sigset_t *signals = cookie;
	int signal_number;

	sigwait(signals, &signal_number);
	fputs("ctfy up: left at once; the next start takes up what still runs\n", stderr);
	_exit(128 + signal_number);
}

static int stop_instances(struct up *up, struct err *e)
{
	size_t left;
	int r;

	log_info("stopping every instance");
	r = platform_daemon_stop_all(up->platform, STOP_TIMEOUT_MS, &left, e);
	if (r < 0)
		return r;
	if (left > 0)
		return err_set(e, ERR_NODE,
			       "%zu instances are not stopped yet; the next start goes on", left);
	/* And whatever the platform knows nothing of. */
	return node_daemon_clear(up->node, e);
}

static int end(struct up *up, const struct up_options *options, sigset_t *signals, struct err *e)
{
	pthread_t impatient;

	if (pthread_create(&impatient, NULL, leave_at_once, signals) == 0)
		pthread_detach(impatient);
	return options->keep ? 0 : stop_instances(up, e);
}

static enum log_format log_format_of(const char *word)
{
	return strcmp(word, "json") == 0   ? LOG_JSON
	       : strcmp(word, "text") == 0 ? LOG_TEXT
					   : LOG_AUTO;
}

static int run(const struct up_options *options, int argc, char **argv, struct err *e)
{
	AUTO(struct up, up_done) up = { .token = NULL };
	static sigset_t signals; /* outlives us in leave_at_once() */
	int signal_number, r;

	/* Blocked before the first thread is made, so that only we take them. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	r = prepare(&up, options, argc, argv, e);
	if (r == 0)
		r = start(&up, e);
	if (r < 0)
		return r;
	welcome(&up, options);
	sigwait(&signals, &signal_number);
	return end(&up, options, &signals, e);
}

static void print_help(void)
{
	puts("Usage: ctfy up --state DIR [--challenges DIR] [OPTION]... [-- NODE-OPTION...]\n\n"
	     "Runs platform and node on this machine, in one process. Ends with Ctrl-C, which\n"
	     "stops every instance first; a second Ctrl-C ends at once. What stands after \"--\"\n"
	     "is for the node: see ctfy node --help.\n");
	options_help(up_rows, stdout);
}

int cmd_up(int argc, char **argv)
{
	struct up_options options;
	struct err e = ERR_INIT;
	int rest, r;

	r = options_parse(up_rows, &options, argc, argv, &rest, &e);
	if (r < 0) {
		fprintf(stderr, "ctfy up: %s\n", e.msg);
		return CLI_USAGE;
	}
	if (options.help) {
		print_help();
		return CLI_OK;
	}
	log_open(log_format_of(options.log_format), LOG_INFO);
	r = run(&options, rest + 1, argv, &e);
	if (r < 0)
		fprintf(stderr, "ctfy up: %s\n", e.msg);
	return r < 0 ? CLI_FAILED : CLI_OK;
}
