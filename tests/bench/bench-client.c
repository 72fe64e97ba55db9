/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a call of the SDK costs beside the same request by libcurl alone.
 *
 *	bench-client URL TOKEN CALLS
 *
 * Both send the same GET /api/v1/health over one kept connection, in turns of a few hundred calls,
 * so that both see the same machine; libcurl alone keeps the bytes and looks no further, the SDK's
 * result is the typed struct. Prints, for each, the median turn's microseconds per call by the
 * clock on the wall and by this process's processor time, as "raw WALL CPU" and "sdk WALL CPU";
 * and "ratio WALL CPU", the median of what the SDK's turns took, times the turns beside them.
 */
#include "base/buf.h"
#include "base/own.h"

#include <ctfy/node_client.h>

#include <curl/curl.h>
#include <string.h>
#include <time.h>

enum { TURN = 250, TURNS_MAX = 400 };

struct times {
	double wall[TURNS_MAX], cpu[TURNS_MAX]; /* microseconds per call of each turn */
	size_t count;
};

struct bench {
	CURL *easy;
	struct buf body;
	struct ctfy_node_client *client;
};

static double now_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static size_t keep(char *bytes, size_t size, size_t count, void *body)
{
	buf_put(body, bytes, size * count);
	return size * count;
}

static bool call_raw(struct bench *b)
{
	long status = 0;

	buf_clear(&b->body);
	if (curl_easy_perform(b->easy) != CURLE_OK)
		return false;
	curl_easy_getinfo(b->easy, CURLINFO_RESPONSE_CODE, &status);
	return status == 200 && b->body.len > 0;
}

static bool call_sdk(struct bench *b)
{
	struct ctfy_node_health health;
	int r = ctfy_node_health(b->client, &health, NULL, NULL);
	bool ok = r == 0 && health.capacity > 0;

	ctfy_node_health_done(&health);
	return ok;
}

static void take_turn(struct bench *b, bool (*call)(struct bench *b), struct times *times)
{
	double wall = now_us(CLOCK_MONOTONIC), cpu = now_us(CLOCK_PROCESS_CPUTIME_ID);

	for (int i = 0; i < TURN; i++) {
		if (!call(b)) {
			fprintf(stderr, "bench-client: a call failed\n");
			exit(1);
		}
	}
	times->wall[times->count] = (now_us(CLOCK_MONOTONIC) - wall) / TURN;
	times->cpu[times->count++] = (now_us(CLOCK_PROCESS_CPUTIME_ID) - cpu) / TURN;
}

static int by_value(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), by_value);
	return values[count / 2];
}

static void divide(const struct times *a, const struct times *b, struct times *ret_ratio)
{
	for (size_t i = 0; i < a->count; i++) {
		ret_ratio->wall[i] = a->wall[i] / b->wall[i];
		ret_ratio->cpu[i] = a->cpu[i] / b->cpu[i];
	}
	ret_ratio->count = a->count;
}

static void print(const char *name, struct times *times)
{
	printf("%s %.3f %.3f\n", name, median(times->wall, times->count),
	       median(times->cpu, times->count));
}

static void set_up_raw(struct bench *b, const char *url, const char *token)
{
	AUTO(char *, freep) health = strf("%s/api/v1/health", url);
	AUTO(char *, freep) authorization = strf("Authorization: Bearer %s", token);

	b->easy = curl_easy_init();
	curl_easy_setopt(b->easy, CURLOPT_URL, health);
	curl_easy_setopt(b->easy, CURLOPT_HTTPHEADER, curl_slist_append(NULL, authorization));
	curl_easy_setopt(b->easy, CURLOPT_USERAGENT, "ctfy/" CTFY_VERSION);
	curl_easy_setopt(b->easy, CURLOPT_TIMEOUT_MS, (long)(CTFY_NODE_TIMEOUT * 1000));
	curl_easy_setopt(b->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(b->easy, CURLOPT_WRITEFUNCTION, keep);
	curl_easy_setopt(b->easy, CURLOPT_WRITEDATA, &b->body);
}

int main(int argc, char **argv)
{
	struct bench b = { .body = BUF_INIT };
	static struct times raw, sdk, ratio;
	size_t turns;

	if (argc != 4) {
		fprintf(stderr, "usage: bench-client URL TOKEN CALLS\n");
		return 2;
	}
	turns = strtoul(argv[3], NULL, 10) / TURN;
	turns = turns < 1 ? 1 : turns > TURNS_MAX ? TURNS_MAX : turns;
	set_up_raw(&b, argv[1], argv[2]);
	if (ctfy_node_client_new(argv[1], argv[2], NULL, &b.client, NULL) < 0 || !call_raw(&b) ||
	    !call_sdk(&b)) {
		fprintf(stderr, "bench-client: no health at %s\n", argv[1]);
		return 1;
	}
	for (size_t i = 0; i < turns; i++) {
		take_turn(&b, i % 2 ? call_sdk : call_raw, i % 2 ? &sdk : &raw);
		take_turn(&b, i % 2 ? call_raw : call_sdk, i % 2 ? &raw : &sdk);
	}
	divide(&sdk, &raw, &ratio);
	print("ratio", &ratio);
	print("raw", &raw);
	print("sdk", &sdk);
	return 0;
}
