// graphql-http's audit of GraphQL over HTTP: every one must be "ok".
import { auditServer } from 'graphql-http';

const authorization = `Bearer ${process.env.TOKEN}`;
const fetchFn = (url, options = {}) => fetch(url, { ...options, headers: { ...options.headers, authorization } });
const results = await auditServer({ url: process.env.SERVER_URL, fetchFn });
const wrong = results.filter((result) => result.status !== 'ok');
for (const result of wrong) {
  console.error(result.status, result.id, result.name, '-', result.reason);
  await result.response?.body?.cancel();
}
console.log(JSON.stringify({ audits: results.length, ok: results.length - wrong.length }));
process.exit(wrong.length === 0 && results.length === 61 ? 0 : 1);
