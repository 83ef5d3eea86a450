# SPDX-License-Identifier: GPL-2.0-or-later
"""One line for whatever takes longer than a few seconds; plain lines where there is no terminal."""

import subprocess
import sys
import threading
import time
from pathlib import Path

QUIET_S = 3             # what is done sooner is said once, when it is done
PLAIN_EVERY_S = 15      # without a terminal
TAIL_LINES = 25


class StepFailed(Exception):
    """A step did not succeed; the text is a sentence, with the end of what the program said."""


class Step:
    """with Step("building"): ... shows the step, the seconds that it takes, and how it ended."""

    def __init__(self, title: str, out=sys.stdout):
        self._title, self._out, self._tty = title, out, out.isatty()
        self._done = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)
        self._note, self._start_s = "", 0.0

    def note(self, text: str) -> None:
        """What the step is at."""
        self._note = f" ({text})"

    def __enter__(self) -> "Step":
        self._start_s = time.monotonic()
        self._ticker.start()
        return self

    def __exit__(self, kind, _value, _trace) -> None:
        self._done.set()
        self._ticker.join()
        end = "done" if kind is None else "failed"
        self._show(f"{self._title}: {end} after {self._elapsed_s():.1f} s", last=True)

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._start_s

    def _tick(self) -> None:
        pause_s = QUIET_S
        while not self._done.wait(pause_s):
            self._show(f"{self._title}{self._note} ... {self._elapsed_s():.0f} s")
            pause_s = 1 if self._tty else PLAIN_EVERY_S

    def _show(self, text: str, last: bool = False) -> None:
        if self._tty:
            text = f"\r\033[K{text}"
        self._out.write(text + ("\n" if last or not self._tty else ""))
        self._out.flush()


def run_step(title: str, argv: list, log: Path, cwd: Path | None = None, env: dict | None = None,
             timeout_s: float = 3600, notes: bool = False, ok: tuple = (0,)) -> int:
    """Run a program as a step, its output in LOG; raise StepFailed unless it ends with one of OK.

    notes: show its last line of output as what it is at.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    said = []
    with Step(title) as step, open(log, "a", encoding="utf-8") as out:
        out.write(f"\n=== {title}: {' '.join(str(word) for word in argv)}\n")
        out.flush()
        with subprocess.Popen([str(word) for word in argv], cwd=cwd, env=env, text=True, errors="replace",
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as program:
            timer = threading.Timer(timeout_s, program.kill)
            timer.start()
            try:
                for line in program.stdout:
                    out.write(line)
                    out.flush()
                    said = [*said, line.rstrip()][-TAIL_LINES:]
                    if notes and line.strip():
                        step.note(line.strip()[-80:])
            except BaseException:
                program.terminate()
                raise
            finally:
                timer.cancel()
        if program.returncode not in ok:
            tail = "\n".join(f"    {line}" for line in said)
            raise StepFailed(f"{title} ended with {program.returncode}; all of it is in {log}, it ends so:\n{tail}")
    return program.returncode
