// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from "preact/hooks";
import { call, request, serverNow } from "../api";
import { useEvent } from "../events";
import { formatAgo, formatCountdown, formatSeconds } from "../format";
import { describeService, isGettingReady, isUnwell, isWell } from "../health";
import { useAction, useGet, useNow, type Resource } from "../resource";
import type { Endpoint, Instance, Service } from "../types";
import { Alert, Badge, Button, Card, ConfirmButton, Copy, Failure, Paste, Reason, Skeleton, type Tone, announce } from "../ui";

const CHANGING_MS = 700;
const SETTLED_MS = 5000;
const STOP_PATIENCE_S = 60;
const WARN_BEFORE_END_MS = 5 * 60 * 1000; /* or the last quarter of a short life */

const VPN_SERVICE = "openvpn";

/* Ours: the node calls it running. */
const HEALTH_PHASE = "health";

/* What a start goes through, in the node's words and in ours. */
const PHASES: [phase: string, words: string][] = [
  ["planning", "Planned"],
  ["images", "Images built or pulled"],
  ["queued", "Its turn"],
  ["containers", "Network and containers up"],
  [HEALTH_PHASE, "Every service well"],
];

function describe(instance: Instance): [Tone, string] {
  switch (instance.status) {
    case "starting":
      return ["busy", "Starting"];
    case "stopping":
      return ["busy", "Stopping"];
    case "running":
      if (isGettingReady(instance)) return ["busy", "Getting ready"];
      if (isUnwell(instance)) return ["warn", "Running, not well"];
      return ["ok", "Running"];
    case "failed":
      return ["bad", "Failed"];
    default:
      return ["plain", instance.status === "expired" ? "Time was over" : "Stopped"];
  }
}

function Steps({ phase }: { phase: string | null | undefined }) {
  const at = Math.max(0, PHASES.findIndex(([name]) => name === phase));
  return (
    <ol class="steps">
      {PHASES.map(([name, words], i) => (
        <li
          key={name}
          class={i < at ? "done" : i === at ? "now" : ""}
          aria-current={i === at ? "step" : undefined}
        >
          {words}
        </li>
      ))}
    </ol>
  );
}

/** How long such starts take, and how long this one has been at it. */
function Estimate({ instance }: { instance: Instance }) {
  const now = useNow(serverNow, 250);
  const elapsed = Math.max(0, now - Date.parse(instance.created_at));
  const eta = instance.eta_ms ?? 0;
  const queue = instance.queue_position ?? 0;
  const words =
    queue > 0
      ? `Number ${queue} in the queue`
      : eta > 0
        ? `Half of such starts take less than ${formatSeconds(eta)}`
        : "The first start of its kind: nobody knows yet how long it takes";
  return (
    <>
      <progress
        aria-label="Progress of the start"
        {...(eta > 0 ? { max: 1, value: elapsed / (elapsed + eta / 2) } : {})}
      />
      <p class="muted small">
        {words} · {formatSeconds(elapsed)} so far
      </p>
    </>
  );
}

function Starting({ instance, onStop, busy }: { instance: Instance; onStop: () => void; busy: boolean }) {
  return (
    <>
      <Steps phase={instance.phase} />
      <Estimate instance={instance} />
      <Button kind="quiet" busy={busy} onClick={onStop}>
        Cancel
      </Button>
    </>
  );
}

function EndpointRow({ endpoint }: { endpoint: Endpoint }) {
  return (
    <li>
      <span class="endpoint-name">
        {endpoint.service} <span class="muted">:{endpoint.container_port}</span>
      </span>
      <span class="endpoint-line">
        {endpoint.url ? (
          <a class="mono" href={endpoint.url} target="_blank" rel="noopener noreferrer">
            {endpoint.url}
          </a>
        ) : (
          <code>{endpoint.command}</code>
        )}
        <Copy text={endpoint.command} label={`address of ${endpoint.service}`} />
      </span>
    </li>
  );
}

/** Its endpoint is in the profile, and of no use without that. */
function Vpn({ challenge }: { challenge: string }) {
  return (
    <div>
      <span class="endpoint-name">VPN into its network</span>
      <a class="button plain" href={`/api/v1/challenges/${encodeURIComponent(challenge)}/openvpn-config`} download>
        VPN profile
      </a>{" "}
      <code class="muted">openvpn {challenge}.ovpn</code>
    </div>
  );
}

