/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An agent's way to the platform, out of a network that has none: a sidecar there takes its
 * requests and hands them to the node through a socket in the file system, and the node asks the
 * platform what a token for that one instance may ask, and nothing else.
 *
 * The platform's token stays with the node. The agent has one of its own, good for its uplink
 * alone: whoever reads it in a recording has nothing of it, nor has anything else in the network.
 */
#ifndef NODE_UPLINK_H
#define NODE_UPLINK_H

struct err;
struct node;
struct uplink;

/* What a node that was killed has left of them, before it opens any. */
int uplinks_sweep(const struct node *node, struct err *e);

struct uplink_options {
	const char *instance_id;
	const char *run_id; /* the agent's */
	const char *network;
	const char *platform_url, *platform_token;
};

/*
 * The agent's container can be made next. Fails with INVALID (the URL), CONNECT (the socket),
 * NOT_FOUND (the image's folder) or ENGINE.
 */
int uplink_open(struct node *node, const struct uplink_options *options, struct uplink **ret_uplink,
		struct err *e);
/* Borrowed: "http://ctfy-uplink-...", and what it takes as Authorization: Bearer. */
const char *uplink_url(const struct uplink *uplink);
const char *uplink_token(const struct uplink *uplink);
void uplink_close(struct uplink *uplink);
static inline void uplink_closep(struct uplink **uplink)
{
	uplink_close(*uplink);
}

#endif
