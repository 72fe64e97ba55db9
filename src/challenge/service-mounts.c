/* SPDX-License-Identifier: Apache-2.0 */
/* volumes, tmpfs, configs, secrets, and the files that answers are written into. */
#include "challenge/service.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/own.h"
#include "challenge/folder.h"
#include "challenge/mount-options.h"
#include "challenge/unit.h"
#include "challenge/volume.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_TEMPLATE = 1 << 20 };

struct mount {
	const struct yaml_node *at;
	const char *source; /* as written; NULL: anonymous */
	const char *target;
	bool read_only, nocopy, must_exist;
	const char *propagation;
};

/* As Compose has it: "/data/" is "/data". What is no absolute path is left for check_target(). */
static const char *clean_target(struct service *s, const char *target)
{
	return target && target[0] == '/' ? path_join(s->p->arena, "/", target) : target;
}

static bool check_target(struct service *s, const struct mount *m)
{
	if (m->target && m->target[0] == '/' && m->target[1])
		return true;
	service_fault(s, m->at, "'%s' is not an absolute path in the container",
		      m->target ? m->target : "");
	return false;
}

/* --- binds -------------------------------------------------------------------------------- */

static struct plan_bind *add_bind(struct service *s, const struct plan_bind *bind)
{
	struct plan_service *plan = s->plan;
	struct plan_bind *rows = arena_array(s->p->arena, plan->bind_count + 1, sizeof(*rows));

	if (!rows)
		return NULL;
	if (plan->bind_count)
		memcpy(rows, plan->binds, plan->bind_count * sizeof(*rows));
	plan->binds = rows;
	rows[plan->bind_count] = *bind;
	return &rows[plan->bind_count++];
}

/* A name for the instance's directory. The same source has one slot in the whole plan. */
static const char *slot_for(struct service *s, const char *source)
{
	struct plan *plan = s->p->plan;

	for (size_t i = 0; i < plan->service_count; i++)
		for (size_t j = 0; source && j < plan->services[i].bind_count; j++) {
			const struct plan_bind *bind = &plan->services[i].binds[j];

			if (bind->slot && bind->source && strcmp(bind->source, source) == 0)
				return bind->slot;
		}
	return arena_printf(s->p->arena, "bind-%u", ++s->p->slots);
}

static bool is_engine_socket(const char *path)
{
	return strcmp(path, "/var/run/docker.sock") == 0 || strcmp(path, "/run/docker.sock") == 0;
}

/* 1: mount it. 0: leave it out. */
static bool permits_socket(struct service *s, const struct mount *m)
{
	const char *id = s->p->challenge->id;

	if (!policy_allows(s->p->policy, id, "docker-socket") &&
	    policy_allows(s->p->policy, id, "drop-docker-socket")) {
		service_warn(s, m->at, "'%s' is left out, as the operator's policy says",
			     m->source);
		return false;
	}
	return service_permits(s, "docker-socket", m->at,
			       "'%s' gives all rights over the host; 'drop-docker-socket' starts "
			       "the challenge without it",
			       m->source);
}

static const char *template_name(struct service *s, const char *path)
{
	const struct challenge *challenge = s->p->challenge;

	for (size_t i = 0; i < challenge->template_count; i++) {
		const char *full = path_join(s->p->arena, challenge->dir, challenge->templates[i]);

		if (full && path_is_below(full, path))
			return full;
	}
	return NULL;
}

static void bind_rendered(struct service *s, const struct yaml_node *at, const char *path,
			  const char *target)
{
	struct plan_bind bind = {
		.kind = PLAN_BIND_RENDERED,
		.target = target,
		.read_only = true,
		.template_ = true,
		.mode = 0444,
	};
	struct err e = ERR_INIT;
	AUTO(int, closep) fd = -1;
	struct stat st;
	const char *text;
	size_t len;

	if (folder_open_path(s->p->challenge->dir, path, O_PATH, &fd, NULL) == 0 &&
	    fstat(fd, &st) == 0)
		bind.mode = st.st_mode & 0777;
	if (folder_read(s->p->arena, s->p->challenge->dir, path, MAX_TEMPLATE, &text, &len, &e) <
		    0 ||
	    planner_render(s->p, text, len, &bind.content, &bind.size, &e) < 0) {
		service_fault(s, at, "%s", e.msg);
		return;
	}
	bind.slot = slot_for(s, NULL);
	add_bind(s, &bind);
}

