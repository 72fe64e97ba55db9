#include "node/traffic.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "challenge/plan.h"
#include "node/compose.h"
#include "node/container.h"
#include "node/evidence.h"
#include "node/node.h"
#include "node/own-image.h"
#include "node/sidecar.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
	RECORDER_MEMORY = 256 << 20,
	RECORDER_PIDS = 64,
	FIRST_PLAYERS_PORT = 9000, /* in the recorder's container */
	PAGE_BYTES = 32 << 20,
};

/* --- recording ---------------------------------------------------------------------------- */

/* What the start said, or the instance's own. */
static int find_dir(struct node *node, const char *instance_id, char **ret_dir, struct err *e)
{
	AUTO(json_t *, json_decrefp) spec = NULL;
	const char *dir;
	int r = evidence_spec(node, instance_id, &spec, e);

	if (r < 0)
		return r;
	dir = json_string_value(json_object_get(spec, "proxy_output_dir"));
	*ret_dir = dir ? strdup(dir) : evidence_path(node, instance_id, "traffic");
	return *ret_dir ? 0 : err_memory(e);
}

bool recorder_takes(const struct plan *plan, const struct plan_service *service,
		    const struct plan_port *port)
{
	const struct plan_network *network = sidecar_network(plan);

	if (!plan->record_http || !network || network->internal || !port->published ||
	    strcmp(port->protocol, "tcp") != 0 || !port->app_protocol ||
	    strcmp(port->app_protocol, "http") != 0)
		return false;
	for (size_t i = 0; i < service->network_count; i++)
		if (strcmp(service->networks[i].network, network->name) == 0)
			return true;
	return false;
}

/* The recorder's side of players' ports. */
struct players {
	struct buf targets; /* "9000=web:80 ..." */
	struct buf ports;   /* "9000,..." */
	json_t *exposed, *bindings;
	unsigned next;
};

static void add_port(const struct compose *compose, struct players *players,
		     const struct plan_service *service, uint32_t replica, uint16_t port,
		     uint16_t host_port)
{
	AUTO(char *, freep) name = project_container_name(compose, service, replica);
	char key[16], published[8];

	snprintf(key, sizeof(key), "%u/tcp", players->next);
	snprintf(published, sizeof(published), "%u", host_port);
	buf_printf(&players->targets, "%s%u=%s:%u", players->targets.len ? " " : "", players->next,
		   name ? name : "", port);
	buf_printf(&players->ports, "%s%u", players->ports.len ? "," : "", players->next);
	json_object_set_new(players->exposed, key, json_object());
	json_object_set_new(players->bindings, key,
			    json_pack("[{s:s,s:s}]", "HostIp", compose->node->options->bind,
				      "HostPort", published));
	players->next++;
}

static void add_ports(const struct compose *compose, struct players *players)
{
	const struct plan *plan = compose->plan;
	const uint16_t *host_port = compose->resources->ports;

	for (size_t i = 0; i < plan->service_count; i++) {
		const struct plan_service *service = &plan->services[i];

		for (uint32_t replica = 0; replica < service->replicas; replica++)
			for (size_t j = 0; j < service->port_count; j++) {
				const struct plan_port *port = &service->ports[j];

				if (recorder_takes(plan, service, port))
					add_port(compose, players, service, replica,
						 port->container_port, *host_port);
				host_port += port->published;
			}
	}
}

