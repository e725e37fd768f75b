"""Pre-flight: what is looked at before a draft comes into force, each check a warning or a blocker by policy.

The checks are a registry, so that features which come later bring theirs (wiring.py); what each means for an activation
is said by policies/preflight.toml.
"""

import tomllib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import Row

from etm_graph.core.lifecycle import ModelState
from etm_graph.db.sessions import ReadSession
from etm_graph.events.log import read_heads
from etm_graph.features.activation.service.dropping import Dropped, dropped_by_activation
from etm_graph.features.alignment.service import Engine
from etm_graph.features.crm import queries as crm
from etm_graph.features.models.queries import active_model_id
from etm_graph.features.rules import queries as rules
from etm_graph.features.territories import queries as territories

POLICY_FILE = "preflight.toml"


class Severity(StrEnum):
    """What a finding means for an activation."""

    BLOCKER = "blocker"
    WARNING = "warning"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing that a check found.

    key: its name that survives cloning. label: for people. path: of the territory that decides who may be told, None for
    the model as a whole. territory_id, account_id: what it is, where it is one of these.
    """

    key: str
    label: str
    path: str | None = None
    territory_id: int | None = None
    account_id: int | None = None


@dataclass(frozen=True, slots=True)
class Examined:
    """What checks look at: a model as it would come into force, and the active one.

    nodes: its territories, all columns, by id. broken: rules that cannot be evaluated. pairs, active_pairs: who would be
    and who is assigned to what (None when the model's rules cannot be evaluated); active_nodes: the active territories.
    """

    session: ReadSession
    model_id: int
    active_id: int | None
    nodes: Mapping[int, Row[Any]]
    broken: Sequence[tuple[str, str]]
    pairs: pl.DataFrame | None
    active_nodes: Mapping[int, Row[Any]]
    active_pairs: pl.DataFrame | None

    def territory(self, row: Row[Any]) -> Subject:
        """A territory as a finding."""
        return Subject(row.developer_name, row.name, row.path, territory_id=row.id)


@dataclass(frozen=True, slots=True)
class Check:
    """A check. code: stable, for programs and the policy. meaning: what was found, for a person, after the count."""

    code: str
    meaning: str
    run: Callable[[Examined], Awaitable[Sequence[Subject]]]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; nothing when there are no subjects."""

    check: Check
    severity: Severity
    subjects: Sequence[Subject]


@dataclass(frozen=True, slots=True)
class Examination:
    """All findings at one position. dropped: what the active model has that would be lost (dropping.py)."""

    structure_head: int
    active_id: int | None
    findings: Sequence[Finding]
    dropped: Sequence[Dropped]

    @property
    def blockers(self) -> Sequence[Finding]:
        """What stands in the way."""
        return [found for found in self.findings if found.severity is Severity.BLOCKER and found.subjects]


@dataclass(frozen=True, slots=True)
class Preflight:
    """The checks of a process with what policy says of each."""

    checks: Sequence[Check]
    severities: Mapping[str, Severity] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path, checks: Sequence[Check]) -> "Preflight":
        """Read the policy; raises `ValueError` when it does not say of each check, and of no other, what it means."""
        told = tomllib.loads((folder / POLICY_FILE).read_text())["checks"]
        known = {check.code for check in checks}
        if set(told) != known:
            raise ValueError(
                f"{POLICY_FILE} must name every check once; missing: {sorted(known - set(told))}, "
                f"unknown: {sorted(set(told) - known)}"
            )
        return cls(checks, {code: Severity(severity) for code, severity in told.items()})

    async def examine(self, session: ReadSession, engine: Engine, model_id: int, state: ModelState) -> Examination:
        """Look at a model as the session sees it, whoever asks."""
        head = (await read_heads(session, [model_id]))[model_id].structure_head
        examined = await _look(session, engine, model_id, state)
        findings = []
        for check in self.checks:
            severity = self.severities[check.code]
            if severity is not Severity.OFF:
                findings.append(Finding(check, severity, await check.run(examined)))
        dropped = await dropped_by_activation(session, model_id, examined.active_id)
        return Examination(head, examined.active_id, findings, dropped)


async def _look(session: ReadSession, engine: Engine, model_id: int, state: ModelState) -> Examined:
    active_id = await active_model_id(session)
    if active_id == model_id:
        active_id = None
    nodes = {row.id: row for row in await territories.whole_trees(session, [model_id])}
    broken = await rules.rules_in_error(session, model_id, await crm.account_fields(session))
    pairs = None if broken else (await engine.assignments(session, model_id, state)).pairs
    active_nodes: dict[int, Row[Any]] = {}
    active_pairs = None
    if active_id is not None:
        active_nodes = {row.id: row for row in await territories.whole_trees(session, [active_id])}
        active_pairs = (await engine.assignments(session, active_id, ModelState.ACTIVE)).pairs
    return Examined(session, model_id, active_id, nodes, broken, pairs, active_nodes, active_pairs)
