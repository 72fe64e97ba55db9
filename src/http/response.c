/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "http/request.h"
#include "http/stream.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { STREAM_BLOCK = 16 << 10, STREAM_BUFFER = 64 << 10 };

static const char type_json[] = "application/json";

static void responsep(struct MHD_Response **response)
{
	if (*response)
		MHD_destroy_response(*response);
}

static bool add_retry_after(struct MHD_Response *response, unsigned seconds)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", seconds);
	return MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, text);
}

static bool has_header(const struct http_res *res, const char *name)
{
	const struct header *h = res->headers;

	while (h && strcasecmp(h->name, name) != 0)
		h = h->next;
	return h != NULL;
}

/* Nobody but who asked is to see an answer, and none is to be taken for a page of ours. */
static bool add_defaults(const struct http_res *res, struct MHD_Response *response)
{
	static const char *const defaults[][2] = {
		{ MHD_HTTP_HEADER_CACHE_CONTROL, "no-store" },
		{ "X-Content-Type-Options", "nosniff" },
		{ "Content-Security-Policy",
		  "sandbox; default-src 'none'; frame-ancestors 'none'" },
	};
	unsigned hsts_days = server_options(res->req->server)->hsts_days;
	bool added = true;
	char age[64];

	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		if (!has_header(res, defaults[i][0]))
			added &= MHD_add_response_header(response, defaults[i][0], defaults[i][1]);
	if (hsts_days == 0 || !res->req->connection || !http_is_https(res->req))
		return added;
	snprintf(age, sizeof(age), "max-age=%u", hsts_days * 24 * 60 * 60);
	return added & MHD_add_response_header(response, "Strict-Transport-Security", age);
}

static bool add_headers(struct http_res *res, struct MHD_Response *response, const char *type)
{
	bool added = MHD_add_response_header(response, "X-Request-Id", http_req_id(res->req));

	if (type)
		added &= MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	added &= !res->header_lost;
	added &= add_defaults(res, response);
	for (const struct header *h = res->headers; h; h = h->next)
		added &= MHD_add_response_header(response, h->name, h->value);
	if (res->retry_after)
		added &= add_retry_after(response, res->retry_after);
	if (server_stopping(res->req->server))
		added &= MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	return added;
}

/* Takes the response, which is NULL where making it failed. */
static int answer(struct http_res *res, int status, const char *type, struct MHD_Response *made)
{
	AUTO(struct MHD_Response *, responsep) response = made;

	if (res->stream || res->ready)
		return -ERR_INTERNAL;
	if (!response)
		return -ERR_MEMORY;
	if (!add_headers(res, response, type))
		return -ERR_INTERNAL;
	res->status = status;
	res->ready = TAKE(response);
	return 0;
}

int respond_upgrade(struct http_res *res, struct MHD_Response *response)
{
	return answer(res, MHD_HTTP_SWITCHING_PROTOCOLS, NULL, response);
}

/* MHD doesn't write to what it borrows. */
static void *borrowed(const void *bytes)
{
	return (void *)(uintptr_t)bytes;
}

/* A large answer's bytes, and who pays for them until they are sent. */
struct load {
	struct bill bill;
	char *bytes;
};

static void load_end(void *cookie)
{
	struct load *load = cookie;

	bill_end(&load->bill);
	free(load->bytes);
	free(load);
}

/* Takes bytes. */
static int answer_large(struct http_res *res, int status, const char *type, char *bytes, size_t len)
{
	struct load *load = malloc(sizeof(*load));

	if (!load) {
		free(bytes);
		return -ERR_MEMORY;
	}
	*load = (struct load){
		{ &server_purse(res->req->server)->answers, request_payer(res->req), 0 }, bytes
	};
	res->over = bill_raise(&load->bill, len);
	if (res->over == BUDGET_FITS)
		return http_send_held(res, status, type, bytes, len, load_end, load);
	load_end(load);
	return res->over == BUDGET_SHARE_USED ? -ERR_RATE_LIMITED : -ERR_UNAVAILABLE;
}

