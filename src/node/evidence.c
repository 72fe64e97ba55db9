/* SPDX-License-Identifier: Apache-2.0 */
#include "node/evidence.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/id.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "base/work.h"
#include "engine/container.h"
#include "node/agent-run.h"
#include "node/capture-count.h"
#include "node/capture.h"
#include "node/compose.h"
#include "node/evidence-account.h"
#include "node/instance.h"
#include "node/log-book.h"
#include "node/node.h"
#include "node/redact.h"
#include "node/roster.h"
#include "node/sidecar.h"
#include "node/squeeze.h"
#include "node/store.h"
#include "node/timeline.h"
#include "node/traffic.h"
#include "wire/instance.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
	AGENT_GRACE_S = 1,
	SIDECAR_GRACE_S = 5,
	HASH_SIZE = 65, /* hex SHA-256 and a NUL */
	COPY_SIZE = 64 << 10,
};

#define CLOSING         "closing"
#define CLOSING_PARTIAL "closing.partial"

char *evidence_path(const struct node *node, const char *instance_id, const char *part)
{
	return strf("%s/%s/%s", node->evidence_dir, instance_id, part);
}

int evidence_spec(struct node *node, const char *instance_id, json_t **ret_spec, struct err *e)
{
	AUTO(struct instance *, instance_unrefp) inst = roster_find(node->roster, instance_id);
	struct instance_row stored = { 0 };
	int r = inst ? 0 : store_get_instance(node->db, instance_id, &stored, e);

	if (r < 0)
		return r;
	*ret_spec = json_loads(inst ? inst->spec : stored.spec, 0, NULL);
	instance_row_done(&stored);
	return *ret_spec ? 0 : err_memory(e);
}

/* --- what only the engine knows ----------------------------------------------------------- */

static int inspect_all(struct node *node, const char *instance_id,
		       const struct engine_container_list *list, json_t **ret_containers,
		       struct err *e)
{
	AUTO(json_t *, json_decrefp) containers = json_array();
	AUTO(json_t *, json_decrefp) spec = NULL;
	int r;

	for (size_t i = 0; i < list->count; i++) {
		json_t *inspected = NULL;

		r = engine_container_inspect(node->engine, list->items[i].id, &inspected, e);
		if (r == -ERR_NOT_FOUND)
			continue;
		if (r < 0)
			return r;
		json_array_append_new(containers, inspected);
	}
	if (!containers)
		return err_memory(e);
	r = evidence_spec(node, instance_id, &spec, e);
	if (r == 0)
		r = redact(containers, json_object_get(spec, "answers"), e);
	if (r == 0)
		*ret_containers = TAKE(containers);
	return r;
}

static int list_containers(struct node *node, const char *instance_id,
			   struct engine_container_list *ret_list, struct err *e)
{
	struct label_filter filter;

	label_filter(node, instance_id, &filter);
	return engine_container_list(node->engine, filter.labels, ret_list, e);
}

/*
 * Nobody is served any more. One after another, as teardowns go:
 * see node/labelled.c.
 */
static int end_services(struct node *node, const struct engine_container_list *list, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < list->count; i++) {
		const struct engine_container *container = &list->items[i];

		if (agent_is(container->labels) || sidecar_is(container->labels))
			continue;
		r = engine_container_kill(node->engine, container->id, "KILL", e);
		if (r == -ERR_NOT_FOUND)
			r = 0;
	}
	return r;
}

struct ending {
	struct node *node;
	const struct engine_container_list *list;
};

static int end_one(const struct ending *ending, const struct engine_container *container,
		   unsigned grace_s, struct err *e)
{
	int r = engine_container_stop(ending->node->engine, container->id, grace_s, e);

	return r == -ERR_NOT_FOUND ? 0 : r;
}

static int end_agent(void *cookie, size_t i, struct err *e)
{
	const struct ending *ending = cookie;
	const struct engine_container *container = &ending->list->items[i];

	return agent_is(container->labels) ? end_one(ending, container, AGENT_GRACE_S, e) : 0;
}

/* What a recorder holds in memory it writes when it is asked to end, and not when it is killed. */
static int end_sidecar(void *cookie, size_t i, struct err *e)
{
	const struct ending *ending = cookie;
	const struct engine_container *container = &ending->list->items[i];

	return sidecar_is(container->labels) ? end_one(ending, container, SIDECAR_GRACE_S, e) : 0;
}

