/* SPDX-License-Identifier: Apache-2.0 */
/* How a service starts, proves healthy and comes back: healthcheck, depends_on, restart. */
#include "challenge/service.h"

#include "base/arena.h"
#include "base/json.h"
#include "base/own.h"
#include "challenge/merge.h"
#include "challenge/unit.h"

#include <string.h>

static json_t *shell_test(struct service *s, const char *text)
{
	json_t *test = json_array();

	planner_append(s->p, test, json_text("CMD-SHELL"));
	planner_append(s->p, test, json_text(text));
	return test;
}

static json_t *listed_test(struct service *s, const struct yaml_node *value)
{
	const char *first = value->count ? yaml_string(value->items[0]) : "NONE";
	json_t *test;

	if (!first || (strcmp(first, "NONE") != 0 && strcmp(first, "CMD") != 0 &&
		       strcmp(first, "CMD-SHELL") != 0)) {
		service_fault(s, value, "a test begins with NONE, CMD or CMD-SHELL");
		return NULL;
	}
	test = json_array();
	if (!value->count)
		planner_append(s->p, test, json_text(first));
	for (size_t i = 0; i < value->count; i++) {
		const char *text = service_text(s, value->items[i]);

		if (text)
			planner_append(s->p, test, json_text(text));
	}
	return test;
}

static void set_test(struct service *s, json_t *check, const struct yaml_node *value)
{
	const char *text = value->kind == YAML_LIST ? NULL : service_text(s, value);
	json_t *test = NULL;

	if (value->kind == YAML_LIST)
		test = listed_test(s, value);
	else if (text && *text)
		test = shell_test(s, text);
	if (test)
		service_set(s, check, "Test", test);
}

static void set_disabled(struct service *s, json_t *check, const struct yaml_node *value)
{
	json_t *none;
	bool disabled;

	if (!service_bool(s, value, &disabled) || !disabled)
		return;
	none = json_array();
	planner_append(s->p, none, json_text("NONE"));
	service_set(s, check, "Test", none);
}

static bool set_time(struct service *s, json_t *check, const struct yaml_entry *entry)
{
	static const struct {
		const char *key, *engine_key;
	} times[] = { { "interval", "Interval" },
		      { "timeout", "Timeout" },
		      { "start_period", "StartPeriod" } };
	int64_t ns;

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		if (strcmp(times[i].key, entry->key) != 0)
			continue;
		if (!service_duration(s, entry->value, &ns))
			return true;
		/* The engine refuses what is shorter, and takes zero for its default. */
		if (ns > 0 && ns < 1000000)
			service_fault(s, entry->value, "must be at least 1ms");
		service_set(s, check, times[i].engine_key, json_integer(ns));
		return true;
	}
	return false;
}

static void set_check_entry(struct service *s, json_t *check, const struct yaml_entry *entry)
{
	int64_t retries;

	if (entry->value->kind == YAML_NULL || set_time(s, check, entry))
		return;
	if (strcmp(entry->key, "test") == 0)
		set_test(s, check, entry->value);
	else if (strcmp(entry->key, "disable") == 0)
		set_disabled(s, check, entry->value);
	else if (strcmp(entry->key, "start_interval") == 0)
		service_warn(s, entry->value, "'start_interval' has no effect before engine 25");
	else if (strcmp(entry->key, "retries") != 0)
		service_unknown(s, entry);
	else if (service_integer(s, entry->value, 0, INT32_MAX, &retries))
		service_set(s, check, "Retries", json_integer(retries));
}

void service_healthcheck(struct service *s, const struct yaml_node *value)
{
	json_t *check;

	if (value->kind == YAML_NULL)
		return;
	if (value->kind != YAML_MAP) {
		service_fault(s, value, "must be a map, not %s", yaml_kind_name(value->kind));
		return;
	}
	check = json_object();
	for (size_t i = 0; i < value->count; i++)
		set_check_entry(s, check, &value->entries[i]);
	service_set(s, s->container, "Healthcheck", check);
}

