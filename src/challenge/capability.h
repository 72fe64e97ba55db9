/*
 * Linux capabilities as a set of bits.
 */
#ifndef CHALLENGE_CAPABILITY_H
#define CHALLENGE_CAPABILITY_H

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t capability_set;

/* "SYS_ADMIN", "cap_sys_admin", "ALL"; false where there is none of that name. */
bool capability_parse(const char *name, capability_set *ret_set);

/* Without "CAP_", in the order of their numbers. NULL past the last. */
const char *capability_name(unsigned number);

/* What Docker gives a container that asks for nothing. */
extern const capability_set capability_docker_default;

/* Of those, what images need to start and drop their rights: what a service gets here. */
extern const capability_set capability_default;

#endif
