/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/option.h"
#include "base/own.h"
#include "cli/admin-bulk.h"
#include "cli/admin-check.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/listing.h"
#include "cli/print.h"
#include "http/call.h"

#include <stdio.h>
#include <string.h>

/* What organisers do: a table of verbs of its own. */

struct verb {
	const char *words; /* as they are typed: "competition apply" */
	const char *arguments;
	const char *summary;
	int least, most; /* most -1: any number */
	int (*run)(struct cli *cli, char **argv, struct err *e);
};

static int list(struct cli *cli, const char *route, const struct listing *listing, struct err *e)
{
	AUTO(char *, freep) path = api_path(cli->api, route);

	return listing_print(cli, path, listing, e);
}

static const char *decimal(const json_t *object, const char *name, char text[32])
{
	snprintf(text, 32, "%lld", (long long)number_of(object, name));
	return text;
}

static void add_node(struct table *table, const json_t *node)
{
	char running[32], capacity[32], span[SPAN_SIZE];

	table_add(table, text_of(node, "name"),
		  is_true(node, "drained") ? "drained" : text_of(node, "state"),
		  decimal(node, "running", running), decimal(node, "capacity", capacity),
		  span_of(node, "seen_at", span), text_of(node, "engine"), text_of(node, "detail"),
		  text_of(node, "url"), text_of(node, "id"));
}

static int show_nodes(struct cli *cli, char **argv, struct err *e)
{
	static const char *const headings[] = { "NAME",   "STATE",  ">RUNNING", ">CAPACITY", "SEEN",
						"ENGINE", "DETAIL", "URL",      "ID",        NULL };
	static const struct listing listing = { "nodes", headings, add_node,
						"No node is registered yet: ctfy join" };

	(void)argv;
	return list(cli, "/admin/nodes", &listing, e);
}

static void add_instance(struct table *table, const json_t *row)
{
	const json_t *first = json_array_get(json_object_get(row, "endpoints"), 0);
	char span[SPAN_SIZE];

	table_add(table, text_of(row, "id"), text_of(row, "challenge_id"), text_of(row, "team"),
		  text_of(row, "node"), text_of(row, "status"), span_of(row, "expires_at", span),
		  text_of(first, "command"), text_of(row, "cause"));
}

static int show_instances(struct cli *cli, char **argv, struct err *e)
{
	static const char *const headings[] = { "ID",   "CHALLENGE", "TEAM",   "NODE", "STATUS",
						"ENDS", "CONNECT",   "DETAIL", NULL };
	static const struct listing listing = { "instances", headings, add_instance,
						"No instances." };

	(void)argv;
	return list(cli, "/admin/instances", &listing, e);
}

static void add_user(struct table *table, const json_t *user)
{
	char span[SPAN_SIZE];

	table_add(table, text_of(user, "name"), text_of(user, "role"),
		  is_true(user, "disabled") ? "yes" : "", span_of(user, "created_at", span),
		  text_of(user, "id"));
}

static int show_users(struct cli *cli, char **argv, struct err *e)
{
	static const char *const headings[] = { "NAME", "ROLE", "DISABLED", "SINCE", "ID", NULL };
	static const struct listing listing = { "users", headings, add_user, "No accounts." };

	(void)argv;
	return list(cli, "/admin/users", &listing, e);
}

static void add_team(struct table *table, const json_t *team)
{
	char span[SPAN_SIZE];

	table_add(table, text_of(team, "name"), span_of(team, "created_at", span),
		  text_of(team, "id"));
}

static int show_teams(struct cli *cli, char **argv, struct err *e)
{
	static const char *const headings[] = { "NAME", "SINCE", "ID", NULL };
	static const struct listing listing = { "teams", headings, add_team, "No teams." };

	(void)argv;
	return list(cli, "/admin/teams", &listing, e);
}

static void add_submission(struct table *table, const json_t *row)
{
	char span[SPAN_SIZE];

	table_add(table, span_of(row, "submitted_at", span), text_of(row, "team"),
		  text_of(row, "challenge_id"), text_of(row, "question_id"),
		  text_of(row, "verdict"), text_of(row, "answer"), text_of(row, "other_team"),
		  text_of(row, "id"));
}

