/* SPDX-License-Identifier: Apache-2.0 */
#include "node/attachment.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/id.h"
#include "base/json.h"
#include "base/own.h"
#include "challenge/plan.h"
#include "engine/archive.h"
#include "engine/container.h"
#include "node/compose.h"
#include "node/container.h"
#include "node/containment.h"
#include "node/instance.h"
#include "node/node.h"
#include "wire/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>

/* Larger than any handout that was seen; what is built is read through memory. */
enum { ATTACHMENT_MAX = 256 << 20 };

char *attachments_dir(const struct node *node, const char *instance_id)
{
	AUTO(char *, freep) dir = instance_dir(node, instance_id);

	return dir ? strf("%s/attachments", dir) : NULL;
}

static const struct plan_service *service_of(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->service_count; i++)
		if (strcmp(plan->services[i].name, name) == 0)
			return &plan->services[i];
	return NULL;
}

static int read_from_container(const struct compose *compose,
			       const struct plan_attachment *attachment, struct buf *ret,
			       struct err *e)
{
	const struct plan_service *service = service_of(compose->plan, attachment->service);
	AUTO(char *, freep) container = NULL;

	if (!service)
		return err_set(e, ERR_INVALID, "there is no service '%s'", attachment->service);
	container = project_container_name(compose, service, 0);
	return container ? engine_archive_read_file(compose->node->engine, container,
						    attachment->container_path, ret, e)
			 : err_memory(e);
}

/* A container for one attachment: held as tight as a service, and without a network. */
static json_t *maker_body(const struct compose *compose, const struct plan_attachment *attachment)
{
	enum { MEMORY = 512 << 20, PIDS = 256 };
	AUTO(json_t *, json_decrefp) labels = instance_labels(compose);
	json_t *body;

	json_object_set_new(labels, LABEL_ROLE, json_text("sidecar"));
	json_object_set_new(labels, LABEL_SERVICE, json_text(attachment->service));
	body = json_make("{s:s,s:O,s:{s:s,s:i,s:i,s:[s],s:[s],s:b}}", "Image", attachment->image,
			 "Labels", labels, "HostConfig", "NetworkMode", "none", "Memory", MEMORY,
			 "PidsLimit", PIDS, "CapDrop", "ALL", "SecurityOpt",
			 "no-new-privileges:true", "Init", 1);
	if (attachment->command) {
		json_object_set_new(body, "Entrypoint", json_array());
		json_object_set(body, "Cmd", attachment->command);
	}
	return body;
}

static int run_maker(struct engine *engine, const char *container, const struct plan *plan,
		     struct err *e)
{
	int exit_code = 0, r;

	r = engine_container_start(engine, container, e);
	if (r == 0)
		r = engine_container_wait(engine, container, plan->health_deadline_ms, &exit_code,
					  e);
	if (r == 0 && exit_code != 0)
		r = err_set(e, ERR_ENGINE, "its command exited with %d", exit_code);
	return r;
}

/* From a container of an image of its own: a build's stage, or what a command leaves behind. */
static int read_from_image(const struct compose *compose, const struct plan_attachment *attachment,
			   struct buf *ret, struct err *e)
{
	struct engine *engine = compose->node->engine;
	AUTO(json_t *, json_decrefp) body = maker_body(compose, attachment);
	AUTO(char *, freep) container = NULL;
	char name[48] = "ctfy-attachment-";
	int r;

	if (!body)
		return err_memory(e);
	id_random(name + strlen(name), 16);
	r = container_create(compose->node,
			     &(struct container_order){ .kind = CONTAINER_FOREIGN,
							.challenge_id = compose->plan->challenge_id,
							.name = name,
							.body = body },
			     &container, e);
	if (r < 0)
		return r;
	if (attachment->command)
		r = run_maker(engine, container, compose->plan, e);
	if (r == 0)
		r = engine_archive_read_file(engine, container, attachment->container_path, ret, e);
	/* What fails to go now carries the instance's label, and goes with it. */
	engine_container_remove(engine, container, true, NULL);
	return r;
}

/* What is served is a file of the folder whatever its name leads to by now. */
static int copy_source(const struct plan *plan, const char *source, const char *path, struct err *e)
{
	AUTO(int, closep) fd = -1;
	struct stat st;
	int r = plan_open(plan->folder, source, O_RDONLY, &fd, e);

	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(e, ERR_INVALID, "'%s' is no file", source);
	return tree_copy(fd, path, e);
}

static int make_one(const struct compose *compose, const char *dir,
		    const struct plan_attachment *attachment, struct err *e)
{
	AUTO(char *, freep) path = strf("%s/%s", dir, attachment->filename);
	struct buf built = BUF_LIMITED(ATTACHMENT_MAX);
	int r;

	if (!path)
		return err_memory(e);
	if (!attachment->service && attachment->source)
		return copy_source(compose->plan, attachment->source, path, e);
	if (!attachment->service)
		return file_write(path, attachment->content, attachment->size, 0644, e);
	r = attachment->image ? read_from_image(compose, attachment, &built, e)
			      : read_from_container(compose, attachment, &built, e);
	if (r == 0)
		r = file_write(path, built.data, built.len, 0644, e);
	buf_done(&built);
	return r;
}

