# SPDX-License-Identifier: GPL-2.0-or-later
"""Numbered rows that are committed to the database in an image, and what must be left of them."""

import contextlib
import json
import subprocess
import time
from pathlib import Path

from lab import client
from lab.api import Lab, wait_until

COMMIT_TIMEOUT_S = 40
# Goes on by itself when the client that has started it can't be reached any more.
HAUNT = """
create table if not exists ghost (n bigint primary key);
create or replace procedure haunt() language plpgsql as $$
declare i bigint := (select coalesce(max(n), 0) from ghost);
begin
    loop
        i := i + 1;
        insert into ghost values (i);
        commit;
        perform pg_sleep(0.05);
    end loop;
end $$;
"""


class Ledger:
    """A client that commits five rows a second, and knows what it was told."""

    def __init__(self, lab: Lab, server: str, journal: Path):
        self.lab, self.server, self.journal = lab, server, journal
        self.address = lab.site.address(server, "svc")
        self._words = ["--server", f"{server}={self.address}:5432"]

    def attempts(self) -> list[dict]:
        """All of them, so far."""
        return client.read_journal(self.journal) if self.journal.exists() else []

    def wait_commit(self, timeout_s: float = COMMIT_TIMEOUT_S) -> None:
        """Until a commit that is begun now or later is acknowledged."""
        now_s = time.monotonic()
        wait_until(lambda: client.first_commit_after(self.attempts(), self.server, now_s), timeout_s,
                   "the client to commit", poll_s=0.1)

    @contextlib.contextmanager
    def kept(self):
        """The client runs; at the end nothing that it was told is missing, and no row is there that it did not send."""
        program = self.lab.popen("client", "/usr/bin/python3", client.__file__, "run", "--interval-ms", "200",
                                 "--journal", self.journal, *self._words)
        try:
            self.wait_commit()
            yield self
            self.wait_commit()
        finally:
            program.terminate()
            program.wait(20)
        self.assert_kept()

    def assert_kept(self) -> None:
        """acknowledged <= rows <= sent: a history that has forked would miss what the other branch acknowledged."""
        done = self.lab.exec("client", "/usr/bin/python3", client.__file__, "verify", "--json", "--place", "image",
                             "--journal", self.journal, *self._words, check=False)
        result = json.loads(done.stdout)[self.server]
        assert result["error"] is None and result["missing"] == [] and result["expected"] > 0, result
        sent = {attempt["n"] for attempt in self.attempts() if attempt["sent"]}
        rows = self.numbers(f"select n from ledger where n between {min(sent)} and {max(sent)}")
        assert set(rows) <= sent, f"rows that nobody has sent: {sorted(set(rows) - sent)[:5]}"

    def psql(self, sql: str) -> list[str]:
        """psql on the client; the rows."""
        done = self.lab.exec("client", "psql", "-XtAq", "-v", "ON_ERROR_STOP=1", "-h", self.address, "-U", "postgres",
                             "-c", sql, extra_env={"PGCONNECT_TIMEOUT": "5"})
        return done.stdout.split()

    def numbers(self, sql: str) -> list[int]:
        """A column of numbers."""
        return [int(word) for word in self.psql(sql)]

    @contextlib.contextmanager
    def haunted(self):
        """The guest writes by itself, client or not."""
        self.psql(HAUNT)
        program = self.lab.popen("client", "psql", "-Xq", "-h", self.address, "-U", "postgres", "-c", "call haunt()",
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: self.numbers("select count(*) from ghost")[0] > 0, 20, "the guest to write by itself")
            yield self
        finally:
            program.kill()
            program.wait(20)

    def ghosts(self) -> list[int]:
        """What the guest has written by itself, in order."""
        return self.numbers("select n from ghost order by n")
