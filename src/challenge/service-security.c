/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands between a service and its host: rights, namespaces, devices, filters.
 * Whatever loosens it is the operator's to permit.
 */
#include "challenge/service.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/image-name.h"
#include "base/json.h"
#include "base/own.h"
#include "challenge/capability.h"
#include "challenge/folder.h"
#include "challenge/safe-text.h"
#include "challenge/seccomp.h"
#include "challenge/unit.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { MAX_PROFILE = 1 << 20 };

void service_privileged(struct service *s, const struct yaml_node *value)
{
	bool yes;

	if (value->kind != YAML_NULL && service_bool(s, value, &yes) && yes)
		s->privileged_node = value;
}

static const struct yaml_node *checked_list(struct service *s, const struct yaml_node *value)
{
	if (value->kind == YAML_LIST)
		return value;
	if (value->kind != YAML_NULL)
		service_fault(s, value, "must be a list, not %s", yaml_kind_name(value->kind));
	return NULL;
}

void service_cap_add(struct service *s, const struct yaml_node *value)
{
	s->cap_add = checked_list(s, value);
}

void service_cap_drop(struct service *s, const struct yaml_node *value)
{
	s->cap_drop = checked_list(s, value);
}

/* --- jails -------------------------------------------------------------------------------- */

/* By what images and Dockerfiles of real challenges say; whatever stage says it. */
bool text_names_jail(const char *text)
{
	static const char *const names[] = { "nsjail", "pwn.red/jail", "redpwn/jail", "kctf" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcasestr(text, names[i]))
			return true;
	return false;
}

static capability_set admin(void)
{
	capability_set set = 0;

	capability_parse("SYS_ADMIN", &set);
	return set;
}

static bool asks_for_admin(const struct yaml_node *cap_add)
{
	capability_set one;

	for (size_t i = 0; cap_add && cap_add->kind == YAML_LIST && i < cap_add->count; i++) {
		const char *name = yaml_string(cap_add->items[i]);

		if (name && capability_parse(name, &one) && (one & admin()))
			return true;
	}
	return false;
}

static bool asks_for_all(const struct service *s)
{
	const struct yaml_node *value = yaml_get(s->node, "privileged");
	bool yes = false;

	return value && value->text && unit_bool(value->text, &yes) && yes;
}

bool service_is_jail_instead(struct service *s, const char *opt_in)
{
	const char *id = s->p->challenge->id;

	return !policy_allows(s->p->policy, id, opt_in) &&
	       policy_allows(s->p->policy, id, "jail") &&
	       (asks_for_all(s) || asks_for_admin(yaml_get(s->node, "cap_add")));
}

/* All rights, or the right to mount; false where a jail's are given instead, or it was told. */
static bool permits_rights(struct service *s, const char *opt_in, const struct yaml_node *at,
			   const char *reason)
{
	bool granted = policy_allows(s->p->policy, s->p->challenge->id, opt_in);

	if (service_is_jail_instead(s, opt_in)) {
		s->plan->jail = true;
		return false;
	}
	if (granted && s->built_for_jail)
		service_warn(s, at, "'jail' is enough here, in place of '%s'", opt_in);
	return granted ||
	       service_permits(s, s->built_for_jail ? "jail" : opt_in, at, "%s%s", reason,
			       s->built_for_jail ? "; 'jail' is enough here" : "");
}

static void settle_privileged(struct service *s)
{
	if (!s->privileged_node)
		return;
	s->key = "privileged";
	s->privileged = permits_rights(s, "privileged", s->privileged_node,
				       "a privileged service has all rights over the host");
	s->key = NULL;
}

/* --- security_opt ------------------------------------------------------------------------- */

static void append_option(struct service *s, const char *option)
{
	planner_append(s->p, json_object_get(s->host, "SecurityOpt"), json_text(option));
}

/* The engine wants the profile itself, not its file's name. */
static void inline_profile(struct service *s, const struct yaml_node *at, const char *file)
{
	const char *path = planner_path(s->p, path_join(s->p->arena, at->file->dir, file), at,
					service_key_path(s), "the profile");
	json_error_t fault;
	struct err e = ERR_INIT;
	const char *text;
	char *compact;
	json_t *profile;
	size_t len;

	if (!path)
		return;
	if (planner_kind(s->p, path) == PATH_ABSENT) {
		planner_absent(s->p, at, service_key_path(s), "the profile '%s' does not exist",
			       file);
		return;
	}
	if (planner_read(s->p, path, MAX_PROFILE, &text, &len, &e) < 0) {
		service_fault(s, at, "%s", e.msg);
		return;
	}
	profile = json_loadb(text, len, JSON_REJECT_DUPLICATES, &fault);
	if (!profile) {
		service_fault(s, at, "'%s' is not JSON: line %d: %s", file, fault.line, fault.text);
		return;
	}
	compact = json_dumps(profile, JSON_COMPACT);
	json_decref(profile);
	if (compact)
		append_option(s, arena_printf(s->p->arena, "seccomp=%s", compact));
	free(compact);
}