/* Templates at or below a mounted path are mounted over it, rendered. */
static void bind_templates(struct service *s, const struct mount *m, const char *path)
{
	const struct challenge *challenge = s->p->challenge;

	for (size_t i = 0; i < challenge->template_count; i++) {
		const char *full = path_join(s->p->arena, challenge->dir, challenge->templates[i]);

		if (full && path_is_below(full, path) && strcmp(full, path) != 0)
			bind_rendered(s, m->at, full,
				      path_join(s->p->arena, m->target, path_relative(full, path)));
	}
}

/* The engine mounts by name, so that it is told the one which has no link in it. */
static const char *real_source(struct service *s, const struct mount *m, const char *path)
{
	const char *real;
	struct err e = ERR_INIT;

	if (folder_resolve(s->p->arena, s->p->challenge->dir, path, &real, &e) == 0)
		return real;
	service_fault(s, m->at, "%s", e.msg);
	return NULL;
}

static void bind_folder_path(struct service *s, const struct mount *m, const char *path)
{
	const char *template = template_name(s, path);
	struct plan_bind bind = { .source = path, .target = m->target, .read_only = m->read_only };

	if (m->propagation)
		service_warn(s, m->at, "'%s' has no effect: the source is not the host's",
			     m->propagation);
	if (template && strcmp(template, path) == 0) {
		bind_rendered(s, m->at, path, m->target);
		return;
	}
	if (planner_kind(s->p, path) == PATH_ABSENT) {
		if (m->must_exist) {
			planner_absent(s->p, m->at, service_key_path(s), "'%s' does not exist",
				       m->source);
			return;
		}
		service_warn(s, m->at, "'%s' does not exist: the instance gets an empty directory",
			     m->source);
		bind.kind = PLAN_BIND_EMPTY;
	} else {
		bind.kind = m->read_only ? PLAN_BIND_SHARED : PLAN_BIND_COPY;
		bind.source = real_source(s, m, path);
	}
	if (!bind.source)
		return;
	bind.slot = bind.kind == PLAN_BIND_SHARED ? NULL : slot_for(s, bind.source);
	add_bind(s, &bind);
	if (template)
		bind_templates(s, m, path);
}

/* Through such a mount what a container mounts appears on the host. */
static bool permits_propagation(struct service *s, const struct mount *m)
{
	const char *word = m->propagation;

	return !word || (strcmp(word, "shared") != 0 && strcmp(word, "rshared") != 0) ||
	       service_permits(s, "shared-mounts", m->at,
			       "what the service mounts there would be mounted on the host");
}

static void bind_host_path(struct service *s, const struct mount *m, const char *path)
{
	if (!permits_propagation(s, m))
		return;
	add_bind(s, &(struct plan_bind){ .kind = PLAN_BIND_HOST,
					 .source = path,
					 .target = m->target,
					 .read_only = m->read_only,
					 .propagation = m->propagation });
}

static void mount_bind(struct service *s, const struct mount *m)
{
	const char *folder = s->p->challenge->dir;
	const char *path;

	if (!check_target(s, m))
		return;
	if (m->source[0] == '~') {
		service_fault(s, m->at, "'%s': a node has no home directory to mount from",
			      m->source);
		return;
	}
	path = path_join(s->p->arena, m->at->file->dir, m->source);
	if (!path)
		return;
	if (is_engine_socket(path)) {
		if (permits_socket(s, m))
			bind_host_path(s, m, path);
		return;
	}
	path = planner_path(s->p, path, m->at, service_key_path(s), "the path");
	if (path && path_is_below(path, folder))
		bind_folder_path(s, m, path);
	else if (path && (!is_engine_socket(path) || permits_socket(s, m)))
		bind_host_path(s, m, path);
}

/* --- volumes ------------------------------------------------------------------------------ */

static void mount_volume(struct service *s, const struct mount *m)
{
	struct plan_service *plan = s->plan;
	struct plan_volume_use *rows;

	if (!check_target(s, m) || (m->source && !volume_use(s, m->source, m->at)))
		return;
	rows = arena_array(s->p->arena, plan->volume_count + 1, sizeof(*rows));
	if (!rows)
		return;
	if (plan->volume_count)
		memcpy(rows, plan->volumes, plan->volume_count * sizeof(*rows));
	plan->volumes = rows;
	rows[plan->volume_count++] =
		(struct plan_volume_use){ m->source, m->target, m->read_only, m->nocopy };
}

