// urql: queries and mutations over fetch, subscriptions over graphql-ws, the document cache refetching after a mutation.
import assert from 'node:assert/strict';
import { Client, cacheExchange, fetchExchange, gql, subscriptionExchange } from '@urql/core';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const { SERVER_URL, TOKEN, MODEL_ID } = process.env;
const authorization = `Bearer ${TOKEN}`;
const sockets = createClient({ url: SERVER_URL.replace('http', 'ws'), webSocketImpl: WebSocket, connectionParams: { authorization } });
const client = new Client({
  url: SERVER_URL,
  preferGetMethod: false,
  fetchOptions: { headers: { authorization } },
  exchanges: [
    cacheExchange,
    fetchExchange,
    subscriptionExchange({
      forwardSubscription: (request) => ({
        subscribe: (sink) => ({ unsubscribe: sockets.subscribe({ ...request, query: request.query || '' }, sink) }),
      }),
    }),
  ],
});

const MODEL = gql`query Model($id: ID!) { territoryModel(id: $id) { id name version territories(first: 10) { nodes { id name } } } }`;
const seen = [];
const watching = client.query(MODEL, { id: MODEL_ID }).subscribe((result) => seen.push(result));
const until = async (condition) => { while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20)); };
await until(() => seen.length === 1);
assert.deepEqual(seen[0].data.territoryModel.territories.nodes.map(({ name }) => name), ['One', 'Second', 'Third']);

const RENAME = gql`mutation Rename($input: TerritoryModelUpdateInput!) { territoryModelUpdate(input: $input) { territoryModel { id name version } userErrors { code } } }`;
const { version } = seen[0].data.territoryModel;
const renamed = await client.mutation(RENAME, { input: { id: MODEL_ID, name: 'By urql', expectedVersion: version } });
assert.deepEqual(renamed.data.territoryModelUpdate.userErrors, []);
// The cache saw the type in the mutation's answer and asks again.
await until(() => seen.at(-1).data.territoryModel.name === 'By urql');
watching.unsubscribe();

const wrong = await client.query(gql`{ users(first: 201) { nodes { id } } }`, {});
assert.equal(wrong.error.graphQLErrors[0].extensions.code, 'LIMIT_EXCEEDED');

const items = [];
const stop = client.subscription(gql`subscription Follow($id: ID!) { draftChanges(modelId: $id) { __typename } }`, { id: MODEL_ID })
  .subscribe((result) => items.push(result.data.draftChanges.__typename));
await until(() => items.length === 1);
await client.mutation(RENAME, { input: { id: MODEL_ID, name: 'Once more', expectedVersion: renamed.data.territoryModelUpdate.territoryModel.version } });
await until(() => items.includes('Change'));
stop.unsubscribe();
await sockets.dispose();
process.exit(0);