static void set_seccomp(struct service *s, const struct yaml_node *at, const char *profile)
{
	if (strcmp(profile, "builtin") == 0 || strcmp(profile, "default") == 0 ||
	    service_is_jail_instead(s, "unconfined-seccomp"))
		return;
	if (strcmp(profile, "unconfined") != 0) {
		if (service_permits(
			    s, "seccomp-profile", at,
			    "a filter of its own may let through what the engine's does not"))
			inline_profile(s, at, profile);
		return;
	}
	if (service_permits(s, "unconfined-seccomp", at,
			    "without its filter every system call of the kernel is open"))
		append_option(s, "seccomp=unconfined");
}

static void set_apparmor(struct service *s, const struct yaml_node *at, const char *profile)
{
	const char *opt_in = arena_printf(s->p->arena, "apparmor-profile:%s", profile);

	if (strcmp(profile, "docker-default") == 0)
		return;
	if (strcmp(profile, "unconfined") == 0)
		opt_in = "unconfined-apparmor";
	if (opt_in && service_is_jail_instead(s, opt_in))
		return;
	if (opt_in &&
	    service_permits(s, opt_in, at, "the engine's AppArmor profile guards the host"))
		append_option(s, arena_printf(s->p->arena, "apparmor=%s", profile));
}

/* What docker's command line makes of "systempaths=unconfined": the engine knows no such option. */
static void unmask_proc(struct service *s)
{
	service_set(s, s->host, "MaskedPaths", json_array());
	service_set(s, s->host, "ReadonlyPaths", json_array());
}

static void add_security_option(struct service *s, const struct yaml_node *at, const char *text)
{
	size_t len = strcspn(text, "=:");
	const char *value = text[len] ? text + len + 1 : "";
	char *name = arena_strndup(s->p->arena, text, len);

	if (!name)
		return;
	if (strcmp(name, "no-new-privileges") == 0)
		s->no_new_privileges = strcmp(value, "false") != 0;
	else if (strcmp(name, "seccomp") == 0)
		set_seccomp(s, at, value);
	else if (strcmp(name, "apparmor") == 0)
		set_apparmor(s, at, value);
	else if (strcmp(name, "label") == 0) {
		if (service_permits(s, "selinux-label", at,
				    "its label decides what SELinux allows"))
			append_option(s, arena_printf(s->p->arena, "label=%s", value));
	} else if (strcmp(name, "systempaths") == 0) {
		if (!service_is_jail_instead(s, "unmasked-proc") &&
		    service_permits(s, "unmasked-proc", at,
				    "the engine hides parts of /proc that reach into the host"))
			unmask_proc(s);
	} else {
		service_fault(s, at, "'%s' is not a security option", name);
	}
}

void service_security_opt(struct service *s, const struct yaml_node *value)
{
	service_each(s, value, add_security_option);
}

/* --- the VPN ------------------------------------------------------------------------------ */

/*
 * A way into the instance's network for its players has to route there. Of the node's own image, or
 * built on it, a service may do to its own network what that takes.
 */
static bool is_for_vpn(const struct service *s, const char *opt_in)
{
	AUTO(struct image_name, image_name_done) base = { 0 };
	struct err e = ERR_INIT;

	return s->base_image && image_name_parse(s->base_image, &base, &e) == 0 &&
	       image_name_owner(&base) == IMAGE_CTFYS &&
	       strcmp(base.path, "ctfy/openvpn-base") == 0 && base.tag &&
	       strcmp(base.tag, "latest") == 0 && !base.digest &&
	       (strcmp(opt_in, "capability:NET_ADMIN") == 0 ||
		strcmp(opt_in, "device:/dev/net/tun") == 0);
}

/* --- devices ------------------------------------------------------------------------------ */

