/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `ctfy admin bulk`: one act on many accounts or teams at once. Without "expected N" it shows whom
 * it would meet and what it would do, and changes nothing.
 */
#ifndef CLI_ADMIN_BULK_H
#define CLI_ADMIN_BULK_H

struct cli;
struct err;

/* argv: users or teams, the act, and pairs of a filter and its value. */
int admin_bulk(struct cli *cli, char **argv, struct err *e);

#endif
