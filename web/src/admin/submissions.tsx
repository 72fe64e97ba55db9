import { useState } from "preact/hooks";
import { serverNow } from "../api";
import { formatAgo } from "../format";
import { useGet, useNow } from "../resource";
import type { Params } from "../router";
import type { AdminSubmission } from "../types";
import { Alert, Badge, Empty, Loaded, Page, Table, type Column, type Tone } from "../ui";

const REFRESH_MS = 2000;

export const VERDICT_TONE: Record<string, Tone> = {
  correct: "ok",
  repeated: "plain",
  wrong: "plain",
  foreign: "bad",
};

const VERDICTS = ["correct", "repeated", "wrong", "foreign"];

function instanceLink(id: string | null, words: string | null) {
  return id ? <a href={`/admin/instances/${id}`}>{words}</a> : words;
}

const COLUMNS: (now: number) => Column<AdminSubmission>[] = (now) => [
  { name: "Team", cell: (row) => instanceLink(row.instance_id, row.team) },
  { name: "Challenge", cell: (row) => row.challenge_id },
  { name: "Answer", kind: "wide", cell: (row) => <code class="answer-text">{row.answer}</code> },
  { name: "Verdict", cell: (row) => <Badge tone={VERDICT_TONE[row.verdict] ?? "plain"}>{row.verdict}</Badge> },
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
      <Loaded from={list}>
        {({ submissions }) => (
          <Table
            label="Submissions"
            rows={submissions}
            columns={COLUMNS(now)}
            rowKey={(row) => row.id}
            empty={<Empty title="Nothing was handed in." />}
          />
        )}
      </Loaded>
    </Page>
  );
}