static bool read_propagation(struct mount *m, const char *word)
{
	static const char *const words[] = { "private", "rprivate", "shared",
					     "rshared", "slave",    "rslave" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(words[i], word) == 0) {
			m->propagation = words[i];
			return true;
		}
	}
	return false;
}

static void read_mode(struct service *s, struct mount *m, const char *mode)
{
	/* Labels are SELinux's, the last three once meant something to Docker on a Mac. */
	static const char *const ignored[] = {
		"rw", "z", "Z", "consistent", "cached", "delegated"
	};
	if (strcmp(mode, "ro") == 0 || strcmp(mode, "readonly") == 0) {
		m->read_only = true;
		return;
	}
	if (strcmp(mode, "nocopy") == 0) {
		m->nocopy = true;
		return;
	}
	if (read_propagation(m, mode))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		if (strcmp(ignored[i], mode) == 0)
			return;
	service_warn(s, m->at, "'%s' is not a mode of a volume, and has no effect", mode);
}

static void read_modes(struct service *s, struct mount *m, const char *modes)
{
	char *copy = arena_strdup(s->p->arena, modes), *save = NULL;

	for (char *mode = copy ? strtok_r(copy, ",", &save) : NULL; mode;
	     mode = strtok_r(NULL, ",", &save))
		read_mode(s, m, mode);
}

static bool is_path(const char *source)
{
	return source[0] == '.' || source[0] == '/' || source[0] == '~';
}

/* "[source:]target[:modes]" */
static void add_short(struct service *s, const struct yaml_node *at)
{
	struct mount m = { .at = at };
	const char *text = service_text(s, at);
	char *spec = text ? arena_strdup(s->p->arena, text) : NULL;
	char *target, *modes;

	if (!spec)
		return;
	if (!*spec) {
		service_fault(s, at, "an empty volume");
		return;
	}
	target = strchr(spec, ':');
	if (!target) {
		m.target = clean_target(s, spec);
		mount_volume(s, &m);
		return;
	}
	*target++ = '\0';
	modes = strchr(target, ':');
	if (modes)
		*modes++ = '\0';
	m.source = spec;
	m.target = clean_target(s, target);
	if (modes)
		read_modes(s, &m, modes);
	if (is_path(spec))
		mount_bind(s, &m);
	else
		mount_volume(s, &m);
}

/* --- the long syntax ---------------------------------------------------------------------- */

static void mount_tmpfs(struct service *s, const struct yaml_node *at, const char *target)
{
	const struct yaml_node *options = yaml_get(at, "tmpfs");
	const struct yaml_node *size = yaml_get(options, "size");
	const struct yaml_node *mode = yaml_get(options, "mode");
	const char *text = "";
	uint32_t bits;
	int64_t bytes;

	if (size && service_bytes(s, size, &bytes))
		text = arena_printf(s->p->arena, "size=%lld", (long long)bytes);
	if (mode && (!mode->text || !unit_mode(mode->text, &bits)))
		service_fault(s, mode, "is not a file's mode");
	else if (mode)
		text = arena_printf(s->p->arena, "%s%smode=%o", text ? text : "",
				    text && *text ? "," : "", bits);
	if (text)
		service_set_text(s, json_object_get(s->host, "Tmpfs"), target, text);
}

static void check_long_keys(struct service *s, const struct yaml_node *item)
{
	static const char *const known[] = { "type",   "source", "target", "read_only",   "bind",
					     "volume", "tmpfs",  "image",  "consistency", NULL };
	static const char *const of_bind[] = { "propagation", "create_host_path", "selinux",
					       "recursive", NULL };
	static const char *const of_volume[] = { "nocopy", "subpath", "labels", NULL };
	static const char *const of_tmpfs[] = { "size", "mode", NULL };

	service_check_keys(s, item, known);
	service_check_keys(s, yaml_get(item, "bind"), of_bind);
	service_check_keys(s, yaml_get(item, "volume"), of_volume);
	service_check_keys(s, yaml_get(item, "tmpfs"), of_tmpfs);
}

