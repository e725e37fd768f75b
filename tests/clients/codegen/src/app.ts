// An application's use of the generated types; it compiles only if they say what the schema says.
import { graphql } from './gql/index.ts';
import type { PageQuery, RenameMutationVariables } from './gql/graphql.ts';

export const page = graphql(`
  query Page($id: ID!, $after: String) {
    territoryModel(id: $id) {
      id
      name
      state
      version
      territories(first: 2, after: $after) {
        edges {
          cursor
          node {
            id
            name
            parentId
          }
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`);

export const rename = graphql(`
  mutation Rename($input: TerritoryUpdateInput!) {
    territoryUpdate(input: $input) {
      territory {
        id
        name
      }
      userErrors {
        field
        message
        code
      }
    }
  }
`);

type Model = NonNullable<PageQuery['territoryModel']>;

export function names(model: Model): string[] {
  const version: number = model.version;
  const cursor: string | null | undefined = model.territories.pageInfo.endCursor;
  return model.territories.edges.map((edge) => `${edge.node.name} ${version} ${cursor ?? ''}`);
}

export const variables: RenameMutationVariables = { input: { id: 'x', expectedVersion: 0, name: 'Renamed' } };

// @ts-expect-error expectedVersion is required
export const wrong: RenameMutationVariables = { input: { id: 'x', name: 'Renamed' } };
