/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "base/secret.h"
#include "base/utf8.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/listing.h"
#include "cli/print.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* register, login, logout, me, password, token */

static void chomp(char *line)
{
	line[strcspn(line, "\r\n")] = '\0';
}

static struct termios shown; /* the terminal as it was before we hid what is typed */

/* Once: the signal's own end comes when this returns. */
static void show_and_end(int signal_number)
{
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	raise(signal_number);
}

static void hide_typing(void)
{
	static const int ends[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP };
	const struct sigaction action = { .sa_handler = show_and_end, .sa_flags = SA_RESETHAND };
	struct termios hidden = shown;

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		sigaction(ends[i], &action, NULL);
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
}

/* From the terminal, without showing it; where there is none, a line of standard input. */
static int ask_secret(const char *prompt, char **ret_secret, struct err *e)
{
	AUTO(char *, freep) line = NULL;
	bool terminal = tcgetattr(STDIN_FILENO, &shown) == 0;
	size_t room = 0;
	ssize_t len;

	if (terminal) {
		fputs(prompt, stderr);
		hide_typing();
	}
	len = getline(&line, &room, stdin);
	if (terminal) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
		fputc('\n', stderr);
	}
	if (len < 0)
		return err_set(e, ERR_INVALID, "no password was given");
	chomp(line);
	*ret_secret = TAKE(line);
	return 0;
}

static int read_password(const char *file, const char *prompt, char **ret_password, struct err *e)
{
	AUTO(char *, freep) password = NULL;
	int r = file ? secret_read_file(file, &password, e) : ask_secret(prompt, &password, e);

	if (r < 0)
		return r;
	if (!utf8_is_valid(password, strlen(password)))
		return err_set(e, ERR_INVALID, "the password is not in UTF-8: is the terminal?");
	*ret_password = TAKE(password);
	return 0;
}

/* clang-format off */
#define LOGIN_OPTIONS(ROW) \
	ROW(password_file, STRING, "FILE", NULL, "Read the password from a file's first line.")
#define REGISTER_OPTIONS(ROW) \
	LOGIN_OPTIONS(ROW) \
	ROW(team, STRING, "NAME", NULL, "Also create this team.") \
	ROW(invite, STRING, "CODE", NULL, "Also join the team with this invite.")
/* clang-format on */

struct login_options {
	struct cli_common common;
	LOGIN_OPTIONS(OPTION_MEMBER)
};

struct register_options {
	struct cli_common common;
	REGISTER_OPTIONS(OPTION_MEMBER)
};

/* clang-format off */
#define ROW(...) OPTION_ROW(struct login_options, __VA_ARGS__)
static const struct option_row login_rows[] = { LOGIN_OPTIONS(ROW) CLI_ROWS_END };
#undef ROW
#define ROW(...) OPTION_ROW(struct register_options, __VA_ARGS__)
static const struct option_row register_rows[] = { REGISTER_OPTIONS(ROW) CLI_ROWS_END };
#undef ROW
/* clang-format on */

/* The answer to a login, its token saved and left out. */
static int log_in(struct cli *cli, const char *name, const char *password, json_t **ret_session,
		  struct err *e)
{
	AUTO(json_t *, json_decrefp) body =
		json_make("{s:s, s:s}", "name", name, "password", password);
	const struct api_call call = {
		.method = "POST", .path = "/sessions", .body = body, .ret_json = ret_session
	};
	int r;

	if (!body)
		return err_memory(e);
	r = api_do(cli->api, &call, e);
	if (r == -ERR_UNAUTHORIZED) {
		e->code = ERR_INVALID;
		return -ERR_INVALID;
	}
	return r < 0 ? r : api_save_login(cli->api, name, text_of(*ret_session, "token"), e);
}

static int run_login(struct cli *cli, struct err *e)
{
	const struct login_options *options = cli->options;
	AUTO(char *, freep) password = NULL;
	AUTO(json_t *, json_decrefp) session = NULL;
	int r;

	r = read_password(options->password_file, "Password: ", &password, e);
	if (r == 0)
		r = log_in(cli, cli->argv[0], password, &session, e);
	if (r < 0)
		return r;
	if (cli->common->json)
		print_json(json_object_get(session, "user"));
	else
		printf("Logged in to %s as %s.\n", api_url(cli->api), cli->argv[0]);
	return CLI_OK;
}

