/* SPDX-License-Identifier: Apache-2.0 */
#include "node/agent-run.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/image-name.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "base/work.h"
#include "engine/archive.h"
#include "engine/container.h"
#include "node/agent.h"
#include "node/compose.h"
#include "node/container.h"
#include "node/containment.h"
#include "node/image.h"
#include "node/node.h"
#include "node/own-image.h"
#include "node/sidecar.h"
#include "node/timeline.h"
#include "node/uplink.h"
#include "wire/instance.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const int64_t agent_memory = (int64_t)2 << 30;

enum {
	KEYS_PATIENCE_MS = 30 * 1000,
	HEARTBEAT_MS = 2000,
	LOOK_UP_MS = 100,
	GRACE_S = 2,
	RUN_ID_LEN = 12,
	TRANSCRIPT_PART = 256 << 10, /* of one stream, its beginning and its end */
};

struct agent_run {
	struct node *node;
	char *instance_id;
	char id[RUN_ID_LEN + 1];
	char *container;
	bool ended;
	struct uplink *uplink; /* NULL: it has none */

	/* While it is followed. */
	agent_sink *sink;
	void *cookie;
	pthread_mutex_t sending;
	struct buf cut[3]; /* a character that is not whole yet, by stream */
	atomic_bool lost;  /* nobody listens any more */
	atomic_bool done;  /* it has written all it will */
};

/* clang-format off */
const struct field agent_run_spec_fields[] = {
	FIELD(struct agent_run_spec, STRING, image, FIELD_REQUIRED),
	FIELD_STRINGS_OF(struct agent_run_spec, command, command_count, 0),
	FIELD(struct agent_run_spec, OBJECT, env, 0),
	FIELD(struct agent_run_spec, OBJECT, platform, 0),
	FIELDS_END,
};
/* clang-format on */

static const char *label(const json_t *labels, const char *name)
{
	const char *value = json_string_value(json_object_get(labels, name));

	return value ? value : "";
}

bool agent_is(const json_t *labels)
{
	return strcmp(label(labels, LABEL_ROLE), "agent") == 0;
}

/* The engine takes the two times at different places: a short run may end before it began. */
static json_int_t duration_ms(const struct engine_container_state *state)
{
	return state->finished_ms > state->started_ms ? state->finished_ms - state->started_ms : 0;
}

/* --- starting ----------------------------------------------------------------------------- */

static int wait_runtime(struct node *node, const char *instance_id, struct agent_runtime *runtime,
			struct err *e)
{
	const struct timespec pause = { .tv_nsec = LOOK_UP_MS * 1000000L };
	int64_t deadline = clock_monotonic_ms() + KEYS_PATIENCE_MS;
	int r;

	while ((r = agent_runtime(node, instance_id, runtime, e)) == -ERR_UNAVAILABLE &&
	       clock_monotonic_ms() < deadline) {
		fields_done(agent_runtime_fields, runtime);
		nanosleep(&pause, NULL);
	}
	return r;
}

static int check_room(struct node *node, const char *instance_id, struct err *e)
{
	struct engine_container_list list = { 0 };
	struct label_filter filter;
	size_t count = 0;
	int r;

	label_filter(node, instance_id, &filter);
	r = engine_container_list(node->engine, filter.labels, &list, e);
	for (size_t i = 0; i < list.count; i++)
		count += agent_is(list.items[i].labels);
	engine_container_list_done(&list);
	if (r == 0 && count >= AGENT_RUNS_MAX)
		r = err_set(e, ERR_CONFLICT, "instance '%s' has had %zu agents: that is enough",
			    instance_id, count);
	return r;
}

static void add_env(json_t *env, const json_t *variables)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)variables, name, value)
		json_array_append_new(env, json_textf("%s=%s", name, json_string_value(value)));
}

/* HostConfig as a sidecar's, but for rights and log: it is a guest, and its log is its transcript.
 */
