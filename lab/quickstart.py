#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""From a clean clone on a fresh Debian 12 to a demo, or to a full check, in one command.

    quickstart demo     install, build, bring a whole site up, show takeovers and returns
    quickstart check    install, build, run the tests; ends with "N passed, N failed"
    quickstart campaign install, build, run what the check has no time for: more forms of its tests, for an hour or two
"""

import argparse
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
sys.path[0] = str(TOP)      # this folder holds a module named "site"

from lab import machine     # noqa: E402
from lab.progress import StepFailed, run_step   # noqa: E402
from lab.site import DEFAULT_NAME, DEFAULT_PREFIX, numbered_name   # noqa: E402

BUILD = TOP / "build"
LOG = BUILD / "quickstart.log"
# Another name than the default lets a second lab run beside it; the tests read the same variable.
NAME = os.environ.setdefault("UNDERSTUDY_LAB", DEFAULT_NAME)
CONFIGURE = ["--prefix=/usr", "--sysconfdir=/etc", "--localstatedir=/var", "--enable-werror"]
SANITIZED = BUILD / "sanitized"
# More than that is no accident of timing on a busy machine.
SECOND_TRY_MAX = 4
EVIDENCE = BUILD / "evidence"
SLOWEST_FILES = 12
TESTS_TIMEOUT_S = 10800     # the tests have deadlines of their own; this one ends what has lost them


@dataclass
class Count:
    """Results of tests."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: "Count") -> None:
        """Sum up."""
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