static int show_submissions(struct cli *cli, char **argv, struct err *e)
{
	static const char *const headings[] = { "WHEN",       "TEAM",    "CHALLENGE",
						"QUESTION",   "VERDICT", "ANSWER",
						"OTHER TEAM", "ID",      NULL };
	static const struct listing listing = { "submissions", headings, add_submission,
						"Nothing was handed in yet." };

	(void)argv;
	return list(cli, "/admin/submissions", &listing, e);
}

static void add_competition(struct table *table, const json_t *row)
{
	table_add(table, text_of(row, "id"), text_of(row, "name"), text_of(row, "starts_at"),
		  text_of(row, "ends_at"), text_of(row, "registration"));
}

static int show_competitions(struct cli *cli, char **argv, struct err *e)
{
	static const char *const headings[] = {
		"ID", "NAME", "STARTS", "ENDS", "REGISTRATION", NULL
	};
	static const struct listing listing = { "competitions", headings, add_competition,
						"No competitions." };

	(void)argv;
	return list(cli, "/competitions", &listing, e);
}

/*
 * Sends, and prints the answer where JSON is wanted; else what was done, or, where that is NULL,
 * one member of the answer.
 */
static int act_and_tell(struct cli *cli, const struct api_call *wanted, const char *done,
			const char *member, struct err *e)
{
	AUTO(json_t *, json_decrefp) answer = NULL;
	struct api_call call = *wanted;
	int r;

	call.ret_json = &answer;
	r = call.path ? api_do(cli->api, &call, e) : err_memory(e);
	if (r < 0)
		return r;
	if (cli->common->json)
		print_json(answer);
	else
		puts(done ? done : text_of(answer, member));
	return CLI_OK;
}

static int act(struct cli *cli, const struct api_call *wanted, const char *done, struct err *e)
{
	return act_and_tell(cli, wanted, done, NULL, e);
}

static int judge_submission(struct cli *cli, char **argv, struct err *e)
{
	AUTO(char *, freep) path = api_path(cli->api, "/admin/submissions/%s", argv[0]);
	AUTO(json_t *, json_decrefp) body = json_make("{s:s}", "verdict", argv[1]);

	return act_and_tell(cli,
			    &(struct api_call){ .method = "PATCH", .path = path, .body = body },
			    NULL, "verdict", e);
}

static int remove_node(struct cli *cli, char **argv, struct err *e)
{
	AUTO(char *, freep) path = api_path(cli->api, "/admin/nodes/%s", argv[0]);

	return act(cli, &(struct api_call){ .method = "DELETE", .path = path }, "Removed.", e);
}

static int drain_node(struct cli *cli, char **argv, struct err *e)
{
	AUTO(char *, freep) path = api_path(cli->api, "/admin/nodes/%s/drain", argv[0]);

	return act(cli, &(struct api_call){ .method = "POST", .path = path },
		   "It gets no new instances.", e);
}

static int undrain_node(struct cli *cli, char **argv, struct err *e)
{
	AUTO(char *, freep) path = api_path(cli->api, "/admin/nodes/%s/undrain", argv[0]);

	return act(cli, &(struct api_call){ .method = "POST", .path = path },
		   "It gets new instances again.", e);
}

static int revoke_node(struct cli *cli, char **argv, struct err *e)
{
	AUTO(char *, freep) path = api_path(cli->api, "/admin/nodes/%s/token", argv[0]);

	return act(cli, &(struct api_call){ .method = "DELETE", .path = path },
		   "Its token is good for nothing any more.", e);
}

static int rotate_node(struct cli *cli, char **argv, struct err *e)
{
	AUTO(char *, freep) path = api_path(cli->api, "/admin/nodes/%s/token", argv[0]);

	return act_and_tell(cli, &(struct api_call){ .method = "POST", .path = path }, NULL,
			    "token", e);
}

