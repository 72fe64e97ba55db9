// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";
import { formatBytes, formatDate } from "../format";
import { useGet } from "../resource";
import type { Params } from "../router";
import { hasWords, SearchBox } from "../search";
import type { Archive } from "../types";
import { Badge, Card, Empty, Failure, Loaded, Page, Table, TeamLink, type Column, type Tone } from "../ui";

const REFRESH_MS = 5000;

const TONE: Record<string, Tone> = { kept: "ok", owed: "busy", failed: "bad" };

function Files({ archive }: { archive: Archive }) {
  return (
    <ul class="files">
      {archive.files.map((file) => (
        <li key={file.name}>
          <a
            href={`/api/v1/admin/archives/${encodeURIComponent(archive.id)}/${encodeURIComponent(file.name)}`}
            download={`${archive.challenge_id}-${archive.instance_id}-${file.name}`}
          >
            {file.name}, {formatBytes(file.size)}
          </a>
        </li>
      ))}
    </ul>
  );
}

/** What was kept of one instance; nothing is shown where nothing was. */
export function ArchiveCard({ instance }: { instance: string }) {
  const list = useGet<{ archives: Archive[] }>(
    `/admin/archives?instance=${encodeURIComponent(instance)}`,
    REFRESH_MS,
  );
  return (
    <>
      {list.data?.archives.map((archive) => (
        <Card
          key={archive.id}
          title="Kept by the platform"
          aside={<Badge tone={TONE[archive.status] ?? "plain"}>{archive.status}</Badge>}
        >
          {archive.status === "failed" && <Failure error={archive.detail} />}
          <Files archive={archive} />
        </Card>
      ))}
    </>
  );
}

const COLUMNS: Column<Archive>[] = [
  { name: "Challenge", cell: (row) => <a href={`/admin/instances/${row.instance_id}`}>{row.challenge_id}</a> },
  { name: "Team", kind: "wide", cell: (row) => <TeamLink id={row.team_id} name={row.team} /> },
  { name: "State", cell: (row) => <Badge tone={TONE[row.status] ?? "plain"}>{row.status}</Badge> },
  { name: "Size", kind: "number", cell: (row) => formatBytes(row.size) },
  { name: "Ended", kind: "time", cell: (row) => formatDate(row.ended_at) },
];

const fits = (row: Archive, words: string) =>
  hasWords([row.challenge_id, row.team, row.instance_id, row.status], words);

export function ArchivesPage(_: { params: Params }) {
  const [words, setWords] = useState("");
  const list = useGet<{ archives: Archive[] }>("/admin/archives?limit=500", REFRESH_MS);
  return (
    <Page title="Archives" lead="What was kept of instances that have ended">
      <div class="filters" role="search">
        <SearchBox
          label="Search archives"
          placeholder="Challenge, team, state or id"
          words={words}
          onWords={setWords}
        />
      </div>
      <Loaded from={list}>
        {({ archives }) => (
          <Table
            label="Archives"
            rows={archives.filter((row) => fits(row, words))}
            columns={COLUMNS}
            rowKey={(row) => row.id}
            empty={<Empty title={words ? "Nothing fits." : "No instance has ended yet."} />}
          />
        )}
      </Loaded>
    </Page>
  );
}
