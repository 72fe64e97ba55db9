// SPDX-License-Identifier: Apache-2.0
// The parts that pages are made of.

import { Fragment, type ComponentChildren, type JSX } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ApiError } from "./api";
import { createStore, useStore } from "./store";

export function Page(props: {
  title: string;
  lead?: ComponentChildren;
  actions?: ComponentChildren;
  heading?: ComponentChildren;
  children?: ComponentChildren;
}) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${props.title} · ctfy`;
  }, [props.title]);
  // Who navigates by keyboard or ear begins at the new page's heading; before it is shown, or it takes the focus
  // from who is quick to type.
  useLayoutEffect(() => heading.current?.focus({ preventScroll: true }), []);
  return (
    <>
      <div class="page-head">
        <div>
          <h1 ref={heading} tabIndex={-1}>
            {props.heading ?? props.title}
          </h1>
          {props.lead && <p class="lead">{props.lead}</p>}
        </div>
        {props.actions && <div class="actions">{props.actions}</div>}
      </div>
      {props.children}
    </>
  );
}

export function Card(props: {
  title?: ComponentChildren;
  aside?: ComponentChildren;
  class?: string;
  children: ComponentChildren;
}) {
  const id = useId();
  return (
    <section class={`card ${props.class ?? ""}`} aria-labelledby={props.title ? id : undefined}>
      {props.title && (
        <header class="card-head">
          <h2 id={id}>{props.title}</h2>
          {props.aside}
        </header>
      )}
      {props.children}
    </section>
  );
}

export type Tone = "plain" | "ok" | "warn" | "bad" | "busy" | "accent";

export function Badge({ tone = "plain", children }: { tone?: Tone; children: ComponentChildren }) {
  return (
    <span class={`badge ${tone}`}>
      <span class="dot" aria-hidden="true" />
      {children}
    </span>
  );
}

type ButtonProps = Omit<JSX.IntrinsicElements["button"], "class"> & {
  kind?: "primary" | "plain" | "quiet" | "danger";
  busy?: boolean;
};

export function Button({ kind = "plain", busy, children, disabled, ...rest }: ButtonProps) {
  return (
    <button type="button" {...rest} class={`button ${kind}`} disabled={disabled || busy} aria-busy={busy}>
      {busy && <span class="spinner" aria-hidden="true" />}
      {children}
    </button>
  );
}

export function Field(props: {
  label: string;
  hint?: string | undefined;
  children: (id: string, hintId: string | undefined) => ComponentChildren;
}) {
  const id = useId();
  const hintId = props.hint ? `${id}-hint` : undefined;
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      {props.children(id, hintId)}
      {props.hint && (
        <p class="hint" id={hintId}>
          {props.hint}
        </p>
      )}
    </div>
  );
}

interface TextFieldProps {
  label: string;
  hint?: string;
  type?: "text" | "password" | "number";
  value: string;
  onText: (text: string) => void;
  autocomplete?: string;
  placeholder?: string;
  required?: boolean;
  minLength?: number;
  min?: number;
  max?: number;
}

export function TextField({ label, hint, onText, type = "text", ...rest }: TextFieldProps) {
  return (
    <Field label={label} hint={hint}>
      {(id, hintId) => (
        <input
          {...rest}
          type={type as "text"}
          id={id}
          aria-describedby={hintId}
          onInput={(event) => onText(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}

export function Alert({ tone = "bad", children }: { tone?: Tone; children: ComponentChildren }) {
  return (
    <div class={`alert ${tone}`} role={tone === "bad" ? "alert" : "status"}>
      {children}
    </div>
  );
}

export function Failure({ error }: { error: ApiError | string | null | undefined }) {
  if (!error) return null;
  return <Alert>{typeof error === "string" ? error : error.message}</Alert>;
}

/* A line that says what is the matter; the rest of it is an engine's, or a build's, own. */
const REASON_MAX = 180;

/** Why something failed: its first words, and the whole of it for whoever asks. */
export function Reason({ text }: { text: string }) {
  const first = text.split("\n", 1)[0]!.slice(0, REASON_MAX);
  if (first === text.trimEnd()) return <>{text}</>;
  return (
    <>
      {first}…
      <details class="more">
        <summary>All that was said</summary>
        <pre class="output" tabIndex={0}>
          {text}
        </pre>
      </details>
    </>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children && <p>{children}</p>}
    </div>
  );
}

/** Holds a place while something is read. */
export function Skeleton({ lines = 3 }: { lines?: number }) {
  return (
    <div class="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, i) => (
        <span key={i} />
      ))}
    </div>
  );
}

/** What a resource tells once it is there; before that a place is held, or the reason is told. */
export function Loaded<T>(props: {
  from: { data: T | undefined; error: ApiError | undefined };
  lines?: number;
  children: (data: T) => ComponentChildren;
}) {
  const { data, error } = props.from;
  return (
    <>
      <Failure error={error} />
      {data !== undefined ? props.children(data) : !error && <Skeleton lines={props.lines ?? 4} />}
    </>
  );
}

export function Copy({ text, label }: { text: string; label: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await copyText(text);
    setCopied(true);
    window.setTimeout(() => setCopied(false), 1600);
    announce(`${label}: copied`);
  };
  return (
    <button type="button" class="copy" onClick={copy} aria-label={`Copy ${label}`}>
      {copied ? "Copied" : "Copy"}
    </button>
  );
}

/** Lines to paste into a terminal. */
export function Paste({ text, label }: { text: string; label: string }) {
  return (
    <div class="paste">
      <pre class="command" tabIndex={0} aria-label={label}>
        {text}
      </pre>
      <Copy text={text} label={label} />
    </div>
  );
}

/** The clipboard's own interface is there on https and loopback only. */
async function copyText(text: string) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

export interface Column<T> {
  name: string;
  cell: (row: T) => ComponentChildren;
  /** roomy: left out of a compact table where there is little room. */
  kind?: "number" | "time" | "wide" | "short" | "rank-column" | "roomy";
}

export function Table<T>(props: {
  label: string;
  rows: T[];
  columns: Column<T>[];
  rowKey: (row: T) => string;
  rowClass?: (row: T) => string;
  /** Few narrow columns, which are compared: it stays a table on a phone. Others become lists there. */
  compact?: boolean;
  empty: ComponentChildren;
}) {
  if (props.rows.length === 0) return <>{props.empty}</>;
  return (
    <div class={`table-frame ${props.compact ? "" : "stacked"}`} role="region" aria-label={props.label} tabIndex={0}>
      {/* The roles are what these are anyway, and stay so where they are laid out as lists. */}
      <table role="table">
        <thead role="rowgroup">
          <tr role="row">
            {props.columns.map((column) => (
              <th key={column.name} role="columnheader" scope="col" class={column.kind}>
                {column.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {props.rows.map((row) => (
            <tr key={props.rowKey(row)} role="row" class={props.rowClass?.(row)}>
              {props.columns.map((column) => (
                <td key={column.name} role="cell" class={column.kind} data-name={column.name}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Facts({ rows }: { rows: [string, ComponentChildren][] }) {
  return (
    <dl class="facts">
      {rows.map(([name, value]) => (
        <Fragment key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </Fragment>
      ))}
    </dl>
  );
}

/** A figure and what it is of; inside a list of them, `<dl class="tiles">`. */
export function Tile({ name, value, bad }: { name: string; value: string | number; bad?: boolean }) {
  return (
    <div class={`tile ${bad ? "bad" : ""}`}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

/** A team's name, which leads to what the scoreboard tells of it. */
export function TeamLink({ id, name }: { id: string; name: string | null }) {
  return (
    <a class="team-name" href={`/teams/${encodeURIComponent(id)}`}>
      {name ?? id}
    </a>
  );
}

/** A button that asks once more before it acts. */
export function ConfirmButton(props: {
  label: string;
  question: string;
  busy?: boolean;
  disabled?: boolean;
  kind?: "danger" | "quiet" | "plain";
  onConfirm: () => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  return (
    <>
      <Button
        kind={props.kind ?? "danger"}
        busy={props.busy ?? false}
        disabled={props.disabled ?? false}
        onClick={() => dialog.current?.showModal()}
      >
        {props.label}
      </Button>
      <dialog ref={dialog} aria-labelledby={id}>
        <p id={id}>{props.question}</p>
        <div class="actions">
          <Button kind="quiet" onClick={() => dialog.current?.close()}>
            Cancel
          </Button>
          <Button
            kind="danger"
            onClick={() => {
              dialog.current?.close();
              props.onConfirm();
            }}
          >
            {props.label}
          </Button>
        </div>
      </dialog>
    </>
  );
}

const announcement = createStore("");

/** Tells those who listen to the page what others see. */
export function announce(text: string) {
  announcement.set(text);
}

export function Announcer() {
  return (
    <div class="unseen" role="status" aria-live="polite">
      {useStore(announcement)}
    </div>
  );
}
