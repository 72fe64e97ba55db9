/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/plan.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/own.h"
#include "challenge/answers.h"
#include "challenge/compose.h"
#include "challenge/folder.h"
#include "challenge/service.h"

#include <ctype.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_SERVICES = 128, MAX_ATTACHMENT = 64 << 20 };

/* --- one service -------------------------------------------------------------------------- */

/* What handlers append to; what stays empty is taken out again. */
static const char *const host_arrays[] = { "SecurityOpt", "Devices", "DeviceRequests",
					   "GroupAdd",    "Ulimits", "DeviceCgroupRules",
					   "ExtraHosts" };
static const char *const host_objects[] = { "Tmpfs", "Sysctls" };

static json_t *container_new(struct planner *p)
{
	json_t *container = json_object(), *host = json_object();

	planner_set(p, container, "Env", json_array());
	planner_set(p, container, "Labels", json_object());
	planner_set(p, container, "ExposedPorts", json_object());
	for (size_t i = 0; i < ARRAY_SIZE(host_arrays); i++)
		planner_set(p, host, host_arrays[i], json_array());
	for (size_t i = 0; i < ARRAY_SIZE(host_objects); i++)
		planner_set(p, host, host_objects[i], json_object());
	planner_set(p, container, "HostConfig", host);
	return container;
}

static void drop_empty(json_t *host)
{
	for (size_t i = 0; i < ARRAY_SIZE(host_arrays); i++)
		if (!json_array_size(json_object_get(host, host_arrays[i])))
			json_object_del(host, host_arrays[i]);
	for (size_t i = 0; i < ARRAY_SIZE(host_objects); i++)
		if (!json_object_size(json_object_get(host, host_objects[i])))
			json_object_del(host, host_objects[i]);
}

static void build_release(struct plan_build *build)
{
	if (!build)
		return;
	json_decref(build->args);
	json_decref(build->labels);
	json_decref(build->extra_hosts);
}

static void service_release(struct plan_service *service)
{
	json_decref(service->container);
	build_release(service->build);
	*service = (struct plan_service){ 0 };
}

static bool check_service(struct planner *p, const struct yaml_entry *entry)
{
	const char *key = arena_printf(p->arena, "services.%s", entry->key);
	size_t len = strspn(entry->key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"0123456789._-");

	if (entry->value->kind != YAML_MAP)
		problem_at(p->problems, PROBLEM_ERROR, entry->value, key,
			   "a service must be a map, not %s", yaml_kind_name(entry->value->kind));
	else if (!len || entry->key[len])
		problem_at(p->problems, PROBLEM_ERROR, entry->value, key,
			   "a service's name takes letters, digits, '.', '_' and '-'");
	else
		return true;
	return false;
}

static void plan_service(struct planner *p, struct service *s, const struct yaml_entry *entry)
{
	struct plan_service *plan = &p->plan->services[p->plan->service_count];

	*plan = (struct plan_service){ .name = arena_strdup(p->arena, entry->key),
				       .pull_policy = "missing",
				       .replicas = 1,
				       .container = container_new(p) };
	*s = (struct service){ .p = p,
			       .plan = plan,
			       .name = plan->name,
			       .node = entry->value,
			       .container = plan->container,
			       .host = json_object_get(plan->container, "HostConfig"),
			       .environment.arena = p->arena,
			       .env_files.arena = p->arena,
			       .no_new_privileges = true };
	if (!s->name || !s->host) {
		p->out_of_memory = true;
		service_release(plan);
		return;
	}
	p->plan->service_count++;
	service_plan(s);
	drop_empty(s->host);
	if (s->disabled) {
		service_release(plan);
		p->plan->service_count--;
	}
}

/* --- among services ----------------------------------------------------------------------- */

static struct plan_service *find_service(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->service_count; i++)
		if (strcmp(plan->services[i].name, name) == 0)
			return &plan->services[i];
	return NULL;
}

