// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";
import { call, serverNow } from "../api";
import { formatAgo, formatDate } from "../format";
import { useAction, useGet, useNow } from "../resource";
import type { Params } from "../router";
import type { Review, ReviewSide, Suspicion } from "../types";
import { Badge, Button, Card, Empty, Facts, Failure, Loaded, Page, Table, TeamLink, TextField, type Column, type Tone } from "../ui";
import { Tabs } from "./tabs";

const REFRESH_MS = 5000;

const STATE_TONE: Record<string, Tone> = { open: "warn", dismissed: "plain", confirmed: "bad" };

const REASONS: Record<string, string> = {
  not_started: "never had an instance",
  not_downloaded: "never took a file",
  too_quick: "was very quick",
};

function Side({ title, side }: { title: string; side: ReviewSide }) {
  return (
    <section>
      <h3>{title}</h3>
      <Facts
        rows={[
          ["Team", <TeamLink id={side.team_id} name={side.team} />],
          [
            "Instance",
            side.instance_id ? <a href={`/admin/instances/${side.instance_id}`}>{side.instance_id}</a> : "none",
          ],
          ["Started", formatDate(side.started_at)],
          ["Ended", formatDate(side.ended_at)],
          [
            "Evidence",
            side.evidence ? (
              <a href={side.evidence} download>
                The bundle
              </a>
            ) : (
              "none"
            ),
          ],
        ]}
      />
    </section>
  );
}

function Judgement({ review, reload }: { review: Review; reload: () => Promise<void> }) {
  const [note, setNote] = useState(review.note ?? "");
  const judging = useAction(async (verdict: string) => {
    await call("PATCH", `/admin/reviews/${encodeURIComponent(review.submission_id)}`, {
      review: verdict,
      ...(note && { note }),
    });
    await reload();
  });
  return (
    <>
      <TextField label="Note" value={note} onText={setNote} autocomplete="off" />
      <Failure error={judging.error} />
      <div class="actions">
        <Button busy={judging.busy} onClick={() => void judging.run("dismissed")}>
          Dismiss
        </Button>
        <Button kind="danger" busy={judging.busy} onClick={() => void judging.run("confirmed")}>
          Confirm
        </Button>
        <span class="muted small">Nobody is banned by it.</span>
      </div>
    </>
  );
}

function ReviewCard({ review, reload }: { review: Review; reload: () => Promise<void> }) {
  const now = useNow(serverNow, 10000);
  return (
    <Card
      title={`${review.by.team} handed in an answer of ${review.of.team}`}
      aside={<Badge tone={STATE_TONE[review.review] ?? "plain"}>{review.review}</Badge>}
    >
      <Facts
        rows={[
          ["Challenge", review.challenge_id],
          ["Answer", <code class="answer-text">{review.answer}</code>],
          ["By", `${review.user}${review.peer ? ` from ${review.peer}` : ""}, ${formatAgo(review.submitted_at, now)}`],
        ]}
      />
      <div class="side-by-side">
        <Side title="Who handed it in" side={review.by} />
        <Side title="Whose it was" side={review.of} />
      </div>
      <Judgement review={review} reload={reload} />
    </Card>
  );
}

function Reviews() {
  const list = useGet<{ reviews: Review[] }>("/admin/reviews?limit=50", REFRESH_MS);
  return (
    <Loaded from={list}>
      {({ reviews }) =>
        reviews.length > 0 ? (
          <div class="stack">
            {reviews.map((review) => (
              <ReviewCard key={review.submission_id} review={review} reload={list.reload} />
            ))}
          </div>
        ) : (
          <Empty title="Nothing to review.">Answers that were made for another team appear here.</Empty>
        )
      }
    </Loaded>
  );
}

const SUSPICIONS: Column<Suspicion>[] = [
  {
    name: "Team",
    cell: (row) => (row.instance_id ? <a href={`/admin/instances/${row.instance_id}`}>{row.team}</a> : row.team),
  },
  { name: "Challenge", cell: (row) => row.challenge_id },
  {
    name: "What is odd",
    kind: "wide",
    cell: (row) => row.reasons.map((reason) => REASONS[reason] ?? reason).join(", "),
  },
  { name: "Solved", kind: "time", cell: (row) => formatDate(row.solved_at) },
];

function Suspicions() {
  const list = useGet<{ suspicions: Suspicion[] }>("/admin/suspicions?limit=1000");
  return (
    <Loaded from={list}>
      {({ suspicions }) => (
        <Table
          label="Odd solves"
          rows={suspicions}
          columns={SUSPICIONS}
          rowKey={(row) => row.submission_id}
          empty={<Empty title="Every solve went as solves go." />}
        />
      )}
    </Loaded>
  );
}

export function ReviewsPage(_: { params: Params }) {
  return (
    <Page title="Reviews">
      <Tabs
        label="What to review"
        tabs={[
          { name: "Shared answers", content: () => <Reviews /> },
          { name: "Odd solves", content: () => <Suspicions /> },
        ]}
      />
    </Page>
  );
}
