/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/test-ground.h"

#include "base/file.h"
#include "base/own.h"
#include "challenge/challenge.h"
#include "cli/solver.h"

#include <ctfy/node_client.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* A node that ignores that we would rather not wait may be building images. */
static const double start_timeout_s = 3600, stop_timeout_s = 300;

/* The SDK's error as ours: CONNECT where there is no node to speak to. Empties it. */
static int node_failed(struct ctfy_error *error, struct err *e)
{
	static const enum err_code codes[CTFY_ERROR_MEMORY + 1] = {
		[CTFY_ERROR_CONNECT] = ERR_CONNECT,
		[CTFY_ERROR_TLS] = ERR_CONNECT,
		[CTFY_ERROR_TIMEOUT] = ERR_TIMEOUT,
		[CTFY_ERROR_MEMORY] = ERR_MEMORY,
	};
	enum err_code code = codes[error->kind] ? codes[error->kind] : ERR_NODE;

	if (error->status == 401)
		code = ERR_CONNECT;
	err_set(e, code, "%s", error->detail ? error->detail : "out of memory");
	ctfy_error_done(error);
	return -(int)code;
}

static bool interrupted(void *cookie)
{
	const struct test_place *place = cookie;

	return *place->interrupted;
}

/* --- the instance ------------------------------------------------------------------------- */

static int start(void *cookie, const struct trial_start *wanted, struct ctfy_instance *ret_row,
		 struct err *e)
{
	const struct test_place *place = cookie;
	AUTO(struct ctfy_answer *, freep)
	answers = calloc(json_object_size(wanted->answers) + 1, sizeof(*answers));
	const struct ctfy_call call = { .timeout = start_timeout_s };
	struct ctfy_start start = { .challenge_id = wanted->challenge_id,
				    .instance_id = wanted->instance_id,
				    .ttl = wanted->ttl,
				    .answers = answers,
				    .respond_async = true };
	struct ctfy_error error = CTFY_ERROR_INIT;
	const char *question;
	json_t *answer;

	if (!answers)
		return err_memory(e);
	json_object_foreach ((json_t *)(uintptr_t)wanted->answers, question, answer)
		answers[start.answer_count++] =
			(struct ctfy_answer){ question, json_string_value(answer) };
	if (ctfy_node_start_instance(place->node, &start, ret_row, &call, &error) < 0)
		return node_failed(&error, e);
	return 0;
}

static int look(void *cookie, const char *instance_id, struct ctfy_instance *ret_row, struct err *e)
{
	const struct test_place *place = cookie;
	struct ctfy_error error = CTFY_ERROR_INIT;

	if (ctfy_node_get_status(place->node, instance_id, ret_row, NULL, &error) < 0)
		return node_failed(&error, e);
	return 0;
}

static int health(void *cookie, const char *instance_id, struct ctfy_health *ret_health,
		  struct err *e)
{
	const struct test_place *place = cookie;
	struct ctfy_error error = CTFY_ERROR_INIT;
	bool is_healthy;

	if (ctfy_node_check_health(place->node, instance_id, &is_healthy, ret_health, NULL,
				   &error) < 0)
		return node_failed(&error, e);
	return 0;
}

static void logs(void *cookie, const char *instance_id, int64_t lines, struct buf *words)
{
	const struct test_place *place = cookie;
	const struct ctfy_log_query query = { .tail = lines };
	struct ctfy_bytes text;

	if (ctfy_node_get_container_logs(place->node, instance_id, &query, &text, NULL, NULL) == 0)
		buf_put(words, text.data, text.size);
	ctfy_bytes_done(&text);
}

static int stop(void *cookie, const char *instance_id, struct err *e)
{
	const struct test_place *place = cookie;
	const struct ctfy_call call = { .timeout = stop_timeout_s };
	struct ctfy_error error = CTFY_ERROR_INIT;

	if (ctfy_node_stop_instance(place->node, instance_id, &call, &error) == 0)
		return 0;
	if (error.status == 404) { /* the start was refused before there was anything */
		ctfy_error_done(&error);
		return 0;
	}
	return node_failed(&error, e);
}

/* --- the solver --------------------------------------------------------------------------- */

static int fetch_attachment(const struct test_place *place, const char *instance_id,
			    const char *dir, const char *filename, struct err *e)
{
	AUTO(char *, freep) path = strf("%s/%s", dir, filename);
	struct ctfy_error error = CTFY_ERROR_INIT;
	AUTO(int, closep) fd = -1;

	if (!path)
		return err_memory(e);
	if (strchr(filename, '/') || filename[0] == '.')
		return err_set(e, ERR_NODE, "the attachment '%s' has an odd name", filename);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	if (fd < 0)
		return err_errno(e, ERR_INTERNAL, "make '%s'", path);
	if (ctfy_node_download_instance_attachment_to_fd(place->node, instance_id, filename, fd,
							 NULL, NULL, &error) < 0)
		return node_failed(&error, e);
	return 0;
}

static int fetch_attachments(const struct test_place *place, const char *instance_id,
			     const char *dir, struct err *e)
{
	struct ctfy_error error = CTFY_ERROR_INIT;
	struct ctfy_attachments list;
	int r = 0;

	if (ctfy_node_list_instance_attachments(place->node, instance_id, &list, NULL, &error) < 0)
		r = node_failed(&error, e);
	for (size_t i = 0; r == 0 && i < list.attachment_count; i++)
		r = fetch_attachment(place, instance_id, dir, list.attachments[i].filename, e);
	ctfy_attachments_done(&list);
	return r;
}

static int run_solver(const struct test_place *place, const struct ctfy_instance *row,
		      const char *attachments, struct buf *found, struct buf *words, struct err *e)
{
	size_t count = row->endpoint_count;
	AUTO(char *, freep) program = strf("%s/%s", place->challenge->dir, place->solver);
	AUTO(char **, freep) endpoints = calloc(count + 1, sizeof(*endpoints));
	struct solver solver = { .program = program,
				 .dir = place->challenge->dir,
				 .attachments = attachments,
				 .endpoints = (const char *const *)endpoints,
				 .timeout_ms = place->solver_timeout_ms };
	int r = program && endpoints ? 0 : err_memory(e);

	if (r == 0 && !file_exists(program))
		r = err_set(e, ERR_NOT_FOUND,
			    "there is no '%s' in the folder (--no-solver does without)",
			    place->solver);
	for (size_t i = 0; r == 0 && i < count; i++) {
		endpoints[i] = trial_endpoint(&row->endpoints[i]);
		if (!endpoints[solver.endpoint_count++])
			r = err_memory(e);
	}
	if (r == 0)
		r = solver_run(&solver, place->interrupted, found, words, e);
	for (size_t i = 0; i < solver.endpoint_count; i++)
		free(endpoints[i]);
	return r;
}

static int solve(void *cookie, const struct ctfy_instance *row, struct buf *found,
		 struct buf *words, struct err *e)
{
	const struct test_place *place = cookie;
	char attachments[] = "/tmp/ctfy-solve-XXXXXX";
	int r;

	if (!mkdtemp(attachments))
		return err_errno(e, ERR_INTERNAL, "make '%s'", attachments);
	r = fetch_attachments(place, row->instance_id, attachments, e);
	if (r == 0)
		r = run_solver(place, row, attachments, found, words, e);
	tree_remove(attachments, NULL);
	return r;
}

const struct trial_ground test_ground = {
	.start = start,
	.look = look,
	.health = health,
	.logs = logs,
	.solve = solve,
	.stop = stop,
	.interrupted = interrupted,
};
