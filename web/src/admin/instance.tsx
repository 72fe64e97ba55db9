import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { call, serverNow } from "../api";
import { formatAgo, formatCountdown, formatDate, formatTime } from "../format";
import { lazy } from "../lazy";
import { STATUS_TONE } from "../pages/challenges";
import { useAction, useGet, useNow } from "../resource";
import type { Params } from "../router";
import type { AdminInstance, Container, TimelineEvent } from "../types";
import { Alert, Badge, Button, Card, ConfirmButton, Empty, Facts, Failure, Loaded, Page, Table } from "../ui";
import { ArchiveCard } from "./archives";
import { Logs } from "./logs";
import { Tabs } from "./tabs";
import { Traffic } from "./traffic";

const REFRESH_MS = 2000;
const HISTORY = 10000;

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
            { name: "Image", kind: "wide", cell: (row) => <span class="mono-cell">{row.image}</span> },
            {
              name: "State",
              cell: (row) => (
                <Badge tone={row.health === "unhealthy" ? "bad" : row.state === "running" ? "ok" : "plain"}>
                  {row.health && row.health !== "none" ? row.health : row.state}
                </Badge>
              ),
            },
            { name: "Made", kind: "time", cell: (row) => formatAgo(row.created_at, now) },
            {
              name: "Ways in",
              cell: (row) =>
                row.state === "running" && (
                  <Button onClick={() => onShell(row)} aria-label={`Shell in ${row.service}`}>
                    Shell
                  </Button>
                ),
            },
          ]}
          empty={<Empty title="It has no containers." />}
        />
      )}
    </Loaded>
  );
}

function Summary({ instance }: { instance: AdminInstance }) {
  const now = useNow(serverNow);
  const left = instance.expires_at ? Date.parse(instance.expires_at) - now : 0;
  return (
    <Card title="What it is">
      <Facts
        rows={[
          ["Team", instance.team ?? instance.team_id],
          ["Node", instance.node ?? "gone"],
          ["Id", <code>{instance.id}</code>],
          ["Begun", formatDate(instance.created_at)],
          instance.status === "running"
            ? ["Time left", formatCountdown(left)]
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

function Downloads({ base }: { base: string }) {
  return (
    <Card title="On its node">
      <ul class="files">
        <li>
          <a href={`/api/v1${base}/evidence`} download>
            All of it, as a bundle
          </a>
        </li>
        <li>
          <a href={`/api/v1${base}/traffic?format=har`} download>
            HTTP, as HAR
          </a>
        </li>
        <li>
          <a href={`/api/v1${base}/pcap`} download>
            Packets, as pcap
          </a>
        </li>
      </ul>
    </Card>
  );
}

function Inside({ instance, base }: { instance: AdminInstance; base: string }) {
  const [shell, setShell] = useState<Container | null>(null);
  const live = instance.status === "running" || instance.status === "starting";
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

/** The live ones are asked for often; what is none of them any more, once among all. */
function useInstance(id: string) {
  const live = useGet<{ instances: AdminInstance[] }>("/admin/instances", REFRESH_MS);
  const found = live.data?.instances.find((instance) => instance.id === id);
  const [wanted, setWanted] = useState(false);
  const all = useGet<{ instances: AdminInstance[] }>(wanted ? `/admin/instances?all=true&limit=${HISTORY}` : null);
  useEffect(() => setWanted(live.data !== undefined && !found), [live.data === undefined, !found]);
  const instance = found ?? all.data?.instances.find((row) => row.id === id);
  return { instance, looked: all.data !== undefined && !found, error: live.error ?? all.error, reload: live.reload };
}

export function InstancePage({ params }: { params: Params }) {
  const id = params["id"]!;
  const base = `/admin/instances/${encodeURIComponent(id)}`;
  const { instance, looked, error, reload } = useInstance(id);
  const stop = useAction(async () => {
    await call("DELETE", base);
    await reload();
  });
  if (looked && !instance)
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
              {(instance.status === "running" || instance.status === "starting") && (
                <ConfirmButton
                  label="Stop"
                  question={`Stop this instance of ${instance.team}? All that is in it is lost to them.`}
                  busy={stop.busy}
                  onConfirm={() => void stop.run()}
                />
              )}
            </>
          )
        }
      >
        <Failure error={stop.error} />
        {instance?.cause && <Alert>{instance.cause}</Alert>}
        <Loaded from={{ data: instance, error }}>
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