/* Takes bytes; NULL: they could not be made. */
static int answer_bytes(struct http_res *res, int status, const char *type, char *bytes, size_t len)
{
	struct MHD_Response *response;

	if (bytes && len > REQUEST_FREE_MAX)
		return answer_large(res, status, type, bytes, len);
	response =
		bytes ? MHD_create_response_from_buffer(len, bytes, MHD_RESPMEM_MUST_FREE) : NULL;
	if (!response)
		free(bytes);
	return answer(res, status, type, response);
}

static int answer_json(struct http_res *res, int status, const json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

	return answer_bytes(res, status, type_json, text, text ? strlen(text) : 0);
}

int http_send_json(struct http_res *res, int status, json_t *json)
{
	int r = answer_json(res, status, json);

	json_decref(json);
	return r;
}

int http_send(struct http_res *res, int status, const struct field *fields, const void *obj)
{
	return http_send_json(res, status, fields_encode(fields, obj));
}

int http_send_bytes(struct http_res *res, int status, const char *type, const void *bytes,
		    size_t len)
{
	char *copy;

	if (len <= REQUEST_FREE_MAX)
		return answer(res, status, type,
			      MHD_create_response_from_buffer(len, borrowed(bytes),
							      MHD_RESPMEM_MUST_COPY));
	copy = malloc(len);
	if (copy)
		memcpy(copy, bytes, len);
	return answer_bytes(res, status, type, copy, len);
}

int http_send_static(struct http_res *res, int status, const char *type, const void *bytes,
		     size_t len)
{
	return answer(res, status, type,
		      MHD_create_response_from_buffer(len, borrowed(bytes),
						      MHD_RESPMEM_PERSISTENT));
}

int http_send_held(struct http_res *res, int status, const char *type, const void *bytes,
		   size_t len, void (*release)(void *cookie), void *cookie)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer_with_free_callback_cls(len, borrowed(bytes),
								       release, cookie);

	if (!response)
		release(cookie);
	return answer(res, status, type, response);
}

int http_sent_status(const struct http_res *res)
{
	/* What is on its way is another thread's already, `ready` with it. */
	return res->stream || res->socket || res->ready ? res->status : 0;
}

int http_send_nothing(struct http_res *res, int status)
{
	return http_send_static(res, status, NULL, "", 0);
}

static bool is_header_text(const char *s)
{
	return s && s[0] && !strpbrk(s, "\r\n");
}

void http_set_header(struct http_res *res, const char *name, const char *value)
{
	struct arena *arena = http_arena(res->req);
	struct header *header = arena ? arena_alloc(arena, sizeof(*header)) : NULL;

	if (!header || !is_header_text(name) || !is_header_text(value)) {
		res->header_lost = true;
		return;
	}
	*header = (struct header){ .next = res->headers,
				   .name = arena_strdup(arena, name),
				   .value = arena_strdup(arena, value) };
	res->header_lost |= arena_failed(arena);
	res->headers = header;
}

void http_set_retry_after(struct http_res *res, unsigned seconds)
{
	res->retry_after = seconds;
}

struct range {
	uint64_t first;
	uint64_t len;
};

enum asked_range { RANGE_WHOLE, RANGE_PART, RANGE_OUTSIDE };

static bool read_number(const char **text, uint64_t *ret)
{
	char *end;

	if (**text < '0' || **text > '9')
		return false;
	*ret = strtoumax(*text, &end, 10);
	*text = end;
	return true;
}

/*
 * RFC 9110, 14.1.2. Several ranges at once, and what we don't understand, get the whole, which is
 * then ret.
 */
static enum asked_range range_parse(const char *text, uint64_t size, struct range *ret)
{
	uint64_t first = 0, last = UINT64_MAX;
	bool from;

