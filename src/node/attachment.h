/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that players download, made for one instance and kept in its own directory.
 */
#ifndef NODE_ATTACHMENT_H
#define NODE_ATTACHMENT_H

#include <ctfy/types.h>

struct compose;
struct err;
struct node;

/* Renders the plan's attachments; the instance's containers exist. Fails with ENGINE or INVALID. */
int attachments_make(const struct compose *compose, struct err *e);

/* Where an instance's are; the caller's to free(). NULL: out of memory. */
char *attachments_dir(const struct node *node, const char *instance_id);

/* Fails with NOT_FOUND (no such instance). */
int attachments_list(struct node *node, const char *instance_id,
		     struct ctfy_attachments *ret_attachments, struct err *e);

/* Opens one that is in the list. Fails with NOT_FOUND. */
int attachment_open(struct node *node, const char *instance_id, const char *filename, int *ret_fd,
		    struct ctfy_attachment *ret_attachment, struct err *e);

#endif