static json_t *recorder_body(const struct compose *compose, const char *dir,
			     const struct plan_network *network, char **ret_ports)
{
	AUTO(char *, freep) network_name = instance_network(compose, network->name);
	AUTO(char *, freep) ports = NULL;
	json_t *host = sidecar_limits(RECORDER_MEMORY, RECORDER_PIDS);
	struct players players = { .targets = BUF_INIT,
				   .ports = BUF_INIT,
				   .exposed = json_object(),
				   .bindings = json_object(),
				   .next = FIRST_PLAYERS_PORT };

	add_ports(compose, &players);
	ports = strf("CTFY_PORTS=%s", players.targets.data);
	buf_done(&players.targets);
	*ret_ports = buf_take(&players.ports);
	json_object_set_new(host, "NetworkMode", json_string(network_name));
	container_close_names(compose, network, host);
	json_object_set_new(host, "CapAdd", json_pack("[s]", "DAC_OVERRIDE"));
	json_object_set_new(host, "RestartPolicy", json_pack("{s:s}", "Name", "on-failure"));
	json_object_set_new(host, "Mounts", json_pack("[o]", sidecar_mount(dir, "/traffic")));
	json_object_set_new(host, "PortBindings", players.bindings);
	return json_pack("{s:o,s:o,s:[s,s],s:{s:{s:{s:[s]}}}}", "HostConfig", host, "ExposedPorts",
			 players.exposed, "Env", "CTFY_FLOWS=/traffic/flows.jsonl",
			 ports ? ports : "", "NetworkingConfig", "EndpointsConfig", network_name,
			 "Aliases", RECORDER_SERVICE);
}

int recorder_start(const struct compose *compose, struct err *e)
{
	const struct plan_network *network = sidecar_network(compose->plan);
	AUTO(char *, freep) dir = NULL;
	AUTO(char *, freep) ports = NULL;
	struct sidecar sidecar = { .service = RECORDER_SERVICE, .image = IMAGE_RECORDER };
	int r;

	if (!network)
		return 0; /* nobody can be reached */
	r = find_dir(compose->node, compose->instance_id, &dir, e);
	if (r == 0)
		r = dir_make(dir, 0700, e);
	if (r < 0)
		return r;
	sidecar.body = recorder_body(compose, dir, network, &ports);
	sidecar.ports = ports;
	return sidecar_start(compose, &sidecar, e);
}

/* --- reading ------------------------------------------------------------------------------ */

struct traffic {
	FILE *file; /* NULL: nothing was recorded */
	char *line;
	size_t size;
	int64_t at;
};

int traffic_open(struct node *node, const char *instance_id, struct traffic **ret_traffic,
		 struct err *e)
{
	AUTO(struct traffic *, traffic_closep) traffic = calloc(1, sizeof(*traffic));
	AUTO(char *, freep) dir = NULL;
	AUTO(char *, freep) path = NULL;
	int r = traffic ? find_dir(node, instance_id, &dir, e) : err_memory(e);

	if (r < 0)
		return r;
	path = strf("%s/flows.jsonl", dir);
	if (!path)
		return err_memory(e);
	traffic->file = fopen(path, "re");
	if (!traffic->file && errno != ENOENT)
		return err_errno(e, ERR_INTERNAL, "open '%s'", path);
	*ret_traffic = TAKE(traffic);
	return 0;
}

void traffic_close(struct traffic *traffic)
{
	if (!traffic)
		return;
	if (traffic->file)
		fclose(traffic->file);
	free(traffic->line);
	free(traffic);
}

int traffic_next(struct traffic *traffic, const char **ret_line, size_t *ret_len, struct err *e)
{
	ssize_t len = traffic->file ? getline(&traffic->line, &traffic->size, traffic->file) : -1;

	if (len < 0)
		return traffic->file && ferror(traffic->file)
			       ? err_errno(e, ERR_INTERNAL, "read the recorded flows")
			       : 0;
	if (traffic->line[len - 1] != '\n')
		return 0; /* it is being written */
	traffic->at += len;
	traffic->line[len - 1] = '\0';
	*ret_line = traffic->line;
	*ret_len = (size_t)len - 1;
	return 1;
}

/* A place that we did not hand out may lie inside a line: the next one is the next that begins. */
int traffic_seek(struct traffic *traffic, int64_t at, struct err *e)
{
	const char *line;
	size_t len;
	int r;

	traffic->at = at;
	if (!traffic->file || at == 0)
		return 0;
	if (fseeko(traffic->file, at - 1, SEEK_SET) < 0)
		return err_errno(e, ERR_INTERNAL, "read the recorded flows");
	if (fgetc(traffic->file) == '\n')
		return 0;
	r = traffic_next(traffic, &line, &len, e);
	return r < 0 ? r : 0;
}

/* --- answers ------------------------------------------------------------------------------ */

struct output {
	struct buf part;
	traffic_sink *sink;
	void *cookie;
};

