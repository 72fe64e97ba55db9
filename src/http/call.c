/* SPDX-License-Identifier: Apache-2.0 */
#include "http/call.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/own.h"
#include "http/client.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum {
	CONNECT_TIMEOUT_MS = 10000,
	MAX_IDLE_DEFAULT = 8,
	/* Shorter than a server's patience with an idle connection: what we reuse, it still has. */
	IDLE_CONNECTION_S = 30,
	RECEIVE_SIZE = 64 << 10,
	HEADERS_MAX = 256 << 10,
	PARTING_MAX = 64 << 10,
};

/* One call under way, as libcurl's callbacks see it. */
struct transfer {
	const struct http_client *client;
	const struct http_call *call;
	struct http_reply *reply;
	struct err *e;
	CURL *easy;
	int failure; /* what a callback failed with; e is filled */
	bool body_began;
	bool sinking;
	uint64_t received;
	unsigned attempts;
	curl_off_t moved; /* bytes both ways when we last looked */
	int64_t moved_at;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_init(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void slist_freep(struct curl_slist **list)
{
	curl_slist_free_all(*list);
}

static void curl_url_freep(CURLU **url)
{
	curl_url_cleanup(*url);
}

static void curl_string_freep(char **s)
{
	curl_free(*s);
}

static int slist_add(struct curl_slist **list, const char *line, struct err *e)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (!longer)
		return err_memory(e);
	*list = longer;
	return 0;
}

/* Text with a line end in it would add headers, or a whole request, of its author's choice. */
static bool is_one_line(const char *s)
{
	for (; *s; s++)
		if (iscntrl((unsigned char)*s) && *s != '\t')
			return false;
	return true;
}

static int refuse_url(const char *base_url, const char *why, struct err *e)
{
	return err_set(e, ERR_INVALID, "URL '%s' %s", base_url, why);
}

static bool url_has(CURLU *url, CURLUPart part)
{
	AUTO(char *, curl_string_freep) value = NULL;

	return curl_url_get(url, part, &value, 0) == CURLUE_OK;
}

static int check_url(const char *base_url, struct err *e)
{
	static const char must_begin[] = "must begin with http://, https:// or unix://";
	AUTO(CURLU *, curl_url_freep) url = curl_url();
	AUTO(char *, curl_string_freep) scheme = NULL;

	if (!url)
		return err_memory(e);
	if (curl_url_set(url, CURLUPART_URL, base_url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
	    curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK)
		return refuse_url(base_url, strstr(base_url, "://") ? "is not a URL" : must_begin,
				  e);
	if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
		return refuse_url(base_url, must_begin, e);
	if (url_has(url, CURLUPART_USER) || url_has(url, CURLUPART_PASSWORD))
		return err_set(e, ERR_INVALID, "a URL must not carry a name or password");
	if (url_has(url, CURLUPART_QUERY) || url_has(url, CURLUPART_FRAGMENT))
		return refuse_url(base_url, "must not have a query or fragment", e);
	return 0;
}

static int copy(char **ret_copy, const char *s, struct err *e)
{
	if (!s)
		return 0;
	*ret_copy = strdup(s);
	return *ret_copy ? 0 : err_memory(e);
}

static int set_address(struct http_client *client, const char *base_url, struct err *e)
{
	static const char unix_scheme[] = "unix://";
	size_t len;
	int r;

	if (strncmp(base_url, unix_scheme, sizeof(unix_scheme) - 1) == 0) {
		const char *path = base_url + sizeof(unix_scheme) - 1;

		if (path[0] != '/')
			return refuse_url(base_url, "needs an absolute path: unix:///run/x.sock",
					  e);
		r = copy(&client->socket_path, path, e);
		return r < 0 ? r : copy(&client->base, "http://localhost", e);
	}

	r = check_url(base_url, e);
	if (r < 0)
		return r;
	r = copy(&client->base, base_url, e);
	if (r < 0)
		return r;
	for (len = strlen(client->base); len > 0 && client->base[len - 1] == '/'; len--)
		client->base[len - 1] = '\0';
	return 0;
}

static int add_to_all(struct http_client *client, const char *line, struct err *e)
{
	int r = slist_add(&client->headers, line, e);

	return r < 0 ? r : slist_add(&client->json_headers, line, e);
}

static int make_headers(struct http_client *client, const char *bearer, struct err *e)
{
	int r;

	if (bearer) {
		if (!is_one_line(bearer))
			return err_set(e, ERR_INVALID, "the bearer token has control characters");
		client->authorization = strf("Authorization: Bearer %s", bearer);
		if (!client->authorization)
			return err_memory(e);
		r = add_to_all(client, client->authorization, e);
		if (r < 0)
			return r;
	}
	r = add_to_all(client, "Expect:", e); /* no waiting for 100-continue */
	if (r < 0)
		return r;
	r = slist_add(&client->headers, "Content-Type:", e); /* or an empty body were a form */
	if (r < 0)
		return r;
	return slist_add(&client->json_headers, "Content-Type: application/json", e);
}

int http_client_new(const struct http_client_options *options, struct http_client **ret_client,
		    struct err *e)
{
	AUTO(struct http_client *, http_client_freep) client = calloc(1, sizeof(*client));
	int r;

	if (!client)
		return err_memory(e);
	pthread_once(&curl_once, curl_init);
	pthread_mutex_init(&client->lock, NULL);
	client->max_idle = options->max_idle ? options->max_idle : MAX_IDLE_DEFAULT;

	r = set_address(client, options->base_url, e);
	if (r < 0)
		return r;
	client->peer = strf("%s '%s'", options->role ? options->role : "server",
			    client->socket_path ? options->base_url : client->base);
	if (!client->peer)
		return err_memory(e);
	if ((r = copy(&client->ca_file, options->ca_file, e)) < 0 ||
	    (r = copy(&client->client_cert, options->client_cert, e)) < 0 ||
	    (r = copy(&client->client_key, options->client_key, e)) < 0 ||
	    (r = make_headers(client, options->bearer, e)) < 0)
		return r;

	*ret_client = TAKE(client);
	return 0;
}

void http_client_free(struct http_client *client)
{
	struct http_line *line, *next;

	if (!client)
		return;
	for (line = client->idle; line; line = next) {
		next = line->next;
		http_line_free(line);
	}
	curl_slist_free_all(client->headers);
	curl_slist_free_all(client->json_headers);
	pthread_mutex_destroy(&client->lock);
	free(client->authorization);
	free(client->client_key);
	free(client->client_cert);
	free(client->ca_file);
	free(client->socket_path);
	free(client->peer);
	free(client->base);
	free(client);
}

/* libcurl makes sockets that the children of our process would inherit. */
static curl_socket_t open_socket(void *cookie, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void)cookie;
	(void)purpose;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/*
 * Who refuses a body early and hangs up has said why before our next send fails, and libcurl then
 * reads no more.
 */
static int close_socket(void *cookie, curl_socket_t fd)
{
	struct http_line *line = cookie;
	int error = errno; /* libcurl tells it afterwards */
	char bytes[4096];
	ssize_t len;

	while (!buf_failed(&line->parting) &&
	       (len = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		buf_put(&line->parting, bytes, (size_t)len);
	errno = error;
	return close(fd);
}

static int refuse(struct transfer *t, enum err_code code, const char *why)
{
	return err_set(t->e, code, "%s: %s", t->client->peer, why);
}

static size_t on_header(char *line, size_t size, size_t count, void *cookie)
{
	struct transfer *t = cookie;
	size_t len = size * count;

	if (len > 5 && memcmp(line, "HTTP/", 5) == 0)
		buf_clear(&t->reply->headers); /* what came before was an interim 1xx */
	buf_put(&t->reply->headers, line, len);
	if (!buf_failed(&t->reply->headers))
		return len;
	t->failure = t->reply->headers.out_of_memory
			     ? err_memory(t->e)
			     : refuse(t, ERR_TRANSPORT, "its headers are too large");
	return 0;
}

static bool is_success(CURL *easy)
{
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	return status >= 200 && status < 300;
}

static void begin_body(struct transfer *t)
{
	uint64_t limit = t->call->max_body ? t->call->max_body : HTTP_BODY_MAX;

	t->body_began = true;
	t->sinking = t->call->sink && is_success(t->easy);
	if (t->call->sink && !t->sinking && limit > HTTP_BODY_MAX)
		limit = HTTP_BODY_MAX; /* meant for the sink, not for memory */
	t->reply->body.limit = limit < SIZE_MAX ? (size_t)limit : SIZE_MAX;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *cookie)
{
	struct transfer *t = cookie;
	size_t len = size * count;

	if (!t->body_began)
		begin_body(t);
	t->received += len;
	if (t->received > t->reply->body.limit) {
		t->failure = refuse(t, ERR_TOO_LARGE, "its answer is too large");
		return 0;
	}
	if (t->sinking) {
		t->failure = t->call->sink(t->call->sink_cookie, bytes, len, t->e);
	} else {
		buf_put(&t->reply->body, bytes, len);
		t->failure = buf_check(&t->reply->body, t->e);
	}
	t->moved_at = clock_monotonic_ms();
	return t->failure < 0 ? 0 : len;
}

static size_t on_source(char *bytes, size_t size, size_t count, void *cookie)
{
	struct transfer *t = cookie;
	size_t len = 0;

	t->failure = t->call->source(t->call->source_cookie, bytes, size * count, &len, t->e);
	t->moved_at = clock_monotonic_ms();
	return t->failure < 0 ? CURL_READFUNC_ABORT : len;
}

static int on_progress(void *cookie, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
		       curl_off_t up)
{
	struct transfer *t = cookie;
	int64_t now = clock_monotonic_ms();
	curl_off_t moved = down + up + (curl_off_t)t->reply->headers.len;

	(void)down_total;
	(void)up_total;
	if (t->call->cancelled && atomic_load(t->call->cancelled)) {
		t->failure = refuse(t, ERR_ABORTED, "the call was given up");
		return 1;
	}
	if (!t->call->idle_timeout_ms)
		return 0;
	if (moved != t->moved) {
		t->moved = moved;
		t->moved_at = now;
	}
	if (now - t->moved_at < t->call->idle_timeout_ms)
		return 0;
	t->failure = err_set(t->e, ERR_TIMEOUT, "%s: nothing came for %lld ms", t->client->peer,
			     (long long)t->call->idle_timeout_ms);
	return 1;
}

static bool may_repeat(const struct http_call *call)
{
	static const char *const idempotent[] = { "GET", "HEAD", "PUT", "DELETE", "OPTIONS" };

	for (size_t i = 0; i < ARRAY_SIZE(idempotent) && !call->source; i++)
		if (strcmp(call->method, idempotent[i]) == 0)
			return true;
	return false;
}

/*
 * A kept connection may end between two calls. When it does so before an answer began, libcurl
 * repeats the request on a new one; but the peer may have acted on the first, so that only what
 * may be done twice is repeated.
 */
static int before_request(void *cookie, char *peer_ip, char *own_ip, int peer_port, int own_port)
{
	struct transfer *t = cookie;

	(void)peer_ip;
	(void)own_ip;
	(void)peer_port;
	(void)own_port;
	if (t->attempts++ == 0 || may_repeat(t->call))
		return CURL_PREREQFUNC_OK;
	t->failure = refuse(t, ERR_TRANSPORT,
			    "the connection ended before an answer; the request may have been "
			    "carried out");
	return CURL_PREREQFUNC_ABORT;
}

static void set_up(struct http_client *client, struct http_line *line)
{
	CURL *easy = line->easy;

	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "ctfy/" CTFY_VERSION);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
	curl_easy_setopt(easy, CURLOPT_MAXCONNECTS, 1L);
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)IDLE_CONNECTION_S);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_SIZE);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, line->words);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, line);
	curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, client->socket_path);
	curl_easy_setopt(easy, CURLOPT_SSLCERT, client->client_cert);
	curl_easy_setopt(easy, CURLOPT_SSLKEY, client->client_key);
	if (client->ca_file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, client->ca_file);
}

