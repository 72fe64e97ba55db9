/* SPDX-License-Identifier: Apache-2.0 */
/* kCTF: a Kubernetes resource, the challenge's image in challenge/, the flag in metadata.yaml. */
#include "challenge/spec.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/own.h"
#include "challenge/compose.h"
#include "challenge/folder.h"
#include "challenge/kubernetes.h"
#include "challenge/tree.h"

#include <string.h>

enum { DEFAULT_PORT = 1337 }; /* kCTF's own */

bool spec_is_kctf(const struct yaml_node *root)
{
	const char *version = yaml_text(yaml_get(root, "apiVersion"));

	return version && strncmp(version, "kctf.dev/", 9) == 0;
}

static void add_port(struct spec *spec, const struct yaml_node *at, int64_t port,
		     const char *protocol)
{
	struct endpoint *row;

	if (port < 1 || port > 65535) {
		spec_fault(spec, at, "spec.network.ports", "'targetPort' is from 1 to 65535");
		return;
	}
	row = spec_add_endpoint(spec);
	if (row)
		*row = (struct endpoint){ .service = "challenge",
					  .port = (uint16_t)port,
					  .protocol = protocol,
					  .node = at };
}

/* Where the challenge names no port, it is kCTF's own. */
static void read_ports(struct spec *spec, const struct yaml_node *network)
{
	const struct yaml_node *ports = yaml_get(network, "ports");

	for (size_t i = 0; ports && ports->kind == YAML_LIST && i < ports->count; i++) {
		const struct yaml_node *item = ports->items[i];
		const struct yaml_node *target = yaml_get(item, "targetPort");
		const char *protocol = yaml_text(yaml_get(item, "protocol"));

		if (!target)
			target = yaml_get(item, "port");
		add_port(spec, item, target ? spec_integer(spec, target, "ports") : 0,
			 protocol && strcmp(protocol, "HTTPS") == 0 ? "http"
			 : protocol && strcmp(protocol, "UDP") == 0 ? "udp"
								    : "tcp");
	}
	if (!spec->challenge->endpoint_count)
		add_port(spec, network ? network : spec->root, DEFAULT_PORT, "tcp");
}

/* The challenge's own container of the pod; others are sidecars of the cluster's. */
static void read_pod(struct spec *spec, struct yaml_node *service, const struct yaml_node *pod)
{
	const struct yaml_node *containers =
		yaml_get(yaml_get(yaml_get(pod, "template"), "spec"), "containers");

	for (size_t i = 0; containers && containers->kind == YAML_LIST && i < containers->count;
	     i++) {
		const struct yaml_node *container = containers->items[i];
		const char *name = yaml_text(yaml_get(container, "name"));

		if (!name || strcmp(name, "challenge") != 0)
			continue;
		if (yaml_get(container, "resources"))
			kubernetes_resources(spec, service, yaml_get(container, "resources"));
		if (yaml_get(container, "securityContext"))
			kubernetes_security(spec, service, yaml_get(container, "securityContext"));
		if (yaml_get(container, "env"))
			kubernetes_environment(spec, service, yaml_get(container, "env"));
		if (yaml_get(container, "volumeMounts"))
			spec_warn(spec, yaml_get(container, "volumeMounts"), "volumeMounts",
				  "has no effect here");
	}
}

/* kCTF's operator gives every challenge what nsjail needs to build its jail. */
static void give_jail_rights(struct spec *spec, struct yaml_node *service)
{
	struct yaml_node *add = tree_new(spec->arena, YAML_LIST, spec->root);

	if (yaml_get(service, "cap_add") || yaml_get(service, "privileged"))
		return;
	tree_append(spec->arena, add, tree_string(spec->arena, "SYS_ADMIN", spec->root));
	tree_set(spec->arena, service, "cap_add", add);
}

/* --- keys --------------------------------------------------------------------------------- */

static void read_elsewhere(struct spec *spec, const struct yaml_node *value)
{
	(void)spec; /* read where the service is made */
	(void)value;
}

static void read_name(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->name = yaml_text(yaml_get(value, "name"));
}

static void read_deployed(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->hidden = !spec_bool(spec, value, "deployed");
}

static void read_public(struct spec *spec, const struct yaml_node *value)
{
	if (!spec_bool(spec, value, "public"))
		spec_warn(spec, value, "spec.network.public",
			  "has no effect: the ports are open to the instance's team");
}

static void read_network(struct spec *spec, const struct yaml_node *value);
static void read_body(struct spec *spec, const struct yaml_node *value);

