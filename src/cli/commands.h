/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands, each in the file of its name: cmd-NAME.c.
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/cli.h"

/* Running ctfy */
int cmd_up(int argc, char **argv);
extern const struct cli_command cmd_join;

/* Playing */
extern const struct cli_command cmd_register;
extern const struct cli_command cmd_login;
extern const struct cli_command cmd_logout;
extern const struct cli_command cmd_me;
extern const struct cli_command cmd_password;
extern const struct cli_command cmd_token;
extern const struct cli_command cmd_team;
extern const struct cli_command cmd_challenges;
extern const struct cli_command cmd_show;
extern const struct cli_command cmd_attachments;
extern const struct cli_command cmd_start;
extern const struct cli_command cmd_status;
extern const struct cli_command cmd_renew;
extern const struct cli_command cmd_stop;
extern const struct cli_command cmd_submit;
extern const struct cli_command cmd_submissions;
extern const struct cli_command cmd_scoreboard;

/* Organising */
extern const struct cli_command cmd_evidence;
extern const struct cli_command cmd_admin;
extern const struct cli_command cmd_shell;
extern const struct cli_command cmd_agent;
extern const struct cli_command cmd_competition;

#endif