/* An image that a sibling's build makes is not to be pulled. */
static void share_images(struct planner *p, struct service *services)
{
	for (size_t i = 0; i < p->plan->service_count; i++) {
		struct plan_service *user = services[i].plan;

		if (user->build || !user->image)
			continue;
		for (size_t j = 0; j < p->plan->service_count; j++) {
			const struct service *builder = &services[j];

			if (!builder->plan->build || !builder->declared_image ||
			    strcmp(builder->declared_image, user->image) != 0)
				continue;
			user->image = builder->plan->image;
			user->built_by = builder->name;
			user->pull_policy = "never";
			break;
		}
	}
}

/* A source that one service writes to is copied once, and all see the copy. */
static void share_copies(struct plan *plan)
{
	for (size_t i = 0; i < plan->service_count; i++)
		for (size_t j = 0; j < plan->services[i].bind_count; j++) {
			const struct plan_bind *copy = &plan->services[i].binds[j];

			for (size_t k = 0; copy->kind == PLAN_BIND_COPY && k < plan->service_count;
			     k++)
				for (size_t l = 0; l < plan->services[k].bind_count; l++) {
					struct plan_bind *bind = &plan->services[k].binds[l];

					if (bind->kind != PLAN_BIND_SHARED ||
					    strcmp(bind->source, copy->source) != 0)
						continue;
					bind->kind = PLAN_BIND_COPY;
					bind->slot = copy->slot;
				}
		}
}

static void alias_link(struct service *services, size_t count, const char *link)
{
	size_t len = strcspn(link, ":");

	for (size_t i = 0; link[len] && i < count; i++)
		if (strlen(services[i].name) == len && strncmp(services[i].name, link, len) == 0)
			service_add_alias(&services[i], link + len + 1);
}

/* "db:mysql" makes "mysql" a name of the service "db". */
static void alias_links(struct planner *p, struct service *services)
{
	for (size_t i = 0; i < p->plan->service_count; i++) {
		const struct yaml_node *links = yaml_get(services[i].node, "links");

		for (size_t j = 0; links && links->kind == YAML_LIST && j < links->count; j++)
			if (yaml_string(links->items[j]))
				alias_link(services, p->plan->service_count, links->items[j]->text);
	}
}

static void check_dependencies(struct service *s)
{
	const struct yaml_node *services = yaml_get(s->p->model, "services");
	size_t kept = 0;

	s->key = "depends_on";
	for (size_t i = 0; i < s->plan->dependency_count; i++) {
		const struct plan_dependency *on = &s->plan->depends_on[i];
		struct plan_service *service = find_service(s->p->plan, on->service);

		if (service) {
			service->one_shot = service->one_shot || on->condition == PLAN_COMPLETED;
			s->plan->depends_on[kept++] = *on;
		} else if (on->required) {
			service_fault(
				s, yaml_get(s->node, "depends_on"),
				yaml_get(services, on->service)
					? "the service '%s' is not started: its profile is off"
					: "there is no service '%s'",
				on->service);
		}
	}
	s->plan->dependency_count = kept;
	s->key = NULL;
}

static bool is_ready(const struct plan *plan, const struct plan_service *service, size_t placed)
{
	for (size_t i = 0; i < service->dependency_count; i++) {
		const struct plan_service *on = find_service(plan, service->depends_on[i].service);

		if (on && on >= &plan->services[placed])
			return false;
	}
	return true;
}

/* Dependencies first; otherwise the file's order. */
static void order_services(struct planner *p)
{
	struct plan *plan = p->plan;

	for (size_t placed = 0; placed < plan->service_count; placed++) {
		size_t next = placed;
		struct plan_service service;

		while (next < plan->service_count && !is_ready(plan, &plan->services[next], placed))
			next++;
		if (next == plan->service_count) {
			problem_at(p->problems, PROBLEM_ERROR, yaml_get(p->model, "services"),
				   "services", "the services '%s' and others wait for each other",
				   plan->services[placed].name);
			return;
		}
		service = plan->services[next];
		memmove(&plan->services[placed + 1], &plan->services[placed],
			(next - placed) * sizeof(service));
		plan->services[placed] = service;
	}
}

/* --- what the spec says of services ------------------------------------------------------- */

