/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/own.h"
#include "engine/client.h"
#include "engine/json.h"
#include "engine/request.h"

#include <stdio.h>
#include <string.h>

enum {
	TIMEOUT_MS = 60000,
	PING_TIMEOUT_MS = 10000, /* it takes the engine a few milliseconds on a busy host, too */
	MAX_IDLE = 32,           /* connections: as many starts as an engine can well do at once */
};

struct api_version {
	long major, minor;
};

/* Engine 20.10 spoke 1.41; engines since 29 refuse what is older than 1.44. */
static const struct api_version oldest = { 1, 41 };
static const struct api_version newest = { 1, 47 };

static const char *environment(const char *name)
{
	const char *value = secure_getenv(name);

	return value && value[0] ? value : NULL;
}

static const char *find_cert_dir(const struct engine_options *options)
{
	if (options->cert_dir)
		return options->cert_dir;
	return environment("DOCKER_TLS_VERIFY") ? environment("DOCKER_CERT_PATH") : NULL;
}

static const char *find_url(const struct engine_options *options)
{
	const char *url = options->url ? options->url : environment("DOCKER_HOST");

	return url ? url : "unix:///var/run/docker.sock";
}

/* tcp:// is the engine's own word for HTTP, with ports of its own. */
static char *http_url(const char *url, bool secure)
{
	static const char tcp[] = "tcp://";
	const char *host, *after_host, *port;

	if (strncmp(url, tcp, sizeof(tcp) - 1) != 0)
		return strdup(url);
	host = url + sizeof(tcp) - 1;
	after_host = strchr(host, ']'); /* an IPv6 address has colons of its own */
	port = strchr(after_host ? after_host : host, ':') ? "" : secure ? ":2376" : ":2375";
	return strf("%s://%s%s", secure ? "https" : "http", host, port);
}

static int connect_http(struct engine *engine, const char *cert_dir, struct err *e)
{
	struct http_client_options http = { .role = "engine", .max_idle = MAX_IDLE };
	AUTO(char *, freep) url = http_url(engine->url, cert_dir);
	AUTO(char *, freep) ca = NULL;
	AUTO(char *, freep) cert = NULL;
	AUTO(char *, freep) key = NULL;

	if (!url)
		return err_memory(e);
	if (cert_dir && strncmp(url, "https:", 6) == 0) {
		ca = strf("%s/ca.pem", cert_dir);
		cert = strf("%s/cert.pem", cert_dir);
		key = strf("%s/key.pem", cert_dir);
		if (!ca || !cert || !key)
			return err_memory(e);
	}
	http.base_url = url;
	http.ca_file = ca;
	http.client_cert = cert;
	http.client_key = key;
	return http_client_new(&http, &engine->http, e);
}

static bool parse_version(const char *text, struct api_version *ret_version)
{
	char *end;

	ret_version->major = strtol(text, &end, 10);
	if (end == text || *end != '.')
		return false;
	text = end + 1;
	ret_version->minor = strtol(text, &end, 10);
	return end != text && *end == '\0';
}

static bool is_older(struct api_version a, struct api_version b)
{
	return a.major < b.major || (a.major == b.major && a.minor < b.minor);
}

static int agree_on_api(struct engine *engine, const json_t *version, struct err *e)
{
	struct api_version theirs, least = { 0, 0 };

	if (!parse_version(json_get_text(version, "ApiVersion"), &theirs))
		return err_set(e, ERR_PROTOCOL, "engine '%s' does not tell its API version",
			       engine->url);
	if (is_older(theirs, oldest))
		return err_set(e, ERR_ENGINE,
			       "engine '%s' speaks API %ld.%ld; %ld.%ld (Docker 20.10) or newer is "
			       "needed: update the engine",
			       engine->url, theirs.major, theirs.minor, oldest.major, oldest.minor);
	parse_version(json_get_text(version, "MinAPIVersion"), &least);
	if (is_older(newest, least))
		return err_set(
			e, ERR_ENGINE,
			"engine '%s' wants API %ld.%ld or newer; ctfy speaks at most %ld.%ld: "
			"update ctfy",
			engine->url, least.major, least.minor, newest.major, newest.minor);
	if (is_older(newest, theirs))
		theirs = newest;
	snprintf(engine->api, sizeof(engine->api), "%ld.%ld", theirs.major, theirs.minor);
	return 0;
}

static bool is_podman(const json_t *version)
{
	const json_t *component;
	size_t i;

	json_array_foreach (json_object_get(version, "Components"), i, component)
		if (strstr(json_get_text(component, "Name"), "Podman"))
			return true;
	return false;
}

static int meet(struct engine *engine, struct err *e)
{
	AUTO(struct request, request_done) req;
	AUTO(json_t *, json_decrefp) version = NULL;
	int r;

	request_begin(&req, engine, "GET", "/version");
	r = request_run(&req, &version, e);
	if (r < 0)
		return r;
	r = agree_on_api(engine, version, e);
	if (r < 0)
		return r;
	engine->podman = is_podman(version);
	engine->version = strdup(json_get_text(version, "Version"));
	return engine->version ? 0 : err_memory(e);
}

int engine_open(const struct engine_options *options, struct engine **ret_engine, struct err *e)
{
	AUTO(struct engine *, engine_closep) engine = calloc(1, sizeof(*engine));
	int r;

	if (!engine)
		return err_memory(e);
	engine->observe = options->observe;
	engine->cookie = options->cookie;
	engine->timeout_ms = options->timeout_ms ? options->timeout_ms : TIMEOUT_MS;
	engine->url = strdup(find_url(options));
	if (!engine->url)
		return err_memory(e);
	r = connect_http(engine, find_cert_dir(options), e);
	if (r < 0)
		return err_wrap(e, "engine '%s'", engine->url);
	r = meet(engine, e);
	if (r < 0)
		return r;
	*ret_engine = TAKE(engine);
	return 0;
}

void engine_close(struct engine *engine)
{
	if (!engine)
		return;
	http_client_free(engine->http);
	free(engine->url);
	free(engine->version);
	free(engine);
}

const char *engine_url(const struct engine *engine)
{
	return engine->url;
}

const char *engine_version(const struct engine *engine)
{
	return engine->version;
}

const char *engine_api_version(const struct engine *engine)
{
	return engine->api;
}

bool engine_is_podman(const struct engine *engine)
{
	return engine->podman;
}

int engine_ping(struct engine *engine, struct err *e)
{
	AUTO(struct request, request_done) req;

	request_begin(&req, engine, "GET", "/_ping");
	if (req.call.timeout_ms > PING_TIMEOUT_MS)
		req.call.timeout_ms = PING_TIMEOUT_MS;
	return request_run(&req, NULL, e);
}

int engine_info(struct engine *engine, json_t **ret_info, struct err *e)
{
	AUTO(struct request, request_done) req;

	request_begin(&req, engine, "GET", "/info");
	return request_run(&req, ret_info, e);
}

int64_t engine_time_ms(const char *text)
{
	int64_t ms;

	return clock_parse(text, &ms) && ms > 0 ? ms : 0;
}
