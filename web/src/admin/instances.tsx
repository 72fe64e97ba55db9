// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";
import { serverNow } from "../api";
import { formatAgo, formatCountdown, plural } from "../format";
import { STATUS_TONE } from "../pages/challenges";
import { useGet, useNow } from "../resource";
import type { Params } from "../router";
import { hasWords, SearchBox } from "../search";
import type { AdminInstance } from "../types";
import { Badge, Empty, Loaded, Page, Table, TeamLink, type Column } from "../ui";

const REFRESH_MS = 3000;
const HISTORY = 500;

const COLUMNS: (now: number) => Column<AdminInstance>[] = (now) => [
  { name: "Challenge", cell: (row) => <a href={`/admin/instances/${row.id}`}>{row.challenge_id}</a> },
  { name: "Team", kind: "wide", cell: (row) => <TeamLink id={row.team_id} name={row.team} /> },
  { name: "Node", cell: (row) => row.node ?? "–" },
  { name: "State", cell: (row) => <Badge tone={STATUS_TONE[row.status]}>{row.status}</Badge> },
  { name: "Begun", kind: "time", cell: (row) => formatAgo(row.created_at, now) },
  {
    name: "Time left",
    kind: "number",
    cell: (row) =>
      row.status === "running" && row.expires_at ? formatCountdown(Date.parse(row.expires_at) - now) : "–",
  },
];

const fits = (row: AdminInstance, words: string) =>
  hasWords([row.id, row.challenge_id, row.team, row.node, row.status], words);

export function InstancesPage(_: { params: Params }) {
  const [words, setWords] = useState("");
  const [ended, setEnded] = useState(false);
  const path = ended ? `/admin/instances?all=true&limit=${HISTORY}` : "/admin/instances";
  const list = useGet<{ instances: AdminInstance[] }>(path, REFRESH_MS);
  const now = useNow(serverNow);
  return (
    <Page title="Instances" lead={list.data ? plural(list.data.instances.length, "instance") : " "}>
      <div class="filters" role="search">
        <SearchBox
          label="Search instances"
          placeholder="Challenge, team, node, state or id"
          words={words}
          onWords={setWords}
        />
        <label class="check">
          <input type="checkbox" checked={ended} onChange={(event) => setEnded(event.currentTarget.checked)} />
          Also those that have ended
        </label>
      </div>
      <Loaded from={list}>
        {({ instances }) => (
          <Table
            label="Instances"
            rows={instances.filter((row) => fits(row, words))}
            columns={COLUMNS(now)}
            rowKey={(row) => row.id}
            empty={<Empty title={words ? "Nothing fits." : "Nothing runs."} />}
          />
        )}
      </Loaded>
    </Page>
  );
}