static struct service *endpoint_service(struct planner *p, struct service *services,
					const struct endpoint *endpoint)
{
	size_t count = p->plan->service_count;

	for (size_t i = 0; i < count; i++)
		if (endpoint->service ? strcmp(services[i].name, endpoint->service) == 0
				      : count == 1)
			return &services[i];
	for (size_t i = 0; !endpoint->service && i < count; i++)
		for (size_t j = 0; j < services[i].plan->port_count; j++)
			if (services[i].plan->ports[j].container_port == endpoint->port)
				return &services[i];
	return NULL;
}

static void apply_endpoints(struct planner *p, struct service *services)
{
	for (size_t i = 0; i < p->challenge->endpoint_count; i++) {
		const struct endpoint *endpoint = &p->challenge->endpoints[i];
		struct service *s = endpoint_service(p, services, endpoint);
		bool udp = strcmp(endpoint->protocol, "udp") == 0;
		struct plan_port *port;

		if (!s) {
			problem_at(p->problems, PROBLEM_ERROR, endpoint->node, "endpoints",
				   endpoint->service ? "there is no service '%s'"
						     : "name the service of the endpoint%s",
				   endpoint->service ? endpoint->service : "");
			continue;
		}
		port = service_add_port(s, endpoint->port, udp ? "udp" : "tcp", true);
		if (port && !udp && strcmp(endpoint->protocol, "tcp") != 0)
			port->app_protocol = arena_strdup(p->arena, endpoint->protocol);
	}
}

/* Where the spec speaks of one URL and there is one port, they are meant for each other. */
static const char *spoken_of(const struct challenge *challenge)
{
	const char *info = challenge->connection_info;

	if (challenge->protocol)
		return strcmp(challenge->protocol, "https") == 0  ? "https"
		       : strcmp(challenge->protocol, "http") == 0 ? "http"
								  : NULL;
	if (info && strstr(info, "https://"))
		return "https";
	if (info && (strstr(info, "http://") || strstr(info, "${url}") || strstr(info, "{{url}}")))
		return "http";
	return NULL;
}

/* Each takes a port of the node and a process of the engine's, in each replica. */
static void check_ports(struct planner *p)
{
	const struct yaml_node *services = yaml_get(p->model, "services");
	int64_t count = 0, most = p->limits.ports_max;

	for (size_t i = 0; i < p->plan->service_count; i++)
		for (size_t j = 0; j < p->plan->services[i].port_count; j++)
			if (p->plan->services[i].ports[j].published)
				count += p->plan->services[i].replicas;
	if (count > most)
		planner_permits(p, "ports", services, "services",
				"%lld ports are published, and the node's ports_max is %lld",
				(long long)count, (long long)most);
}

static void guess_app_protocol(struct planner *p)
{
	struct plan_port *only = NULL;
	size_t count = 0;

	for (size_t i = 0; i < p->plan->service_count; i++)
		for (size_t j = 0; j < p->plan->services[i].port_count; j++)
			if (p->plan->services[i].ports[j].published) {
				only = &p->plan->services[i].ports[j];
				count++;
			}
	if (count == 1 && !only->app_protocol && strcmp(only->protocol, "tcp") == 0)
		only->app_protocol = spoken_of(p->challenge);
}

/* What is built is read out of a container: the service's own, or one made for the purpose. */
static bool plan_built(struct planner *p, struct service *services,
		       const struct attachment *attachment, struct plan_attachment *row)
{
	struct service *s = NULL;

	for (size_t i = 0; services && i < p->plan->service_count && !s; i++)
		if (strcmp(services[i].name, attachment->service) == 0)
			s = &services[i];
	if (!s) {
		problem_at(p->problems, PROBLEM_ERROR, attachment->node, "attachments",
			   "there is no service '%s'", attachment->service);
		return false;
	}
	row->service = s->name;
	row->container_path = arena_strdup(p->arena, attachment->container_path);
	s->key = "attachments";
	if (attachment->stage)
		service_stage(s, attachment->node, attachment->stage, &row->build, &row->image);
	else if (attachment->command)
		row->image = s->plan->image;
	if (attachment->command)
		row->command = service_words(s, attachment->command);
	s->key = NULL;
	return true;
}

static bool plan_file(struct planner *p, const struct attachment *attachment,
		      struct plan_attachment *row)
{
	const char *text;
	struct err e = ERR_INIT;
	size_t len;

