// graphql-ws: results, errors, events, reconnection after the server closed the socket with 4403.
import assert from 'node:assert/strict';
import { CloseCode, createClient } from 'graphql-ws';
import WebSocket from 'ws';

const { SERVER_URL, TOKEN, SHORT_TOKEN, MODEL_ID } = process.env;
const url = SERVER_URL.replace('http', 'ws');
const tokens = [SHORT_TOKEN];
const closed = [];
let pongs = 0;
const client = createClient({
  url,
  webSocketImpl: WebSocket,
  lazy: false,
  keepAlive: 300,
  connectionParams: () => ({ authorization: `Bearer ${tokens.shift() ?? TOKEN}` }),
  shouldRetry: () => true,
  retryWait: () => new Promise((resolve) => setTimeout(resolve, 50)),
  on: { closed: (event) => closed.push(event.code), pong: () => pongs++ },
});

async function once(payload) {
  const results = [];
  for await (const result of client.iterate(payload)) results.push(result);
  assert.equal(results.length, 1);
  return results[0];
}

assert.deepEqual(await once({ query: '{ viewer { userName } }' }), { data: { viewer: { userName: 'planner' } } });
await assert.rejects(once({ query: '{ nonsense }' }), (errors) => errors[0].extensions.code === 'GRAPHQL_VALIDATION_FAILED');
assert.equal((await once({ query: '{ viewer { userName } }', extensions: { cost: true } })).extensions.cost.requested, 16);

const rename = 'mutation ($id: ID!, $name: String!, $version: BigInt!) { territoryModelUpdate(input: {id: $id, name: $name, expectedVersion: $version}) { userErrors { message } } }';
const version = '{ territoryModel(id: "' + MODEL_ID + '") { version } }';
async function renameTo(name) {
  const before = (await once({ query: version })).data.territoryModel.version;
  const { data } = await once({ query: rename, variables: { id: MODEL_ID, name, version: before } });
  assert.deepEqual(data.territoryModelUpdate.userErrors, []);
}
const follow = 'subscription ($id: ID!, $after: String) { draftChanges(modelId: $id, after: $after) { __typename ... on Checkpoint { cursor } ... on Change { cursor message fields { field after } } } }';
const items = client.iterate({ query: follow, variables: { id: MODEL_ID } });
assert.equal((await items.next()).value.data.draftChanges.__typename, 'Checkpoint');
await renameTo('Renamed');
let change = (await items.next()).value.data.draftChanges;
while (change.__typename !== 'Change') change = (await items.next()).value.data.draftChanges;
assert.deepEqual(change.fields, [{ field: 'name', after: '"Renamed"' }]);

// The short token expires: the socket closes with 4403, the client comes back and its subscription goes on.
while (!closed.includes(CloseCode.Forbidden)) await new Promise((resolve) => setTimeout(resolve, 50));
await renameTo('Again');
do change = (await items.next()).value.data.draftChanges;
while (change.__typename !== 'Change' || change.fields[0].after !== '"Again"');
await items.return();
assert.ok(pongs > 0);
await client.dispose();
console.log(JSON.stringify({ closed }));
process.exit(0);