function Countdown({ instance }: { instance: Instance }) {
  const now = useNow(serverNow);
  if (!instance.expires_at) return null;
  const left = Date.parse(instance.expires_at) - now;
  const warnBefore = Math.min(WARN_BEFORE_END_MS, 250 * instance.ttl);
  const ending = left < warnBefore;
  return (
    <>
      <div class={`countdown ${ending ? "ending" : ""}`}>
        <span>Time left</span>
        <span class="clock" role="timer">
          {formatCountdown(left)}
        </span>
        <meter
          aria-label="Time left"
          min={0}
          max={instance.ttl * 1000}
          low={warnBefore}
          value={Math.max(0, left)}
        />
      </div>
      {ending && (
        <Alert tone="warn">It ends soon, with all that is in it. Renew it to get its whole time again.</Alert>
      )}
    </>
  );
}

function ServiceHealth({ service }: { service: Service }) {
  const well = isWell(service);
  return (
    <li>
      <Badge tone={well ? "ok" : service.health === "starting" ? "busy" : "bad"}>{service.service}</Badge>
      <span class="muted">{describeService(service)}</span>
      {service.detail && !well && <pre class="output">{service.detail}</pre>}
    </li>
  );
}

function Health({ instance }: { instance: Instance }) {
  if (instance.is_healthy !== false || !instance.services) return null;
  if (isGettingReady(instance)) return <Steps phase={HEALTH_PHASE} />;
  return (
    <div class="health">
      <p class="small">Not every service is well:</p>
      <ul>
        {instance.services.map((service) => (
          <ServiceHealth key={service.service} service={service} />
        ))}
      </ul>
    </div>
  );
}

interface Actions {
  start: () => void;
  renew: () => void;
  stop: () => void;
  reset: () => void;
  busy: boolean;
}

function Running({ instance, actions }: { instance: Instance; actions: Actions }) {
  return (
    <>
      <ul class="endpoints">
        {instance.endpoints
          .filter(({ service }) => service !== VPN_SERVICE)
          .map((endpoint) => (
            <EndpointRow key={`${endpoint.service}:${endpoint.container_port}`} endpoint={endpoint} />
          ))}
      </ul>
      {instance.services?.some(({ service }) => service === VPN_SERVICE) && <Vpn challenge={instance.challenge_id} />}
      <Health instance={instance} />
      <Countdown instance={instance} />
      <div class="actions">
        <Button busy={actions.busy} onClick={actions.renew}>
          Renew
        </Button>
        <ConfirmButton
          kind="quiet"
          label="Reset"
          question="Stop this instance and start a new one? All that is in it is lost, and it gets new answers."
          disabled={actions.busy}
          onConfirm={actions.reset}
        />
        <ConfirmButton
          kind="quiet"
          label="Stop"
          question="Stop this instance? All that is in it is lost."
          disabled={actions.busy}
          onConfirm={actions.stop}
        />
      </div>
      <AgentToken key={instance.id} instance={instance} />
    </>
  );
}

/* It ends with the instance in any case. */
const AGENT_DAYS = 2;

const agentCommands = (token: string, challenge: string) =>
  [
    `export CTFY_URL=${window.location.origin} CTFY_TOKEN=${token}`,
    `ctfy show ${challenge}`,
    `ctfy attachments ${challenge}`,
    `ctfy status ${challenge}`,
    `ctfy submit ${challenge} 'flag{...}'`,
  ].join("\n");

/** A token that is good for this instance alone, for a program that is to solve it. */
function AgentToken({ instance }: { instance: Instance }) {
  const [token, setToken] = useState<string | null>(null);
  const making = useAction(async () => {
    const made = await call<{ token: string }>("POST", "/me/tokens", {
      name: `agent, ${instance.challenge_id}`,
      instance_id: instance.id,
      days: AGENT_DAYS,
    });
    setToken(made.token);
  });
  return (
    <details class="more">
      <summary>Let an agent at it</summary>
      <p class="muted small">
        A token for this instance alone: whoever has it sees this challenge and its instance, and hands in answers for
        your team. Nothing else.
      </p>
      <Failure error={making.error} />
      {token ? (
        <Alert tone="ok">
          Told only once:
          <Paste text={agentCommands(token, instance.challenge_id)} label="commands for an agent" />
        </Alert>
      ) : (
        <Button busy={making.busy} onClick={() => void making.run()}>
          Make a token
        </Button>
      )}
    </details>
  );
}

