/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "engine/buildkit.h"
#include "engine/engine.h"
#include "engine/image.h"
#include "engine/json.h"
#include "engine/messages.h"
#include "engine/progress.h"
#include "engine/request.h"

#include <sodium.h>
#include <string.h>

struct build {
	const struct engine_build *wanted;
	char *id; /* of the image, once it is made */
};

static void build_done(struct build *build)
{
	free(build->id);
}

static int set_id(struct build *build, const char *id, size_t len, struct err *e)
{
	free(build->id);
	build->id = strndup(id, len);
	return build->id ? 0 : err_memory(e);
}

static int tell(const struct build *build, const char *text, struct err *e)
{
	struct engine_progress step = { .text = text };

	if (!build->wanted->progress || !text[0])
		return 0;
	return build->wanted->progress(build->wanted->cookie, &step, e);
}

static int take_buildkit(const struct build *build, const char *base64, struct err *e)
{
	AUTO(struct buf, buf_done) text = BUF_INIT;
	AUTO(unsigned char *, freep) status = malloc(strlen(base64) + 1);
	size_t len;
	int r;

	if (!status)
		return err_memory(e);
	if (sodium_base642bin(status, strlen(base64), base64, strlen(base64), NULL, &len, NULL,
			      sodium_base64_VARIANT_ORIGINAL) != 0)
		return err_set(e, ERR_PROTOCOL, "the engine sent a build trace that is no base64");
	buildkit_text(status, len, &text);
	r = buf_check(&text, e);
	return r < 0 ? r : tell(build, text.data, e);
}

/* Engines that don't name the image in a message of its own do so in words. */
static int take_words(struct build *build, const char *words, struct err *e)
{
	static const char built[] = "Successfully built ";
	int r = tell(build, words, e);

	if (r < 0 || build->id || strncmp(words, built, sizeof(built) - 1) != 0)
		return r;
	words += sizeof(built) - 1;
	return set_id(build, words, strcspn(words, "\r\n"), e);
}

static int take_message(void *cookie, const json_t *message, struct err *e)
{
	struct build *build = cookie;
	const json_t *aux = json_object_get(message, "aux");
	const char *id = json_get_text(aux, "ID");
	int r;

	r = progress_check(message, e);
	if (r < 0)
		return r;
	if (id[0])
		return set_id(build, id, strlen(id), e);
	if (strcmp(json_get_text(message, "id"), "moby.buildkit.trace") == 0 && json_is_string(aux))
		return take_buildkit(build, json_string_value(aux), e);
	if (json_object_get(message, "stream"))
		return take_words(build, json_get_text(message, "stream"), e);
	return progress_tell(build->wanted->progress, build->wanted->cookie, message, e);
}

/* Podman reads `networkmode` as a policy, and the network out of its own `nsoptions`. */
static void put_podman_network(struct request *req, const char *network)
{
	bool host = strcmp(network, "host") == 0, none = strcmp(network, "none") == 0;
	AUTO(json_t *, json_decrefp) options =
		json_make("[{s:s,s:b,s:s}]", "Name", "network", "Host", host, "Path",
			  host || none ? "" : network);

	request_query(req, "networkmode", none ? "NetworkDisabled" : "NetworkEnabled");
	request_query_json(req, "nsoptions", options);
}

/* ["nofile=1024:1024"] */
static json_t *podman_ulimits(const json_t *ulimits)
{
	json_t *texts = json_array();
	const json_t *limit;
	size_t i;

	json_array_foreach (ulimits, i, limit) {
		json_int_t soft = json_integer_value(json_object_get(limit, "Soft"));
		json_int_t hard = json_integer_value(json_object_get(limit, "Hard"));

		json_array_append_new(texts,
				      json_textf("%s=%lld:%lld", json_get_text(limit, "Name"),
						 (long long)soft, (long long)hard));
	}
	return texts;
}

static void put_podman(struct request *req, const struct engine_build *build)
{
	AUTO(json_t *, json_decrefp) ulimits = podman_ulimits(build->ulimits);

	if (build->network)
		put_podman_network(req, build->network);
	if (json_array_size(ulimits))
		request_query_json(req, "ulimits", ulimits);
}

static void put_query(struct request *req, const struct engine *engine,
		      const struct engine_build *build)
{
	const json_t *host;
	size_t i;

	request_query(req, "t", build->reference);
	request_query(req, "dockerfile", build->dockerfile);
	request_query(req, "target", build->target);
	request_query(req, "platform", build->platform);
	request_query_json(req, "buildargs", build->args);
	request_query_json(req, "labels", build->labels);
	json_array_foreach (build->extra_hosts, i, host)
		request_query(req, "extrahosts", json_string_value(host));
	if (build->shm_size)
		request_query_number(req, "shmsize", build->shm_size);
	if (build->memory) {
		request_query_number(req, "memory", build->memory);
		request_query_number(req, "memswap", build->memory);
	}
	if (build->cpu_quota) {
		request_query_number(req, "cpuquota", build->cpu_quota);
		request_query_number(req, "cpuperiod", build->cpu_period);
	}
	if (build->cpu_shares)
		request_query_number(req, "cpushares", build->cpu_shares);
	request_query(req, "cgroupparent", build->cgroup_parent);
	if (engine_is_podman(engine)) {
		put_podman(req, build);
	} else {
		request_query(req, "networkmode", build->network);
		request_query_json(req, "ulimits", build->ulimits);
	}
	request_query(req, "nocache", build->no_cache ? "1" : NULL);
	request_query(req, "version", build->buildkit ? "2" : NULL);
	request_query(req, "rm", "1");
	request_query(req, "forcerm", "1");
}

static int run_build(struct engine *engine, const struct engine_build *wanted, char **ret_id,
		     struct err *e)
{
	AUTO(struct build, build_done) build = { .wanted = wanted };
	AUTO(struct request, request_done) req;
	int r;

	request_begin(&req, engine, "POST", "/build");
	put_query(&req, engine, wanted);
	req.call.source = wanted->context;
	req.call.source_cookie = wanted->context_cookie;
	req.call.content_type = "application/x-tar";
	req.call.timeout_ms = wanted->timeout_ms;
	req.call.cancelled = wanted->cancelled;
	r = request_run_messages(&req, take_message, &build, e);
	if (r < 0)
		return r;
	if (!build.id)
		return err_set(e, ERR_ENGINE, "the build ended without an image");
	if (ret_id)
		*ret_id = TAKE(build.id);
	return 0;
}

int engine_image_build(struct engine *engine, const struct engine_build *build, char **ret_id,
		       struct err *e)
{
	int r = run_build(engine, build, ret_id, e);

	if (r == 0)
		return 0;
	return build->reference ? err_wrap(e, "build image '%s'", build->reference)
				: err_wrap(e, "build image");
}
