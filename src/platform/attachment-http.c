/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "platform/door.h"
#include "platform/instance.h"
#include "platform/node.h"
#include "platform/plain.h"
#include "platform/relay.h"
#include "platform/review.h"
#include "wire/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * The files of a challenge: those made for the team's running instance, from its node; without one,
 * those that are the same for everybody, from the challenge's folder.
 */

enum { LIST_TIMEOUT_S = 10 };

/* The node that runs the team's instance; ret_node NULL: no instance runs. */
static int find_running(struct platform *platform, struct http_req *req, struct entry *entry,
			struct instance *ret_instance, struct node **ret_node, struct err *e)
{
	int r;

	r = door_enter_playing(platform, req, entry, e);
	if (r == 0)
		r = door_check_required(platform, req, entry, e);
	if (r < 0)
		return r;
	r = instances_of_team(platform->db, http_arena(req), entry->team.id, entry->challenge->id,
			      ret_instance, e);
	if (r == -ERR_NOT_FOUND)
		return 0;
	if (r < 0 || !instances_is(ret_instance, "running"))
		return r;
	r = door_check_instance(req, ret_instance->id, e);
	if (r < 0)
		return r;
	*ret_node = nodes_take(platform->nodes, ret_instance->node_id);
	return *ret_node ? 0 : err_set(e, ERR_NODE, "the node of this instance is gone");
}

/* From the challenge's folder */

static bool is_for_everybody(const struct attachment *attachment)
{
	return attachment->source && !attachment->template_;
}

/* Whatever the path says, the file lies in the folder. */
static int open_in_folder(const char *folder, const char *path, int *ret_fd, struct stat *ret_st,
			  struct err *e)
{
	AUTO(int, closep) dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
	int fd = -1;

	if (dir >= 0)
		fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
	if (fd < 0)
		return err_errno(e, ERR_NOT_FOUND, "the challenge's file '%s'", path);
	if (fstat(fd, ret_st) < 0 || !S_ISREG(ret_st->st_mode)) {
		close(fd);
		return err_set(e, ERR_NOT_FOUND, "the challenge's '%s' is no file", path);
	}
	*ret_fd = fd;
	return 0;
}

/* A file that is named but missing is the author's mistake: the others are listed all the same. */
static int list_of_folder(struct http_req *req, const struct challenge *challenge,
			  struct ctfy_attachments *list, struct err *e)
{
	list->attachments = arena_array(http_arena(req), challenge->attachment_count + 1,
					sizeof(struct ctfy_attachment));
	if (!list->attachments)
		return err_memory(e);
	for (size_t i = 0; i < challenge->attachment_count; i++) {
		const struct attachment *a = &challenge->attachments[i];
		struct stat st;
		int fd;

		if (!is_for_everybody(a) ||
		    open_in_folder(challenge->dir, a->source, &fd, &st, NULL) < 0)
			continue;
		close(fd);
		list->attachments[list->attachment_count++] = (struct ctfy_attachment){
			.filename = arena_strdup(http_arena(req), a->filename),
			.size = st.st_size,
			.content_type = arena_strdup(http_arena(req), "application/octet-stream"),
		};
	}
	return arena_failed(http_arena(req)) ? err_memory(e) : 0;
}

static int send_list_of_folder(struct http_req *req, struct http_res *res,
			       const struct challenge *challenge, struct err *e)
{
	struct ctfy_attachments list = { .attachments = NULL };
	int r = list_of_folder(req, challenge, &list, e);

	return r < 0 ? r : http_send(res, 200, attachments_fields, &list);
}

static int send_of_folder(struct http_res *res, const struct challenge *challenge,
			  const char *filename, struct err *e)
{
	for (size_t i = 0; i < challenge->attachment_count; i++) {
		const struct attachment *a = &challenge->attachments[i];
		struct stat st;
		int fd, r;

		if (!is_for_everybody(a) || strcmp(a->filename, filename) != 0)
			continue;
		r = open_in_folder(challenge->dir, a->source, &fd, &st, e);
		if (r < 0)
			return r;
		relay_name(res, filename);
		return http_send_file(res, fd, "application/octet-stream", NULL);
	}
	return err_set(e, ERR_NOT_FOUND, "'%s' has no file '%s'%s", challenge->id, filename,
		       challenge_has_instance(challenge) ? " while no instance of it runs" : "");
}

/* From the node */

static int send_list_of_node(struct http_res *res, const struct node *node, const char *instance_id,
			     struct err *e)
{
	const struct ctfy_call call = { .timeout = LIST_TIMEOUT_S };
	struct ctfy_error error = CTFY_ERROR_INIT;
	struct ctfy_attachments list;
	int r;

	if (ctfy_node_list_instance_attachments(nodes_client(node), instance_id, &list, &call,
						&error) < 0)
		r = plain_failure(node, &error, e);
	else
		r = http_send(res, 200, attachments_fields, &list);
	ctfy_attachments_done(&list);
	return r;
}

static int send_of_node(struct http_res *res, const struct node *node, const char *instance_id,
			const char *filename, struct err *e)
{
	struct relay relay = { .res = res,
			       .type = "application/octet-stream",
			       .filename = filename,
			       .may_be_empty = true,
			       .plain = true,
			       .e = e };
	const struct ctfy_sink sink = relay_sink(&relay);
	const struct ctfy_call call = RELAY_CALL;
	struct ctfy_error error = CTFY_ERROR_INIT;
	int r = ctfy_node_download_instance_attachment_to(nodes_client(node), instance_id, filename,
							  &sink, &call, &error);

	return relay_end(&relay, node, r, &error);
}

static int serve_list(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct instance, instances_row_done) instance = { .id = NULL };
	AUTO(struct entry, door_leave) entry = ENTRY_INIT;
	AUTO(struct node *, node_dropp) node = NULL;
	int r;

	r = find_running(ctx, req, &entry, &instance, &node, e);
	if (r < 0)
		return r;
	return node ? send_list_of_node(res, node, instance.copy_id, e)
		    : send_list_of_folder(req, res, entry.challenge, e);
}

/* The player has the file: that nobody wrote it down is the organisers' loss alone. */
static void note_download(struct platform *platform, struct http_req *req,
			  const struct entry *entry, const char *filename)
{
	struct err e = ERR_INIT;

	if (download_note(platform->db, door_now(platform), entry->team.id,
			  door_principal(req)->user_id, entry->challenge->id, filename, &e) < 0)
		log_error("the download of '%s' is not noted: %s", filename, e.msg);
}

static int serve_file(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct instance, instances_row_done) instance = { .id = NULL };
	AUTO(struct entry, door_leave) entry = ENTRY_INIT;
	AUTO(struct node *, node_dropp) node = NULL;
	const char *filename = http_param(req, "name");
	struct platform *platform = ctx;
	int r;

	r = find_running(platform, req, &entry, &instance, &node, e);
	if (r < 0)
		return r;
	r = node ? send_of_node(res, node, instance.copy_id, filename, e)
		 : send_of_folder(res, entry.challenge, filename, e);
	if (r == 0)
		note_download(platform, req, &entry, filename);
	return r;
}

const struct http_route platform_attachment_routes[] = {
	{ "GET", "/api/v1/challenges/{id}/attachments", serve_list, 0, ACCESS_AGENT },
	{ "GET", "/api/v1/challenges/{id}/attachments/{name}", serve_file, 0, ACCESS_AGENT },
	{ .method = NULL },
};