/* What a capture has not written down yet it is given the time for. */
static void settle(struct node *node, const struct engine_container_list *list)
{
	struct err e = ERR_INIT;

	if (capture_settle(node, list, &e) < 0)
		log_warn("the end of a capture may be missing: %s", e.msg);
}

/* All that is worth a record has been said when its recorders end. */
static int end_all(struct node *node, const struct engine_container_list *list, struct err *e)
{
	struct ending ending = { .node = node, .list = list };
	int r = end_services(node, list, e);

	if (r == 0)
		r = work_each_always(list->count, list->count, end_agent, &ending, e);
	settle(node, list);
	if (r == 0)
		r = work_each_always(list->count, list->count, end_sidecar, &ending, e);
	return r;
}

static int put(void *file, const void *bytes, size_t len, struct err *e)
{
	return fwrite(bytes, 1, len, file) == len ? 0
						  : err_errno(e, ERR_INTERNAL, "write evidence");
}

/* What the engine knows of an instance, for its bundle. */
struct engine_view {
	struct node *node;
	const char *instance_id;
	const struct engine_container_list *list;
	json_t *containers;
	struct log_book *book;
	json_t *account; /* see node/evidence-account.h */
};

static void engine_view_done(struct engine_view *view)
{
	json_decref(view->containers);
	json_decref(view->account);
	log_book_free(view->book);
}

static int engine_view_open(struct engine_view *view, struct err *e)
{
	const struct log_book_options all = { .tail = 0 };
	int r;

	r = inspect_all(view->node, view->instance_id, view->list, &view->containers, e);
	if (r == 0)
		r = log_book_open(view->node, view->instance_id, &all, &view->book, e);
	if (r == 0)
		r = account_engine(view->node, view->instance_id, view->list, view->containers,
				   view->book, &view->account, e);
	return r;
}

static int dump(const json_t *json, FILE *file, struct err *e)
{
	return json_dumpf(json, file, JSON_INDENT(1) | JSON_ENSURE_ASCII) < 0
		       ? err_errno(e, ERR_INTERNAL, "write evidence")
		       : 0;
}

static int put_view_containers(struct engine_view *view, FILE *file, struct err *e)
{
	return dump(view->containers, file, e);
}

static int put_view_account(struct engine_view *view, FILE *file, struct err *e)
{
	return dump(view->account, file, e);
}

static int put_view_agents(struct engine_view *view, FILE *file, struct err *e)
{
	return agent_transcripts(view->node, view->list, file, e);
}

static int put_view_logs(struct engine_view *view, FILE *file, struct err *e)
{
	return log_book_print(view->book, put, file, e);
}

static int put_view_exact_logs(struct engine_view *view, FILE *file, struct err *e)
{
	return log_book_print_json(view->book, put, file, e);
}

#define ACCOUNT "account.json"

/* What is written down of it when it goes, and taken from the engine while it is there. */
static const struct view_part {
	const char *name;
	int (*put)(struct engine_view *view, FILE *file, struct err *e);
} view_parts[] = {
	{ "containers.json", put_view_containers },
	{ "agents.json", put_view_agents },
	{ "logs.txt", put_view_logs },
	{ "logs.jsonl", put_view_exact_logs },
	{ ACCOUNT, put_view_account },
};

static int write_part(struct engine_view *view, const struct view_part *part, const char *dir,
		      struct err *e)
{
	AUTO(char *, freep) path = strf("%s/%s", dir, part->name);
	AUTO(FILE *, fclosep) file = path ? fopen(path, "we") : NULL;
	int r;

	if (!path)
		return err_memory(e);
	if (!file)
		return err_errno(e, ERR_INTERNAL, "make '%s'", path);
	r = part->put(view, file, e);
	if (r == 0 && (fflush(file) != 0 || fsync(fileno(file)) < 0))
		r = err_errno(e, ERR_INTERNAL, "write '%s'", path);
	return r;
}

