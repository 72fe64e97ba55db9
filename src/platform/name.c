/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/name.h"

#include "base/arena.h"
#include "base/err.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static bool is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

static char *make_key(struct arena *arena, const char *name)
{
	char *key = arena_strdup(arena, name), *to = key;

	for (; key && *name; name++)
		if (*name != ' ' || name[1] != ' ')
			*to++ = (char)tolower((unsigned char)*name);
	if (key)
		*to = '\0';
	return key;
}

int name_read(struct arena *arena, const char *what, const char *text, const char **ret_name,
	      const char **ret_key, struct err *e)
{
	size_t len;
	char *name, *key;

	text += strspn(text, " \t\r\n");
	len = strlen(text);
	while (len > 0 && isspace((unsigned char)text[len - 1]))
		len--;
	if (len == 0)
		return err_set(e, ERR_VALIDATION, "%s must not be empty", what);
	if (len > NAME_MAX_BYTES)
		return err_set(e, ERR_VALIDATION, "%s is longer than %d bytes", what,
			       NAME_MAX_BYTES);
	for (size_t i = 0; i < len; i++)
		if (is_control((unsigned char)text[i]))
			return err_set(e, ERR_VALIDATION, "%s must not hold control characters",
				       what);
	name = arena_strndup(arena, text, len);
	key = name ? make_key(arena, name) : NULL;
	if (!key)
		return err_memory(e);
	*ret_name = name;
	*ret_key = key;
	return 0;
}
