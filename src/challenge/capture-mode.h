/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of an instance's packets is recorded, as its challenge asks.
 */
#ifndef CHALLENGE_CAPTURE_MODE_H
#define CHALLENGE_CAPTURE_MODE_H

enum capture_mode {
	CAPTURE_OFF,
	CAPTURE_ALL,
	CAPTURE_HEADERS, /* who speaks to whom, not what they say */
};

/* As a challenge's file has it; CAPTURE_OFF is no word of its own. */
#define CAPTURE_HEADERS_WORD "headers"

#endif
