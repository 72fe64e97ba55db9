/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fuzz target is one function over some bytes. libFuzzer calls it when clang links it;
 * fuzz-main.c calls it on saved samples, as an ordinary test.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
