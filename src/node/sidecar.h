/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node's own containers beside an instance's services: what watches them.
 *
 * A sidecar carries the instance's labels like any service, with the role "sidecar", and goes with
 * the instance. Nothing of it is mounted into a service.
 */
#ifndef NODE_SIDECAR_H
#define NODE_SIDECAR_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct compose;
struct err;
struct node;
struct plan;
struct plan_network;

/* Makes the images of the sidecars that the plan asks for. */
int sidecar_images(struct node *node, const char *instance_id, const struct plan *plan,
		   const atomic_bool *cancelled, struct err *e);

/* HostConfig of a container that needs little and is trusted with no more. NULL: out of memory. */
json_t *sidecar_limits(int64_t memory, int64_t pids);

struct sidecar {
	const char *service; /* its name among the instance's containers: "ctfy-capture" */
	const char *image;
	const char *ports; /* "9000,9001": TCP ports that players are to reach; NULL: none */
	json_t *body;      /* of the engine's create call, but for image and labels; its own */
};

/* Creates and starts one; ends what the struct owns. */
int sidecar_start(const struct compose *compose, struct sidecar *sidecar, struct err *e);

/* A file or directory of the host for the sidecar to write to: an entry of HostConfig.Mounts. */
json_t *sidecar_mount(const char *host_path, const char *path);

/* The network that players come in by: that of the first service with a published port. A sidecar
 * of players is in this one alone, so that it is no way around the others. NULL: there is none. */
const struct plan_network *sidecar_network(const struct plan *plan);

/* Of a container's labels: whether it is a sidecar. */
bool sidecar_is(const json_t *labels);

#endif
