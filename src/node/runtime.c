/* SPDX-License-Identifier: Apache-2.0 */
#include "node/runtime.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "challenge/policy.h"
#include "engine/engine.h"
#include "node/node.h"

#include <pthread.h>

static int refuse_podman(const char *name, struct err *e)
{
	return err_set(e, ERR_POLICY,
		       "runtime '%s': Podman has one runtime for all containers, which its "
		       "containers.conf names",
		       name);
}

int runtime_check(const struct engine *engine, const json_t *info, const char *name, struct err *e)
{
	const json_t *known = json_object_get(info, "Runtimes");
	struct buf names = BUF_INIT;
	const char *other;
	json_t *unused;

	if (engine_is_podman(engine))
		return refuse_podman(name, e);
	if (json_object_get(known, name))
		return 0;
	json_object_foreach ((json_t *)(uintptr_t)known, other, unused)
		buf_printf(&names, "%s'%s'", names.len ? ", " : "", other);
	err_set(e, ERR_NOT_FOUND, "the engine knows no runtime '%s'; it has %s", name,
		names.len ? names.data : "none");
	buf_done(&names);
	return -(int)ERR_NOT_FOUND;
}

static int set(json_t *host_config, const char *name, struct err *e)
{
	return json_object_set_new(host_config, "Runtime", json_text(name)) < 0 ? err_memory(e) : 0;
}

static int choose(struct node *node, const char *challenge_id, json_t *host_config, struct err *e)
{
	const char *name = NULL;
	int r;

	pthread_rwlock_rdlock(&node->config);
	if (challenge_id)
		name = policy_runtime(node->policy, challenge_id);
	if (!name)
		name = node->options->runtime;
	r = name ? set(host_config, name, e) : 0;
	pthread_rwlock_unlock(&node->config);
	return r;
}

int runtime_settle(struct node *node, const char *challenge_id, json_t *host_config, struct err *e)
{
	const char *name;
	int r = 0;

	if (!json_object_get(host_config, "Runtime"))
		r = choose(node, challenge_id, host_config, e);
	name = json_string_value(json_object_get(host_config, "Runtime"));
	return r == 0 && name && engine_is_podman(node->engine) ? refuse_podman(name, e) : r;
}
