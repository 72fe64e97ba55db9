/* SPDX-License-Identifier: Apache-2.0 */
/* What a service may take of the host: memory, processors, processes, files, log. */
#include "challenge/service.h"

#include "base/arena.h"
#include "base/own.h"
#include "challenge/unit.h"

#include <string.h>

/* The engine refuses less. */
enum { LEAST_MEMORY = 6 << 20 };

/* What a container has that asks for none. */
enum { ORDINARY_SHARES = 1024 };

void service_mem_limit(struct service *s, const struct yaml_node *value)
{
	if (value->kind != YAML_NULL && service_bytes(s, value, &s->memory))
		s->memory_node = value;
}

void service_memswap_limit(struct service *s, const struct yaml_node *value)
{
	const char *text = service_text(s, value);

	if (!text || value->kind == YAML_NULL)
		return;
	s->swap_node = value;
	if (strcmp(text, "-1") == 0)
		s->memory_swap = -1;
	else
		service_bytes(s, value, &s->memory_swap);
}

void service_mem_reservation(struct service *s, const struct yaml_node *value)
{
	int64_t bytes;

	if (service_bytes(s, value, &bytes))
		service_set(s, s->host, "MemoryReservation", json_integer(bytes));
}

void service_mem_swappiness(struct service *s, const struct yaml_node *value)
{
	int64_t percent;

	if (service_integer(s, value, 0, 100, &percent))
		service_set(s, s->host, "MemorySwappiness", json_integer(percent));
}

static void read_cpus(struct service *s, const struct yaml_node *value)
{
	const char *text = service_text(s, value);

	if (!text || value->kind == YAML_NULL)
		return;
	if (unit_cpus(text, &s->nano_cpus))
		s->cpus_node = value;
	else
		service_fault(s, value, "'%s' is not a number of processors", text);
}

void service_cpus(struct service *s, const struct yaml_node *value)
{
	read_cpus(s, value);
}

void service_cpu_quota(struct service *s, const struct yaml_node *value)
{
	if (service_integer(s, value, -1, INT64_MAX / 1000, &s->cpu_quota))
		s->cpus_node = value;
}

void service_cpu_period(struct service *s, const struct yaml_node *value)
{
	int64_t ns;
	const char *text = service_text(s, value);

	if (!text)
		return;
	if (unit_integer(text, 1000, 1000000, &s->cpu_period))
		return;
	if (unit_duration(text, &ns) && ns > 0)
		s->cpu_period = ns / 1000;
	else
		service_fault(s, value, "'%s' is not a period in microseconds", text);
}

void service_cpu_shares(struct service *s, const struct yaml_node *value)
{
	int64_t shares;

	if (service_integer(s, value, 0, 262144, &shares) &&
	    (shares <= ORDINARY_SHARES ||
	     service_permits(s, "cpu-shares", value,
			     "more than %d shares take processors from other instances",
			     ORDINARY_SHARES)))
		service_set(s, s->host, "CpuShares", json_integer(shares));
}

void service_cpuset(struct service *s, const struct yaml_node *value)
{
	const char *text = service_text(s, value);

	if (text && text[strspn(text, "0123456789,-")])
		service_fault(s, value, "'%s' is not a set of processors", text);
	else if (text)
		service_set_text(s, s->host, "CpusetCpus", text);
}

void service_real_time(struct service *s, const struct yaml_node *value)
{
	const char *engine_key =
		strcmp(s->key, "cpu_rt_period") == 0 ? "CpuRealtimePeriod" : "CpuRealtimeRuntime";
	int64_t us;

	if (service_integer(s, value, 0, INT32_MAX, &us) &&
	    service_permits(s, "real-time", value, "a real-time service can starve the host"))
		service_set(s, s->host, engine_key, json_integer(us));
}

void service_pids_limit(struct service *s, const struct yaml_node *value)
{
	if (value->kind != YAML_NULL && service_integer(s, value, -1, INT32_MAX, &s->pids))
		s->pids_node = value;
}

/* It counts as memory of the service, whose limit bounds it. */
void service_shm_size(struct service *s, const struct yaml_node *value)
{
	int64_t bytes;

	if (service_bytes(s, value, &bytes))
		service_set(s, s->host, "ShmSize", json_integer(bytes));
}

