// SPDX-License-Identifier: Apache-2.0
// Bundles the web interface into a folder: index.html, and assets/ whose names tell their content,
// each beside its gzip and brotli forms.
//
//	node build.mjs DIR

import { build } from "esbuild";
import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2];

async function put(path, bytes) {
  await writeFile(path, bytes);
  await writeFile(`${path}.gz`, gzipSync(bytes, { level: 9 }));
  await writeFile(
    `${path}.br`,
    brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
  );
}

// A file that is served as it is, under a name that tells its content.
async function putHashed(name) {
  const bytes = await readFile(join(here, "src", name));
  const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 8).toUpperCase();
  const [stem, ext] = name.split(".");
  await put(join(out, "assets", `${stem}-${hash}.${ext}`), bytes);
  return `/assets/${stem}-${hash}.${ext}`;
}

// What the first script imports before it runs, so that the browser asks for all of it at once.
function listImports(outputs, path, found = new Set()) {
  for (const { path: next, kind } of outputs[path].imports) {
    if (kind === "import-statement" && !found.has(next)) {
      found.add(next);
      listImports(outputs, next, found);
    }
  }
  return found;
}

async function bundle() {
  const { outputFiles, metafile } = await build({
    absWorkingDir: here,
    entryPoints: ["src/main.tsx", "src/theme.ts"],
    outdir: "dist/assets",
    entryNames: "[name]-[hash]",
    chunkNames: "chunk-[hash]",
    assetNames: "[name]-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    target: ["es2021"],
    minify: true,
    legalComments: "none",
    metafile: true,
    write: false,
  });
  for (const file of outputFiles) await put(join(out, "assets", basename(file.path)), file.contents);
  return metafile.outputs;
}

function fillIn(page, values) {
  return page.replace(/\{\{(\w+)\}\}/g, (_, name) => values[name]);
}

async function main() {
  await rm(out, { recursive: true, force: true });
  await mkdir(join(out, "assets"), { recursive: true });
  const outputs = await bundle();
  const entry = (source) =>
    Object.entries(outputs).find(([, o]) => o.entryPoint === source)[0];
  const url = (path) => `/assets/${basename(path)}`;
  const app = entry("src/main.tsx");
  const page = fillIn(await readFile(join(here, "src/index.html"), "utf8"), {
    icon: await putHashed("icon.svg"),
    style: url(outputs[app].cssBundle),
    theme: url(entry("src/theme.ts")),
    app: url(app),
    preloads: [...listImports(outputs, app)]
      .map((path) => `<link rel="modulepreload" href="${url(path)}">`)
      .join("\n  "),
  });
  await put(join(out, "index.html"), Buffer.from(page));
}

await main();
