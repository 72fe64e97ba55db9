/* SPDX-License-Identifier: Apache-2.0 */
#include "node/disk-watch.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "base/work.h"
#include "engine/container.h"
#include "node/compose.h"
#include "node/disk-unlinked.h"
#include "node/disk-use.h"
#include "node/instance.h"
#include "node/node.h"
#include "node/pressure.h"
#include "node/roster.h"

#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

enum {
	ROUND_MS = 5000,
	SHORT_ROUND_MS = 1000, /* while the disk is short */
	TICK_MS = 250,
	MIB = 1 << 20,
	LITTLE = 64 * MIB, /* who has less is not why the disk is short */
};

struct disk_watch {
	struct node *node;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t stop_asked;
	bool stopping;
	/* Of the thread. */
	json_t *trees;      /* {container: [paths]}: what the engine said of it, which stays so */
	int64_t next_round; /* monotonic */
	bool blind;         /* it was told that nothing can be measured */
	bool was_short;     /* it was told that the disk is short */
};

/* One round: what every instance takes. */
struct survey {
	struct disk_watch *watch;
	struct roll roll;
	struct disk_use *uses; /* one per instance */
	json_t *trees;         /* {instance: {path: true}} */
	json_t *owners;        /* {container: instance} */
	json_t *unlinked;      /* {instance: bytes} */
};

static void survey_done(struct survey *survey)
{
	free(survey->uses);
	json_decref(survey->trees);
	json_decref(survey->owners);
	json_decref(survey->unlinked);
	roll_done(&survey->roll);
}

/* --- which directories ---------------------------------------------------------------------- */

static json_t *trees_of(const json_t *inspected)
{
	json_t *trees = json_array();
	const char *upper = NULL;
	const json_t *mount;
	size_t i;

	json_unpack((json_t *)(uintptr_t)inspected, "{s:{s:{s:s}}}", "GraphDriver", "Data",
		    "UpperDir", &upper);
	if (upper)
		json_array_append_new(trees, json_text(upper));
	json_array_foreach (json_object_get(inspected, "Mounts"), i, mount) {
		const char *type = json_string_value(json_object_get(mount, "Type"));
		const char *source = json_string_value(json_object_get(mount, "Source"));

		if (type && source && strcmp(type, "volume") == 0)
			json_array_append_new(trees, json_text(source));
	}
	return trees;
}

static int find_trees(struct disk_watch *watch, const char *container, json_t *known, struct err *e)
{
	AUTO(json_t *, json_decrefp) inspected = NULL;
	json_t *trees = json_object_get(watch->trees, container);
	int r;

	if (trees)
		return json_object_set(known, container, trees) < 0 ? err_memory(e) : 0;
	r = engine_container_inspect(watch->node->engine, container, &inspected, e);
	if (r == -ERR_NOT_FOUND)
		return 0;
	if (r == 0 && json_object_set_new(known, container, trees_of(inspected)) < 0)
		r = err_memory(e);
	return r;
}

static void assign(struct survey *survey, const struct engine_container *container,
		   const json_t *paths)
{
	const char *owner = json_string_value(json_object_get(container->labels, LABEL_INSTANCE));
	json_t *trees = owner ? json_object_get(survey->trees, owner) : NULL;
	const json_t *path;
	size_t i;

	if (owner)
		json_object_set_new(survey->owners, container->id, json_text(owner));
	if (owner && !trees) {
		trees = json_object();
		json_object_set_new(survey->trees, owner, trees);
	}
	json_array_foreach (paths, i, path)
		if (trees)
			json_object_set_new(trees, json_string_value(path), json_true());
}

static int survey_trees(struct survey *survey, struct err *e)
{
	struct disk_watch *watch = survey->watch;
	AUTO(json_t *, json_decrefp) known = json_object();
	struct engine_container_list list = { 0 };
	struct label_filter filter;
	int r;

	label_filter(watch->node, NULL, &filter);
	r = engine_container_list(watch->node->engine, filter.labels, &list, e);
	for (size_t i = 0; r == 0 && i < list.count; i++) {
		r = find_trees(watch, list.items[i].id, known, e);
		assign(survey, &list.items[i], json_object_get(known, list.items[i].id));
	}
	engine_container_list_done(&list);
	if (r == 0) { /* what is gone is forgotten */
		json_decref(watch->trees);
		watch->trees = json_incref(known);
	}
	return r;
}

/* --- how much ------------------------------------------------------------------------------- */

static struct disk_use limit_of(const struct node *node)
{
	return (struct disk_use){ .bytes = node->options->instance_disk,
				  .inodes = node->options->instance_files };
}

static void measure(struct survey *survey, const struct instance *inst, struct disk_use *use)
{
	struct disk_watch *watch = survey->watch;
	const struct disk_use most = limit_of(watch->node);
	AUTO(char *, freep) dir = instance_dir(watch->node, inst->id);
	AUTO(char *, freep) binds = dir ? strf("%s/binds", dir) : NULL;
	const char *path;
	json_t *unused;

	use->bytes = json_integer_value(json_object_get(survey->unlinked, inst->id));
	json_object_foreach (json_object_get(survey->trees, inst->id), path, unused)
		if (!disk_use_add(use, path, &most) && errno != ENOENT && !watch->blind) {
			log_error("the disk that instances take can't be measured: open '%s': %s",
				  path, strerrordesc_np(errno));
			watch->blind = true;
		}
	if (binds)
		disk_use_add(use, binds, &most);
}

