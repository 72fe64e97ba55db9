/* SPDX-License-Identifier: Apache-2.0 */
#include "node/build-ground.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "engine/engine.h"
#include "engine/image.h"
#include "engine/network.h"
#include "node/build-cgroup.h"
#include "node/build-fence.h"
#include "node/compose.h"
#include "node/firewall.h"
#include "node/node.h"
#include "node/subnet.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum {
	CPU_PERIOD_US = 100000,
	CPU_SHARES = 256,     /* a container has 1024: builds yield to what is played */
	BUILD_PIDS = 4096,    /* of all builds */
	OPEN_FILES = 16384,   /* of each process */
	FILE_MAX = INT32_MAX, /* bytes: no step makes a larger one, and none fills a disk at once */
	BUILD_RANDOM = 12,
	NETWORK_ATTEMPTS = 16, /* at subnets that others on the host may overlap */
};

/* What BuildKit's containers are in, below the engine's own default for a parent. */
#define CGROUP_BUILDKIT "docker/buildkit"
#define NETWORK_NAME    "ctfy-builds-%s"

#define CGROUP_CLASSIC  "ctfy-build"

struct build_ground {
	struct node *node;
	json_t *ulimits;
	pthread_mutex_t lock;
	char network[72]; /* its id; "": not made yet */
	char subnet[SUBNET_TEXT_SIZE];
	size_t fenced; /* builds that need the fence */
	bool told;     /* that cgroups can't be set */
};

int build_ground_new(struct node *node, struct build_ground **ret_ground, struct err *e)
{
	struct build_ground *ground = calloc(1, sizeof(*ground));

	if (!ground)
		return err_memory(e);
	ground->node = node;
	pthread_mutex_init(&ground->lock, NULL);
	ground->ulimits =
		json_make("[{s:s,s:i,s:i},{s:s,s:i,s:i},{s:s,s:i,s:i}]", "Name", "nofile", "Soft",
			  OPEN_FILES, "Hard", OPEN_FILES, "Name", "core", "Soft", 0, "Hard", 0,
			  "Name", "fsize", "Soft", FILE_MAX, "Hard", FILE_MAX);
	if (!ground->ulimits) {
		build_ground_free(ground);
		return err_memory(e);
	}
	*ret_ground = ground;
	return 0;
}

void build_ground_free(struct build_ground *ground)
{
	if (!ground)
		return;
	if (ground->fenced)
		build_fence_remove(ground->node->id);
	json_decref(ground->ulimits);
	pthread_mutex_destroy(&ground->lock);
	free(ground);
}

/* --- the network -------------------------------------------------------------------------- */

static int make_network(struct build_ground *ground, struct err *e)
{
	struct node *node = ground->node;
	AUTO(char *, freep) name = strf(NETWORK_NAME, node->id);
	AUTO(char *, freep) id = NULL;
	AUTO(json_t *, json_decrefp) labels =
		json_make("{s:s,s:s}", LABEL_NODE, node->id, LABEL_BUILDS, "true");
	AUTO(json_t *, json_decrefp) apart =
		json_make("{s:s}", "com.docker.network.bridge.enable_icc", "false");
	char gateway[SUBNET_TEXT_SIZE], bridge[BRIDGE_NAME_SIZE];
	const struct engine_network_options options = {
		.name = name,
		.bridge = bridge,
		.subnet = ground->subnet,
		.gateway = gateway,
		.options = engine_is_podman(node->engine) ? NULL : apart,
		.labels = labels,
	};
	int r = name && labels && apart ? subnets_take(node->subnets, 0, ground->subnet, e)
					: err_memory(e);

	if (r < 0)
		return r;
	subnet_address(ground->subnet, 1, gateway);
	firewall_bridge_name(node->id, name, true, bridge);
	r = engine_network_create(node->engine, &options, &id, e);
	if (r == 0)
		snprintf(ground->network, sizeof(ground->network), "%s", id);
	else if (r != -ERR_CONFLICT) /* one that something else overlaps is not tried again */
		subnets_release(node->subnets, ground->subnet);
	return r;
}

/* It may have been pruned since, for nobody is in it between two steps. */
static int is_there(const struct build_ground *ground, struct err *e)
{
	int r;

	if (!ground->network[0])
		return 0;
	r = engine_network_inspect(ground->node->engine, ground->network, NULL, e);
	return r == -ERR_NOT_FOUND ? 0 : r < 0 ? r : 1;
}

static int ensure_network(struct build_ground *ground, struct err *e)
{
	int r = is_there(ground, e);

	if (r != 0)
		return r < 0 ? r : 0;
	if (ground->network[0])
		subnets_release(ground->node->subnets, ground->subnet);
	ground->network[0] = '\0';
	for (int i = 0; i < NETWORK_ATTEMPTS; i++) {
		r = make_network(ground, e);
		if (r != -ERR_CONFLICT)
			break;
	}
	return r < 0 ? err_wrap(e, "the network of builds") : 0;
}

static int list_networks(const struct build_ground *ground, struct engine_network_list *ret_list,
			 struct err *e)
{
	char ours[96];
	const char *const labels[] = { ours, LABEL_BUILDS, NULL };

	snprintf(ours, sizeof(ours), LABEL_NODE "=%s", ground->node->id);
	return engine_network_list(ground->node->engine, labels, ret_list, e);
}

