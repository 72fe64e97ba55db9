/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/programme.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/own.h"

#include <pthread.h>
#include <string.h>

/* What the store said at one time. */
struct issue {
	struct issue *older;
	struct arena *arena;
	struct competitions all;
};

struct programme {
	struct db *db;
	pthread_mutex_t lock;
	struct issue *newest;
};

static void issue_free(struct issue *issue)
{
	if (!issue)
		return;
	arena_free(issue->arena);
	free(issue);
}

static void issue_freep(struct issue **issue)
{
	issue_free(*issue);
}

int programme_refresh(struct programme *programme, struct err *e)
{
	AUTO(struct issue *, issue_freep) issue = calloc(1, sizeof(*issue));
	int r = 0;

	if (issue)
		issue->arena = arena_new();
	if (!issue || !issue->arena)
		return err_memory(e);
	pthread_mutex_lock(&programme->lock);
	r = competition_list(programme->db, issue->arena, &issue->all, e);
	if (r == 0) {
		issue->older = programme->newest;
		programme->newest = TAKE(issue);
	}
	pthread_mutex_unlock(&programme->lock);
	return r;
}

int programme_new(struct db *db, struct programme **ret_programme, struct err *e)
{
	struct programme *programme = calloc(1, sizeof(*programme));
	int r;

	if (!programme)
		return err_memory(e);
	programme->db = db;
	pthread_mutex_init(&programme->lock, NULL);
	r = programme_refresh(programme, e);
	if (r < 0) {
		programme_free(programme);
		return r;
	}
	*ret_programme = programme;
	return 0;
}

void programme_free(struct programme *programme)
{
	if (!programme)
		return;
	while (programme->newest) {
		struct issue *issue = programme->newest;

		programme->newest = issue->older;
		issue_free(issue);
	}
	pthread_mutex_destroy(&programme->lock);
	free(programme);
}

const struct competitions *programme_all(struct programme *programme)
{
	const struct competitions *all;

	pthread_mutex_lock(&programme->lock);
	all = &programme->newest->all;
	pthread_mutex_unlock(&programme->lock);
	return all;
}

int programme_find(struct programme *programme, const char *id,
		   const struct competition **ret_competition, struct err *e)
{
	const struct competitions *all = programme_all(programme);

	for (size_t i = 0; i < all->competition_count; i++) {
		if (strcmp(all->competitions[i].id, id) != 0)
			continue;
		*ret_competition = &all->competitions[i];
		return 0;
	}
	return err_set(e, ERR_NOT_FOUND, "there is no such competition");
}

/* Whether b is meant rather than a, where neither is named. */
static bool is_rather_meant(const struct competition *a, const struct competition *b, int64_t now)
{
	enum competition_phase phase = competition_phase(b, now);

	if (phase != competition_phase(a, now))
		return phase == COMPETITION_RUNNING ||
		       (phase == COMPETITION_BEFORE &&
			competition_phase(a, now) == COMPETITION_ENDED);
	switch (phase) {
	case COMPETITION_RUNNING: return b->starts_at > a->starts_at;
	case COMPETITION_BEFORE: return b->starts_at < a->starts_at;
	case COMPETITION_ENDED: return b->ends_at > a->ends_at;
	}
	return false;
}

int programme_current(struct programme *programme, int64_t now,
		      const struct competition **ret_competition, struct err *e)
{
	const struct competitions *all = programme_all(programme);
	const struct competition *meant = all->competitions;

	if (all->competition_count == 0)
		return err_set(e, ERR_NOT_FOUND, "there is no competition yet");
	for (size_t i = 1; i < all->competition_count; i++)
		if (is_rather_meant(meant, &all->competitions[i], now))
			meant = &all->competitions[i];
	*ret_competition = meant;
	return 0;
}
