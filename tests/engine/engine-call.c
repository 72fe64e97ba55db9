/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call of the engine room, for scripts that play or provide the engine:
 *
 *	engine-call URL TIMEOUT_MS COMMAND [ARGUMENT...]
 *
 * Prints what came of it, or "error CODE: message" and exits with 1.
 */
#include "base/err.h"
#include "base/own.h"
#include "base/secret.h"
#include "engine/container.h"
#include "engine/engine.h"
#include "engine/event.h"
#include "engine/exec.h"
#include "engine/image.h"
#include "engine/network.h"
#include "engine/tar.h"

#include <string.h>
#include <sys/stat.h>

struct words {
	struct engine *engine;
	int64_t timeout_ms;
	const char *first, *second, *third;
};

static int run_open(const struct words *w, struct err *e)
{
	(void)e;
	printf("version %s api %s podman %d\n", engine_version(w->engine),
	       engine_api_version(w->engine), engine_is_podman(w->engine));
	return 0;
}

static int run_ping(const struct words *w, struct err *e)
{
	return engine_ping(w->engine, e);
}

static int run_create(const struct words *w, struct err *e)
{
	AUTO(json_t *, json_decrefp) body = json_pack("{s:s}", "Image", w->second);
	AUTO(char *, freep) id = NULL;
	int r = engine_container_create(w->engine, w->first, body, &id, e);

	if (r == 0)
		printf("id %s\n", id);
	return r;
}

static int run_start(const struct words *w, struct err *e)
{
	return engine_container_start(w->engine, w->first, e);
}

static int run_list(const struct words *w, struct err *e)
{
	AUTO(struct engine_container_list, engine_container_list_done) list = { 0 };
	const char *labels[] = { w->first, NULL };
	int r = engine_container_list(w->engine, labels, &list, e);

	for (size_t i = 0; i < list.count; i++)
		printf("container %s\n", list.items[i].name);
	return r;
}

static int run_network(const struct words *w, struct err *e)
{
	struct engine_network_options options = { .name = w->first, .subnet = w->second };
	AUTO(char *, freep) id = NULL;
	int r = engine_network_create(w->engine, &options, &id, e);

	if (r == 0)
		printf("id %s\n", id);
	return r;
}

static int print_output(void *cookie, enum engine_stream stream, const void *bytes, size_t len,
			struct err *e)
{
	(void)cookie;
	(void)e;
	printf("%d: %.*s", (int)stream, (int)len, (const char *)bytes);
	return 0;
}

static int run_logs(const struct words *w, struct err *e)
{
	struct engine_log_options options = { .timeout_ms = w->timeout_ms };

	return engine_container_logs(w->engine, w->first, &options, print_output, NULL, e);
}

static int run_wait(const struct words *w, struct err *e)
{
	int exit_code;
	int r = engine_container_wait(w->engine, w->first, w->timeout_ms, &exit_code, e);

	if (r == 0)
		printf("exit code %d\n", exit_code);
	return r;
}

static int run_exec(const struct words *w, struct err *e)
{
	AUTO(struct engine_exec_result, engine_exec_result_done)
	result = ENGINE_EXEC_RESULT_LIMITED(1 << 20);
	const char *const argv[] = { "sh", "-c", w->second, NULL };
	struct engine_exec_options options = { .argv = argv };
	int r = engine_exec_run(w->engine, w->first, &options, w->timeout_ms, &result, e);

	if (r == 0)
		printf("exit code %d\nout %s\nerr %s\n", result.exit_code, result.out.data,
		       result.err.data);
	return r;
}

static int print_progress(void *cookie, const struct engine_progress *progress, struct err *e)
{
	size_t len = strlen(progress->text);

	(void)cookie;
	(void)e;
	printf("%s%s%s%s", progress->layer ? progress->layer : "", progress->layer ? ": " : "",
	       progress->text, len && progress->text[len - 1] == '\n' ? "" : "\n");
	return 0;
}

static int run_pull(const struct words *w, struct err *e)
{
	struct engine_credentials credentials = { .username = w->second, .password = w->third };
	struct engine_pull pull = { .reference = w->first,
				    .credentials = w->second ? &credentials : NULL,
				    .progress = print_progress,
				    .timeout_ms = w->timeout_ms };

	return engine_image_pull(w->engine, &pull, e);
}

static int next_dockerfile(void *cookie, struct tar_entry *ret_entry, struct err *e)
{
	const char **text = cookie;

	(void)e;
	if (!*text)
		return 0;
	*ret_entry = (struct tar_entry){
		.name = "Dockerfile", .mode = S_IFREG | 0644, .bytes = *text, .size = strlen(*text)
	};
	*text = NULL;
	return 1;
}

/* build NAME DOCKERFILE-TEXT [buildkit] */
static int run_build(const struct words *w, struct err *e)
{
	AUTO(struct tar *, tar_freep) tar = NULL;
	AUTO(char *, freep) id = NULL;
	const char *text = w->second;
	struct engine_build build = { .reference = w->first,
				      .buildkit = w->third,
				      .context = tar_read,
				      .progress = print_progress,
				      .timeout_ms = w->timeout_ms };
	int r;

	r = tar_new(next_dockerfile, &text, &tar, e);
	if (r < 0)
		return r;
	build.context_cookie = tar;
	r = engine_image_build(w->engine, &build, &id, e);
	if (r == 0)
		printf("id %s\n", id);
	return r;
}

static int run_exists(const struct words *w, struct err *e)
{
	int r = engine_image_exists(w->engine, w->first, e);

	if (r >= 0)
		printf("exists %d\n", r);
	return r < 0 ? r : 0;
}

static int print_event(void *cookie, const struct engine_event *event, struct err *e)
{
	(void)cookie;
	(void)e;
	printf("event %s %s %s\n", event->type, event->action, event->id);
	return 0;
}

static int run_events(const struct words *w, struct err *e)
{
	struct engine_event_options options = { 0 };

	return engine_events(w->engine, &options, print_event, NULL, e);
}

static const struct {
	const char *name;
	int (*run)(const struct words *w, struct err *e);
} commands[] = {
	{ "open", run_open },     { "ping", run_ping },   { "create", run_create },
	{ "start", run_start },   { "list", run_list },   { "network", run_network },
	{ "logs", run_logs },     { "wait", run_wait },   { "exec", run_exec },
	{ "pull", run_pull },     { "build", run_build }, { "exists", run_exists },
	{ "events", run_events },
};

static int run(int argc, char **argv, struct err *e)
{
	AUTO(struct engine *, engine_closep) engine = NULL;
	struct engine_options options = { .url = argv[1], .timeout_ms = atoll(argv[2]) };
	struct words w = { .timeout_ms = options.timeout_ms,
			   .first = argc > 4 ? argv[4] : NULL,
			   .second = argc > 5 ? argv[5] : NULL,
			   .third = argc > 6 ? argv[6] : NULL };
	int r;

	r = engine_open(&options, &engine, e);
	if (r < 0)
		return r;
	w.engine = engine;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(argv[3], commands[i].name) == 0)
			return commands[i].run(&w, e);
	return err_set(e, ERR_INVALID, "'%s' is not a command", argv[3]);
}

int main(int argc, char **argv)
{
	struct err e = ERR_INIT;

	if (argc < 4) {
		fprintf(stderr, "usage: engine-call URL TIMEOUT_MS COMMAND [ARGUMENT...]\n");
		return 2;
	}
	if (secret_init(&e) == 0 && run(argc, argv, &e) == 0)
		return 0;
	printf("error %s: %s\n", err_word(e.code), e.msg);
	return 1;
}
