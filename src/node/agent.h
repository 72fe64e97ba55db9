/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attaching an agent to an instance: where the recorder is, whom to trust, and what the engine
 * calls the network. An agent is any container that joins that network; those that carry the labels
 * given here end with the instance, others are only put out of its network.
 */
#ifndef NODE_AGENT_H
#define NODE_AGENT_H

struct agent_runtime;
struct err;
struct node;

/* Where agents put the recorder's authority; the environment points there. */
#define AGENT_CA_PATH "/etc/ctfy/ca.pem"

/*
 * Fails with NOT_FOUND, CONFLICT (the instance doesn't run), or UNAVAILABLE (the proxy is not
 * there within seconds). ret_runtime is fields_done()'s to end.
 */
int agent_runtime(struct node *node, const char *instance_id, struct agent_runtime *ret_runtime,
		  struct err *e);

#endif
