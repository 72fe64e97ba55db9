/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/safe-text.h"

#include <arpa/inet.h>
#include <string.h>

enum { MAX_NAME = 128, MAX_HOST = 253 };

bool text_is_of(const char *text, const char *characters)
{
	return *text && !text[strspn(text, characters)];
}

bool text_is_name(const char *text)
{
	return strlen(text) <= MAX_NAME && !strchr("_.-", text[0]) &&
	       text_is_of(text, TEXT_LETTERS TEXT_DIGITS "_.-");
}

bool text_is_host(const char *text)
{
	return strlen(text) <= MAX_HOST && text[0] != '-' &&
	       text_is_of(text, TEXT_LETTERS TEXT_DIGITS "_.-");
}

bool text_is_address(const char *text)
{
	size_t len = strlen(text);
	char address[INET6_ADDRSTRLEN];
	struct in6_addr binary;

	if (len > 1 && text[0] == '[' && text[len - 1] == ']')
		text++, len -= 2;
	if (len >= sizeof(address))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	return inet_pton(AF_INET, address, &binary) == 1 ||
	       inet_pton(AF_INET6, address, &binary) == 1;
}