static int write_closing(struct node *node, const char *instance_id,
			 const struct engine_container_list *list, struct err *e)
{
	AUTO(char *, freep) dir = evidence_path(node, instance_id, CLOSING_PARTIAL);
	struct engine_view view = { .node = node, .instance_id = instance_id, .list = list };
	int r = dir ? dir_make(dir, 0700, e) : err_memory(e);

	if (r == 0)
		r = engine_view_open(&view, e);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(view_parts); i++)
		r = write_part(&view, &view_parts[i], dir, e);
	engine_view_done(&view);
	return r;
}

/* A recorder that was killed could not say that it ended. */
static void end_flows(struct node *node, const char *instance_id)
{
	struct err e = ERR_INIT;

	if (traffic_end(node, instance_id, &e) < 0)
		log_warn("flows that were cut short may be missing: %s", e.msg);
}

/* From here on it is whole, and not written again: part of the instance may be gone by then. */
static int finish_closing(struct node *node, const char *instance_id, struct err *e)
{
	AUTO(char *, freep) partial = evidence_path(node, instance_id, CLOSING_PARTIAL);
	AUTO(char *, freep) whole = evidence_path(node, instance_id, CLOSING);

	if (!partial || !whole)
		return err_memory(e);
	return rename(partial, whole) == 0 ? 0 : err_errno(e, ERR_INTERNAL, "make '%s'", whole);
}

int evidence_close(struct node *node, const char *instance_id, struct err *e)
{
	AUTO(char *, freep) closing = evidence_path(node, instance_id, CLOSING);
	struct engine_container_list list = { 0 };
	int r = closing ? list_containers(node, instance_id, &list, e) : err_memory(e);

	/* Again where it was done: an engine that was restarted may have started some again. */
	if (r == 0)
		r = end_all(node, &list, e);
	if (r == 0 && list.count > 0)
		end_flows(node, instance_id);
	if (r == 0 && list.count > 0 && !file_exists(closing)) {
		r = write_closing(node, instance_id, &list, e);
		if (r == 0)
			r = finish_closing(node, instance_id, e);
	}
	engine_container_list_done(&list);
	return r;
}

int evidence_begin(struct node *node, const char *instance_id, struct err *e)
{
	static const char *const earlier[] = { CLOSING, CLOSING_PARTIAL };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(earlier); i++) {
		AUTO(char *, freep) path = evidence_path(node, instance_id, earlier[i]);

		r = path ? tree_remove(path, e) : err_memory(e);
	}
	return r;
}

/* --- its end ------------------------------------------------------------------------------ */

/* 1: nobody knows the instance any more. */
static int is_forgotten(struct node *node, const char *instance_id, struct err *e)
{
	AUTO(struct instance *, instance_unrefp) inst = roster_find(node->roster, instance_id);
	struct instance_row stored = { 0 };
	struct err why = ERR_INIT;
	int r = inst ? 0 : store_get_instance(node->db, instance_id, &stored, &why);

	instance_row_done(&stored);
	if (r == 0 || r == -ERR_NOT_FOUND)
		return r < 0;
	*e = why;
	return r;
}

/* Only what is of our own making; a directory that holds something else stays. */
int evidence_forget(struct node *node, const char *instance_id, struct err *e)
{
	static const char *const own[] = { "capture", "traffic", CLOSING, CLOSING_PARTIAL };
	AUTO(char *, freep) dir = strf("%s/%s", node->evidence_dir, instance_id);
	int r = dir ? 0 : err_memory(e);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(own); i++) {
		AUTO(char *, freep) path = evidence_path(node, instance_id, own[i]);

		r = path ? tree_remove(path, e) : err_memory(e);
	}
	if (r == 0)
		rmdir(dir);
	return r;
}

static bool is_older(int dir, const char *name, int64_t before)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
	       (int64_t)st.st_mtime * 1000 < before;
}

int evidence_sweep(struct node *node, int64_t before, struct err *e)
{
	AUTO(DIR *, closedirp) dir = opendir(node->evidence_dir);
	struct dirent *entry;
	int r = dir ? 0 : err_errno(e, ERR_INTERNAL, "read '%s'", node->evidence_dir);

	while (r >= 0 && (entry = readdir(dir))) {
		if (!id_valid(entry->d_name) || !is_older(dirfd(dir), entry->d_name, before))
			continue;
		r = is_forgotten(node, entry->d_name, e);
		if (r > 0)
			r = evidence_forget(node, entry->d_name, e);
	}
	return r < 0 ? r : 0;
}

