/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How `ctfy clean` tells a node that runs from one that has left things behind.
 */
#ifndef NODE_CLEAN_H
#define NODE_CLEAN_H

/* What a running node claims on its machine is this and its id: base/claim.h. */
#define NODE_CLAIM "ctfy-node-"

#endif
