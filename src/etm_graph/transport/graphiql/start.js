"use strict";

const WELCOME = `# etm-graph
#
# Sign in: after "Bearer " in the tab "Headers",
# put what this prints: etm-graph token --user planner
# Ctrl-Enter runs, Ctrl-Space completes.

query ActiveModel {
  territoryModels(states: [ACTIVE]) {
    nodes {
      name
      territoryCount
      territories(first: 10, maxDepth: 2) {
        nodes { name path depth childCount }
      }
    }
  }
}
`;

const endpoint = new URL("/graphql", window.location.href);
const live = new URL(endpoint);
live.protocol = endpoint.protocol === "https:" ? "wss:" : "ws:";

const page = React.createElement(GraphiQL, {
  // The headers of the tab are sent with connection_init, too.
  fetcher: GraphiQL.createFetcher({ url: endpoint.href, subscriptionUrl: live.href }),
  defaultEditorToolsVisibility: "headers",
  defaultHeaders: '{\n  "Authorization": "Bearer "\n}',
  defaultQuery: WELCOME,
  shouldPersistHeaders: true,
});
ReactDOM.createRoot(document.getElementById("graphiql")).render(page);
