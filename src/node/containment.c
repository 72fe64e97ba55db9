/* SPDX-License-Identifier: Apache-2.0 */
#include "node/containment.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/own.h"
#include "challenge/seccomp.h"
#include "engine/engine.h"
#include "node/container.h"
#include "node/late-container.h"
#include "node/node.h"
#include "node/own-image.h"
#include "node/runtime.h"

#include <string.h>

/* What a container gets whose maker says nothing: a service's defaults (challenge/policy.c). */
enum {
	MEMORY = 512 << 20,
	PIDS = 256,
	NANO_CPUS = 1000000000,
	FOREIGN_FILES = 4096,
	OUR_FILES = 16384, /* the relay has two for each connection; more a small host may refuse */
};

static json_t *host_config_of(json_t *body)
{
	json_t *host = json_object_get(body, "HostConfig");

	if (host)
		return host;
	json_object_set_new(body, "HostConfig", json_object());
	return json_object_get(body, "HostConfig");
}

static bool has_filter(const json_t *options)
{
	const json_t *option;
	size_t i;

	json_array_foreach (options, i, option)
		if (strncmp(json_string_value(option), "seccomp=", 8) == 0)
			return true;
	return false;
}

static unsigned filter_flags(const struct node *node)
{
	return node->options->native_only ? SECCOMP_NATIVE : 0;
}

static char *filter_file(const struct node *node)
{
	return strf("%s/system-calls.json", node->state_dir);
}

int containment_prepare(const struct node *node, struct err *e)
{
	AUTO(json_t *, json_decrefp) profile = seccomp_profile(filter_flags(node));
	AUTO(char *, freep) text = profile ? json_dumps(profile, JSON_COMPACT) : NULL;
	AUTO(char *, freep) path = filter_file(node);

	return text && path ? file_write(path, text, strlen(text), 0644, e) : err_memory(e);
}

/* Podman wants a file's name where Docker wants what is in it. */
static json_t *filter_option(const struct node *node)
{
	AUTO(char *, freep) path = NULL;

	if (!engine_is_podman(node->engine))
		return seccomp_option(filter_flags(node));
	path = filter_file(node);
	return path ? json_textf("seccomp=%s", path) : NULL;
}

static int add_filter(const struct node *node, json_t *host, struct err *e)
{
	json_t *options = json_object_get(host, "SecurityOpt");

	if (json_is_true(json_object_get(host, "Privileged")) || has_filter(options))
		return 0;
	if (!options) {
		options = json_array();
		json_object_set_new(host, "SecurityOpt", options);
	}
	return json_array_append_new(options, filter_option(node)) < 0 ? err_memory(e) : 0;
}

static bool is_set(const json_t *host, const char *key)
{
	const json_t *value = json_object_get(host, key);

	return json_is_number(value) ? json_number_value(value) != 0 : value != NULL;
}

static int add(json_t *host, const char *key, json_t *value, struct err *e)
{
	return json_object_set_new(host, key, value) < 0 ? err_memory(e) : 0;
}

static int add_number(json_t *host, const char *key, int64_t value, struct err *e)
{
	return is_set(host, key) ? 0 : add(host, key, json_integer(value), e);
}

static int add_memory(json_t *host, struct err *e)
{
	int r = add_number(host, "Memory", MEMORY, e);
	json_int_t memory = json_integer_value(json_object_get(host, "Memory"));

	/* As much as the memory alone: no swap beyond it. */
	return r == 0 ? add_number(host, "MemorySwap", memory, e) : r;
}

/* The engine refuses more processors than its host has, and a number beside a quota. */
static int add_cpus(const struct node *node, json_t *host, struct err *e)
{
	int64_t most = node->nano_cpus;

	if (is_set(host, "CpuQuota"))
		return 0;
	return add_number(host, "NanoCpus", most > 0 && most < NANO_CPUS ? most : NANO_CPUS, e);
}

static int add_log(const struct node *node, json_t *host, struct err *e)
{
	int r;

	if (is_set(host, "LogConfig"))
		return 0;
	r = add(host, "LogConfig",
		json_make("{s:s,s:{s:s,s:s}}", "Type", "json-file", "Config", "max-size", "1048576",
			  "max-file", "2"),
		e);
	if (r == 0)
		container_keep_log(node, host);
	return r;
}

static bool has_ulimit(const json_t *ulimits, const char *name)
{
	const json_t *ulimit;
	size_t i;

	json_array_foreach (ulimits, i, ulimit) {
		const char *known = json_string_value(json_object_get(ulimit, "Name"));

		if (known && strcmp(known, name) == 0)
			return true;
	}
	return false;
}

static int add_files(json_t *host, int64_t files, struct err *e)
{
	json_t *ulimits = json_object_get(host, "Ulimits");
	json_t *ulimit;

	if (has_ulimit(ulimits, "nofile"))
		return 0;
	ulimit = json_make("{s:s,s:I,s:I}", "Name", "nofile", "Soft", (json_int_t)files, "Hard",
			   (json_int_t)files);
	if (!json_is_array(ulimits))
		return add(host, "Ulimits", json_make("[o]", ulimit), e);
	return json_array_append_new(ulimits, ulimit) < 0 ? err_memory(e) : 0;
}

/* What the plan, or who wrote the body, has set stays as it is. */
static int add_limits(const struct node *node, const struct container_order *order, json_t *host,
		      struct err *e)
{
	int r = add_memory(host, e);

	if (r == 0)
		r = add_cpus(node, host, e);
	if (r == 0)
		r = add_number(host, "PidsLimit", PIDS, e);
	if (r == 0)
		r = add_log(node, host, e);
	if (r == 0)
		r = add_files(host, order->kind == CONTAINER_OURS ? OUR_FILES : FOREIGN_FILES, e);
	return r;
}

/* By its id: a name may be anybody's by now. */
static int settle_image(struct node *node, json_t *body, struct err *e)
{
	const char *image = json_string_value(json_object_get(body, "Image"));
	AUTO(char *, freep) id = NULL;
	int r = own_image_id(node, image ? image : "", &id, e);

	if (r == 0 && id && json_object_set_new(body, "Image", json_text(id)) < 0)
		return err_memory(e);
	return r;
}

int container_create(struct node *node, const struct container_order *order, char **ret_id,
		     struct err *e)
{
	json_t *host = host_config_of(order->body);
	int r = host ? add_filter(node, host, e) : err_memory(e);

	if (r == 0 && order->kind == CONTAINER_FOREIGN)
		r = runtime_settle(node, order->challenge_id, host, e);
	if (r == 0)
		r = add_limits(node, order, host, e);
	if (r == 0)
		r = settle_image(node, order->body, e);
	return r < 0 ? r : late_container_create(node, order->name, order->body, ret_id, e);
}