static json_t *host_config(const struct node *node, const json_t *docker)
{
	json_t *host = sidecar_limits(agent_memory, AGENT_PIDS);

	json_object_set(host, "NetworkMode", json_object_get(docker, "network"));
	json_object_set(host, "Dns", json_object_get(docker, "dns"));
	json_object_del(host, "CapDrop");
	json_object_set_new(host, "CapDrop", json_make("[s,s]", "NET_RAW", "MKNOD"));
	json_object_set_new(host, "LogConfig",
			    json_make("{s:s,s:{s:s,s:s}}", "Type", "json-file", "Config",
				      "max-size", "10m", "max-file", "3"));
	container_keep_log(node, host);
	return host;
}

static void add_uplink(json_t *env, const struct uplink *uplink)
{
	json_array_append_new(env, json_textf("CTFY_URL=%s", uplink_url(uplink)));
	json_array_append_new(env, json_textf("CTFY_TOKEN=%s", uplink_token(uplink)));
}

static json_t *agent_body(const struct agent_run *run, const struct agent_run_spec *spec,
			  const struct agent_runtime *runtime)
{
	json_t *env = json_array(), *command = spec->command_count ? json_array() : NULL;

	add_env(env, runtime->env);
	add_env(env, spec->env);
	if (run->uplink)
		add_uplink(env, run->uplink);
	for (size_t i = 0; i < spec->command_count; i++)
		json_array_append_new(command, json_text(spec->command[i]));
	return json_make("{s:s,s:o*,s:o,s:O,s:o}", "Image", spec->image, "Cmd", command, "Env", env,
			 "Labels", json_object_get(runtime->docker, "labels"), "HostConfig",
			 host_config(run->node, runtime->docker));
}

static int put_authority(struct agent_run *run, const char *pem, struct err *e)
{
	const struct engine_file file = {
		.path = AGENT_CA_PATH, .bytes = pem, .size = pem ? strlen(pem) : 0, .mode = 0644
	};

	return pem ? engine_archive_put_files(run->node->engine, run->container, &file, 1, e) : 0;
}

static int start_container(struct agent_run *run, const struct agent_run_spec *spec,
			   const struct agent_runtime *runtime, struct err *e)
{
	AUTO(json_t *, json_decrefp) body = agent_body(run, spec, runtime);
	AUTO(char *, freep) name = strf("ctfy-agent-%s", run->id);
	struct engine *engine = run->node->engine;
	int r;

	if (!body || !name)
		return err_memory(e);
	r = container_create(run->node,
			     &(struct container_order){
				     .kind = CONTAINER_FOREIGN, .name = name, .body = body },
			     &run->container, e);
	if (r == 0)
		r = put_authority(run, runtime->ca_pem, e);
	if (r == 0)
		r = engine_container_start(engine, run->container, e);
	if (r < 0 && run->container) {
		struct err gone = ERR_INIT; /* what stays goes with the instance */

		engine_container_remove(engine, run->container, true, &gone);
		run->ended = true;
	}
	return r;
}

static int open_uplink(struct agent_run *run, const json_t *platform,
		       const struct agent_runtime *runtime, struct err *e)
{
	struct uplink_options options = { .instance_id = run->instance_id, .run_id = run->id };

	if (!platform)
		return 0;
	if (json_unpack((json_t *)(uintptr_t)platform, "{s:s,s:s}", "url", &options.platform_url,
			"token", &options.platform_token) < 0)
		return err_set(e, ERR_INVALID, "'platform' needs 'url' and 'token'");
	if (json_unpack(runtime->docker, "{s:s}", "network", &options.network) < 0)
		return err_set(e, ERR_CONFLICT, "instance '%s' has no network", run->instance_id);
	return uplink_open(run->node, &options, &run->uplink, e);
}

/* Who sends an agent may not send it with another challenge's image, to look into that. */
static int check_image(const char *image, struct err *e)
{
	const char *fault = image_name_fault(image);

	return fault ? err_set(e, ERR_INVALID, "'image': '%s' %s", image, fault) : 0;
}

int agent_run_start(struct node *node, const char *instance_id, const struct agent_run_spec *spec,
		    struct agent_run **ret_run, struct err *e)
{
	AUTO(struct agent_run *, agent_run_freep) run = calloc(1, sizeof(*run));
	const struct image_job job = { .node = node,
				       .challenge_id = "agent",
				       .instance_id = instance_id };
	struct agent_runtime runtime = { 0 };
	int r;

