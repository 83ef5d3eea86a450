# SPDX-License-Identifier: GPL-2.0-or-later
"""The servers' gate: original and image never have one address together, whatever brings the original up."""

import contextlib
import json

import pytest

from campaign import CAMPAIGN
from lab import server as lab_server
from lab.api import wait_until
from protected import Watcher, stays, tuned

SERVER = "db1"
ASKER = "client"
GATE = "/usr/sbin/understudy-gate"
IPV6 = "fd77::201"
IPV6_OTHER = "fd77::202"
ARP_IGNORE = "/proc/sys/net/ipv4/conf/all/arp_ignore"
IPV6_OFF = "/proc/sys/net/ipv6/conf/svc/disable_ipv6"
# As long as an image may take here to start and to answer: what a site sets by its time-outs.
LONG_QUIET = "20s"
IN_USE, DONE = 1, 0


def has_address(lab, address, node=SERVER):
    """Whether a node has it on its service interface; one without power has nothing."""
    if lab.node(node).state() != "running":
        return False
    shown = json.loads(lab.exec(node, "ip", "-json", "address", "show", "dev", "svc").stdout)
    return any(info["local"] == address for link in shown for info in link["addr_info"])


def both_have_it(protected):
    """Where the image runs, if the original has the service address at the same time."""
    before = protected.domain_hosts(SERVER)
    there = has_address(protected.lab, protected.site.address(SERVER, "svc"))
    return before if before and there and protected.domain_hosts(SERVER) == before else None


@pytest.fixture
def patient(protected):
    """The protected site; the gate of SERVER waits for as long as an image may need to start."""
    def set_quiet(*quiet):
        text = lab_server.gate_options(protected.site, SERVER, *quiet)
        protected.lab.exec(SERVER, "tee", lab_server.gate_file(), stdin=text)
    set_quiet(LONG_QUIET)
    yield protected
    protected.mend()
    set_quiet()
    protected.lab.exec(SERVER, "sv", "restart", "gate", check=False)


def bring_up_as_debian_does(lab):
    """What `auto svc` in /etc/network/interfaces does when the server boots."""
    address = lab.site.address(SERVER, "svc")
    lab.exec(SERVER, "ip", "link", "set", "dev", "svc", "up")
    lab.exec(SERVER, "ip", "address", "replace", f"{address}/24", "dev", "svc")
    lab.exec(SERVER, "arping", "-U", "-q", "-c", "1", "-w", "1", "-I", "svc", address, check=False)


def test_an_ordinary_server_and_its_image_never_answer_together(patient):
    """It boots when its image has been decided on and answers nobody yet, its database starts at once, and the image
    stops when that has answered for recover_after. Silence is no proof at either end."""
    with Watcher(lambda: both_have_it(patient)) as watch, tuned(patient, SERVER, recover_after="30s"):
        patient.lab.crash(SERVER)
        wait_until(lambda: f"takeover-{SERVER}" in patient.granted_tickets(), 60, "the ticket to be granted")
        patient.lab.boot(SERVER)
        wait_until(lambda: patient.answering(SERVER) == "image", 60, "the image to answer")
        log = patient.lab.node(SERVER).log("gate.log")
        wait_until(lambda: "it is in use by another machine" in log.read_text(), 20, "the gate to say so")
        patient.wait_returned(SERVER)
    assert patient.lab.exec(SERVER, "cat", IPV6_OFF).stdout.strip() == "0", "IPv6 stayed silent"
    assert watch.looks > 10 and watch.seen == []


def test_an_address_that_something_else_brought_up_beside_the_image_is_taken_off(patient):
    address = patient.site.address(SERVER, "svc")
    with tuned(patient, SERVER, recover_after="60s"):
        patient.lab.crash(SERVER)
        patient.wait_taken_over(SERVER)
        patient.lab.boot(SERVER)
        patient.lab.service(SERVER, "stop", "gate")
        bring_up_as_debian_does(patient.lab)
        assert has_address(patient.lab, address)
        patient.lab.exec(SERVER, "sv", "up", "gate")
        wait_until(lambda: not has_address(patient.lab, address), 20, "the gate to take the address off")
        assert "Something else brought it up" in patient.lab.node(SERVER).log("gate.log").read_text()
        wait_until(lambda: patient.answering(SERVER) == "image", 30, "the image alone to answer")


# --- the program by itself, on a node that nobody protects ------------------------------

@pytest.fixture
def second(lab):
    """Leaves no second address behind."""
    yield lab
    for node in (SERVER, ASKER):
        for address in (f"{IPV6}/64", f"{IPV6_OTHER}/64", f"{second_ipv4(lab)}/24"):
            lab.exec(node, "ip", "address", "del", address, "dev", "svc", check=False)


