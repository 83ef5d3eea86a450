# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures of the system tests: a running lab, and one whose servers are all adopted.

The lab is named by UNDERSTUDY_LAB (default: understudy); it is brought up if it
does not run, and left running: quickstart takes it down. With pytest's option -n
every worker but the first has another lab: NAME-2 and so on.

A test that fails leaves evidence below build/evidence (or UNDERSTUDY_EVIDENCE): the nodes' logs and what cluster and
store say. The lab is then condemned and made anew for the next test, so that no test fails for what another has left.
"""

import os
import re
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP), str(Path(__file__).parent)]

from lab.api import Lab                                  # noqa: E402
from lab.evidence import evidence_keep, lab_up                   # noqa: E402
from lab.site import DEFAULT_NAME, LabError, Site, numbered_name   # noqa: E402
from protected import Protected                          # noqa: E402

# Of files handed out to several labs, those that take minutes, the longest first: none of them may be the last to begin.
BEGUN_FIRST = ("test_verdict.py", "test_fence_hosts.py", "test_fence_agent.py", "test_image_stop.py",
               "test_image_start.py", "test_placement.py", "test_isolate.py", "test_image_monitor.py", "test_return.py",
               "test_takeover.py")


EVIDENCE = Path(os.environ.get("UNDERSTUDY_EVIDENCE", TOP / "build/evidence"))
CONDEMNED: set[str] = set()     # names of labs in which a test has failed
TESTS_BEGUN = pytest.StashKey[int]()


def pytest_configure(config):
    """Pytest wants to know the marks."""
    config.addinivalue_line("markers", "campaign: what the check has no time for; see campaign.py")


def pytest_collection_modifyitems(items):
    """Puts those files in front; the sort keeps the order within a file."""
    items.sort(key=lambda item: BEGUN_FIRST.index(item.path.name) if item.path.name in BEGUN_FIRST else len(BEGUN_FIRST))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Before the clean-up of a test that has failed: look at its lab, while it is as the test has left it."""
    outcome = yield
    report = outcome.get_result()
    lab = item.funcargs.get("lab") if hasattr(item, "funcargs") else None
    if not report.failed or lab is None or lab.condemned:
        return
    lab.condemned = True
    CONDEMNED.add(lab.site.name)
    folder = EVIDENCE / re.sub(r"[^A-Za-z0-9_.-]+", "-", item.nodeid.rpartition("/")[2])
    evidence_keep(lab, folder)
    (folder / "failure").write_text(report.longreprtext, encoding="utf-8")
    report.sections.append(("evidence", str(folder)))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown(item):
    """In a condemned lab no fixture outlives the test that failed: the next one sets all of them up in a new lab."""
    yield
    if CONDEMNED:
        item.session._setupstate.teardown_exact(None)   # pylint: disable=protected-access


@pytest.fixture(scope="session")
def lab():
    """The lab, up."""
    name = lab_name()
    try:
        site = Site.load(name)
    except LabError:
        site = Site() if name == DEFAULT_NAME else None
        assert site is not None, f"lab {name} does not run: bring it up with lab/lab --name {name} up"
        CONDEMNED.add(name)
    if name in CONDEMNED:
        lab_up(Lab(site), EVIDENCE)     # clears what there was
        CONDEMNED.discard(name)
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


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Counts the tests of this process, so that a fixture can tell whether another one came in between."""
    item.session.stash[TESTS_BEGUN] = item.session.stash.get(TESTS_BEGUN, 0) + 1


@pytest.fixture
def protected(adopted, request):
    """As `adopted`, and at rest before and after: every server healthy, every image stopped."""
    number = request.session.stash[TESTS_BEGUN]
    if adopted.at_rest_after != number - 1:
        adopted.settle()
    yield adopted
    if not adopted.lab.condemned:
        adopted.settle()
        adopted.at_rest_after = number
