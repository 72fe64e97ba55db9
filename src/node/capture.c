/* SPDX-License-Identifier: Apache-2.0 */
#include "node/capture.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/own.h"
#include "base/work.h"
#include "challenge/plan.h"
#include "engine/network.h"
#include "node/capture-count.h"
#include "node/compose.h"
#include "node/container.h"
#include "node/evidence.h"
#include "node/instance.h"
#include "node/node.h"
#include "node/own-image.h"
#include "node/sidecar.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
	CAPTURE_MEMORY = 64 << 20,
	CAPTURE_PIDS = 32,
};

/*
 * Of a network: files of 64 MB (tcpdump's: 64,000,000 bytes and a packet); the first one and the
 * newest three stay, together 256 MB. 16 MiB in the kernel for bursts.
 */
#define FILE_MB     "64"
#define FIRST_BYTES "65000000"
#define FULL_BYTES  "192000000" /* without the one that is begun */
#define FILES_MAX   "64"        /* of starts that wrote little each */
#define KERNEL_KIB  "16384"
#define HEADER_SIZE "24" /* of a file: one that has no more is not worth a place */
/* Of each packet: Ethernet's, IP's and TCP's headers with their usual options. */
#define HEADERS_SIZE "68"
#define WHOLE_SIZE   "0"

/* --- writing ------------------------------------------------------------------------------ */

/* The host's interface of a network. */
static int find_bridge(const struct compose *compose, const char *network, char **ret_bridge,
		       struct err *e)
{
	AUTO(char *, freep) name = instance_network(compose, network);
	AUTO(json_t *, json_decrefp) inspected = NULL;
	const char *bridge = NULL, *id = "";
	int r = name ? engine_network_inspect(compose->node->engine, name, &inspected, e)
		     : err_memory(e);

	if (r < 0)
		return r;
	json_unpack(inspected, "{s:{s:s}}", "Options", "com.docker.network.bridge.name", &bridge);
	json_unpack(inspected, "{s:s}", "Id", &id);
	*ret_bridge = bridge ? strdup(bridge) : strf("br-%.12s", id);
	return *ret_bridge ? 0 : err_memory(e);
}

/*
 * What there is no room for goes, and is counted: neither what was first nor what is newest, so
 * that noise can't push out what was before it. `prune` is run whenever a file is full, and at a
 * start; each start of tcpdump has files of its own, NUMBER-START.pcap, NUMBER-START.pcap1 and so
 * on.
 */
static const char capture_script[] =
	"cd /capture && number=$0\n"
	"cat > /tmp/prune <<'END'\n"
	"#!/bin/sh\n"
	"cd /capture && exec 9>/tmp/lock && flock 9\n"
	"[ $# -gt 0 ] || for file in $(ls | grep ^NUMBER-.*pcap); do\n"
	"  [ $(stat -c %s $file) -gt " HEADER_SIZE " ] || rm -f $file\n"
	"done\n"
	"files=$(ls -v | grep ^NUMBER-.*pcap) total=0 count=0 first=0\n"
	"for file in $files; do\n"
	"  total=$((total + $(stat -c %s $file))) count=$((count + 1)) last=$file\n"
	"done\n"
	"for file in $files; do\n"
	"  [ $total -gt " FULL_BYTES " ] || [ $count -gt " FILES_MAX " ] || break\n"
	"  [ $file != $last ] || break\n"
	"  size=$(stat -c %s $file)\n"
	"  first=$((first + size))\n"
	"  [ $first -gt " FIRST_BYTES " ] || continue\n"
	"  packets=$(tcpdump -r $file --count 2>/dev/null) packets=${packets%% *}\n"
	"  echo \"${packets:-0} $size\" >> NUMBER.left-out\n"
	"  rm -f $file\n"
	"  total=$((total - size)) count=$((count - 1))\n"
	"done\n"
	"END\n"
	"sed -i s/NUMBER/$number/g /tmp/prune && chmod +x /tmp/prune && /tmp/prune\n"
	"start=$(ls -v | grep ^$number-.*pcap | tail -n 1)\n"
	"start=${start#$number-} start=$((${start%%.*} + 1))\n"
	"echo '" CAPTURE_BEGINS "' >&2\n"
	"exec tcpdump -n -U --immediate-mode -Z root -z /tmp/prune -w $number-$start.pcap"
	" \"$@\"\n";

