// A real authorization server for the journeys: npm's oidc-provider (certified), with rotation.
//
// Usage: node server.mjs REDIRECT_URI…   Prints one line of JSON when it is ready: {"issuer", "control"}.
import { EventEmitter, once } from "node:events";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const redirectUris = process.argv.slice(2);
const people = { ada: "Ada Lovelace", grace: "Grace Hopper" };
const counters = {};
const counted = new EventEmitter();
const count = (key) => {
  counters[key] = (counters[key] ?? 0) + 1;
  counted.emit("one");
};
let lifetime = 3600;

const listen = (server) =>
  new Promise((ready) => server.listen(0, "127.0.0.1", () => ready(`http://127.0.0.1:${server.address().port}`)));

let handle;
const server = createServer((request, response) => handle(request, response));
const issuer = await listen(server);

const grants = new Set();
const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "relink-test",
      application_type: "native",
      token_endpoint_auth_method: "none",
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      redirect_uris: redirectUris,
    },
  ],
  claims: { openid: ["sub"], profile: ["name"] },
  cookies: { keys: ["of-the-journeys"] },
  features: { devInteractions: { enabled: false }, revocation: { enabled: true }, userinfo: { enabled: true } },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, name: people[id] }) }),
  issueRefreshToken: () => true,
  rotateRefreshToken: () => true,
  ttl: { AccessToken: () => lifetime, AuthorizationCode: 60, Grant: 86400, IdToken: 3600, Interaction: 600, RefreshToken: 86400, Session: 86400 },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  conformIdTokenClaims: false,
});
provider.on("grant.success", ({ oidc }) => {
  if (oidc.entities.Grant) grants.add(oidc.entities.Grant.jti);
  count(`${oidc.params.grant_type}.ok`);
});
provider.on("grant.error", ({ oidc }, error) => count(`${oidc.params?.grant_type}.${error.error ?? "error"}`));

// One page signs in and consents.
const page = `<!doctype html><html lang="en"><title>Sign in</title><h1>Sign in to the test provider</h1><form method="post">
<button id="user-ada" name="who" value="ada">Ada Lovelace</button>
<button id="user-grace" name="who" value="grace">Grace Hopper</button></form></html>`;

handle = async (request, response) => {
  if (!request.url.startsWith("/interaction/")) return provider.callback()(request, response);
  const { params } = await provider.interactionDetails(request, response);
  if (request.method === "GET") return response.setHeader("content-type", "text/html").end(page);
  let body = "";
  for await (const chunk of request) body += chunk;
  const accountId = new URLSearchParams(body).get("who");
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const grantId = await grant.save();
  return provider.interactionFinished(request, response, { login: { accountId }, consent: { grantId } });
};

const control = await listen(
  createServer(async (request, response) => {
    const url = new URL(request.url, issuer);
    if (url.pathname === "/revoke") {
      for (const id of grants) {
        const grant = await provider.Grant.find(id);
        await provider.RefreshToken.revokeByGrantId(id);
        await provider.AccessToken.revokeByGrantId(id);
        await grant?.destroy();
      }
      grants.clear();
    } else if (url.pathname === "/lifetime") {
      lifetime = Number(url.searchParams.get("seconds"));
    } else if (url.pathname === "/wait") {
      const [name, least] = [url.searchParams.get("for"), Number(url.searchParams.get("count"))];
      while ((counters[name] ?? 0) < least) await once(counted, "one");
    }
    response.setHeader("content-type", "application/json").end(JSON.stringify(counters));
  }),
);
console.log(JSON.stringify({ issuer, control }));
