/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ownership made visible: AUTO() names what ends a variable's life, TAKE() hands it on.
 *
 *	AUTO(char *, freep) name = NULL;
 *	*ret_name = TAKE(name);
 *
 * jansson brings its own: AUTO(json_t *, json_decrefp).
 */
#ifndef BASE_OWN_H
#define BASE_OWN_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define AUTO(type, done) __attribute__((cleanup(done))) type

#define TAKE(p)                            \
	__extension__({                    \
		__typeof__(p) took_ = (p); \
		(p) = NULL;                \
		took_;                     \
	})

/* TAKE() for a descriptor. */
static inline int take_fd(int *fd)
{
	int took = *fd;

	*fd = -1;
	return took;
}

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Frees what the pointer that p points to owns: AUTO(char *, freep). */
static inline void freep(void *p)
{
	free(*(void **)p);
}

static inline void closep(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

#endif
