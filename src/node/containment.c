#include "node/containment.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "challenge/seccomp.h"
#include "engine/engine.h"
#include "node/late-container.h"
#include "node/node.h"
#include "node/own-image.h"

#include <string.h>

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
	return path ? json_sprintf("seccomp=%s", path) : NULL;
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

/* By its id: a name may be anybody's by now. */
static int settle_image(struct node *node, json_t *body, struct err *e)
{
	const char *image = json_string_value(json_object_get(body, "Image"));
	AUTO(char *, freep) id = NULL;
	int r = own_image_id(node, image ? image : "", &id, e);

	if (r == 0 && id && json_object_set_new(body, "Image", json_string(id)) < 0)
		return err_memory(e);
	return r;
}

int container_create(struct node *node, const struct container_order *order, char **ret_id,
		     struct err *e)
{
	json_t *host = host_config_of(order->body);
	int r = host ? add_filter(node, host, e) : err_memory(e);

	if (r == 0)
		r = settle_image(node, order->body, e);
	return r < 0 ? r : late_container_create(node, order->name, order->body, ret_id, e);
}