	*ret = (struct range){ .len = size };
	if (!text || strncasecmp(text, "bytes=", 6) != 0)
		return RANGE_WHOLE;
	text += 6;
	from = read_number(&text, &first);
	if (*text++ != '-')
		return RANGE_WHOLE;
	if (!read_number(&text, &last) && !from)
		return RANGE_WHOLE;
	if (*text || (from && last < first))
		return RANGE_WHOLE;
	if (!from) { /* the last so many bytes */
		if (last == 0)
			return RANGE_OUTSIDE;
		first = last < size ? size - last : 0;
		last = UINT64_MAX;
	}
	if (first >= size)
		return RANGE_OUTSIDE;
	*ret = (struct range){ first, (last < size ? last + 1 : size) - first };
	return RANGE_PART;
}

/* A list of quoted tags, any of them perhaps weak; "*" fits all. */
static bool has_tag(const char *list, const char *quoted)
{
	size_t len = strlen(quoted);

	if (!list)
		return false;
	if (strcmp(list, "*") == 0)
		return true;
	for (const char *c = strstr(list, quoted); c; c = strstr(c + 1, quoted)) {
		const char *before = c >= list + 2 && memcmp(c - 2, "W/", 2) == 0 ? c - 2 : c;

		if ((before == list || strchr(", ", before[-1])) &&
		    (c[len] == '\0' || strchr(", ", c[len])))
			return true;
	}
	return false;
}

/* The range asked for, unless the client wants it of another version only. */
static enum asked_range asked_range(const struct http_req *req, const char *tag, uint64_t size,
				    struct range *ret)
{
	const char *condition = http_header(req, MHD_HTTP_HEADER_IF_RANGE);

	const char *range = http_header(req, MHD_HTTP_HEADER_RANGE);

	if (strcmp(req->method, "GET") != 0 || (condition && (!tag || strcmp(condition, tag) != 0)))
		range = NULL;
	return range_parse(range, size, ret);
}

static int refuse_range(struct http_res *res, uint64_t size)
{
	char unsatisfied[48];

	snprintf(unsatisfied, sizeof(unsatisfied), "bytes */%" PRIu64, size);
	http_set_header(res, MHD_HTTP_HEADER_CONTENT_RANGE, unsatisfied);
	return http_send_json(res, 416,
			      json_make("{s:s}", "detail", "the range lies outside the file"));
}

/* Takes fd, which is then -1. */
static int answer_range(struct http_res *res, int status, const char *type, int *fd,
			const struct range *range)
{
	struct MHD_Response *response =
		MHD_create_response_from_fd_at_offset64(range->len, *fd, range->first);

	if (response)
		*fd = -1;
	return answer(res, status, type, response);
}

int http_send_file(struct http_res *res, int fd, const char *type, const char *etag)
{
	AUTO(int, closep) taken = fd;
	AUTO(char *, freep) tag = etag ? strf("\"%s\"", etag) : NULL;
	char content_range[80];
	struct range range;
	struct stat st;
	uint64_t size;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -ERR_INTERNAL;
	size = (uint64_t)st.st_size;
	if (etag) {
		http_set_header(res, MHD_HTTP_HEADER_ETAG, tag);
		if (tag && has_tag(http_header(res->req, MHD_HTTP_HEADER_IF_NONE_MATCH), tag))
			return http_send_nothing(res, 304);
	}
	http_set_header(res, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes");
	switch (asked_range(res->req, tag, size, &range)) {
	case RANGE_OUTSIDE: return refuse_range(res, size);
	case RANGE_WHOLE: return answer_range(res, 200, type, &taken, &range);
	case RANGE_PART: break;
	}
	snprintf(content_range, sizeof(content_range), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
		 range.first, range.first + range.len - 1, size);
	http_set_header(res, MHD_HTTP_HEADER_CONTENT_RANGE, content_range);
	return answer_range(res, 206, type, &taken, &range);
}

/* Feeds are none of the streams that are counted: whoever makes them counts them. */
static int begin(struct http_res *res, int status, const char *type, size_t buffer, bool is_stream,
		 struct err *e)
{
	struct http_req *req = res->req;
	struct MHD_Connection *connection = req->connection;
	struct MHD_Response *response;
	struct stream *stream = NULL;
	struct payer payer;
	int r;

	if (req->stage != REQUEST_WORKING)
		return err_set(e, ERR_INTERNAL, "a quick route can't make its answer as it goes");
	r = request_keep(req, e);
	if (r == 0 && is_stream)
		r = request_count_stream(req, e);
	payer = request_payer(req);
	if (r == 0)
		r = stream_new(connection, server_aborting(req->server), server_spool(req->server),
			       &payer, buffer, &stream, e);
	if (r < 0)
		return r;
	res->silent = strcmp(req->method, "HEAD") == 0;
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, stream_read,
						     stream, NULL);
	/* Else libmicrohttpd 0.9.75 ends with a last chunk a body that a HEAD doesn't have. */
	if (response && res->silent)
		MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
	r = answer(res, status, type, response);
	if (r < 0) {
		stream_free(stream);
		return err_set(e, (enum err_code)(-r), "begin the answer");
	}
	res->stream = stream;
	req->connection = NULL; /* it may end before we do */
	MHD_resume_connection(connection);
	return 0;
}

