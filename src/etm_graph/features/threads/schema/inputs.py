"""Inputs of threads and comments."""

import strawberry

from etm_graph.core.anchors import Anchor, AnchorKind
from etm_graph.features.models.schema.roots import KEY_MEANING, VERSION_MEANING
from etm_graph.features.threads import queries
from etm_graph.features.threads.schema.types import ANCHOR_TYPES
from etm_graph.graphql.ids import decode_id
from etm_graph.graphql.scalars import BigInt


@strawberry.input(description="A change of a model.")
class ChangeAnchorInput:
    """A change, named by its model and number."""

    model_id: strawberry.ID = strawberry.field(description="The model in whose stream it is.")
    sequence: BigInt = strawberry.field(description="Its number there.")


@strawberry.input(description="An account in a territory.")
class AssignmentAnchorInput:
    """A pair."""

    territory_id: strawberry.ID = strawberry.field(description="The territory.")
    account_id: strawberry.ID = strawberry.field(description="The account.")


@strawberry.input(description="A territory's forecast of a period.")
class ForecastCellAnchorInput:
    """A cell of the forecast grid."""

    territory_id: strawberry.ID = strawberry.field(description="The territory.")
    period: str = strawberry.field(description="The fiscal period, such as FY2027, FY2027-Q1 or FY2027-M07.")


@strawberry.input(one_of=True, description="What a thread hangs on: exactly one of these.")
class ThreadAnchorInput:
    """An anchor."""

    model_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="A territory model as a whole."
    )
    territory_id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="A territory.")
    rule_id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="An assignment rule.")
    change: ChangeAnchorInput | None = strawberry.field(
        default=strawberry.UNSET, description="A change of a model's stream."
    )
    assignment: AssignmentAnchorInput | None = strawberry.field(
        default=strawberry.UNSET, description="An account in a territory, whether it is assigned or not."
    )
    forecast_cell: ForecastCellAnchorInput | None = strawberry.field(
        default=strawberry.UNSET, description="A territory's forecast of a period."
    )


def anchor_of(given: ThreadAnchorInput) -> tuple[Anchor, int | None]:
    """The anchor that an input names, and a change's model; raises `NotFound` for an id of another type."""
    if given.change:
        model_id = decode_id(given.change.model_id, "TerritoryModel", field="anchor")
        return Anchor(AnchorKind.CHANGE, given.change.sequence), model_id
    if given.assignment:
        account_id = decode_id(given.assignment.account_id, "Account", field="anchor")
        territory_id = decode_id(given.assignment.territory_id, "Territory", field="anchor")
        return Anchor(AnchorKind.ASSIGNMENT, territory_id, str(account_id)), None
    if given.forecast_cell:
        territory_id = decode_id(given.forecast_cell.territory_id, "Territory", field="anchor")
        return Anchor(AnchorKind.FORECAST_CELL, territory_id, given.forecast_cell.period.strip().upper()), None
    fields = {
        AnchorKind.MODEL: given.model_id,
        AnchorKind.TERRITORY: given.territory_id,
        AnchorKind.RULE: given.rule_id,
    }
    kind, global_id = next((kind, value) for kind, value in fields.items() if isinstance(value, str))
    return Anchor(kind, decode_id(global_id, ANCHOR_TYPES[kind], field="anchor")), None


@strawberry.input(description="Which threads; all conditions must hold.")
class ThreadFilter:
    """Conditions on threads."""

    resolved: bool | None = strawberry.field(default=None, description="Only resolved ones, or only open ones.")
    anchor: ThreadAnchorInput | None = strawberry.field(default=None, description="Only those that hang on this.")
    text: str | None = strawberry.field(
        default=None, description='Only those in which these words were said; "in quotes" together, -word without it.'
    )
    is_followed: bool = strawberry.field(default=False, description="Only those that you follow.")
    is_unread: bool = strawberry.field(default=False, description="Only those with comments that you have not read.")


def wanted_threads(given: ThreadFilter | None, user_id: int) -> queries.ThreadFilter:
    """What an input asks for on behalf of a user."""
    if given is None:
        return queries.ThreadFilter()
    anchor, change_model = (None, None) if given.anchor is None else anchor_of(given.anchor)
    return queries.ThreadFilter(
        resolved=given.resolved,
        anchor=anchor,
        model_id=change_model,
        text=given.text,
        followed_by=user_id if given.is_followed else None,
        unread_by=user_id if given.is_unread else None,
    )


@strawberry.input(description="A new thread with its first comment.")
class ThreadCreateInput:
    """Input of threadCreate."""

    anchor: ThreadAnchorInput = strawberry.field(description="What it is to hang on.")
    subject: str | None = strawberry.field(default=None, description="What it is about; at most 200 characters.")
    body: str = strawberry.field(
        description="The first comment in Markdown: 1 to 5,000 characters, trimmed; @user.name mentions a reader."
    )
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="Which thread.")
class ThreadInput:
    """Input of threadResolve and threadReopen."""

    id: strawberry.ID = strawberry.field(description="The thread.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="An answer.")
class CommentAddInput:
    """Input of commentAdd."""

    thread_id: strawberry.ID = strawberry.field(description="The thread.")
    body: str = strawberry.field(description="What it says in Markdown: 1 to 5,000 characters, trimmed.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="What one's own comment is to say.")
class CommentEditInput:
    """Input of commentEdit."""

    id: strawberry.ID = strawberry.field(description="The comment.")
    body: str = strawberry.field(description="What it is to say in Markdown: 1 to 5,000 characters, trimmed.")
    expected_version: BigInt = strawberry.field(description=VERSION_MEANING)
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="Which comment to delete.")
class CommentDeleteInput:
    """Input of commentDelete."""

    id: strawberry.ID = strawberry.field(description="The comment.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="A sign on a comment.")
class CommentReactInput:
    """Input of commentReact and commentUnreact."""

    id: strawberry.ID = strawberry.field(description="The comment.")
    emoji: str = strawberry.field(description="One emoji.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY_MEANING)


@strawberry.input(description="Which thread.")
class ThreadFollowInput:
    """Input of threadFollow and threadUnfollow."""

    id: strawberry.ID = strawberry.field(description="The thread.")


@strawberry.input(description="How far you have read a thread.")
class ThreadMarkReadInput:
    """Input of threadMarkRead."""

    id: strawberry.ID = strawberry.field(description="The thread.")
    up_to: strawberry.ID | None = strawberry.field(
        default=None, description="The last comment that you have read; null for all. A mark never goes back."
    )
