"""The closed vocabulary of access, and a grant (docs/domain.md, "Access vocabulary")."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What a grant makes of a person or tool."""

    VIEWER = "viewer"
    REP = "rep"
    PLANNER = "planner"
    MANAGER = "manager"
    FORECASTER = "forecaster"
    FORECAST_READER = "forecast_reader"
    ADMIN = "admin"
    AUDITOR = "auditor"


class Kind(StrEnum):
    """What an act is done to."""

    MODEL = "model"
    TERRITORY = "territory"
    RULE = "rule"
    MEMBERSHIP = "membership"
    ASSIGNMENT = "assignment"
    CRM = "crm"
    FORECAST = "forecast"
    REPORT = "report"
    THREAD = "thread"
    REVIEW = "review"
    JOB = "job"
    EXPORT = "export"
    ORGANISATION = "organisation"
    POLICY = "policy"
    AUDIT = "audit"


class StateGroup(StrEnum):
    """The group of model states that a policy distinguishes; kinds outside models count as `active`."""

    PLANNING = "planning"
    ACTIVE = "active"
    ARCHIVED = "archived"
    TRANSITION = "transition"


class Act(StrEnum):
    """What is done."""

    READ = "read"
    READ_MONEY = "read_money"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    MOVE = "move"
    RUN = "run"
    CLONE = "clone"
    SUBMIT = "submit"
    APPROVE = "approve"
    ACTIVATE = "activate"
    ARCHIVE = "archive"
    RESTORE = "restore"
    ADJUST = "adjust"
    COMMENT = "comment"
    RESOLVE = "resolve"
    EXPORT = "export"
    GRANT = "grant"


ORGANISATION_PATH = "/"
"""The path that covers every territory: what a grant on the whole organisation or a whole model carries."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A role on the organisation (`model_id` None, path "/"), on one model (path "/") or on a subtree.

    path: starts and ends with "/"; covers every territory path that begins with it, in every model if `model_id` is None.
    expires_at: with time zone; None never expires.
    """

    role: Role
    model_id: int | None = None
    path: str = ORGANISATION_PATH
    expires_at: datetime | None = None
