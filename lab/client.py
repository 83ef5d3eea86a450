#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of the lab's database servers: it commits numbered rows and keeps an account of them.

    client.py run --journal FILE --server db1=10.77.3.201 [--server ...] [--interval-ms 1000]
    client.py report --journal FILE [--since MONOTONIC_S] [--json]
    client.py verify --journal FILE --server db1=10.77.3.201 [--server ...] [--place server] [--json]

The journal holds one JSON object a line and attempt, on disk before the next attempt starts. Times
ending in _s are CLOCK_MONOTONIC, which is the same for all processes of a machine. One client per journal.
"""

import argparse
import datetime
import json
import os
import select
import signal
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psycopg2
import psycopg2.extensions

CONNECT_TIMEOUT_S = 1.0
COMMIT_TIMEOUT_S = 2.0
RETRY_S = 0.25
INSERT = "insert into ledger (n) values (%s) returning place"


@dataclass
class Server:
    """Where a database is reached."""

    name: str
    address: str
    port: int = 5432

    @classmethod
    def parse(cls, text: str) -> "Server":
        """From NAME=ADDRESS or NAME=ADDRESS:PORT."""
        name, equals, rest = text.partition("=")
        address, _, port = rest.partition(":")
        if not (name and equals and address) or (port and not port.isdigit()):
            raise argparse.ArgumentTypeError(f"'{text}' is not NAME=ADDRESS or NAME=ADDRESS:PORT")
        return cls(name, address, int(port or 5432))


class Journal:
    """Attempts, one line each, each on disk when append() returns."""

    def __init__(self, path: Path):
        self._file = open(path, "a", encoding="utf-8")  # pylint: disable=consider-using-with
        self._lock = threading.Lock()

    def append(self, entry: dict) -> None:
        """Add one attempt; any thread may."""
        with self._lock:
            self._file.write(json.dumps(entry) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())


def read_journal(path: Path) -> list[dict]:
    """All attempts in the order of their ends; a last line that is not whole yet is left out."""
    text = Path(path).read_text(encoding="utf-8")
    whole = text[:text.rfind("\n") + 1]
    return [json.loads(line) for line in whole.splitlines()]


class Connection:
    """A connection on which nothing takes longer than it is given: libpq's own timeouts are whole seconds."""

    def __init__(self, server: Server):
        self._db = psycopg2.connect(host=server.address, port=server.port, user="postgres",
                                    dbname="postgres", application_name="lab-client", async_=1,
                                    tcp_user_timeout=int(COMMIT_TIMEOUT_S * 1000))
        self._wait(CONNECT_TIMEOUT_S)

    def query(self, sql: str, args=(), timeout_s: float = COMMIT_TIMEOUT_S) -> list[tuple]:
        """Run one statement, in a transaction of its own, and give its rows."""
        with self._db.cursor() as cursor:
            cursor.execute(sql, args)
            self._wait(timeout_s)
            return cursor.fetchall()

    def close(self) -> None:
        """Drop the connection; never waits."""
        self._db.close()

    def _wait(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while (state := self._db.poll()) != psycopg2.extensions.POLL_OK:
            sides = ([self._db], []) if state == psycopg2.extensions.POLL_READ else ([], [self._db])
            left_s = deadline - time.monotonic()
            if left_s <= 0 or select.select(*sides, [], left_s) == ([], [], []):
                raise TimeoutError(f"no answer within {timeout_s:g} s")


class Writer(threading.Thread):
    """Commits rows to one server for ever, at a steady pace, whatever happens to the server."""

    def __init__(self, server: Server, journal: Journal, interval_s: float, first_n: int,
                 stop: threading.Event):
        super().__init__(name=server.name, daemon=True)
        self._server, self._journal, self._interval_s = server, journal, interval_s
        self._n, self._stopping, self._db = first_n, stop, None

    def run(self) -> None:
        due = time.monotonic()
        while not self._stopping.wait(max(0, due - time.monotonic())):
            ok = self._attempt()
            pause_s = self._interval_s if ok else min(self._interval_s, RETRY_S)
            due = max(due + pause_s, time.monotonic() - self._interval_s)

    def _attempt(self) -> bool:
        """One row, under a number of its own: whether a lost answer's row was committed can't be known here."""
        entry = {"server": self._server.name, "n": self._n, "ok": False, "sent": False, "place": None,
                 "error": None, "start_s": time.monotonic()}
        try:
            if self._db is None:
                self._db = Connection(self._server)
            entry["sent"] = True
            entry["place"] = self._db.query(INSERT, (self._n,))[0][0]
            entry["ok"] = True
            self._n += 1
        except psycopg2.errors.UniqueViolation as error:  # pylint: disable=no-member
            entry["error"] = _first_line(error)
            self._n = self._highest() + 1
        except (psycopg2.Error, OSError) as error:
            entry["error"] = _first_line(error)
            self._n += 1 if entry["sent"] else 0
            self._drop()
        entry["end_s"] = time.monotonic()
        entry["wall"] = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
        self._journal.append(entry)
        return entry["ok"]

    def _highest(self) -> int:
        """The highest number in the database; the journal may be younger than the database."""
        try:
            return max(self._n, self._db.query("select coalesce(max(n), 0) from ledger")[0][0])
        except (psycopg2.Error, OSError):
            self._drop()
            return self._n

    def _drop(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@dataclass
class Account:
    """What one server's clients saw."""

    server: str
    attempts: int = 0
    commits: int = 0
    unknown: int = 0                    # sent, never answered
    longest_gap_s: float = 0.0
    longest_gap_from: str | None = None
    places: list = field(default_factory=list)  # [{"place", "commits", "first", "last"}], in order


def account(attempts: list[dict], since_s: float = 0.0) -> dict[str, Account]:
    """By server: commits, the longest time without one (up to the last attempt), and where they went."""
    accounts, last = {}, {}
    for entry in attempts:
        if entry["end_s"] < since_s:
            continue
        name = entry["server"]
        mine = accounts.setdefault(name, Account(name))
        mine.attempts += 1
        mine.unknown += entry["sent"] and not entry["ok"]
        before = last.setdefault(name, entry)
        gap_s = entry["end_s"] - before["end_s"]
        if gap_s > mine.longest_gap_s:
            mine.longest_gap_s, mine.longest_gap_from = round(gap_s, 3), before["wall"]
        if entry["ok"]:
            mine.commits += 1
            last[name] = entry
            _count_place(mine.places, entry)
    return accounts


def _count_place(places: list[dict], entry: dict) -> None:
    if not places or places[-1]["place"] != entry["place"]:
        places.append({"place": entry["place"], "commits": 0, "first": entry["wall"]})
    places[-1]["commits"] += 1
    places[-1]["last"] = entry["wall"]


def first_commit_after(attempts: list[dict], server: str, after_s: float,
                       place: str | None = None) -> dict | None:
    """The first acknowledged commit on SERVER that was begun at or after AFTER_S (CLOCK_MONOTONIC)."""
    return next((entry for entry in attempts if entry["ok"] and entry["server"] == server
                 and entry["start_s"] >= after_s and place in (None, entry["place"])), None)


def last_commit_before(attempts: list[dict], server: str, before_s: float) -> dict | None:
    """The last acknowledged commit on SERVER that had ended by BEFORE_S."""
    return next((entry for entry in reversed(attempts) if entry["ok"] and entry["server"] == server
                 and entry["end_s"] <= before_s), None)


def verify(attempts: list[dict], servers: list[Server], place: str | None = None) -> dict[str, dict]:
    """Whether every acknowledged row (of PLACE, if given) is in the database that SERVERS' addresses reach now.

    By server: {"place": where that database is, "expected": N, "missing": [n ...], "error": str or None}.
    """
    return {server.name: _verify_one(attempts, server, place) for server in servers}


def _verify_one(attempts: list[dict], server: Server, place: str | None) -> dict:
    expected = {(entry["n"], entry["place"]) for entry in attempts if entry["ok"]
                and entry["server"] == server.name and place in (None, entry["place"])}
    result = {"place": None, "expected": len(expected), "missing": [], "error": None}
    try:
        db = Connection(server)
        result["place"] = db.query("select place from here")[0][0]
        rows = set(db.query("select n, place from ledger", timeout_s=30))
        db.close()
        result["missing"] = sorted(n for n, _ in expected - rows)
    except (psycopg2.Error, OSError) as error:
        result["error"] = f"{server.name} at {server.address} can't be read: {_first_line(error)}"
    return result


def _run(args) -> int:
    known = read_journal(args.journal) if args.journal.exists() else []
    journal, stop = Journal(args.journal), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    writers = []
    for server in args.server:
        first_n = 1 + max((entry["n"] for entry in known if entry["server"] == server.name), default=0)
        writers.append(Writer(server, journal, args.interval_ms / 1000, first_n, stop))
        writers[-1].start()
    stop.wait(args.duration_s)
    stop.set()
    for writer in writers:
        writer.join(CONNECT_TIMEOUT_S + COMMIT_TIMEOUT_S + 1)
    return 0


def _report(args) -> int:
    accounts = account(read_journal(args.journal), args.since)
    if args.json:
        print(json.dumps({name: asdict(mine) for name, mine in sorted(accounts.items())}, indent=1))
        return 0
    for name, mine in sorted(accounts.items()):
        where = ", then ".join(f"{part['commits']} on the {part['place']}" for part in mine.places)
        print(f"{name}: {mine.commits} commits acknowledged ({where or 'none'}), "
              f"longest gap {mine.longest_gap_s:.1f} s, {mine.unknown} without an answer")
    return 0


def _verify(args) -> int:
    results = verify(read_journal(args.journal), args.server, args.place)
    if args.json:
        print(json.dumps(results, indent=1))
    else:
        for name, result in sorted(results.items()):
            print(f"{name}: " + (result["error"] or
                                 f"{result['expected'] - len(result['missing'])} of {result['expected']} "
                                 f"acknowledged rows are on the {result['place']}"
                                 + "".join(f"; row {n} is missing" for n in result["missing"][:10])))
    return 1 if any(result["error"] or result["missing"] for result in results.values()) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, handler, text in (("run", _run, "commit rows until SIGTERM"),
                                ("report", _report, "say what the clients saw"),
                                ("verify", _verify, "look for every acknowledged row")):
        one = verbs.add_parser(verb, help=text)
        one.set_defaults(handler=handler)
        one.add_argument("--journal", type=Path, required=True)
        if verb != "report":
            one.add_argument("--server", type=Server.parse, action="append", required=True,
                             metavar="NAME=ADDRESS[:PORT]")
        if verb != "run":
            one.add_argument("--json", action="store_true")
    run, report, check = (verbs.choices[verb] for verb in ("run", "report", "verify"))
    run.add_argument("--interval-ms", type=int, default=1000)
    run.add_argument("--duration-s", type=float, default=None, help="stop by itself after so long")
    report.add_argument("--since", type=float, default=0.0, metavar="MONOTONIC_S")
    check.add_argument("--place", default=None, help="only rows that were committed there: server, image")
    return parser


def main() -> int:
    """Run the verb that was asked for."""
    args = _parser().parse_args()
    try:
        return args.handler(args)
    except FileNotFoundError as error:
        print(f"client.py: there is no journal {error.filename}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
