/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "http/serve.h"
#include "platform/s3.h"
#include "platform/sigv4.h"

#include "check.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Signing, beside the examples of AWS's own documentation */

static const struct sigv4_key example_key = {
	.access_key = "AKIAIOSFODNN7EXAMPLE",
	.secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
	.region = "us-east-1",
	.service = "s3",
};

static const char of_nothing[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
static const int64_t example_day = 1369353600000; /* 2013-05-24 */

static void check_signature(const char *query, const char *signature)
{
	const struct sigv4_request request = { .method = "GET",
					       .host = "examplebucket.s3.amazonaws.com",
					       .path = "/",
					       .query = query,
					       .body_hash = of_nothing,
					       .now_ms = example_day };
	struct buf authorization = BUF_INIT;

	sigv4_authorization(&example_key, &request, &authorization);
	CHECK_HAS(authorization.data,
		  "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request");
	CHECK_HAS(authorization.data, "SignedHeaders=host;x-amz-content-sha256;x-amz-date, ");
	CHECK_HAS(authorization.data, signature);
	buf_done(&authorization);
}

TEST(signatures_are_those_that_aws_documents)
{
	check_signature("lifecycle=",
			"fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
	check_signature("max-keys=2&prefix=J",
			"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(a_session_token_is_signed_too)
{
	struct sigv4_key key = example_key;
	const struct sigv4_request request = { "GET", "host", "/", "", of_nothing, example_day };
	struct buf without = BUF_INIT, with = BUF_INIT;

	sigv4_authorization(&key, &request, &without);
	key.session_token = "temporary";
	sigv4_authorization(&key, &request, &with);
	CHECK_HAS(with.data, "x-amz-date;x-amz-security-token, Signature=");
	CHECK(strcmp(strstr(with.data, "Signature="), strstr(without.data, "Signature=")) != 0);
	buf_done(&without);
	buf_done(&with);
}

/* A bucket that does as it is told. It has one object. */

struct bucket {
	struct http_server *server;
	char url[128], dir[64], file[128];
	struct buf object;
	bool is_there;
	int parts, given_up;

	/* What it is told to do. */
	int refusals;      /* so many calls are answered with 503 */
	bool loses;        /* it drops the last byte of what it takes */
	bool damages;      /* it changes the first */
	bool fails_at_end; /* the parts can't be put together */
	char last_hash[128];
};

static int refuse(struct http_res *res, int status, const char *code)
{
	char xml[256];
	int len = snprintf(xml, sizeof(xml),
			   "<?xml version=\"1.0\"?><Error><Code>%s</Code>"
			   "<Message>told to</Message></Error>",
			   code);

	return http_send_bytes(res, status, "application/xml", xml, (size_t)len);
}

static bool refuses(struct bucket *bucket, struct http_res *res)
{
	if (bucket->refusals == 0)
		return false;
	bucket->refusals--;
	refuse(res, 503, "SlowDown");
	return true;
}

static int take(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct bucket *bucket = ctx;
	size_t len;
	const void *body = http_body(req, &len);

	(void)e;
	if (refuses(bucket, res))
		return 0;
	snprintf(bucket->last_hash, sizeof(bucket->last_hash), "%s",
		 http_header(req, "x-amz-content-sha256"));
	if (!http_query(req, "partNumber"))
		buf_clear(&bucket->object);
	else
		bucket->parts++;
	buf_put(&bucket->object, body, len - bucket->loses);
	if (bucket->damages)
		bucket->object.data[0] ^= 1;
	bucket->is_there = true;
	http_set_header(res, "ETag", "\"tag\"");
	return http_send_nothing(res, 200);
}

static int put_together(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	static const char begun[] = "<InitiateMultipartUploadResult><UploadId>a/b+c</UploadId>"
				    "</InitiateMultipartUploadResult>";
	struct bucket *bucket = ctx;

	(void)e;
	if (refuses(bucket, res))
		return 0;
	if (!http_query(req, "uploadId")) {
		buf_clear(&bucket->object);
		return http_send_bytes(res, 200, "application/xml", begun, strlen(begun));
	}
	CHECK_STR(http_query(req, "uploadId"), "a/b+c");
	return bucket->fails_at_end ? refuse(res, 200, "InternalError")
				    : http_send_bytes(res, 200, "application/xml", "<x/>", 4);
}

static int give(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct bucket *bucket = ctx;

	(void)e;
	(void)req;
	if (refuses(bucket, res))
		return 0;
	if (!bucket->is_there)
		return refuse(res, 404, "NoSuchKey");
	return http_send_bytes(res, 200, "application/octet-stream", bucket->object.data,
			       bucket->object.len);
}

static int forget(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct bucket *bucket = ctx;

	(void)e;
	if (refuses(bucket, res))
		return 0;
	if (http_query(req, "uploadId"))
		bucket->given_up++;
	else
		bucket->is_there = false;
	return http_send_nothing(res, 204);
}

static const struct http_route bucket_routes[] = {
	{ "PUT", "/files/{key...}", take, HTTP_OPEN, 0 },
	{ "POST", "/files/{key...}", put_together, HTTP_OPEN, 0 },
	{ "GET", "/files/{key...}", give, HTTP_OPEN, 0 },
	{ "DELETE", "/files/{key...}", forget, HTTP_OPEN, 0 },
	{ .method = NULL },
};

static void begin(struct bucket *bucket, int64_t part_size, struct s3 **ret_s3)
{
	static const struct http_route *const tables[] = { bucket_routes, NULL };
	const struct http_server_options options = { .listen = "127.0.0.1:0",
						     .tables = tables,
						     .ctx = bucket };
	struct s3_options s3 = { .region = "nowhere",
				 .clock = &clock_real,
				 .part_size = part_size,
				 .credentials_file = bucket->file };
	static const char credentials[] = "[default]\naws_access_key_id = K\n"
					  "  AWS_SECRET_ACCESS_KEY=S \r\n";
	struct err e = ERR_INIT;

	*bucket = (struct bucket){ .object = BUF_INIT, .dir = "/tmp/ctfy-test-s3-XXXXXX" };
	CHECK(mkdtemp(bucket->dir));
	snprintf(bucket->file, sizeof(bucket->file), "%s/credentials", bucket->dir);
	CHECK_EQ(file_write(bucket->file, credentials, strlen(credentials), 0600, &e), 0);
	CHECK_EQ(http_serve(&options, &bucket->server, &e), 0);
	snprintf(bucket->url, sizeof(bucket->url), "http://127.0.0.1:%u/files",
		 http_server_port(bucket->server));
	s3.url = bucket->url;
	CHECK_EQ(s3_new(&s3, ret_s3, &e), 0);
}

static void end(struct bucket *bucket, struct s3 *s3)
{
	s3_free(s3);
	http_server_free(bucket->server);
	buf_done(&bucket->object);
	CHECK_EQ(tree_remove(bucket->dir, NULL), 0);
}

/* Puts a file with these bytes. */
static int put(struct bucket *bucket, struct s3 *s3, const char *bytes,
	       struct s3_object *ret_object, struct err *e)
{
	char path[160];
	int fd, r;

	snprintf(path, sizeof(path), "%s/file", bucket->dir);
	CHECK_EQ(file_write(path, bytes, strlen(bytes), 0600, e), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	r = s3_put(s3, "copy/logs.txt", fd, ret_object, e);
	close(fd);
	return r;
}

static int append(void *cookie, const void *bytes, size_t len, struct err *e)
{
	(void)e;
	buf_put(cookie, bytes, len);
	return 0;
}

TEST(what_was_put_is_got)
{
	struct buf got = BUF_INIT;
	struct s3_object object;
	struct err e = ERR_INIT;
	struct bucket bucket;
	struct s3 *s3;

	begin(&bucket, 0, &s3);
	CHECK_EQ(put(&bucket, s3, "hello", &object, &e), 0);
	CHECK_EQ(object.size, 5);
	CHECK_STR(object.sha256,
		  "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
	CHECK_STR(bucket.last_hash, object.sha256);
	CHECK_EQ(s3_get(s3, "copy/logs.txt", &object, append, &got, &e), 0);
	CHECK_STR(got.data, "hello");
	CHECK_EQ(s3_delete(s3, "copy/logs.txt", &e), 0);
	CHECK_EQ(s3_get(s3, "copy/logs.txt", &object, append, &got, &e), -ERR_NOT_FOUND);
	CHECK_EQ(s3_delete(s3, "copy/logs.txt", &e), 0);
	buf_done(&got);
	end(&bucket, s3);
}

TEST(a_large_object_goes_in_parts)
{
	struct s3_object object;
	struct err e = ERR_INIT;
	struct bucket bucket;
	struct s3 *s3;

	begin(&bucket, 5, &s3);
	CHECK_EQ(put(&bucket, s3, "hello, world", &object, &e), 0);
	CHECK_EQ(bucket.parts, 3);
	CHECK_STR(bucket.object.data, "hello, world");
	CHECK_EQ(object.size, 12);
	end(&bucket, s3);
}

TEST(parts_that_come_to_nothing_are_given_up)
{
	struct s3_object object;
	struct err e = ERR_INIT;
	struct bucket bucket;
	struct s3 *s3;

	begin(&bucket, 5, &s3);
	bucket.fails_at_end = true;
	CHECK_EQ(put(&bucket, s3, "hello, world", &object, &e), -ERR_UNAVAILABLE);
	CHECK_HAS(e.msg, "InternalError: told to");
	CHECK_EQ(bucket.given_up, 1);
	end(&bucket, s3);
}

TEST(a_refusal_is_told_in_the_storages_words)
{
	struct s3_object object;
	struct err e = ERR_INIT;
	struct bucket bucket;
	struct s3 *s3;

	begin(&bucket, 0, &s3);
	bucket.refusals = 1;
	CHECK_EQ(put(&bucket, s3, "hello", &object, &e), -ERR_UNAVAILABLE);
	CHECK_HAS(e.msg, "answered PUT of 'copy/logs.txt' with 503 SlowDown: told to");
	bucket.refusals = 1;
	CHECK_EQ(s3_delete(s3, "copy/logs.txt", &e), -ERR_UNAVAILABLE);
	end(&bucket, s3);
}

TEST(a_storage_that_lost_a_byte_has_not_taken_the_object)
{
	struct s3_object object;
	struct err e = ERR_INIT;
	struct bucket bucket;
	struct s3 *s3;

	begin(&bucket, 0, &s3);
	bucket.loses = true;
	CHECK_EQ(put(&bucket, s3, "hello", &object, &e), -ERR_UNAVAILABLE);
	CHECK_HAS(e.msg, "has 4 bytes of its 5");
	end(&bucket, s3);
}

TEST(what_the_storage_changed_is_not_passed_off_as_the_object)
{
	struct buf got = BUF_INIT;
	struct s3_object object;
	struct err e = ERR_INIT;
	struct bucket bucket;
	struct s3 *s3;

	begin(&bucket, 0, &s3);
	bucket.damages = true;
	CHECK_EQ(put(&bucket, s3, "hello", &object, &e), 0);
	CHECK_EQ(s3_get(s3, "copy/logs.txt", &object, append, &got, &e), -ERR_UNAVAILABLE);
	CHECK_HAS(e.msg, "is not what was put there");
	buf_done(&got);
	end(&bucket, s3);
}

TEST(after_its_end_nothing_is_asked)
{
	struct s3_object object;
	struct err e = ERR_INIT;
	struct bucket bucket;
	struct s3 *s3;

	begin(&bucket, 0, &s3);
	s3_end(s3);
	CHECK_EQ(put(&bucket, s3, "hello", &object, &e), -ERR_UNAVAILABLE);
	end(&bucket, s3);
}

static int make(const char *url, const char *file, struct err *e)
{
	const struct s3_options options = {
		.url = url, .region = "nowhere", .clock = &clock_real, .credentials_file = file
	};
	struct s3 *s3;
	int r = s3_new(&options, &s3, e);

	if (r == 0)
		s3_free(s3);
	return r;
}

TEST(without_an_address_or_credentials_there_is_no_storage)
{
	struct err e = ERR_INIT;

	unsetenv("AWS_ACCESS_KEY_ID");
	CHECK_EQ(make("s3://bucket", NULL, &e), -ERR_INVALID);
	CHECK_HAS(e.msg, "https://HOST/BUCKET");
	CHECK_EQ(make("https://host/bucket", NULL, &e), -ERR_INVALID);
	CHECK_HAS(e.msg, "AWS_ACCESS_KEY_ID");
	CHECK_EQ(make("https://host/bucket", "/dev/null", &e), -ERR_INVALID);
	CHECK_HAS(e.msg, "aws_access_key_id");
	setenv("AWS_ACCESS_KEY_ID", "K", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "S", 1);
	CHECK_EQ(make("https://host:443/bucket/", NULL, &e), 0);
}

RUN_TESTS(T(signatures_are_those_that_aws_documents), T(a_session_token_is_signed_too),
	  T(what_was_put_is_got), T(a_large_object_goes_in_parts),
	  T(parts_that_come_to_nothing_are_given_up), T(a_refusal_is_told_in_the_storages_words),
	  T(a_storage_that_lost_a_byte_has_not_taken_the_object),
	  T(what_the_storage_changed_is_not_passed_off_as_the_object),
	  T(after_its_end_nothing_is_asked),
	  T(without_an_address_or_credentials_there_is_no_storage))
