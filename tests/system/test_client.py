# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab's client: its account agrees with the databases, and a lost row does not escape it."""

import contextlib
import json
import os
import signal

import pytest

from lab import client, standby
from lab.api import wait_until

CLIENT = client.__file__


@pytest.fixture
def committing(lab, tmp_path):
    """A client that commits ten rows a second to every server; gives its journal."""
    journal = tmp_path / "journal"
    program = lab.popen("client", "/usr/bin/python3", CLIENT, "run", "--interval-ms", "100", "--journal", journal,
                        *standby.client_servers(lab))
    wait_until(lambda: journal.exists() and all(commits(journal, server) >= 3 for server in lab.site.server_names), 20,
               "the client to commit on every server", poll_s=0.1)
    yield journal
    with contextlib.suppress(ProcessLookupError):
        os.kill(program.pid, signal.SIGTERM)
    program.wait(20)
    for server in lab.site.server_names:
        lab.service(server, "start", "postgresql")
        lab.wait_database(server)


def commits(journal, server: str) -> int:
    """Rows that a server has acknowledged."""
    accounts = client.account(client.read_journal(journal))
    return accounts[server].commits if server in accounts else 0


def verify(lab, journal) -> tuple[int, dict]:
    """What the client says of the databases that answer now."""
    done = lab.exec("client", "/usr/bin/python3", CLIENT, "verify", "--json", "--journal", journal,
                    *standby.client_servers(lab), check=False)
    return done.returncode, json.loads(done.stdout)


def test_a_killed_database_is_a_gap_of_that_server_alone(lab, committing):
    lab.service("db2", "kill", "postgresql")
    before = len(client.read_journal(committing))
    wait_until(lambda: len([entry for entry in client.read_journal(committing)[before:]
                            if entry["server"] == "db2" and not entry["ok"]]) >= 3, 20, "attempts in vain", poll_s=0.1)
    had = commits(committing, "db2")
    lab.service("db2", "start", "postgresql")
    wait_until(lambda: commits(committing, "db2") >= had + 3, 30, "commits on db2 again", poll_s=0.1)

    accounts = client.account(client.read_journal(committing))
    assert accounts["db2"].longest_gap_s > max(accounts["db1"].longest_gap_s, accounts["db3"].longest_gap_s)
    assert [part["place"] for part in accounts["db2"].places] == ["server"]
    code, results = verify(lab, committing)
    assert code == 0
    assert all(result["expected"] > 0 and result["missing"] == [] for result in results.values())


def test_a_lost_row_is_found(lab, committing):
    entry = next(entry for entry in client.read_journal(committing) if entry["ok"] and entry["server"] == "db1")
    lab.exec("client", "psql", "-XqAt", "-h", lab.site.address("db1", "svc"), "-U", "postgres", "-c",
             f"delete from ledger where n = {entry['n']}")
    code, results = verify(lab, committing)
    assert code == 1
    assert results["db1"]["missing"] == [entry["n"]]
    assert results["db2"]["missing"] == []