int http_line_new(struct http_client *client, struct http_line **ret_line, struct err *e)
{
	struct http_line *line = calloc(1, sizeof(*line));

	if (!line)
		return err_memory(e);
	line->url = (struct buf)BUF_INIT;
	line->parting = (struct buf)BUF_LIMITED(PARTING_MAX);
	line->easy = curl_easy_init();
	if (!line->easy) {
		free(line);
		return err_memory(e);
	}
	set_up(client, line);
	*ret_line = line;
	return 0;
}

void http_line_free(struct http_line *line)
{
	if (!line)
		return;
	curl_easy_cleanup(line->easy);
	buf_done(&line->url);
	buf_done(&line->parting);
	free(line);
}

static void set_callbacks(CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_source);
	curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, before_request);
}

static int line_borrow(struct http_client *client, struct http_line **ret_line, struct err *e)
{
	struct http_line *line;

	pthread_mutex_lock(&client->lock);
	line = client->idle;
	if (line) {
		client->idle = line->next;
		client->idle_count--;
	}
	pthread_mutex_unlock(&client->lock);

	if (!line) {
		int r = http_line_new(client, &line, e);

		if (r < 0)
			return r;
		set_callbacks(line->easy);
	}
	*ret_line = line;
	return 0;
}

static void line_return(struct http_client *client, struct http_line *line)
{
	pthread_mutex_lock(&client->lock);
	if (client->idle_count < client->max_idle) {
		line->next = client->idle;
		client->idle = line;
		client->idle_count++;
		line = NULL;
	}
	pthread_mutex_unlock(&client->lock);
	http_line_free(line);
}