/* --- parts -------------------------------------------------------------------------------- */

struct evidence {
	struct node *node;
	char *instance_id;
	struct ctfy_instance row;
	struct engine_container_list list;
	struct engine_view view; /* while the engine has it */
	bool running;            /* the engine has it still */
	json_t *account;
	json_t *parts; /* [{name, size, sha256}], in the archive's order */
	struct archive *archive;
	struct squeeze *squeeze;
	struct err failure; /* of the sink, which libarchive can't pass on */
};

static int put_json(FILE *file, json_t *json, struct err *e)
{
	int r = json ? dump(json, file, e) : err_memory(e);

	json_decref(json);
	return r;
}

static int put_instance(struct evidence *ev, FILE *file, struct err *e)
{
	return put_json(file, fields_encode(instance_fields, &ev->row), e);
}

static int put_timeline(struct evidence *ev, FILE *file, struct err *e)
{
	json_t *events = NULL;
	int r = timeline_read(ev->node, ev->instance_id, &events, e);

	return r < 0 ? r : put_json(file, events, e);
}

static void hash_text(const char *text, char hash[HASH_SIZE])
{
	unsigned char digest[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(digest, (const unsigned char *)text, strlen(text));
	sodium_bin2hex(hash, HASH_SIZE, digest, sizeof(digest));
}

/* An answer can be checked against its hash; the bundle doesn't give it away. */
static int put_answers(struct evidence *ev, FILE *file, struct err *e)
{
	AUTO(json_t *, json_decrefp) spec = NULL;
	json_t *hashes = json_object(), *answer;
	const char *question;
	char hash[HASH_SIZE];
	int r = evidence_spec(ev->node, ev->instance_id, &spec, e);

	json_object_foreach (json_object_get(spec, "answers"), question, answer) {
		hash_text(json_string_value(answer), hash);
		json_object_set_new(hashes, question, json_text(hash));
	}
	if (r == 0)
		return put_json(file, hashes, e);
	json_decref(hashes);
	return r;
}

/* What was written down when the instance went; nothing where nothing was. */
static int put_closing(const struct evidence *ev, const char *name, FILE *file, struct err *e)
{
	AUTO(char *, freep) dir = evidence_path(ev->node, ev->instance_id, CLOSING);
	AUTO(char *, freep) path = dir ? strf("%s/%s", dir, name) : NULL;
	AUTO(FILE *, fclosep) from = path ? fopen(path, "re") : NULL;
	AUTO(char *, freep) part = malloc(COPY_SIZE);
	size_t len;
	int r = 0;

	if (!path || !part)
		return err_memory(e);
	if (!from)
		return errno == ENOENT ? 0 : err_errno(e, ERR_INTERNAL, "open '%s'", path);
	while (r == 0 && (len = fread(part, 1, COPY_SIZE, from)) > 0)
		r = put(file, part, len, e);
	return r == 0 && ferror(from) ? err_errno(e, ERR_INTERNAL, "read '%s'", path) : r;
}

static int put_view_part(struct evidence *ev, const char *name, FILE *file, struct err *e)
{
	if (!ev->running)
		return put_closing(ev, name, file, e);
	if (!ev->view.account)
		return err_set(e, ERR_ENGINE, "the engine did not tell");
	for (size_t i = 0; i < ARRAY_SIZE(view_parts); i++)
		if (strcmp(view_parts[i].name, name) == 0)
			return view_parts[i].put(&ev->view, file, e);
	return 0;
}

static int put_containers(struct evidence *ev, FILE *file, struct err *e)
{
	return put_view_part(ev, "containers.json", file, e);
}

static int put_agents(struct evidence *ev, FILE *file, struct err *e)
{
	return put_view_part(ev, "agents.json", file, e);
}

static int put_logs(struct evidence *ev, FILE *file, struct err *e)
{
	return put_view_part(ev, "logs.txt", file, e);
}

static int put_exact_logs(struct evidence *ev, FILE *file, struct err *e)
{
	return put_view_part(ev, "logs.jsonl", file, e);
}

static int put_flows(struct evidence *ev, FILE *file, struct err *e)
{
	AUTO(struct traffic *, traffic_closep) traffic = NULL;
	const char *line = NULL;
	size_t len = 0;
	int r = traffic_open(ev->node, ev->instance_id, &traffic, e);

	if (r < 0)
		return r;
	while ((r = traffic_next(traffic, &line, &len, e)) > 0) {
		r = put(file, line, len, e);
		if (r == 0)
			r = put(file, "\n", 1, e);
		if (r < 0)
			break;
	}
	return r;
}

static int put_har(struct evidence *ev, FILE *file, struct err *e)
{
	AUTO(struct traffic *, traffic_closep) traffic = NULL;
	int r = traffic_open(ev->node, ev->instance_id, &traffic, e);

	return r < 0 ? r : traffic_har(traffic, put, file, e);
}

static int put_capture(struct evidence *ev, FILE *file, struct err *e)
{
	AUTO(struct capture *, capture_closep) capture = NULL;
	struct err why = ERR_INIT;
	int r = capture_open(ev->node, ev->instance_id, &capture, &why);

	if (r == -ERR_NOT_FOUND)
		return 0;
	if (r < 0)
		return err_set(e, why.code, "%s", why.msg);
	return capture_read(capture, put, file, e);
}

static const struct part {
	const char *name;
	int (*put)(struct evidence *ev, FILE *file, struct err *e);
	bool cut_is_fine; /* what was read of it before a failure is of use */
	const char *none; /* why there may be none of it */
} parts[] = {
	{ "instance.json", put_instance, false, NULL },
	{ "timeline.json", put_timeline, false, NULL },
	{ "answers.json", put_answers, false, NULL },
	{ "containers.json", put_containers, false, NULL },
	{ "agents.json", put_agents, false, "no agent ran" },
	{ "logs.txt", put_logs, true, "nothing was logged" },
	{ "logs.jsonl", put_exact_logs, true, "nothing was logged" },
	{ "flows.jsonl", put_flows, true, "no HTTP was recorded" },
	{ "flows.har", put_har, false, "no HTTP was recorded" },
	{ "capture.pcap", put_capture, true, "no packets were captured" },
};

/* --- what there is and what not ----------------------------------------------------------- */

static void look_at_engine(struct evidence *ev)
{
	struct err why = ERR_INIT;
	int r = list_containers(ev->node, ev->instance_id, &ev->list, &why);

	ev->view = (struct engine_view){ .node = ev->node,
					 .instance_id = ev->instance_id,
					 .list = &ev->list };
	if (r == 0) {
		settle(ev->node, &ev->list);
		r = engine_view_open(&ev->view, &why);
	}
	if (r == 0)
		json_object_update(ev->account, ev->view.account);
	else
		account_missing(ev->account, "what the engine knows: %s", why.msg);
}

static void look_at_closing(struct evidence *ev)
{
	AUTO(char *, freep) path = evidence_path(ev->node, ev->instance_id, CLOSING "/" ACCOUNT);
	AUTO(json_t *, json_decrefp) account = path ? json_load_file(path, 0, NULL) : NULL;

	if (account)
		json_object_update(ev->account, account);
	else
		account_missing(ev->account,
				"nothing was written down of its containers when it ended");
}

static void look_at_flows(struct evidence *ev)
{
	AUTO(json_t *, json_decrefp) spec = NULL;
	AUTO(char *, freep) own = evidence_path(ev->node, ev->instance_id, "traffic");
	AUTO(char *, freep) path = NULL;
	const char *dir;
	struct err why = ERR_INIT;
	int r = evidence_spec(ev->node, ev->instance_id, &spec, &why);

	dir = json_string_value(json_object_get(spec, "proxy_output_dir"));
	path = strf("%s/flows.jsonl", dir ? dir : own ? own : "");
	if (r == 0)
		r = path ? account_flows(ev->account, path, &why) : err_memory(&why);
	if (r < 0)
		account_missing(ev->account, "flows: %s", why.msg);
}

static void look_around(struct evidence *ev)
{
	json_object_set_new(ev->account, "running", json_boolean(ev->running));
	if (ev->running)
		look_at_engine(ev);
	else
		look_at_closing(ev);
	look_at_flows(ev);
}

static bool has_recorder(const struct evidence *ev, const char *service)
{
	const json_t *recorder;
	size_t i;

	json_array_foreach (json_object_get(ev->account, "recorders"), i, recorder)
		if (strncmp(json_string_value(json_object_get(recorder, "service")), service,
			    strlen(service)) == 0)
			return true;
	return false;
}

/* Of a part that is empty: whether something was to record it. */
static void tell_none(struct evidence *ev, const struct part *part)
{
	bool lost = !part->none ||
		    (strcmp(part->name, "capture.pcap") == 0 && has_recorder(ev, CAPTURE_SERVICE));

	account_absent(ev->account, part->name, part->none ? part->none : "there is none", lost);
}

/* --- the archive -------------------------------------------------------------------------- */

static int archive_failure(struct evidence *ev, struct err *e)
{
	if (ev->failure.code != ERR_NONE) {
		*e = ev->failure;
		return -(int)e->code;
	}
	return err_set(e, ERR_INTERNAL, "pack evidence: %s", archive_error_string(ev->archive));
}

static la_ssize_t give(struct archive *archive, void *cookie, const void *bytes, size_t len)
{
	struct evidence *ev = cookie;

	(void)archive;
	return squeeze_put(ev->squeeze, bytes, len, false, &ev->failure) < 0 ? -1 : (la_ssize_t)len;
}

static int open_archive(struct evidence *ev, struct err *e)
{
	ev->archive = archive_write_new();
	if (!ev->archive)
		return err_memory(e);
	if (archive_write_set_format_pax_restricted(ev->archive) != ARCHIVE_OK ||
	    archive_write_open(ev->archive, ev, NULL, give, NULL) != ARCHIVE_OK)
		return archive_failure(ev, e);
	return 0;
}

static int begin_entry(struct evidence *ev, const char *name, int64_t size, struct err *e)
{
	struct archive_entry *entry = archive_entry_new();
	int r;

	if (!entry)
		return err_memory(e);
	archive_entry_set_pathname(entry, name);
	archive_entry_set_size(entry, size);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0644);
	archive_entry_set_mtime(entry, clock_now_ms(ev->node->clock) / 1000, 0);
	r = archive_write_header(ev->archive, entry);
	archive_entry_free(entry);
	return r == ARCHIVE_OK ? 0 : archive_failure(ev, e);
}