static int make_join_secret(struct cli *cli, char **argv, struct err *e)
{
	int nodes = cli->argc - 2; /* besides the verb and NAME */
	AUTO(json_t *, json_decrefp) body =
		json_make("{s:s, s:b, s:[]}", "name", argv[0], "single_use", nodes == 0, "nodes");

	for (int i = 0; i < nodes; i++)
		if (json_array_append_new(json_object_get(body, "nodes"), json_text(argv[1 + i])) <
		    0)
			return CLI_MISUSE(e, "'%s' is no name of a node", argv[1 + i]);
	return act_and_tell(cli,
			    &(struct api_call){
				    .method = "POST", .path = "/admin/join-secrets", .body = body },
			    NULL, "join_secret", e);
}

enum { STOP_WAIT_S = 60 };

static int stop_instance(struct cli *cli, char **argv, struct err *e)
{
	AUTO(char *, freep) path = api_path(cli->api, "/admin/instances/%s", argv[0]);

	return act(cli,
		   &(struct api_call){ .method = "DELETE", .path = path, .wait_s = STOP_WAIT_S },
		   "Stopped.", e);
}

static void print_fact(const char *name, const char *value)
{
	if (!*value)
		return;
	printf("  %-10s ", name);
	print_text(value);
	putchar('\n');
}

static void print_instance(const json_t *row)
{
	char began[SPAN_SIZE], ends[SPAN_SIZE], ended[SPAN_SIZE];
	json_t *endpoint;
	size_t i;

	printf("%s is %s\n", text_of(row, "challenge_id"), text_of(row, "status"));
	print_fact("team", text_of(row, "team"));
	print_fact("started by", text_of(row, "user"));
	print_fact("node", text_of(row, "node"));
	print_fact("there as", text_of(row, "copy_id"));
	print_fact("begun", span_of(row, "created_at", began));
	if (strcmp(text_of(row, "status"), "running") == 0)
		print_fact("ends", span_of(row, "expires_at", ends));
	print_fact("ended", span_of(row, "ended_at", ended));
	print_fact("cause", text_of(row, "cause"));
	json_array_foreach (json_object_get(row, "endpoints"), i, endpoint)
		print_fact(text_of(endpoint, "service"), text_of(endpoint, "command"));
}

static int show_instance(struct cli *cli, char **argv, struct err *e)
{
	AUTO(char *, freep) path = api_path(cli->api, "/admin/instances/%s", argv[0]);
	AUTO(json_t *, json_decrefp) row = NULL;
	int r = path ? api_get(cli->api, path, &row, e) : err_memory(e);

	if (r < 0)
		return r;
	if (cli->common->json)
		print_json(row);
	else
		print_instance(row);
	return CLI_OK;
}

/* INSTANCE_ID TIME */
static int extend_instance(struct cli *cli, char **argv, struct err *e)
{
	AUTO(char *, freep) path = api_path(cli->api, "/admin/instances/%s", argv[0]);
	AUTO(json_t *, json_decrefp) body = NULL;
	int64_t ms;

	if (!option_duration(argv[1], &ms) || ms < 1000)
		return CLI_MISUSE(e, "'%s' is no time: 30m and 2h are", argv[1]);
	body = json_make("{s:I}", "extend", (json_int_t)(ms / 1000));
	return act(cli, &(struct api_call){ .method = "PATCH", .path = path, .body = body },
		   "It has so much more time, and its team was told.", e);
}

static const struct download {
	const char *what; /* as it is typed, and in the path */
	const char *query;
} downloads[] = {
	{ "container-logs", "" }, { "traffic", "format=har" }, { "pcap", "" },
	{ "evidence", "" },       { "timeline", "" },
};

/* INSTANCE_ID WHAT FILE */
static int save_of_instance(struct cli *cli, char **argv, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(downloads); i++) {
		AUTO(char *, freep) path = NULL;
		AUTO(char *, freep) whole = NULL;

		if (strcmp(downloads[i].what, argv[1]) != 0)
			continue;
		path = api_path(cli->api, "/admin/instances/%s/%s", argv[0], argv[1]);
		whole = path ? strf("%s%c%s", path, strchr(path, '?') ? '&' : '?',
				    downloads[i].query)
			     : NULL;
		return whole ? api_download(cli->api, whole, argv[2], e) : err_memory(e);
	}
	return CLI_MISUSE(e, "'%s' is none of container-logs, traffic, pcap, evidence, timeline",
			  argv[1]);
}

