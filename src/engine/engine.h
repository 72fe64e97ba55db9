/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Docker Engine, or Podman's imitation of one, spoken to through its API.
 *
 * One engine is one client: any number of threads may call through it at once. It outlives
 * restarts of the engine: calls made meanwhile fail, later ones connect anew.
 *
 * What every call of this room promises, beyond what its own comment says:
 *   - Containers, networks, images and volumes are named by name or by id.
 *   - The engine's own words stand at the end of e.msg, behind what was tried:
 *     "create container 'web': Conflict. The container name ... is already in use ..."
 *   - Its refusals are NOT_FOUND (404), CONFLICT (409; 403, by which it says that another object is
 *     in the way) or ENGINE (anything else, and failures told inside a stream).
 *   - An engine that can't be reached is CONNECT, TLS, TIMEOUT or TRANSPORT, and e.msg then names
 *     it; one that answers with nonsense is PROTOCOL. None of these says whether the call took
 *     effect.
 *   - json_t results are new references, the caller's.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct engine;

struct engine_options {
	/*
	 * unix:///path/of/socket, tcp://host:port, http://... or https://...
	 * NULL: DOCKER_HOST of the environment, else unix:///var/run/docker.sock.
	 */
	const char *url;
	/*
	 * Directory of ca.pem, cert.pem and key.pem; makes tcp:// mean https.
	 * NULL: DOCKER_CERT_PATH where DOCKER_TLS_VERIFY is set, else plain tcp and the system's
	 * authorities.
	 */
	const char *cert_dir;
	/*
	 * Patience with calls that only ask; those that make, start or end things have five times
	 * as much. 0: a minute, for an engine under load takes its time.
	 */
	int64_t timeout_ms;
	/*
	 * Told of every request when it is over, on the thread that made it: the call as a literal
	 * ("POST", "/containers/%s/start"), how long it took, and how it ended (ERR_NONE: well).
	 */
	void (*observe)(void *cookie, const char *method, const char *call, int64_t us,
			enum err_code outcome);
	void *cookie;
};

/*
 * Connects and agrees on the API's version: the engine's own, or ours where that is older. Fails
 * with INVALID (the URL) or ENGINE (no version in common: the engine's is older than 1.41, or it
 * refuses ours as too old).
 */
int engine_open(const struct engine_options *options, struct engine **ret_engine, struct err *e);
void engine_close(struct engine *engine);
static inline void engine_closep(struct engine **engine)
{
	engine_close(*engine);
}

/* Facts found when opening; strings live as long as the engine. */
const char *engine_url(const struct engine *engine);
const char *engine_version(const struct engine *engine);     /* the engine's own: "20.10.24" */
const char *engine_api_version(const struct engine *engine); /* the one agreed on: "1.41" */
bool engine_is_podman(const struct engine *engine);

/* Whether the engine answers, asked of the engine itself. */
int engine_ping(struct engine *engine, struct err *e);

/* GET /info: processors, memory, storage driver, cgroup version... */
int engine_info(struct engine *engine, json_t **ret_info, struct err *e);

/* A time of the engine's ("2026-11-23T01:16:56.123456789Z") as Unix ms; 0 for its zero time. */
int64_t engine_time_ms(const char *text);

#endif