/* Copies the file into the archive, and tells its hash. */
static int copy_entry(struct evidence *ev, FILE *file, char hash[HASH_SIZE], struct err *e)
{
	unsigned char digest[crypto_hash_sha256_BYTES];
	AUTO(unsigned char *, freep) part = malloc(COPY_SIZE);
	crypto_hash_sha256_state state;
	size_t len;

	if (!part)
		return err_memory(e);
	crypto_hash_sha256_init(&state);
	while ((len = fread(part, 1, COPY_SIZE, file)) > 0) {
		crypto_hash_sha256_update(&state, part, len);
		if (archive_write_data(ev->archive, part, len) != (la_ssize_t)len)
			return archive_failure(ev, e);
	}
	if (ferror(file))
		return err_errno(e, ERR_INTERNAL, "read evidence");
	crypto_hash_sha256_final(&state, digest);
	sodium_bin2hex(hash, HASH_SIZE, digest, sizeof(digest));
	return 0;
}

/*
 * Puts it into a file of its own first, for a tar wants an entry's size before its bytes. What
 * fails is told, and keeps no other part out. 1: there is something to pack.
 */
static int spool(struct evidence *ev, const struct part *part, FILE **ret_file, off_t *ret_size)
{
	AUTO(FILE *, fclosep) file = NULL;
	struct err why = ERR_INIT;
	int r = file_temporary(ev->node->state_dir, &file, &why);
	bool fine;

	if (r == 0)
		r = part->put(ev, file, &why);
	fine = file && fflush(file) == 0 && (*ret_size = ftello(file)) >= 0;
	if (!fine && r == 0)
		r = err_errno(&why, ERR_INTERNAL, "write evidence");
	if (r < 0)
		account_absent(ev->account, part->name, why.msg, true);
	else if (*ret_size == 0)
		tell_none(ev, part);
	if (!fine || *ret_size == 0 || (r < 0 && !part->cut_is_fine))
		return 0;
	rewind(file);
	*ret_file = TAKE(file);
	return 1;
}

