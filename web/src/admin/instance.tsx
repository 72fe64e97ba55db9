// SPDX-License-Identifier: Apache-2.0
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { call, checkFile, serverNow } from "../api";
import { formatAgo, formatCountdown, formatDate, formatTime } from "../format";
import { lazy } from "../lazy";
import { STATUS_TONE } from "../pages/challenges";
import { useAction, useGet, useNow } from "../resource";
import type { Params } from "../router";
import type { AdminInstance, Container, TimelineEvent, WholeInstance } from "../types";
import {
  Alert, Badge, Button, Card, ConfirmButton, Empty, Facts, Failure, Loaded, Page, Reason, Table, TeamLink, announce,
} from "../ui";
import { ArchiveCard } from "./archives";
import { Logs } from "./logs";
import { Tabs } from "./tabs";
import { Traffic } from "./traffic";

const REFRESH_MS = 2000;

const Shell = lazy<{ instance: string; container: Container }>(async () => (await import("./shell")).Shell);

function Timeline({ base }: { base: string }) {
  const timeline = useGet<{ events: TimelineEvent[] }>(`${base}/timeline`, REFRESH_MS);
  return (
    <Loaded from={timeline}>
      {({ events }) => (
        <ol class="timeline">
          {events.map((event, i) => (
            <li key={i}>
              <time dateTime={event.at}>{formatTime(event.at)}</time>
              <span class="event">{event.event}</span>
              <span class="detail">
                {event.service && <span class="tag">{event.service}</span>} {event.detail}
              </span>
            </li>
          ))}
        </ol>
      )}
    </Loaded>
  );
}

function Containers({ base, onShell }: { base: string; onShell: (container: Container) => void }) {
  const list = useGet<{ containers: Container[] }>(`${base}/containers`, REFRESH_MS);
  const now = useNow(serverNow, 5000);
  return (
    <Loaded from={list}>
      {({ containers }) => (
        <Table
          label="Containers"
          rows={containers}
          rowKey={(row) => row.container_id}
          columns={[
            {
              name: "Service",
              cell: (row) => (
                <>
                  {row.service} {row.role === "sidecar" && <span class="tag">sidecar</span>}
                </>
              ),
            },
            {
              name: "State",
              cell: (row) => (
                <Badge tone={row.health === "unhealthy" ? "bad" : row.state === "running" ? "ok" : "plain"}>
                  {row.health && row.health !== "none" ? row.health : row.state}
                </Badge>
              ),
            },
            {
              name: "Ways in",
              cell: (row) =>
                row.state === "running" && (
                  <Button onClick={() => onShell(row)} aria-label={`Shell in ${row.service}`}>
                    Shell
                  </Button>
                ),
            },
            { name: "Made", kind: "time", cell: (row) => formatAgo(row.created_at, now) },
            { name: "Image", kind: "wide", cell: (row) => <span class="mono-cell">{row.image}</span> },
          ]}
          empty={<Empty title="It has no containers." />}
        />
      )}
    </Loaded>
  );
}

function Summary({ instance }: { instance: WholeInstance }) {
  const now = useNow(serverNow);
  const left = instance.expires_at ? Date.parse(instance.expires_at) - now : 0;
  return (
    <Card title="What it is">
      <Facts
        rows={[
          ["Team", <TeamLink id={instance.team_id} name={instance.team} />],
          ["Started by", instance.user],
          ["Node", instance.node ?? "gone"],
          ["Id", <code>{instance.id}</code>],
          ...(instance.copy_id !== instance.id
            ? [["On its node", <code>{instance.copy_id}</code>] as [string, ComponentChildren]]
            : []),
          ["Answers of its own", instance.answered_questions.join(", ") || "none"],
          ["Begun", formatDate(instance.created_at)],
          instance.status === "running"
            ? ["Time left", <span class="clock-inline">{formatCountdown(left)}</span>]
            : ["Ended", formatDate(instance.ended_at)],
          ...instance.endpoints.map((endpoint): [string, ComponentChildren] => [
            endpoint.service,
            <code>{endpoint.command}</code>,
          ]),
        ]}
      />
    </Card>
  );
}

function save(href: string) {
  const link = document.createElement("a");
  link.href = href;
  link.download = "";
  link.click();
}

const DOWNLOADS: [path: string, words: string][] = [
  ["/evidence", "All of it, as a bundle"],
  ["/traffic?format=har", "HTTP, as HAR"],
  ["/pcap", "Packets, as pcap"],
];

