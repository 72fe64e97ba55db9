/*
 * The node client: a thin synchronous client of one ctfy node.
 *
 * One client per node URL. Connections are kept and reused; a client may be shared by threads, and
 * a process may have as many as it likes. Every call has a total timeout; every result is typed,
 * and the JSON it came from can be had too (struct ctfy_call).
 *
 * Calls return 0 or the negative error kind (see error.h). Results are zeroed by the call before
 * anything else, so that their _done() is safe whatever happened.
 */
#ifndef CTFY_NODE_CLIENT_H
#define CTFY_NODE_CLIENT_H

#include <ctfy/error.h>
#include <ctfy/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ctfy_node_client;

/* Total seconds of a call unless the client says otherwise. */
#define CTFY_NODE_TIMEOUT 30.0

/* Most bytes a call keeps in memory unless the client says otherwise: 256 MiB. */
#define CTFY_NODE_BODY_MAX ((uint64_t)256 << 20)

struct ctfy_node_options {
	const char *ca_file; /* PEM of accepted authorities for https; NULL: the system's */
	double timeout;      /* seconds; 0: CTFY_NODE_TIMEOUT */
	uint64_t body_max;   /* bytes; 0: CTFY_NODE_BODY_MAX */
};

/* node_url: "http://host:port" or "https://..."; a trailing "/" is dropped. options may be NULL. */
CTFY_API int ctfy_node_client_new(const char *node_url, const char *token,
				  const struct ctfy_node_options *options,
				  struct ctfy_node_client **ret_client, struct ctfy_error *error);
CTFY_API void ctfy_node_client_free(struct ctfy_node_client *client);

/* What one call wants differently; NULL or zeroed: the client's own ways. */
struct ctfy_call {
	double timeout;         /* seconds in total; 0: the client's */
	uint64_t body_max;      /* bytes; 0: the client's */
	const char *request_id; /* sent as X-Request-Id, for the node's log */
	char **ret_json;        /* the body's text, to free(); untouched when the call fails */
};

/* A new instance. answers maps question id to this instance's answer. */
struct ctfy_start {
	const char *challenge_id;
	const char *instance_id;
	int64_t ttl; /* seconds, more than 0 */
	const char *const *answer_ids;
	const char *const *answers;
	size_t answer_count;
	const char *proxy_output_dir; /* on the node; NULL: its own choice */
	bool respond_async;           /* return at once with status "starting" */
};

/* Starts an instance; returns once its containers are started. */
CTFY_API int ctfy_node_start_instance(struct ctfy_node_client *client,
				      const struct ctfy_start *start,
				      struct ctfy_instance *ret_instance,
				      const struct ctfy_call *call, struct ctfy_error *error);
CTFY_API void ctfy_instance_done(struct ctfy_instance *instance);

#ifdef __cplusplus
}
#endif

#endif