static void add_long(struct service *s, const struct yaml_node *item)
{
	const struct yaml_node *read_only = yaml_get(item, "read_only");
	const struct yaml_node *bind = yaml_get(item, "bind");
	const struct yaml_node *nocopy = yaml_get(yaml_get(item, "volume"), "nocopy");
	const struct yaml_node *create = yaml_get(bind, "create_host_path");
	const char *propagation = yaml_string(yaml_get(bind, "propagation"));
	const char *type = yaml_string(yaml_get(item, "type"));
	struct mount m = { .at = item,
			   .source = yaml_string(yaml_get(item, "source")),
			   .target = clean_target(s, yaml_string(yaml_get(item, "target"))),
			   .must_exist = bind && !create };

	check_long_keys(s, item);
	if (!type)
		type = m.source && is_path(m.source) ? "bind" : "volume";
	if (propagation && !read_propagation(&m, propagation))
		service_fault(s, yaml_get(bind, "propagation"), "'%s' is not a way of propagation",
			      propagation);
	if (read_only)
		service_bool(s, read_only, &m.read_only);
	if (nocopy)
		service_bool(s, nocopy, &m.nocopy);
	if (create && service_bool(s, create, &m.must_exist))
		m.must_exist = !m.must_exist;
	if (yaml_get(yaml_get(item, "volume"), "subpath"))
		service_fault(s, item, "a volume's 'subpath' is not supported");
	else if (strcmp(type, "volume") == 0)
		mount_volume(s, &m);
	else if (strcmp(type, "bind") == 0 && m.source)
		mount_bind(s, &m);
	else if (strcmp(type, "bind") == 0)
		service_fault(s, item, "a bind needs a 'source'");
	else if (strcmp(type, "tmpfs") != 0)
		service_fault(s, item, "the type '%s' is not supported", type);
	else if (check_target(s, &m))
		mount_tmpfs(s, item, m.target);
}

void service_volumes(struct service *s, const struct yaml_node *value)
{
	if (value->kind == YAML_NULL)
		return;
	if (value->kind != YAML_LIST) {
		service_fault(s, value, "must be a list, not %s", yaml_kind_name(value->kind));
		return;
	}
	for (size_t i = 0; i < value->count; i++) {
		if (value->items[i]->kind == YAML_MAP)
			add_long(s, value->items[i]);
		else
			add_short(s, value->items[i]);
	}
}

static void add_tmpfs(struct service *s, const struct yaml_node *at, const char *text)
{
	struct mount m = { .at = at };
	size_t len = strcspn(text, ":");
	const char *options = "", *bad = NULL;

	m.target = clean_target(s, arena_strndup(s->p->arena, text, len));
	if (!m.target || !check_target(s, &m))
		return;
	if (text[len] && !tmpfs_options(s->p->arena, text + len + 1, &options, &bad))
		service_fault(s, at, "'%s' is not an option of a mount in memory", bad);
	else
		service_set_text(s, json_object_get(s->host, "Tmpfs"), m.target, options);
}

void service_tmpfs(struct service *s, const struct yaml_node *value)
{
	service_each(s, value, add_tmpfs);
}

/* --- files -------------------------------------------------------------------------------- */

void service_add_file(struct service *s, const struct plan_file *file)
{
	struct plan_service *plan = s->plan;
	struct plan_file *rows = arena_array(s->p->arena, plan->file_count + 1, sizeof(*rows));

	if (!rows)
		return;
	if (plan->file_count)
		memcpy(rows, plan->files, plan->file_count * sizeof(*rows));
	plan->files = rows;
	rows[plan->file_count++] = *file;
}

static bool read_id(struct service *s, const struct yaml_node *value, uint32_t *ret_id)
{
	int64_t id = 0;

	if (!value)
		return true;
	if (!service_integer(s, value, 0, UINT32_MAX - 1, &id))
		return false;
	*ret_id = (uint32_t)id;
	return true;
}

/* A mounted file has its own owner and mode; one that is to have others is a copy. */
static bool has_owner(const struct yaml_node *item)
{
	return yaml_get(item, "uid") || yaml_get(item, "gid") || yaml_get(item, "mode");
}

static void store_copy(struct service *s, const struct yaml_node *item, const char *path,
		       struct plan_file *file)
{
	struct planner *p = s->p;
	struct err e = ERR_INIT;
	const char *text;

	/* Who may mount a file from outside of the folder may read it. */
	if (!path_is_below(path, p->challenge->dir))
		service_fault(s, item, "'%s' is outside the folder: it can't have uid, gid or mode",
			      path);
	else if (folder_read(p->arena, p->challenge->dir, path, MAX_TEMPLATE, &text, &file->size,
			     &e) < 0)
		service_fault(s, item, "%s", e.msg);
	else if (file->path) {
		file->content = text;
		service_add_file(s, file);
	}
}

