import { serverNow } from "../api";
import { formatAgo, plural } from "../format";
import { useGet, useNow } from "../resource";
import { STATUS_TONE } from "../pages/challenges";
import type { AdminInstance } from "../types";
import { Badge, Empty, Loaded, Page, Table, type Column } from "../ui";

const REFRESH_MS = 3000;

const COLUMNS: (now: number) => Column<AdminInstance>[] = (now) => [
  { name: "Challenge", cell: (row) => row.challenge_id },
  { name: "Team", kind: "wide", cell: (row) => row.team },
  { name: "Node", cell: (row) => row.node },
  { name: "State", cell: (row) => <Badge tone={STATUS_TONE[row.status]}>{row.status}</Badge> },
  { name: "Begun", kind: "time", cell: (row) => formatAgo(row.created_at, now) },
];

export function Admin(_: { path: string }) {
  const list = useGet<{ instances: AdminInstance[] }>("/admin/instances", REFRESH_MS);
  const now = useNow(serverNow, 5000);
  return (
    <Page title="Instances" lead={list.data ? plural(list.data.instances.length, "instance") : " "}>
      <Loaded from={list}>
        {(data) => (
          <Table
            label="Instances"
            rows={data.instances}
            columns={COLUMNS(now)}
            rowKey={(row) => row.id}
            empty={<Empty title="Nothing runs." />}
          />
        )}
      </Loaded>
    </Page>
  );
}
