/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS Signature Version 4, by which S3 and what speaks like it knows who asks: the signature of a
 * request over its method, address, host, time and the hash of its body.
 *
 * Ours rather than libcurl's: that of Debian 12 (7.88) signs headers that it then doesn't send.
 */
#ifndef PLATFORM_SIGV4_H
#define PLATFORM_SIGV4_H

#include "base/secret.h"

#include <stdint.h>

struct buf;

struct sigv4_key {
	const char *access_key, *secret_key;
	const char *session_token; /* NULL: none */
	const char *region, *service;
};

/* Path and query are as they are sent: percent-encoded, the query's names in their order. */
struct sigv4_request {
	const char *method, *host, *path, *query;
	const char *body_hash; /* hex SHA-256 */
	int64_t now_ms;
};

enum { SIGV4_DATE_SIZE = sizeof("20261231T235959Z") };

/* Of x-amz-date. */
void sigv4_date(int64_t now_ms, char date[SIGV4_DATE_SIZE]);

/*
 * Appends the value of Authorization. It signs the headers host, x-amz-content-sha256, x-amz-date
 * and, with a session token, x-amz-security-token: the request has to have them.
 */
void sigv4_authorization(const struct sigv4_key *key, const struct sigv4_request *request,
			 struct buf *authorization);

#endif
