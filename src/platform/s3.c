/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/s3.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "platform/sigv4.h"

#include <ctype.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum {
	IDLE_TIMEOUT_MS = 60 * 1000,
	CREDENTIALS_MAX = 64 << 10,
	ANSWER_MAX = 1 << 20,
	ETAG_SIZE = 256,
	READ_SIZE = 64 << 10,
	PARTS_MAX = 10000,
};

static const int64_t part_size_default = 1LL << 30;

struct s3 {
	struct http_client *client;
	const struct clock *clock;
	int64_t part_size;
	char *url;        /* as messages name it */
	char *host;       /* as the header has it */
	const char *base; /* in url: the path below which objects are; "" or "/BUCKET/PREFIX" */
	char *access_key, *secret_key, *session_token;
	char *region;
	atomic_bool ended;
};

/* What it needs to know */

static char *copy_value(const char *at, size_t len)
{
	while (len > 0 && isspace((unsigned char)at[len - 1]))
		len--;
	return strndup(at, len);
}

/* The value of "name = value" in a file of such lines; NULL: it has none, or no memory. */
static char *find_setting(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *at = line + strspn(line, " \t");

		if (strncasecmp(at, name, len) != 0)
			continue;
		at += len + strspn(at + len, " \t");
		if (*at == '=') {
			at += 1 + strspn(at + 1, " \t");
			return copy_value(at, strcspn(at, "\n"));
		}
	}
	return NULL;
}

static int read_credentials(struct s3 *s3, const char *path, struct err *e)
{
	AUTO(char *, freep) text = NULL;
	size_t len;
	int r = file_read(path, CREDENTIALS_MAX, &text, &len, e);

	if (r < 0)
		return r;
	s3->access_key = find_setting(text, "aws_access_key_id");
	s3->secret_key = find_setting(text, "aws_secret_access_key");
	s3->session_token = find_setting(text, "aws_session_token");
	sodium_memzero(text, len);
	if (!s3->access_key || !s3->secret_key)
		return err_set(e, ERR_INVALID,
			       "'%s' has no lines \"aws_access_key_id = ...\" and"
			       " \"aws_secret_access_key = ...\"",
			       path);
	return 0;
}

static char *copy_variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? strdup(value) : NULL;
}

static int take_environment(struct s3 *s3, struct err *e)
{
	s3->access_key = copy_variable("AWS_ACCESS_KEY_ID");
	s3->secret_key = copy_variable("AWS_SECRET_ACCESS_KEY");
	s3->session_token = copy_variable("AWS_SESSION_TOKEN");
	if (!s3->access_key || !s3->secret_key)
		return err_set(e, ERR_INVALID,
			       "'%s' wants credentials: set AWS_ACCESS_KEY_ID and"
			       " AWS_SECRET_ACCESS_KEY, or name a file that has them",
			       s3->url);
	return 0;
}

static bool ends_in(const char *text, size_t len, const char *end)
{
	size_t end_len = strlen(end);

	return len > end_len && strncmp(text + len - end_len, end, end_len) == 0;
}

/* The host as libcurl tells it: a scheme's own port goes without saying. */
static int take_url(struct s3 *s3, const char *url, struct err *e)
{
	const char *host = strstr(url, "://");
	size_t len;

	if (!host || strncmp(url, "http", strlen("http")) != 0)
		return err_set(e, ERR_INVALID,
			       "'%s' is no address of a bucket: https://HOST/BUCKET or"
			       " https://BUCKET.HOST is",
			       url);
	s3->url = strdup(url);
	if (!s3->url)
		return err_memory(e);
	for (len = strlen(url); len > 0 && url[len - 1] == '/'; len--)
		s3->url[len - 1] = '\0';
	host = strstr(s3->url, "://");
	host = host ? host + strlen("://") : s3->url + strlen(s3->url);
	len = strcspn(host, "/");
	s3->base = host + len;
	if (ends_in(host, len, strncmp(url, "https", strlen("https")) == 0 ? ":443" : ":80"))
		len = (size_t)((const char *)memrchr(host, ':', len) - host);
	s3->host = strndup(host, len);
	return s3->host ? 0 : err_memory(e);
}

static void s3_freep(struct s3 **s3)
{
	s3_free(*s3);
}

