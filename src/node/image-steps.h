/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a build tells of itself, read line by line: its step, its last words, and the layers it
 * made.
 *
 * Only the classic builder names its layers: "Step 2/7 : RUN make", then " ---> 0123456789ab".
 * BuildKit ("[build 2/5] RUN make") and Podman ("STEP 2/7: RUN make") keep theirs to themselves.
 */
#ifndef NODE_IMAGE_STEPS_H
#define NODE_IMAGE_STEPS_H

#include "node/image.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STAGES_MAX = 32, STAGE_NAME_SIZE = 64, LAYER_ID_SIZE = 72 };

struct build_stage {
	char name[STAGE_NAME_SIZE];
	bool own;                   /* what follows holds one of own_args */
	char shared[LAYER_ID_SIZE]; /* its last layer before that; "": only its base */
	char last[LAYER_ID_SIZE];   /* its last layer; "": only its base */
};

struct build_steps {
	const json_t *own_args; /* names whose values are one instance's own; NULL: none */
	int64_t step, steps;    /* 0: not known */
	bool stepped;           /* the step changed; the reader resets it */
	bool named_base;        /* the stage's first " --->" has been: its base image */
	struct build_stage stages[STAGES_MAX];
	size_t stage_count;
	char line[512]; /* the one under way; a longer one loses its end */
	size_t len;
	char words[160]; /* of the step: "RUN make" */
	struct image_output output;
};

/* The next part of what a build puts out. */
void build_steps_take(struct build_steps *steps, const char *text);

/* The last lines that have room in size bytes, from the output's end. */
const char *image_output_end(const struct image_output *output, size_t size);

#endif