static int pack(struct evidence *ev, const struct part *part, struct err *e)
{
	AUTO(FILE *, fclosep) file = NULL;
	char hash[HASH_SIZE];
	off_t size = 0;
	int r;

	if (spool(ev, part, &file, &size) == 0)
		return 0;
	r = begin_entry(ev, part->name, size, e);
	if (r == 0)
		r = copy_entry(ev, file, hash, e);
	if (r == 0)
		json_array_append_new(ev->parts,
				      json_make("{s:s,s:I,s:s}", "name", part->name, "size",
						(json_int_t)size, "sha256", hash));
	return r;
}

/* Over all that the manifest says, written the one way that a reader can write it again. */
static int seal(json_t *manifest, struct err *e)
{
	AUTO(char *, freep) text = json_dumps(manifest, JSON_COMPACT | JSON_SORT_KEYS);
	char hash[HASH_SIZE];

	if (!text)
		return err_memory(e);
	hash_text(text, hash);
	return json_object_set_new(manifest, "sha256", json_text(hash)) < 0 ? err_memory(e) : 0;
}

static int pack_manifest(struct evidence *ev, struct err *e)
{
	AUTO(json_t *, json_decrefp) manifest = NULL;
	AUTO(char *, freep) text = NULL;
	char made_at[CLOCK_TEXT_SIZE];
	int r;

	r = account_close(ev->account, e);
	if (r < 0)
		return r;
	manifest = json_make("{s:i,s:s,s:s,s:s,s:O,s:O}", "version", 3, "instance_id",
			     ev->instance_id, "challenge_id", ev->row.challenge_id, "made_at",
			     clock_format(clock_now_ms(ev->node->clock), made_at), "account",
			     ev->account, "parts", ev->parts);
	r = manifest ? seal(manifest, e) : err_memory(e);
	if (r < 0)
		return r;
	text = json_dumps(manifest, JSON_INDENT(1) | JSON_ENSURE_ASCII);
	if (!text)
		return err_memory(e);
	r = begin_entry(ev, "manifest.json", (int64_t)strlen(text), e);
	if (r == 0 &&
	    archive_write_data(ev->archive, text, strlen(text)) != (la_ssize_t)strlen(text))
		r = archive_failure(ev, e);
	return r;
}