	if (!run)
		return err_memory(e);
	run->node = node;
	run->instance_id = strdup(instance_id);
	id_random(run->id, RUN_ID_LEN);
	pthread_mutex_init(&run->sending, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(run->cut); i++)
		run->cut[i] = (struct buf)BUF_INIT;
	if (!run->instance_id)
		return err_memory(e);
	r = wait_runtime(node, instance_id, &runtime, e);
	if (r == 0)
		r = check_room(node, instance_id, e);
	if (r == 0)
		r = check_image(spec->image, e);
	if (r == 0)
		r = image_have(&job, spec->image, e);
	if (r == 0)
		r = open_uplink(run, spec->platform, &runtime, e);
	if (r == 0)
		r = start_container(run, spec, &runtime, e);
	fields_done(agent_runtime_fields, &runtime);
	if (r < 0)
		return err_wrap(e, "agent '%s'", spec->image);
	timeline_add(node, instance_id, "agent-started", "ctfy-agent", "run %s of '%s'", run->id,
		     spec->image);
	*ret_run = TAKE(run);
	return 0;
}

/* --- following ---------------------------------------------------------------------------- */

static int send_line(struct agent_run *run, json_t *line, struct err *e)
{
	AUTO(char *, freep) text = line ? json_dumps(line, JSON_COMPACT) : NULL;
	AUTO(char *, freep) whole = text ? strf("%s\n", text) : NULL;
	int r;

	json_decref(line);
	if (!whole)
		return err_memory(e);
	pthread_mutex_lock(&run->sending);
	r = run->sink(run->cookie, whole, strlen(whole), e);
	pthread_mutex_unlock(&run->sending);
	if (r < 0)
		atomic_store(&run->lost, true);
	return r;
}

/* How many of the last bytes begin a character that goes on in the next part. */
static size_t cut_off(const char *bytes, size_t len)
{
	for (size_t back = 1; back <= 3 && back <= len; back++) {
		unsigned char c = (unsigned char)bytes[len - back];
		size_t need = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;

		if ((c & 0xc0) != 0x80)
			return need > back ? back : 0;
	}
	return 0;
}

static int send_text(struct agent_run *run, enum engine_stream stream, const char *bytes,
		     size_t len, struct err *e)
{
	if (len == 0)
		return 0;
	return send_line(run,
			 json_make("{s:s,s:o}", "stream",
				   stream == ENGINE_STDERR ? "stderr" : "stdout", "text",
				   json_text_n(bytes, len)),
			 e);
}

static int take_output(void *cookie, enum engine_stream stream, const void *bytes, size_t len,
		       struct err *e)
{
	struct agent_run *run = cookie;
	struct buf *cut = &run->cut[stream];
	size_t rest;
	int r;

	buf_put(cut, bytes, len);
	rest = cut_off(cut->data, cut->len);
	r = buf_check(cut, e);
	if (r == 0)
		r = send_text(run, stream, cut->data, cut->len - rest, e);
	if (r == 0) {
		memmove(cut->data, cut->data + cut->len - rest, rest);
		cut->len = rest;
		cut->data[rest] = '\0';
	}
	return r;
}

static int tell_end(struct agent_run *run, struct err *e)
{
	AUTO(json_t *, json_decrefp) inspected = NULL;
	struct engine_container_state state;
	int code = 0, r;

	r = engine_container_wait(run->node->engine, run->container, 0, &code, e);
	if (r == 0)
		r = engine_container_inspect(run->node->engine, run->container, &inspected, e);
	if (r < 0)
		return r;
	run->ended = true;
	engine_container_state(inspected, &state);
	timeline_add(run->node, run->instance_id, "agent-ended", "ctfy-agent",
		     "run %s with exit code %d", run->id, state.exit_code);
	return send_line(run,
			 json_make("{s:i,s:b,s:I}", "exit_code", state.exit_code, "oom_killed",
				   state.oom_killed, "duration_ms", duration_ms(&state)),
			 e);
}

