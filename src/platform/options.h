/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The platform's settings: a row gives the struct's field, its parser and its line in --help.
 */
#ifndef PLATFORM_OPTIONS_H
#define PLATFORM_OPTIONS_H

#include "base/option.h"

/* clang-format off */
/* Those that `ctfy up` has too. */
#define PLATFORM_ARCHIVE_OPTIONS(ROW) \
	ROW(archive_days, COUNT, "N", "30", "Days that logs, traffic and evidence of ended instances are kept; 0: not at all.") \
	ROW(archive_s3, STRING, "URL", NULL, "Bucket they go to from --state: https://HOST/BUCKET[/PREFIX] or https://BUCKET.HOST[/PREFIX].") \
	ROW(archive_s3_region, STRING, "NAME", "us-east-1", "Region of that bucket.") \
	ROW(archive_s3_credentials, STRING, "FILE", NULL, "File with aws_access_key_id and aws_secret_access_key; unset: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.") \
	ROW(archive_s3_ca, STRING, "FILE", NULL, "Authorities accepted for that host (PEM); unset: the system's.")

#define PLATFORM_OIDC_OPTIONS(ROW) \
	ROW(oidc_issuer, STRING, "URL", NULL, "OpenID provider that people may log in with.") \
	ROW(oidc_client_id, STRING, "ID", NULL, "What that knows us as.") \
	ROW(oidc_client_secret_file, STRING, "FILE", NULL, "Our secret there; unset: we have none.") \
	ROW(oidc_label, STRING, "NAME", "OpenID", "What the button calls it: \"Log in with NAME\".") \
	ROW(oidc_scopes, STRING, "WORDS", "openid profile", "What we ask of it.") \
	ROW(oidc_name_claim, STRING, "CLAIM", "preferred_username", "What a new account is called after.") \
	ROW(oidc_role_claim, STRING, "CLAIM", NULL, "What says who organises: a text, or a list of texts. Then it decides at every login.") \
	ROW(oidc_organisers, STRING, "VALUES", NULL, "Values of it that make an organiser, with commas between.") \
	ROW(oidc_admins, STRING, "VALUES", NULL, "Values of it that make an admin.") \
	ROW(oidc_accounts, STRING, "WHO", "open", "Who gets an account at the first login: \"open\" (anybody) or \"closed\" (nobody: accounts have to be linked).") \
	ROW(oidc_url, STRING, "URL", NULL, "Where browsers reach us: the provider sends them to URL/api/v1/oidc/callback; unset: by the request's own host.") \
	ROW(oidc_ca, STRING, "FILE", NULL, "Authorities accepted for the provider (PEM); unset: the system's.")

#define PLATFORM_OPTIONS(ROW) \
	ROW(listen, STRING, "ADDR", "127.0.0.1:8000", "Address the platform answers on.") \
	ROW(state, STRING, "DIR", NULL, "Directory of the platform's own state; made if absent.") \
	ROW(challenges, STRING, "DIR", NULL, "Directory of challenge folders.") \
	ROW(competition, STRING, "FILE", NULL, "Competition to apply at start: a file, or a directory of *.yml.") \
	ROW(registration, STRING, "WHO", "open", "Who may make an account: \"open\" (anybody) or \"closed\" (organisers only).") \
	ROW(join_secret_file, STRING, "FILE", NULL, "Secret that nodes join with; unset: made in --state as join-secret.") \
	ROW(answer_key_file, STRING, "FILE", NULL, "Key that answers are sealed with; unset: made in --state as answer-key.") \
	ROW(new_database, FLAG, NULL, NULL, "Begin anew, though there is an answer key of a database that is gone.") \
	ROW(heartbeat, DURATION, "TIME", "5s", "Time between two heartbeats of a node.") \
	ROW(heartbeat_timeout, DURATION, "TIME", "5s", "Longest time a heartbeat may take.") \
	ROW(call_timeout, DURATION, "TIME", "60s", "Longest time to wait for a node's answer before asking again.") \
	PLATFORM_ARCHIVE_OPTIONS(ROW) \
	PLATFORM_OIDC_OPTIONS(ROW) \
	ROW(spool, SIZE, "BYTES", "4g", "Most bytes in --state of answers that are made faster than their clients read them.") \
	ROW(answer_memory, SIZE, "BYTES", "256m", "Most memory for answers that wait to be read.") \
	ROW(body_memory, SIZE, "BYTES", "512m", "Most memory for the bodies of requests.") \
	ROW(streams, COUNT, "N", "2048", "Most downloads through nodes, and shells, at once.") \
	ROW(node_ca, STRING, "FILE", NULL, "Authorities accepted for nodes with https (PEM); unset: the system's.") \
	ROW(cert, STRING, "FILE", NULL, "TLS certificate chain (PEM); with --key the API is https.") \
	ROW(key, STRING, "FILE", NULL, "TLS private key (PEM).") \
	ROW(accept_clock, FLAG, NULL, NULL, "Believe the machine's clock, though it has jumped.") \
	ROW(behind_proxy, FLAG, NULL, NULL, "Believe X-Forwarded-For, -Proto and -Host as sent by the proxies at --proxies.") \
	ROW(proxy_protocol, FLAG, NULL, NULL, "Connections come from the proxies at --proxies, and begin with a PROXY header, version 2.") \
	ROW(proxies, STRING, "NETWORKS", "127.0.0.0/8,::1", "Addresses of proxies of your own, with commas between.") \
	ROW(log_format, STRING, "FORMAT", "auto", "\"text\", \"json\", or \"auto\": text on a terminal.") \
	ROW(help, FLAG, NULL, NULL, "Show this help.")
/* clang-format on */

struct platform_options {
	PLATFORM_OPTIONS(OPTION_MEMBER)
};

extern const struct option_row platform_option_rows[];

#endif
