// Apollo Client: normalised cache, Relay pagination, mutations with userErrors, errors with codes, subscriptions.
import assert from 'node:assert/strict';
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { CombinedGraphQLErrors } from '@apollo/client/errors';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { relayStylePagination } from '@apollo/client/utilities';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const { SERVER_URL, TOKEN, MODEL_ID } = process.env;
const authorization = `Bearer ${TOKEN}`;
const sockets = createClient({ url: SERVER_URL.replace('http', 'ws'), webSocketImpl: WebSocket, connectionParams: { authorization } });
const client = new ApolloClient({
  link: ApolloLink.split(
    ({ operationType }) => operationType === 'subscription',
    new GraphQLWsLink(sockets),
    new HttpLink({ uri: SERVER_URL, headers: { authorization } }),
  ),
  cache: new InMemoryCache({ typePolicies: { TerritoryModel: { fields: { territories: relayStylePagination() } } } }),
});

const PAGE = gql`
  query Page($id: ID!, $after: String) {
    territoryModel(id: $id) {
      id
      version
      name
      territories(first: 2, after: $after) {
        edges { cursor node { id name version } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`;
const pages = client.watchQuery({ query: PAGE, variables: { id: MODEL_ID } });
const watching = pages.subscribe(() => {});
while (!pages.getCurrentResult().data?.territoryModel) await new Promise((resolve) => setTimeout(resolve, 20));
const firstPage = pages.getCurrentResult();
assert.deepEqual(firstPage.data.territoryModel.territories.edges.map(({ node }) => node.name), ['One', 'Second']);
await pages.fetchMore({ variables: { after: firstPage.data.territoryModel.territories.pageInfo.endCursor } });
const cached = client.readQuery({ query: PAGE, variables: { id: MODEL_ID } });
assert.deepEqual(cached.territoryModel.territories.edges.map(({ node }) => node.name), ['One', 'Second', 'Third']);

const RENAME = gql`
  mutation Rename($input: TerritoryUpdateInput!) {
    territoryUpdate(input: $input) {
      territory { id name version }
      userErrors { field message code }
    }
  }
`;
const one = cached.territoryModel.territories.edges[0].node;
const renamed = await client.mutate({ mutation: RENAME, variables: { input: { id: one.id, name: 'First', expectedVersion: one.version } } });
assert.deepEqual(renamed.data.territoryUpdate.userErrors, []);
const after = client.readQuery({ query: PAGE, variables: { id: MODEL_ID } });
assert.equal(after.territoryModel.territories.edges[0].node.name, 'First'); // the cache followed the mutation's answer
const stale = await client.mutate({ mutation: RENAME, variables: { input: { id: one.id, name: 'Else', expectedVersion: one.version } } });
assert.deepEqual(stale.data.territoryUpdate.userErrors.map(({ code }) => code), ['CONFLICT']);

await assert.rejects(client.query({ query: gql`{ nonsense }` }), (error) => {
  assert.ok(CombinedGraphQLErrors.is(error));
  return error.errors[0].extensions.code === 'GRAPHQL_VALIDATION_FAILED';
});
await assert.rejects(client.query({ query: gql`{ users(after: "nonsense") { nodes { id } } }` }), (error) => error.errors[0].extensions.code === 'BAD_CURSOR');

const FOLLOW = gql`
  subscription Follow($id: ID!) { draftChanges(modelId: $id) { __typename ... on Change { kind key } } }
`;
const heard = new Promise((resolve, reject) => {
  client.subscribe({ query: FOLLOW, variables: { id: MODEL_ID } }).subscribe({
    next: ({ data }) => {
      const item = data.draftChanges;
      if (item.__typename === 'Change') resolve(item);
      else if (!started) {
        started = true;
        const { version } = renamed.data.territoryUpdate.territory;
        client.mutate({ mutation: RENAME, variables: { input: { id: one.id, name: 'Live', expectedVersion: version } } }).catch(reject);
      }
    },
    error: reject,
  });
});
let started = false;
assert.deepEqual(await heard, { __typename: 'Change', kind: 'UPDATED', key: 'One' });
watching.unsubscribe();
client.stop();
await sockets.dispose();
process.exit(0);
