/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a relay may ask the kernel for once it listens: to move bytes, to write at the end of its
 * file, to look at the time. No file is opened after this, nothing is run, no memory becomes code.
 */
#ifndef RELAY_JAIL_H
#define RELAY_JAIL_H

struct err;

/* For the whole process and for good: any other call ends it. */
int jail_enter(struct err *e);

#endif