int http_begin(struct http_res *res, int status, const char *type, struct err *e)
{
	return begin(res, status, type, STREAM_BUFFER, true, e);
}

/* A feed is one holder of its request. */
struct http_feed {
	struct http_req *req;
};

int http_feed_new(struct http_res *res, const char *type, size_t buffer,
		  struct http_feed **ret_feed, struct err *e)
{
	struct http_feed *feed = malloc(sizeof(*feed));
	int r;

	if (!feed)
		return err_memory(e);
	r = begin(res, 200, type, buffer, false, e);
	if (r < 0) {
		free(feed);
		return r;
	}
	feed->req = res->req;
	res->fed = true;
	atomic_fetch_add(&feed->req->holders, 1);
	*ret_feed = feed;
	return 0;
}

bool http_feed_send(struct http_feed *feed, const void *bytes, size_t len)
{
	return stream_offer(feed->req->res.stream, bytes, len);
}

void http_feed_free(struct http_feed *feed)
{
	if (!feed)
		return;
	stream_end(feed->req->res.stream, true);
	request_drop(feed->req);
	free(feed);
}

int http_write(struct http_res *res, const void *bytes, size_t len, struct err *e)
{
	return res->silent ? 0 : stream_write(res->stream, bytes, len, e);
}

static void log_failure(struct http_req *req, const struct err *e)
{
	/* A client that hangs up is no fault of ours. */
	bool ours = err_status(e->code) >= 500 && e->code != ERR_ABORTED;
	enum log_level level = ours ? LOG_ERROR : LOG_INFO;

	log_set_request(http_req_id(req));
	log_line(level, "%s %s: %d %s: %s", req->method, req->path, err_status(e->code),
		 err_word(e->code), e->msg);
	log_set_request(NULL);
}

static void set_error_headers(struct http_res *res, const struct err *e)
{
	res->headers = NULL; /* they were about what didn't come about */
	res->header_lost = false;
	if (e->code == ERR_UNAUTHORIZED)
		http_set_header(res, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
	if (e->code == ERR_UPGRADE) /* RFC 6455, 4.4: which one it may try instead */
		http_set_header(res, "Sec-WebSocket-Version", "13");
	if (e->code == ERR_METHOD && res->req->match.allow)
		http_set_header(res, MHD_HTTP_HEADER_ALLOW, res->req->match.allow);
}

static json_t *error_json(struct http_req *req, const struct err *e)
{
	if (e->code == ERR_VALIDATION && req->problems)
		return json_make("{s:O}", "detail", req->problems);
	return json_make("{s:o}", "detail", json_text(e->msg));
}

void respond_error(struct http_req *req, const struct err *e)
{
	static const char no_memory[] = "{\"detail\":\"out of memory\"}";
	struct http_res *res = &req->res;

	log_failure(req, e);
	if (res->stream || res->socket)
		return;
	if (res->ready)
		MHD_destroy_response(TAKE(res->ready));
	set_error_headers(res, e);
	if (http_send_json(res, err_status(e->code), error_json(req, e)) < 0) {
		res->headers = NULL;
		res->header_lost = false;
		http_send_static(res, 500, type_json, no_memory, sizeof(no_memory) - 1);
	}
}
