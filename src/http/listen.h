/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket clients connect to, and the thread that hands their connections to libmicrohttpd; in
 * between it ends those whose patience is over.
 *
 * libmicrohttpd would accept by itself, but can't safely be told to stop accepting while it goes on
 * answering: MHD_quiesce_daemon() of a thread pool may race with its threads and abort.
 */
#ifndef HTTP_LISTEN_H
#define HTTP_LISTEN_H

#include <microhttpd.h>
#include <stdint.h>

struct err;
struct listener;
struct networks;
struct patience;

/* Binds "host:port", or "unix:///path", which must not exist. Fails with INVALID (the address) or
 * CONNECT (it can't be had). */
int listener_new(const char *address, struct listener **ret_listener, struct err *e);
void listener_free(struct listener *listener); /* stops first */
uint16_t listener_port(const struct listener *listener);

/*
 * Until it is stopped, borrows them. With `proxies`, connections are accepted from these alone, and
 * have to begin with a PROXY header, which says whose they are; NULL: they are anybody's.
 */
int listener_start(struct listener *listener, struct MHD_Daemon *daemon, struct patience *patience,
		   const struct networks *proxies, struct err *e);
/* No connection is accepted after it. */
void listener_stop(struct listener *listener);

#endif