static bool is_path(const char *path)
{
	if (path[0] != '/')
		return false;
	for (const char *c = path; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == '#' || *c == 0x7f)
			return false;
	return true;
}

int http_line_aim(struct http_client *client, struct http_line *line, const struct http_call *call,
		  struct err *e)
{
	if (!is_path(call->path))
		return err_set(e, ERR_INVALID, "path '%s' can't be asked for", call->path);
	for (const char *const *header = call->headers; header && *header; header++)
		if (!is_one_line(*header))
			return err_set(e, ERR_INVALID, "header '%s' has control characters",
				       *header);
	buf_clear(&line->url);
	buf_puts(&line->url, client->base);
	buf_puts(&line->url, call->path);
	if (buf_failed(&line->url) ||
	    curl_easy_setopt(line->easy, CURLOPT_URL, line->url.data) != CURLE_OK)
		return err_memory(e);
	return 0;
}

static bool has_body(const struct http_call *call)
{
	return call->body || call->source || strcmp(call->method, "POST") == 0 ||
	       strcmp(call->method, "PUT") == 0 || strcmp(call->method, "PATCH") == 0;
}

static curl_off_t source_size(const struct http_call *call)
{
	return call->source_len ? (curl_off_t)call->source_len : -1;
}

static void set_method(CURL *easy, const struct http_call *call)
{
	/* The method's own options first: each undoes the one before. */
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, NULL);
	if (has_body(call)) {
		bool sourced = call->source;

		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
				 sourced      ? NULL
				 : call->body ? call->body
					      : "");
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
				 sourced ? source_size(call) : (curl_off_t)call->body_len);
		if (strcmp(call->method, "POST") != 0)
			curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
	} else if (strcmp(call->method, "HEAD") == 0) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	} else {
		curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
		if (strcmp(call->method, "GET") != 0)
			curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
	}
}

