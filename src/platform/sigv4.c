/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/sigv4.h"

#include "base/buf.h"

#include <sodium.h>
#include <string.h>
#include <time.h>

enum { MAC_SIZE = crypto_auth_hmacsha256_BYTES, DAY_LEN = sizeof("20261231") - 1 };

static const char algorithm[] = "AWS4-HMAC-SHA256";

void sigv4_date(int64_t now_ms, char date[SIGV4_DATE_SIZE])
{
	time_t now = (time_t)(now_ms / 1000);
	struct tm tm;

	strftime(date, SIGV4_DATE_SIZE, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
}

static void put_mac(const void *key, size_t key_len, const char *text, size_t len,
		    unsigned char mac[MAC_SIZE])
{
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, key, key_len);
	crypto_auth_hmacsha256_update(&state, (const unsigned char *)text, len);
	crypto_auth_hmacsha256_final(&state, mac);
}

/* Whether there was memory for it. */
static bool put_signing_key(const struct sigv4_key *key, const char *date,
			    unsigned char mac[MAC_SIZE])
{
	struct buf first = BUF_INIT;
	bool whole;

	buf_printf(&first, "AWS4%s", key->secret_key);
	whole = !buf_failed(&first);
	put_mac(first.data, first.len, date, DAY_LEN, mac);
	put_mac(mac, MAC_SIZE, key->region, strlen(key->region), mac);
	put_mac(mac, MAC_SIZE, key->service, strlen(key->service), mac);
	put_mac(mac, MAC_SIZE, "aws4_request", strlen("aws4_request"), mac);
	sodium_memzero(first.data, first.len);
	buf_done(&first);
	return whole;
}

static const char *signed_headers(const struct sigv4_key *key)
{
	return key->session_token ? "host;x-amz-content-sha256;x-amz-date;x-amz-security-token"
				  : "host;x-amz-content-sha256;x-amz-date";
}

static void put_canonical(const struct sigv4_key *key, const struct sigv4_request *request,
			  const char *date, struct buf *text)
{
	buf_printf(text, "%s\n%s\n%s\nhost:%s\nx-amz-content-sha256:%s\nx-amz-date:%s\n",
		   request->method, request->path, request->query, request->host,
		   request->body_hash, date);
	if (key->session_token)
		buf_printf(text, "x-amz-security-token:%s\n", key->session_token);
	buf_printf(text, "\n%s\n%s", signed_headers(key), request->body_hash);
}

static void put_scope(const struct sigv4_key *key, const char *date, struct buf *text)
{
	buf_printf(text, "%.*s/%s/%s/aws4_request", DAY_LEN, date, key->region, key->service);
}

static void put_text_to_sign(const struct sigv4_key *key, const struct sigv4_request *request,
			     const char *date, struct buf *text)
{
	struct buf canonical = BUF_INIT;
	char hash[SECRET_HASH_SIZE];

	put_canonical(key, request, date, &canonical);
	secret_hash_bytes(canonical.data, canonical.len, hash);
	buf_printf(text, "%s\n%s\n", algorithm, date);
	put_scope(key, date, text);
	buf_printf(text, "\n%s", hash);
	text->out_of_memory |= canonical.out_of_memory;
	buf_done(&canonical);
}

void sigv4_authorization(const struct sigv4_key *key, const struct sigv4_request *request,
			 struct buf *authorization)
{
	char date[SIGV4_DATE_SIZE], signature[2 * MAC_SIZE + 1];
	unsigned char mac[MAC_SIZE];
	struct buf text = BUF_INIT;

	sigv4_date(request->now_ms, date);
	put_text_to_sign(key, request, date, &text);
	if (!put_signing_key(key, date, mac))
		text.out_of_memory = true;
	put_mac(mac, MAC_SIZE, text.data, text.len, mac);
	sodium_bin2hex(signature, sizeof(signature), mac, MAC_SIZE);
	buf_printf(authorization, "%s Credential=%s/", algorithm, key->access_key);
	put_scope(key, date, authorization);
	buf_printf(authorization, ", SignedHeaders=%s, Signature=%s", signed_headers(key),
		   signature);
	authorization->out_of_memory |= text.out_of_memory;
	sodium_memzero(mac, sizeof(mac));
	buf_done(&text);
}