int evidence_open(struct node *node, const char *instance_id, struct evidence **ret_evidence,
		  struct err *e)
{
	AUTO(struct evidence *, evidence_freep) ev = calloc(1, sizeof(*ev));
	int r;

	if (!ev)
		return err_memory(e);
	ev->node = node;
	ev->instance_id = strdup(instance_id);
	ev->parts = json_array();
	ev->account = json_object();
	if (!ev->instance_id || !ev->parts || !ev->account)
		return err_memory(e);
	r = instance_row(node, instance_id, &ev->row, e);
	if (r < 0)
		return r;
	ev->running =
		strcmp(ev->row.status, "running") == 0 || strcmp(ev->row.status, "starting") == 0;
	*ret_evidence = TAKE(ev);
	return 0;
}

int evidence_write(struct evidence *ev, evidence_sink *sink, void *cookie, struct err *e)
{
	int r;

	look_around(ev);
	r = squeeze_new(sink, cookie, &ev->squeeze, e);
	if (r == 0)
		r = open_archive(ev, e);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(parts); i++)
		r = pack(ev, &parts[i], e);
	if (r == 0)
		r = pack_manifest(ev, e);
	if (r == 0 && archive_write_close(ev->archive) != ARCHIVE_OK)
		r = archive_failure(ev, e);
	return r == 0 ? squeeze_put(ev->squeeze, NULL, 0, true, e) : r;
}

void evidence_free(struct evidence *ev)
{
	if (!ev)
		return;
	if (ev->archive) {
		archive_write_fail(ev->archive); /* no more is written of one that was cut short */
		archive_write_free(ev->archive);
	}
	squeeze_free(ev->squeeze);
	fields_done(instance_fields, &ev->row);
	engine_view_done(&ev->view);
	engine_container_list_done(&ev->list);
	json_decref(ev->account);
	json_decref(ev->parts);
	free(ev->instance_id);
	free(ev);
}
