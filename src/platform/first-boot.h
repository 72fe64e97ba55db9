/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a platform has from its first start on: an admin, a join secret, a competition.
 */
#ifndef PLATFORM_FIRST_BOOT_H
#define PLATFORM_FIRST_BOOT_H

struct platform;
struct err;

/*
 * Where there is no admin, makes one ("admin") and leaves its token and password in the state
 * directory, 0600, as admin-token and admin-password.
 */
int first_boot_admin(struct platform *platform, struct err *e);

/* Reads the join secret, or makes one in the state directory as join-secret, 0600. */
int first_boot_join_secret(struct platform *platform, struct err *e);

/* Applies --competition; without, and where none is known, one of all challenges that runs now. */
int first_boot_competition(struct platform *platform, struct err *e);

#endif
