// SPDX-License-Identifier: Apache-2.0
// Markdown that an author wrote, as elements that can do nothing.

import DOMPurify from "dompurify";
import { marked } from "marked";
import { useEffect, useRef } from "preact/hooks";

const ALLOWED_TAGS = [
  "a", "b", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "kbd",
  "li", "ol", "p", "pre", "s", "strong", "sub", "sup", "table", "tbody", "td", "th", "thead", "tr", "ul",
];

/** Links leave in a tab of their own, which learns nothing of this one. */
function tameLinks(root: DocumentFragment) {
  for (const link of root.querySelectorAll("a")) {
    link.target = "_blank";
    link.rel = "noopener noreferrer nofollow";
  }
}

/** A page has one first heading, and it isn't the author's. */
function lowerHeadings(root: DocumentFragment) {
  for (const heading of root.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    const lower = document.createElement("h3");
    lower.append(...heading.childNodes);
    heading.replaceWith(lower);
  }
}

function toElements(text: string): DocumentFragment {
  const html = marked.parse(text, { async: false, gfm: true, breaks: false });
  const root = DOMPurify.sanitize(html, {
    ALLOWED_TAGS,
    ALLOWED_ATTR: ["href", "title", "start"],
    ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
    RETURN_DOM_FRAGMENT: true,
  });
  tameLinks(root);
  lowerHeadings(root);
  return root;
}

export function Markdown({ text }: { text: string }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => place.current?.replaceChildren(toElements(text)), [text]);
  return <div class="prose" ref={place} />;
}
