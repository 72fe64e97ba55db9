import { useEffect, useState } from "preact/hooks";
import { get } from "../api";
import { formatDate } from "../format";
import { useAction } from "../resource";
import type { Params } from "../router";
import type { AuditEntry } from "../types";
import { Badge, Button, Empty, Failure, Page, Skeleton, Table, type Column } from "../ui";

const PAGE = 100;

interface AuditPageRead {
  entries: AuditEntry[];
  next_cursor: string | null;
}

function outcome(status: number) {
  if (status === 0) return <Badge tone="warn">cut short</Badge>;
  return <Badge tone={status < 400 ? "ok" : "bad"}>{status}</Badge>;
}

const COLUMNS: Column<AuditEntry>[] = [
  { name: "When", kind: "time", cell: (row) => formatDate(row.at) },
  { name: "Who", cell: (row) => row.user ?? row.user_id },
  { name: "Act", kind: "short", cell: (row) => <span class="mono-cell">{row.action.split(" ")[0]}</span> },
  {
    name: "On what",
    kind: "wide",
    cell: (row) => (
      <>
        <span class="mono-cell">{row.object?.replace("/api/v1", "")}</span>
        {row.note && <div class="muted small">{row.note}</div>}
      </>
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
