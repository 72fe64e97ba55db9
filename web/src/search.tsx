// SPDX-License-Identifier: Apache-2.0
// Finding rows by words.

/** Whether every word is somewhere in what a row says. */
export function hasWords(said: (string | null | undefined)[], words: string): boolean {
  const text = said.join(" ").toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

export function SearchBox(props: {
  label: string;
  placeholder: string;
  words: string;
  onWords: (words: string) => void;
}) {
  return (
    <input
      type="search"
      aria-label={props.label}
      placeholder={props.placeholder}
      value={props.words}
      onInput={(event) => props.onWords(event.currentTarget.value)}
    />
  );
}
