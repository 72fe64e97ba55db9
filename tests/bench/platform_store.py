# SPDX-License-Identifier: Apache-2.0
"""A platform's store as it is late in a large event: 10,000 teams, 100 challenges, 500,000 submissions.

Written straight into the database of a platform that has been started once, and is stopped.
"""

import hashlib
import random
import sqlite3
import time
from pathlib import Path

TEAMS, CHALLENGES, SUBMISSIONS, SOLVES = 10_000, 100, 500_000, 200_000


def challenge_id(number):
    return f"task-{number:03}"


def answer_of(number):
    return f"answer-{number}"


def token_of(team):
    return f"token-of-team-{team}"


def write_challenges(folder):
    for number in range(CHALLENGES):
        path = Path(folder, challenge_id(number))
        path.mkdir(parents=True)
        path.joinpath("challenge.yml").write_text(
            f"name: Task {number}\ncategory: bench\ndescription: A task.\nflags: [{answer_of(number)}]\n"
            "type: dynamic\nextra: {initial: 500, minimum: 100, decay: 2000}\n")


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def accounts(teams, now):
    for team in range(teams):
        account = f"account{team:09}"
        yield (account, f"player {team}", f"player {team}", "-", "player", 0, now)


def insert_accounts(insert, teams, now, competition):
    """Accounts with a token each, every one a team's only member."""
    insert("INSERT INTO account (id, name, name_key, password, role, disabled, created_at)"
           " VALUES (?, ?, ?, ?, ?, ?, ?)", accounts(teams, now))
    insert("INSERT INTO token (hash, id, account_id, name, created_at, expires_at, scope)"
           " VALUES (?, ?, ?, 'bench', ?, 0, 'player')",
           ((sha256(token_of(t)), f"token{t:011}", f"account{t:09}", now) for t in range(teams)))
    insert("INSERT INTO team (id, competition_id, name, name_key, invite, captain_id, created_at)"
           " VALUES (?, ?, ?, ?, ?, ?, ?)",
           ((f"team{t:012}", competition, f"Team {t}", f"team {t}", f"invite{t:010}", f"account{t:09}", now)
            for t in range(teams)))
    insert("INSERT INTO member (competition_id, account_id, team_id, joined_at) VALUES (?, ?, ?, ?)",
           ((competition, f"account{t:09}", f"team{t:012}", now) for t in range(teams)))


def close(store):
    store.commit()
    store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()


def fill_accounts(path, teams, competition="ctf"):
    store = sqlite3.connect(path)
    insert_accounts(store.executemany, teams, int(time.time() * 1000) - 10**8, competition)
    close(store)


def fill(path, competition="ctf", seed=1):
    """Accounts, teams, tokens, answers; returns the last solve's number."""
    chance = random.Random(seed)
    now = int(time.time() * 1000) - 10**8
    store = sqlite3.connect(path)
    insert = store.executemany
    insert_accounts(insert, TEAMS, now, competition)
    solved = set()
    while len(solved) < SOLVES:
        solved.add((chance.randrange(TEAMS), int(CHALLENGES * 0.9 * chance.random() ** 2)))
    solves = [(team, challenge, i) for i, (team, challenge) in enumerate(sorted(solved, key=hash))]
    insert("INSERT INTO submission (id, competition_id, challenge_id, question_id, team_id, account_id,"
           " answer, verdict, peer, submitted_at) VALUES (?, ?, ?, 'flag', ?, ?, ?, 'correct', '::1', ?)",
           ((f"right{i:011}", competition, challenge_id(c), f"team{t:012}", f"account{t:09}", answer_of(c),
             now + i) for t, c, i in solves))
    insert("INSERT INTO solve (competition_id, challenge_id, question_id, team_id, submission_id, solved_at,"
           " seq) VALUES (?, ?, 'flag', ?, ?, ?, ?)",
           ((competition, challenge_id(c), f"team{t:012}", f"right{i:011}", now + i, i + 1)
            for t, c, i in solves))
    insert("INSERT OR IGNORE INTO first_blood (competition_id, challenge_id, question_id, team_id)"
           " VALUES (?, ?, 'flag', ?)", ((competition, challenge_id(c), f"team{t:012}") for t, c, _ in solves))
    wrong = [(chance.randrange(TEAMS), chance.randrange(CHALLENGES), i) for i in range(SUBMISSIONS - SOLVES)]
    insert("INSERT INTO submission (id, competition_id, challenge_id, team_id, account_id, answer, verdict,"
           " peer, submitted_at) VALUES (?, ?, ?, ?, ?, 'a guess', 'wrong', '::1', ?)",
           ((f"wrong{i:011}", competition, challenge_id(c), f"team{t:012}", f"account{t:09}", now + i)
            for t, c, i in wrong))
    close(store)
