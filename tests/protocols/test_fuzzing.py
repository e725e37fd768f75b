"""Random valid documents for every operation of the schema (schemathesis): none may meet a fault of ours."""

from collections import Counter
from typing import Any

import httpx
import schemathesis
from graphql import StringValueNode
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.graphql import nodes
from tests.e2e.servers import Server, token

SETTINGS = {"ETM_BUDGET_COST_PER_S": "0", "ETM_SOCKET_PING_INTERVAL_S": "0"}


def texts(*values: str) -> st.SearchStrategy[StringValueNode]:
    """A few good values of a scalar, and any text."""
    return st.one_of(st.sampled_from(values), st.text(max_size=20)).map(nodes.String)


SCALARS = {
    "Decimal": texts("0", "12.50", "-3", "1e400", "NaN"),
    "Date": texts("2026-02-28", "2026-02-30", "9999-12-31", "0001-01-01"),
    "DateTime": texts("2026-02-28T10:00:00Z", "2026-02-28T10:00:00+01:00", "2026-02-28"),
    "BigInt": st.one_of(st.integers(), st.sampled_from([0, 2**31, 2**63, -(2**63)])).map(nodes.Int),
}

CASES_MIN = 500
"""Documents in a run, over all operations."""


def test_no_document_meets_a_server_error(server: Server) -> None:
    for name, values in SCALARS.items():
        schemathesis.graphql.scalar(name, values)
    headers = {"Authorization": f"Bearer {token('planner')}"}
    schema = schemathesis.graphql.from_url(server.url, headers=headers)
    operations = [found.ok() for found in schema.get_all_operations()]
    each = -(-CASES_MIN // len(operations))
    outcomes: Counter[str] = Counter()
    faults: list[tuple[str, Any, str]] = []

    with httpx.Client(headers=headers, timeout=60) as client:
        for operation in operations:

            @settings(
                max_examples=each,
                derandomize=True,
                database=None,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy())
            def ask(case: Case) -> None:
                answer = client.post(server.url, json={"query": case.body})
                codes = [error["extensions"]["code"] for error in answer.json().get("errors", [])]
                outcomes.update(codes or ["data"])
                if answer.status_code >= 500 or "INTERNAL" in codes:
                    faults.append((case.operation.label, case.body, answer.text))

            ask()

    assert faults == []
    assert sum(outcomes.values()) >= CASES_MIN
    assert outcomes["data"] >= CASES_MIN // 4, outcomes  # most are really executed, not just refused