static void set_limits(CURL *easy, const struct http_call *call)
{
	uint64_t max = call->max_body ? call->max_body : HTTP_BODY_MAX;

	/* A HEAD's Content-Length is that of a body which will not come. */
	if (max > INT64_MAX || strcmp(call->method, "HEAD") == 0)
		max = 0;
	curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)max);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)call->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS,
			 call->idle_timeout_ms || call->cancelled ? 0L : 1L);
}

static int content_type_add(struct curl_slist **list, const char *type, struct err *e)
{
	AUTO(char *, freep) line = strf("Content-Type: %s", type);

	return line ? slist_add(list, line, e) : err_memory(e);
}

/* The client's own lists serve most calls as they are; a call with more to say gets a copy. */
static int set_headers(struct http_client *client, CURL *easy, const struct http_call *call,
		       struct curl_slist **ret_own, struct err *e)
{
	bool sends = call->body || call->source;
	struct curl_slist *shared =
		sends && !call->content_type ? client->json_headers : client->headers;
	int r;

	if (!call->headers && !call->source && !call->content_type) {
		curl_easy_setopt(easy, CURLOPT_HTTPHEADER, shared);
		return 0;
	}
	for (struct curl_slist *line = shared; line; line = line->next)
		if ((r = slist_add(ret_own, line->data, e)) < 0)
			return r;
	for (const char *const *line = call->headers; line && *line; line++)
		if ((r = slist_add(ret_own, *line, e)) < 0)
			return r;
	if (sends && call->content_type &&
	    (r = content_type_add(ret_own, call->content_type, e)) < 0)
		return r;
	if (call->source && !call->source_len &&
	    (r = slist_add(ret_own, "Transfer-Encoding: chunked", e)) < 0)
		return r;
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, *ret_own);
	return 0;
}

static enum err_code error_code(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT: return ERR_CONNECT;
	case CURLE_OPERATION_TIMEDOUT: return ERR_TIMEOUT;
	case CURLE_FILESIZE_EXCEEDED: return ERR_TOO_LARGE;
	case CURLE_OUT_OF_MEMORY: return ERR_MEMORY;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_ENGINE_NOTFOUND:
	case CURLE_SSL_ENGINE_SETFAILED:
	case CURLE_SSL_ENGINE_INITFAILED:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_USE_SSL_FAILED:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CRL_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_SHUTDOWN_FAILED:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_CLIENTCERT: return ERR_TLS;
	default: return ERR_TRANSPORT;
	}
}

