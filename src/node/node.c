/* SPDX-License-Identifier: Apache-2.0 */
#include "node/node.h"

#include "base/buf.h"
#include "base/claim.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/secret.h"
#include "base/steady-clock.h"
#include "base/work.h"
#include "challenge/policy.h"
#include "challenge/problem.h"
#include "db/db.h"
#include "engine/engine.h"
#include "node/build-ground.h"
#include "node/catalogue.h"
#include "node/clean.h"
#include "node/containment.h"
#include "node/firewall.h"
#include "node/image.h"
#include "node/metrics.h"
#include "node/names.h"
#include "node/pool.h"
#include "node/port.h"
#include "node/roster.h"
#include "node/runtime.h"
#include "node/stale-table.h"
#include "node/store.h"
#include "node/subnet.h"
#include "node/timing.h"
#include "node/trials.h"
#include "node/uplink.h"
#include "node/warm.h"
#include "wire/node.h"

#include <string.h>

static int check_options(const struct node_options *options, struct err *e)
{
	if (!options->challenges)
		return err_set(e, ERR_INVALID, "--challenges DIR is needed");
	if (!options->state)
		return err_set(e, ERR_INVALID, "--state DIR is needed");
	if (strcmp(options->isolation, "firewall") != 0 && strcmp(options->isolation, "none") != 0)
		return err_set(e, ERR_INVALID, "--isolation is \"firewall\" or \"none\", not '%s'",
			       options->isolation);
	if (!options->cert != !options->key)
		return err_set(e, ERR_INVALID, "--cert and --key go together");
	return 0;
}

static int open_directories(struct node *node, struct err *e)
{
	const struct node_options *options = node->options;
	AUTO(char *, freep) evidence =
		options->evidence ? strdup(options->evidence) : strf("%s/evidence", options->state);
	int r;

	r = evidence ? dir_make(options->state, 0700, e) : err_memory(e);
	if (r == 0)
		r = dir_make(evidence, 0700, e);
	if (r < 0)
		return r;
	node->state_dir = realpath(options->state, NULL);
	node->evidence_dir = realpath(evidence, NULL);
	return node->state_dir && node->evidence_dir
		       ? 0
		       : err_errno(e, ERR_INVALID, "find '%s'", options->state);
}

/* A second node on the same state would run, end and sweep the same instances. */
static int claim_state(struct node *node, struct err *e)
{
	int r;

	if (node->options->check)
		return 0;
	r = claim_dir(node->state_dir, &node->state_claim, e);
	return r < 0 ? r : uplinks_sweep(node, e);
}

/* For a look around, which changes nothing, the machine's own will do. */
static int open_clock(struct node *node, struct err *e)
{
	AUTO(char *, freep) path = strf("%s/clock", node->state_dir);
	int r;

	if (node->options->check)
		return 0;
	r = path ? steady_clock_open(path, node->options->accept_clock, &node->steady, e)
		 : err_memory(e);
	if (r == 0)
		node->clock = steady_clock_of(node->steady);
	return r;
}

static int claim_id(struct node *node, struct err *e)
{
	AUTO(char *, freep) name = strf(NODE_CLAIM "%s", node->id);

	if (node->options->check)
		return 0;
	return name ? claim_name(name, &node->id_claim, e) : err_memory(e);
}

static int load_policy(const struct node_options *options, struct policy **ret_policy,
		       struct err *e)
{
	struct problems problems = PROBLEMS_INIT;
	int r;

	if (!options->policy)
		return 0;
	r = policy_load(options->policy, ret_policy, &problems, e);
	problems_done(&problems);
	return r;
}

static bool engine_maps_users(const json_t *info)
{
	const json_t *option;
	size_t i;

	json_array_foreach (json_object_get(info, "SecurityOptions"), i, option)
		if (json_is_string(option) && strcmp(json_string_value(option), "name=userns") == 0)
			return true;
	return false;
}

/* With --check the doctor says it. */
static int check_runtime(const struct node *node, const json_t *info, struct err *e)
{
	const char *name = node->options->runtime;
	int r;

	if (!name || node->options->check)
		return 0;
	r = runtime_check(node->engine, info, name, e);
	return r < 0 ? err_wrap(e, "--runtime") : 0;
}

static int open_engine(struct node *node, struct err *e)
{
	const struct engine_options options = {
		.url = node->options->engine,
		.observe = metrics_engine_call,
		.cookie = node->metrics,
	};
	AUTO(json_t *, json_decrefp) info = NULL;
	const char *dir = "/", *driver = "";
	int r;

	r = engine_open(&options, &node->engine, e);
	if (r < 0)
		return r;
	node->engine_name = strf("%s %s", engine_is_podman(node->engine) ? "Podman" : "Docker",
				 engine_version(node->engine));
	if (!node->engine_name)
		return err_memory(e);
	r = engine_info(node->engine, &info, e);
	if (r < 0)
		return r;
	json_unpack(info, "{s:s}", "DockerRootDir", &dir); /* Podman says nothing of it */
	node->maps_users = engine_maps_users(info);
	node->nano_cpus = json_integer_value(json_object_get(info, "NCPU")) * 1000000000;
	json_unpack(info, "{s:s}", "CgroupDriver", &driver);
	node->cgroups_by_engine = strcmp(driver, "cgroupfs") == 0 &&
				  strncmp(engine_url(node->engine), "unix:", 5) == 0;
	node->engine_dir = strdup(dir);
	return node->engine_dir ? check_runtime(node, info, e) : err_memory(e);
}