static void append_device(struct service *s, const struct yaml_node *at, const char *source,
			  const char *target, const char *permissions)
{
	const char *opt_in;
	json_t *device;

	/* "/dev/net/../mem" is not below /dev/net */
	source = source[0] == '/' ? path_join(s->p->arena, "/", source) : NULL;
	target = target[0] == '/' ? path_join(s->p->arena, "/", target) : NULL;
	if (!source || !target || !text_is_of(permissions, "rwm")) {
		service_fault(s, at,
			      "a device is 'path[:path in the container[:rwm]]', with "
			      "absolute paths");
		return;
	}
	opt_in = arena_printf(s->p->arena, "device:%s", source);
	if (!opt_in || !(is_for_vpn(s, opt_in) ||
			 service_permits(s, opt_in, at, "'%s' is a device of the host", source)))
		return;
	device = json_object();
	service_set_text(s, device, "PathOnHost", source);
	service_set_text(s, device, "PathInContainer", target);
	service_set_text(s, device, "CgroupPermissions", permissions);
	planner_append(s->p, json_object_get(s->host, "Devices"), device);
}

/* "source[:target[:permissions]]" */
static void add_device(struct service *s, const struct yaml_node *at)
{
	const char *text = service_text(s, at);
	char *source = text ? arena_strdup(s->p->arena, text) : NULL;
	char *target, *permissions = NULL;

	if (!source)
		return;
	target = strchr(source, ':');
	if (target) {
		*target++ = '\0';
		permissions = strchr(target, ':');
		if (permissions)
			*permissions++ = '\0';
	}
	append_device(s, at, source, target && *target ? target : source,
		      permissions ? permissions : "rwm");
}

static void add_device_map(struct service *s, const struct yaml_node *at)
{
	const char *source = yaml_string(yaml_get(at, "source"));
	const char *target = yaml_string(yaml_get(at, "target"));
	const char *permissions = yaml_string(yaml_get(at, "permissions"));
	static const char *const known[] = { "source", "target", "permissions", NULL };

	service_check_keys(s, at, known);
	if (!source)
		service_fault(s, at, "needs a 'source'");
	else
		append_device(s, at, source, target ? target : source,
			      permissions ? permissions : "rwm");
}

void service_devices(struct service *s, const struct yaml_node *value)
{
	s->devices = checked_list(s, value);
}

static void set_devices(struct service *s)
{
	s->key = "devices";
	for (size_t i = 0; s->devices && i < s->devices->count; i++) {
		if (s->devices->items[i]->kind == YAML_MAP)
			add_device_map(s, s->devices->items[i]);
		else
			add_device(s, s->devices->items[i]);
	}
	s->key = NULL;
}

/* "c 1:3 rwm", with "*" for any number. */
static bool is_cgroup_rule(const char *text)
{
	char type, major[12], minor[12], permissions[4], rest;

	return sscanf(text, "%c %11[0-9*]:%11[0-9*] %3[rwm]%c", &type, major, minor, permissions,
		      &rest) == 4 &&
	       strchr("abc", type);
}

static void add_cgroup_rule(struct service *s, const struct yaml_node *at, const char *text)
{
	if (!is_cgroup_rule(text))
		service_fault(s, at, "'%s' is no rule: write it like 'c 1:3 rwm'", text);
	else if (service_permits(s, "device-cgroup-rule", at, "the rule opens devices of the host"))
		planner_append(s->p, json_object_get(s->host, "DeviceCgroupRules"),
			       json_text(text));
}

void service_device_cgroup_rules(struct service *s, const struct yaml_node *value)
{
	service_each(s, value, add_cgroup_rule);
}

static void set_texts(struct service *s, json_t *object, const char *key,
		      const struct yaml_node *list)
{
	json_t *array = json_array();

	for (size_t i = 0; list && list->kind == YAML_LIST && i < list->count; i++) {
		const char *text = service_text(s, list->items[i]);

		if (text)
			planner_append(s->p, array, json_text(text));
	}
	service_set(s, object, key, array);
}

static void append_gpu(struct service *s, const struct yaml_node *item)
{
	const struct yaml_node *count = yaml_get(item, "count");
	const struct yaml_node *capabilities = yaml_get(item, "capabilities");
	const char *driver = yaml_string(yaml_get(item, "driver"));
	const char *words = count ? service_text(s, count) : "all";
	json_t *request = json_object(), *any_of = json_array(), *all_of = json_array();
	static const char *const known[] = { "capabilities", "count",   "device_ids",
					     "driver",       "options", NULL };
	int64_t number = -1; /* the engine's word for all */

	service_check_keys(s, item, known);
	if (words && strcmp(words, "all") != 0)
		service_integer(s, count, 1, 1024, &number);
	service_set_text(s, request, "Driver", driver ? driver : "");
	if (yaml_get(item, "device_ids"))
		set_texts(s, request, "DeviceIDs", yaml_get(item, "device_ids"));
	else
		service_set(s, request, "Count", json_integer(number));
	for (size_t i = 0;
	     capabilities && capabilities->kind == YAML_LIST && i < capabilities->count; i++)
		planner_append(s->p, all_of,
			       json_text(yaml_scalar_text(s->p->arena, capabilities->items[i])));
	if (!json_array_size(all_of))
		planner_append(s->p, all_of, json_text("gpu"));
	planner_append(s->p, any_of, all_of);
	service_set(s, request, "Capabilities", any_of);
	planner_append(s->p, json_object_get(s->host, "DeviceRequests"), request);
}

