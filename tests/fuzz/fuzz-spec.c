/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A spec of any dialect, to the plan and back to YAML. The first byte chooses the file that it is:
 * "j" challenge.json, "b" benchmark.json, "m" metadata.json, "e" eval.yaml, anything else
 * challenge.yml.
 */
#include "fuzz-folder.h"
#include "fuzz.h"

static const char compose[] = "services: {web: {build: ., environment: [FLAG], ports: [80]}}\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *name;

	if (size == 0)
		return 0;
	name = data[0] == 'j'   ? "challenge.json"
	       : data[0] == 'b' ? "benchmark.json"
	       : data[0] == 'm' ? "metadata.json"
	       : data[0] == 'e' ? "eval.yaml"
				: "challenge.yml";
	fuzz_write(name, data + 1, size - 1);
	fuzz_challenge();
	fuzz_write("compose.yml", compose, sizeof(compose) - 1);
	fuzz_challenge();
	fuzz_remove("compose.yml");
	fuzz_remove(name);
	return 0;
}
