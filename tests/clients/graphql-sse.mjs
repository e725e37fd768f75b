// graphql-sse in distinct connections mode: results, errors, events.
import assert from 'node:assert/strict';
import { createClient } from 'graphql-sse';

const { SERVER_URL, TOKEN, MODEL_ID } = process.env;
const client = createClient({ url: SERVER_URL, headers: { authorization: `Bearer ${TOKEN}` }, singleConnection: false });

const results = [];
for await (const result of client.iterate({ query: '{ viewer { userName } }' })) results.push(result);
assert.deepEqual(results, [{ data: { viewer: { userName: 'planner' } } }]);

const wrong = [];
for await (const result of client.iterate({ query: '{ nonsense }' })) wrong.push(result.errors[0].extensions.code);
assert.deepEqual(wrong, ['GRAPHQL_VALIDATION_FAILED']);

const rename = 'mutation ($id: ID!) { territoryModelUpdate(input: {id: $id, name: "By SSE", expectedVersion: 0}) { userErrors { message } } }';
const follow = 'subscription ($id: ID!) { draftChanges(modelId: $id) { __typename ... on Change { kind } } }';
for await (const { data } of client.iterate({ query: follow, variables: { id: MODEL_ID } })) {
  if (data.draftChanges.__typename === 'Change') {
    assert.equal(data.draftChanges.kind, 'UPDATED');
    break;
  }
  const answers = client.iterate({ query: rename, variables: { id: MODEL_ID } });
  assert.deepEqual((await answers.next()).value.data.territoryModelUpdate.userErrors, []);
}
client.dispose();
process.exit(0);