int attachments_make(const struct compose *compose, struct err *e)
{
	AUTO(char *, freep) dir = attachments_dir(compose->node, compose->instance_id);
	int r;

	if (compose->plan->attachment_count == 0)
		return 0;
	r = dir ? dir_make(dir, 0755, e) : err_memory(e);
	for (size_t i = 0; r == 0 && i < compose->plan->attachment_count; i++) {
		r = make_one(compose, dir, &compose->plan->attachments[i], e);
		if (r < 0)
			err_wrap(e, "attachment '%s'", compose->plan->attachments[i].filename);
	}
	return r;
}

static int hash_file(int fd, char hex[65])
{
	unsigned char digest[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state state;
	char part[65536];
	off_t at = 0;
	ssize_t n;

	crypto_hash_sha256_init(&state);
	while ((n = pread(fd, part, sizeof(part), at)) > 0) {
		crypto_hash_sha256_update(&state, (unsigned char *)part, (unsigned long long)n);
		at += n;
	}
	crypto_hash_sha256_final(&state, digest);
	sodium_bin2hex(hex, 65, digest, sizeof(digest));
	return n < 0 ? -1 : 0;
}

static const char *content_type(const char *filename)
{
	static const struct {
		const char *suffix, *type;
	} types[] = {
		{ ".txt", "text/plain; charset=utf-8" },
		{ ".md", "text/plain; charset=utf-8" },
		{ ".py", "text/plain; charset=utf-8" },
		{ ".c", "text/plain; charset=utf-8" },
		{ ".json", "application/json" },
		{ ".pdf", "application/pdf" },
		{ ".png", "image/png" },
		{ ".jpg", "image/jpeg" },
		{ ".zip", "application/zip" },
		{ ".gz", "application/gzip" },
		{ ".pcap", "application/vnd.tcpdump.pcap" },
	};
	const char *dot = strrchr(filename, '.');

	for (size_t i = 0; dot && i < ARRAY_SIZE(types); i++)
		if (strcasecmp(dot, types[i].suffix) == 0)
			return types[i].type;
	return "application/octet-stream";
}

static int describe(int fd, const char *filename, struct ctfy_attachment *ret, struct err *e)
{
	struct stat st;
	char hash[65];

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || hash_file(fd, hash) < 0)
		return err_set(e, ERR_NOT_FOUND, "there is no attachment '%s'", filename);
	*ret = (struct ctfy_attachment){
		.filename = strdup(filename),
		.size = st.st_size,
		.content_type = strdup(content_type(filename)),
		.sha256 = strdup(hash),
	};
	return ret->filename && ret->content_type && ret->sha256 ? 0 : err_memory(e);
}

static int open_dir(struct node *node, const char *instance_id, DIR **ret_dir, struct err *e)
{
	AUTO(char *, freep) path = attachments_dir(node, instance_id);
	struct ctfy_instance row = { 0 };
	int r;

	r = instance_row(node, instance_id, &row, e);
	fields_done(instance_fields, &row);
	if (r < 0)
		return r;
	*ret_dir = path ? opendir(path) : NULL;
	return *ret_dir || errno == ENOENT ? 0 : err_errno(e, ERR_INTERNAL, "list attachments");
}

static int by_filename(const void *a, const void *b)
{
	return strcmp(((const struct ctfy_attachment *)a)->filename,
		      ((const struct ctfy_attachment *)b)->filename);
}

int attachments_list(struct node *node, const char *instance_id,
		     struct ctfy_attachments *ret_attachments, struct err *e)
{
	AUTO(DIR *, closedirp) dir = NULL;
	struct dirent *entry;
	int r;

	r = open_dir(node, instance_id, &dir, e);
	while (r == 0 && dir && (entry = readdir(dir))) {
		AUTO(int, closep) fd = -1;
		struct ctfy_attachment *grown;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		grown = realloc(ret_attachments->attachments,
				(ret_attachments->attachment_count + 1) * sizeof(*grown));
		if (!grown)
			return err_memory(e);
		ret_attachments->attachments = grown;
		fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			continue;
		r = describe(fd, entry->d_name, &grown[ret_attachments->attachment_count], e);
		if (r == -ERR_NOT_FOUND) {
			r = 0;
			continue;
		}
		ret_attachments->attachment_count++;
	}
	if (r == 0 && ret_attachments->attachment_count > 0)
		qsort(ret_attachments->attachments, ret_attachments->attachment_count,
		      sizeof(*ret_attachments->attachments), by_filename);
	return r;
}

int attachment_open(struct node *node, const char *instance_id, const char *filename, int *ret_fd,
		    struct ctfy_attachment *ret_attachment, struct err *e)
{
	AUTO(DIR *, closedirp) dir = NULL;
	AUTO(int, closep) fd = -1;
	int r;

	r = open_dir(node, instance_id, &dir, e);
	if (r < 0)
		return r;
	if (dir && !strchr(filename, '/') && strcmp(filename, ".") != 0 &&
	    strcmp(filename, "..") != 0)
		fd = openat(dirfd(dir), filename, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, ERR_NOT_FOUND, "there is no attachment '%s'", filename);
	r = describe(fd, filename, ret_attachment, e);
	if (r == 0)
		*ret_fd = take_fd(&fd);
	return r;
}