int http_line_error(const struct http_client *client, struct http_line *line, CURLcode code,
		    struct err *e)
{
	const char *words = line->words[0] ? line->words : curl_easy_strerror(code);
	long os_error = 0;

	if (code == CURLE_COULDNT_CONNECT) {
		curl_easy_getinfo(line->easy, CURLINFO_OS_ERRNO, &os_error);
		errno = (int)os_error;
		if (errno)
			return err_errno(e, ERR_CONNECT, "%s", client->peer);
	}
	return err_set(e, error_code(code), "%s: %s", client->peer, words);
}

/* Whether what a closed connection had still to say was a refusal: then it is the reply. */
static bool take_refusal(struct transfer *t, const struct http_line *line)
{
	const char *text = line->parting.data, *end = strstr(text, "\r\n\r\n");
	char encoding[64];
	int status;

	if (!end || sscanf(text, "HTTP/1.%*d %d", &status) != 1 || status < 400)
		return false;
	buf_put(&t->reply->headers, text, (size_t)(end + 2 - text));
	if (http_reply_header(t->reply, "Transfer-Encoding", encoding, sizeof(encoding))) {
		buf_clear(&t->reply->headers);
		return false;
	}
	buf_puts(&t->reply->body, end + 4);
	t->reply->status = status;
	return true;
}

static int perform(struct transfer *t, struct http_line *line)
{
	CURL *easy = line->easy;
	long status = 0;
	CURLcode code;

	line->words[0] = '\0';
	buf_clear(&line->parting);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(easy, CURLOPT_READDATA, t);
	curl_easy_setopt(easy, CURLOPT_XFERINFODATA, t);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, t);
	code = curl_easy_perform(easy);
	if (t->failure < 0)
		return t->failure;
	if (code == CURLE_SEND_ERROR && t->reply->headers.len == 0 && take_refusal(t, line))
		return 0;
	if (code != CURLE_OK)
		return http_line_error(t->client, line, code, t->e);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	t->reply->status = (int)status;
	return 0;
}

static int prepare(struct http_client *client, struct http_line *line, const struct http_call *call,
		   struct curl_slist **ret_headers, struct err *e)
{
	int r = http_line_aim(client, line, call, e);

	if (r < 0)
		return r;
	set_method(line->easy, call);
	set_limits(line->easy, call);
	return set_headers(client, line->easy, call, ret_headers, e);
}

void http_reply_clear(struct http_reply *reply)
{
	buf_clear(&reply->body);
	buf_clear(&reply->headers);
	reply->headers.limit = HEADERS_MAX;
	reply->status = 0;
}

int http_call(struct http_client *client, const struct http_call *call,
	      struct http_reply *ret_reply, struct err *e)
{
	AUTO(struct curl_slist *, slist_freep) headers = NULL;
	struct transfer t = { .client = client,
			      .call = call,
			      .reply = ret_reply,
			      .e = e,
			      .moved_at = clock_monotonic_ms() };
	struct http_line *line;
	int r;

	http_reply_clear(ret_reply);
	r = line_borrow(client, &line, e);
	if (r < 0)
		return r;
	t.easy = line->easy;
	r = prepare(client, line, call, &headers, e);
	if (r == 0)
		r = perform(&t, line);
	line_return(client, line);
	return r;
}

void http_reply_done(struct http_reply *reply)
{
	buf_done(&reply->body);
	buf_done(&reply->headers);
	reply->status = 0;
}

static const char *next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end ? end + 1 : line + strlen(line);
}

static const char *copy_value(const char *line, char *value, size_t size)
{
	size_t len;

	line += strspn(line, " \t");
	len = strcspn(line, "\r\n");
	while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	if (len >= size)
		return NULL;
	memcpy(value, line, len);
	value[len] = '\0';
	return value;
}

const char *http_reply_header(const struct http_reply *reply, const char *name, char *value,
			      size_t size)
{
	size_t name_len = strlen(name);

	for (const char *line = reply->headers.data; *line; line = next_line(line))
		if (strncasecmp(line, name, name_len) == 0 && line[name_len] == ':')
			return copy_value(line + name_len + 1, value, size);
	return NULL;
}

void http_escape(struct buf *b, const char *s)
{
	static const char hex[] = "0123456789ABCDEF";

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (isascii(c) && (isalnum(c) || strchr("-._~", c))) {
			buf_putc(b, *s);
		} else {
			const char escaped[] = { '%', hex[c >> 4], hex[c & 15] };

			buf_put(b, escaped, sizeof(escaped));
		}
	}
}
