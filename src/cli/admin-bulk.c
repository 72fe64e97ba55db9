/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/admin-bulk.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/option.h"
#include "base/own.h"
#include "cli/api.h"
#include "cli/cli.h"
#include "cli/print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A moment, or how long ago: 2h. */
static json_t *time_value(const char *text)
{
	char at[CLOCK_TEXT_SIZE];
	int64_t ms;

	if (option_duration(text, &ms))
		return json_text(clock_format(clock_now_ms(&clock_real) - ms, at));
	return clock_parse(text, &ms) ? json_text(clock_format(ms, at)) : NULL;
}

static json_t *yes_value(const char *text)
{
	return strcmp(text, "yes") == 0 ? json_true() : NULL;
}

static const struct filter {
	const char *name, *wanted;
	json_t *(*read)(const char *text); /* NULL: an id, of which there may be several */
} filters[] = {
	{ "id", "an id", NULL },
	{ "name", "a name, in which '*' is any text", json_string },
	{ "since", "a time, or how long ago: 2h", time_value },
	{ "until", "a time, or how long ago: 2h", time_value },
	{ "alone", "yes", yes_value },
	{ "idle", "yes", yes_value },
	{ "unsolved", "yes", yes_value },
};

static const struct filter *find_filter(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++)
		if (strcmp(filters[i].name, name) == 0)
			return &filters[i];
	return NULL;
}

static int add_id(json_t *filter, const char *id, struct err *e)
{
	json_t *ids = json_object_get(filter, "ids");

	if (!ids && json_object_set_new(filter, "ids", json_array()) < 0)
		return err_memory(e);
	ids = json_object_get(filter, "ids");
	return json_array_append_new(ids, json_text(id)) < 0 ? CLI_MISUSE(e, "'%s' is no id", id)
							     : 0;
}

static int add_filter(json_t *filter, const char *name, const char *text, struct err *e)
{
	const struct filter *found = find_filter(name);
	json_t *value;

	if (!found)
		return CLI_MISUSE(e,
				  "'%s' is none of id, name, since, until, alone, idle, "
				  "unsolved, expected",
				  name);
	if (!found->read)
		return add_id(filter, text, e);
	value = found->read(text);
	if (!value)
		return CLI_MISUSE(e, "'%s %s': %s is expected", name, text, found->wanted);
	return json_object_set_new(filter, name, value) < 0 ? err_memory(e) : 0;
}

static int read_expected(json_t *body, const char *text, struct err *e)
{
	char *end;
	long long count = strtoll(text, &end, 10);

	if (end == text || *end || count < 0)
		return CLI_MISUSE(e, "'expected %s': the preview's number is expected", text);
	return json_object_set_new(body, "expected", json_integer(count)) < 0 ? err_memory(e) : 0;
}

/* argv: the act, and pairs. */
static int read_wish(int argc, char **argv, json_t *body, struct err *e)
{
	json_t *filter = json_object();
	int r = 0;

	if (json_object_set_new(body, "act", json_text(argv[0])) < 0 ||
	    json_object_set_new(body, "filter", filter) < 0)
		return CLI_MISUSE(e, "'%s' is no act", argv[0]);
	for (int i = 1; r == 0 && i < argc; i += 2) {
		if (i + 1 == argc)
			return CLI_MISUSE(e, "'%s' needs a value", argv[i]);
		r = strcmp(argv[i], "expected") == 0 ? read_expected(body, argv[i + 1], e)
						     : add_filter(filter, argv[i], argv[i + 1], e);
	}
	return r;
}

static void print_rows(const json_t *rows)
{
	static const char *const headings[] = { "NAME",       "OUTCOME", "SINCE", ">SUBMISSIONS",
						">INSTANCES", "ID",      NULL };
	struct table *table = table_new(headings);
	json_t *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		char span[SPAN_SIZE], submissions[32], instances[32];

		snprintf(submissions, sizeof(submissions), "%lld",
			 (long long)number_of(row, "submissions"));
		snprintf(instances, sizeof(instances), "%lld",
			 (long long)number_of(row, "instances"));
		table_add(table, text_of(row, "name"), text_of(row, "outcome"),
			  span_of(row, "created_at", span), submissions, instances,
			  text_of(row, "id"));
	}
	table_print(table, "None is met.");
}

static int print_report(const struct cli *cli, const json_t *report, const char *what)
{
	long long count = (long long)number_of(report, "count");

	if (cli->common->json) {
		print_json(report);
		return CLI_OK;
	}
	print_rows(json_object_get(report, what));
	if (is_true(report, "done"))
		printf("Done: %lld.\n", count);
	else if (count > 0)
		printf("Nothing is changed yet. To do it, say the same with: expected %lld\n",
		       count);
	return CLI_OK;
}

int admin_bulk(struct cli *cli, char **argv, struct err *e)
{
	AUTO(char *, freep) path = api_path(cli->api, "/admin/%s/bulk", argv[0]);
	AUTO(json_t *, json_decrefp) body = json_object();
	AUTO(json_t *, json_decrefp) report = NULL;
	const struct api_call call = {
		.method = "POST", .path = path, .body = body, .ret_json = &report
	};
	int r;

	if (strcmp(argv[0], "users") != 0 && strcmp(argv[0], "teams") != 0)
		return CLI_MISUSE(e, "after 'bulk' comes 'users' or 'teams', not '%s'", argv[0]);
	if (!path || !body)
		return err_memory(e);
	r = read_wish(cli->argc - 2, argv + 1, body, e);
	if (r == 0)
		r = api_do(cli->api, &call, e);
	return r < 0 ? r : print_report(cli, report, argv[0]);
}
