"""Which HTTP status an answer has, by profile."""

from dataclasses import dataclass

from etm_graph.graphql.execution import Answer
from etm_graph.settings import StatusProfile
from etm_graph.transport.negotiating import GRAPHQL_JSON, JSON

_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
_ANYWHERE = {"RATE_LIMITED": 429, "TIMEOUT": 503}
"""Statuses of refusals that depend neither on the profile nor on the media type."""


@dataclass(frozen=True, slots=True)
class Statuses:
    """One profile.

    malformed: a request without the parameters of GraphQL. invalid: a document that does not validate, variables that do
    not fit, an operation that cannot be determined, a passed limit. partial: data beside errors. legacy: whether clients
    that take only application/json get the same statuses; otherwise they always get 200.
    """

    malformed: int
    invalid: int
    partial: int
    legacy: bool

    def of(self, answer: Answer, media_type: str) -> tuple[int, str]:
        """Status and media type of an answer."""
        if answer.executed:
            return (self.partial if answer.errors else 200), media_type
        code = str(answer.errors[0].get("extensions", {}).get("code")) if answer.errors else ""
        if code in _ANYWHERE:
            return _ANYWHERE[code], media_type
        if media_type == JSON and not self.legacy:
            return 200, JSON
        return (400 if code == _PARSE_FAILED else self.invalid), GRAPHQL_JSON

    def type_of_refusal(self, media_type: str) -> str:
        """The media type of a response that is no success, to a client that would take this one."""
        return GRAPHQL_JSON if self.legacy else media_type


PROFILES = {
    StatusProfile.AUDITED: Statuses(malformed=400, invalid=400, partial=200, legacy=False),
    StatusProfile.DRAFT: Statuses(malformed=422, invalid=422, partial=294, legacy=True),
}