static void store(struct service *s, const struct yaml_node *item, const char *section,
		  const char *directory)
{
	static const char *const known[] = { "source", "target", "uid", "gid", "mode", NULL };
	const char *name = yaml_is_scalar(item) ? service_text(s, item)
						: yaml_string(yaml_get(item, "source"));
	const struct yaml_node *mode = yaml_get(item, "mode");
	const char *target = yaml_string(yaml_get(item, "target"));
	struct plan_file file = { .mode = 0444 };
	struct stored stored;

	service_check_keys(s, item, known);
	if (!name) {
		service_fault(s, item, "needs a 'source'");
		return;
	}
	if (mode && (!mode->text || !unit_mode(mode->text, &file.mode)))
		service_fault(s, mode, "is not a file's mode");
	if (!read_id(s, yaml_get(item, "uid"), &file.uid) ||
	    !read_id(s, yaml_get(item, "gid"), &file.gid))
		return;
	file.path = path_join(s->p->arena, directory, target ? target : name);
	stored = stored_find(s, section, name, item);
	if (stored.text && file.path) {
		file.content = stored.text;
		file.size = strlen(stored.text);
		service_add_file(s, &file);
	} else if (stored.path && has_owner(item)) {
		store_copy(s, item, stored.path, &file);
	} else if (stored.path) {
		mount_bind(s, &(struct mount){ .at = item,
					       .source = stored.path,
					       .target = file.path,
					       .read_only = true,
					       .must_exist = true });
	}
}

static void store_all(struct service *s, const struct yaml_node *value, const char *section,
		      const char *directory)
{
	if (value->kind != YAML_LIST && value->kind != YAML_NULL)
		service_fault(s, value, "must be a list, not %s", yaml_kind_name(value->kind));
	for (size_t i = 0; value->kind == YAML_LIST && i < value->count; i++)
		store(s, value->items[i], section, directory);
}

void service_configs(struct service *s, const struct yaml_node *value)
{
	store_all(s, value, "configs", "/");
}

void service_secrets(struct service *s, const struct yaml_node *value)
{
	store_all(s, value, "secrets", "/run/secrets");
}

/* --- what they come to -------------------------------------------------------------------- */

static bool is_mounted_over(struct service *s, const char *path)
{
	const char *target;
	json_t *options;

	for (size_t i = 0; i < s->plan->bind_count; i++)
		if (path_is_below(path, s->plan->binds[i].target))
			return true;
	for (size_t i = 0; i < s->plan->volume_count; i++)
		if (path_is_below(path, s->plan->volumes[i].target))
			return true;
	json_object_foreach (json_object_get(s->host, "Tmpfs"), target, options)
		if (path_is_below(path, target))
			return true;
	return false;
}

/* What is mounted inside a directory needs a place there, which a shared one must not get. */
static void unshare_above(struct service *s, const char *target)
{
	for (size_t i = 0; i < s->plan->bind_count; i++) {
		struct plan_bind *bind = &s->plan->binds[i];

		if (bind->kind == PLAN_BIND_SHARED && path_is_below(target, bind->target) &&
		    strcmp(target, bind->target) != 0) {
			bind->kind = PLAN_BIND_COPY;
			bind->slot = slot_for(s, bind->source);
		}
	}
}

/* A file can be put into a container's own layer; elsewhere it has to be mounted. */
void service_finish_mounts(struct service *s)
{
	bool read_only = json_is_true(json_object_get(s->host, "ReadonlyRootfs"));
	size_t kept = 0;

	for (size_t i = 0; i < s->plan->file_count; i++) {
		const struct plan_file *file = &s->plan->files[i];

		if (!read_only && !is_mounted_over(s, file->path)) {
			s->plan->files[kept++] = *file;
			continue;
		}
		unshare_above(s, file->path);
		add_bind(s, &(struct plan_bind){ .kind = PLAN_BIND_RENDERED,
						 .slot = slot_for(s, NULL),
						 .target = file->path,
						 .read_only = true,
						 .content = file->content,
						 .size = file->size,
						 .mode = file->mode,
						 .uid = file->uid,
						 .gid = file->gid });
	}
	s->plan->file_count = kept;
}
