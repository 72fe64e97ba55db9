/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A compose file, to the plan. Two lines "%%" may part it from a base.yml that it can extend or
 * include, and that from a .env file.
 */
#include "fuzz-folder.h"
#include "fuzz.h"

#include <string.h>

static const uint8_t *part_end(const uint8_t *data, size_t size)
{
	const uint8_t *end = memmem(data, size, "\n%%\n", 4);

	return end ? end : data + size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "compose.yml", "base.yml", ".env" };
	const uint8_t *end = data + size;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const uint8_t *stop = part_end(data, (size_t)(end - data));

		fuzz_write(names[i], data, (size_t)(stop - data));
		data = end - stop >= 4 ? stop + 4 : end;
	}
	fuzz_challenge();
	return 0;
}
