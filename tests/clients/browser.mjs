// GraphiQL in a real browser: a query and a live subscription with the token of the headers' tab, nothing from elsewhere.
import { chromium } from "playwright-core";

const { SERVER_URL, TOKEN, MODEL_ID, CHROMIUM } = process.env;
const quiet = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
const browser = await chromium.launch({ executablePath: CHROMIUM, args: quiet });
const foreign = [];
const faults = [];
let page;

/** A new visitor's page, in which a query is run. */
async function open(query) {
  page = await (await browser.newContext()).newPage();
  page.on("request", (asked) => {
    const own = asked.url().startsWith(new URL(SERVER_URL).origin) || /^(data|blob):/.test(asked.url());
    if (!own) foreign.push(asked.url());
  });
  page.on("pageerror", (error) => faults.push(String(error)));
  await page.goto(SERVER_URL);
  await page.evaluate(
    ([headers, text]) => {
      localStorage.setItem("graphiql:shouldPersistHeaders", "true");
      localStorage.setItem("graphiql:headers", headers);
      localStorage.setItem("graphiql:query", text);
    },
    [JSON.stringify({ Authorization: `Bearer ${TOKEN}` }), query],
  );
  await page.reload();
  await page.click(".graphiql-execute-button");
}

async function shown(pattern) {
  const holds = (text) => document.querySelector(".graphiql-response")?.innerText.includes(text);
  await page.waitForFunction(holds, pattern).catch(async (error) => {
    const found = await page.innerText("body");
    throw new Error(`${error.message} while waiting for ${pattern}; the page shows\n${found}\nfaults ${faults}`);
  });
}

await open("{ territoryModels { nodes { territoryCount } } }");
await shown('"territoryCount": 3');
await open(`subscription { draftChanges(modelId: "${MODEL_ID}") { __typename ... on Change { kind key } } }`);
await shown("Checkpoint");
const ask = async (query) => {
  const answer = await fetch(SERVER_URL, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${TOKEN}` },
    body: JSON.stringify({ query }),
  });
  return (await answer.json()).data;
};
const found = await ask(`{ territoryModel(id: "${MODEL_ID}") { territories { nodes { id version } } } }`);
const { id, version } = found.territoryModel.territories.nodes[0];
await ask(`mutation { territoryUpdate(input: {id: "${id}", expectedVersion: ${version}, name: "Live"}) { change { sequence } } }`);
await shown('"kind": "UPDATED"');
await browser.close();
console.log(JSON.stringify({ foreign, faults }));