def second_ipv4(lab):
    """An address that nobody has."""
    return f"{lab.site.subnet('svc').rpartition('.')[0]}.77"


def gate(lab, action, address, *more, **options):
    return lab.exec(ASKER, GATE, action, "--interface", "svc", "--address", address, *more, check=False, **options)


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_the_gate_of_either_family(second, family):
    address, length = (second_ipv4(second), 24) if family == "IPv4" else (IPV6, 64)
    whole = f"{address}/{length}"
    second.exec(SERVER, "ip", "address", "add", whole, "dev", "svc")
    checked = gate(second, "check", whole)
    assert checked.returncode == IN_USE, checked.stderr
    assert second.site.mac(SERVER, "svc") in checked.stderr, "it does not say who"
    waiting = second.popen(ASKER, GATE, "open", "--interface", "svc", "--address", whole, "--quiet", "3s")
    stays(lambda: waiting.poll() is None and not has_address(second, address, ASKER), "waiting", seconds=5)
    second.exec(ASKER, "ip", "address", "add", whole, "dev", "svc")   # something else brings it up meanwhile
    wait_until(lambda: not has_address(second, address, ASKER), 20, "the address to be taken off again")
    second.exec(SERVER, "ip", "address", "del", whole, "dev", "svc")
    second.exec(SERVER, "ip", "address", "add", f"{IPV6_OTHER}/64", "dev", "svc")   # to ask from, in the same network
    wait_until(lambda: has_address(second, address, ASKER), 20, "the address to be taken")
    wait_until(lambda: waiting.poll() is not None, 20, "the gate to end")
    assert waiting.returncode == DONE
    second.exec(SERVER, "ping", "-c", "1", "-W", "2", address)
    again = gate(second, "open", whole)
    assert again.returncode == DONE and "up already" in again.stderr, "it waited for an address that is up"
    assert gate(second, "close", whole).returncode == DONE
    assert not has_address(second, address, ASKER)


def test_a_gate_that_is_ended_before_it_is_done_leaves_no_address(second):
    """An `open` that has not ended gets no `close`: systemd runs no ExecStop of a start that it has cut off."""
    whole = f"{second_ipv4(second)}/24"
    opening = second.popen(ASKER, GATE, "open", "--interface", "svc", "--address", whole, "--quiet", "1s")
    wait_until(lambda: has_address(second, second_ipv4(second), ASKER), 20, "the address to be taken")
    assert opening.poll() is None
    second.exec(ASKER, "kill", "-TERM", second.exec(ASKER, "pgrep", "-x", "understudy-gate").stdout.strip())
    wait_until(lambda: opening.poll() is not None, 20, "the gate to end")
    assert opening.returncode != DONE
    assert not has_address(second, second_ipv4(second), ASKER)


def test_silence_of_a_network_that_is_not_there_says_nothing(second):
    """Without carrier, or without the reference."""
    whole = f"{second_ipv4(second)}/24"
    silent = f"{second.site.subnet('svc').rpartition('.')[0]}.78"
    waiting = second.popen(ASKER, GATE, "open", "--interface", "svc", "--address", whole, "--quiet", "1s",
                           "--reference", silent)
    try:
        stays(lambda: waiting.poll() is None and not has_address(second, second_ipv4(second), ASKER), "waiting for the reference")
    finally:
        waiting.kill()
    checked = gate(second, "check", whole, "--reference", silent)
    assert checked.returncode != DONE and silent in checked.stderr
    second.cut(ASKER, "svc")
    try:
        waiting = second.popen(ASKER, GATE, "open", "--interface", "svc", "--address", whole, "--quiet", "1s")
        stays(lambda: waiting.poll() is None and not has_address(second, second_ipv4(second), ASKER), "waiting for carrier")
        waiting.kill()
    finally:
        second.heal(ASKER, "svc")


@pytest.fixture
def cable(lab):
    """Two interfaces of one node with a cable between them: `two0`, where the gate is, and `two1`."""
    def connect():
        lab.exec(ASKER, "ip", "link", "add", "two0", "type", "veth", "peer", "name", "two1")
        for interface in ("two0", "two1"):
            lab.exec(ASKER, "ip", "link", "set", interface, "up")
    connect()
    yield connect
    lab.exec(ASKER, "ip", "link", "del", "two0")


SECOND = "192.0.2.31"


def gate_two0(lab, action, *more):
    """The gate on two0, to its end."""
    return lab.exec(ASKER, GATE, action, "--interface", "two0", "--address", f"{SECOND}/24", *more, check=False, timeout_s=30)