static json_t *capture_body(enum capture_mode mode, const char *dir, const char *bridge,
			    size_t number)
{
	json_t *host = sidecar_limits(CAPTURE_MEMORY, CAPTURE_PIDS);
	char name[24];

	snprintf(name, sizeof(name), "%zu", number);
	json_object_set_new(host, "NetworkMode", json_text("host"));
	json_object_set_new(host, "CapAdd",
			    json_make("[s,s,s,s]", "NET_RAW", "SETUID", "SETGID", "DAC_OVERRIDE"));
	json_object_set_new(host, "Mounts", json_make("[o]", sidecar_mount(dir, "/capture")));
	json_object_set_new(host, "RestartPolicy", json_make("{s:s}", "Name", "on-failure"));
	/* A signal that an engine may take for this one keeps it from being started again. */
	return json_make("{s:o,s:s,s:[s,s,s,s],s:[s,s,s,s,s,s,s,s]}", "HostConfig", host,
			 "StopSignal", "SIGTERM", "Entrypoint", "sh", "-c", capture_script, name,
			 "Cmd", "-i", bridge, "-s",
			 mode == CAPTURE_HEADERS ? HEADERS_SIZE : WHOLE_SIZE, "-B", KERNEL_KIB,
			 "-C", FILE_MB);
}

static int start_on(void *cookie, size_t i, struct err *e)
{
	const struct compose *compose = cookie;
	AUTO(char *, freep) dir = evidence_path(compose->node, compose->instance_id, "capture");
	AUTO(char *, freep) name =
		i ? strf(CAPTURE_SERVICE "-%zu", i + 1) : strdup(CAPTURE_SERVICE);
	AUTO(char *, freep) bridge = NULL;
	struct sidecar sidecar = { .service = name, .image = IMAGE_CAPTURE };
	int r;

	if (!dir || !name)
		return err_memory(e);
	r = find_bridge(compose, compose->plan->networks[i].name, &bridge, e);
	if (r < 0)
		return r;
	sidecar.body = capture_body(compose->plan->capture, dir, bridge, i);
	return sidecar_start(compose, &sidecar, e);
}

static bool hears(const char *dir, size_t number)
{
	AUTO(char *, freep) path = strf("%s/%zu-1.pcap", dir, number);
	struct stat st;

	return path && stat(path, &st) == 0 && st.st_size > 0;
}

/* tcpdump writes the file's header once it listens. */
static int wait_listening(const struct compose *compose, const char *dir, struct err *e)
{
	int64_t deadline = clock_monotonic_ms() + 20000;
	const struct timespec pause = { .tv_nsec = 10000000 };

	for (size_t i = 0; i < compose->plan->network_count;) {
		if (hears(dir, i)) {
			i++;
			continue;
		}
		if (atomic_load(compose->cancelled))
			return err_set(e, ERR_ABORTED, "the start was called off");
		if (clock_monotonic_ms() > deadline)
			return err_set(e, ERR_ENGINE,
				       "sidecar 'ctfy-capture' did not begin to capture");
		nanosleep(&pause, NULL);
	}
	return 0;
}

int capture_start(const struct compose *compose, struct err *e)
{
	AUTO(char *, freep) dir = evidence_path(compose->node, compose->instance_id, "capture");
	int r = dir ? tree_remove(dir, e) : err_memory(e); /* of a start that was cut short */

	if (r == 0)
		r = dir_make(dir, 0700, e);
	if (r == 0)
		r = work_each(compose->plan->network_count, compose->plan->network_count, start_on,
			      (void *)(uintptr_t)compose, e);
	if (r == 0)
		r = wait_listening(compose, dir, e);
	return r;
}

/* --- reading ------------------------------------------------------------------------------ */

int capture_open(struct node *node, const char *instance_id, struct capture **ret_capture,
		 struct err *e)
{
	AUTO(char *, freep) path = evidence_path(node, instance_id, "capture");
	AUTO(json_t *, json_decrefp) known = NULL;
	struct err why = ERR_INIT;
	int r;

	if (!path)
		return err_memory(e);
	r = instance_services(node, instance_id, &known, e);
	if (r < 0)
		return r;
	r = capture_open_dir(path, ret_capture, &why);
	if (r == -ERR_NOT_FOUND)
		return err_set(e, ERR_NOT_FOUND, "no packets of instance '%s' were captured",
			       instance_id);
	return r < 0 ? err_set(e, why.code, "%s", why.msg) : 0;
}
