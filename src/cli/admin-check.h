/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verbs of `ctfy admin` that put challenges to the test, on a node. argv: a challenge's id,
 * then a node's; either may be absent. They return an exit status or a negative code, as any
 * command.
 */
#ifndef CLI_ADMIN_CHECK_H
#define CLI_ADMIN_CHECK_H

struct cli;
struct err;

/* `ctfy challenge lint` of what a node has: of one challenge, or of all. */
int admin_lint(struct cli *cli, char **argv, struct err *e);

/* A test run of one challenge, followed to its end. */
int admin_test(struct cli *cli, char **argv, struct err *e);

#endif
