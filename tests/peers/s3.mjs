// SPDX-License-Identifier: Apache-2.0
// S3 storage for tests: s3rver, and before it what real storages do and s3rver doesn't: the signature
// is checked, by AWS's own code, and so is the body against the hash that was signed.
//
//	node s3.mjs DIR		prints "listening on port N"; the bucket is "files"
//
// A line on stdin is what goes wrong from then on: "refuse" (503), "cut" (connections end in the middle of
// an upload), "damage" (a byte of what is sent arrives changed), "spoil" (a byte of what is got), or "nothing".
import { createHash } from "node:crypto";
import http from "node:http";
import { createInterface } from "node:readline";
import { Sha256 } from "@aws-crypto/sha256-js";
import { SignatureV4 } from "@smithy/signature-v4";
import S3rver from "s3rver";

const credentials = { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" };
const signer = new SignatureV4({ credentials, region: "test-1", service: "s3", sha256: Sha256,
  uriEscapePath: false, applyChecksum: false });

let fault = "nothing";

function refuse(answer, status, code) {
  answer.writeHead(status, { "Content-Type": "application/xml" });
  answer.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>the test says so</Message></Error>`);
}

const dateOf = text => new Date(text.replace(/(....)(..)(..T..)(..)/, "$1-$2-$3:$4:"));

async function isSigned(call) {
  const [, names] = /SignedHeaders=([^,]*)/.exec(call.headers.authorization ?? "") ?? [];
  if (!names)
    return false;
  const url = new URL(call.url, "http://localhost");
  const request = { method: call.method, protocol: "http:", hostname: "localhost", path: url.pathname,
    query: Object.fromEntries(url.searchParams), headers: {} };
  for (const name of names.split(";"))
    request.headers[name] = call.headers[name];
  const signed = await signer.sign(request, { signingDate: dateOf(call.headers["x-amz-date"]),
    signableHeaders: new Set(names.split(";")) });
  return signed.headers.authorization === call.headers.authorization;
}

async function readBody(call) {
  const parts = [];
  for await (const part of call) {
    parts.push(part);
    if (fault === "cut" && call.method === "PUT")
      call.destroy();
  }
  const body = Buffer.concat(parts);
  if (fault === "damage" && body.length > 0)
    body[0] ^= 1;
  return body;
}

function spoil(body) {
  if (fault === "spoil" && body.length > 0)
    body[0] ^= 1;
  return body;
}

// As one piece: what is stored is small here, and the fault is seen to before the first byte goes out.
function pass(call, body, port, answer) {
  const onward = http.request({ port, method: call.method, path: call.url, headers: call.headers }, async reply => {
    const parts = [];
    for await (const part of reply)
      parts.push(part);
    answer.writeHead(reply.statusCode, reply.headers);
    answer.end(spoil(Buffer.concat(parts)));
  });
  onward.on("error", () => answer.destroy());
  onward.end(body);
}

async function serve(call, answer, port) {
  const body = await readBody(call);
  const hash = createHash("sha256").update(body).digest("hex");
  if (fault === "refuse")
    refuse(answer, 503, "SlowDown");
  else if (!await isSigned(call))
    refuse(answer, 403, "SignatureDoesNotMatch");
  else if (hash !== call.headers["x-amz-content-sha256"])
    refuse(answer, 400, "XAmzContentSHA256Mismatch");
  else
    pass(call, body, port, answer);
}

const storage = new S3rver({ port: 0, address: "127.0.0.1", silent: true, directory: process.argv[2],
  serviceEndpoint: "localhost", configureBuckets: [{ name: "files" }] });
const { port } = await storage.run();
const front = http.createServer((call, answer) => serve(call, answer, port).catch(() => answer.destroy()));
front.listen(0, "127.0.0.1", () => console.log(`listening on port ${front.address().port}`));
for await (const line of createInterface({ input: process.stdin })) {
  fault = line;
  console.log(fault);
}
process.exit();