int s3_new(const struct s3_options *options, struct s3 **ret_s3, struct err *e)
{
	AUTO(struct s3 *, s3_freep) s3 = calloc(1, sizeof(*s3));
	struct http_client_options client = { .role = "archive storage",
					      .ca_file = options->ca_file };
	int r;

	if (!s3)
		return err_memory(e);
	s3->clock = options->clock;
	s3->part_size = options->part_size ? options->part_size : part_size_default;
	r = take_url(s3, options->url, e);
	if (r == 0)
		r = options->credentials_file ? read_credentials(s3, options->credentials_file, e)
					      : take_environment(s3, e);
	if (r < 0)
		return r;
	s3->region = strdup(options->region);
	if (!s3->region)
		return err_memory(e);
	client.base_url = s3->url;
	r = http_client_new(&client, &s3->client, e);
	if (r < 0)
		return r;
	*ret_s3 = TAKE(s3);
	return 0;
}

void s3_end(struct s3 *s3)
{
	if (s3)
		atomic_store(&s3->ended, true);
}

static void free_secret(char *secret)
{
	if (secret)
		sodium_memzero(secret, strlen(secret));
	free(secret);
}

void s3_free(struct s3 *s3)
{
	if (!s3)
		return;
	http_client_free(s3->client);
	free(s3->url);
	free(s3->host);
	free(s3->region);
	free(s3->access_key);
	free_secret(s3->secret_key);
	free_secret(s3->session_token);
	free(s3);
}

/* Calls */

struct request {
	const char *method, *key;
	const char *query;     /* "": none */
	const char *body_hash; /* hex SHA-256 */
	const void *body;
	size_t body_len;
	http_source *source;
	http_sink *sink;
	void *cookie; /* of source or sink */
	uint64_t source_len;
};

