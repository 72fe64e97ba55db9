/* SPDX-License-Identifier: Apache-2.0 */
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

/*
 * What a service may ask for without the operator's word: Docker's default set but for NET_RAW, by
 * which a container speaks in others' names, past every rule that goes by connections.
 */
extern const capability_set capability_for_the_asking;

/* Of those, what images need to start and drop their rights: what a service gets here. */
extern const capability_set capability_default;

#endif