def main() -> int:
    """Do what was asked for; 0 only if all of it held."""
    parser = argparse.ArgumentParser(prog="quickstart", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("demo", "check", "campaign"))
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    try:
        machine.check(TOP)
        BUILD.mkdir(exist_ok=True)
        with alone():
            prepare()
            return {"demo": demo, "check": check, "campaign": campaign}[args.what]()
    except (machine.Unfit, StepFailed) as error:
        print(f"quickstart: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("quickstart: interrupted", file=sys.stderr)
        return 130


@contextmanager
def alone():
    """Two runs in one tree would build over each other."""
    with open(BUILD / "quickstart.lock", "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise machine.Unfit("Another quickstart runs in this tree: wait for it to end.") from None
        LOG.unlink(missing_ok=True)
        yield


def prepare() -> None:
    """Install, build and install the build."""
    machine.install(machine.packages(TOP / "packages.txt", TOP / "lab/packages.txt"), LOG)
    if (TOP / "config.status").exists():
        # A build in the source tree keeps configure from building elsewhere.
        run_step("clearing a build in the source tree", ["make", "distclean"], LOG, cwd=TOP)
    if _is_older(TOP / "configure", [*TOP.glob("*.ac"), *TOP.glob("*/Makefile.am"), TOP / "Makefile.am"]):
        run_step("autogen.sh", ["./autogen.sh"], LOG, cwd=TOP)
    configure(BUILD)
    run_step("make", ["make", f"-j{os.cpu_count()}"], LOG, cwd=BUILD)
    run_step("make install", ["make", "install"], LOG, cwd=BUILD)


def configure(folder: Path, *options: str) -> None:
    """Unless it has been done."""
    folder.mkdir(exist_ok=True)
    if _is_older(folder / "config.status", [TOP / "configure"]):
        run_step(f"configure {' '.join(options)}".rstrip(), [TOP / "configure", *CONFIGURE, *options], LOG, cwd=folder)


def _is_older(made: Path, sources: list[Path]) -> bool:
    return not made.exists() or made.stat().st_mtime < max(path.stat().st_mtime for path in sources)


def demo() -> int:
    """The story, in a lab of its own that is gone afterwards."""
    with lab_is_up():
        return subprocess.run([str(TOP / "lab/demo.py"), "--name", NAME], check=False).returncode


@contextmanager
def labs_are_up(count: int):
    """That many, brought up at once: each waits for its daemons most of the time."""
    with ExitStack() as labs, ThreadPoolExecutor(count) as pool:
        list(pool.map(lambda number: labs.enter_context(lab_is_up(number)), range(1, count + 1)))
        yield


@contextmanager
def lab_is_up(number: int = 1):
    """A lab for as long as the block lasts."""
    name = numbered_name(NAME, number)
    first, second = DEFAULT_PREFIX.split(".")
    lab = [TOP / "lab/lab", "--name", name, "--prefix", f"{first}.{int(second) + number - 1}"]
    try:
        run_step(f"bringing lab {name} up", [*lab, "up", "--evidence", EVIDENCE], LOG, notes=True, timeout_s=900)
        yield
    finally:
        run_step(f"taking lab {name} down", [*lab, "down"], LOG, timeout_s=300)


def check() -> int:
    """The tests, each kind once."""
    return all_of(lambda: counted("tests/lint", BUILD), unit_tests, lambda: counted("tests/fuzz/run", "--build", SANITIZED),
                  lambda: counted("tests/model/run"), lambda: pytest("tests/scheduler", "-n", str(os.cpu_count()), "tests/scheduler")[0],
                  lambda: system_tests("not campaign"))


def campaign() -> int:
    """What the check leaves out."""
    return all_of(lambda: counted("tests/lint", BUILD, "deep"), storms, lambda: system_tests("campaign"))


def all_of(*parts) -> int:
    """Runs the parts, each of which returns its Count, and says the sum; what could not run counts as failed."""
    total = Count()
    shutil.rmtree(EVIDENCE, ignore_errors=True)
    for part in parts:
        try:
            total.add(part())
        except StepFailed as error:
            print(f"ERROR: {error}")
            total.failed += 1
    if total.skipped:
        print(f"{total.skipped} skipped: see {LOG}")
    if EVIDENCE.exists():
        print(f"what the labs looked like when tests failed in them is in {EVIDENCE}")
    print(f"{total.passed} passed, {total.failed} failed")
    return 0 if total.failed == 0 and total.passed > 0 else 1


def storms() -> Count:
    """Thousands of storms over simulated observers."""
    code = run_step("tests/campaign/storms", [TOP / "tests/campaign/storms", BUILD], LOG, ok=range(-64, 256), notes=True)
    count = Count()
    _count(count, "PASS" if code == 0 else "FAIL", "tests/campaign/storms")
    return count


def system_tests(marks: str) -> Count:
    """The tests with these marks that need a lab. A few that fail are asked once more, alone in a fresh lab, and named."""
    count_of_labs = machine.labs_that_fit()
    with labs_are_up(count_of_labs):
        count, failed = pytest("tests/system", "-n", str(count_of_labs), "--dist", "loadfile", "--max-worker-restart=0",
                               "-m", marks, "tests/system")
    if not 0 < len(failed) <= SECOND_TRY_MAX:
        return count
    print(f"once more, in a fresh lab: {' '.join(failed)}")
    with lab_is_up():
        again, still_failed = pytest("tests/system, second try", *failed)
    late = [test for test in failed if test not in still_failed]
    print(f"{len(late)} passed only at the second try: {' '.join(late) or 'none'}")
    return Count(count.passed + again.passed, count.failed - len(failed) + again.failed, count.skipped)


def counted(program: str, *arguments: Path | str) -> Count:
    """A program that ends with "N passed, N failed"."""
    code = run_step(program, [TOP / program, *arguments], LOG, cwd=TOP, ok=range(-64, 256), notes=True)
    with open(LOG, encoding="utf-8", errors="replace") as log:
        said = log.read().rpartition("\n=== ")[2].splitlines()
    count = Count()
    result = re.fullmatch(r"(\d+) passed, (\d+) failed", said[-1])
    if result:
        count = Count(int(result[1]), int(result[2]))
    for line in said:
        if line.startswith("FAILED"):
            print(line)
    if (code != 0 and count.failed == 0) or not result:
        _count(count, "ERROR", f"{program} itself")
    return count


def unit_tests() -> Count:
    """The tests that Automake runs, from the results that it leaves beside their logs; under the sanitizers.

    By clang, so that the fuzz targets are built from the same objects: see tests/fuzz/run.
    """
    configure(SANITIZED, "CC=clang", "CFLAGS=-g1 -O1", "--enable-sanitizers")
    for old in SANITIZED.rglob("*.trs"):
        old.unlink()
    code = run_step("make check", ["make", "-k", f"-j{os.cpu_count()}", "unit-check"], LOG, cwd=SANITIZED,
                    ok=range(-64, 256), notes=True)
    count = Count()
    for result in sorted(SANITIZED.rglob("*.trs")):
        for line in result.read_text(encoding="utf-8").splitlines():
            if line.startswith(":test-result:"):
                _count(count, line.split()[1], result.stem)
    if code != 0 and count.failed == 0:
        _count(count, "ERROR", "make check itself")
    return count


def _count(count: Count, result: str, name: str) -> None:
    if result in ("PASS", "XFAIL"):
        count.passed += 1
    elif result == "SKIP":
        count.skipped += 1
    else:
        count.failed += 1
        print(f"{result}: {name}")


def pytest(title: str, *arguments: str) -> tuple[Count, list[str]]:
    """Tests of pytest, counted from its JUnit report; and the names of those that failed, to run them again."""
    report = BUILD / f"{re.sub('[^a-z]+', '-', title)}.xml"
    report.unlink(missing_ok=True)
    code = run_step(f"pytest {title}", ["/usr/bin/python3", "-m", "pytest", "-v", "-p", "no:cacheprovider",
                                        f"--junitxml={report}", *arguments],
                    LOG, cwd=TOP, ok=range(-64, 256), timeout_s=TESTS_TIMEOUT_S, notes=True)
    results = {}
    seconds = Counter()
    if report.exists():
        for case in ET.parse(report).getroot().iter("testcase"):
            kinds = {part.tag for part in case}
            result = "FAIL" if kinds & {"failure", "error"} else "SKIP" if "skipped" in kinds else "PASS"
            file = f"{case.get('classname').replace('.', '/')}.py"
            test = f"{file}::{case.get('name')}"
            seconds[file] += float(case.get("time", 0))
            # One that fails and whose clean-up fails too stands there twice.
            results[test] = "FAIL" if "FAIL" in (result, results.get(test)) else result
    for file, spent_s in seconds.most_common(SLOWEST_FILES):
        print(f"    {spent_s:6.0f} s  {file}")
    count = Count()
    for test, result in results.items():
        _count(count, result, test)
    if code != 0 and count.failed == 0:
        _count(count, "ERROR", f"pytest {title} itself")
    return count, [test for test, result in results.items() if result == "FAIL"]


if __name__ == "__main__":
    sys.exit(main())
