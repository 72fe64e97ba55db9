/* SPDX-License-Identifier: Apache-2.0 */
#include "node/evidence-account.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "engine/container.h"
#include "node/capture-count.h"
#include "node/compose.h"
#include "node/log-book.h"
#include "node/node.h"
#include "node/sidecar.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* --- what the engine knows ---------------------------------------------------------------- */

static const char *text_of(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));

	return text ? text : "";
}

static json_int_t number_of(const json_t *json, const char *name)
{
	return json_integer_value(json_object_get(json, name));
}

static json_t *recorders_json(const json_t *containers)
{
	json_t *recorders = json_array();
	const json_t *container;
	size_t i;

	json_array_foreach (containers, i, container) {
		const json_t *labels =
			json_object_get(json_object_get(container, "Config"), "Labels");

		if (!sidecar_is(labels))
			continue;
		json_array_append_new(
			recorders,
			json_make("{s:s,s:I,s:b}", "service", text_of(labels, LABEL_SERVICE),
				  "restarts", number_of(container, "RestartCount"), "oom_killed",
				  json_is_true(json_object_get(json_object_get(container, "State"),
							       "OOMKilled"))));
	}
	return recorders;
}

int account_engine(struct node *node, const char *instance_id,
		   const struct engine_container_list *list, const json_t *containers,
		   const struct log_book *book, json_t **ret_account, struct err *e)
{
	json_t *captures = NULL;
	int r = capture_report(node, instance_id, list, &captures, e);

	if (r < 0)
		return r;
	*ret_account = json_make("{s:o,s:o,s:o}", "logs", log_book_report(book), "captures",
				 captures, "recorders", recorders_json(containers));
	return *ret_account ? 0 : err_memory(e);
}

/* --- flows -------------------------------------------------------------------------------- */

struct flows_count {
	json_int_t starts, lost_flows, lost_lines, damaged_lines;
	json_int_t run_flows, run_lines; /* as the present run said last */
};

static void end_run(struct flows_count *count)
{
	count->lost_flows += count->run_flows;
	count->lost_lines += count->run_lines;
	count->run_flows = count->run_lines = 0;
}

/* {"recorder": "begun", "ended" or "lost", ...}: src/flow/writer.h. */
static void read_event(struct flows_count *count, const char *line, size_t len)
{
	AUTO(json_t *, json_decrefp) event = NULL;
	const char *what;

	if (json_parse(line, len, &event, NULL) < 0) {
		count->damaged_lines++;
		return;
	}
	what = text_of(event, "recorder");
	if (strcmp(what, "begun") == 0) {
		end_run(count);
		count->starts++;
	} else if (strcmp(what, "lost") == 0) {
		count->run_flows = number_of(event, "flows");
		count->run_lines = number_of(event, "lines");
	}
}

static bool is_whole(const char *line, size_t len)
{
	AUTO(json_t *, json_decrefp) json = json_loadb(line, len, JSON_ALLOW_NUL, NULL);

	return json != NULL;
}

static void read_line(struct flows_count *count, const char *line, size_t len)
{
	static const char event[] = "{\"recorder\":";

	if (strncmp(line, event, sizeof(event) - 1) == 0)
		read_event(count, line, len);
	else if (!is_whole(line, len))
		count->damaged_lines++;
}

int account_flows(json_t *account, const char *path, struct err *e)
{
	AUTO(FILE *, fclosep) file = fopen(path, "re");
	AUTO(char *, freep) line = NULL;
	struct flows_count count = { 0 };
	size_t size = 0;
	ssize_t len;

	if (!file)
		return errno == ENOENT ? 0 : err_errno(e, ERR_INTERNAL, "open '%s'", path);
	while ((len = getline(&line, &size, file)) > 0)
		if (line[len - 1] == '\n') /* else it is being written */
			read_line(&count, line, (size_t)len - 1);
	if (ferror(file))
		return err_errno(e, ERR_INTERNAL, "read '%s'", path);
	end_run(&count);
	json_object_set_new(account, "flows",
			    json_make("{s:I,s:I,s:I,s:I}", "starts", count.starts, "lost_flows",
				      count.lost_flows, "lost_lines", count.lost_lines,
				      "damaged_lines", count.damaged_lines));
	return 0;
}

/* --- in words ----------------------------------------------------------------------------- */

