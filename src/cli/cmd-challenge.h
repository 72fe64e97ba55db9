/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `ctfy challenge`: lint, plan, test, import and new. They need no platform and no login.
 */
#ifndef CLI_CMD_CHALLENGE_H
#define CLI_CMD_CHALLENGE_H

/* argv[1] is the command's command. Returns the exit status, one of enum cli_status. */
int cmd_challenge(int argc, char **argv);

#endif