void service_gpus(struct service *s, const struct yaml_node *value)
{
	if (value->kind == YAML_NULL || !service_permits(s, "gpu", value, "GPUs are the host's"))
		return;
	if (value->kind != YAML_LIST)
		append_gpu(s, value);
	for (size_t i = 0; value->kind == YAML_LIST && i < value->count; i++)
		append_gpu(s, value->items[i]);
}

/* --- namespaces --------------------------------------------------------------------------- */

static void share_namespace(struct service *s, const struct yaml_node *value, const char *opt_in,
			    const char *engine_key, const char *reason)
{
	const char *text = service_text(s, value);

	if (!text || !*text || strcmp(text, "private") == 0)
		return;
	if (strcmp(text, "host") != 0)
		service_fault(s, value, "'%s' is not supported: only 'host' and 'private' are",
			      text);
	else if (service_permits(s, opt_in, value, "%s", reason))
		service_set_text(s, s->host, engine_key, "host");
}

void service_pid(struct service *s, const struct yaml_node *value)
{
	share_namespace(s, value, "host-pid", "PidMode",
			"the service would see and signal the host's processes");
}

void service_ipc(struct service *s, const struct yaml_node *value)
{
	const char *text = service_text(s, value);

	if (text && (strcmp(text, "none") == 0 || strcmp(text, "shareable") == 0))
		service_set_text(s, s->host, "IpcMode", text);
	else
		share_namespace(s, value, "host-ipc", "IpcMode",
				"the service would share the host's memory segments and queues");
}

void service_uts(struct service *s, const struct yaml_node *value)
{
	share_namespace(s, value, "host-uts", "UTSMode", "the service could rename the host");
}

void service_userns_mode(struct service *s, const struct yaml_node *value)
{
	share_namespace(s, value, "host-userns", "UsernsMode",
			"the service's root would be the host's");
}

void service_cgroup(struct service *s, const struct yaml_node *value)
{
	share_namespace(s, value, "host-cgroup", "CgroupnsMode",
			"the service would see the host's cgroups");
}

void service_cgroup_parent(struct service *s, const struct yaml_node *value)
{
	const char *text = service_text(s, value);

	if (text && *text &&
	    (!text_is_of(text, TEXT_LETTERS TEXT_DIGITS "_./-") || strstr(text, "..")))
		service_fault(s, value, "'%s' is not a cgroup", text);
	else if (text && *text &&
		 service_permits(s, "cgroup-parent", value,
				 "it would escape the node's own limits"))
		service_set_text(s, s->host, "CgroupParent", text);
}