static int flush(struct output *output, struct err *e)
{
	int r = buf_check(&output->part, e);

	if (r == 0)
		r = output->sink(output->cookie, output->part.data, output->part.len, e);
	buf_clear(&output->part);
	return r;
}

static int flush_large(struct output *output, struct err *e)
{
	enum { LARGE = 64 << 10 };

	return output->part.len >= LARGE ? flush(output, e) : 0;
}

int traffic_page(struct traffic *traffic, const char *instance_id, size_t limit, traffic_sink *sink,
		 void *cookie, struct err *e)
{
	struct output output = { .part = BUF_INIT, .sink = sink, .cookie = cookie };
	int64_t begin = traffic->at;
	const char *line;
	size_t len, count = 0;
	int r = 0;

	buf_printf(&output.part, "{\"instance_id\":\"%s\",\"flows\":[", instance_id);
	while (r == 0 && count < limit && traffic->at - begin < PAGE_BYTES) {
		r = traffic_next(traffic, &line, &len, e);
		if (r <= 0)
			break;
		buf_puts(&output.part, count++ ? ",\n" : "");
		buf_put(&output.part, line, len);
		r = flush_large(&output, e);
	}
	buf_printf(&output.part, "],\"next\":%" PRId64 "}", traffic->at);
	if (r == 0)
		r = flush(&output, e);
	buf_done(&output.part);
	return r;
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static const char *header_of(const json_t *message, const char *name)
{
	const json_t *header;
	size_t i;

	json_array_foreach (json_object_get(message, "headers"), i, header)
		if (strcasecmp(text_of(header, "name"), name) == 0)
			return text_of(header, "value");
	return "";
}

static json_t *headers_of(const json_t *message)
{
	json_t *headers = json_object_get(message, "headers");

	return headers ? json_incref(headers) : json_array();
}

static json_int_t body_size(const json_t *message)
{
	return json_integer_value(json_object_get(json_object_get(message, "body"), "size"));
}

/* [{name, value}] of what stands behind the question mark, as it stands there. */
static json_t *har_query(const char *url)
{
	json_t *query = json_array();
	const char *word = strchr(url, '?');

	while (word) {
		size_t len = strcspn(++word, "&#"), name_len = strcspn(word, "=&#");

		if (len > 0)
			json_array_append_new(
				query, json_pack("{s:s%,s:s%}", "name", word, name_len, "value",
						 name_len < len ? word + name_len + 1 : "",
						 name_len < len ? len - name_len - 1 : (size_t)0));
		word = word[len] == '&' ? word + len : NULL;
	}
	return query;
}

static json_t *har_request(const json_t *request)
{
	const json_t *body = json_object_get(request, "body");
	const char *binary = json_string_value(json_object_get(body, "base64"));
	json_t *har =
		json_pack("{s:s,s:s,s:s,s:[],s:o,s:o,s:i,s:I}", "method",
			  text_of(request, "method"), "url", text_of(request, "url"), "httpVersion",
			  text_of(request, "http_version"), "cookies", "headers",
			  headers_of(request), "queryString", har_query(text_of(request, "url")),
			  "headersSize", -1, "bodySize", body_size(request));

	/* "_encoding": HAR has no name for what is no text here. */
	if (body_size(request) > 0)
		json_object_set_new(har, "postData",
				    json_pack("{s:s,s:s,s:s*}", "mimeType",
					      header_of(request, "content-type"), "text",
					      binary ? binary : text_of(body, "text"), "_encoding",
					      binary ? "base64" : NULL));
	return har;
}

static json_t *har_content(const json_t *response)
{
	const json_t *body = json_object_get(response, "body");
	const char *binary = json_string_value(json_object_get(body, "base64"));

	return json_pack("{s:I,s:s,s:s,s:s*}", "size", body_size(response), "mimeType",
			 header_of(response, "content-type"), "text",
			 binary ? binary : text_of(body, "text"), "encoding",
			 binary ? "base64" : NULL);
}

/* A flow without an answer has status 0, as browsers write it. */
static json_t *har_response(const json_t *flow)
{
	const json_t *response = json_object_get(flow, "response");
	const char *version = text_of(response, "http_version");

	return json_pack("{s:I,s:s,s:s,s:[],s:o,s:o,s:s,s:i,s:I,s:s*}", "status",
			 json_integer_value(json_object_get(response, "status")), "statusText",
			 text_of(response, "reason"), "httpVersion", version, "cookies", "headers",
			 headers_of(response), "content", har_content(response), "redirectURL",
			 header_of(response, "location"), "headersSize", -1, "bodySize",
			 body_size(response), "_error",
			 json_string_value(json_object_get(flow, "error")));
}

/* As Chromium writes and reads them. */
static json_t *har_messages(const json_t *flow)
{
	const json_t *messages = json_object_get(json_object_get(flow, "websocket"), "messages");
	json_t *har = json_is_array(messages) ? json_array() : NULL;
	const json_t *message;
	size_t i;

	json_array_foreach (messages, i, message) {
		const char *binary = json_string_value(json_object_get(message, "base64"));
		bool sent = json_is_true(json_object_get(message, "from_client"));
		bool is_text = strcmp(text_of(message, "type"), "text") == 0;
		int64_t at = 0;

		clock_parse(text_of(message, "at"), &at);
		json_array_append_new(har, json_pack("{s:s,s:f,s:i,s:s}", "type",
						     sent ? "send" : "receive", "time",
						     (double)at / 1000, "opcode", is_text ? 1 : 2,
						     "data",
						     binary ? binary : text_of(message, "text")));
	}
	return har;
}

/* Of "address:port", in which an IPv6 address is in brackets. */
static json_t *har_address(const char *server)
{
	const char *port = strrchr(server, ':');
	size_t len = port ? (size_t)(port - server) : 0;
	bool is_bracketed = len > 2 && *server == '[';

	return is_bracketed ? json_stringn(server + 1, len - 2) : json_stringn(server, len);
}

static json_t *har_entry(const json_t *flow)
{
	json_t *timings = json_object_get(flow, "timings");
	json_t *entry =
		json_pack("{s:s,s:f,s:o,s:o,s:{},s:o,s:o,s:s,s:o*}", "startedDateTime",
			  text_of(flow, "started_at"), "time",
			  json_number_value(json_object_get(flow, "duration_ms")), "request",
			  har_request(json_object_get(flow, "request")), "response",
			  har_response(flow), "cache", "timings",
			  timings ? json_incref(timings)
				  : json_pack("{s:i,s:i,s:i}", "send", 0, "wait", 0, "receive", 0),
			  "serverIPAddress", har_address(text_of(flow, "server")), "_clientAddress",
			  text_of(flow, "client"), "_webSocketMessages", har_messages(flow));

	return entry;
}

static int put_entry(struct output *output, const char *line, size_t len, bool first, struct err *e)
{
	AUTO(json_t *, json_decrefp) flow = json_loadb(line, len, 0, NULL);
	AUTO(json_t *, json_decrefp) entry = flow ? har_entry(flow) : NULL;
	AUTO(char *, freep) text = entry ? json_dumps(entry, JSON_COMPACT) : NULL;

	if (!flow)
		return err_set(e, ERR_INTERNAL, "a recorded flow is damaged");
	if (!text)
		return err_memory(e);
	buf_puts(&output->part, first ? "" : ",\n");
	buf_puts(&output->part, text);
	return flush_large(output, e);
}

int traffic_har(struct traffic *traffic, traffic_sink *sink, void *cookie, struct err *e)
{
	struct output output = { .part = BUF_INIT, .sink = sink, .cookie = cookie };
	const char *line = NULL;
	size_t len = 0;
	bool first = true;
	int r;

	buf_puts(&output.part, "{\"log\":{\"version\":\"1.2\",\"creator\":{\"name\":\"ctfy\","
			       "\"version\":\"" CTFY_VERSION "\"},\"pages\":[],\"entries\":[");
	while ((r = traffic_next(traffic, &line, &len, e)) > 0) {
		r = put_entry(&output, line, len, first, e);
		if (r < 0)
			break;
		first = false;
	}
	buf_puts(&output.part, "]}}");
	if (r == 0)
		r = flush(&output, e);
	buf_done(&output.part);
	return r;
}
