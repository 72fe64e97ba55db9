/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node client: a thin synchronous client of one ctfy node.
 *
 * One client per node URL. Connections are kept and reused; a client may be shared by threads, and
 * a process may have as many as it likes. Every call has a total timeout and a limit to what it
 * takes in; every result is typed, and the JSON it came from can be had too (struct ctfy_call).
 *
 * Calls return 0 or the negative error kind (see error.h). A ret_ output is the caller's. Structs
 * are emptied before anything else, so that their _done() is safe whatever happened; strings and
 * the client come to be on success only, and a char * is for free(). A call may be given NULL for
 * its struct ctfy_call and its struct ctfy_error.
 *
 * Any call can fail with NODE (the node's error status and detail), CONNECT, TIMEOUT, TLS,
 * TRANSPORT, TOO_LARGE, MEMORY, and ARGUMENT where an id is NULL, empty, "." or ".."; those that
 * promise JSON also with PROTOCOL. What stands at a call is what the node's own statuses mean
 * there.
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

/* Most bytes a call takes in unless the client says otherwise: 256 MiB. */
#define CTFY_NODE_BODY_MAX ((uint64_t)256 << 20)

struct ctfy_node_options {
	const char *ca_file; /* PEM of accepted authorities for https; NULL: the system's */
	double timeout;      /* seconds; 0: CTFY_NODE_TIMEOUT */
	uint64_t body_max;   /* bytes; 0: CTFY_NODE_BODY_MAX */
};

/*
 * node_url: "http://host:port" or "https://..."; a trailing "/" is dropped. token: the bearer
 * token; NULL sends none. options may be NULL. All are copied. Nothing is sent yet. Fails with
 * ARGUMENT.
 */
CTFY_API int ctfy_node_client_new(const char *node_url, const char *token,
				  const struct ctfy_node_options *options,
				  struct ctfy_node_client **ret_client, struct ctfy_error *error);
/* After the last call has returned. NULL is fine. */
CTFY_API void ctfy_node_client_free(struct ctfy_node_client *client);

/* What one call wants differently; NULL or zeroed: the client's own ways. */
struct ctfy_call {
	double timeout;         /* seconds in total; 0: the client's */
	uint64_t body_max;      /* bytes taken in, kept or streamed; 0: the client's */
	const char *request_id; /* sent as X-Request-Id, for the node's log */
	/*
	 * Where a call whose result is made of JSON leaves that JSON's text, to free(): on success,
	 * and where its shape was not the promised one (PROTOCOL). Untouched otherwise.
	 */
	char **ret_json;
	double idle_timeout; /* seconds without a byte of the answer; 0: no limit but `timeout` */
};

/*
 * Where a streamed body goes. Anything but 0 from either stops the call, which then fails with
 * ABORTED.
 */
struct ctfy_sink {
	/* Once, before the first byte and even if there is none; may be NULL. size: -1 unknown. */
	int (*begin)(void *cookie, const char *content_type, int64_t size);
	int (*write)(void *cookie, const void *bytes, size_t size);
	void *cookie;
};

/* Instances */

struct ctfy_answer {
	const char *question_id;
	const char *answer;
};

struct ctfy_start {
	const char *challenge_id;
	const char *instance_id;
	int64_t ttl; /* seconds, more than 0 */
	const struct ctfy_answer *answers;
	size_t answer_count;
	const char *proxy_output_dir; /* on the node; NULL: its own choice */
	bool respond_async;           /* return at once with status "starting" */
};

/*
 * POST /instances: starts an instance; returns once its containers are started, healthy or not.
 * The same start again returns the instance there is. NODE: 404 no such challenge, 409 the id is
 * another instance's, 422, 502 the engine's words, 503 the node is full.
 */
CTFY_API int ctfy_node_start_instance(struct ctfy_node_client *client,
				      const struct ctfy_start *start,
				      struct ctfy_instance *ret_instance,
				      const struct ctfy_call *call, struct ctfy_error *error);
CTFY_API void ctfy_instance_done(struct ctfy_instance *instance);

/* PATCH /instances/{id}: the instance now ends ttl seconds from now. NODE: 404, 409, 422. */
CTFY_API int ctfy_node_set_ttl(struct ctfy_node_client *client, const char *instance_id,
			       int64_t ttl, struct ctfy_instance *ret_instance,
			       const struct ctfy_call *call, struct ctfy_error *error);

/*
 * DELETE /instances/{id}: returns once everything of the instance is gone from the node. Fine for
 * one stopped before. NODE: 404 never known.
 */
CTFY_API int ctfy_node_stop_instance(struct ctfy_node_client *client, const char *instance_id,
				     const struct ctfy_call *call, struct ctfy_error *error);

/* POST /admin/stop-all: stops every instance. ret_stopped may be NULL; it is extra. */
CTFY_API int ctfy_node_stop_all(struct ctfy_node_client *client, struct ctfy_stopped *ret_stopped,
				const struct ctfy_call *call, struct ctfy_error *error);
CTFY_API void ctfy_stopped_done(struct ctfy_stopped *stopped);

/* GET /instances/{id}/status: what the instance and each of its services is doing. NODE: 404. */
CTFY_API int ctfy_node_get_status(struct ctfy_node_client *client, const char *instance_id,
				  struct ctfy_instance *ret_instance, const struct ctfy_call *call,
				  struct ctfy_error *error);

/*
 * GET /instances/{id}/health: whether every service does what it should. ret_health may be NULL;
 * it says the same of each service. NODE: 404.
 */
CTFY_API int ctfy_node_check_health(struct ctfy_node_client *client, const char *instance_id,
				    bool *ret_is_healthy, struct ctfy_health *ret_health,
				    const struct ctfy_call *call, struct ctfy_error *error);
CTFY_API void ctfy_health_done(struct ctfy_health *health);

/* The node */

/* GET /health: how many instances run and may run; the heartbeat. */
CTFY_API int ctfy_node_health(struct ctfy_node_client *client, struct ctfy_node_health *ret_health,
			      const struct ctfy_call *call, struct ctfy_error *error);
CTFY_API void ctfy_node_health_done(struct ctfy_node_health *health);

/* POST /admin/rescan-challenges: reads the challenges' folders again. */
CTFY_API int ctfy_node_rescan_challenges(struct ctfy_node_client *client,
					 struct ctfy_rescan *ret_rescan,
					 const struct ctfy_call *call, struct ctfy_error *error);
CTFY_API void ctfy_rescan_done(struct ctfy_rescan *rescan);

/*
 * Challenges put to the test: what is wrong with their files, as `ctfy challenge lint` says it,
 * under the node's policy; and test runs. Of ctfy's own nodes only.
 */

/* GET /admin/challenges/{id}/lint. NODE: 404. */
CTFY_API int ctfy_node_lint_challenge(struct ctfy_node_client *client, const char *challenge_id,
				      struct ctfy_lint *ret_lint, const struct ctfy_call *call,
				      struct ctfy_error *error);
CTFY_API void ctfy_lint_done(struct ctfy_lint *lint);

/* GET /admin/challenges/lint: of every challenge folder, those that do not load too. */
CTFY_API int ctfy_node_lint_all_challenges(struct ctfy_node_client *client,
					   struct ctfy_lints *ret_lints,
					   const struct ctfy_call *call, struct ctfy_error *error);
CTFY_API void ctfy_lints_done(struct ctfy_lints *lints);

/*
 * POST /admin/challenges/{id}/trial: begins a test run, or joins the one under way; it goes on
 * after return, and is ended by the node whatever becomes of the caller. NODE: 404.
 */
CTFY_API int ctfy_node_start_trial(struct ctfy_node_client *client, const char *challenge_id,
				   struct ctfy_trial *ret_trial, const struct ctfy_call *call,
				   struct ctfy_error *error);
/* GET /admin/challenges/{id}/trial: the run under way, or the last there was. NODE: 404. */
CTFY_API int ctfy_node_get_trial(struct ctfy_node_client *client, const char *challenge_id,
				 struct ctfy_trial *ret_trial, const struct ctfy_call *call,
				 struct ctfy_error *error);
CTFY_API void ctfy_trial_done(struct ctfy_trial *trial);

/* Images: built from challenges' Dockerfiles, pulled from registries. Work goes on after return. */

/* POST /admin/challenges/{id}/build: begins a build; the row says "building". NODE: 404. */
CTFY_API int ctfy_node_build_challenge(struct ctfy_node_client *client, const char *challenge_id,
				       struct ctfy_image_row *ret_row, const struct ctfy_call *call,
				       struct ctfy_error *error);
CTFY_API void ctfy_image_row_done(struct ctfy_image_row *row);

/*
 * POST /admin/challenges/build-all: queues builds, one after the other. challenge_ids: NULL for
 * every challenge the node knows; not NULL with a count of 0 is none. NODE: 404 an unknown id, and
 * nothing is queued.
 */
CTFY_API int ctfy_node_build_all_challenges(struct ctfy_node_client *client,
					    const char *const *challenge_ids,
					    size_t challenge_id_count, struct ctfy_bulk *ret_bulk,
					    const struct ctfy_call *call, struct ctfy_error *error);
CTFY_API void ctfy_bulk_done(struct ctfy_bulk *bulk);

/* GET /admin/challenges/build-state: a row per challenge. */
CTFY_API int ctfy_node_get_build_state(struct ctfy_node_client *client,
				       struct ctfy_image_rows *ret_rows,
				       const struct ctfy_call *call, struct ctfy_error *error);
CTFY_API void ctfy_image_rows_done(struct ctfy_image_rows *rows);

/* POST /admin/challenges/{id}/pull: begins a pull; the row says "pulling". NODE: 404. */
CTFY_API int ctfy_node_pull_challenge(struct ctfy_node_client *client, const char *challenge_id,
				      struct ctfy_image_row *ret_row, const struct ctfy_call *call,
				      struct ctfy_error *error);

/* POST /admin/challenges/pull-all: as ctfy_node_build_all_challenges(). */
CTFY_API int ctfy_node_pull_all_challenges(struct ctfy_node_client *client,
					   const char *const *challenge_ids,
					   size_t challenge_id_count, struct ctfy_bulk *ret_bulk,
					   const struct ctfy_call *call, struct ctfy_error *error);

/* GET /admin/challenges/pull-state: a row per challenge. */
CTFY_API int ctfy_node_get_pull_state(struct ctfy_node_client *client,
				      struct ctfy_image_rows *ret_rows,
				      const struct ctfy_call *call, struct ctfy_error *error);

/* Containers, and how to attach to an instance */

/* GET /instances/{id}/containers: services and sidecars alike. NODE: 404. */
CTFY_API int ctfy_node_list_containers(struct ctfy_node_client *client, const char *instance_id,
				       struct ctfy_containers *ret_containers,
				       const struct ctfy_call *call, struct ctfy_error *error);
CTFY_API void ctfy_containers_done(struct ctfy_containers *containers);

/* GET /instances/{id}/agent-runtime: what an agent needs so that its traffic is recorded. */
CTFY_API int ctfy_node_get_agent_runtime(struct ctfy_node_client *client, const char *instance_id,
					 struct ctfy_agent_runtime *ret_runtime,
					 const struct ctfy_call *call, struct ctfy_error *error);
CTFY_API void ctfy_agent_runtime_done(struct ctfy_agent_runtime *runtime);

/* An agent for the node to run. */
struct ctfy_agent {
	const char *image;
	const char *const *command; /* NULL: the image's own */
	size_t command_count;
	const struct ctfy_variable *env; /* beside the runtime's */
	size_t env_count;
	/* With both it may submit by the node: CTFY_URL and CTFY_TOKEN are set. NULL: it may not.
	 */
	const char *platform_url;
	const char *platform_token; /* for this instance alone; the agent never sees it */
};

/*
 * POST /instances/{id}/agent-runs: runs an agent on the instance's network, and returns when it has
 * ended. The sink gets JSON objects, one a line, as it goes: docs/evidence.md has them. Whatever
 * ends the call ends the agent. NODE: 404 no such instance or image, 409 it does not run, 502, 503.
 */
CTFY_API int ctfy_node_run_agent(struct ctfy_node_client *client, const char *instance_id,
				 const struct ctfy_agent *agent, const struct ctfy_sink *sink,
				 const struct ctfy_call *call, struct ctfy_error *error);

/*
 * GET /instances/{id}/openvpn-config: the VPN client's configuration, byte for byte. NODE: 404 the
 * instance has no VPN, 503 it is still being made.
 */
CTFY_API int ctfy_node_get_openvpn_config(struct ctfy_node_client *client, const char *instance_id,
					  struct ctfy_bytes *ret_config,
					  const struct ctfy_call *call, struct ctfy_error *error);
CTFY_API void ctfy_bytes_done(struct ctfy_bytes *bytes);

/*
 * Evidence. Each can be large, and comes in three forms (all of it in one, in the latter two): into
 * memory, to a sink as it arrives, and to a file descriptor (written from its present position, not
 * closed, not truncated on failure; a write that blocks is waited for, whatever the timeout).
 * ret_size, which may be NULL, is the number of bytes written there, also when the call fails.
 */

/* What of the traffic: NULL or zeroed for all, as the node's own JSON. */
struct ctfy_traffic_query {
	const char *since; /* a `next` of an earlier answer; NULL: from the beginning */
	int64_t limit;     /* most flows; 0: the node's choice */
	bool har;          /* HAR 1.2 instead */
	bool mitm;         /* a file of flows that mitmproxy opens instead, which is no text */
};

/* GET /instances/{id}/traffic: the recorded HTTP flows, as JSON text. NODE: 404. */
CTFY_API int ctfy_node_get_traffic(struct ctfy_node_client *client, const char *instance_id,
				   const struct ctfy_traffic_query *query, char **ret_traffic,
				   const struct ctfy_call *call, struct ctfy_error *error);
/* The text as it comes: that it is JSON is not checked. */
CTFY_API int ctfy_node_get_traffic_to(struct ctfy_node_client *client, const char *instance_id,
				      const struct ctfy_traffic_query *query,
				      const struct ctfy_sink *sink, const struct ctfy_call *call,
				      struct ctfy_error *error);
CTFY_API int ctfy_node_get_traffic_to_fd(struct ctfy_node_client *client, const char *instance_id,
					 const struct ctfy_traffic_query *query, int fd,
					 uint64_t *ret_size, const struct ctfy_call *call,
					 struct ctfy_error *error);

/* Which lines of the logs: NULL or zeroed for all. */
struct ctfy_log_query {
	int64_t tail;        /* the last so many lines; 0: all */
	const char *service; /* NULL: every service's */
};

/*
 * GET /instances/{id}/container-logs: what all containers wrote, in time order; "" when nothing.
 * The streamed forms too give the text itself, not its JSON; its limit counts the JSON. NODE: 404.
 */
CTFY_API int ctfy_node_get_container_logs(struct ctfy_node_client *client, const char *instance_id,
					  const struct ctfy_log_query *query,
					  struct ctfy_bytes *ret_logs, const struct ctfy_call *call,
					  struct ctfy_error *error);
CTFY_API int
ctfy_node_get_container_logs_to(struct ctfy_node_client *client, const char *instance_id,
				const struct ctfy_log_query *query, const struct ctfy_sink *sink,
				const struct ctfy_call *call, struct ctfy_error *error);
CTFY_API int ctfy_node_get_container_logs_to_fd(struct ctfy_node_client *client,
						const char *instance_id,
						const struct ctfy_log_query *query, int fd,
						uint64_t *ret_size, const struct ctfy_call *call,
						struct ctfy_error *error);

/*
 * GET /instances/{id}/pcap: the packet capture so far. Where there is none (the node's 404) it is
 * empty, and that is success.
 */
CTFY_API int ctfy_node_get_pcap(struct ctfy_node_client *client, const char *instance_id,
				struct ctfy_bytes *ret_pcap, const struct ctfy_call *call,
				struct ctfy_error *error);
CTFY_API int ctfy_node_get_pcap_to(struct ctfy_node_client *client, const char *instance_id,
				   const struct ctfy_sink *sink, const struct ctfy_call *call,
				   struct ctfy_error *error);
CTFY_API int ctfy_node_get_pcap_to_fd(struct ctfy_node_client *client, const char *instance_id,
				      int fd, uint64_t *ret_size, const struct ctfy_call *call,
				      struct ctfy_error *error);

/*
 * GET /instances/{id}/timeline: what happened to it and when, also of one that has ended. Of what
 * happened very often the node tells the last, and an event "dropped" for the rest. NODE: 404.
 */
CTFY_API int ctfy_node_get_timeline(struct ctfy_node_client *client, const char *instance_id,
				    struct ctfy_timeline *ret_timeline,
				    const struct ctfy_call *call, struct ctfy_error *error);
CTFY_API void ctfy_timeline_done(struct ctfy_timeline *timeline);

/*
 * GET /instances/{id}/evidence: all of it in one archive (tar, zstd), with a manifest that `ctfy
 * evidence verify` checks it by; also of an instance that has ended. NODE: 404.
 */
CTFY_API int ctfy_node_get_evidence_to(struct ctfy_node_client *client, const char *instance_id,
				       const struct ctfy_sink *sink, const struct ctfy_call *call,
				       struct ctfy_error *error);
CTFY_API int ctfy_node_get_evidence_to_fd(struct ctfy_node_client *client, const char *instance_id,
					  int fd, uint64_t *ret_size, const struct ctfy_call *call,
					  struct ctfy_error *error);

/*
 * Shells: a terminal in one of an instance's containers.
 *
 * One thread may read while another writes and resizes. A shell ends before its client.
 */
struct ctfy_shell;

/* The exit code of a process that nobody knows the end of: its container went, or its node. */
#define CTFY_SHELL_NO_CODE (-1)

/*
 * GET /instances/{id}/containers/{container_id}/shell, as a WebSocket. container_id: the id, its
 * first twelve digits or the name. The call's timeout is for opening it. NODE: 404, 409 the
 * container does not run.
 */
CTFY_API int ctfy_node_open_shell(struct ctfy_node_client *client, const char *instance_id,
				  const char *container_id, unsigned columns, unsigned rows,
				  struct ctfy_shell **ret_shell, const struct ctfy_call *call,
				  struct ctfy_error *error);
/*
 * Waits up to timeout seconds (less than 0: for ever) for what the terminal shows; ret_size 0: the
 * shell has ended. Fails with TIMEOUT, after which one may go on, TRANSPORT or PROTOCOL.
 */
CTFY_API int ctfy_shell_read(struct ctfy_shell *shell, void *bytes, size_t size, double timeout,
			     size_t *ret_size, struct ctfy_error *error);
/* Types; waits until all is sent. */
CTFY_API int ctfy_shell_write(struct ctfy_shell *shell, const void *bytes, size_t size,
			      struct ctfy_error *error);
CTFY_API int ctfy_shell_resize(struct ctfy_shell *shell, unsigned columns, unsigned rows,
			       struct ctfy_error *error);
/* After its end: what its process exited with, or CTFY_SHELL_NO_CODE. */
CTFY_API int ctfy_shell_exit_code(const struct ctfy_shell *shell);
/* Hangs up; what still runs in it is ended. NULL is fine. */
CTFY_API void ctfy_shell_close(struct ctfy_shell *shell);

/* Attachments: the files made for one instance */

/* GET /instances/{id}/attachments. NODE: 404. */
CTFY_API int ctfy_node_list_instance_attachments(struct ctfy_node_client *client,
						 const char *instance_id,
						 struct ctfy_attachments *ret_attachments,
						 const struct ctfy_call *call,
						 struct ctfy_error *error);
CTFY_API void ctfy_attachments_done(struct ctfy_attachments *attachments);

/*
 * GET /instances/{id}/attachments/{filename}, in the three forms above. The content type is
 * "application/octet-stream" where the node gives none. NODE: 404.
 */
CTFY_API int ctfy_node_download_instance_attachment(struct ctfy_node_client *client,
						    const char *instance_id, const char *filename,
						    struct ctfy_bytes *ret_attachment,
						    const struct ctfy_call *call,
						    struct ctfy_error *error);
CTFY_API int
ctfy_node_download_instance_attachment_to(struct ctfy_node_client *client, const char *instance_id,
					  const char *filename, const struct ctfy_sink *sink,
					  const struct ctfy_call *call, struct ctfy_error *error);
CTFY_API int ctfy_node_download_instance_attachment_to_fd(
	struct ctfy_node_client *client, const char *instance_id, const char *filename, int fd,
	uint64_t *ret_size, const struct ctfy_call *call, struct ctfy_error *error);

#ifdef __cplusplus
}
#endif

#endif
