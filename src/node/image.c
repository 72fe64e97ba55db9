#include "node/image.h"

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "base/work.h"
#include "challenge/plan.h"
#include "engine/image.h"
#include "engine/tar.h"
#include "node/compose.h"
#include "node/node.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

/* An image being made; those who want the same one wait. */
struct making {
	struct making *next;
	const char *reference;
};

struct images {
	pthread_mutex_t lock;
	pthread_cond_t made;
	struct making *making;
};

int images_new(struct images **ret_images, struct err *e)
{
	struct images *images = calloc(1, sizeof(*images));

	if (!images)
		return err_memory(e);
	pthread_mutex_init(&images->lock, NULL);
	pthread_cond_init(&images->made, NULL);
	*ret_images = images;
	return 0;
}

void images_free(struct images *images)
{
	if (!images)
		return;
	pthread_cond_destroy(&images->made);
	pthread_mutex_destroy(&images->lock);
	free(images);
}

static bool is_being_made(const struct images *images, const char *reference)
{
	for (const struct making *m = images->making; m; m = m->next)
		if (strcmp(m->reference, reference) == 0)
			return true;
	return false;
}

static void making_begin(struct images *images, struct making *making)
{
	pthread_mutex_lock(&images->lock);
	while (is_being_made(images, making->reference))
		pthread_cond_wait(&images->made, &images->lock);
	making->next = images->making;
	images->making = making;
	pthread_mutex_unlock(&images->lock);
}

static void making_end(struct images *images, const struct making *making)
{
	struct making **m = &images->making;

	pthread_mutex_lock(&images->lock);
	while (*m != making)
		m = &(*m)->next;
	*m = making->next;
	pthread_cond_broadcast(&images->made);
	pthread_mutex_unlock(&images->lock);
}
