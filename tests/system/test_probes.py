# SPDX-License-Identifier: GPL-2.0-or-later
"""Probes that are at fault: mistyped, not to be asked, or not yet believed. A healthy server is never touched for them."""

import contextlib

import pytest

from lab.api import wait_until
from protected import stays

PID_FILE = "/run/understudy/observer.pid"
PROBES_SEEN = "understudy/server/{}/probes-seen"
NAME = "db3.example.test"
HTTP_PORT = 8080


def probe_of(protected, server, port=5432):
    return f"tcp:{protected.site.address(server, 'svc')}:{port}"


@contextlib.contextmanager
def probed(protected, server, *probes, options=("--untried",)):
    """A server with other probes; its own, seen up again, afterwards."""
    words = [word for probe in probes for word in ("--probe", probe)]
    try:
        protected.understudy("adopt", server, *words, *options)
        yield
    finally:
        protected.understudy("adopt", server, "--probe", probe_of(protected, server))
        wait_until(lambda: protected.server(server)["probes_seen"] == "yes", 60, f"{server} to be seen up again")


def is_untouched(protected, server):
    """It runs and is held to be healthy, and no ticket is granted."""
    return (protected.lab.node(server).state() == "running" and protected.verdict(server) == "healthy"
            and not protected.granted_tickets())


def remembered(protected, server):
    """The digest that the store holds, or None."""
    done = protected.lab.exec("store", "ceph", "config-key", "get", PROBES_SEEN.format(server), check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def test_a_mistyped_port_touches_nobody(protected):
    with probed(protected, "db3", probe_of(protected, "db3", 5433)):
        wait_until(lambda: protected.server("db3")["votes"]["down"] == len(protected.hosts), 30, "all to find it down")
        stays(lambda: is_untouched(protected, "db3"), "db3 untouched")
        row = protected.server("db3")
        assert row["probes_seen"] == "no" and "never seen up with these probes" in row["reason"]
        assert all("Connection refused" in reason for reason in row["vote_reasons"].values()), row


@contextlib.contextmanager
def web_server(protected, server):
    """A web server on a server, and its name in every host's table of names; the latter is what the block is given."""
    address = protected.site.address(server, "svc")
    process = protected.lab.popen(server, "/usr/bin/python3", "-m", "http.server", str(HTTP_PORT), "--bind", address,
                                  "--directory", "/usr/share/doc/libglib2.0-0")

    def name(known):
        for host in protected.hosts:
            protected.run("sh", "-c", f"sed '/{NAME}/d' /etc/hosts > /run/hosts && cat /run/hosts > /etc/hosts"
                          + (f" && echo '{address} {NAME}' >> /etc/hosts" if known else ""), host=host)
    try:
        name(True)
        yield name
    finally:
        name(False)
        process.kill()
        process.wait()


def test_a_name_that_is_not_found_any_more_touches_nobody(protected):
    before = remembered(protected, "db3")
    with web_server(protected, "db3") as name, probed(protected, "db3", f"http://{NAME}:{HTTP_PORT}/"):
        wait_until(lambda: remembered(protected, "db3") != before, 30, "db3 to be seen by its name")
        name(False)
        wait_until(lambda: protected.server("db3")["votes"]["unknown"] == len(protected.hosts), 60,
                   "all to be unable to ask")
        stays(lambda: is_untouched(protected, "db3"), "db3 untouched")
        row = protected.server("db3")
        assert "can't ask it" in row["reason"] and NAME in row["reason"], row


def restart_observers(protected):
    """All at once, as when the whole cluster starts: what they held in memory is lost."""
    protected.run("pcs", "property", "set", "maintenance-mode=true")
    try:
        for host in protected.hosts:
            protected.run("sh", "-c", f"kill -9 $(cat {PID_FILE})", host=host)
    finally:
        protected.run("pcs", "property", "set", "maintenance-mode=false")


def test_a_server_that_is_down_when_all_observers_start_is_taken_over(protected):
    wait_until(lambda: remembered(protected, "db2") is not None, 30, "the store to hold what was seen")
    restart_observers(protected)
    protected.lab.crash("db2")
    protected.wait_verdict("db2", "failed", timeout_s=120)
    wait_until(lambda: protected.images_running().get("db2"), 90, "the image to run")


def test_probes_are_trusted_on_the_operators_word(protected):
    wrong = probe_of(protected, "db1", 5433)
    protected.understudy("adopt", "db1", "--probe", wrong, "--untried")
    try:
        wait_until(lambda: protected.server("db1")["probes_seen"] == "no", 30, "db1 not to be seen with them")
        protected.understudy("adopt", "db1", "--probe", wrong, "--trust-probes")
        protected.wait_verdict("db1", "failed", timeout_s=90)
        # While an image starts, nobody knows whether a change would restart it, and adopt makes none.
        wait_until(lambda: protected.images_running().get("db1"), 90, "the image to run")
    finally:
        protected.understudy("adopt", "db1", "--probe", probe_of(protected, "db1"), "--untried")


@pytest.mark.parametrize("words, sentence", [
    (("--probe", "exec:/does/not/exist"), "/does/not/exist"),
    (("--probe", "http://db3.example.invalid/"), "db3.example.invalid"),
    (("--probe", "pgsql:host=db3.example.invalid user=x"), "hostaddr"),
    (("--probe", "pgsql:not a conninfo"), "CONNINFO"),
    (("--recover-probe", "icmp:{service}"), "service address"),
    (("--recover-probe", "tcp:{service}:22"), "service address"),
])
def test_a_probe_that_can_never_answer_is_refused(adopted, words, sentence):
    service = adopted.site.address("db3", "svc")
    before = adopted.run("cibadmin", "--query", "--scope", "resources").stdout
    done = adopted.understudy("adopt", "db3", *(word.format(service=service) for word in words), check=False)
    assert done.returncode != 0 and sentence in done.stderr, done.stderr
    assert adopted.run("cibadmin", "--query", "--scope", "resources").stdout == before


def test_a_probe_that_is_down_now_is_said(protected):
    done = protected.understudy("adopt", "db3", "--probe", probe_of(protected, "db3", 5433))
    assert "Connection refused" in done.stderr, done.stderr
    done = protected.understudy("adopt", "db3", "--probe", probe_of(protected, "db3"))
    assert "down" not in done.stderr, done.stderr
