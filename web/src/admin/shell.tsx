// SPDX-License-Identifier: Apache-2.0
// A terminal in a container: xterm.js on one end of a WebSocket, the node's shell on the other.

import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Container } from "../types";
import { Alert } from "../ui";

/** An element that looks like <style>, and writes into a sheet that scripts may make. */
function makeStyle(): HTMLElement {
  const element = document.createElement("ctfy-style");
  const sheet = new CSSStyleSheet();
  element.hidden = true;
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  new MutationObserver(() => sheet.replaceSync(element.textContent ?? "")).observe(element, {
    childList: true,
    characterData: true,
    subtree: true,
  });
  return element;
}

/**
 * As it opens, xterm.js makes <style> elements for its colours, which our policy doesn't allow to
 * act. It gets others in their place.
 */
function openTerminal(terminal: Terminal, place: HTMLElement) {
  const create = Document.prototype.createElement;
  document.createElement = (tag: string) => (tag === "style" ? makeStyle() : create.call(document, tag));
  try {
    terminal.open(place);
  } finally {
    Reflect.deleteProperty(document, "createElement");
  }
}

function shellUrl(instance: string, container: string, columns: number, rows: number) {
  const scheme = window.location.protocol === "https:" ? "wss:" : "ws:";
  const path = `/api/v1/admin/instances/${encodeURIComponent(instance)}/containers/${encodeURIComponent(container)}/shell`;
  return `${scheme}//${window.location.host}${path}?cols=${columns}&rows=${rows}`;
}

function describeEnd(code: number | null, event: CloseEvent): string {
  if (code !== null) return `The shell ended with status ${code}.`;
  return event.code === 1001 ? "The container has ended." : "The connection ended.";
}

function connect(terminal: Terminal, url: string, onEnd: (words: string) => void): WebSocket {
  const socket = new WebSocket(url);
  let exit: number | null = null;
  socket.binaryType = "arraybuffer";
  socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => {
    if (typeof event.data !== "string") return terminal.write(new Uint8Array(event.data));
    const told = JSON.parse(event.data) as { type: string; code?: number };
    if (told.type === "exit") exit = told.code ?? null;
  };
  socket.onclose = (event) => onEnd(describeEnd(exit, event));
  return socket;
}

export function Shell({ instance, container }: { instance: string; container: Container }) {
  const place = useRef<HTMLDivElement>(null);
  const [end, setEnd] = useState<string | null>(null);
  useEffect(() => {
    const terminal = new Terminal({
      fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--mono"),
      fontSize: 13,
      theme: { background: "#0d1117", foreground: "#d6dde6" },
      screenReaderMode: true,
    });
    const fit = new FitAddon();
    const bytes = new TextEncoder();
    terminal.loadAddon(fit);
    openTerminal(terminal, place.current!);
    fit.fit();
    const socket = connect(terminal, shellUrl(instance, container.container_id, terminal.cols, terminal.rows), setEnd);
    const send = (data: string | Uint8Array<ArrayBuffer>) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(data);
    };
    terminal.onData((text) => send(bytes.encode(text)));
    terminal.onResize(({ cols, rows }) => send(JSON.stringify({ type: "resize", cols, rows })));
    const watcher = new ResizeObserver(() => fit.fit());
    watcher.observe(place.current!);
    place.current!.scrollIntoView({ block: "center" });
    terminal.focus();
    return () => {
      watcher.disconnect();
      socket.onclose = null;
      socket.close();
      terminal.dispose();
    };
  }, [instance, container.container_id]);
  return (
    <>
      <div class="terminal-frame">
        <div class="terminal-place" ref={place} />
      </div>
      {end && <Alert tone="plain">{end}</Alert>}
    </>
  );
}