static bool is_archive_filter(const char *word)
{
	static const char *const filters[] = { "team", "challenge", "instance", "submission" };

	for (size_t i = 0; i < ARRAY_SIZE(filters); i++)
		if (strcmp(filters[i], word) == 0)
			return true;
	return false;
}

/* FILTER ID... as a query. */
static int archives_route(const struct cli *cli, char **argv, struct buf *ret_route, struct err *e)
{
	int words = cli->argc - 1;

	buf_puts(ret_route, "/admin/archives");
	for (int i = 0; i < words; i += 2) {
		if (i + 1 == words || !is_archive_filter(argv[i]))
			return CLI_MISUSE(e, "after 'archives' come pairs of 'team', 'challenge', "
					     "'instance' or 'submission' and an id");
		buf_printf(ret_route, "%c%s=", i ? '&' : '?', argv[i]);
		http_escape(ret_route, argv[i + 1]);
	}
	return buf_check(ret_route, e);
}

static void add_archive(struct table *table, const json_t *row)
{
	char span[SPAN_SIZE], size[32];

	table_add(table, text_of(row, "id"), text_of(row, "challenge_id"), text_of(row, "team"),
		  span_of(row, "ended_at", span), text_of(row, "status"),
		  decimal(row, "size", size), text_of(row, "detail"));
}

static int show_archives(struct cli *cli, char **argv, struct err *e)
{
	static const char *const headings[] = { "ID",     "CHALLENGE", "TEAM",   "ENDED",
						"STATUS", ">BYTES",    "DETAIL", NULL };
	static const struct listing listing = { "archives", headings, add_archive,
						"Nothing was kept yet." };
	AUTO(struct buf, buf_done) route = BUF_INIT;
	int r = archives_route(cli, argv, &route, e);

	return r < 0 ? r : list(cli, route.data, &listing, e);
}

/* ARCHIVE_ID NAME FILE */
static int save_of_archive(struct cli *cli, char **argv, struct err *e)
{
	AUTO(char *, freep) path = api_path(cli->api, "/admin/archives/%s/%s", argv[0], argv[1]);

	return path ? api_download(cli->api, path, argv[2], e) : err_memory(e);
}

static int set_role(struct cli *cli, char **argv, struct err *e)
{
	AUTO(char *, freep) path = api_path(cli->api, "/admin/users/%s", argv[0]);
	AUTO(json_t *, json_decrefp) body = json_make("{s:s}", "role", argv[1]);

	return act(cli, &(struct api_call){ .method = "PATCH", .path = path, .body = body },
		   "Changed.", e);
}

static int set_disabled(struct cli *cli, const char *user, bool disabled, struct err *e)
{
	AUTO(char *, freep) path = api_path(cli->api, "/admin/users/%s", user);
	AUTO(json_t *, json_decrefp) body = json_make("{s:b}", "disabled", disabled);

	return act(cli, &(struct api_call){ .method = "PATCH", .path = path, .body = body },
		   disabled ? "Disabled." : "Enabled.", e);
}

static int disable_user(struct cli *cli, char **argv, struct err *e)
{
	return set_disabled(cli, argv[0], true, e);
}

static int enable_user(struct cli *cli, char **argv, struct err *e)
{
	return set_disabled(cli, argv[0], false, e);
}

static void print_faults(const json_t *faults, const char *what)
{
	const json_t *fault;
	size_t i;

	json_array_foreach (faults, i, fault) {
		printf("  %s%s: ", text_of(fault, "path"), what);
		print_text(text_of(fault, "detail"));
		putchar('\n');
	}
}

static void print_rescan(const char *who, const json_t *rescan)
{
	printf("%s: %lld challenges, %zu added, %zu removed\n", who,
	       (long long)number_of(rescan, "total"),
	       json_array_size(json_object_get(rescan, "added")),
	       json_array_size(json_object_get(rescan, "removed")));
	print_faults(json_object_get(rescan, "errors"), "");
	print_faults(json_object_get(rescan, "unstartable"), " would not start");
}