int build_ground_recover(struct build_ground *ground, struct err *e)
{
	AUTO(char *, freep) own = strf("%s-", ground->node->id);
	struct engine_network_list list = { 0 };
	int r = list_networks(ground, &list, e);

	if (node_isolates(ground->node))
		build_fence_remove(ground->node->id); /* a killed node's build left it */
	if (own && engine_is_podman(ground->node->engine) && ground->node->cgroups_by_engine)
		build_cgroup_end_all(BUILD_CGROUP_ROOT, CGROUP_CLASSIC, own);
	for (size_t i = 0; r == 0 && i < list.count; i++) {
		const struct engine_network *found = &list.items[i];

		if (ground->network[0] || !found->subnet) {
			engine_network_remove(ground->node->engine, found->id, NULL);
			continue;
		}
		subnets_claim(ground->node->subnets, found->subnet);
		snprintf(ground->network, sizeof(ground->network), "%s", found->id);
		snprintf(ground->subnet, sizeof(ground->subnet), "%s", found->subnet);
	}
	engine_network_list_done(&list);
	return r;
}

void build_ground_clear(struct build_ground *ground)
{
	struct err e = ERR_INIT;
	int r;

	if (!ground->network[0])
		return;
	r = engine_network_remove(ground->node->engine, ground->network, &e);
	if (r < 0 && r != -ERR_NOT_FOUND)
		log_warn("%s", e.msg);
	ground->network[0] = '\0';
}

/* --- the cgroup --------------------------------------------------------------------------- */

/* Only where the engine makes cgroups itself can one of ours hold its containers. */
static bool limit_cgroup(struct build_ground *ground, const char *name)
{
	const struct node *node = ground->node;
	const struct build_cgroup_limits limits = { .memory = node->options->build_memory,
						    .cpus = node->options->build_cpus,
						    .pids = BUILD_PIDS };
	int r = -1;

	if (node->cgroups_by_engine)
		r = build_cgroup_limit(BUILD_CGROUP_ROOT, name, &limits);
	if (r < 0 && !ground->told)
		log_warn("builds are not held by a cgroup of the node's: their processes are "
			 "limited by systemd's DefaultTasksMax, and BuildKit's steps by nothing "
			 "else");
	ground->told |= r < 0;
	return r == 0;
}

/* --- entering ----------------------------------------------------------------------------- */

/* Podman has one builder, which knows what a Dockerfile may want BuildKit for. */
static bool uses_buildkit(const struct build_ground *ground, const struct engine_build *build)
{
	return build->buildkit && !engine_is_podman(ground->node->engine);
}

/* Podman puts steps into the very group that it is told, and leaves them there when it is left. */
static const char *own_group(const struct node *node, struct build_stay *stay)
{
	char random[BUILD_RANDOM + 1];

	id_random(random, BUILD_RANDOM);
	snprintf(stay->cgroup, sizeof(stay->cgroup), "/" CGROUP_CLASSIC "/%s-%s", node->id, random);
	return stay->cgroup;
}

static void put_limits(struct build_ground *ground, struct engine_build *build,
		       struct build_stay *stay)
{
	const struct node_options *options = ground->node->options;
	bool buildkit = uses_buildkit(ground, build);

	build->memory = options->build_memory;
	build->cpu_period = CPU_PERIOD_US;
	build->cpu_quota = options->build_cpus * CPU_PERIOD_US;
	build->cpu_shares = CPU_SHARES;
	build->ulimits = ground->ulimits;
	build->timeout_ms = options->build_time;
	if (!limit_cgroup(ground, buildkit ? CGROUP_BUILDKIT : CGROUP_CLASSIC) || buildkit)
		return;
	build->cgroup_parent = "/" CGROUP_CLASSIC;
	if (engine_is_podman(ground->node->engine))
		build->cgroup_parent = own_group(ground->node, stay);
}

static bool needs_fence(const struct build_ground *ground, const struct engine_build *build)
{
	return uses_buildkit(ground, build) && !build->network && node_isolates(ground->node);
}

/* Anew for each build: containers that came meanwhile are spared, too. */
static int raise_fence(struct build_ground *ground, struct err *e)
{
	int r = build_fence_install(ground->node, e);

	if (r == 0)
		ground->fenced++;
	return r;
}

int build_ground_enter(struct build_ground *ground, struct engine_build *build,
		       struct build_stay *ret_stay, struct err *e)
{
	bool needs_network = !build->network && !uses_buildkit(ground, build);
	int r = 0;

	*ret_stay = (struct build_stay){ .fenced = needs_fence(ground, build) };
	put_limits(ground, build, ret_stay);
	pthread_mutex_lock(&ground->lock);
	if (ret_stay->fenced)
		r = raise_fence(ground, e);
	else if (needs_network)
		r = ensure_network(ground, e);
	/* A copy: another build may find it gone, and make another. Podman's builder knows names.
	 */
	if (engine_is_podman(ground->node->engine))
		snprintf(ret_stay->network, sizeof(ret_stay->network), NETWORK_NAME,
			 ground->node->id);
	else
		snprintf(ret_stay->network, sizeof(ret_stay->network), "%s", ground->network);
	pthread_mutex_unlock(&ground->lock);
	if (r == 0 && needs_network)
		build->network = ret_stay->network;
	return r;
}

void build_ground_leave(struct build_ground *ground, const struct build_stay *stay)
{
	if (*stay->cgroup)
		build_cgroup_end(BUILD_CGROUP_ROOT, stay->cgroup + 1);
	if (!stay->fenced)
		return;
	pthread_mutex_lock(&ground->lock);
	if (--ground->fenced == 0)
		build_fence_remove(ground->node->id);
	pthread_mutex_unlock(&ground->lock);
}