static void append_ulimit(struct service *s, const char *name, int64_t soft, int64_t hard)
{
	json_t *ulimits = json_object_get(s->host, "Ulimits");
	json_t *ulimit = json_object();

	service_set_text(s, ulimit, "Name", name);
	service_set(s, ulimit, "Soft", json_integer(soft));
	service_set(s, ulimit, "Hard", json_integer(hard));
	planner_append(s->p, ulimits, ulimit);
}

/* The kernel's limits; those of precedence let a container starve the host's own work. */
static bool permits_ulimit(struct service *s, const struct yaml_entry *entry, int64_t hard)
{
	static const char *const known[] = { "core",    "cpu",        "data",   "fsize", "locks",
					     "memlock", "msgqueue",   "nofile", "nproc", "rss",
					     "rttime",  "sigpending", "stack" };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(known[i], entry->key) == 0)
			return true;
	if (strcmp(entry->key, "rtprio") == 0 || strcmp(entry->key, "nice") == 0)
		return hard == 0 ||
		       service_permits(s, "real-time", entry->value,
				       "'%s' puts it before the host's own processes", entry->key);
	service_fault(s, entry->value, "there is no limit '%s'", entry->key);
	return false;
}

static void add_ulimit(struct service *s, const struct yaml_entry *entry)
{
	const struct yaml_node *soft_node = yaml_get(entry->value, "soft");
	const struct yaml_node *hard_node = yaml_get(entry->value, "hard");
	static const char *const known[] = { "soft", "hard", NULL };
	bool is_map = entry->value->kind == YAML_MAP;
	int64_t soft, hard;

	service_check_keys(s, entry->value, known);
	if (is_map && (!soft_node || !hard_node)) {
		service_fault(s, entry->value, "'%s' needs both 'soft' and 'hard'", entry->key);
		return;
	}
	if (!service_integer(s, is_map ? soft_node : entry->value, -1, INT64_MAX, &soft) ||
	    !service_integer(s, is_map ? hard_node : entry->value, -1, INT64_MAX, &hard))
		return;
	if (!permits_ulimit(s, entry, hard))
		return;
	if (strcmp(entry->key, "nofile") == 0) {
		s->has_nofile = true;
		if ((hard < 0 || hard > s->p->limits.nofile_max) &&
		    !service_permits(s, "nofile", entry->value, "more than the node's %lld files",
				     (long long)s->p->limits.nofile_max))
			return;
	}
	append_ulimit(s, entry->key, soft, hard);
}

void service_ulimits(struct service *s, const struct yaml_node *value)
{
	if (value->kind != YAML_MAP && value->kind != YAML_NULL)
		service_fault(s, value, "must be a map, not %s", yaml_kind_name(value->kind));
	for (size_t i = 0; value->kind == YAML_MAP && i < value->count; i++)
		add_ulimit(s, &value->entries[i]);
}

void service_oom_kill_disable(struct service *s, const struct yaml_node *value)
{
	bool yes;

	if (service_bool(s, value, &yes) && yes &&
	    service_permits(s, "oom-score", value, "the kernel would have to kill something else"))
		service_set(s, s->host, "OomKillDisable", json_true());
}

void service_oom_score_adj(struct service *s, const struct yaml_node *value)
{
	int64_t score;

	if (service_integer(s, value, -1000, 1000, &score) &&
	    (score >= 0 ||
	     service_permits(s, "oom-score", value, "the kernel would kill something else first")))
		service_set(s, s->host, "OomScoreAdj", json_integer(score));
}

void service_blkio_config(struct service *s, const struct yaml_node *value)
{
	service_warn(s, value, "has no effect here");
}

void service_storage_opt(struct service *s, const struct yaml_node *value)
{
	service_warn(s, value, "has no effect: most hosts' file systems can't limit a container");
}

static void set_replicas(struct service *s, const struct yaml_node *value)
{
	int64_t replicas;

	if (!service_integer(s, value, 0, 10000, &replicas))
		return;
	if (replicas == 0)
		s->disabled = true;
	else if (replicas <= s->p->limits.replicas_max ||
		 service_permits(s, "replicas", value, "more than the node's %lld replicas",
				 (long long)s->p->limits.replicas_max))
		s->plan->replicas = (uint32_t)replicas;
}

void service_scale(struct service *s, const struct yaml_node *value)
{
	set_replicas(s, value);
}

/* --- deploy ------------------------------------------------------------------------------- */

static void set_deploy_limit(struct service *s, const struct yaml_entry *entry)
{
	if (strcmp(entry->key, "memory") == 0)
		service_mem_limit(s, entry->value);
	else if (strcmp(entry->key, "cpus") == 0)
		read_cpus(s, entry->value);
	else if (strcmp(entry->key, "pids") == 0)
		service_pids_limit(s, entry->value);
	else
		service_unknown(s, entry);
}

