/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `ctfy challenge test`: challenges started, solved by their authors' own programs, and stopped.
 */
#ifndef CLI_CHALLENGE_TEST_H
#define CLI_CHALLENGE_TEST_H

/* argv[0] is "test". Returns the exit status, one of enum cli_status, or 130 when interrupted. */
int challenge_test_main(int argc, char **argv);

#endif
