/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/service.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/image-name.h"
#include "base/json.h"
#include "base/own.h"
#include "challenge/answers.h"
#include "challenge/safe-text.h"
#include "challenge/tree.h"
#include "challenge/unit.h"
#include "challenge/words.h"

#include <stdlib.h>
#include <string.h>

/* --- for handlers ------------------------------------------------------------------------- */

const char *service_key_path(struct service *s)
{
	const char *path = arena_printf(s->p->arena, "services.%s%s%s", s->name, s->key ? "." : "",
					s->key ? s->key : "");

	return path ? path : "services";
}

static const char *format(struct service *s, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

static const char *format(struct service *s, const char *fmt, va_list ap)
{
	struct buf text = BUF_INIT;
	const char *copy;

	buf_vprintf(&text, fmt, ap);
	copy = arena_strdup(s->p->arena, text.data);
	buf_done(&text);
	return copy ? copy : "out of memory";
}

void service_fault(struct service *s, const struct yaml_node *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	problem_at(s->p->problems, PROBLEM_ERROR, at, service_key_path(s), "%s",
		   format(s, fmt, ap));
	va_end(ap);
}

void service_warn(struct service *s, const struct yaml_node *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	problem_at(s->p->problems, PROBLEM_WARNING, at, service_key_path(s), "%s",
		   format(s, fmt, ap));
	va_end(ap);
}

bool service_permits(struct service *s, const char *opt_in, const struct yaml_node *at,
		     const char *fmt, ...)
{
	const char *reason;
	va_list ap;

	va_start(ap, fmt);
	reason = format(s, fmt, ap);
	va_end(ap);
	return planner_permits(s->p, opt_in, at, service_key_path(s), "%s", reason);
}

const char *service_text(struct service *s, const struct yaml_node *value)
{
	const char *text = yaml_scalar_text(s->p->arena, value);

	if (!text)
		service_fault(s, value, "must be a string, not %s", yaml_kind_name(value->kind));
	return text;
}

bool service_bool(struct service *s, const struct yaml_node *value, bool *ret_value)
{
	const char *text = service_text(s, value);

	if (!text)
		return false;
	if (unit_bool(text, ret_value))
		return true;
	service_fault(s, value, "'%s' is neither true nor false", text);
	return false;
}

bool service_integer(struct service *s, const struct yaml_node *value, int64_t least, int64_t most,
		     int64_t *ret_value)
{
	const char *text = service_text(s, value);

	if (!text)
		return false;
	if (unit_integer(text, least, most, ret_value))
		return true;
	service_fault(s, value, "'%s' is not a number from %lld to %lld", text, (long long)least,
		      (long long)most);
	return false;
}

bool service_bytes(struct service *s, const struct yaml_node *value, int64_t *ret_bytes)
{
	const char *text = service_text(s, value);

	if (!text)
		return false;
	if (unit_bytes(text, ret_bytes))
		return true;
	service_fault(s, value, "'%s' is not a size: write it like '512m' or '2g'", text);
	return false;
}

bool service_duration(struct service *s, const struct yaml_node *value, int64_t *ret_ns)
{
	const char *text = service_text(s, value);

	if (!text)
		return false;
	if (unit_duration(text, ret_ns))
		return true;
	service_fault(s, value, "'%s' is not a duration: write it like '10s' or '1m30s'", text);
	return false;
}

void service_each(struct service *s, const struct yaml_node *value,
		  void (*each)(struct service *s, const struct yaml_node *item, const char *text))
{
	size_t count = value->kind == YAML_LIST ? value->count : 1;

	if (value->kind == YAML_NULL)
		return;
	for (size_t i = 0; i < count; i++) {
		const struct yaml_node *item = value->kind == YAML_LIST ? value->items[i] : value;
		const char *text = service_text(s, item);

		if (text)
			each(s, item, text);
	}
}

void service_each_pair(struct service *s, const struct yaml_node *value, const char *separators,
		       void (*each)(struct service *s, const struct yaml_node *at, const char *name,
				    const char *text))
{
	if (yaml_is_scalar(value) && value->kind != YAML_NULL) {
		service_fault(s, value, "must be a map or a list, not %s",
			      yaml_kind_name(value->kind));
		return;
	}
	for (size_t i = 0; i < value->count; i++) {
		bool is_map = value->kind == YAML_MAP;
		const struct yaml_node *item = is_map ? value->entries[i].value : value->items[i];
		const char *text = service_text(s, item);
		const char *name = is_map ? value->entries[i].key : text;
		size_t len = text && !is_map ? strcspn(text, separators) : 0;

		if (!text)
			continue;
		if (!is_map) {
			name = arena_strndup(s->p->arena, text, len);
			text = text[len] ? text + len + 1 : NULL;
		} else if (item->kind == YAML_NULL) {
			text = NULL;
		}
		if (name)
			each(s, item, name, text);
	}
}

bool service_checks_host(struct service *s, const struct yaml_node *at, const char *name,
			 const char *address)
{
	if (!address)
		service_fault(s, at, "'%s' has no address", name);
	else if (!text_is_host(name))
		service_fault(s, at, "'%s' is not a host name", name);
	else if (strcmp(address, "host-gateway") != 0 && !text_is_address(address))
		service_fault(s, at, "'%s' is not the address of '%s'", address, name);
	else
		return true;
	return false;
}

bool service_checks_platform(struct service *s, const struct yaml_node *at, const char *text)
{
	if (text_is_of(text, TEXT_LETTERS TEXT_DIGITS "_./-"))
		return true;
	service_fault(s, at, "'%s' is not a platform: write it like 'linux/amd64'", text);
	return false;
}

void service_unknown(struct service *s, const struct yaml_entry *entry)
{
	if (strncmp(entry->key, "x-", 2) != 0)
		problem_add(s->p->problems, PROBLEM_ERROR, entry->value->file->path, entry->line,
			    entry->column, service_key_path(s), "unknown key '%s'", entry->key);
}

void service_check_keys(struct service *s, const struct yaml_node *map, const char *const *known)
{
	planner_check_keys(s->p, map, service_key_path(s), known);
}

void service_set(struct service *s, json_t *object, const char *key, json_t *value)
{
	planner_set(s->p, object, key, value);
}

void service_set_text(struct service *s, json_t *object, const char *key, const char *text)
{
	planner_set(s->p, object, key, json_text(text));
}

/* --- handlers that need no file of their own ---------------------------------------------- */

static void set_string(struct service *s, const struct yaml_node *value, const char *engine_key)
{
	const char *text = service_text(s, value);

	if (text && value->kind != YAML_NULL)
		service_set_text(s, s->container, engine_key, text);
}

static void set_bool(struct service *s, const struct yaml_node *value, json_t *object,
		     const char *engine_key)
{
	bool yes;

	if (value->kind != YAML_NULL && service_bool(s, value, &yes))
		service_set(s, object, engine_key, json_boolean(yes));
}

static void plan_user(struct service *s, const struct yaml_node *value)
{
	set_string(s, value, "User");
}

static void plan_working_dir(struct service *s, const struct yaml_node *value)
{
	set_string(s, value, "WorkingDir");
}

static void plan_domainname(struct service *s, const struct yaml_node *value)
{
	const char *text = service_text(s, value);

	if (text && *text && !text_is_host(text))
		service_fault(s, value, "'%s' is not a domain's name", text);
	else
		set_string(s, value, "Domainname");
}

static void plan_stop_signal(struct service *s, const struct yaml_node *value)
{
	const char *text = service_text(s, value);

	if (text && *text && !text_is_of(text, TEXT_LETTERS TEXT_DIGITS "+-"))
		service_fault(s, value, "'%s' is not a signal", text);
	else
		set_string(s, value, "StopSignal");
}

static void plan_hostname(struct service *s, const struct yaml_node *value)
{
	const char *text = service_text(s, value);

	if (text && strlen(text) > 63)
		service_fault(s, value, "a host name has at most 63 characters");
	else if (text && *text && !text_is_host(text))
		service_fault(s, value, "'%s' is not a host name", text);
	else
		set_string(s, value, "Hostname");
}

static void plan_tty(struct service *s, const struct yaml_node *value)
{
	set_bool(s, value, s->container, "Tty");
}

static void plan_stdin_open(struct service *s, const struct yaml_node *value)
{
	set_bool(s, value, s->container, "OpenStdin");
}

static void plan_read_only(struct service *s, const struct yaml_node *value)
{
	set_bool(s, value, s->host, "ReadonlyRootfs");
}

static void plan_init(struct service *s, const struct yaml_node *value)
{
	set_bool(s, value, s->host, "Init");
}

static void plan_image(struct service *s, const struct yaml_node *value)
{
	const char *text = service_text(s, value);
	const char *fault = text ? image_name_fault(text) : NULL;

	if (fault)
		service_fault(s, value, "'%s' %s", text, fault);
	else
		s->plan->image = s->declared_image = text;
}

static void plan_platform(struct service *s, const struct yaml_node *value)
{
	const char *text = service_text(s, value);

	if (text && (!*text || service_checks_platform(s, value, text)))
		s->plan->platform = *text ? text : NULL;
}

static void plan_pull_policy(struct service *s, const struct yaml_node *value)
{
	static const struct {
		const char *word, *policy;
	} policies[] = { { "always", "always" },   { "never", "never" },
			 { "missing", "missing" }, { "if_not_present", "missing" },
			 { "build", "missing" },   { "daily", "missing" },
			 { "weekly", "missing" },  { "refresh", "missing" } };
	const char *text = service_text(s, value);

	for (size_t i = 0; text && i < ARRAY_SIZE(policies); i++) {
		if (strcmp(policies[i].word, text) == 0) {
			s->plan->pull_policy = policies[i].policy;
			return;
		}
	}
	if (text && strncmp(text, "every_", 6) == 0)
		return;
	if (text)
		service_fault(s, value, "'%s' is not a pull policy", text);
}

/* A command line: words as they are, or a string to be split. */
json_t *service_words(struct service *s, const struct yaml_node *value)
{
	AUTO(json_t *, json_decrefp) words = json_array();
	struct err e = ERR_INIT;

	if (value->kind == YAML_LIST) {
		for (size_t i = 0; i < value->count; i++) {
			const char *text = service_text(s, value->items[i]);

			if (text)
				planner_append(s->p, words, json_text(text));
		}
	} else {
		const char *text = service_text(s, value);
		json_t *split = NULL;
		const char *rest;

		if (!text)
			return NULL;
		if (words_split(text, &split, &rest, &e) < 0) {
			service_fault(s, value, "%s", e.msg);
			return NULL;
		}
		if (*rest)
			service_warn(s, value, "no shell reads this: it ends before '%s'", rest);
		return split;
	}
	return TAKE(words);
}

static void plan_command(struct service *s, const struct yaml_node *value)
{
	json_t *words = value->kind == YAML_NULL ? NULL : service_words(s, value);

	if (words)
		service_set(s, s->container, "Cmd", words);
}

/* An empty one clears the image's, which is not the same as none. */
static void plan_entrypoint(struct service *s, const struct yaml_node *value)
{
	json_t *words = value->kind == YAML_NULL ? NULL : service_words(s, value);

	if (words)
		service_set(s, s->container, "Entrypoint", words);
}

static void plan_stop_grace_period(struct service *s, const struct yaml_node *value)
{
	int64_t ns;

	if (service_duration(s, value, &ns))
		service_set(s, s->container, "StopTimeout",
			    json_integer((ns + 999999999) / 1000000000));
}

static void plan_container_name(struct service *s, const struct yaml_node *value)
{
	service_text(s, value); /* an alias on each of its networks: service_finish_networks() */
}

static void plan_profiles(struct service *s, const struct yaml_node *value)
{
	const char *active = variables_get(&s->p->variables, "COMPOSE_PROFILES");
	bool on = value->kind != YAML_LIST || value->count == 0 ||
		  (active && strcmp(active, "*") == 0);

	for (size_t i = 0; active && value->kind == YAML_LIST && i < value->count; i++) {
		const char *profile = service_text(s, value->items[i]);
		size_t len = profile ? strlen(profile) : 0;

		for (const char *at = active; len && (at = strstr(at, profile)); at++)
			on = on || ((at == active || at[-1] == ',') &&
				    (at[len] == ',' || at[len] == '\0'));
	}
	s->disabled = !on;
}

static void plan_mac_address(struct service *s, const struct yaml_node *value)
{
	service_warn(s, value, "has no effect: instances would share the address");
}

static void no_effect(struct service *s, const struct yaml_node *value)
{
	service_warn(s, value, "has no effect here");
}

static void only_windows(struct service *s, const struct yaml_node *value)
{
	service_warn(s, value, "has no effect: it is for Windows containers");
}

static void only_compose(struct service *s, const struct yaml_node *value)
{
	service_warn(s, value, "has no effect: it is for 'docker compose' itself");
}

static void unsupported(struct service *s, const struct yaml_node *value)
{
	service_fault(s, value, "is not supported");
}

static void read_elsewhere(struct service *s, const struct yaml_node *value)
{
	(void)s;
	(void)value;
}

static void plan_volumes_from(struct service *s, const struct yaml_node *value)
{
	service_fault(s, value, "is not supported: mount a named volume in both services");
}

static void plan_external_links(struct service *s, const struct yaml_node *value)
{
	service_fault(s, value, "is not supported: an instance has no containers but its own");
}

static void plan_use_api_socket(struct service *s, const struct yaml_node *value)
{
	bool yes;

	if (service_bool(s, value, &yes) && yes)
		service_fault(s, value, "is not supported: mount the socket as a volume");
}

struct key_row {
	const char *key;
	service_key_fn *plan;
};

/* Every key of the specification, sorted. */
static const struct key_row keys[] = {
	{ "annotations", only_compose },
	{ "attach", only_compose },
	{ "blkio_config", service_blkio_config },
	{ "build", service_build },
	{ "cap_add", service_cap_add },
	{ "cap_drop", service_cap_drop },
	{ "cgroup", service_cgroup },
	{ "cgroup_parent", service_cgroup_parent },
	{ "command", plan_command },
	{ "configs", service_configs },
	{ "container_name", plan_container_name },
	{ "cpu_count", only_windows },
	{ "cpu_percent", only_windows },
	{ "cpu_period", service_cpu_period },
	{ "cpu_quota", service_cpu_quota },
	{ "cpu_rt_period", service_real_time },
	{ "cpu_rt_runtime", service_real_time },
	{ "cpu_shares", service_cpu_shares },
	{ "cpus", service_cpus },
	{ "cpuset", service_cpuset },
	{ "credential_spec", only_windows },
	{ "depends_on", service_depends_on },
	{ "deploy", service_deploy },
	{ "develop", only_compose },
	{ "device_cgroup_rules", service_device_cgroup_rules },
	{ "devices", service_devices },
	{ "dns", service_dns },
	{ "dns_opt", service_dns_opt },
	{ "dns_search", service_dns_search },
	{ "domainname", plan_domainname },
	{ "entrypoint", plan_entrypoint },
	{ "env_file", service_env_file },
	{ "environment", service_environment },
	{ "expose", service_expose },
	{ "external_links", plan_external_links },
	{ "extra_hosts", service_extra_hosts },
	{ "gpus", service_gpus },
	{ "group_add", service_group_add },
	{ "healthcheck", service_healthcheck },
	{ "hostname", plan_hostname },
	{ "image", plan_image },
	{ "init", plan_init },
	{ "ipc", service_ipc },
	{ "isolation", only_windows },
	{ "label_file", no_effect },
	{ "labels", service_labels },
	{ "links", service_links },
	{ "logging", service_logging },
	{ "mac_address", plan_mac_address },
	{ "mem_limit", service_mem_limit },
	{ "mem_reservation", service_mem_reservation },
	{ "mem_swappiness", service_mem_swappiness },
	{ "memswap_limit", service_memswap_limit },
	{ "models", unsupported },
	{ "network_mode", service_network_mode },
	{ "networks", service_networks },
	{ "oom_kill_disable", service_oom_kill_disable },
	{ "oom_score_adj", service_oom_score_adj },
	{ "pid", service_pid },
	{ "pids_limit", service_pids_limit },
	{ "platform", plan_platform },
	{ "ports", service_ports },
	{ "post_start", unsupported },
	{ "pre_start", unsupported },
	{ "pre_stop", no_effect },
	{ "privileged", service_privileged },
	{ "profiles", read_elsewhere },
	{ "provider", unsupported },
	{ "pull_policy", plan_pull_policy },
	{ "pull_refresh_after", only_compose },
	{ "read_only", plan_read_only },
	{ "restart", service_restart },
	{ "runtime", service_runtime },
	{ "scale", service_scale },
	{ "secrets", service_secrets },
	{ "security_opt", service_security_opt },
	{ "shm_size", service_shm_size },
	{ "stdin_open", plan_stdin_open },
	{ "stop_grace_period", plan_stop_grace_period },
	{ "stop_signal", plan_stop_signal },
	{ "storage_opt", service_storage_opt },
	{ "sysctls", service_sysctls },
	{ "tmpfs", service_tmpfs },
	{ "tty", plan_tty },
	{ "ulimits", service_ulimits },
	{ "use_api_socket", plan_use_api_socket },
	{ "user", plan_user },
	{ "userns_mode", service_userns_mode },
	{ "uts", service_uts },
	{ "volumes", service_volumes },
	{ "volumes_from", plan_volumes_from },
	{ "working_dir", plan_working_dir },
};

static int compare_key(const void *key, const void *row)
{
	return strcmp(key, ((const struct key_row *)row)->key);
}

static void plan_key(struct service *s, const struct yaml_entry *entry)
{
	const struct key_row *row =
		bsearch(entry->key, keys, ARRAY_SIZE(keys), sizeof(keys[0]), compare_key);

	if (strncmp(entry->key, "x-", 2) == 0)
		return;
	s->key = entry->key;
	if (!row)
		problem_add(s->p->problems, PROBLEM_ERROR, entry->value->file->path, entry->line,
			    entry->column, service_key_path(s), "unknown key");
	else
		row->plan(s, entry->value);
	s->key = NULL;
}

void service_plan(struct service *s)
{
	const struct yaml_node *profiles = yaml_get(s->node, "profiles");

	if (profiles)
		plan_profiles(s, profiles);
	if (s->disabled)
		return;
	for (size_t i = 0; i < s->node->count; i++)
		plan_key(s, &s->node->entries[i]);
	if (!s->plan->image && !s->plan->build && !yaml_string(yaml_get(s->node, "image")))
		problem_at(s->p->problems, PROBLEM_ERROR, s->node, service_key_path(s),
			   "has neither an image nor a build");
	if (s->disabled)
		return;
	answers_place(s);
	service_finish_build(s);
	service_finish_mounts(s);
	service_finish_networks(s);
	service_finish_security(s);
	service_finish_limits(s);
	service_finish_environment(s);
}