static bool read_condition(struct service *s, const struct yaml_node *value,
			   enum plan_condition *ret_condition)
{
	static const struct {
		const char *word;
		enum plan_condition condition;
	} conditions[] = { { "service_started", PLAN_STARTED },
			   { "service_healthy", PLAN_HEALTHY },
			   { "service_completed_successfully", PLAN_COMPLETED } };
	const char *text = service_text(s, value);

	for (size_t i = 0; text && i < ARRAY_SIZE(conditions); i++) {
		if (strcmp(conditions[i].word, text) == 0) {
			*ret_condition = conditions[i].condition;
			return true;
		}
	}
	if (text)
		service_fault(s, value,
			      "'%s' is not a condition: use service_started, service_healthy or "
			      "service_completed_successfully",
			      text);
	return false;
}

void service_add_dependency(struct service *s, const char *on, enum plan_condition condition,
			    bool required)
{
	struct plan_service *plan = s->plan;
	struct plan_dependency *rows;

	for (size_t i = 0; i < plan->dependency_count; i++) {
		struct plan_dependency *row = &plan->depends_on[i];

		if (strcmp(row->service, on) != 0)
			continue;
		if (row->condition == PLAN_STARTED) /* what a link or a shared network asks for */
			*row = (struct plan_dependency){ on, condition, required };
		return;
	}
	rows = arena_array(s->p->arena, plan->dependency_count + 1, sizeof(*rows));
	if (!rows)
		return;
	if (plan->dependency_count)
		memcpy(rows, plan->depends_on, plan->dependency_count * sizeof(*rows));
	rows[plan->dependency_count++] = (struct plan_dependency){ on, condition, required };
	plan->depends_on = rows;
}

static void add_depends_on(struct service *s, const char *on, const struct yaml_node *how)
{
	const struct yaml_node *condition = yaml_get(how, "condition");
	const struct yaml_node *required = yaml_get(how, "required");
	static const char *const known[] = { "condition", "required", "restart", NULL };
	enum plan_condition when = PLAN_STARTED;
	bool must = true;

	service_check_keys(s, how, known);
	if (condition && !read_condition(s, condition, &when))
		return;
	if (required && !service_bool(s, required, &must))
		return;
	if (strcmp(on, s->name) == 0)
		service_fault(s, how, "a service can't depend on itself");
	else
		service_add_dependency(s, on, when, must);
}

void service_depends_on(struct service *s, const struct yaml_node *value)
{
	const struct yaml_node *map;

	if (value->kind == YAML_NULL)
		return;
	if (yaml_is_scalar(value)) {
		service_fault(s, value, "must be a list or a map, not %s",
			      yaml_kind_name(value->kind));
		return;
	}
	map = merge_as_map(s->p->arena, value, "");
	for (size_t i = 0; map && i < map->count; i++)
		add_depends_on(s, map->entries[i].key, map->entries[i].value);
}

void service_set_restart(struct service *s, const char *name, int64_t retries)
{
	json_t *policy = json_object();

	service_set(s, policy, "Name", json_text(name));
	service_set(s, policy, "MaximumRetryCount", json_integer(retries));
	service_set(s, s->host, "RestartPolicy", policy);
}

void service_restart(struct service *s, const struct yaml_node *value)
{
	static const char *const names[] = { "no", "always", "unless-stopped", "on-failure" };
	const char *text = service_text(s, value);
	size_t len = text ? strcspn(text, ":") : 0;
	int64_t retries = 0;

	if (!text || !*text)
		return;
	if (strcmp(text, "false") == 0) {
		service_set_restart(s, "no", 0);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strlen(names[i]) != len || strncmp(names[i], text, len) != 0)
			continue;
		if (text[len] && (i != 3 || !unit_integer(text + len + 1, 0, INT32_MAX, &retries)))
			break;
		service_set_restart(s, names[i], retries);
		return;
	}
	service_fault(
		s, value,
		"'%s' is not a restart policy: use no, always, unless-stopped or on-failure[:N]",
		text);
}