static int rescan(struct cli *cli, char **argv, struct err *e)
{
	AUTO(json_t *, json_decrefp) report = NULL;
	const struct api_call call = { .method = "POST",
				       .path = "/admin/challenges/rescan",
				       .ret_json = &report };
	json_t *node;
	size_t i;
	int r = api_do(cli->api, &call, e);

	(void)argv;
	if (r < 0)
		return r;
	if (cli->common->json) {
		print_json(report);
		return CLI_OK;
	}
	print_rescan("platform", json_object_get(report, "platform"));
	json_array_foreach (json_object_get(report, "nodes"), i, node) {
		const json_t *said = json_object_get(node, "rescan");

		if (said)
			print_rescan(text_of(node, "node"), said);
		else
			printf("%s: %s\n", text_of(node, "node"), text_of(node, "detail"));
	}
	return CLI_OK;
}

/* One line per node: how many challenges it queued, or why it did not. */
static int warm(struct cli *cli, const char *what, struct err *e)
{
	AUTO(char *, freep) route = strf("/admin/challenges/%s", what);
	AUTO(char *, freep) path = route ? api_path(cli->api, route) : NULL;
	AUTO(json_t *, json_decrefp) report = NULL;
	const struct api_call call = { .method = "POST", .path = path, .ret_json = &report };
	json_t *node;
	size_t i;
	int r = path ? api_do(cli->api, &call, e) : err_memory(e);

	if (r < 0)
		return r;
	if (cli->common->json) {
		print_json(report);
		return CLI_OK;
	}
	json_array_foreach (json_object_get(report, "nodes"), i, node) {
		const json_t *said = json_object_get(node, what);

		if (said)
			printf("%s: %zu queued, %zu in progress\n", text_of(node, "node"),
			       json_array_size(json_object_get(said, "queued")),
			       json_array_size(json_object_get(said, "skipped_in_progress")));
		else
			printf("%s: %s\n", text_of(node, "node"), text_of(node, "detail"));
	}
	return CLI_OK;
}

static int build(struct cli *cli, char **argv, struct err *e)
{
	(void)argv;
	return warm(cli, "build", e);
}

static int pull(struct cli *cli, char **argv, struct err *e)
{
	(void)argv;
	return warm(cli, "pull", e);
}

static void add_images(struct table *table, const char *node, const char *kind, const json_t *rows)
{
	json_t *row;
	size_t i;

	json_array_foreach (rows, i, row)
		table_add(table, node, text_of(row, "challenge_id"), kind, text_of(row, "status"),
			  text_of(row, "image"), text_of(row, "error"));
}

static void add_node_images(struct table *table, const json_t *node)
{
	const json_t *images = json_object_get(node, "images");
	const char *name = text_of(node, "node");

	if (!images)
		table_add(table, name, "", "", "", "", text_of(node, "detail"));
	add_images(table, name, "build", json_object_get(images, "builds"));
	add_images(table, name, "pull", json_object_get(images, "pulls"));
}

static int show_images(struct cli *cli, char **argv, struct err *e)
{
	static const char *const headings[] = { "NODE",  "CHALLENGE", "KIND", "STATUS",
						"IMAGE", "DETAIL",    NULL };
	static const struct listing listing = { "nodes", headings, add_node_images,
						"No node is registered yet: ctfy join" };

	(void)argv;
	return list(cli, "/admin/challenges/images", &listing, e);
}