/* With the token of the login just made: this one's API still has none. */
static int enter_team(struct cli *cli, const struct register_options *options,
		      const json_t *session, struct err *e)
{
	AUTO(json_t *, json_decrefp) body = options->team
						    ? json_make("{s:s}", "name", options->team)
						    : json_make("{s:s}", "invite", options->invite);
	AUTO(char *, freep) path = api_path(cli->api, options->team ? "/teams" : "/team/members");
	const struct api_call call = { .method = "POST", .path = path, .body = body };
	int r;

	(void)session;
	api_close(cli->api);
	cli->api = NULL;
	r = api_open(cli->common, &cli->api, e);
	return r < 0 ? r : api_do(cli->api, &call, e);
}

static int run_register(struct cli *cli, struct err *e)
{
	const struct register_options *options = cli->options;
	AUTO(char *, freep) password = NULL;
	AUTO(json_t *, json_decrefp) body = NULL;
	AUTO(json_t *, json_decrefp) session = NULL;
	struct api_call call = { .method = "POST", .path = "/users" };
	int r;

	r = read_password(options->password_file, "New password: ", &password, e);
	if (r < 0)
		return r;
	body = json_make("{s:s, s:s}", "name", cli->argv[0], "password", password);
	call.body = body;
	r = body ? api_do(cli->api, &call, e) : err_memory(e);
	if (r == 0)
		r = log_in(cli, cli->argv[0], password, &session, e);
	if (r < 0)
		return r;
	if ((options->team || options->invite) && enter_team(cli, options, session, e) < 0)
		return err_wrap(e, "you have an account now and are logged in, but are in no team");
	if (cli->common->json)
		print_json(json_object_get(session, "user"));
	else
		printf("Welcome, %s: you are logged in to %s.%s\n", cli->argv[0], api_url(cli->api),
		       options->team || options->invite ? ""
							: " Next: ctfy team create NAME, or ctfy "
							  "team join CODE.");
	return CLI_OK;
}

const struct cli_command cmd_register = {
	.name = "register",
	.arguments = "NAME",
	.summary = "Make an account, and log in.",
	.details = "Asks for the password, or reads it from a file or standard input.",
	.least = 1,
	.most = 1,
	.run = run_register,
	.options = register_rows,
	.options_size = sizeof(struct register_options),
};

const struct cli_command cmd_login = {
	.name = "login",
	.arguments = "NAME",
	.summary = "Log in; further commands are then yours.",
	.details = "Asks for the password, or reads it from a file or standard input. What the\n"
		   "platform gives back is kept in ~/.config/ctfy/config, readable by you alone.",
	.least = 1,
	.most = 1,
	.run = run_login,
	.options = login_rows,
	.options_size = sizeof(struct login_options),
};

static int run_logout(struct cli *cli, struct err *e)
{
	const struct api_call call = { .method = "DELETE", .path = "/sessions" };
	int r = api_has_token(cli->api) ? api_do(cli->api, &call, e) : 0;

	if (r < 0 && r != -ERR_UNAUTHORIZED)
		return r;
	r = api_save_login(cli->api, NULL, NULL, e);
	if (r == 0 && !cli->common->json)
		puts("Logged out.");
	return r;
}

const struct cli_command cmd_logout = {
	.name = "logout",
	.arguments = "",
	.summary = "Log out: the token is good for nothing from then on.",
	.run = run_logout,
};

static int run_me(struct cli *cli, struct err *e)
{
	AUTO(json_t *, json_decrefp) me = NULL;
	AUTO(char *, freep) path = api_path(cli->api, "/me");
	const json_t *team;
	int r = api_get(cli->api, path, &me, e);

	if (r < 0)
		return r;
	team = json_object_get(me, "team");
	if (cli->common->json) {
		print_json(me);
		return CLI_OK;
	}
	print_text(text_of(me, "name"));
	printf(" (%s) at %s, ", text_of(me, "role"), api_url(cli->api));
	print_text(json_is_object(team) ? "team " : "in no team yet");
	print_text(text_of(team, "name"));
	putchar('\n');
	return CLI_OK;
}

