// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";
import { call, serverNow } from "../api";
import { formatAgo } from "../format";
import { useAction, useGet, useNow } from "../resource";
import type { Params } from "../router";
import type { AdminSubmission } from "../types";
import { Alert, Badge, Button, Empty, Failure, Loaded, Page, Table, type Column, type Tone } from "../ui";

const REFRESH_MS = 2000;

export const VERDICT_TONE: Record<string, Tone> = {
  correct: "ok",
  repeated: "plain",
  wrong: "plain",
  foreign: "bad",
  held: "warn",
};

const VERDICTS = ["correct", "repeated", "wrong", "foreign", "held"];

function instanceLink(id: string | null, words: string | null) {
  return id ? <a href={`/admin/instances/${id}`}>{words}</a> : words;
}

/** For an answer that no pattern could tell. */
function Ruling({ row, reload }: { row: AdminSubmission; reload: () => Promise<void> }) {
  const ruling = useAction(async (verdict: string) => {
    await call("PATCH", `/admin/submissions/${row.id}`, { verdict });
    await reload();
  });
  return (
    <span class="actions">
      <Button busy={ruling.busy} onClick={() => void ruling.run("correct")}>
        Right
      </Button>
      <Button busy={ruling.busy} onClick={() => void ruling.run("wrong")}>
        Wrong
      </Button>
      <Failure error={ruling.error} />
    </span>
  );
}

const COLUMNS: (now: number, reload: () => Promise<void>) => Column<AdminSubmission>[] = (now, reload) => [
  { name: "Team", cell: (row) => instanceLink(row.instance_id, row.team) },
  { name: "Challenge", cell: (row) => row.challenge_id },
  { name: "Answer", kind: "wide", cell: (row) => <code class="answer-text">{row.answer}</code> },
  {
    name: "Verdict",
    cell: (row) => (
      <>
        <Badge tone={VERDICT_TONE[row.verdict] ?? "plain"}>{row.verdict}</Badge>
        {row.verdict === "held" && <Ruling row={row} reload={reload} />}
      </>
    ),
  },
  { name: "Made for", cell: (row) => (row.other_team ? instanceLink(row.other_instance_id, row.other_team) : "–") },
  { name: "From", kind: "short", cell: (row) => <span class="mono-cell">{row.peer}</span> },
  { name: "When", kind: "time", cell: (row) => formatAgo(row.submitted_at, now) },
];

export function SubmissionsPage(_: { params: Params }) {
  const [verdict, setVerdict] = useState("");
  const path = `/admin/submissions?limit=200${verdict && `&verdict=${verdict}`}`;
  const list = useGet<{ submissions: AdminSubmission[] }>(path, REFRESH_MS);
  const now = useNow(serverNow, 5000);
  return (
    <Page title="Submissions">
      <div class="filters">
        <select
          aria-label="Verdict"
          value={verdict}
          onChange={(event) => setVerdict(event.currentTarget.value)}
        >
          <option value="">Every verdict</option>
          {VERDICTS.map((word) => (
            <option key={word} value={word}>
              {word}
            </option>
          ))}
        </select>
        <span class="muted">The last 200</span>
      </div>
      {verdict === "foreign" && (
        <Alert tone="warn">
          A foreign answer was made for another team's instance: somebody shared it, or got hold of it. They are
          judged under <a href="/admin/reviews">Reviews</a>.
        </Alert>
      )}
      {verdict === "held" && (
        <Alert tone="warn">
          The question's pattern took too long on these answers, so nobody knows yet whether they are right. Say it
          here: it counts from when they were handed in.
        </Alert>
      )}
      <Loaded from={list}>
        {({ submissions }) => (
          <Table
            label="Submissions"
            rows={submissions}
            columns={COLUMNS(now, list.reload)}
            rowKey={(row) => row.id}
            empty={<Empty title="Nothing was handed in." />}
          />
        )}
      </Loaded>
    </Page>
  );
}