static int open_stores(struct node *node, struct err *e)
{
	int r;

	r = store_open(node->state_dir, &node->db, e);
	if (r == 0)
		r = store_node_id(node->db, node->id, e);
	if (r == 0)
		r = subnets_new(node->options->subnets, &node->subnets, e);
	if (r == 0)
		r = ports_new(node->options->ports, node->options->bind, &node->ports, e);
	if (r == 0)
		r = pool_new(node, (size_t)node->options->ready_networks, &node->pool, e);
	if (r == 0)
		r = timings_new(&node->timings, e);
	if (r == 0)
		r = images_new(&node->images, e);
	if (r == 0)
		r = build_ground_new(node, &node->build_ground, e);
	if (r == 0)
		r = warm_new(node, &node->warm, e);
	if (r == 0)
		r = trials_new(node, &node->trials, e);
	if (r == 0)
		r = roster_new(&node->roster, e);
	if (r == 0)
		r = work_new(&node->work, e);
	return r;
}

static int open_firewall(struct node *node, struct err *e)
{
	bool podman = engine_is_podman(node->engine);
	struct firewall_options options = {
		.node_id = node->id,
		.subnets = node->options->subnets,
		.names_on_bridges = podman,
		.instance_connections = node->options->instance_connections,
		.client_connections = node->options->client_connections,
	};
	struct err left = ERR_INIT;
	int r = podman ? 0 : names_open(&node->names, e);

	if (r < 0)
		return r;
	options.names_port = node->names ? names_port(node->names) : 0;
	r = firewall_open(&options, &node->firewall, e);
	if (r == 0 && stale_tables_remove(node, &left) < 0)
		log_warn("%s", left.msg); /* they harm nobody */
	return r;
}

static int scan_challenges(struct node *node, struct err *e)
{
	struct ctfy_rescan scan = { 0 };
	int r;

	r = catalogue_new(node->options->challenges, &node->catalogue, e);
	if (r == 0)
		r = catalogue_rescan(node->catalogue, &scan, e);
	for (size_t i = 0; i < scan.error_count; i++)
		log_warn("challenge '%s' is left out: %s", scan.errors[i].path,
			 scan.errors[i].detail);
	if (r == 0)
		log_info("%lld challenges in '%s'", (long long)scan.total,
			 node->options->challenges);
	fields_done(rescan_fields, &scan);
	return r;
}

static int node_open(struct node *node, struct err *e)
{
	int r;

	r = check_options(node->options, e);
	if (r == 0)
		r = metrics_new(&node->metrics, e);
	if (r == 0)
		r = secret_init(e);
	if (r == 0 && node->options->token_file)
		r = secret_read_file(node->options->token_file, &node->token, e);
	if (r == 0)
		r = open_directories(node, e);
	if (r == 0)
		r = claim_state(node, e);
	if (r == 0)
		r = open_clock(node, e);
	if (r == 0)
		r = load_policy(node->options, &node->policy, e);
	if (r == 0)
		r = open_engine(node, e);
	if (r == 0)
		r = open_stores(node, e);
	if (r ==
	    0) /* before its table is there, which is another's to remove where nobody has it */
		r = claim_id(node, e);
	if (r == 0 && !node->options->check && node_isolates(node))
		r = open_firewall(node, e);
	if (r == 0 && !node->options->check)
		r = containment_prepare(node, e);
	if (r == 0)
		r = scan_challenges(node, e);
	return r;
}

int node_new(const struct node_options *options, struct node **ret_node, struct err *e)
{
	AUTO(struct node *, node_freep) node = calloc(1, sizeof(*node));
	int r;

	if (!node)
		return err_memory(e);
	node->options = options;
	node->clock = &clock_real;
	node->state_claim = node->id_claim = -1;
	promises_init(&node->promises);
	pthread_rwlock_init(&node->config, NULL);
	gate_init(&node->stops, 16);
	gate_init(&node->starts, (size_t)options->parallel_starts);
	r = node_open(node, e);
	if (r < 0)
		return r;
	*ret_node = TAKE(node);
	return 0;
}

bool node_isolates(const struct node *node)
{
	return strcmp(node->options->isolation, "none") != 0;
}

void node_miss_engine(struct node *node)
{
	long long there = 0;

	atomic_compare_exchange_strong(&node->engine_left_at, &there, clock_now_ms(&clock_real));
}

int node_reload(struct node *node, struct err *e)
{
	AUTO(char *, freep) token = NULL;
	struct policy *policy = NULL;
	int r = 0;

	if (node->options->token_file)
		r = secret_read_file(node->options->token_file, &token, e);
	if (r == 0)
		r = load_policy(node->options, &policy, e);
	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&node->config);
	if (token) {
		char *old = node->token;

		node->token = TAKE(token);
		token = old;
	}
	policy_free(node->policy);
	node->policy = policy;
	pthread_rwlock_unlock(&node->config);
	return 0;
}

void node_free(struct node *node)
{
	if (!node)
		return;
	warm_stop(node->warm);
	trials_stop(node->trials);
	work_free(node->work);
	trials_free(node->trials);
	warm_free(node->warm);
	gate_done(&node->starts);
	gate_done(&node->stops);
	promises_done(&node->promises);
	timings_free(node->timings);
	roster_free(node->roster);
	build_ground_free(node->build_ground);
	images_free(node->images);
	firewall_close(node->firewall);
	names_close(node->names);
	pool_free(node->pool);
	ports_free(node->ports);
	subnets_free(node->subnets);
	catalogue_free(node->catalogue);
	policy_free(node->policy);
	pthread_rwlock_destroy(&node->config);
	engine_close(node->engine);
	db_close(node->db);
	metrics_free(node->metrics);
	steady_clock_free(node->steady);
	closep(&node->id_claim);
	closep(&node->state_claim);
	free(node->engine_dir);
	free(node->engine_name);
	free(node->evidence_dir);
	free(node->state_dir);
	free(node->token);
	free(node);
}
