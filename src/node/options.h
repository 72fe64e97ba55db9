/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node's settings: a row gives the struct's field, its parser and its line in --help.
 */
#ifndef NODE_OPTIONS_H
#define NODE_OPTIONS_H

#include "base/option.h"

/* clang-format off */
#define NODE_OPTIONS(ROW) \
	ROW(listen, STRING, "ADDR", "127.0.0.1:7070", "Address the node API answers on.") \
	ROW(token_file, STRING, "FILE", NULL, "File whose first line is the bearer token.") \
	ROW(challenges, STRING, "DIR", NULL, "Directory of challenge folders.") \
	ROW(state, STRING, "DIR", NULL, "Directory of the node's own state.") \
	ROW(engine, STRING, "URL", "unix:///var/run/docker.sock", "Docker Engine API: unix://, tcp:// or https://.") \
	ROW(public_host, STRING, "HOST", "127.0.0.1", "Name or address under which players reach published ports.") \
	ROW(bind, STRING, "ADDR", "0.0.0.0", "Host address that published ports bind to.") \
	ROW(ports, STRING, "FIRST-LAST", "20000-29999", "Host ports to publish on.") \
	ROW(subnets, STRING, "CIDR", "10.176.0.0/12", "Address space that instances' networks are cut from.") \
	ROW(capacity, COUNT, "N", "100", "Most instances at once.") \
	ROW(memory, SIZE, "SIZE", NULL, "Most memory promised to containers in all; unset: no such limit.") \
	ROW(cpus, COUNT, "N", NULL, "Most processors promised to containers in all; unset: no such limit.") \
	ROW(min_free_disk, SIZE, "SIZE", "1g", "Disk that must stay free: below it, starts are refused; below half of it, the instance is ended that has taken most.") \
	ROW(instance_disk, SIZE, "SIZE", "4g", "Most disk that an instance may take: it is ended beyond.") \
	ROW(instance_files, COUNT, "N", "100000", "Most files and directories that an instance may make: it is ended beyond.") \
	ROW(min_free_memory, SIZE, "SIZE", "256m", "Memory that must stay available: below it, starts are refused.") \
	ROW(parallel_starts, COUNT, "N", "8", "Instances being started at once; more wait their turn.") \
	ROW(ready_networks, COUNT, "N", "32", "Networks kept ready, so that starts need not wait for the engine to make one.") \
	ROW(docker_config, STRING, "FILE", NULL, "Docker config file with logins for registries; unset: the one of this user.") \
	ROW(image_max, SIZE, "SIZE", "20g", "Largest image that is pulled, as it is transferred.") \
	ROW(build_time, DURATION, "TIME", "30m", "Longest time that a build may take.") \
	ROW(build_memory, SIZE, "SIZE", "4g", "Most memory for a step of a build, and for all that are under way.") \
	ROW(build_cpus, COUNT, "N", "2", "Most processors for a step of a build, and for all that are under way.") \
	ROW(registry_mirror, STRING, "URL", NULL, "Mirror of docker.io, asked before it.") \
	ROW(policy, STRING, "FILE", NULL, "Operator's policy: what challenges may do beyond the defaults.") \
	ROW(evidence, STRING, "DIR", NULL, "Root of what is recorded; unset: below --state.") \
	ROW(retention, DURATION, "TIME", "7d", "How long an instance that has ended, and its evidence, are kept.") \
	ROW(accept_clock, FLAG, NULL, NULL, "Believe the machine's clock, though it has jumped.") \
	ROW(images, STRING, "DIR", NULL, "Dockerfiles of ctfy's own images; unset: where ctfy was installed or built from.") \
	ROW(solver_image, STRING, "IMAGE", "ctfy/solver", "Image that challenges' solvers run in when an organiser tries one.") \
	ROW(isolation, STRING, "MODE", "firewall", "\"firewall\": instances reach neither host, LAN nor each other; \"none\": only Docker's own rules.") \
	ROW(runtime, STRING, "NAME", NULL, "Runtime of the engine's for what challenges and agents run, such as runsc; unset: its default.") \
	ROW(native_only, FLAG, NULL, NULL, "No 32-bit programs in containers: the only way to keep AF_VSOCK, and so a hypervisor, from them.") \
	ROW(instance_connections, COUNT, "N", "4096", "Most connections from outside to one instance at once.") \
	ROW(client_connections, COUNT, "N", "16384", "Most connections from one client's address to all instances at once.") \
	ROW(cert, STRING, "FILE", NULL, "TLS certificate chain (PEM); with --key the API is https.") \
	ROW(key, STRING, "FILE", NULL, "TLS private key (PEM).") \
	ROW(check, FLAG, NULL, NULL, "Examine host, engine, challenges and options, print the findings, and end.") \
	ROW(log_format, STRING, "FORMAT", "auto", "\"text\", \"json\", or \"auto\": text on a terminal.")
/* clang-format on */

struct node_options {
	NODE_OPTIONS(OPTION_MEMBER)
};

extern const struct option_row node_option_rows[];

#endif