/* Parameters that every container has for itself: the engine refuses most others anyway. */
static bool is_own_sysctl(const char *name)
{
	static const char *const prefixes[] = { "net.", "fs.mqueue." };
	static const char *const names[] = { "kernel.msgmax", "kernel.msgmnb",
					     "kernel.msgmni", "kernel.sem",
					     "kernel.shmall", "kernel.shmmax",
					     "kernel.shmmni", "kernel.shm_rmid_forced" };

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* A name with "/" or ".." in it would be a path of /proc/sys. */
static bool is_sysctl(const char *name)
{
	return text_is_of(name, TEXT_LETTERS TEXT_DIGITS "_.-") && name[0] != '.' &&
	       !strstr(name, "..");
}

static void add_sysctl(struct service *s, const struct yaml_node *at, const char *name,
		       const char *text)
{
	const char *opt_in = arena_printf(s->p->arena, "sysctl:%s", name);

	if (!text)
		service_fault(s, at, "'%s' has no value", name);
	else if (!is_sysctl(name) || !text_is_of(text, TEXT_LETTERS TEXT_DIGITS " \t._:/,-"))
		service_fault(s, at, "'%s=%s' is no kernel parameter", name, text);
	else if (opt_in &&
		 (is_own_sysctl(name) ||
		  service_permits(s, opt_in, at, "'%s' is a parameter of the host's kernel", name)))
		service_set_text(s, json_object_get(s->host, "Sysctls"), name, text);
}

void service_sysctls(struct service *s, const struct yaml_node *value)
{
	service_each_pair(s, value, "=", add_sysctl);
}

void service_runtime(struct service *s, const struct yaml_node *value)
{
	const char *text = service_text(s, value);
	const char *opt_in = text ? arena_printf(s->p->arena, "runtime:%s", text) : NULL;

	if (!opt_in || !*text)
		return;
	if (!policy_is_runtime(text)) {
		service_fault(s, value, "'%s' is not the name of a runtime", text);
		return;
	}
	/* It is what others mean by no runtime at all: then the node's own choice holds. */
	if (strcmp(text, "runc") == 0 && !policy_allows(s->p->policy, s->p->challenge->id, opt_in))
		return;
	if (service_permits(s, opt_in, value, "another runtime may isolate less"))
		service_set_text(s, s->host, "Runtime", text);
}

static void add_group(struct service *s, const struct yaml_node *at, const char *text)
{
	if (text_is_name(text))
		planner_append(s->p, json_object_get(s->host, "GroupAdd"), json_text(text));
	else
		service_fault(s, at, "'%s' is not a group", text);
}

void service_group_add(struct service *s, const struct yaml_node *value)
{
	service_each(s, value, add_group);
}

/* --- what they come to -------------------------------------------------------------------- */

static capability_set read_capabilities(struct service *s, const struct yaml_node *list)
{
	capability_set all = 0, one;

	for (size_t i = 0; list && i < list->count; i++) {
		const char *name = service_text(s, list->items[i]);

		if (!name)
			continue;
		if (capability_parse(name, &one))
			all |= one;
		else
			service_fault(s, list->items[i], "there is no capability '%s'", name);
	}
	return all;
}

static bool permits_capability(struct service *s, const char *opt_in, const struct yaml_node *at,
			       capability_set one)
{
	const char *reason =
		arena_printf(s->p->arena, "'%s' is beyond what a service may ask for", opt_in + 11);

	if (one & admin())
		return permits_rights(s, opt_in, at, reason ? reason : opt_in);
	return service_permits(s, opt_in, at, "%s", reason ? reason : opt_in);
}

/* Every name is asked for by itself, so that the problem stands at its line. */
static capability_set permitted_additions(struct service *s)
{
	capability_set all = 0, one;

	for (size_t i = 0; s->cap_add && i < s->cap_add->count; i++) {
		const struct yaml_node *item = s->cap_add->items[i];
		const char *name = service_text(s, item), *opt_in;

		if (!name)
			continue;
		if (!capability_parse(name, &one)) {
			service_fault(s, item, "there is no capability '%s'", name);
			continue;
		}
		name += strncasecmp(name, "CAP_", 4) == 0 ? 4 : 0;
		opt_in = arena_printf(s->p->arena, "capability:%s", name);
		for (char *c = (char *)(uintptr_t)opt_in; c && *c; c++)
			*c = (char)(c - opt_in < 11 ? *c : toupper((unsigned char)*c));
		if (opt_in && ((one & ~capability_for_the_asking) == 0 || is_for_vpn(s, opt_in) ||
			       permits_capability(s, opt_in, item, one)))
			all |= one;
	}
	return all;
}

static void set_capabilities(struct service *s)
{
	json_t *drop = json_array(), *add = json_array();
	capability_set dropped, kept;

	s->key = "cap_drop";
	dropped = read_capabilities(s, s->cap_drop);
	s->key = "cap_add";
	kept = (capability_default & ~dropped) | permitted_additions(s);
	s->key = NULL;
	planner_append(s->p, drop, json_text("ALL"));
	for (unsigned i = 0; capability_name(i); i++)
		if (kept >> i & 1)
			planner_append(s->p, add, json_text(capability_name(i)));
	service_set(s, s->host, "CapDrop", drop);
	service_set(s, s->host, "CapAdd", add);
}

/*
 * In a user namespace of the engine's making, which the node sees to, this is a root that is nobody
 * outside: it mounts and makes namespaces, and the kernel asks more of who would reach the host.
 */
static void give_jail(struct service *s)
{
	planner_append(s->p, json_object_get(s->host, "CapAdd"), json_text("SYS_ADMIN"));
	planner_append(s->p, json_object_get(s->host, "SecurityOpt"), seccomp_option(SECCOMP_JAIL));
	append_option(s, "apparmor=unconfined"); /* Docker's profile forbids to mount at all */
	unmask_proc(s);
	service_set_text(s, s->host, "CgroupnsMode", "private");
}

void service_finish_security(struct service *s)
{
	set_devices(s);
	settle_privileged(s);
	if (s->privileged) {
		service_set(s, s->host, "Privileged", json_true());
		return;
	}
	set_capabilities(s);
	if (s->plan->jail)
		give_jail(s);
	if (s->no_new_privileges)
		append_option(s, "no-new-privileges:true");
}