const struct cli_command cmd_me = {
	.name = "me",
	.arguments = "",
	.summary = "Show who you are.",
	.run = run_me,
};

/* clang-format off */
#define PASSWORD_OPTIONS(ROW) \
	ROW(old_password_file, STRING, "FILE", NULL, "Read the old password from a file.") \
	ROW(password_file, STRING, "FILE", NULL, "Read the new password from a file.")
/* clang-format on */

struct password_options {
	struct cli_common common;
	PASSWORD_OPTIONS(OPTION_MEMBER)
};

/* clang-format off */
#define ROW(...) OPTION_ROW(struct password_options, __VA_ARGS__)
static const struct option_row password_rows[] = { PASSWORD_OPTIONS(ROW) CLI_ROWS_END };
#undef ROW
/* clang-format on */

static int run_password(struct cli *cli, struct err *e)
{
	const struct password_options *options = cli->options;
	AUTO(char *, freep) old_password = NULL;
	AUTO(char *, freep) password = NULL;
	AUTO(json_t *, json_decrefp) body = NULL;
	struct api_call call = { .method = "PUT", .path = "/me/password" };
	int r;

	r = read_password(options->old_password_file, "Old password: ", &old_password, e);
	if (r == 0)
		r = read_password(options->password_file, "New password: ", &password, e);
	if (r < 0)
		return r;
	body = json_make("{s:s, s:s}", "old_password", old_password, "password", password);
	call.body = body;
	r = body ? api_do(cli->api, &call, e) : err_memory(e);
	if (r == 0 && !cli->common->json)
		puts("Changed. Your other logins and tokens are ended.");
	return r;
}

const struct cli_command cmd_password = {
	.name = "password",
	.arguments = "",
	.summary = "Change your password.",
	.run = run_password,
	.options = password_rows,
	.options_size = sizeof(struct password_options),
};

static void add_token(struct table *table, const json_t *token)
{
	char span[SPAN_SIZE];
	const char *expires = span_of(token, "expires_at", span);

	table_add(table, text_of(token, "id"), text_of(token, "name"),
		  *expires ? expires : "never");
}

static int list_tokens(struct cli *cli, struct err *e)
{
	static const char *const headings[] = { "ID", "NAME", "EXPIRES", NULL };
	static const struct listing listing = { "tokens", headings, add_token,
						"You have no tokens." };

	return listing_print(cli, "/me/tokens", &listing, e);
}

static int create_token(struct cli *cli, const char *name, struct err *e)
{
	AUTO(json_t *, json_decrefp) body = json_make("{s:s}", "name", name);
	AUTO(json_t *, json_decrefp) token = NULL;
	const struct api_call call = {
		.method = "POST", .path = "/me/tokens", .body = body, .ret_json = &token
	};
	int r = body ? api_do(cli->api, &call, e) : err_memory(e);

	if (r < 0)
		return r;
	if (cli->common->json)
		print_json(token);
	else
		puts(text_of(token, "token"));
	return CLI_OK;
}

static int revoke_token(struct cli *cli, const char *id, struct err *e)
{
	AUTO(char *, freep) path = api_path(cli->api, "/me/tokens/%s", id);
	const struct api_call call = { .method = "DELETE", .path = path };

	return path ? api_do(cli->api, &call, e) : err_memory(e);
}

static int run_token(struct cli *cli, struct err *e)
{
	if (cli->argc == 0)
		return list_tokens(cli, e);
	if (cli->argc == 2 && strcmp(cli->argv[0], "create") == 0)
		return create_token(cli, cli->argv[1], e);
	if (cli->argc == 2 && strcmp(cli->argv[0], "revoke") == 0)
		return revoke_token(cli, cli->argv[1], e);
	return CLI_MISUSE(e, "either create NAME or revoke ID, or nothing for a list");
}

const struct cli_command cmd_token = {
	.name = "token",
	.arguments = "[create NAME|revoke ID]",
	.summary = "List, make and end API tokens, for programs.",
	.details = "A token that is made is printed once; nobody can show it again.",
	.most = 2,
	.run = run_token,
};