static const struct verb verbs[] = {
	{ "nodes", "", "List the nodes and how they are.", 0, 0, show_nodes },
	{ "node remove", "NODE_ID", "Forget a node that has no instances.", 1, 1, remove_node },
	{ "node drain", "NODE_ID", "Give it no new instances.", 1, 1, drain_node },
	{ "node undrain", "NODE_ID", "Give it new ones again.", 1, 1, undrain_node },
	{ "node rotate", "NODE_ID", "Print a new token, instead of the one it has.", 1, 1,
	  rotate_node },
	{ "node revoke", "NODE_ID", "End its token; it has to join again.", 1, 1, revoke_node },
	{ "join-secret", "NAME [NODE]...",
	  "Print a secret that one node may join with, or those named: 'rack-*'.", 1, -1,
	  make_join_secret },
	{ "instances", "", "List all teams' instances.", 0, 0, show_instances },
	{ "instance show", "INSTANCE_ID", "Show one.", 1, 1, show_instance },
	{ "instance extend", "INSTANCE_ID TIME", "Give it more time: 30m, 2h.", 2, 2,
	  extend_instance },
	{ "instance stop", "INSTANCE_ID", "Stop one.", 1, 1, stop_instance },
	{ "instance save", "INSTANCE_ID WHAT FILE", "Its traffic, pcap, evidence...", 3, 3,
	  save_of_instance },
	{ "archives", "[FILTER ID]...", "List what was kept, of a team, challenge, submission...",
	  0, 8, show_archives },
	{ "archive save", "ARCHIVE_ID NAME FILE", "A file of one: logs.txt...", 3, 3,
	  save_of_archive },
	{ "users", "", "List the accounts.", 0, 0, show_users },
	{ "user role", "USER_ID player|organiser|admin", "Change a role.", 2, 2, set_role },
	{ "user disable", "USER_ID", "Lock an account out.", 1, 1, disable_user },
	{ "user enable", "USER_ID", "Let it in again.", 1, 1, enable_user },
	{ "teams", "", "List the teams.", 0, 0, show_teams },
	{ "bulk", "users|teams ACT [FILTER VALUE]...",
	  "One act on many: disable, enable, delete; hide, show, stop, delete.", 2, -1,
	  admin_bulk },
	{ "submissions", "", "List what was handed in, and whose it was.", 0, 0, show_submissions },
	{ "judge", "SUBMISSION_ID correct|wrong", "Judge an answer that was held.", 2, 2,
	  judge_submission },
	{ "competitions", "", "List the competitions.", 0, 0, show_competitions },
	{ "build", "", "Build the challenges' images on every node.", 0, 0, build },
	{ "pull", "", "Pull them.", 0, 0, pull },
	{ "images", "", "List how far every node is with them.", 0, 0, show_images },
	{ "lint", "[CHALLENGE_ID [NODE_ID]]", "What is wrong with challenges, as a node has them.",
	  0, 2, admin_lint },
	{ "test", "CHALLENGE_ID [NODE_ID]", "Have a node try a challenge with its own solver.", 1,
	  2, admin_test },
	{ "rescan", "", "Read the challenge folders again, here and on every node.", 0, 0, rescan },
};

/* How many of argv's words are the verb's; 0: it is another. */
static int match(const struct verb *verb, int argc, char **argv)
{
	const char *words = verb->words;
	int used = 0;

	while (*words) {
		size_t len = strcspn(words, " ");

		if (used >= argc || strlen(argv[used]) != len ||
		    strncmp(argv[used], words, len) != 0)
			return 0;
		used++;
		words += len + (words[len] == ' ');
	}
	return used;
}

static int print_verbs(void)
{
	puts("Usage: ctfy admin VERB [ARGUMENT]...\n");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		char left[64];

		snprintf(left, sizeof(left), "%s %s", verbs[i].words, verbs[i].arguments);
		printf("  %-44s%s\n", left, verbs[i].summary);
	}
	return CLI_USAGE;
}

static int run_admin(struct cli *cli, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		int used = match(&verbs[i], cli->argc, cli->argv);
		int rest = cli->argc - used;

		if (used == 0)
			continue;
		if (rest < verbs[i].least || (verbs[i].most >= 0 && rest > verbs[i].most))
			return CLI_MISUSE(e, "it is: ctfy admin %s %s", verbs[i].words,
					  verbs[i].arguments);
		return verbs[i].run(cli, cli->argv + used, e);
	}
	if (cli->argc > 0)
		return CLI_MISUSE(e, "there is no verb '%s' of that form: see ctfy admin",
				  cli->argv[0]);
	return print_verbs();
}

const struct cli_command cmd_admin = {
	.name = "admin",
	.arguments = "VERB [ARGUMENT]...",
	.summary = "What organisers do: nodes, instances, users, competitions.",
	.details = "Without a verb, lists them all.",
	.most = -1,
	.run = run_admin,
};