static const char empty_hash[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

static void put_path(struct buf *path, const char *key)
{
	buf_putc(path, '/');
	for (const char *at = key; *at; at += *at == '/') {
		char segment[256];
		size_t len = strcspn(at, "/");

		snprintf(segment, sizeof(segment), "%.*s", (int)len, at);
		http_escape(path, segment);
		at += len;
		if (*at == '/')
			buf_putc(path, '/');
	}
}

/* The headers of a signed request: each a line. */
struct signed_headers {
	struct buf authorization, hash, date, token;
	const char *lines[5];
};

#define SIGNED_HEADERS_INIT                                                                      \
	{                                                                                        \
		.authorization = BUF_INIT, .hash = BUF_INIT, .date = BUF_INIT, .token = BUF_INIT \
	}

static void signed_headers_done(struct signed_headers *headers)
{
	buf_done(&headers->authorization);
	buf_done(&headers->hash);
	buf_done(&headers->date);
	buf_done(&headers->token);
}

static int sign(const struct s3 *s3, const struct request *request, const char *path,
		struct signed_headers *headers, struct err *e)
{
	const struct sigv4_key key = { s3->access_key, s3->secret_key, s3->session_token,
				       s3->region, "s3" };
	const struct sigv4_request canonical = {
		.method = request->method,
		.host = s3->host,
		.path = path,
		.query = request->query,
		.body_hash = request->body_hash,
		.now_ms = clock_now_ms(s3->clock),
	};
	char date[SIGV4_DATE_SIZE];

	sigv4_date(canonical.now_ms, date);
	buf_puts(&headers->authorization, "Authorization: ");
	sigv4_authorization(&key, &canonical, &headers->authorization);
	buf_printf(&headers->hash, "x-amz-content-sha256: %s", request->body_hash);
	buf_printf(&headers->date, "x-amz-date: %s", date);
	if (s3->session_token)
		buf_printf(&headers->token, "x-amz-security-token: %s", s3->session_token);
	if (buf_failed(&headers->authorization) || buf_failed(&headers->hash) ||
	    buf_failed(&headers->date) || buf_failed(&headers->token))
		return err_memory(e);
	headers->lines[0] = headers->authorization.data;
	headers->lines[1] = headers->hash.data;
	headers->lines[2] = headers->date.data;
	headers->lines[3] = s3->session_token ? headers->token.data : NULL;
	return 0;
}

static int unavailable(const struct err *failed, struct err *e)
{
	return err_set(e, ERR_UNAVAILABLE, "%s", failed->msg);
}

/* What stands in <name>...</name>, as it is written; NULL: nothing does. */
static char *find_element(const char *xml, const char *name)
{
	char opening[64];
	const char *at;

	snprintf(opening, sizeof(opening), "<%s>", name);
	at = strstr(xml, opening);
	return at ? copy_value(at + strlen(opening), strcspn(at + strlen(opening), "<")) : NULL;
}

static int refused(const struct s3 *s3, const struct request *request,
		   const struct http_reply *reply, struct err *e)
{
	AUTO(char *, freep) code = find_element(reply->body.data, "Code");
	AUTO(char *, freep) message = find_element(reply->body.data, "Message");

	if (reply->status == 404 && !(code && strcmp(code, "NoSuchBucket") == 0))
		return err_set(e, ERR_NOT_FOUND, "archive storage '%s' has no '%s'", s3->url,
			       request->key);
	return err_set(e, ERR_UNAVAILABLE,
		       "archive storage '%s' answered %s of '%s' with %d%s%s%s%s", s3->url,
		       request->method, request->key, reply->status, code ? " " : "",
		       code ? code : "", message ? ": " : "", message ? message : "");
}

/* Fails also with what the source or sink says. */
static int ask(struct s3 *s3, const struct request *request, struct http_reply *ret_reply,
	       struct err *e)
{
	AUTO(struct signed_headers, signed_headers_done) headers = SIGNED_HEADERS_INIT;
	AUTO(struct buf, buf_done) path = BUF_INIT, signed_path = BUF_INIT;
	struct http_call call = { .method = request->method,
				  .headers = headers.lines,
				  .content_type = "application/octet-stream",
				  .body = request->body,
				  .body_len = request->body_len,
				  .source = request->source,
				  .source_cookie = request->cookie,
				  .source_len = request->source_len,
				  .sink = request->sink,
				  .sink_cookie = request->cookie,
				  .idle_timeout_ms = IDLE_TIMEOUT_MS,
				  .max_body = request->sink ? UINT64_MAX : ANSWER_MAX,
				  .cancelled = &s3->ended };
	int r;

	put_path(&path, request->key);
	buf_printf(&signed_path, "%s%s", s3->base, path.data);
	if (*request->query)
		buf_printf(&path, "?%s", request->query);
	if (buf_failed(&path) || buf_failed(&signed_path))
		return err_memory(e);
	r = sign(s3, request, signed_path.data, &headers, e);
	if (r < 0)
		return r;
	call.path = path.data;
	r = http_call(s3->client, &call, ret_reply, e);
	if (r < 0)
		return r;
	return ret_reply->status < 300 ? 0 : refused(s3, request, ret_reply, e);
}

/* As ask(), where nobody else has a say. */
static int ask_storage(struct s3 *s3, const struct request *request, struct http_reply *ret_reply,
		       struct err *e)
{
	struct err failed = ERR_INIT;
	int r = ask(s3, request, ret_reply, &failed);

	if (r == -ERR_NOT_FOUND)
		return err_set(e, ERR_NOT_FOUND, "%s", failed.msg);
	return r < 0 ? unavailable(&failed, e) : 0;
}

/* Sending */

/* A stretch of a file. */
struct stretch {
	int fd;
	int64_t at, end;
};

static int read_stretch(void *cookie, void *bytes, size_t size, size_t *ret_len, struct err *e)
{
	struct stretch *stretch = cookie;
	int64_t left = stretch->end - stretch->at;
	ssize_t n;

	if ((int64_t)size > left)
		size = (size_t)left;
	n = size ? pread(stretch->fd, bytes, size, stretch->at) : 0;
	if (n < 0)
		return err_errno(e, ERR_INTERNAL, "read an archive");
	if (n == 0 && left > 0)
		return err_set(e, ERR_INTERNAL, "an archive became shorter while it was read");
	stretch->at += n;
	*ret_len = (size_t)n;
	return 0;
}

static void write_hash(crypto_hash_sha256_state *state, char hash[SECRET_HASH_SIZE])
{
	unsigned char digest[crypto_hash_sha256_BYTES];

	crypto_hash_sha256_final(state, digest);
	sodium_bin2hex(hash, SECRET_HASH_SIZE, digest, sizeof(digest));
}

static int hash_stretch(struct stretch stretch, char hash[SECRET_HASH_SIZE], struct err *e)
{
	AUTO(char *, freep) bytes = malloc(READ_SIZE);
	crypto_hash_sha256_state state;
	size_t len = 0;
	int r;

	if (!bytes)
		return err_memory(e);
	crypto_hash_sha256_init(&state);
	do {
		r = read_stretch(&stretch, bytes, READ_SIZE, &len, e);
		if (r < 0)
			return r;
		crypto_hash_sha256_update(&state, (unsigned char *)bytes, len);
	} while (len > 0);
	write_hash(&state, hash);
	return 0;
}

static int put_stretch(struct s3 *s3, const char *key, const char *query, struct stretch stretch,
		       const char *hash, struct http_reply *ret_reply, struct err *e)
{
	const struct request request = { .method = "PUT",
					 .key = key,
					 .query = query,
					 .body_hash = hash,
					 .source = read_stretch,
					 .cookie = &stretch,
					 .source_len = (uint64_t)(stretch.end - stretch.at) };

	return ask_storage(s3, &request, ret_reply, e);
}

static int put_at_once(struct s3 *s3, const char *key, struct stretch all, const char *hash,
		       struct err *e)
{
	AUTO(struct http_reply, http_reply_done) reply = HTTP_REPLY_INIT;

	return put_stretch(s3, key, "", all, hash, &reply, e);
}

/* In parts */

static int begin_parts(struct s3 *s3, const char *key, struct buf *upload, struct err *e)
{
	AUTO(struct http_reply, http_reply_done) reply = HTTP_REPLY_INIT;
	AUTO(char *, freep) id = NULL;
	const struct request request = {
		.method = "POST", .key = key, .query = "uploads=", .body_hash = empty_hash
	};
	int r = ask_storage(s3, &request, &reply, e);

	if (r < 0)
		return r;
	id = find_element(reply.body.data, "UploadId");
	if (!id)
		return err_set(e, ERR_UNAVAILABLE, "archive storage '%s' began no upload of '%s'",
			       s3->url, key);
	http_escape(upload, id);
	return buf_check(upload, e);
}

static int put_part(struct s3 *s3, const char *key, const char *upload, int number,
		    struct stretch part, struct buf *list, struct err *e)
{
	AUTO(struct http_reply, http_reply_done) reply = HTTP_REPLY_INIT;
	char hash[SECRET_HASH_SIZE], etag[ETAG_SIZE];
	AUTO(char *, freep) query = strf("partNumber=%d&uploadId=%s", number, upload);
	int r;

	if (!query)
		return err_memory(e);
	r = hash_stretch(part, hash, e);
	if (r == 0)
		r = put_stretch(s3, key, query, part, hash, &reply, e);
	if (r < 0)
		return r;
	if (!http_reply_header(&reply, "ETag", etag, sizeof(etag)))
		return err_set(e, ERR_UNAVAILABLE,
			       "archive storage '%s' took a part of '%s'"
			       " without an ETag",
			       s3->url, key);
	buf_printf(list, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", number, etag);
	return 0;
}

/* What goes wrong while the parts are put together is told in the body of a 200. */
static int end_parts(struct s3 *s3, const char *key, const char *upload, const struct buf *list,
		     struct err *e)
{
	AUTO(struct http_reply, http_reply_done) reply = HTTP_REPLY_INIT;
	AUTO(char *, freep) query = strf("uploadId=%s", upload);
	char hash[SECRET_HASH_SIZE];
	struct request request = {
		.method = "POST", .key = key, .body = list->data, .body_len = list->len
	};
	int r;

	if (!query)
		return err_memory(e);
	secret_hash_bytes(list->data, list->len, hash);
	request.query = query;
	request.body_hash = hash;
	r = ask_storage(s3, &request, &reply, e);
	if (r == 0 && strstr(reply.body.data, "<Error>"))
		r = refused(s3, &request, &reply, e);
	return r;
}

static int put_parts(struct s3 *s3, const char *key, const char *upload, struct stretch all,
		     struct err *e)
{
	AUTO(struct buf, buf_done) list = BUF_INIT;
	int number = 1, r = 0;

	buf_puts(&list, "<CompleteMultipartUpload>");
	for (; r == 0 && all.at < all.end; number++) {
		struct stretch part = all;

		if (part.end - part.at > s3->part_size)
			part.end = part.at + s3->part_size;
		all.at = part.end;
		r = put_part(s3, key, upload, number, part, &list, e);
	}
	buf_puts(&list, "</CompleteMultipartUpload>");
	if (r == 0)
		r = buf_check(&list, e);
	return r < 0 ? r : end_parts(s3, key, upload, &list, e);
}

/* Parts that are never put together take room, and are never seen again. */
static void give_up_parts(struct s3 *s3, const char *key, const char *upload)
{
	AUTO(struct http_reply, http_reply_done) reply = HTTP_REPLY_INIT;
	AUTO(char *, freep) query = strf("uploadId=%s", upload);
	const struct request request = {
		.method = "DELETE", .key = key, .query = query, .body_hash = empty_hash
	};

	if (query)
		ask_storage(s3, &request, &reply, NULL);
}

static int put_in_parts(struct s3 *s3, const char *key, struct stretch all, struct err *e)
{
	AUTO(struct buf, buf_done) upload = BUF_INIT;
	int r;

	if (all.end / s3->part_size >= PARTS_MAX)
		return err_set(e, ERR_TOO_LARGE, "'%s' is too large for archive storage", key);
	r = begin_parts(s3, key, &upload, e);
	if (r < 0)
		return r;
	r = put_parts(s3, key, upload.data, all, e);
	if (r < 0)
		give_up_parts(s3, key, upload.data);
	return r;
}

static int check_put(struct s3 *s3, const char *key, int64_t size, struct err *e)
{
	struct err failed = ERR_INIT;
	int64_t there;

	if (s3_stat(s3, key, &there, &failed) < 0)
		return unavailable(&failed, e);
	if (there != size)
		return err_set(e, ERR_UNAVAILABLE,
			       "archive storage '%s' took '%s', but has %lld bytes of its %lld",
			       s3->url, key, (long long)there, (long long)size);
	return 0;
}

int s3_put(struct s3 *s3, const char *key, int fd, struct s3_object *ret_object, struct err *e)
{
	struct stretch all = { .fd = fd };
	struct s3_object object;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return err_errno(e, ERR_INTERNAL, "read an archive");
	object.size = all.end = st.st_size;
	r = hash_stretch(all, object.sha256, e);
	if (r == 0)
		r = object.size > s3->part_size ? put_in_parts(s3, key, all, e)
						: put_at_once(s3, key, all, object.sha256, e);
	if (r == 0)
		r = check_put(s3, key, object.size, e);
	if (r == 0)
		*ret_object = object;
	return r;
}

/* Getting */

struct receipt {
	http_sink *sink;
	void *cookie;
	int failure; /* of the sink */
	crypto_hash_sha256_state state;
};

static int receive(void *cookie, const void *bytes, size_t len, struct err *e)
{
	struct receipt *receipt = cookie;

	crypto_hash_sha256_update(&receipt->state, bytes, len);
	receipt->failure = receipt->sink(receipt->cookie, bytes, len, e);
	return receipt->failure;
}

int s3_get(struct s3 *s3, const char *key, const struct s3_object *object, http_sink *sink,
	   void *cookie, struct err *e)
{
	AUTO(struct http_reply, http_reply_done) reply = HTTP_REPLY_INIT;
	struct receipt receipt = { .sink = sink, .cookie = cookie };
	const struct request request = { .method = "GET",
					 .key = key,
					 .query = "",
					 .body_hash = empty_hash,
					 .sink = receive,
					 .cookie = &receipt };
	struct err failed = ERR_INIT;
	char hash[SECRET_HASH_SIZE];
	int r;

	crypto_hash_sha256_init(&receipt.state);
	r = ask(s3, &request, &reply, &failed);
	if (receipt.failure < 0 || r == -ERR_NOT_FOUND)
		return err_set(e, failed.code, "%s", failed.msg);
	if (r < 0)
		return unavailable(&failed, e);
	write_hash(&receipt.state, hash);
	if (strcmp(hash, object->sha256) != 0)
		return err_set(e, ERR_UNAVAILABLE,
			       "'%s' of archive storage '%s' is not what was put"
			       " there",
			       key, s3->url);
	return 0;
}

/* Asking and deleting */

int s3_stat(struct s3 *s3, const char *key, int64_t *ret_size, struct err *e)
{
	AUTO(struct http_reply, http_reply_done) reply = HTTP_REPLY_INIT;
	const struct request request = {
		.method = "HEAD", .key = key, .query = "", .body_hash = empty_hash
	};
	char size[32];
	int r = ask_storage(s3, &request, &reply, e);

	if (r < 0)
		return r;
	if (!http_reply_header(&reply, "Content-Length", size, sizeof(size)))
		return err_set(e, ERR_UNAVAILABLE,
			       "archive storage '%s' doesn't say the size of"
			       " '%s'",
			       s3->url, key);
	*ret_size = strtoll(size, NULL, 10);
	return 0;
}

int s3_delete(struct s3 *s3, const char *key, struct err *e)
{
	AUTO(struct http_reply, http_reply_done) reply = HTTP_REPLY_INIT;
	const struct request request = {
		.method = "DELETE", .key = key, .query = "", .body_hash = empty_hash
	};
	int r = ask_storage(s3, &request, &reply, e);

	return r == -ERR_NOT_FOUND ? 0 : r;
}
