/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/competition.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/field.h"
#include "base/json.h"
#include "base/own.h"
#include "platform/challenges.h"

#include <string.h>

static const struct field division_fields[] = {
	FIELD(struct competition_division, STRING, id, 0),
	FIELD(struct competition_division, STRING, name, 0),
	FIELDS_END,
};

static const struct field entrant_fields[] = {
	FIELD(struct competition_entrant, STRING, name, 0),
	FIELD(struct competition_entrant, STRING, division, FIELD_OPTIONAL),
	FIELD(struct competition_entrant, STRING, code, FIELD_OPTIONAL),
	FIELDS_END,
};

static const struct field public_fields[] = {
	FIELD(struct competition, STRING, id, 0),
	FIELD(struct competition, STRING, name, 0),
	FIELD(struct competition, STRING, description, 0),
	FIELD(struct competition, TIME, starts_at, 0),
	FIELD(struct competition, TIME, ends_at, 0),
	FIELD(struct competition, TIME, freeze_at, 0),
	FIELD(struct competition, STRING, registration, 0),
	FIELD(struct competition, STRING, scoreboard, 0),
	FIELD(struct competition, INT, team_size, 0),
	FIELD(struct competition, INT, instance_ttl, 0),
	FIELD(struct competition, INT, max_instances, 0),
	FIELD(struct competition, INT, first_blood, 0),
	FIELD(struct competition, INT, first_blood_percent, 0),
	FIELD(struct competition, BOOL, practice, 0),
	FIELD(struct competition, BOOL, strict_answers, 0),
	FIELD_LIST_OF(struct competition, divisions, division_count, struct competition_division,
		      division_fields, 0),
	FIELDS_END,
};

static const struct field more_fields[] = {
	FIELD(struct competition, STRING, invite, 0),
	FIELD(struct competition, INT, max_instances_total, 0),
	FIELD(struct competition, BOOL, every_challenge, 0),
	FIELD_LIST_OF(struct competition, entrants, entrant_count, struct competition_entrant,
		      entrant_fields, 0),
	FIELDS_END,
};

/* Members without a value of their own are left out. */
static void set_time(json_t *json, const char *name, int64_t at)
{
	char text[CLOCK_TEXT_SIZE];

	if (at)
		json_object_set_new(json, name, json_text(clock_format(at, text)));
}

static void set_count(json_t *json, const char *name, const int64_t *count)
{
	if (count)
		json_object_set_new(json, name, json_integer(*count));
}

static json_t *challenge_json(const struct competition_challenge *c)
{
	json_t *json = json_make("{s:s}", "id", c->id);
	json_t *requires_ = json_array();

	set_time(json, "opens_at", c->opens_at);
	set_time(json, "closes_at", c->closes_at);
	for (size_t i = 0; i < c->require_count; i++)
		json_array_append_new(requires_, json_text(c->requires_[i]));
	if (c->require_count > 0)
		json_object_set(json, "requires", requires_);
	json_decref(requires_);
	set_count(json, "value", c->value);
	set_count(json, "minimum", c->minimum);
	set_count(json, "decay", c->decay);
	if (c->function)
		json_object_set_new(json, "function", json_text(c->function));
	set_count(json, "attempts", c->attempts);
	set_count(json, "max_instances", c->max_instances);
	return json;
}

static json_t *challenges_json(const struct competition *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->challenge_count; i++)
		json_array_append_new(list, challenge_json(&c->challenges[i]));
	return list;
}

json_t *competition_public_json(const struct competition *competition)
{
	return fields_encode(public_fields, competition);
}

json_t *competition_json(const struct competition *competition)
{
	AUTO(json_t *, json_decrefp) more = fields_encode(more_fields, competition);
	const struct rate *rate = &competition->answer_rate;
	json_t *json = competition_public_json(competition);

	if (!json || !more || json_object_update(json, more) < 0 ||
	    json_object_set_new(json, "answer_rate",
				rate->burst
					? json_make("{s:I, s:I}", "burst", (json_int_t)rate->burst,
						    "period_ms", (json_int_t)rate->period_ms)
					: json_null()) < 0 ||
	    json_object_set_new(json, "challenges", challenges_json(competition)) < 0) {
		json_decref(json);
		return NULL;
	}
	return json;
}

static int warn(json_t *list, const char *id)
{
	return json_array_append_new(list,
				     json_textf("there is no challenge '%s' here: nobody plays it",
						id));
}

json_t *competition_warnings(const struct competition *competition, const struct shelf *shelf)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < competition->challenge_count; i++) {
		const char *id = competition->challenges[i].id;

		if (shelf_find(shelf, id) || warn(list, id) == 0)
			continue;
		json_decref(list);
		return NULL;
	}
	return list;
}

int competition_diff(const struct competition *a, const struct competition *b, json_t **ret_changes,
		     struct err *e)
{
	AUTO(json_t *, json_decrefp) from = a ? competition_json(a) : json_object();
	AUTO(json_t *, json_decrefp) to = competition_json(b);
	AUTO(json_t *, json_decrefp) changes = json_array();
	const char *key;
	json_t *value;

	if (!from || !to || !changes)
		return err_memory(e);
	json_object_foreach (to, key, value) {
		json_t *old = json_object_get(from, key);

		if (old && json_equal(old, value))
			continue;
		if (json_array_append_new(changes, json_make("{s:s, s:O?, s:O}", "key", key, "from",
							     old, "to", value)) < 0)
			return err_memory(e);
	}
	*ret_changes = TAKE(changes);
	return 0;
}