static int survey_make(struct survey *survey, struct err *e)
{
	int r = roster_roll(survey->watch->node->roster, &survey->roll, e);

	if (r < 0)
		return r;
	survey->trees = json_object();
	survey->owners = json_object();
	survey->unlinked = json_object();
	survey->uses = calloc(survey->roll.count + 1, sizeof(*survey->uses));
	if (!survey->trees || !survey->owners || !survey->unlinked || !survey->uses)
		return err_memory(e);
	if (survey->roll.count == 0)
		return 0;
	r = survey_trees(survey, e);
	if (r == 0)
		disk_unlinked_add(survey->owners, survey->unlinked);
	for (size_t i = 0; r == 0 && i < survey->roll.count; i++)
		measure(survey, survey->roll.instances[i], &survey->uses[i]);
	return r;
}

/* --- what follows --------------------------------------------------------------------------- */

static void tell_excess(const struct disk_use *use, const struct disk_use *most, struct err *why)
{
	if (use->bytes > most->bytes)
		err_set(why, ERR_POLICY,
			"it has taken more disk than an instance may: %lld MiB "
			"(--instance-disk)",
			(long long)(most->bytes / MIB));
	else if (use->inodes > most->inodes)
		err_set(why, ERR_POLICY,
			"it has made more files than an instance may: %lld (--instance-files)",
			(long long)most->inodes);
	else
		err_set(why, ERR_POLICY, "it has made directories more than %d deep",
			DISK_DEPTH_MAX);
}

static void end_instance(struct survey *survey, size_t i, const struct err *why)
{
	struct err e = ERR_INIT;

	if (instance_fail(survey->roll.instances[i], why, &e) < 0)
		log_error("end instance '%s': %s", survey->roll.instances[i]->id, e.msg);
}

static void hold_limits(struct survey *survey)
{
	const struct disk_use most = limit_of(survey->watch->node);

	for (size_t i = 0; i < survey->roll.count; i++) {
		struct err why = ERR_INIT;

		if (!disk_use_exceeds(&survey->uses[i], &most))
			continue;
		tell_excess(&survey->uses[i], &most, &why);
		end_instance(survey, i, &why);
	}
}

static size_t find_largest(const struct survey *survey)
{
	size_t largest = 0;

	for (size_t i = 1; i < survey->roll.count; i++)
		if (survey->uses[i].bytes > survey->uses[largest].bytes)
			largest = i;
	return largest;
}

/* One in a round: its end may have been enough. One that is being ended is still the largest. */
static void make_room(struct survey *survey, const struct err *pressure)
{
	size_t largest = find_largest(survey);
	struct err why = ERR_INIT;

	if (survey->roll.count == 0 || survey->uses[largest].bytes < LITTLE) {
		if (!survey->watch->was_short)
			log_error("%s; no instance has taken much of it", pressure->msg);
		survey->watch->was_short = true;
		return;
	}
	err_set(&why, ERR_POLICY, "%s, and this instance has taken most of all: %lld MiB",
		pressure->msg, (long long)(survey->uses[largest].bytes / MIB));
	end_instance(survey, largest, &why);
}

static bool is_short(const struct node *node, struct err *pressure)
{
	return pressure_check_watermark(node, pressure) < 0;
}

static void look(struct disk_watch *watch)
{
	AUTO(struct survey, survey_done) survey = { .watch = watch };
	struct err e = ERR_INIT, pressure = ERR_INIT;

	if (atomic_load(&watch->node->engine_lost))
		return;
	if (survey_make(&survey, &e) < 0) {
		log_warn("measure the disk that instances take: %s", e.msg);
		return;
	}
	hold_limits(&survey);
	if (is_short(watch->node, &pressure))
		make_room(&survey, &pressure);
	else
		watch->was_short = false;
}

static void tick(struct disk_watch *watch)
{
	struct err pressure = ERR_INIT;
	bool is_urgent = is_short(watch->node, &pressure);
	int64_t now = clock_monotonic_ms();

	if (now < watch->next_round - (is_urgent ? ROUND_MS - SHORT_ROUND_MS : 0))
		return;
	look(watch);
	watch->next_round = clock_monotonic_ms() + ROUND_MS;
}

/* --- the thread ----------------------------------------------------------------------------- */

static bool wait_tick(struct disk_watch *watch)
{
	struct timespec until;
	bool go_on;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += TICK_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_mutex_lock(&watch->lock);
	if (!watch->stopping)
		pthread_cond_timedwait(&watch->stop_asked, &watch->lock, &until);
	go_on = !watch->stopping;
	pthread_mutex_unlock(&watch->lock);
	return go_on;
}

static void *run(void *cookie)
{
	struct disk_watch *watch = cookie;

	do
		tick(watch);
	while (wait_tick(watch));
	return NULL;
}

static void disk_watch_free(struct disk_watch *watch)
{
	pthread_cond_destroy(&watch->stop_asked);
	pthread_mutex_destroy(&watch->lock);
	json_decref(watch->trees);
	free(watch);
}

int disk_watch_start(struct node *node, struct disk_watch **ret_watch, struct err *e)
{
	struct disk_watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return err_memory(e);
	watch->node = node;
	watch->trees = json_object();
	pthread_mutex_init(&watch->lock, NULL);
	cond_init_monotonic(&watch->stop_asked);
	if (!watch->trees || pthread_create(&watch->thread, NULL, run, watch) != 0) {
		disk_watch_free(watch);
		return err_set(e, ERR_INTERNAL, "start the thread that looks after the disk");
	}
	*ret_watch = watch;
	return 0;
}

void disk_watch_stop(struct disk_watch *watch)
{
	if (!watch)
		return;
	pthread_mutex_lock(&watch->lock);
	watch->stopping = true;
	pthread_cond_signal(&watch->stop_asked);
	pthread_mutex_unlock(&watch->lock);
	pthread_join(watch->thread, NULL);
	disk_watch_free(watch);
}
