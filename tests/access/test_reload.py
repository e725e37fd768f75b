"""A policy swapped under load: every answer is that of one whole policy."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from random import Random
from threading import Event

from tests.access import oracle

from etm_graph.access.decisions import Access
from etm_graph.access.snapshot import PolicySnapshot, default_policy_folder, load_snapshot
from etm_graph.core.access import Act, Kind, Role, StateGroup

CELLS = list(product(Role, Kind, StateGroup, Act, (False, True)))


def test_no_answer_is_wrong_while_the_policy_is_reloaded(tmp_path: Path) -> None:
    for name in ("model.conf", "policy.csv"):
        shutil.copy(default_policy_folder() / name, tmp_path / name)
    good = (tmp_path / "policy.csv").read_text(encoding="utf-8")
    access, done = Access(tmp_path), Event()

    def ask(seed: int) -> tuple[int, int]:
        choose, asked, wrong = Random(seed), 0, 0
        while not done.is_set():
            role, kind, state, act, own = choose.choice(CELLS)
            verdict = access.snapshot.allowed(frozenset({role}), kind, state, act, own)
            wrong += verdict != oracle.allowed({role}, kind, state, act, own)
            asked += 1
        return asked, wrong

    swaps = []
    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask, seed) for seed in range(4)]
        for text in [good, good.replace("deny", "Deny"), good] * 4:
            (tmp_path / "policy.csv").write_text(text, encoding="utf-8")
            swaps.append(access.reload())
        done.set()
        answers = [one.result() for one in asking]
    assert swaps == [True, False, True] * 4
    assert all(asked > 0 for asked, _ in answers)
    assert sum(wrong for _, wrong in answers) == 0


def test_two_policies_answer_at_once_in_many_threads() -> None:
    """Casbin parses its matcher for each answer, which CPython 3.11 cannot do in two threads at a time."""
    snapshots = [load_snapshot(default_policy_folder()) for _ in range(4)]
    cells = CELLS[::5]

    def ask(snapshot: PolicySnapshot) -> int:
        return sum(
            snapshot.allowed(frozenset({role}), kind, state, act, own) != oracle.allowed({role}, kind, state, act, own)
            for role, kind, state, act, own in cells
        )

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(ask, snapshots)) == 0