static void set_reservation(struct service *s, const struct yaml_entry *entry)
{
	if (strcmp(entry->key, "devices") == 0)
		service_gpus(s, entry->value);
	else if (strcmp(entry->key, "memory") == 0)
		service_mem_reservation(s, entry->value);
	else if (strcmp(entry->key, "cpus") == 0 || strcmp(entry->key, "generic_resources") == 0)
		service_warn(s, entry->value, "'reservations.%s' has no effect here", entry->key);
	else
		service_unknown(s, entry);
}

static void set_resources(struct service *s, const struct yaml_entry *entry)
{
	bool limits = strcmp(entry->key, "limits") == 0;

	if (!limits && strcmp(entry->key, "reservations") != 0) {
		service_unknown(s, entry);
		return;
	}
	for (size_t i = 0; entry->value->kind == YAML_MAP && i < entry->value->count; i++)
		(limits ? set_deploy_limit : set_reservation)(s, &entry->value->entries[i]);
}

/* Only where `restart` says nothing. */
static void set_restart_policy(struct service *s, const struct yaml_node *value)
{
	static const struct {
		const char *condition, *name;
	} names[] = { { "none", "no" }, { "on-failure", "on-failure" }, { "any", "always" } };
	const struct yaml_node *attempts = yaml_get(value, "max_attempts");
	static const char *const known[] = { "condition", "delay", "max_attempts", "window", NULL };
	const char *condition = yaml_string(yaml_get(value, "condition"));
	int64_t retries = 0;

	service_check_keys(s, value, known);
	if (yaml_get(s->node, "restart"))
		return;
	if (attempts)
		service_integer(s, attempts, 0, INT32_MAX, &retries);
	if (!condition)
		condition = "any";
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(names[i].condition, condition) != 0)
			continue;
		service_set_restart(s, names[i].name, i == 1 ? retries : 0);
		return;
	}
	service_fault(s, value, "'%s' is not a condition: use none, on-failure or any", condition);
}

static void set_deploy(struct service *s, const struct yaml_entry *entry)
{
	static const char *const swarm[] = { "mode",          "labels",          "placement",
					     "update_config", "rollback_config", "endpoint_mode" };

	if (strcmp(entry->key, "resources") == 0) {
		for (size_t i = 0; entry->value->kind == YAML_MAP && i < entry->value->count; i++)
			set_resources(s, &entry->value->entries[i]);
		return;
	}
	if (strcmp(entry->key, "replicas") == 0) {
		set_replicas(s, entry->value);
		return;
	}
	if (strcmp(entry->key, "restart_policy") == 0) {
		set_restart_policy(s, entry->value);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(swarm); i++) {
		if (strcmp(swarm[i], entry->key) == 0) {
			service_warn(s, entry->value, "'%s' has no effect: it is for a swarm",
				     entry->key);
			return;
		}
	}
	service_unknown(s, entry);
}

void service_deploy(struct service *s, const struct yaml_node *value)
{
	if (value->kind != YAML_MAP && value->kind != YAML_NULL)
		service_fault(s, value, "must be a map, not %s", yaml_kind_name(value->kind));
	for (size_t i = 0; value->kind == YAML_MAP && i < value->count; i++)
		set_deploy(s, &value->entries[i]);
}

/* --- logging ------------------------------------------------------------------------------ */

/* The node reads the log through the engine, and a log must not fill its disk. */
static void set_log(struct service *s, int64_t size, int64_t files)
{
	json_t *log = json_object(), *options = json_object();
	const char *size_text = arena_printf(s->p->arena, "%lld", (long long)size);
	const char *files_text = arena_printf(s->p->arena, "%lld", (long long)files);

	if (size_text && files_text) {
		service_set_text(s, options, "max-size", size_text);
		service_set_text(s, options, "max-file", files_text);
	}
	service_set_text(s, log, "Type", "json-file");
	service_set(s, log, "Config", options);
	service_set(s, s->host, "LogConfig", log);
}