	row->source = path_join(p->arena, p->challenge->dir, attachment->source);
	if (!row->source || folder_kind(p->challenge->dir, row->source) == PATH_ABSENT)
		return false; /* loading has warned of it */
	if (!attachment->template_)
		return true;
	if (folder_read(p->arena, p->challenge->dir, row->source, MAX_ATTACHMENT, &text, &len, &e) <
		    0 ||
	    planner_render(p, text, len, &row->content, &row->size, &e) < 0) {
		problem_at(p->problems, PROBLEM_ERROR, attachment->node, "attachments", "'%s': %s",
			   attachment->source, e.msg);
		return false;
	}
	row->source = NULL;
	return true;
}

static void plan_attachments(struct planner *p, struct service *services)
{
	const struct challenge *challenge = p->challenge;
	struct plan *plan = p->plan;

	plan->attachments =
		arena_array(p->arena, challenge->attachment_count, sizeof(*plan->attachments));
	for (size_t i = 0; plan->attachments && i < challenge->attachment_count; i++) {
		const struct attachment *attachment = &challenge->attachments[i];
		struct plan_attachment *row = &plan->attachments[plan->attachment_count];

		*row = (struct plan_attachment){ .filename = arena_strdup(p->arena,
									  attachment->filename) };
		plan->attachment_count += attachment->service
						  ? plan_built(p, services, attachment, row)
						  : plan_file(p, attachment, row);
	}
}

static void check_placements(struct planner *p)
{
	for (size_t i = 0; i < p->challenge->placement_count; i++) {
		const struct placement *place = &p->challenge->placements[i];
		const struct plan_service *service =
			place->service ? find_service(p->plan, place->service) : NULL;

		if (place->service && !service)
			problem_at(p->problems, PROBLEM_ERROR, place->node, "place",
				   "there is no service '%s'", place->service);
		else if (service && place->way == PLACE_BUILD_ARG && !service->build)
			problem_at(p->problems, PROBLEM_ERROR, place->node, "place",
				   "the service '%s' is not built", place->service);
	}
}

/* What was made while memory ended has holes. */
static bool has_holes(const struct planner *p)
{
	return p->out_of_memory || arena_failed(p->arena);
}

/* --- the whole ---------------------------------------------------------------------------- */

static void plan_services(struct planner *p, const struct yaml_node *nodes)
{
	struct plan *plan = p->plan;
	struct service *services;

	services = arena_array(p->arena, nodes->count, sizeof(*services));
	plan->services = arena_array(p->arena, nodes->count, sizeof(*plan->services));
	if (!services || !plan->services)
		return;
	for (size_t i = 0; i < nodes->count; i++)
		if (check_service(p, &nodes->entries[i]))
			plan_service(p, &services[plan->service_count], &nodes->entries[i]);
	if (has_holes(p))
		return;
	if (!plan->service_count && !problems_refusals(p->problems))
		problem_at(p->problems, PROBLEM_ERROR, nodes, "services",
			   "every service is off by its profile");
	share_images(p, services);
	share_copies(plan);
	apply_endpoints(p, services);
	alias_links(p, services);
	for (size_t i = 0; i < plan->service_count; i++)
		check_dependencies(&services[i]);
	plan_attachments(p, services);
	order_services(p); /* the structs move: services[].plan must not be used from here on */
}

static void plan_model(struct planner *p)
{
	const struct yaml_node *services;

	p->model = compose_resolve(p);
	if (!p->model)
		return;
	services = yaml_get(p->model, "services");
	if (!services || services->kind != YAML_MAP || !services->count)
		problem_at(p->problems, PROBLEM_ERROR, services ? services : p->model, "services",
			   "there are no services");
	else if (services->count > MAX_SERVICES)
		problem_at(p->problems, PROBLEM_ERROR, services, "services",
			   "there are more than %d services", MAX_SERVICES);
	else
		plan_services(p, services);
}

/*
 * A project's name takes lower case letters, digits, "-" and "_". Ids that differ only in what it
 * can't hold are told apart by a hash.
 */
