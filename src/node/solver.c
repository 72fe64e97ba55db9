/* SPDX-License-Identifier: Apache-2.0 */
#include "node/solver.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "challenge/challenge.h"
#include "challenge/folder.h"
#include "engine/archive.h"
#include "engine/container.h"
#include "engine/network.h"
#include "engine/tar.h"
#include "node/attachment.h"
#include "node/compose.h"
#include "node/containment.h"
#include "node/image.h"
#include "node/node.h"
#include "node/own-image.h"
#include "node/sidecar.h"
#include "trial/trial.h"
#include "wire/instance.h"

#include <jansson.h>
#include <string.h>
#include <sys/stat.h>

#define FOLDER      "/challenge"
#define ATTACHMENTS "/attachments"

static const char solver_file[] = "solve";

enum { END_PATIENCE_MS = 10000 };

struct solving {
	struct node *node;
	const struct challenge *challenge;
	const struct ctfy_instance *row;
	struct stat program; /* it runs as whoever the program belongs to */
	json_t *endpoints;   /* what it is given */
	json_t *networks;    /* ids of those it has to be in to reach them */
	json_t *dns;         /* the name servers of what it reaches first; NULL: the engine's */
	char *container;
};

bool challenge_has_solver(const struct challenge *challenge)
{
	return dir_has_file(challenge->dir, solver_file);
}

static void solving_done(struct solving *solving)
{
	json_decref(solving->endpoints);
	json_decref(solving->networks);
	json_decref(solving->dns);
	free(solving->container);
}

/* --- endpoints ---------------------------------------------------------------------------- */

static bool is_joined(const struct solving *solving, const char *network)
{
	const json_t *id;
	size_t i;

	json_array_foreach (solving->networks, i, id)
		if (strcmp(json_string_value(id), network) == 0)
			return true;
	return false;
}

/* Its address in a network that is joined already, or else in the first, which is joined then. */
static const char *reach(struct solving *solving, const struct engine_container *container)
{
	const char *name, *address = NULL, *network = NULL;
	json_t *place;

	json_object_foreach ((json_t *)(uintptr_t)container->networks, name, place) {
		const char *ip = json_string_value(json_object_get(place, "IPAddress"));
		const char *id = json_string_value(json_object_get(place, "NetworkID"));

		if (!ip || !*ip || !id)
			continue;
		if (is_joined(solving, id))
			return ip;
		if (!address) {
			address = ip;
			network = id;
		}
	}
	if (network)
		json_array_append_new(solving->networks, json_text(network));
	return address;
}

static const struct engine_container *find_service(const struct engine_container_list *list,
						   const char *service)
{
	for (size_t i = 0; i < list->count; i++) {
		const json_t *labels = list->items[i].labels;
		const char *name = json_string_value(json_object_get(labels, LABEL_SERVICE));

		if (name && !sidecar_is(labels) && strcmp(name, service) == 0)
			return &list->items[i];
	}
	return NULL;
}

/* As a player has it, but by its address inside; one without an address there stays as it is. */
static char *endpoint_inside(struct solving *solving, const struct engine_container_list *list,
			     const struct ctfy_endpoint *endpoint)
{
	const struct engine_container *container = find_service(list, endpoint->service);
	const char *address = container ? reach(solving, container) : NULL;
	int scheme = 0;

	if (!address)
		return trial_endpoint(endpoint);
	if (endpoint->url && strstr(endpoint->url, "://"))
		scheme = (int)(strstr(endpoint->url, "://") + 3 - endpoint->url);
	return strf("%.*s%s:%lld", scheme, endpoint->url ? endpoint->url : "", address,
		    (long long)endpoint->container_port);
}

static bool is_in(const struct engine_container *container, const char *network)
{
	const char *name;
	json_t *place;

	json_object_foreach ((json_t *)(uintptr_t)container->networks, name, place) {
		const char *id = json_string_value(json_object_get(place, "NetworkID"));

		if (id && strcmp(id, network) == 0)
			return true;
	}
	return false;
}

/* It asks for names where the instance asks, also when that is nowhere: see
 * container_close_names().
 */
static int find_name_servers(struct solving *solving, const struct engine_container_list *list,
			     struct err *e)
{
	const char *first = json_string_value(json_array_get(solving->networks, 0));
	int r = 0;