static json_t *list_in(json_t *account, const char *name)
{
	if (!json_object_get(account, name))
		json_object_set_new(account, name, json_array());
	return json_object_get(account, name);
}

void account_missing(json_t *account, const char *fmt, ...)
{
	struct buf words = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&words, fmt, ap);
	va_end(ap);
	json_array_append_new(list_in(account, "missing"), json_text(words.data));
	buf_done(&words);
}

void account_absent(json_t *account, const char *name, const char *why, bool is_loss)
{
	json_array_append_new(list_in(account, "absent"),
			      json_make("{s:s,s:o}", "name", name, "why", json_text(why)));
	if (is_loss)
		account_missing(account, "%s: %s", name, why);
}

static void judge_log(json_t *account, const json_t *log)
{
	const char *service = text_of(log, "service"), *since = text_of(log, "since");

	if (number_of(log, "left_out_lines") > 0)
		account_missing(account, "logs: %lld lines (%lld bytes) of '%s' had no room",
				(long long)number_of(log, "left_out_lines"),
				(long long)number_of(log, "left_out_bytes"), service);
	if (*since)
		account_missing(account,
				"logs: '%s' filled the engine's log: what it wrote before %s may "
				"be missing",
				service, since);
}

static void judge_capture(json_t *account, const json_t *capture)
{
	const char *recorder = text_of(capture, "recorder");
	long long dropped = number_of(capture, "dropped"), starts = number_of(capture, "starts");

	if (dropped > 0)
		account_missing(account,
				"capture.pcap: %lld packets came faster than '%s' took "
				"them",
				dropped, recorder);
	if (number_of(capture, "unread") > 0)
		account_missing(account, "capture.pcap: %lld packets were not read by '%s'",
				(long long)number_of(capture, "unread"), recorder);
	if (number_of(capture, "left_out_packets") > 0)
		account_missing(
			account,
			"capture.pcap: %lld packets (%lld bytes) had no room in the ring of '%s'",
			(long long)number_of(capture, "left_out_packets"),
			(long long)number_of(capture, "left_out_bytes"), recorder);
	if (starts > 1)
		account_missing(account,
				"capture.pcap: '%s' was begun %lld times; it heard nothing between",
				recorder, starts);
	if (number_of(capture, "silent_ends") > 0)
		account_missing(account,
				"capture.pcap: '%s' was killed %lld times, before it said what it "
				"had not got",
				recorder, (long long)number_of(capture, "silent_ends"));
}

static void judge_recorder(json_t *account, const json_t *recorder)
{
	const char *service = text_of(recorder, "service");

	if (strncmp(service, CAPTURE_SERVICE, strlen(CAPTURE_SERVICE)) == 0)
		return; /* it says more of itself */
	if (number_of(recorder, "restarts") > 0)
		account_missing(account, "'%s' ended and was begun again, %lld times", service,
				(long long)number_of(recorder, "restarts"));
	if (json_is_true(json_object_get(recorder, "oom_killed")))
		account_missing(account, "'%s' was killed for want of memory", service);
}

static void judge_flows(json_t *account, const json_t *flows)
{
	if (number_of(flows, "lost_flows") + number_of(flows, "lost_lines") > 0)
		account_missing(account,
				"flows: %lld flows and %lld parts of others could not be "
				"written",
				(long long)number_of(flows, "lost_flows"),
				(long long)number_of(flows, "lost_lines"));
	if (number_of(flows, "damaged_lines") > 0)
		account_missing(account, "flows: %lld lines were cut short, and are left out",
				(long long)number_of(flows, "damaged_lines"));
}

static void judge_each(json_t *account, const char *name, void (*judge)(json_t *, const json_t *))
{
	const json_t *row;
	size_t i;

	json_array_foreach (json_object_get(account, name), i, row)
		judge(account, row);
}

int account_close(json_t *account, struct err *e)
{
	judge_each(account, "logs", judge_log);
	judge_each(account, "captures", judge_capture);
	judge_each(account, "recorders", judge_recorder);
	judge_flows(account, json_object_get(account, "flows"));
	list_in(account, "absent");
	if (json_object_set_new(account, "complete",
				json_boolean(json_array_size(list_in(account, "missing")) == 0)) <
	    0)
		return err_memory(e);
	return 0;
}