static int follow_output(struct agent_run *run, struct err *e)
{
	int r = engine_container_follow(run->node->engine, run->container, 0, &run->lost,
					take_output, run, e);

	for (int i = 0; r == 0 && i < (int)ARRAY_SIZE(run->cut); i++)
		r = send_text(run, (enum engine_stream)i, run->cut[i].data, run->cut[i].len, e);
	return r == 0 ? tell_end(run, e) : r;
}

/* Who has gone is noticed by what can't be sent to them: an agent may be silent for long. */
static int keep_alive(struct agent_run *run, struct err *e)
{
	const struct timespec pause = { .tv_nsec = LOOK_UP_MS * 1000000L };
	int64_t next = clock_monotonic_ms() + HEARTBEAT_MS;
	int r = 0;

	while (r == 0 && !atomic_load(&run->done)) {
		nanosleep(&pause, NULL);
		if (clock_monotonic_ms() < next)
			continue;
		next += HEARTBEAT_MS;
		pthread_mutex_lock(&run->sending);
		r = run->sink(run->cookie, "\n", 1, e);
		pthread_mutex_unlock(&run->sending);
	}
	if (r < 0)
		atomic_store(&run->lost, true);
	return r;
}

static int run_side(void *cookie, size_t i, struct err *e)
{
	struct agent_run *run = cookie;
	int r;

	if (i == 1)
		return keep_alive(run, e);
	r = follow_output(run, e);
	atomic_store(&run->done, true);
	return r;
}

int agent_run_follow(struct agent_run *run, agent_sink *sink, void *cookie, struct err *e)
{
	char now[CLOCK_TEXT_SIZE];
	int r;

	run->sink = sink;
	run->cookie = cookie;
	r = send_line(run,
		      json_make("{s:s,s:s}", "run_id", run->id, "started_at",
				clock_format(clock_now_ms(run->node->clock), now)),
		      e);
	return r < 0 ? r : work_each_always(2, 2, run_side, run, e);
}

void agent_run_free(struct agent_run *run)
{
	struct err why = ERR_INIT;

	if (!run)
		return;
	if (run->container && !run->ended &&
	    engine_container_stop(run->node->engine, run->container, GRACE_S, &why) < 0 &&
	    why.code != ERR_NOT_FOUND)
		log_warn("agent '%s' of instance '%s' was not stopped: %s", run->id,
			 run->instance_id, why.msg);
	uplink_close(run->uplink);
	for (size_t i = 0; i < ARRAY_SIZE(run->cut); i++)
		buf_done(&run->cut[i]);
	pthread_mutex_destroy(&run->sending);
	free(run->container);
	free(run->instance_id);
	free(run);
}

/* --- transcripts -------------------------------------------------------------------------- */

/* What it wrote to a stream: its beginning, and its end. */
struct written {
	struct buf first, last;
	int64_t bytes;
};

struct transcript {
	struct written streams[3];
};

static void keep_last(struct written *written, const char *bytes, size_t len)
{
	buf_put(&written->last, bytes, len);
	if (written->last.len <= 2 * (size_t)TRANSCRIPT_PART || buf_failed(&written->last))
		return;
	memmove(written->last.data, written->last.data + written->last.len - TRANSCRIPT_PART,
		TRANSCRIPT_PART);
	written->last.len = TRANSCRIPT_PART;
}

static int keep_output(void *cookie, enum engine_stream stream, const void *bytes, size_t len,
		       struct err *e)
{
	struct written *written = &((struct transcript *)cookie)->streams[stream];
	size_t room = TRANSCRIPT_PART - written->first.len, part = len < room ? len : room;
	int r;

	written->bytes += (int64_t)len;
	buf_put(&written->first, bytes, part);
	for (const char *at = (const char *)bytes + part; part < len;) {
		size_t some = len - part < TRANSCRIPT_PART ? len - part : TRANSCRIPT_PART;

		keep_last(written, at, some);
		at += some;
		part += some;
	}
	r = buf_check(&written->first, e);
	return r < 0 ? r : buf_check(&written->last, e);
}

static int64_t left_out(const struct written *written)
{
	int64_t last = (int64_t)written->last.len;

	return written->bytes - (int64_t)written->first.len -
	       (last < TRANSCRIPT_PART ? last : TRANSCRIPT_PART);
}