	for (size_t i = 0; first && r == 0 && !solving->dns && i < list->count; i++) {
		AUTO(json_t *, json_decrefp) inspected = NULL;

		if (!is_in(&list->items[i], first))
			continue;
		r = engine_container_inspect(solving->node->engine, list->items[i].id, &inspected,
					     e);
		if (r == 0)
			solving->dns = json_incref(
				json_object_get(json_object_get(inspected, "HostConfig"), "Dns"));
	}
	return r;
}

static int find_endpoints(struct solving *solving, struct err *e)
{
	struct engine_container_list list = { 0 };
	struct label_filter filter;
	int r;

	label_filter(solving->node, solving->row->instance_id, &filter);
	r = engine_container_list(solving->node->engine, filter.labels, &list, e);
	for (size_t i = 0; r == 0 && i < solving->row->endpoint_count; i++) {
		AUTO(char *, freep)
		text = endpoint_inside(solving, &list, &solving->row->endpoints[i]);

		if (!text || json_array_append_new(solving->endpoints, json_text(text)) < 0)
			r = err_memory(e);
	}
	if (r == 0)
		r = find_name_servers(solving, &list, e);
	engine_container_list_done(&list);
	return r;
}

/* --- the container ------------------------------------------------------------------------ */

static json_t *host_config(const struct solving *solving)
{
	const char *network = json_string_value(json_array_get(solving->networks, 0));
	json_t *host = sidecar_limits(SOLVER_MEMORY, SOLVER_PIDS);
	json_t *folder = sidecar_mount(solving->challenge->dir, FOLDER);

	json_object_set_new(folder, "ReadOnly", json_true());
	json_object_set_new(host, "Mounts", json_make("[o]", folder));
	json_object_set_new(host, "NetworkMode", json_text(network ? network : "none"));
	if (solving->dns)
		json_object_set(host, "Dns", solving->dns);
	return host;
}

static json_t *container_labels(const struct solving *solving)
{
	return json_make("{s:s,s:s,s:s,s:s,s:s,s:s}", LABEL_NODE, solving->node->id, LABEL_INSTANCE,
			 solving->row->instance_id, LABEL_CHALLENGE, solving->challenge->id,
			 LABEL_SERVICE, "ctfy-solver", LABEL_ROLE, "sidecar", LABEL_ONE_SHOT,
			 "true");
}

static json_t *container_body(const struct solving *solving)
{
	AUTO(char *, freep)
	user = strf("%u:%u", (unsigned)solving->program.st_uid, (unsigned)solving->program.st_gid);
	AUTO(char *, freep) program = strf(FOLDER "/%s", solver_file);

	if (!user || !program)
		return NULL;
	return json_make("{s:s,s:[s],s:O,s:s,s:s,s:[s,s,s,s,s],s:o,s:o}", "Image",
			 solving->node->options->solver_image, "Entrypoint", program, "Cmd",
			 solving->endpoints, "WorkingDir", FOLDER, "User", user, "Env",
			 "CTFY_ATTACHMENTS=" ATTACHMENTS, "HOME=/tmp", "LANG=C.UTF-8",
			 "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1", "Labels",
			 container_labels(solving), "HostConfig", host_config(solving));
}

static int join_networks(struct solving *solving, struct err *e)
{
	int r = 0;

	for (size_t i = 1; r == 0 && i < json_array_size(solving->networks); i++)
		r = engine_network_connect(solving->node->engine,
					   json_string_value(json_array_get(solving->networks, i)),
					   solving->container, NULL, e);
	return r;
}

/* The attachments on their way into the container, which may run those that are programs. */
struct parcel {
	const struct solving *solving;
	struct ctfy_attachments list;
	size_t next; /* 0: the directory */
	char *name, *path;
};

static void parcel_done(struct parcel *parcel)
{
	fields_done(attachments_fields, &parcel->list);
	free(parcel->name);
	free(parcel->path);
}

static int next_attachment(void *cookie, struct tar_entry *ret_entry, struct err *e)
{
	struct parcel *parcel = cookie;
	const struct solving *solving = parcel->solving;
	AUTO(char *, freep) dir = NULL;
	const char *filename;

	ret_entry->uid = solving->program.st_uid;
	ret_entry->gid = solving->program.st_gid;
	if (parcel->next == 0) {
		parcel->next++;
		ret_entry->name = ATTACHMENTS + 1;
		ret_entry->mode = S_IFDIR | 0755;
		return 1;
	}
	if (parcel->next > parcel->list.attachment_count)
		return 0;
	filename = parcel->list.attachments[parcel->next++ - 1].filename;
	dir = attachments_dir(solving->node, solving->row->instance_id);
	free(parcel->name);
	free(parcel->path);
	parcel->name = strf("%s/%s", ATTACHMENTS + 1, filename);
	parcel->path = dir ? strf("%s/%s", dir, filename) : NULL;
	if (!parcel->name || !parcel->path)
		return err_memory(e);
	ret_entry->name = parcel->name;
	ret_entry->path = parcel->path;
	ret_entry->mode = S_IFREG | 0755;
	return 1;
}

