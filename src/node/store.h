/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a node must remember: one row per instance it ever accepted, until its retention ends.
 */
#ifndef NODE_STORE_H
#define NODE_STORE_H

#include "base/id.h"

#include <stdbool.h>
#include <stdint.h>

struct db;
struct err;

/* An instance as the database has it. Texts are the row's own. */
struct instance_row {
	char *instance_id;
	char *challenge_id;
	char *status;
	char *detail;
	char *spec;      /* the request's body as JSON: what a resumed start needs */
	char *resources; /* JSON {"subnets": [], "ports": []}: held until verified gone */
	char *endpoints; /* JSON array of endpoints */
	char *services;  /* JSON {service: {"containers": n, "one_shot": bool}}: what should run */
	bool acknowledged; /* the caller was told that the start goes on */
	int64_t started_at;
	int64_t expires_at;
};

void instance_row_done(struct instance_row *row);

int store_open(const char *state_dir, struct db **ret_db, struct err *e);

/* This node's own id, the same for ever: its objects in the engine carry it. */
int store_node_id(struct db *db, char id[ID_SIZE], struct err *e);

/* Inserts or replaces. */
int store_put_instance(struct db *db, const struct instance_row *row, struct err *e);
int store_set_status(struct db *db, const char *instance_id, const char *status, const char *detail,
		     struct err *e);
int store_set_resources(struct db *db, const char *instance_id, const char *resources,
			struct err *e);
int store_set_running(struct db *db, const char *instance_id, const char *endpoints,
		      const char *services, int64_t started_at, int64_t expires_at, struct err *e);
int store_set_acknowledged(struct db *db, const char *instance_id, struct err *e);
int store_set_expiry(struct db *db, const char *instance_id, int64_t expires_at, struct err *e);
/* The end of an instance: it holds nothing any more. */
int store_set_ended(struct db *db, const char *instance_id, const char *status, const char *detail,
		    int64_t now, struct err *e);

/* Fails with NOT_FOUND: an instance never known. */
int store_get_instance(struct db *db, const char *instance_id, struct instance_row *ret_row,
		       struct err *e);

/* Every instance that had not ended. */
int store_each_active(struct db *db,
		      int (*each)(void *cookie, struct instance_row *row, struct err *e),
		      void *cookie, struct err *e);

/* One that was left by an earlier life, unless it has ended: it is to be taken down, and has failed
 * with these words. */
int store_abandon(struct db *db, const char *instance_id, const char *detail, struct err *e);

/* Forgets an instance at once, if it has ended. */
int store_forget_instance(struct db *db, const char *instance_id, bool *ret_forgotten,
			  struct err *e);

/* An image of ctfy's own that this node built: from what, and its id. Inserts or replaces. */
int store_put_own_image(struct db *db, const char *name, const char *content, const char *image_id,
			struct err *e);

/* Both texts are the caller's. Fails with NOT_FOUND: this node never built it. */
int store_get_own_image(struct db *db, const char *name, char **ret_content, char **ret_image_id,
			struct err *e);

/* Forgets what ended before then. */
int store_forget(struct db *db, int64_t before, struct err *e);

#endif