@contextlib.contextmanager
def opening_two0(lab, *more):
    """A gate that waits on two0; it is killed if it does not end by itself."""
    waiting = lab.popen(ASKER, GATE, "open", "--interface", "two0", "--address", f"{SECOND}/24", *more)
    try:
        yield waiting
    finally:
        waiting.kill()
        waiting.wait(20)


def addresses_of(lab, interface):
    shown = json.loads(lab.exec(ASKER, "ip", "-json", "-4", "address", "show", "dev", interface).stdout)
    return [f"{info['local']}/{info['prefixlen']}" for entry in shown for info in entry.get("addr_info", [])]


@CAMPAIGN
def test_a_reference_that_is_heard_and_does_not_answer_says_nothing(lab, cable):  # pylint: disable=unused-argument
    """Questions may be lost where answers are not: a switch that lets no unknown MAC in, a cable that is broken one way."""
    reference, ignore = "192.0.2.1", "/proc/sys/net/ipv4/conf/two1/arp_ignore"
    lab.exec(ASKER, "ip", "address", "add", f"{reference}/24", "dev", "two1")
    lab.exec(ASKER, "tee", ignore, stdin="8")   # answers nobody
    announcing = lab.popen(ASKER, "arping", "-U", "-q", "-c", "60", "-I", "two1", reference)
    try:
        with opening_two0(lab, "--quiet", "2s", "--reference", reference) as waiting:
            stays(lambda: waiting.poll() is None and addresses_of(lab, "two0") == [], "waiting for an answer", seconds=6)
            lab.exec(ASKER, "tee", ignore, stdin="0")
            wait_until(lambda: waiting.poll() == DONE, 30, "the gate to open by the reference's answer")
    finally:
        announcing.kill()
        announcing.wait(20)


def test_an_address_that_is_up_and_nobody_could_be_asked_for_is_not_taken_for_free(lab, cable):  # pylint: disable=unused-argument
    """The address is left as it is: it may be serving."""
    lab.exec(ASKER, "ip", "address", "add", f"{SECOND}/24", "dev", "two0")
    lab.exec(ASKER, "ip", "link", "set", "two1", "down")
    with opening_two0(lab, "--quiet", "1s") as waiting:
        stays(lambda: waiting.poll() is None and addresses_of(lab, "two0") == [f"{SECOND}/24"], "waiting for carrier", seconds=5)
        lab.exec(ASKER, "ip", "link", "set", "two1", "up")
        wait_until(lambda: waiting.poll() == DONE, 30, "the gate to find nobody")
    assert addresses_of(lab, "two0") == [f"{SECOND}/24"]


def test_an_address_with_another_prefix_length_is_taken_off_as_well(lab, cable):  # pylint: disable=unused-argument
    for length in (32, 24, 16):
        lab.exec(ASKER, "ip", "address", "add", f"{SECOND}/{length}", "dev", "two0")
    closed = gate_two0(lab, "close")
    assert closed.returncode == DONE, closed.stderr
    assert addresses_of(lab, "two0") == []


def test_an_address_on_another_interface_of_the_server_is_named(lab, cable):  # pylint: disable=unused-argument
    """Linux answers for it on every interface: a gate that called itself closed would be wrong."""
    lab.exec(ASKER, "ip", "address", "add", f"{SECOND}/32", "dev", "lo")
    try:
        for action, more in (("close", ()), ("check", ()), ("open", ("--quiet", "1s"))):
            done = gate_two0(lab, action, *more)
            assert done.returncode != DONE and f"{SECOND} is on lo" in done.stderr, (action, done.stderr)
        assert addresses_of(lab, "two0") == []
    finally:
        lab.exec(ASKER, "ip", "address", "del", f"{SECOND}/32", "dev", "lo")


@CAMPAIGN
def test_a_gate_follows_an_interface_that_is_made_anew(lab, cable):
    with opening_two0(lab, "--quiet", "4s") as waiting:
        stays(lambda: waiting.poll() is None, "the gate waiting", seconds=2)
        lab.exec(ASKER, "ip", "link", "del", "two0")
        stays(lambda: waiting.poll() is None, "the gate waiting for the interface", seconds=2)
        cable()
        wait_until(lambda: waiting.poll() == DONE, 30, "the gate to open")
    assert addresses_of(lab, "two0") == [f"{SECOND}/24"]


