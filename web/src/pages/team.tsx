// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";
import { call, learnMe, me, serverNow } from "../api";
import { useCompetition } from "../competition";
import { useEvent } from "../events";
import { formatAgo, formatDate } from "../format";
import { useAction, useGet, useNow } from "../resource";
import type { Params } from "../router";
import { useStore } from "../store";
import type { Submission, Team, TeamRecord } from "../types";
import { Figures } from "./team-record";
import {
  Badge, Button, Card, ConfirmButton, Copy, Empty, Facts, Failure, Field, Loaded, Page, Table, TextField,
  type Column, type Tone,
} from "../ui";

const REFRESH_MS = 5000;

/* Changes of it are told as they come. */
const STANDING_REFRESH_MS = 30000;

function DivisionField(props: { divisions: { id: string; name: string }[]; value: string; onText: (id: string) => void }) {
  return (
    <Field label="Division">
      {(id) => (
        <select id={id} value={props.value} required onChange={(event) => props.onText(event.currentTarget.value)}>
          <option value="">Choose one</option>
          {props.divisions.map((division) => (
            <option key={division.id} value={division.id}>
              {division.name}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

function NewTeam() {
  const [name, setName] = useState("");
  const [division, setDivision] = useState("");
  const [code, setCode] = useState("");
  const competition = useCompetition();
  const divisions = competition?.divisions ?? [];
  const creation = useAction(async () => {
    await call("POST", "/teams", { name, ...(division && { division }), ...(code && { code: code.trim() }) });
    await learnMe();
  });
  return (
    <Card title="Make a team">
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void creation.run();
        }}
      >
        <TextField label="Team's name" value={name} onText={setName} autocomplete="off" required />
        {divisions.length > 1 && <DivisionField divisions={divisions} value={division} onText={setDivision} />}
        {(competition?.registration === "invite" || competition?.registration === "list") && (
          <TextField
            label="Code"
            hint="The organisers gave it to you."
            value={code}
            onText={setCode}
            autocomplete="off"
          />
        )}
        <Failure error={creation.error} />
        <Button kind="primary" type="submit" busy={creation.busy}>
          Make the team
        </Button>
      </form>
    </Card>
  );
}

function JoinTeam() {
  const [invite, setInvite] = useState("");
  const joining = useAction(async () => {
    await call("POST", "/team/members", { invite: invite.trim() });
    await learnMe();
  });
  return (
    <Card title="Join one">
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void joining.run();
        }}
      >
        <TextField
          label="Invite"
          hint="A member of the team finds it on this page."
          value={invite}
          onText={setInvite}
          autocomplete="off"
          required
        />
        <Failure error={joining.error} />
        <Button type="submit" busy={joining.busy}>
          Join
        </Button>
      </form>
    </Card>
  );
}

const VERDICTS: Record<string, Tone> = { correct: "ok", repeated: "plain", wrong: "bad", held: "warn" };

const SUBMISSIONS: (now: number) => Column<Submission>[] = (now) => [
  {
    name: "Challenge",
    cell: (row) => <a href={`/challenges/${encodeURIComponent(row.challenge_id)}`}>{row.challenge_id}</a>,
  },
  { name: "Answer", kind: "wide", cell: (row) => <code class="answer-text">{row.answer}</code> },
  { name: "Verdict", cell: (row) => <Badge tone={VERDICTS[row.verdict] ?? "plain"}>{row.verdict}</Badge> },
  { name: "When", kind: "time", cell: (row) => formatAgo(row.submitted_at, now) },
];

function Submissions() {
  const list = useGet<{ submissions: Submission[] }>("/submissions?limit=50", REFRESH_MS);
  const now = useNow(serverNow, 5000);
  return (
    <Card title="Submissions">
      <Loaded from={list}>
        {(data) => (
          <Table
            label="Submissions"
            rows={data.submissions}
            columns={SUBMISSIONS(now)}
            rowKey={(row) => row.id}
            empty={<Empty title="Nothing was handed in yet." />}
          />
        )}
      </Loaded>
    </Card>
  );
}

function Members({ team }: { team: Team }) {
  return (
    <Card title="Members">
      <ul class="members">
        {team.members.map((member) => (
          <li key={member.id}>
            <span class="avatar" aria-hidden="true">
              {[...member.name][0]?.toUpperCase()}
            </span>
            <span class="member-name">
              {member.name}
              <span class="muted small">since {formatDate(member.joined_at)}</span>
            </span>
            {member.id === team.captain_id && <Badge tone="accent">Captain</Badge>}
          </li>
        ))}
      </ul>
    </Card>
  );
}

/** Where the scoreboard isn't shown, nothing is. */
function Standing({ team }: { team: Team }) {
  const record = useGet<TeamRecord>(`/teams/${encodeURIComponent(team.id)}`, STANDING_REFRESH_MS);
  const now = useNow(serverNow, 5000);
  useEvent("scoreboard", record.reload);
  if (record.error) return null;
  return record.data ? <Figures team={record.data} now={now} /> : <div class="tiles held" />;
}

function OwnTeam({ team }: { team: Team }) {
  const leaving = useAction(async () => {
    await call("DELETE", "/team/members/me");
    await learnMe();
  });
  return (
    <div class="two-columns">
      <div class="column">
        <Submissions />
      </div>
      <div class="column side">
        <Card title="Invite">
          <p class="muted">Whoever has it may join.</p>
          <p class="endpoint-line">
            <code>{team.invite}</code>
            <Copy text={team.invite} label="invite" />
          </p>
        </Card>
        <Members team={team} />
        <Card>
          <Facts rows={[["Made", formatDate(team.created_at)]]} />
          <Failure error={leaving.error} />
          <ConfirmButton
            kind="quiet"
            label="Leave the team"
            question="Leave this team? What it did stays with it."
            busy={leaving.busy}
            onConfirm={() => void leaving.run()}
          />
        </Card>
      </div>
    </div>
  );
}

function Existing() {
  const team = useGet<Team>("/team", REFRESH_MS);
  return (
    <Page
      title={team.data?.name ?? "Team"}
      actions={
        team.data && (
          <a class="button plain" href={`/teams/${encodeURIComponent(team.data.id)}`}>
            As others see it
          </a>
        )
      }
    >
      {team.data && <Standing team={team.data} />}
      <Loaded from={team}>{(data) => <OwnTeam team={data} />}</Loaded>
    </Page>
  );
}

export function TeamPage(_: { params: Params }) {
  const who = useStore(me);
  if (who?.team) return <Existing />;
  return (
    <Page title="Team" lead="Instances, answers and points belong to a team, also to one of a single member.">
      <div class="halves">
        <NewTeam />
        <JoinTeam />
      </div>
    </Page>
  );
}