function Ended({ instance, actions }: { instance: Instance | null; actions: Actions }) {
  const now = useNow(serverNow, 10000);
  return (
    <>
      {instance?.status === "failed" && (
        <Alert>
          <Reason text={instance.detail ?? "The instance failed, and nobody said why."} />
        </Alert>
      )}
      <p class="muted">
        {instance?.ended_at
          ? `The last one ended ${formatAgo(instance.ended_at, now)}.`
          : "Your team gets an instance of its own, with a network and answers of its own."}
      </p>
      <Button kind="primary" busy={actions.busy} onClick={actions.start}>
        {instance ? "Start a new one" : "Start"}
      </Button>
    </>
  );
}

function useActions(path: string, instance: Resource<Instance>): Actions & { error: string | null } {
  const start = useAction(async () => {
    instance.put(await call<Instance>("POST", path));
    announce("The instance is starting");
  });
  const renew = useAction(async () => {
    await call("PATCH", path);
    await instance.reload();
    announce("The instance has its whole time again");
  });
  const stop = useAction(async () => instance.put(await call<Instance>("DELETE", path)));
  const reset = useAction(async () => {
    await request("DELETE", path, undefined, { Prefer: `wait=${STOP_PATIENCE_S}` });
    instance.put(await call<Instance>("POST", path));
  });
  const all = [start, renew, stop, reset];
  return {
    start: () => void start.run(),
    renew: () => void renew.run(),
    stop: () => void stop.run(),
    reset: () => void reset.run(),
    busy: all.some((action) => action.busy),
    error: all.map((action) => action.error).find((error) => error !== null) ?? null,
  };
}

function Content({ instance, actions }: { instance: Instance | null; actions: Actions }) {
  switch (instance?.status) {
    case "starting":
      return <Starting instance={instance} onStop={actions.stop} busy={actions.busy} />;
    case "running":
      return <Running instance={instance} actions={actions} />;
    case "stopping":
      return <p class="muted">Its containers and networks are being removed.</p>;
    default:
      return <Ended instance={instance} actions={actions} />;
  }
}

const CHANGING = new Set(["starting", "stopping"]);

const pace = (instance: Instance | undefined) =>
  instance && (CHANGING.has(instance.status) || instance.is_healthy === false) ? CHANGING_MS : SETTLED_MS;

interface PanelProps {
  challenge: string;
  onRunning: (id: string | undefined) => void;
}

function Panel({ challenge, onRunning }: PanelProps) {
  const path = `/challenges/${encodeURIComponent(challenge)}/instance`;
  const resource = useGet<Instance>(`${path}?check=true`, pace);
  useEvent("instance", resource.reload);
  const actions = useActions(path, resource);
  // A node that doesn't answer must not hide what the platform knows.
  const unasked = useGet<Instance>((resource.error?.status ?? 0) >= 500 ? path : null, SETTLED_MS);
  const instance = resource.data ?? unasked.data ?? null;
  useEffect(() => {
    onRunning(instance?.status === "running" ? instance.id : undefined);
    if (instance) announce(`Instance: ${describe(instance)[1]}`);
  }, [instance?.id, instance?.status, instance?.is_healthy]);
  const known = instance !== null || resource.error?.status === 404;
  const [tone, words] = instance ? describe(instance) : (["plain", "None"] as [Tone, string]);
  return (
    <Card title="Instance" aside={known && <Badge tone={tone}>{words}</Badge>} class="instance">
      {resource.error?.status !== 404 && <Failure error={resource.error} />}
      <Failure error={actions.error} />
      {known && <Content instance={instance} actions={actions} />}
      {!known && !resource.error && <Skeleton lines={3} />}
    </Card>
  );
}

/** The team's instance of a challenge: what it is doing, the ways in, and its whole life's buttons. */
export function InstancePanel({ hasTeam, ...props }: PanelProps & { hasTeam: boolean }) {
  if (hasTeam) return <Panel {...props} />;
  return (
    <Card title="Instance">
      <p class="muted">Every team has an instance of its own.</p>
      <a class="button primary" href="/team">
        Make or join a team
      </a>
    </Card>
  );
}
