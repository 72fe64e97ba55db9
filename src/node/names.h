/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer to every question for a name that a closed instance has to ask outside: there is no
 * such name (NXDOMAIN), at once.
 *
 * Docker's embedded name server knows an instance's services, and sends other questions to the name
 * server it was given. Where nobody answers there, it says nothing, and whoever asked waits for 10
 * seconds: sshd for the name of its client, a web application for a host in a URL. So closed
 * networks' packets to port 53 are redirected to this one (node/firewall.h), over UDP and TCP.
 * Nothing that is asked is kept, or passed on to anybody.
 */
#ifndef NODE_NAMES_H
#define NODE_NAMES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct names;

/* The longest question that is read: a header, one name, and what EDNS adds. */
enum { NAMES_MESSAGE_MAX = 1232 };

/*
 * The answer to a question of len bytes, of at most NAMES_MESSAGE_MAX; its length, or 0: this is
 * none that gets an answer.
 */
size_t names_answer(const uint8_t *question, size_t len, uint8_t answer[NAMES_MESSAGE_MAX]);

/* Listens on a port of its choice, on a thread of its own. Fails with INTERNAL. */
int names_open(struct names **ret_names, struct err *e);
uint16_t names_port(const struct names *names);
void names_close(struct names *names);

#endif
