/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What node and platform say of one instance: the structs of include/ctfy/types.h, and the tables
 * that decode, encode and free them.
 *
 * Decoding asks only for members the contract fixes, so that either end may be the newer one.
 */
#ifndef WIRE_INSTANCE_H
#define WIRE_INSTANCE_H

#include "base/field.h"

#include <ctfy/types.h>

#include <jansson.h>
#include <stdint.h>

struct err;

enum { INSTANCE_TTL_MAX = 366 * 24 * 60 * 60 }; /* seconds */

/* The body of POST /instances. Decoded strings are the struct's own, constant or not. */
struct instance_spec {
	const char *challenge_id;
	const char *instance_id;
	int64_t ttl;     /* seconds, 1..INSTANCE_TTL_MAX */
	json_t *answers; /* {question id: answer}; NULL: none */
	const char *proxy_output_dir;
};

/* The body of PATCH /instances/{id}. */
struct instance_ttl {
	int64_t ttl;
};

/* What the agent-runtime call answers; `env` and `docker` are objects. */
struct agent_runtime {
	char *provider;
	char *proxy_url;
	char *ca_pem;
	json_t *env;
	struct ctfy_endpoint *endpoints;
	size_t endpoint_count;
	json_t *docker;
};

extern const struct field instance_spec_fields[]; /* struct instance_spec */
extern const struct field instance_ttl_fields[];  /* struct instance_ttl */
extern const struct field endpoint_fields[];      /* struct ctfy_endpoint */
extern const struct field service_fields[];       /* struct ctfy_service */
extern const struct field instance_fields[];      /* struct ctfy_instance: row and status alike */
extern const struct field health_fields[];        /* struct ctfy_health */
extern const struct field container_fields[];     /* struct ctfy_container */
extern const struct field attachment_fields[];    /* struct ctfy_attachment */
extern const struct field attachments_fields[];   /* struct ctfy_attachments */
extern const struct field agent_runtime_fields[]; /* struct agent_runtime */
extern const struct field timeline_fields[];      /* struct ctfy_timeline */

/* Containers are a bare array on the wire. NULL: out of memory. */
json_t *containers_encode(const struct ctfy_containers *containers);
/* Fills the zeroed struct. Fails with VALIDATION; containers_done() is due whatever happens. */
int containers_decode(json_t *array, struct ctfy_containers *ret_containers, struct err *e);
void containers_done(struct ctfy_containers *containers);

#endif
