/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/kubernetes.h"

#include "base/arena.h"
#include "challenge/spec.h"
#include "challenge/tree.h"
#include "challenge/unit.h"

#include <string.h>

static void set_text(struct spec *spec, struct yaml_node *service, const char *key,
		     const char *text, const struct yaml_node *place)
{
	tree_set(spec->arena, service, key, text ? tree_string(spec->arena, text, place) : NULL);
}

/* "100Mi" are powers of 1024 and "100M" of 1000; Compose has the former only. */
static const char *memory_text(struct spec *spec, const struct yaml_node *value)
{
	static const struct {
		const char *suffix;
		double factor;
	} units[] = { { "k", 1e3 }, { "K", 1e3 }, { "M", 1e6 }, { "G", 1e9 }, { "", 1 } };
	const char *text = spec_text(spec, value, "resources");
	const char *suffix = text ? text + strspn(text, "0123456789.") : "";
	int64_t bytes;

	if (!text)
		return NULL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		char *number;

		if (strcmp(units[i].suffix, suffix) != 0)
			continue;
		number = arena_strndup(spec->arena, text, (size_t)(suffix - text));
		if (number && unit_bytes(number, &bytes))
			return arena_printf(spec->arena, "%.0f", (double)bytes * units[i].factor);
	}
	if (unit_bytes(text, &bytes))
		return text;
	spec_fault(spec, value, "resources", "'%s' is not an amount of memory", text);
	return NULL;
}

/* "500m" are thousandths of a processor. */
static const char *cpu_text(struct spec *spec, const struct yaml_node *value)
{
	const char *text = spec_text(spec, value, "resources");
	size_t len = text ? strlen(text) : 0;
	char *number;
	int64_t nano;

	if (!text)
		return NULL;
	number = arena_strndup(spec->arena, text, len && text[len - 1] == 'm' ? len - 1 : len);
	if (!number || !unit_cpus(number, &nano)) {
		spec_fault(spec, value, "resources", "'%s' is not a number of processors", text);
		return NULL;
	}
	if (len && text[len - 1] == 'm')
		nano /= 1000;
	return arena_printf(spec->arena, "%.9f", (double)nano / 1e9);
}

void kubernetes_resources(struct spec *spec, struct yaml_node *service,
			  const struct yaml_node *value)
{
	const struct yaml_node *limits = yaml_get(value, "limits");
	const struct yaml_node *memory, *cpu;

	if (!limits) /* what a cluster should set aside is what it is going to take */
		limits = yaml_get(value, "requests");
	memory = yaml_get(limits, "memory");
	cpu = yaml_get(limits, "cpu");
	if (memory)
		set_text(spec, service, "mem_limit", memory_text(spec, memory), memory);
	if (cpu)
		set_text(spec, service, "cpus", cpu_text(spec, cpu), cpu);
}

static void copy(struct spec *spec, struct yaml_node *service, const char *key,
		 struct yaml_node *value)
{
	if (value)
		tree_set(spec->arena, service, key, value);
}

void kubernetes_security(struct spec *spec, struct yaml_node *service,
			 const struct yaml_node *value)
{
	const struct yaml_node *capabilities = yaml_get(value, "capabilities");

	copy(spec, service, "privileged", yaml_get(value, "privileged"));
	copy(spec, service, "read_only", yaml_get(value, "readOnlyRootFilesystem"));
	copy(spec, service, "user", yaml_get(value, "runAsUser"));
	copy(spec, service, "cap_add", yaml_get(capabilities, "add"));
	copy(spec, service, "cap_drop", yaml_get(capabilities, "drop"));
}

void kubernetes_environment(struct spec *spec, struct yaml_node *service,
			    const struct yaml_node *value)
{
	struct yaml_node *map = tree_new(spec->arena, YAML_MAP, value);

	for (size_t i = 0; value->kind == YAML_LIST && i < value->count; i++) {
		const char *name = yaml_string(yaml_get(value->items[i], "name"));
		struct yaml_node *text = yaml_get(value->items[i], "value");

		if (name && text && yaml_is_scalar(text))
			tree_set(spec->arena, map, name, text);
		else
			spec_warn(spec, value->items[i], "env",
				  "only a name with a value has an effect");
	}
	tree_set(spec->arena, service, "environment", map);
}
