// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from "preact/hooks";
import { get } from "../api";
import { formatDate, localTimes } from "../format";
import { useAction } from "../resource";
import type { Params } from "../router";
import type { AuditEntry } from "../types";
import { Badge, Button, Empty, Failure, Page, Skeleton, Table, type Column } from "../ui";

const PAGE = 100;

interface AuditPageRead {
  entries: AuditEntry[];
  next_cursor: string | null;
}

/* What a route is for, in an organiser's words; another one is told as it is. */
const ACTS: Record<string, string> = {
  shell: "opened a shell",
  "PATCH /admin/instances/{instance}": "set an instance's end",
  "DELETE /admin/instances/{instance}": "stopped an instance",
  "POST /admin/instances/{instance}/agent-runs": "ran an agent",
  "POST /admin/nodes/{node}/drain": "drained a node",
  "POST /admin/nodes/{node}/undrain": "used a node again",
  "POST /admin/nodes/{node}/token": "gave a node another token",
  "DELETE /admin/nodes/{node}/token": "ended a node's token",
  "DELETE /admin/nodes/{node}": "removed a node",
  "POST /admin/join-secrets": "made a join secret",
  "DELETE /admin/join-secrets/{secret}": "ended a join secret",
  "POST /admin/challenges/build": "had images built",
  "POST /admin/challenges/pull": "had images pulled",
  "PUT /admin/challenges/{id}": "put a challenge into its place",
  "POST /admin/challenges/rescan": "had the challenges read again",
  "POST /admin/challenges/{id}/trial": "had a challenge tried",
  "POST /admin/competitions": "applied a competition's file",
  "POST /admin/notices": "told the players news",
  "PATCH /admin/reviews/{submission}": "judged an answer",
  "PATCH /admin/teams/{team}": "changed a team",
  "POST /admin/users": "made an account",
  "PATCH /admin/users/{user}": "changed an account",
};

const withoutBase = (text: string) => text.replace("/api/v1", "");

const describe = ({ action }: AuditEntry) => ACTS[withoutBase(action)] ?? withoutBase(action);

function outcome(status: number) {
  if (status === 0) return <Badge tone="warn">cut short</Badge>;
  return <Badge tone={status < 400 ? "ok" : "bad"}>{status}</Badge>;
}

const COLUMNS: Column<AuditEntry>[] = [
  { name: "When", kind: "time", cell: (row) => formatDate(row.at) },
  { name: "Who", cell: (row) => row.user ?? row.user_id },
  { name: "Did", kind: "short", cell: describe },
  {
    name: "On what",
    kind: "wide",
    cell: (row) => (
      <div>
        {row.note && <div>{localTimes(row.note)}</div>}
        <span class="mono-cell muted">{withoutBase(row.object ?? "")}</span>
      </div>
    ),
  },
  { name: "Outcome", cell: (row) => outcome(row.status) },
  { name: "From", kind: "short", cell: (row) => <span class="mono-cell">{row.peer}</span> },
];

export function AuditPage(_: { params: Params }) {
  const [entries, setEntries] = useState<AuditEntry[] | null>(null);
  const [cursor, setCursor] = useState<string | null>(null);
  const reading = useAction(async (from: string | null) => {
    const page = await get<AuditPageRead>(
      `/admin/audit?limit=${PAGE}${from ? `&cursor=${encodeURIComponent(from)}` : ""}`,
    );
    setEntries((old) => [...(from ? (old ?? []) : []), ...page.entries]);
    setCursor(page.next_cursor);
  });
  useEffect(() => void reading.run(null), []);
  return (
    <Page title="Audit log" lead="What organisers did, the newest first">
      <div class="stack">
        <Failure error={reading.error} />
        {entries === null && !reading.error && <Skeleton lines={8} />}
        {entries && (
          <Table
            label="Audit log"
            rows={entries}
            columns={COLUMNS}
            rowKey={(row) => row.id}
            empty={<Empty title="Nothing was done yet." />}
          />
        )}
        {cursor && (
          <div class="actions">
            <Button busy={reading.busy} onClick={() => void reading.run(cursor)}>
              Older ones
            </Button>
          </div>
        )}
      </div>
    </Page>
  );
}
