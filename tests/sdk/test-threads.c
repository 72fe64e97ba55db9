/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Eight threads, each with a client of its own, then all with one: everyone gets their own answers
 * and their own errors. Meant for the sanitizers.
 */
#include <ctfy/node_client.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 8, ROUNDS = 25 };

struct worker {
	struct ctfy_node_client *client; /* shared; NULL: makes its own */
	int number;
	int failures;
};

static void expect(struct worker *worker, bool fact, const char *what, struct ctfy_error *error)
{
	if (fact)
		return;
	fprintf(stderr, "thread %d: %s: %s\n", worker->number, what,
		error->detail ? error->detail : "no error");
	worker->failures++;
}

static void one_round(struct worker *worker, struct ctfy_node_client *client)
{
	struct ctfy_error error = CTFY_ERROR_INIT;
	struct ctfy_instance row;
	struct ctfy_bytes pcap;
	char id[32], detail[64];

	expect(worker, ctfy_node_get_status(client, "team-7", &row, NULL, &error) == 0, "status",
	       &error);
	expect(worker, row.service_count == 2, "services", &error);
	ctfy_instance_done(&row);

	snprintf(id, sizeof(id), "nobody-%d", worker->number);
	snprintf(detail, sizeof(detail), "instance '%s' not found", id);
	expect(worker, ctfy_node_get_status(client, id, &row, NULL, &error) == -CTFY_ERROR_NODE,
	       "no status", &error);
	expect(worker, error.detail && strcmp(error.detail, detail) == 0, "own detail", &error);

	expect(worker, ctfy_node_get_pcap(client, "team-7", &pcap, NULL, &error) == 0, "pcap",
	       &error);
	expect(worker, pcap.size == 24, "size of pcap", &error);
	ctfy_bytes_done(&pcap);
	ctfy_error_done(&error);
}

static void *work(void *cookie)
{
	struct worker *worker = cookie;
	struct ctfy_node_client *own = NULL;
	struct ctfy_error error = CTFY_ERROR_INIT;

	if (!worker->client)
		expect(worker,
		       ctfy_node_client_new(getenv("CTFY_PEER_URL"), getenv("CTFY_PEER_TOKEN"),
					    NULL, &own, &error) == 0,
		       "client", &error);
	for (int i = 0; i < ROUNDS && worker->failures == 0; i++)
		one_round(worker, own ? own : worker->client);
	ctfy_node_client_free(own);
	return NULL;
}

static int run_threads(struct ctfy_node_client *shared)
{
	struct worker workers[THREADS] = { 0 };
	pthread_t threads[THREADS];
	int failures = 0;

	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ shared, i, 0 };
		if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0)
			abort();
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		failures += workers[i].failures;
	}
	return failures;
}

int main(void)
{
	struct ctfy_node_client *shared;
	int failures = run_threads(NULL);

	if (ctfy_node_client_new(getenv("CTFY_PEER_URL"), getenv("CTFY_PEER_TOKEN"), NULL, &shared,
				 NULL) < 0)
		return 1;
	failures += run_threads(shared);
	ctfy_node_client_free(shared);
	printf("%d threads, %d failures\n", THREADS, failures);
	return failures ? 1 : 0;
}
