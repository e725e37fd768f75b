"""A policy swapped under load: every answer is that of one whole policy."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from random import Random
from threading import Event

from tests.access import oracle

from etm_graph.access.decisions import Access
from etm_graph.access.snapshot import default_policy_folder
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
            role, *cell = choose.choice(CELLS)
            wrong += access.snapshot.allowed(frozenset({role}), *cell) != oracle.allowed({role}, *cell)
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
