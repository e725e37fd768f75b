// What Relay's compiler demands of a schema: connections, refetchable fragments, Node, global ids, subscriptions.
import { graphql } from 'react-relay';

export const territoryRow = graphql`
  fragment Territories_row on Territory {
    id
    name
    children(first: $childCount) @connection(key: "Territories_children") {
      edges {
        node {
          id
          name
        }
      }
    }
  }
`;

export const model = graphql`
  fragment Territories_model on TerritoryModel
  @refetchable(queryName: "TerritoriesPaginationQuery")
  @argumentDefinitions(count: { type: "Int", defaultValue: 20 }, cursor: { type: "String" }) {
    state
    territories(first: $count, after: $cursor) @connection(key: "Territories_territories") {
      edges {
        node {
          ...Territories_row
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`;

export const query = graphql`
  query TerritoriesQuery($id: ID!, $childCount: Int!) {
    territoryModel(id: $id) {
      name
      ...Territories_model
    }
    node(id: $id) {
      __typename
      id
    }
  }
`;

export const mutation = graphql`
  mutation TerritoriesRenameMutation($input: TerritoryUpdateInput!) {
    territoryUpdate(input: $input) {
      territory {
        id
        name
        version
      }
      userErrors {
        field
        message
        code
      }
    }
  }
`;

export const subscription = graphql`
  subscription TerritoriesSubscription($id: ID!, $after: String) {
    draftChanges(modelId: $id, after: $after) {
      __typename
      ... on Change {
        cursor
        kind
        entityId
      }
      ... on Checkpoint {
        cursor
      }
      ... on ResyncRequired {
        reason
      }
    }
  }
`;