static json_t *written_json(const struct written *written)
{
	int64_t gone = left_out(written);
	struct buf text = BUF_INIT;
	json_t *json;

	buf_put(&text, written->first.data, written->first.len);
	if (gone > 0)
		buf_printf(&text, "\n[%lld bytes are left out here]\n", (long long)gone);
	if (written->last.len > TRANSCRIPT_PART)
		buf_put(&text, written->last.data + written->last.len - TRANSCRIPT_PART,
			TRANSCRIPT_PART);
	else
		buf_put(&text, written->last.data, written->last.len);
	json = buf_failed(&text) ? NULL : json_text_n(text.data, text.len);
	buf_done(&text);
	return json;
}

static json_t *time_json(int64_t at_ms)
{
	char text[CLOCK_TEXT_SIZE];

	return at_ms ? json_text(clock_format(at_ms, text)) : json_null();
}

static json_t *transcript_json(const char *name, const json_t *inspected,
			       const struct transcript *transcript)
{
	const struct written *out = &transcript->streams[ENGINE_STDOUT],
			     *err = &transcript->streams[ENGINE_STDERR];
	struct engine_container_state state;
	const json_t *config = json_object_get(inspected, "Config");

	engine_container_state(inspected, &state);
	return json_make("{s:s,s:O?,s:O?,s:O?,s:o,s:o,s:o,s:o,s:b,s:o,s:o,s:I,s:I}", "run_id", name,
			 "image", json_object_get(config, "Image"), "image_id",
			 json_object_get(inspected, "Image"), "command",
			 json_object_get(config, "Cmd"), "started_at", time_json(state.started_ms),
			 "ended_at", state.running ? json_null() : time_json(state.finished_ms),
			 "duration_ms",
			 state.running ? json_null() : json_integer(duration_ms(&state)),
			 "exit_code", state.running ? json_null() : json_integer(state.exit_code),
			 "oom_killed", state.oom_killed, "stdout", written_json(out), "stderr",
			 written_json(err), "stdout_left_out", (json_int_t)left_out(out),
			 "stderr_left_out", (json_int_t)left_out(err));
}

static int read_transcript(struct node *node, const struct engine_container *container,
			   json_t **ret_json, struct err *e)
{
	static const char prefix[] = "ctfy-agent-";
	const struct engine_log_options options = { .follow = false };
	AUTO(json_t *, json_decrefp) inspected = NULL;
	const char *name = container->name;
	struct transcript transcript;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(transcript.streams); i++)
		transcript.streams[i] = (struct written){ .first = BUF_INIT, .last = BUF_INIT };
	if (strncmp(name, prefix, sizeof(prefix) - 1) == 0)
		name += sizeof(prefix) - 1;
	r = engine_container_inspect(node->engine, container->id, &inspected, e);
	if (r == 0)
		r = engine_container_logs(node->engine, container->id, &options, keep_output,
					  &transcript, e);
	if (r == 0) {
		*ret_json = transcript_json(name, inspected, &transcript);
		r = *ret_json ? 0 : err_memory(e);
	}
	for (size_t i = 0; i < ARRAY_SIZE(transcript.streams); i++) {
		buf_done(&transcript.streams[i].first);
		buf_done(&transcript.streams[i].last);
	}
	return r;
}

int agent_transcripts(struct node *node, const struct engine_container_list *list, FILE *file,
		      struct err *e)
{
	bool any = false;

	for (size_t i = 0; i < list->count; i++) {
		AUTO(json_t *, json_decrefp) transcript = NULL;
		int r;

		if (!agent_is(list->items[i].labels))
			continue;
		r = read_transcript(node, &list->items[i], &transcript, e);
		if (r == -ERR_NOT_FOUND)
			continue;
		if (r < 0)
			return r;
		if (fputs(any ? ",\n" : "[\n", file) < 0 ||
		    json_dumpf(transcript, file, JSON_COMPACT | JSON_ENSURE_ASCII) < 0)
			return err_errno(e, ERR_INTERNAL, "write transcripts of agents");
		any = true;
	}
	return !any || fputs("\n]\n", file) >= 0
		       ? 0
		       : err_errno(e, ERR_INTERNAL, "write transcripts of agents");
}