/** Not everything was asked for, or is there any more: that is told here, and not in a file. */
function Downloads({ base }: { base: string }) {
  const download = useAction(async (path: string) => {
    await checkFile(path);
    save(`/api/v1${path}`);
  });
  return (
    <Card title="On its node">
      <ul class="files">
        {DOWNLOADS.map(([path, words]) => (
          <li key={path}>
            <a
              href={`/api/v1${base}${path}`}
              download
              onClick={(event) => {
                event.preventDefault();
                void download.run(base + path);
              }}
            >
              {words}
            </a>
          </li>
        ))}
      </ul>
      <Failure error={download.error} />
    </Card>
  );
}

function Inside({ instance, base }: { instance: WholeInstance; base: string }) {
  const [shell, setShell] = useState<Container | null>(null);
  const live = isLive(instance);
  const tabs = [
    ...(live
      ? [{ name: "Containers", content: () => <Containers base={base} onShell={setShell} /> }]
      : []),
    { name: "Timeline", content: () => <Timeline base={base} /> },
    ...(live ? [{ name: "Logs", content: () => <Logs base={base} /> }] : []),
    { name: "Traffic", content: () => <Traffic base={base} live={live} /> },
  ];
  return (
    <>
      <Card>
        <Tabs label="What the node has of it" tabs={tabs} />
      </Card>
      {shell && (
        <Card
          title={`Shell in ${shell.service}`}
          aside={
            <Button kind="quiet" onClick={() => setShell(null)}>
              Close
            </Button>
          }
        >
          <Shell key={shell.container_id} instance={instance.id} container={shell} />
        </Card>
      )}
    </>
  );
}

const isLive = ({ status }: AdminInstance) => status === "running" || status === "starting";

/* What has ended stays as it is. */
const pace = (instance: WholeInstance | undefined) => (instance?.ended_at ? 0 : REFRESH_MS);

/** How much longer than so far it is to have. */
const EXTENSIONS: [words: string, minutes: number][] = [
  ["15 minutes", 15],
  ["1 hour", 60],
  ["6 hours", 360],
];

function Extend({ base, onExtended }: { base: string; onExtended: () => Promise<void> }) {
  const [minutes, setMinutes] = useState(60);
  const extension = useAction(async () => {
    await call("PATCH", base, { extend: 60 * minutes });
    await onExtended();
    announce("It has more time, and its team was told");
  });
  return (
    <>
      <form
        class="extend"
        onSubmit={(event) => {
          event.preventDefault();
          void extension.run();
        }}
      >
        <select
          aria-label="How much more time"
          value={minutes}
          onChange={(event) => setMinutes(Number(event.currentTarget.value))}
        >
          {EXTENSIONS.map(([words, value]) => (
            <option key={value} value={value}>
              {words}
            </option>
          ))}
        </select>
        <Button type="submit" busy={extension.busy}>
          Extend
        </Button>
      </form>
      <Failure error={extension.error} />
    </>
  );
}

function Stop({ instance, base, onStopped }: { instance: WholeInstance; base: string; onStopped: () => Promise<void> }) {
  const stop = useAction(async () => {
    await call("DELETE", base);
    await onStopped();
  });
  return (
    <>
      <ConfirmButton
        label="Stop"
        question={`Stop this instance of ${instance.team}? All that is in it is lost to them.`}
        busy={stop.busy}
        onConfirm={() => void stop.run()}
      />
      <Failure error={stop.error} />
    </>
  );
}

export function InstancePage({ params }: { params: Params }) {
  const id = params["id"]!;
  const base = `/admin/instances/${encodeURIComponent(id)}`;
  const resource = useGet<WholeInstance>(base, pace);
  const instance = resource.data;
  if (resource.error?.status === 404)
    return (
      <Page title="Instance">
        <Empty title={`There is no instance "${id}".`} />
      </Page>
    );
  return (
    <>
      <nav class="crumbs" aria-label="Breadcrumb">
        <a href="/admin/instances">Instances</a>
      </nav>
      <Page
        title={instance?.challenge_id ?? "Instance"}
        lead={instance?.team ?? " "}
        actions={
          instance && (
            <>
              <Badge tone={STATUS_TONE[instance.status]}>{instance.status}</Badge>
              {instance.status === "running" && <Extend base={base} onExtended={resource.reload} />}
              {isLive(instance) && <Stop instance={instance} base={base} onStopped={resource.reload} />}
            </>
          )
        }
      >
        {instance?.cause && (
          <Alert>
            <Reason text={instance.cause} />
          </Alert>
        )}
        <Loaded from={resource}>
          {(data) => (
            <div class="stack">
              <div class="halves">
                <Summary instance={data} />
                <Downloads base={base} />
                {data.ended_at && <ArchiveCard instance={id} />}
              </div>
              <Inside instance={data} base={base} />
            </div>
          )}
        </Loaded>
      </Page>
    </>
  );
}