static const struct spec_key top_keys[] = {
	{ "apiVersion", read_elsewhere, NULL },
	{ "kind", read_elsewhere, NULL },
	{ "metadata", read_name, NULL },
	{ "spec", read_body, NULL },
};

static const struct spec_key body_keys[] = {
	{ "allowConnectTo", NULL, "has no effect: an instance reaches no other challenge" },
	{ "autoscaling", NULL, "has no effect: every team has an instance of its own" },
	{ "deployed", read_deployed, NULL },
	{ "healthcheck", NULL,
	  "has no effect: an instance is healthy when its ports take connections" },
	{ "horizontalPodAutoscalerSpec", NULL,
	  "has no effect: every team has an instance of its own" },
	{ "image", read_elsewhere, NULL },
	{ "network", read_network, NULL },
	{ "persistentVolumeClaims", NULL, "has no effect: nothing outlives an instance" },
	{ "podTemplate", read_elsewhere, NULL },
	{ "powDifficultySeconds", NULL,
	  "has no effect: a team reaches its own instance without a proof of work" },
	{ "replicas", NULL, "has no effect: every team has an instance of its own" },
};

static const struct spec_key network_keys[] = {
	{ "dns", NULL, "has no effect: the node has the names" },
	{ "domains", NULL, "has no effect: the node has the names" },
	{ "ports", read_elsewhere, NULL },
	{ "public", read_public, NULL },
};

const struct spec_keys spec_keys_kctf[] = { SPEC_KEYS("", top_keys),
					    SPEC_KEYS("spec", body_keys),
					    SPEC_KEYS("spec.network", network_keys),
					    { .map = NULL } };

static void read_network(struct spec *spec, const struct yaml_node *value)
{
	spec_read(spec, value, &spec_keys_kctf[2]);
}

static void read_body(struct spec *spec, const struct yaml_node *value)
{
	spec_read(spec, value, &spec_keys_kctf[1]);
}

static void read_metadata(struct spec *spec)
{
	const char *path = path_join(spec->arena, spec->dir, "metadata.yaml");
	struct challenge *c = spec->challenge;
	struct yaml_node *root = NULL;
	struct err e = ERR_INIT;
	const char *flag, *name;

	if (!path || folder_kind(c->dir, path) == PATH_ABSENT ||
	    compose_parse(spec->arena, c->dir, path, c->dir, &root, spec->problems, &e) < 0)
		return;
	flag = yaml_text(yaml_get(root, "flag"));
	name = yaml_text(yaml_get(root, "name"));
	if (flag && *flag)
		spec_add_flag(spec, yaml_get(root, "flag"), flag, false);
	if (name)
		c->name = name;
	c->category = yaml_text(yaml_get(root, "category"));
	c->description = yaml_text(yaml_get(root, "description"));
}

static void read_flag_file(struct spec *spec)
{
	static const char *const files[] = { "challenge/flag", "challenge/flag.txt", "flag",
					     "flag.txt" };

	for (size_t i = 0; i < ARRAY_SIZE(files) && !spec->challenge->question_count; i++) {
		const char *path = path_join(spec->arena, spec->dir, files[i]);

		if (path && folder_kind(spec->challenge->dir, path) == PATH_FILE)
			spec_add_flag_file(spec, spec->root, files[i]);
	}
}

static void read_service(struct spec *spec, const struct yaml_node *body)
{
	const char *dockerfile = path_join(spec->arena, spec->dir, "challenge/Dockerfile");
	struct yaml_node *image = yaml_get(body, "image");
	bool is_built = dockerfile && folder_kind(spec->challenge->dir, dockerfile) != PATH_ABSENT;
	struct yaml_node *service;

	if (!is_built && !yaml_text(image)) {
		spec_warn(spec, spec->root, "spec",
			  "nothing runs: there is neither 'challenge/Dockerfile' nor an 'image'");
		return;
	}
	service = spec_service(spec, "challenge", spec->root);
	if (is_built)
		tree_set(spec->arena, service, "build",
			 tree_string(spec->arena, "./challenge", spec->root));
	else
		tree_set(spec->arena, service, "image", image);
	read_pod(spec, service, yaml_get(body, "podTemplate"));
	read_ports(spec, yaml_get(body, "network"));
	give_jail_rights(spec, service);
}

void spec_read_kctf(struct spec *spec)
{
	const struct yaml_node *body = yaml_get(spec->root, "spec");
	const char *compose = compose_find(spec->arena, spec->dir, spec->dir);

	spec_read(spec, spec->root, spec_keys_kctf);
	read_metadata(spec);
	read_flag_file(spec);
	if (!compose)
		read_service(spec, body);
	spec->challenge->type = "dynamic";
}