static int put_attachments(struct solving *solving, struct err *e)
{
	AUTO(struct parcel, parcel_done) parcel = { .solving = solving };
	AUTO(struct tar *, tar_freep) tar = NULL;
	int r;

	r = attachments_list(solving->node, solving->row->instance_id, &parcel.list, e);
	if (r == 0)
		r = tar_new(next_attachment, &parcel, &tar, e);
	return r < 0 ? r
		     : engine_archive_write(solving->node->engine, solving->container, "/",
					    tar_read, tar, e);
}

static int make_container(struct solving *solving, struct err *e)
{
	AUTO(json_t *, json_decrefp) body = container_body(solving);
	AUTO(char *, freep) name = strf("ctfy-solver-%s", solving->row->instance_id);
	int r;

	if (!body || !name)
		return err_memory(e);
	r = container_create(solving->node,
			     &(struct container_order){ .kind = CONTAINER_FOREIGN,
							.challenge_id = solving->challenge->id,
							.name = name,
							.body = body },
			     &solving->container, e);
	if (r == 0)
		r = join_networks(solving, e);
	if (r == 0)
		r = put_attachments(solving, e);
	if (r == 0)
		r = engine_container_start(solving->node->engine, solving->container, e);
	return r;
}

/* --- its run ------------------------------------------------------------------------------ */

static int judge_end(const struct solving *solving, struct err *e)
{
	struct engine *engine = solving->node->engine;
	AUTO(json_t *, json_decrefp) inspected = NULL;
	struct engine_container_state state;
	int code, r;

	r = engine_container_wait(engine, solving->container, END_PATIENCE_MS, &code, e);
	if (r == 0)
		r = engine_container_inspect(engine, solving->container, &inspected, e);
	if (r < 0)
		return r;
	engine_container_state(inspected, &state);
	if (state.oom_killed)
		return err_set(e, ERR_INVALID, "the solver took more than %d MiB of memory",
			       SOLVER_MEMORY >> 20);
	return code == 0 ? 0 : err_set(e, ERR_INVALID, "the solver exited with %d", code);
}

static int run(struct solving *solving, const atomic_bool *cancelled, engine_output *output,
	       void *cookie, struct err *e)
{
	int r = make_container(solving, e);

	if (r == 0)
		r = engine_container_follow(solving->node->engine, solving->container,
					    SOLVER_PATIENCE_MS, cancelled, output, cookie, e);
	if (r == -ERR_TIMEOUT)
		return err_set(e, ERR_TIMEOUT, "the solver did not end within %d s",
			       SOLVER_PATIENCE_MS / 1000);
	return r == 0 ? judge_end(solving, e) : r;
}

static int prepare(struct solving *solving, const atomic_bool *cancelled, struct err *e)
{
	const struct image_job job = { .node = solving->node,
				       .challenge_id = "solver",
				       .instance_id = solving->row->instance_id,
				       .cancelled = cancelled };
	AUTO(char *, freep) program = strf("%s/%s", solving->challenge->dir, solver_file);
	int r;

	solving->endpoints = json_array();
	solving->networks = json_array();
	if (!program || !solving->endpoints || !solving->networks)
		return err_memory(e);
	if (stat(program, &solving->program) < 0)
		return err_errno(e, ERR_NOT_FOUND, "'%s'", program);
	r = image_have(&job, solving->node->options->solver_image, e);
	return r < 0 ? r : find_endpoints(solving, e);
}

int container_solve(struct node *node, const struct challenge *challenge,
		    const struct ctfy_instance *row, const atomic_bool *cancelled,
		    engine_output *output, void *cookie, struct err *e)
{
	AUTO(struct solving, solving_done)
	solving = { .node = node, .challenge = challenge, .row = row };
	struct err gone = ERR_INIT;
	int r;

	r = prepare(&solving, cancelled, e);
	if (r == 0)
		r = run(&solving, cancelled, output, cookie, e);
	if (solving.container &&
	    engine_container_remove(node->engine, solving.container, true, &gone) < 0)
		log_warn("solver of '%s': %s; it goes with its instance", challenge->id, gone.msg);
	return r;
}
