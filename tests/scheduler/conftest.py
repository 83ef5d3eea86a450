# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures of the scheduler tests: Pacemaker's own scheduler on the configuration that adopt writes.

No daemon runs. `pytest tests/scheduler --regenerate` writes the goldens anew: look at the difference before
committing it.
"""

import difflib
import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from simulation import Simulation, Tools  # noqa: E402

TOP = Path(__file__).resolve().parents[2]
GOLDENS = Path(__file__).parent / "goldens"


def pytest_addoption(parser):
    parser.addoption("--regenerate", action="store_true", help="write the goldens instead of comparing with them")


def build_dir():
    """Where the tool was built: UNDERSTUDY_BUILD, ./build or the source tree; None: use what is installed."""
    for candidate in (os.environ.get("UNDERSTUDY_BUILD"), TOP / "build", TOP):
        if candidate and Path(candidate, "tools/understudy").exists():
            return Path(candidate)
    return None


@pytest.fixture(scope="session")
def tools(tmp_path_factory):
    """The command and the agents as they were built, or as they are installed."""
    build = build_dir()
    if build is None:
        command = shutil.which("understudy")
        assert command, "build Understudy (make) or install it first"
        return Tools(command, None, tmp_path_factory.mktemp("tools"))
    agents = tmp_path_factory.mktemp("ocf") / "resource.d/understudy"
    agents.mkdir(parents=True)
    for name in ("image", "observer", "capacity"):
        (agents / name).symlink_to(build / "agents" / name / name)
    return Tools(str(build / "tools/understudy"), agents.parents[1], tmp_path_factory.mktemp("tools"))


@pytest.fixture
def simulation(tools, tmp_path):
    """Makes a site: simulation(hosts, servers)."""
    return lambda hosts, servers: Simulation(tools, tmp_path, hosts, servers)


@pytest.fixture(scope="session")
def pool_of_five(tools, tmp_path_factory):
    """Twenty servers and five hosts with nothing failed yet; copy() it."""
    from simulation import FIVE_HOSTS, TWENTY_SERVERS
    return Simulation(tools, tmp_path_factory.mktemp("five"), FIVE_HOSTS, TWENTY_SERVERS)


@pytest.fixture
def five(pool_of_five, tmp_path):
    """A copy of its own for each test."""
    return pool_of_five.copy(tmp_path)


@pytest.fixture
def golden(request):
    """Compares a text with the golden of that name."""
    def compare(name, text):
        path = GOLDENS / f"{name}.txt"
        if request.config.getoption("--regenerate"):
            path.write_text(text, encoding="utf-8")
            return
        assert path.exists(), f"{path} is missing: run pytest tests/scheduler --regenerate"
        want = path.read_text(encoding="utf-8")
        assert text == want, "\n".join(difflib.unified_diff(want.splitlines(), text.splitlines(), str(path), "now",
                                                            lineterm=""))
    return compare
