import { useEffect, useState } from "preact/hooks";
import { call, isOrganiser, me, serverNow } from "../api";
import { useEvent } from "../events";
import { formatAgo } from "../format";
import { useAction, useGet, useNow } from "../resource";
import type { Params } from "../router";
import { createStore, useStore } from "../store";
import type { Notice } from "../types";
import { Button, Card, Empty, Failure, Field, Loaded, Page, announce } from "../ui";

/* What came while we were here, and nobody has put away yet. */
const fresh = createStore<Notice[]>([]);

function putAway(notice: Notice) {
  fresh.set(fresh.get().filter(({ id }) => id !== notice.id));
}

function onNotice(data: unknown) {
  const notice = data as Notice;
  fresh.set([notice, ...fresh.get()]);
  announce(`News: ${notice.text}`);
}

/** Shows what organisers tell, over whatever page there is. */
export function Toasts() {
  const notices = useStore(fresh);
  useEvent("notice", onNotice);
  if (notices.length === 0) return null;
  return (
    <aside class="toasts" aria-label="News">
      {notices.map((notice) => (
        <div class="toast" key={notice.id}>
          <p>{notice.text}</p>
          <Button kind="quiet" onClick={() => putAway(notice)}>
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
  const shown = useStore(fresh).length;
  useEffect(() => {
    // They are on this page.
    if (shown > 0) fresh.set([]);
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
