/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The proxy by which agents reach an instance whose HTTP is recorded: mitmproxy, in a sidecar with
 * an authority of its own, writes flows to where the recorder does. It is started when somebody
 * first asks for it, since it takes 50 MiB and few instances ever see an agent.
 */
#ifndef NODE_AGENT_PROXY_H
#define NODE_AGENT_PROXY_H

struct engine_container;
struct engine_container_list;
struct err;
struct node;

#define PROXY_SERVICE "ctfy-proxy"

/*
 * Starts it beside the recorder unless it runs. ret_url and ret_pem (the authority's certificate)
 * are the caller's. Fails with UNAVAILABLE (it is on its way: ask again) or ENGINE.
 */
int agent_proxy_find(struct node *node, const char *instance_id,
		     const struct engine_container_list *list,
		     const struct engine_container *recorder, char **ret_url, char **ret_pem,
		     struct err *e);

#endif
