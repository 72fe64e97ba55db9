/*
 * `ctfy clean`: what nodes left on an engine, for when a node goes for good or its state is lost.
 */
#ifndef NODE_CLEAN_H
#define NODE_CLEAN_H

/* Lists it, or removes that of the nodes named. Returns the exit status. */
int node_clean_main(int argc, char **argv);

/* What a running node claims on its machine is this and its id: base/claim.h. */
#define NODE_CLAIM "ctfy-node-"

#endif
