// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from "preact/hooks";
import { call, isOrganiser, me, serverNow } from "../api";
import { useEvent } from "../events";
import { formatAgo, localTimes } from "../format";
import { useAction, useGet, useNow } from "../resource";
import type { Params } from "../router";
import { createStore, useStore } from "../store";
import type { InstanceEvent, Notice } from "../types";
import { Button, Card, Empty, Failure, Field, Loaded, Page, announce } from "../ui";

interface Toast {
  id: string;
  text: string;
  href?: string;
}

/* What came while we were here, and nobody has put away yet. */
const fresh = createStore<Toast[]>([]);

function putAway(toast: Toast) {
  fresh.set(fresh.get().filter(({ id }) => id !== toast.id));
}

/** Shows it instead of what was told of the same thing before. */
function show(toast: Toast) {
  putAway(toast);
  fresh.set([toast, ...fresh.get()]);
  announce(`News: ${toast.text}`);
}

const onNotice = (data: unknown) => show(data as Notice);

function onInstance(data: unknown) {
  const { id, challenge_id, detail } = data as InstanceEvent;
  show({
    id,
    text: `Your instance of ${challenge_id}: ${localTimes(detail)}.`,
    href: `/challenges/${encodeURIComponent(challenge_id)}`,
  });
}

/** Shows what organisers tell, over whatever page there is. */
export function Toasts() {
  const toasts = useStore(fresh);
  useEvent("notice", onNotice);
  useEvent("instance", onInstance);
  if (toasts.length === 0) return null;
  return (
    <aside class="toasts" aria-label="News">
      {toasts.map((toast) => (
        <div class="toast" key={toast.id}>
          <p>
            {toast.text} {toast.href && <a href={toast.href}>See it</a>}
          </p>
          <Button kind="quiet" onClick={() => putAway(toast)}>
            Put away
          </Button>
        </div>
      ))}
    </aside>
  );
}

function Tell() {
  const [text, setText] = useState("");
  const telling = useAction(async () => {
    await call("POST", "/admin/notices", { text });
    setText("");
  });
  return (
    <Card title="Tell all players">
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void telling.run();
        }}
      >
        <Field label="What there is to know">
          {(id) => (
            <textarea
              id={id}
              rows={3}
              maxLength={2000}
              required
              value={text}
              onInput={(event) => setText(event.currentTarget.value)}
            />
          )}
        </Field>
        <Failure error={telling.error} />
        <Button kind="primary" type="submit" busy={telling.busy}>
          Tell them
        </Button>
      </form>
    </Card>
  );
}

export function NewsPage(_: { params: Params }) {
  const list = useGet<{ notices: Notice[] }>("/notices?limit=100");
  const who = useStore(me);
  const now = useNow(serverNow, 10000);
  useEvent("notice", list.reload);
  const shown = useStore(fresh).filter(({ href }) => !href).length;
  useEffect(() => {
    // Notices are on this page.
    if (shown > 0) fresh.set(fresh.get().filter(({ href }) => href));
  }, [shown]);
  return (
    <Page title="News">
      <div class="stack narrow-page">
        {isOrganiser(who) && <Tell />}
        <Loaded from={list}>
          {({ notices }) =>
            notices.length > 0 ? (
              <>
                {notices.map((notice) => (
                  <Card key={notice.id}>
                    <p class="notice">{notice.text}</p>
                    <p class="muted small">{formatAgo(notice.at, now)}</p>
                  </Card>
                ))}
              </>
            ) : (
              <Empty title="No news.">What organisers tell during the event is kept here.</Empty>
            )
          }
        </Loaded>
      </div>
    </Page>
  );
}