static const char *project_name(struct arena *arena, const char *instance_id)
{
	unsigned char digest[crypto_hash_sha256_BYTES];
	char *name = arena_printf(arena, "ctfy-%s", instance_id);
	bool same = true;

	for (char *c = name; c && *c; c++) {
		if (islower((unsigned char)*c) || isdigit((unsigned char)*c) || strchr("-_", *c))
			continue;
		same = false;
		*c = isupper((unsigned char)*c) ? (char)tolower((unsigned char)*c) : '-';
	}
	if (same || !name)
		return name;
	crypto_hash_sha256(digest, (const unsigned char *)instance_id, strlen(instance_id));
	return arena_printf(arena, "%s-%02x%02x%02x%02x", name, digest[0], digest[1], digest[2],
			    digest[3]);
}

static bool permits_egress(struct planner *p)
{
	return p->challenge->egress &&
	       planner_permits(p, "egress", p->challenge->egress_node, "egress",
			       "the challenge asks for connections to the outside");
}

static int make(struct planner *p, struct err *e)
{
	const struct challenge *challenge = p->challenge;
	struct plan *plan = p->plan;

	plan->challenge_id = arena_strdup(p->arena, challenge->id);
	plan->folder = arena_strdup(p->arena, challenge->dir);
	plan->project = project_name(p->arena, p->facts->instance_id);
	if (!plan->challenge_id || !plan->folder || !plan->project)
		return err_memory(e);
	p->variables.arena = p->arena;
	policy_limits(p->policy, challenge->id, &p->limits);
	plan->health_deadline_ms = challenge->health_deadline_ms ? challenge->health_deadline_ms
								 : p->limits.health_deadline_ms;
	plan->capture = challenge->capture;
	plan->record_http = challenge->record_http;
	plan->vpn = challenge->vpn;
	answers_define(p);
	policy_variables(p->policy, challenge->id, &p->variables);
	p->egress = permits_egress(p);
	if (challenge->compose) {
		compose_read_env(p, challenge->compose->dir, &p->variables);
		/* What every shell has when Compose is run where the file is. */
		variables_add(&p->variables, "PWD", challenge->compose->dir);
		plan_model(p);
	} else {
		plan_attachments(p, NULL);
	}
	if (has_holes(p))
		return err_memory(e);
	check_ports(p);
	guess_app_protocol(p);
	check_placements(p);
	answers_trace(p);
	return has_holes(p) ? err_memory(e) : 0;
}

int plan_make(const struct challenge *challenge, const struct policy *policy,
	      const struct plan_facts *facts, struct plan **ret_plan, struct problems *problems,
	      struct err *e)
{
	AUTO(struct problems, problems_done) found = PROBLEMS_INIT;
	AUTO(struct plan *, plan_freep) plan = calloc(1, sizeof(*plan));
	struct planner p = { .plan = plan,
			     .challenge = challenge,
			     .policy = policy,
			     .facts = facts,
			     .problems = &found };
	int r;

	if (!plan || !(plan->arena = p.arena = arena_new()))
		return err_memory(e);
	r = make(&p, e);
	if (r == 0 && problems_refusals(&found))
		r = problems_error(&found, e);
	if (problems)
		problems_move(problems, &found);
	if (r == 0)
		*ret_plan = TAKE(plan);
	return r;
}

int plan_open(const char *folder, const char *path, int flags, int *ret_fd, struct err *e)
{
	return folder_open_path(folder_guard(folder, path), path, flags, ret_fd, e);
}

const struct plan_network *plan_find_network(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->network_count; i++)
		if (strcmp(plan->networks[i].name, name) == 0)
			return &plan->networks[i];
	return NULL;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->service_count; i++)
		service_release(&plan->services[i]);
	for (size_t i = 0; i < plan->attachment_count; i++) {
		build_release(plan->attachments[i].build);
		json_decref(plan->attachments[i].command);
	}
	for (size_t i = 0; i < plan->network_count; i++)
		json_decref(plan->networks[i].options);
	for (size_t i = 0; i < plan->volume_count; i++)
		json_decref(plan->volumes[i].driver_opts);
	arena_free(plan->arena);
	free(plan);
}
