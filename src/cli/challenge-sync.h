/* SPDX-License-Identifier: Apache-2.0 */
/* ctfy challenge sync: challenges to the platform, and by it to its nodes. */
#ifndef CLI_CHALLENGE_SYNC_H
#define CLI_CHALLENGE_SYNC_H

int challenge_sync_main(int argc, char **argv);

#endif
