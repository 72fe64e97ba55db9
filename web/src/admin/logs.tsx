// SPDX-License-Identifier: Apache-2.0
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, request } from "../api";
import { Failure, Skeleton } from "../ui";

const REFRESH_MS = 1500;
const TAIL = 1000;

/* What a terminal would act on: escape sequences, and all control characters but tab and newline. */
const CONTROL = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])|[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** What was written to a terminal, for a page. */
export const plainText = (text: string) => text.replace(CONTROL, "");

function useLogs(base: string, follow: boolean) {
  const [text, setText] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
  useEffect(() => {
    let timer = 0;
    let ended = false;
    const read = async () => {
      try {
        const answer = await request("GET", `${base}/container-logs?tail=${TAIL}`);
        const fresh = await answer.text();
        if (ended) return;
        setText(plainText(fresh));
        setError(null);
      } catch (failure) {
        if (!(failure instanceof ApiError)) throw failure;
        if (!ended) setError(failure.message);
      }
      if (!ended && follow) timer = window.setTimeout(read, REFRESH_MS);
    };
    void read();
    return () => {
      ended = true;
      window.clearTimeout(timer);
    };
  }, [base, follow]);
  return { text, error };
}

export function Logs({ base }: { base: string }) {
  const [follow, setFollow] = useState(true);
  const { text, error } = useLogs(base, follow);
  const place = useRef<HTMLPreElement>(null);
  useEffect(() => {
    if (follow && place.current) place.current.scrollTop = place.current.scrollHeight;
  }, [text, follow]);
  return (
    <>
      <div class="filters">
        <label class="check">
          <input type="checkbox" checked={follow} onChange={(event) => setFollow(event.currentTarget.checked)} />
          Follow
        </label>
        <span class="muted">The last {TAIL} lines of each container</span>
      </div>
      <Failure error={error} />
      {text === null && !error && <Skeleton />}
      {text !== null && (
        <pre class="log" ref={place} tabIndex={0} role="log" aria-label="Logs" aria-live="off">
          {text || "Nothing was written yet."}
        </pre>
      )}
    </>
  );
}
