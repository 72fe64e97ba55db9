/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/schema.h"

#include "db/db.h"

#include <stddef.h>

/* For ever append-only. */
static const char *const migrations[] = {
	/* Who: `name_key` is the name as names are compared. */
	"CREATE TABLE account ("
	"	id TEXT PRIMARY KEY,"
	"	name TEXT NOT NULL,"
	"	name_key TEXT NOT NULL UNIQUE,"
	"	password TEXT NOT NULL,"
	"	role TEXT NOT NULL,"
	"	disabled BIGINT NOT NULL DEFAULT 0,"
	"	created_at BIGINT NOT NULL);"
	"CREATE TABLE token ("
	"	hash TEXT PRIMARY KEY,"
	"	id TEXT NOT NULL UNIQUE,"
	"	account_id TEXT NOT NULL REFERENCES account (id),"
	"	name TEXT NOT NULL,"
	"	created_at BIGINT NOT NULL,"
	"	expires_at BIGINT NOT NULL);"
	"CREATE INDEX token_of_account ON token (account_id);"

	/* What is played, and by which teams. */
	"CREATE TABLE competition ("
	"	id TEXT PRIMARY KEY,"
	"	name TEXT NOT NULL,"
	"	description TEXT NOT NULL,"
	"	starts_at BIGINT NOT NULL,"
	"	ends_at BIGINT NOT NULL,"
	"	freeze_at BIGINT NOT NULL,"
	"	registration TEXT NOT NULL,"
	"	team_size BIGINT NOT NULL,"
	"	instance_ttl BIGINT NOT NULL,"
	"	max_instances BIGINT NOT NULL,"
	"	every_challenge BIGINT NOT NULL);"
	"CREATE TABLE competition_challenge ("
	"	competition_id TEXT NOT NULL REFERENCES competition (id),"
	"	challenge_id TEXT NOT NULL,"
	"	PRIMARY KEY (competition_id, challenge_id));"
	"CREATE TABLE team ("
	"	id TEXT PRIMARY KEY,"
	"	competition_id TEXT NOT NULL REFERENCES competition (id),"
	"	name TEXT NOT NULL,"
	"	name_key TEXT NOT NULL,"
	"	invite TEXT NOT NULL UNIQUE,"
	"	captain_id TEXT NOT NULL REFERENCES account (id),"
	"	created_at BIGINT NOT NULL,"
	"	UNIQUE (competition_id, name_key));"
	"CREATE TABLE member ("
	"	competition_id TEXT NOT NULL REFERENCES competition (id),"
	"	account_id TEXT NOT NULL REFERENCES account (id),"
	"	team_id TEXT NOT NULL REFERENCES team (id),"
	"	joined_at BIGINT NOT NULL,"
	"	PRIMARY KEY (competition_id, account_id));"
	"CREATE INDEX member_of_team ON member (team_id);"

	/* Where it runs. The token is needed in clear: the platform calls the node with it. */
	"CREATE TABLE node ("
	"	id TEXT PRIMARY KEY,"
	"	name TEXT NOT NULL UNIQUE,"
	"	url TEXT NOT NULL,"
	"	token TEXT NOT NULL,"
	"	token_hash TEXT NOT NULL UNIQUE,"
	"	created_at BIGINT NOT NULL,"
	"	registered_at BIGINT NOT NULL);"

	/*
	 * A live instance is one that is starting, running or stopping: one per team and challenge.
	 * `ends_as` is the status it gets once it is stopped. `cause` is for organisers: it may
	 * name what players must not see.
	 */
	"CREATE TABLE instance ("
	"	id TEXT PRIMARY KEY,"
	"	competition_id TEXT NOT NULL,"
	"	challenge_id TEXT NOT NULL,"
	"	team_id TEXT NOT NULL REFERENCES team (id),"
	"	account_id TEXT NOT NULL REFERENCES account (id),"
	"	node_id TEXT NOT NULL,"
	"	status TEXT NOT NULL,"
	"	live BIGINT NOT NULL,"
	"	ends_as TEXT,"
	"	detail TEXT,"
	"	cause TEXT,"
	"	ttl BIGINT NOT NULL,"
	"	endpoints TEXT NOT NULL,"
	"	created_at BIGINT NOT NULL,"
	"	started_at BIGINT NOT NULL,"
	"	expires_at BIGINT NOT NULL,"
	"	ended_at BIGINT NOT NULL);"
	"CREATE UNIQUE INDEX instance_of_team ON instance (team_id, challenge_id) WHERE live = 1;"
	"CREATE INDEX instance_history ON instance (team_id, challenge_id, created_at);"
	"CREATE INDEX instance_by_age ON instance (created_at);"
	"CREATE INDEX instance_live ON instance (created_at) WHERE live = 1;"
	"CREATE INDEX instance_on_node ON instance (node_id) WHERE live = 1;"
	"CREATE INDEX instance_expiry ON instance (expires_at) WHERE live = 1;"
	"CREATE TABLE answer ("
	"	instance_id TEXT NOT NULL REFERENCES instance (id),"
	"	question_id TEXT NOT NULL,"
	"	position BIGINT NOT NULL,"
	"	answer TEXT NOT NULL,"
	"	answer_hash TEXT," /* of one made for this instance alone */
	"	PRIMARY KEY (instance_id, question_id));"
	"CREATE INDEX answer_by_hash ON answer (answer_hash);"
	/* What a node may still hold of an instance that is no longer meant to be there. */
	"CREATE TABLE leftover ("
	"	node_id TEXT NOT NULL,"
	"	instance_id TEXT NOT NULL,"
	"	PRIMARY KEY (node_id, instance_id));"

	/* What was said, and what it was worth. */
	"CREATE TABLE submission ("
	"	id TEXT PRIMARY KEY,"
	"	competition_id TEXT NOT NULL,"
	"	challenge_id TEXT NOT NULL,"
	"	question_id TEXT,"
	"	team_id TEXT NOT NULL REFERENCES team (id),"
	"	account_id TEXT NOT NULL REFERENCES account (id),"
	"	answer TEXT NOT NULL,"
	"	verdict TEXT NOT NULL,"
	"	instance_id TEXT,"
	"	other_team_id TEXT,"
	"	other_instance_id TEXT,"
	"	peer TEXT,"
	"	submitted_at BIGINT NOT NULL);"
	"CREATE INDEX submission_of_team ON submission (team_id, challenge_id);"
	"CREATE INDEX submission_by_age ON submission (competition_id, submitted_at);"
	"CREATE INDEX submission_by_verdict ON submission (competition_id, verdict, submitted_at);"
	"CREATE TABLE solve ("
	"	competition_id TEXT NOT NULL,"
	"	challenge_id TEXT NOT NULL,"
	"	question_id TEXT NOT NULL,"
	"	team_id TEXT NOT NULL REFERENCES team (id),"
	"	submission_id TEXT NOT NULL,"
	"	solved_at BIGINT NOT NULL,"
	"	PRIMARY KEY (competition_id, challenge_id, question_id, team_id));"
	"CREATE INDEX solve_of_team ON solve (team_id);"
	"CREATE TABLE first_blood ("
	"	competition_id TEXT NOT NULL,"
	"	challenge_id TEXT NOT NULL,"
	"	question_id TEXT NOT NULL,"
	"	team_id TEXT NOT NULL,"
	"	PRIMARY KEY (competition_id, challenge_id, question_id));",

	/* What organisers did. `account` is the name as it was then; `status` 0: cut short. */
	"CREATE TABLE audit ("
	"	id TEXT PRIMARY KEY,"
	"	account_id TEXT,"
	"	account TEXT,"
	"	action TEXT NOT NULL,"
	"	object TEXT,"
	"	note TEXT,"
	"	status BIGINT NOT NULL,"
	"	peer TEXT,"
	"	request_id TEXT,"
	"	at BIGINT NOT NULL);"
	"CREATE INDEX audit_by_age ON audit (at, id);",

	/*
	 * What a token may do at most: a role's word, or "instance": that one alone. `csrf_hash` is
	 * of what a browser says beside its cookie.
	 */
	"ALTER TABLE token ADD COLUMN scope TEXT NOT NULL DEFAULT 'admin';"
	"ALTER TABLE token ADD COLUMN instance_id TEXT REFERENCES instance (id);"
	"ALTER TABLE token ADD COLUMN csrf_hash TEXT;",

	/*
	 * A competition is what its file says; competition_challenge is of those applied before
	 * files were kept. `seq` counts a competition's solves, so that what came since can be
	 * asked for.
	 */
	"ALTER TABLE competition ADD COLUMN file TEXT;"
	"ALTER TABLE team ADD COLUMN division TEXT;"
	"ALTER TABLE team ADD COLUMN hidden BIGINT NOT NULL DEFAULT 0;"
	"CREATE TABLE unlock ("
	"	competition_id TEXT NOT NULL,"
	"	challenge_id TEXT NOT NULL,"
	"	hint BIGINT NOT NULL,"
	"	team_id TEXT NOT NULL REFERENCES team (id),"
	"	account_id TEXT NOT NULL REFERENCES account (id),"
	"	cost BIGINT NOT NULL,"
	"	unlocked_at BIGINT NOT NULL,"
	"	PRIMARY KEY (team_id, challenge_id, hint));"
	"CREATE INDEX unlock_of_competition ON unlock (competition_id);"
	"ALTER TABLE solve ADD COLUMN seq BIGINT NOT NULL DEFAULT 0;"
	"UPDATE solve SET seq = (SELECT COUNT(*) FROM solve AS s"
	" WHERE s.competition_id = solve.competition_id AND (s.solved_at < solve.solved_at"
	" OR (s.solved_at = solve.solved_at AND s.submission_id <= solve.submission_id)));"
	"CREATE UNIQUE INDEX solve_by_seq ON solve (competition_id, seq);",

	"CREATE TABLE notice ("
	"	id TEXT PRIMARY KEY,"
	"	competition_id TEXT NOT NULL,"
	"	text TEXT NOT NULL,"
	"	at BIGINT NOT NULL);"
	"CREATE INDEX notice_by_age ON notice (competition_id, at, id);",

	/*
	 * Another team's answer waits for an organiser's verdict: 'open', then 'dismissed' or
	 * 'confirmed'. What a team downloaded, and when first.
	 */
	"ALTER TABLE submission ADD COLUMN review TEXT;"
	"ALTER TABLE submission ADD COLUMN review_note TEXT;"
	"UPDATE submission SET review = 'open' WHERE verdict = 'foreign';"
	"CREATE INDEX submission_by_review ON submission (competition_id, review, submitted_at)"
	" WHERE review IS NOT NULL;"
	"CREATE TABLE download ("
	"	team_id TEXT NOT NULL REFERENCES team (id),"
	"	challenge_id TEXT NOT NULL,"
	"	filename TEXT NOT NULL,"
	"	account_id TEXT NOT NULL REFERENCES account (id),"
	"	at BIGINT NOT NULL,"
	"	PRIMARY KEY (team_id, challenge_id, filename));",

	/* One row, once answers are sealed: what the key is known by. */
	"CREATE TABLE vault (proof TEXT NOT NULL);",
	/*
	 * `remaining`: seconds that an instance has left which is started again elsewhere, its node
	 * being lost; 0: all of its time. `moves` counts nodes that may have a copy of it still:
	 * each copy has an id of its own. A drained node gets no new ones.
	 */
	"ALTER TABLE instance ADD COLUMN remaining BIGINT NOT NULL DEFAULT 0;"
	"ALTER TABLE instance ADD COLUMN moves BIGINT NOT NULL DEFAULT 0;"
	"ALTER TABLE node ADD COLUMN drained BIGINT NOT NULL DEFAULT 0;"
	"CREATE TABLE join_secret ("
	"	id TEXT PRIMARY KEY,"
	"	hash TEXT NOT NULL UNIQUE,"
	"	name TEXT NOT NULL,"
	"	single_use BIGINT NOT NULL,"
	"	created_at BIGINT NOT NULL,"
	"	expires_at BIGINT NOT NULL,"
	"	used_at BIGINT NOT NULL,"
	"	used_by TEXT);",
	/* What nodes are to give of instances before they are destroyed: owed, kept or failed. */
	"CREATE TABLE archive ("
	"	copy_id TEXT PRIMARY KEY,"
	"	instance_id TEXT NOT NULL,"
	"	node_id TEXT NOT NULL,"
	"	team_id TEXT NOT NULL,"
	"	challenge_id TEXT NOT NULL,"
	"	status TEXT NOT NULL,"
	"	detail TEXT,"
	"	tries BIGINT NOT NULL,"
	"	size BIGINT NOT NULL,"
	"	owed_at BIGINT NOT NULL,"
	"	archived_at BIGINT NOT NULL);"
	"CREATE INDEX archive_owed ON archive (node_id) WHERE status = 'owed';"
	"CREATE INDEX archive_by_age ON archive (owed_at, copy_id);"
	"CREATE INDEX archive_of_team ON archive (team_id, owed_at);"
	"CREATE INDEX archive_of_instance ON archive (instance_id);",

	/* A team's solves are asked for more often than anything else. */
	"DROP INDEX solve_of_team;"
	"CREATE INDEX solve_of_team ON solve (team_id, challenge_id);",

	/* A start that is asked for again is the same start. */
	"ALTER TABLE instance ADD COLUMN idempotency_key TEXT;"
	"CREATE UNIQUE INDEX instance_by_key ON instance (account_id, idempotency_key)"
	" WHERE idempotency_key IS NOT NULL;",

	/* What its node promises it, so that what a node has left is known before it tells. */
	"ALTER TABLE instance ADD COLUMN memory BIGINT NOT NULL DEFAULT 0;"
	"ALTER TABLE instance ADD COLUMN nano_cpus BIGINT NOT NULL DEFAULT 0;"
	"DROP INDEX instance_on_node;"
	"CREATE INDEX instance_on_node ON instance (node_id, memory, nano_cpus) WHERE live = 1;"
	"CREATE INDEX instance_queue ON instance (created_at, id)"
	" WHERE live = 1 AND node_id = '' AND status = 'starting';",

	/* What quotas count. */
	"CREATE INDEX instance_of_challenge ON instance (challenge_id) WHERE live = 1;"
	"CREATE INDEX instance_of_competition ON instance (competition_id) WHERE live = 1;",

	/* Long lists, page by page. */
	"DROP INDEX instance_by_age;"
	"CREATE INDEX instance_by_age ON instance (created_at, id);"
	"DROP INDEX instance_live;"
	"CREATE INDEX instance_live ON instance (created_at, id) WHERE live = 1;"
	"CREATE INDEX account_by_age ON account (created_at, id);"
	"CREATE INDEX team_by_age ON team (competition_id, created_at, id);",

	/*
	 * What S3 storage has of an archive: [{name, size, sha256}]; NULL: it is on our disk.
	 * `sends` counts the times that it couldn't be brought there.
	 */
	"ALTER TABLE archive ADD COLUMN objects TEXT;"
	"ALTER TABLE archive ADD COLUMN sends BIGINT NOT NULL DEFAULT 0;"
	"CREATE INDEX archive_unsent ON archive (sends, owed_at)"
	" WHERE status = 'kept' AND objects IS NULL;",

	/* Who logs in with an OpenID provider; and who is there now, by the hash of their state. */
	"CREATE TABLE identity ("
	"	issuer TEXT NOT NULL,"
	"	subject TEXT NOT NULL,"
	"	account_id TEXT NOT NULL REFERENCES account (id),"
	"	linked_at BIGINT NOT NULL,"
	"	PRIMARY KEY (issuer, subject));"
	"CREATE TABLE login_attempt ("
	"	state_hash TEXT PRIMARY KEY,"
	"	nonce TEXT NOT NULL,"
	"	verifier TEXT NOT NULL,"
	"	next TEXT NOT NULL,"
	"	account_id TEXT,"
	"	expires_at BIGINT NOT NULL);"
	"CREATE INDEX login_attempt_by_age ON login_attempt (expires_at);",

	/* Browsers that an account has come in with, by the hash of the word each keeps. */
	"CREATE TABLE known_browser ("
	"	hash TEXT PRIMARY KEY,"
	"	account_id TEXT NOT NULL REFERENCES account (id),"
	"	seen_at BIGINT NOT NULL);"
	"CREATE INDEX known_browser_of_account ON known_browser (account_id, seen_at);",

	/*
	 * What an account does counts for it, whichever team it is in: founding counts the teams it
	 * has made, those that are gone included. A team that is gone (`gone_at`) is in no list,
	 * and its name is free again; what it handed in stays.
	 */
	"ALTER TABLE team ADD COLUMN gone_at BIGINT NOT NULL DEFAULT 0;"
	"CREATE TABLE founding ("
	"	competition_id TEXT NOT NULL REFERENCES competition (id),"
	"	account_id TEXT NOT NULL REFERENCES account (id),"
	"	teams BIGINT NOT NULL,"
	"	PRIMARY KEY (competition_id, account_id));"
	"INSERT INTO founding (competition_id, account_id, teams)"
	" SELECT competition_id, captain_id, COUNT(*) FROM team"
	" GROUP BY competition_id, captain_id;"
	"CREATE INDEX team_of_captain ON team (captain_id);"
	"CREATE INDEX member_of_account ON member (account_id);"
	"CREATE INDEX instance_of_account ON instance (account_id, competition_id, live);"
	"CREATE INDEX submission_of_account"
	" ON submission (account_id, challenge_id, competition_id, verdict);"
	"CREATE INDEX unlock_of_account ON unlock (account_id, competition_id);"
	"CREATE INDEX download_of_account ON download (account_id);",

	/* The names it is good for, with spaces between; NULL: the first it is used for. */
	"ALTER TABLE join_secret ADD COLUMN nodes TEXT;"
	"UPDATE join_secret SET nodes = used_by;",

	/* What a team has handed in is counted with each answer: by the index alone. */
	"DROP INDEX submission_of_team;"
	"CREATE INDEX submission_of_team"
	" ON submission (team_id, challenge_id, competition_id, verdict);",
	NULL,
};

int schema_open(const char *path, struct db **ret_db, struct err *e)
{
	return db_open(path, migrations, ret_db, e);
}
