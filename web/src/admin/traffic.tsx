// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from "preact/hooks";
import { ApiError, get } from "../api";
import { formatBytes, formatTime } from "../format";
import { SearchBox } from "../search";
import type { Flow, FlowBody, FlowHeaders } from "../types";
import { Badge, Empty, Failure, Skeleton, type Tone } from "../ui";

const REFRESH_MS = 2000;
const PAGE = 500;
/* So many are kept at hand; the HAR has all of them. */
const KEPT = 5000;

interface Flows {
  flows: Flow[];
  next: string | number | null;
}

function useFlows(base: string, live: boolean) {
  const [flows, setFlows] = useState<Flow[] | null>(null);
  const [error, setError] = useState<string | null>(null);
  useEffect(() => {
    let timer = 0;
    let ended = false;
    let since: string | number | null = null;
    const read = async () => {
      try {
        const page: Flows = await get(
          `${base}/traffic?limit=${PAGE}${since === null ? "" : `&since=${encodeURIComponent(since)}`}`,
        );
        if (ended) return;
        since = page.next;
        setFlows((old) => [...(old ?? []), ...page.flows].slice(-KEPT));
        setError(null);
        if (page.flows.length === PAGE) return void read();
      } catch (failure) {
        if (!(failure instanceof ApiError)) throw failure;
        if (!ended) setError(failure.message);
      }
      if (!ended && live) timer = window.setTimeout(read, REFRESH_MS);
    };
    void read();
    return () => {
      ended = true;
      window.clearTimeout(timer);
    };
  }, [base, live]);
  return { flows, error };
}

function fits(flow: Flow, words: string) {
  if (!words) return true;
  const text = [
    flow.request.method,
    flow.request.url,
    flow.response?.status,
    flow.request.body?.text,
    flow.response?.body?.text,
    flow.client,
  ].join(" ");
  return text.toLowerCase().includes(words.toLowerCase());
}

function statusTone(flow: Flow): Tone {
  if (!flow.response) return "bad";
  if (flow.response.status >= 500) return "bad";
  return flow.response.status >= 400 ? "warn" : "ok";
}

function showBody(body: FlowBody | null): string {
  if (!body || body.size === 0) return "";
  if (body.text !== undefined) return body.text;
  if (body.base64 !== undefined) return `(${formatBytes(body.size)}, base64)\n${body.base64}`;
  return `(${formatBytes(body.size)}, not kept)`;
}

function Message(props: { title: string; first: string; headers: FlowHeaders[]; body: FlowBody | null }) {
  return (
    <section>
      <h3>{props.title}</h3>
      <pre class="message" tabIndex={0} aria-label={props.title}>
        {props.first}
        {"\n"}
        {props.headers.map(({ name, value }) => `${name}: ${value}\n`).join("")}
        {"\n"}
        {showBody(props.body)}
      </pre>
    </section>
  );
}

function FlowDetails({ flow }: { flow: Flow }) {
  const { request, response } = flow;
  return (
    <>
      {flow.error && <Failure error={flow.error} />}
      <div class="flow">
        <Message
          title="Request"
          first={`${request.method} ${request.url} ${request.http_version}`}
          headers={request.headers}
          body={request.body}
        />
        {response && (
          <Message
            title="Response"
            first={`${response.http_version} ${response.status} ${response.reason}`}
            headers={response.headers}
            body={response.body}
          />
        )}
      </div>
    </>
  );
}

function FlowTable(props: { flows: Flow[]; chosen: Flow | null; onChoose: (flow: Flow) => void }) {
  return (
    <div class="table-frame flows" role="region" aria-label="Flows" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Method</th>
            <th scope="col">Address</th>
            <th scope="col">Status</th>
            <th scope="col" class="number">
              Size
            </th>
            <th scope="col" class="number">
              Took
            </th>
          </tr>
        </thead>
        <tbody>
          {props.flows.map((flow) => (
            <tr key={flow.id} class={flow.id === props.chosen?.id ? "chosen" : ""}>
              <td class="time">{formatTime(flow.started_at)}</td>
              <td>{flow.request.method}</td>
              <td class="wide">
                <button
                  type="button"
                  class="url"
                  aria-pressed={flow.id === props.chosen?.id}
                  onClick={() => props.onChoose(flow)}
                >
                  {flow.request.url}
                </button>
              </td>
              <td>
                <Badge tone={statusTone(flow)}>{flow.response?.status ?? "none"}</Badge>
              </td>
              <td class="number">{formatBytes(flow.response?.body?.size ?? 0)}</td>
              <td class="number">{Math.round(flow.duration_ms)} ms</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Traffic({ base, live }: { base: string; live: boolean }) {
  const { flows, error } = useFlows(base, live);
  const [words, setWords] = useState("");
  const [chosen, setChosen] = useState<Flow | null>(null);
  if (flows === null) return error ? <Failure error={error} /> : <Skeleton />;
  const selected = flows.filter((flow) => fits(flow, words)).reverse();
  return (
    <>
      <div class="filters" role="search">
        <SearchBox
          label="Search traffic"
          placeholder="Address, status, or what a body says"
          words={words}
          onWords={setWords}
        />
        <span class="muted">
          {selected.length} of {flows.length}
        </span>
      </div>
      <Failure error={error} />
      {selected.length > 0 ? (
        <FlowTable flows={selected} chosen={chosen} onChoose={setChosen} />
      ) : (
        <Empty title={words ? "Nothing fits." : "No HTTP was recorded."}>
          {!words && "A challenge asks for it with record_http: true."}
        </Empty>
      )}
      {chosen && <FlowDetails flow={chosen} />}
    </>
  );
}
