# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures of the system tests: a running lab, and one whose servers are all adopted.

The lab is named by UNDERSTUDY_LAB (default: understudy); it is brought up if it
does not run, and left running: quickstart takes it down. With pytest's option -n
every worker but the first has another lab: NAME-2 and so on.
"""

import os
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP), str(Path(__file__).parent)]

from lab.api import Lab                                  # noqa: E402
from lab.site import DEFAULT_NAME, LabError, Site, numbered_name   # noqa: E402
from protected import Protected                          # noqa: E402

# Of files handed out to several labs, those that take minutes, the longest first: none of them may be the last to begin.
BEGUN_FIRST = ("test_verdict.py", "test_fence_hosts.py", "test_fence_agent.py", "test_image_stop.py",
               "test_image_start.py", "test_placement.py", "test_isolate.py", "test_image_monitor.py", "test_return.py",
               "test_takeover.py")


def pytest_collection_modifyitems(items):
    """Puts those files in front; the sort keeps the order within a file."""
    items.sort(key=lambda item: BEGUN_FIRST.index(item.path.name) if item.path.name in BEGUN_FIRST else len(BEGUN_FIRST))


@pytest.fixture(scope="session")
def lab():
    """The lab, up."""
    name = lab_name()
    try:
        site = Site.load(name)
    except LabError:
        site = Site() if name == DEFAULT_NAME else None
        assert site is not None, f"lab {name} does not run: bring it up with lab/lab --name {name} up"
        Lab(site).up()
    return Lab(site)


def lab_name():
    """The lab of this process."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) + 1
    return numbered_name(os.environ.get("UNDERSTUDY_LAB", DEFAULT_NAME), number)


@pytest.fixture(scope="session")
def adopted(lab):
    """The lab with every server adopted, its standby image a tiny guest that boots in seconds."""
    site = Protected(lab)
    site.adopt_all()
    return site


@pytest.fixture
def protected(adopted):
    """As `adopted`, and at rest before and after: every server healthy, every image stopped."""
    adopted.settle()
    yield adopted
    adopted.settle()
