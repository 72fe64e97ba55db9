/* SPDX-License-Identifier: Apache-2.0 */
#include "base/id.h"

#include <sodium.h>
#include <string.h>

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";

static bool is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool id_valid(const char *id)
{
	size_t i;

	if (!is_alphanumeric(id[0]))
		return false;
	for (i = 1; id[i]; i++)
		if (i >= ID_SIZE - 1 || (!is_alphanumeric(id[i]) && !strchr("_.-", id[i])))
			return false;
	return true;
}

void id_random(char *text, size_t len)
{
	randombytes_buf(text, len);
	for (size_t i = 0; i < len; i++)
		text[i] = alphabet[(unsigned char)text[i] % 32];
	text[len] = '\0';
}