void service_logging(struct service *s, const struct yaml_node *value)
{
	const char *driver = yaml_string(yaml_get(value, "driver"));
	const struct yaml_node *options = yaml_get(value, "options");
	const struct yaml_node *max_size = yaml_get(options, "max-size");
	const struct yaml_node *max_file = yaml_get(options, "max-file");
	int64_t size = s->p->limits.log_size, files = s->p->limits.log_files;
	static const char *const known[] = { "driver", "options", NULL };
	int64_t asked;

	service_check_keys(s, value, known);
	if (driver && strcmp(driver, "json-file") != 0 && strcmp(driver, "local") != 0) {
		service_warn(s, value, "the driver '%s' is not used: the node reads the log itself",
			     driver);
		return;
	}
	for (size_t i = 0; options && options->kind == YAML_MAP && i < options->count; i++)
		if (options->entries[i].value != max_size && options->entries[i].value != max_file)
			service_warn(s, options->entries[i].value, "the option '%s' has no effect",
				     options->entries[i].key);
	if (max_size && service_bytes(s, max_size, &asked) && asked > 0 && asked < size)
		size = asked;
	if (max_file && service_integer(s, max_file, 1, 1000, &asked) && asked < files)
		files = asked;
	set_log(s, size, files);
}

/* --- what they come to -------------------------------------------------------------------- */

/* The amount asked for, the default where none is, bounded by what the policy permits. */
static int64_t settle(struct service *s, int64_t asked, int64_t ordinary, int64_t most,
		      const struct yaml_node *at, const char *key, const char *opt_in,
		      const char *reason)
{
	if (asked == 0)
		return ordinary < most ? ordinary : most;
	s->key = key;
	if ((asked < 0 || asked > most) && !service_permits(s, opt_in, at, "%s", reason))
		asked = most;
	s->key = NULL;
	return asked;
}

static void settle_memory(struct service *s)
{
	const struct limits *limits = &s->p->limits;
	const char *reason = arena_printf(s->p->arena, "more than the node's %lld MiB of memory",
					  (long long)(limits->memory_max >> 20));
	int64_t memory, swap;

	memory = settle(s, s->memory, limits->memory, limits->memory_max, s->memory_node,
			"mem_limit", "memory", reason ? reason : "");
	s->key = "mem_limit";
	if (memory < LEAST_MEMORY)
		service_fault(s, s->memory_node, "the engine needs at least 6m");
	s->key = "memswap_limit";
	swap = memory; /* without a word of it, a container gets no swap */
	if (s->swap_node && !s->memory_node)
		service_warn(s, s->swap_node, "has no effect without mem_limit");
	else if (s->memory_swap > 0 && s->memory_swap < memory)
		service_fault(s, s->swap_node, "is memory and swap together: at least mem_limit");
	else if (s->memory_swap > 0 && s->memory_swap <= limits->memory_max)
		swap = s->memory_swap;
	else if (s->memory_swap)
		service_warn(s, s->swap_node,
			     "has no effect: the node gives no swap beyond its "
			     "limit for memory");
	s->key = NULL;
	s->plan->memory = memory;
	service_set(s, s->host, "Memory", json_integer(memory));
	service_set(s, s->host, "MemorySwap", json_integer(swap));
}

static void settle_cpus(struct service *s)
{
	const struct limits *limits = &s->p->limits;
	int64_t asked = s->nano_cpus;

	if (s->cpu_period && !s->cpu_quota) {
		s->key = "cpu_period";
		service_warn(s, NULL, "has no effect without cpu_quota");
		s->key = NULL;
	}
	/* The engine refuses a quota beside a number of processors: they are one thing. */
	if (s->cpu_quota > 0)
		asked = (int64_t)(1e9 * (double)s->cpu_quota /
				  (double)(s->cpu_period ? s->cpu_period : 100000));
	s->plan->nano_cpus =
		settle(s, asked, limits->nano_cpus, limits->nano_cpus_max, s->cpus_node, "cpus",
		       "cpus", "more than the node's processors");
	service_set(s, s->host, "NanoCpus", json_integer(s->plan->nano_cpus));
}

static void settle_pids(struct service *s)
{
	const struct limits *limits = &s->p->limits;
	int64_t pids = settle(s, s->pids, limits->pids, limits->pids_max, s->pids_node,
			      "pids_limit", "pids", "more processes than the node's limit");

	service_set(s, s->host, "PidsLimit", json_integer(pids));
}

void service_finish_limits(struct service *s)
{
	settle_memory(s);
	settle_cpus(s);
	settle_pids(s);
	if (!s->has_nofile)
		append_ulimit(s, "nofile", s->p->limits.nofile_soft, s->p->limits.nofile_hard);
	if (!json_object_get(s->host, "LogConfig"))
		set_log(s, s->p->limits.log_size, s->p->limits.log_files);
}
