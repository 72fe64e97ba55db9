/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One service of a compose file on its way into the plan.
 *
 * service_plan() walks the service's keys in the file's order and hands each to its handler, a row
 * of a table. What several keys decide together is kept here until service_finish().
 */
#ifndef CHALLENGE_SERVICE_H
#define CHALLENGE_SERVICE_H

#include "challenge/planner.h"

#include <jansson.h>
#include <stdarg.h>

struct service {
	struct planner *p;
	struct plan_service *plan;
	const char *name;
	const struct yaml_node *node;
	const char *key; /* the one being planned: "ports" */
	json_t *container,
		*host; /* the Engine's ContainerCreate body and its HostConfig; borrowed */

	const char *declared_image; /* as the file has it, even where it is built */
	struct variables environment, env_files;
	const char *base_image; /* what it is of, or built on; NULL: not known */
	const struct yaml_node *cap_add, *cap_drop, *devices;
	const struct yaml_node *privileged_node; /* asks to be */
	bool built_for_jail; /* its image is a jail's, or its Dockerfile speaks of one */
	bool privileged, no_new_privileges;
	int64_t memory, memory_swap, nano_cpus, cpu_quota, cpu_period, pids; /* 0: not asked */
	const struct yaml_node *memory_node, *swap_node, *cpus_node, *pids_node;
	const struct yaml_node *build_node;
	bool build_faulty; /* told already: nothing more can be said of the build */
	bool has_nofile;
	bool disabled; /* by its profiles */
};

/* Plans all keys. What is wrong goes to the planner's problems. */
void service_plan(struct service *s);

/* --- for handlers ------------------------------------------------------------------------- */

typedef void service_key_fn(struct service *s, const struct yaml_node *value);

/* Each names the key in work: "services.web.ports". */
__attribute__((format(printf, 3, 4))) void
service_fault(struct service *s, const struct yaml_node *at, const char *fmt, ...);
__attribute__((format(printf, 3, 4))) void
service_warn(struct service *s, const struct yaml_node *at, const char *fmt, ...);
/* Whether the policy permits; else a problem with the reason is added. */
__attribute__((format(printf, 4, 5))) bool service_permits(struct service *s, const char *opt_in,
							   const struct yaml_node *at,
							   const char *fmt, ...);
const char *service_key_path(struct service *s);

/* A scalar's text; a list or map is a fault and NULL. */
const char *service_text(struct service *s, const struct yaml_node *value);
bool service_bool(struct service *s, const struct yaml_node *value, bool *ret_value);
bool service_integer(struct service *s, const struct yaml_node *value, int64_t least, int64_t most,
		     int64_t *ret_value);
bool service_bytes(struct service *s, const struct yaml_node *value, int64_t *ret_bytes);
bool service_duration(struct service *s, const struct yaml_node *value, int64_t *ret_ns);

/* Calls back for each scalar of a list, or for a lone one. */
void service_each(struct service *s, const struct yaml_node *value,
		  void (*each)(struct service *s, const struct yaml_node *item, const char *text));

/* Calls back for each pair of a map, or of a list of "name=value". A NULL text: no value. */
void service_each_pair(struct service *s, const struct yaml_node *value, const char *separators,
		       void (*each)(struct service *s, const struct yaml_node *at, const char *name,
				    const char *text));

/* Whether a hosts file may have such a line; whether such a platform may be asked for. Else told.
 */
bool service_checks_host(struct service *s, const struct yaml_node *at, const char *name,
			 const char *address);
bool service_checks_platform(struct service *s, const struct yaml_node *at, const char *text);

/*
 * Whether a jail's rights are given in place of what opt_in would allow: the service asks for all
 * rights, or for SYS_ADMIN, and the policy has 'jail' for it and not that.
 */
bool service_is_jail_instead(struct service *s, const char *opt_in);

/* Whether a text, of a Dockerfile or an image's name, is that of one of the usual jails. */
bool text_names_jail(const char *text);

/* Tells of an entry of a map whose key isn't known. */
void service_unknown(struct service *s, const struct yaml_entry *entry);
/* Of each that isn't among those known, a list that ends with NULL. */
void service_check_keys(struct service *s, const struct yaml_node *map, const char *const *known);

/* host[key] or container[key] = value, which is taken. */
void service_set(struct service *s, json_t *object, const char *key, json_t *value);
void service_set_text(struct service *s, json_t *object, const char *key, const char *text);

/* --- handlers, by file -------------------------------------------------------------------- */

service_key_fn service_build;                 /* service-build.c */
service_key_fn service_ports, service_expose; /* service-ports.c */
service_key_fn service_volumes, service_tmpfs, service_configs, service_secrets; /* -mounts.c */
service_key_fn service_networks, service_network_mode, service_dns, service_dns_search,
	service_dns_opt, service_extra_hosts, service_links; /* service-network.c */
service_key_fn service_privileged, service_cap_add, service_cap_drop, service_security_opt,
	service_devices, service_device_cgroup_rules, service_gpus, service_pid, service_ipc,
	service_uts, service_userns_mode, service_cgroup, service_cgroup_parent, service_sysctls,
	service_runtime, service_group_add; /* service-security.c */
service_key_fn service_mem_limit, service_memswap_limit, service_mem_reservation,
	service_mem_swappiness, service_cpus, service_cpu_quota, service_cpu_period,
	service_cpu_shares, service_cpuset, service_real_time, service_pids_limit, service_shm_size,
	service_ulimits, service_oom_kill_disable, service_oom_score_adj, service_deploy,
	service_scale, service_logging, service_blkio_config, service_storage_opt; /* -limits.c */
service_key_fn service_environment, service_env_file, service_labels;    /* service-environment.c */
service_key_fn service_healthcheck, service_depends_on, service_restart; /* service-life.c */

/* The words of a command line in either form; NULL: told already. */
json_t *service_words(struct service *s, const struct yaml_node *value);

/* The build again, for one of its stages, and its image's name. False: told already. */
bool service_stage(struct service *s, const struct yaml_node *at, const char *stage,
		   struct plan_build **ret_build, const char **ret_image);

/* What the keys decided together, once all are read. */
void service_finish_build(struct service *s); /* after its arguments are complete */
void service_finish_mounts(struct service *s);
void service_finish_networks(struct service *s);
void service_finish_security(struct service *s);
void service_finish_limits(struct service *s);
void service_finish_environment(struct service *s);

/* Adders that several keys share. Of two conditions for one service, the stricter stays. */
struct plan_port *service_add_port(struct service *s, uint16_t port, const char *protocol,
				   bool published);
void service_add_dependency(struct service *s, const char *on, enum plan_condition condition,
			    bool required);
void service_add_alias(struct service *s, const char *alias); /* on each of its networks */

void service_add_file(struct service *s, const struct plan_file *file);

/* restart: in deploy.restart_policy's words or in restart's own. */
void service_set_restart(struct service *s, const char *name, int64_t retries);

#endif
