"""Packages from npm, installed once into a cache folder, and a server to run them against."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "etm-graph"

Run = Callable[..., subprocess.CompletedProcess[str]]


def _installed() -> Path:
    """The folder with `node_modules` for exactly this lock file."""
    digest = sha256((HERE / "package-lock.json").read_bytes() + (HERE / "package.json").read_bytes()).hexdigest()
    folder = CACHE / f"clients-{digest[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / name, folder / name)
            command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
            subprocess.run(command, cwd=folder, check=True, timeout=300)
            (folder / "complete").touch()
    return folder


@pytest.fixture(scope="session")
def packages() -> Path:
    """The folder that has `node_modules`."""
    return _installed()


@pytest.fixture
def workplace(packages: Path, tmp_path: Path) -> Path:
    """A copy of the scripts of this folder, beside the packages that they import."""
    for found in HERE.iterdir():
        if found.suffix in {".mjs", ".json", ".js", ".ts"} or found.is_dir():
            copy = shutil.copytree if found.is_dir() else shutil.copy
            copy(found, tmp_path / found.name)
    (tmp_path / "node_modules").symlink_to(packages / "node_modules")
    return tmp_path


@pytest.fixture
def run(workplace: Path) -> Run:
    """Runs a command in the workplace; its output is the failure's message."""

    def run(*command: str, folder: str = ".", **environment: str) -> subprocess.CompletedProcess[str]:
        found = {**os.environ, **environment, "NO_COLOR": "1"}
        done = subprocess.run(
            command, cwd=workplace / folder, env=found, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
        return done

    return run
