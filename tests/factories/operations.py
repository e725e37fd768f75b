"""Operations made from the schema itself: every root field, with ids of a world that has everything in every state."""

from collections.abc import Mapping
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
    is_required_input_field,
)

OWNERS = {
    "modelId": "TerritoryModel",
    "territoryId": "Territory",
    "parentId": "Territory",
    "rootedAt": "Territory",
    "accountId": "Account",
    "opportunityId": "Opportunity",
    "userId": "User",
    "ruleId": "AssignmentRule",
    "threadId": "Thread",
    "commentId": "Comment",
    "typeId": "TerritoryType",
    "jobId": "Job",
    "expectedActiveModelId": "TerritoryModel",
}
"""What an id of that name is of."""

PREFIXES = {
    "territoryModel": "TerritoryModel",
    "territoryType": "TerritoryType",
    "territoryMember": "TerritoryMembership",
    "territory": "Territory",
    "assignmentRule": "AssignmentRule",
    "thread": "Thread",
    "comment": "Comment",
    "account": "Account",
    "opportunity": "Opportunity",
    "user": "User",
    "customField": "CustomField",
    "roleGrant": "RoleGrant",
    "job": "Job",
}
"""What `id` is of in a field whose name begins so; the longest counts."""

TEXTS = {
    "developerName": "Fresh_1",
    "email": "a@example.com",
    "date": "2026-01-01",
    "Date": "2026-01-01",
    "DateTime": "2030-01-01T00:00:00Z",
    "Decimal": "1",
    "PostalCode": "1",
    "currency": "USD",
    "periods": "FY2026-Q3",
    "period": "FY2026-Q3",
    "closeDate": "2026-06-01",
    "path": "/Root/",
    "userName": "fresh",
    "dataType": "TEXT",
    "objectType": "ACCOUNT",
}


class Operations:
    """Documents for root fields. ids: the global id of one object of each type, in the state that is asked about."""

    def __init__(self, ids: Mapping[str, str]) -> None:
        self.ids = ids

    def document(self, kind: str, name: str, field: GraphQLField) -> tuple[str, dict[str, Any]]:
        """A document with one field, and its variables."""
        variables, declared, given = {}, [], []
        for argument, definition in field.args.items():
            if is_required_argument(definition) or argument in {"id", "modelId"}:
                variables[argument] = self._value(definition.type, argument, name)
                declared.append(f"${argument}: {definition.type}")
                given.append(f"{argument}: ${argument}")
        head = f"({', '.join(declared)})" if declared else ""
        call = f"({', '.join(given)})" if given else ""
        return f"{kind} x{head} {{ {name}{call} {selection(field)} }}", variables

    def _value(self, kind: GraphQLInputType, name: str, owner: str) -> Any:
        if isinstance(kind, GraphQLNonNull):
            return self._value(kind.of_type, name, owner)
        if isinstance(kind, GraphQLList):
            return [self._value(kind.of_type, name, owner)]
        if isinstance(kind, GraphQLInputObjectType):
            return self._input(kind, owner)
        if isinstance(kind, GraphQLEnumType):
            return next(iter(kind.values))
        return self._scalar(kind, name, owner)

    def _input(self, kind: GraphQLInputObjectType, owner: str) -> dict[str, Any]:
        if kind.is_one_of:
            name = next((n for n in kind.fields if n in OWNERS), next(iter(kind.fields)))
            field = kind.fields[name]
            return {name: self._value(field.type, name, owner)}
        return {
            name: self._value(field.type, name, owner)
            for name, field in kind.fields.items()
            if is_required_input_field(field)
        }

    def _scalar(self, kind: GraphQLNamedType, name: str, owner: str) -> Any:
        if kind.name == "ID":
            return self.ids.get(self._type_of(name, owner), "VGVycml0b3J5OjA=")
        if kind.name in {"Int", "BigInt", "Float"}:
            return 1
        if kind.name == "Boolean":
            return True
        return TEXTS.get(name, TEXTS.get(kind.name, "Text"))

    @staticmethod
    def _type_of(name: str, owner: str) -> str:
        if name in OWNERS:
            return OWNERS[name]
        fitting = [prefix for prefix in PREFIXES if owner.startswith(prefix)]
        return PREFIXES[max(fitting, key=len)] if fitting else "TerritoryModel"


def selection(field: GraphQLField) -> str:
    """What to select of a field: leaves, the first nodes, errors; enough to see whether something was told."""
    target = get_named_type(field.type)
    if isinstance(target, GraphQLUnionType):
        return "{ __typename }"
    if not isinstance(target, GraphQLObjectType | GraphQLInterfaceType):
        return ""
    parts = ["__typename"]
    for name, item in target.fields.items():
        if item.args and any(is_required_argument(argument) for argument in item.args.values()):
            continue
        if is_leaf_type(get_named_type(item.type)):
            parts.append(name)
        elif name == "nodes":
            parts.append("nodes { __typename }")
        elif name == "userErrors":
            parts.append("userErrors { code message field }")
    return f"{{ {' '.join(parts)} }}"
