/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/loopback.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/own.h"
#include "challenge/context.h"
#include "challenge/plan.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* What servers call the address that they listen on; "bind" is socat's. */
static const char *const options[] = {
	"--host",         "--bind",           "-b",   "--listen",       "--address", "--addr",
	"--bind-address", "--listen-address", "--ip", "FLASK_RUN_HOST", "bind"
};

/* Who talks to a server of its own has its address in the command, too. */
static const char *const clients[] = { "curl", "wget", "nc ", "wait-for" };

static bool is_published(const struct plan_service *service, const char *port)
{
	char *end;
	unsigned long number = strtoul(port, &end, 10);

	for (size_t i = 0; end != port && !*end && i < service->port_count; i++)
		if (service->ports[i].published && service->ports[i].container_port == number)
			return true;
	return false;
}

/* "127.0.0.1", and what may follow it; NULL: it is another address. */
static const char *after_loopback(const char *word)
{
	static const char *const names[] = { "127.0.0.1", "localhost", "::1" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t len = strlen(names[i]);

		if (strncmp(word, names[i], len) == 0 && (!word[len] || word[len] == ':'))
			return word + len;
	}
	return NULL;
}

static bool is_listening_option(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (strcmp(options[i], word) == 0)
			return true;
	return false;
}

/* A word that follows an option: "--bind 127.0.0.1", or, of whatever option, its port as well. */
static bool says_loopback(const struct plan_service *service, const char *before, const char *word)
{
	const char *after = after_loopback(word);

	if (!after || !before)
		return false;
	return is_listening_option(before) ||
	       (before[0] == '-' && *after == ':' && is_published(service, after + 1));
}

static bool text_says_loopback(struct arena *arena, const struct plan_service *service,
			       const char *text)
{
	char *words = arena_strdup(arena, text), *save = NULL, *before = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		if (strstr(text, clients[i]))
			return false;
	for (char *word = words ? strtok_r(words, " \t\r\n\"',=[]", &save) : NULL; word;
	     word = strtok_r(NULL, " \t\r\n\"',=[]", &save)) {
		if (says_loopback(service, before, word))
			return true;
		before = word;
	}
	return false;
}

static const char *json_text(struct arena *arena, const json_t *words)
{
	struct buf b = BUF_INIT;
	const json_t *word;
	const char *text;
	size_t i;

	json_array_foreach (words, i, word)
		buf_printf(&b, "%s\n", json_is_string(word) ? json_string_value(word) : "");
	text = b.len ? arena_strdup(arena, b.data) : NULL;
	buf_done(&b);
	return text;
}

static bool begins_with(const char *line, const char *instruction)
{
	size_t len = strlen(instruction);

	return strncasecmp(line, instruction, len) == 0 && isspace((unsigned char)line[len]);
}

/* The last of an instruction in the last stage, to the end of its line and what continues it. */
static const char *last_instruction(struct arena *arena, const char *text, const char *instruction)
{
	const char *found = NULL;
	size_t len = 0;

	for (const char *line = text; line && *line;) {
		const char *begin = line + strspn(line, " \t"), *end = strchr(begin, '\n');

		while (end && end > begin && end[-1] == '\\')
			end = strchr(end + 1, '\n');
		if (begins_with(begin, "FROM"))
			found = NULL;
		if (begins_with(begin, instruction)) {
			found = begin;
			len = end ? (size_t)(end - begin) : strlen(begin);
		}
		line = end ? end + 1 : NULL;
	}
	return found ? arena_strndup(arena, found, len) : NULL;
}

bool service_listens_within(struct arena *arena, const struct plan_service *service)
{
	const json_t *command = json_object_get(service->container, "Cmd");
	const json_t *entrypoint = json_object_get(service->container, "Entrypoint");
	const char *dockerfile = NULL;
	const char *texts[] = { json_text(arena, command), json_text(arena, entrypoint),
				json_text(arena, json_object_get(service->container, "Env")), NULL,
				NULL };

	if (service->build && !service->build->target &&
	    context_dockerfile(arena, service->build, &dockerfile, NULL) == 0) {
		if (!command && !entrypoint)
			texts[3] = last_instruction(arena, dockerfile, "CMD");
		if (!entrypoint)
			texts[4] = last_instruction(arena, dockerfile, "ENTRYPOINT");
	}
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (texts[i] && text_says_loopback(arena, service, texts[i]))
			return true;
	return false;
}
