/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets of an instance: one tcpdump for each of its networks, on the bridge itself, where it sees
 * all that services, players, agents and the VPN say to each other, whatever restarts meanwhile.
 *
 * A capture is bounded: of each network the first 64 MB and the newest 192 MB stay, and what went
 * from between is counted. It is read merged in the order of time, at any moment.
 */
#ifndef NODE_CAPTURE_H
#define NODE_CAPTURE_H

#include <stddef.h>

struct capture;
struct compose;
struct err;
struct node;

/* Begins on all networks of the instance, which are there; it hears the first packet after this. */
int capture_start(const struct compose *compose, struct err *e);

/* Fails with NOT_FOUND (no such instance, or nothing was captured). */
int capture_open(struct node *node, const char *instance_id, struct capture **ret_capture,
		 struct err *e);
/* Of the pcap files in a directory, whatever they hold. Fails with NOT_FOUND (there is none). */
int capture_open_dir(const char *path, struct capture **ret_capture, struct err *e);
void capture_close(struct capture *capture);
static inline void capture_closep(struct capture **capture)
{
	capture_close(*capture);
}

/* Receives a part of the capture. A failure ends the reading with that error. */
typedef int capture_sink(void *cookie, const void *bytes, size_t len, struct err *e);

/* The whole as one pcap file, up to the last packet that was complete when it was opened. */
int capture_read(struct capture *capture, capture_sink *sink, void *cookie, struct err *e);

#endif