def test_a_question_ends_no_address_of_a_machine_that_boots(second):
    """A machine that detects duplicates of an IPv6 address gives it up, for good, when another one does so as well."""
    accept = "/proc/sys/net/ipv6/conf/svc/accept_dad"
    before = second.exec(SERVER, "cat", accept).stdout

    def shown():
        links = json.loads(second.exec(SERVER, "ip", "-json", "-6", "address", "show", "dev", "svc").stdout)
        return next((info for link in links for info in link["addr_info"] if info["local"] == IPV6), {"tentative": True})
    waiting = second.popen(ASKER, GATE, "open", "--interface", "svc", "--address", f"{IPV6}/64", "--quiet", "60s")
    try:
        stays(lambda: waiting.poll() is None, "the gate asking", seconds=2)
        second.exec(SERVER, "tee", accept, stdin="1")
        second.exec(SERVER, "ip", "address", "add", f"{IPV6}/64", "dev", "svc")
        wait_until(lambda: not shown().get("tentative"), 20, "the address to be that machine's")
        assert not shown().get("dadfailed")
    finally:
        second.exec(SERVER, "tee", accept, stdin=before)
        waiting.kill()
        waiting.wait(20)


def test_a_second_interface_of_the_server_itself_is_no_other_machine(lab):
    """Linux as it is by default answers on all of its interfaces for each of its addresses."""
    address = "192.0.2.31"
    lab.exec(ASKER, "ip", "link", "add", "two0", "type", "veth", "peer", "name", "two1")
    try:
        for interface in ("two0", "two1"):
            lab.exec(ASKER, "ip", "link", "set", interface, "up")
        lab.exec(ASKER, "tee", ARP_IGNORE, stdin="0")
        opened = lab.exec(ASKER, GATE, "open", "--interface", "two0", "--address", f"{address}/24", "--quiet", "2s",
                          check=False, timeout_s=30)
        assert opened.returncode == DONE, opened.stderr
        heard = lab.exec(ASKER, "arping", "-D", "-c", "1", "-w", "3", "-I", "two0", address, check=False).stdout
        assert "reply" in heard, f"the second interface does not answer, so this proves nothing: {heard}"
        # Another machine may have its MAC, as an image does whose server's interfaces were swapped.
        lab.exec(ASKER, GATE, "close", "--interface", "two0", "--address", f"{address}/24")
        lab.exec(ASKER, "ip", "address", "add", f"{address}/24", "dev", "two1")
        checked = lab.exec(ASKER, GATE, "check", "--interface", "two0", "--address", f"{address}/24", check=False)
        assert checked.returncode == IN_USE, checked.stderr
    finally:
        lab.exec(ASKER, "tee", ARP_IGNORE, stdin="1")   # as the lab sets it
        lab.exec(ASKER, "ip", "link", "del", "two0")


def test_other_addresses_of_the_network_stay_when_the_gate_closes(lab):
    """As Linux is by default, they go with the first one."""
    folder, link = "/proc/sys/net/ipv4/conf", "two0"
    promote = [f"{folder}/all/promote_secondaries", f"{folder}/{link}/promote_secondaries"]
    before = lab.exec(ASKER, "cat", promote[0]).stdout
    lab.exec(ASKER, "ip", "link", "add", link, "type", "veth", "peer", "name", "two1")
    try:
        for path in promote:
            lab.exec(ASKER, "tee", path, stdin="0")
        for address in ("192.0.2.31/24", "192.0.2.32/24"):
            lab.exec(ASKER, "ip", "address", "add", address, "dev", link)
        closed = lab.exec(ASKER, GATE, "close", "--interface", link, "--address", "192.0.2.31/24", check=False)
        assert closed.returncode == DONE, closed.stderr
        shown = json.loads(lab.exec(ASKER, "ip", "-json", "-4", "address", "show", "dev", link).stdout)
        assert [info["local"] for entry in shown for info in entry.get("addr_info", [])] == ["192.0.2.32"]
        assert lab.exec(ASKER, "cat", promote[1]).stdout.strip() == "0"
    finally:
        lab.exec(ASKER, "tee", promote[0], stdin=before)
        lab.exec(ASKER, "ip", "link", "del", link)


@pytest.mark.parametrize(("words", "said"), [
    (["open", "--interface", "svc"], "--address"), (["open", "--interface", "svc", "--address", "192.0.2.1"], "PREFIXLEN"),
    (["open", "--interface", "svc", "--address", "192.0.2.1/33"], "PREFIXLEN"),
    (["open", "--interface", "svc", "--address", "192.0.2.1/24", "--quiet", "soon"], "--quiet"),
    (["look", "--interface", "svc", "--address", "192.0.2.1/24"], "open, close, check"),
])
def test_a_wrong_command_line_is_told(lab, words, said):
    done = lab.exec(ASKER, GATE, *words, check=False)
    assert done.returncode == 2 and said in done.stderr
