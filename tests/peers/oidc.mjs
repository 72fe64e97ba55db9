// SPDX-License-Identifier: Apache-2.0
// An OpenID provider for tests: oidc-provider, which is certified for this, with its own pages to log in and
// to consent. Whoever logs in is called what they typed, and is of the staff when that begins with "staff".
//
//	node oidc.mjs	prints "listening on port N", then reads where people are sent back to
//
// The client is "ctfy", its secret "a secret".
import http from "node:http";
import { createInterface } from "node:readline";
import Provider from "oidc-provider";

const server = http.createServer();
await new Promise(listening => server.listen(0, "127.0.0.1", listening));
const { port } = server.address();
console.log(`listening on port ${port}`);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { value: redirect } = await lines.next();

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: "ctfy",
    client_secret: "a secret",
    redirect_uris: [redirect],
    response_types: ["code"],
    grant_types: ["authorization_code"],
  }],
  claims: { openid: ["sub"], profile: ["preferred_username"], groups: ["groups"] },
  pkce: { required: () => true },
  cookies: { keys: ["for a test"] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, preferred_username: id, groups: [id.startsWith("staff") ? "staff" : "players"] }),
  }),
});
server.on("request", provider.callback());
console.log(redirect);
while (!(await lines.next()).done)
  continue;
process.exit();
