// SPDX-License-Identifier: Apache-2.0
import { useState } from "preact/hooks";

type Theme = "light" | "dark";

function shown(): Theme {
  const chosen = document.documentElement.dataset["theme"];
  if (chosen === "light" || chosen === "dark") return chosen;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

export function ThemeButton() {
  const [theme, setTheme] = useState(shown);
  const other: Theme = theme === "dark" ? "light" : "dark";
  const change = () => {
    document.documentElement.dataset["theme"] = other;
    localStorage.setItem("ctfy.theme", other);
    setTheme(other);
  };
  return (
    <button type="button" class="icon-button" onClick={change} aria-label={`Use the ${other} theme`}>
      <svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">
        {theme === "dark" ? (
          <path d="M12 7.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9ZM12 2v2.4M12 19.6V22M4.9 4.9l1.7 1.7M17.4 17.4l1.7 1.7M2 12h2.4M19.6 12H22M4.9 19.1l1.7-1.7M17.4 6.6l1.7-1.7" />
        ) : (
          <path d="M20 14.2A8.2 8.2 0 0 1 9.8 4a8.2 8.2 0 1 0 10.2 10.2Z" />
        )}
      </svg>
    </button>
  );
}
