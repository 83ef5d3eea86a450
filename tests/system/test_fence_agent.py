# SPDX-License-Identifier: GPL-2.0-or-later
"""fence_rbd by hand: the agent API, fencing and unfencing, what it refuses, and what a killed fence leaves."""

import datetime
import json
import os
import shlex
import subprocess
import time
import xml.etree.ElementTree as ET

import pytest

from campaign import CAMPAIGN
from documented import command
from fence_agent import (AGENT, FAILED, OFF, OK, POWER_TIMEOUT_S, RUN_IMAGE, FenceAgent, fence, prepared, quiet_cluster, resting,
                         run_image)  # noqa: F401
from ghosts import clear_ghosts, make_ghosts
from lab.api import wait_until
from lab.site import CEPHX_USER, FENCE_USER, POOL, UNFENCE_USER

SCHEMAS = "/usr/share/cluster/relaxng"
YEAR_S = 365 * 86400


def metadata() -> str:
    return subprocess.run([AGENT, "--action", "metadata"], capture_output=True, text=True, check=True).stdout


# --- the fence agent API ---------------------------------------------------------------


def test_metadata_is_valid_for_the_fence_agents_own_checks(tmp_path):
    path = tmp_path / "metadata.xml"
    path.write_text(metadata())
    subprocess.run(["xmllint", "--noout", "--relaxng", f"{SCHEMAS}/metadata.rng", path], check=True)
    grammar = subprocess.run(["xsltproc", f"{SCHEMAS}/fence2rng.xsl", path], capture_output=True, check=True).stdout
    subprocess.run(["xmllint", "--noout", "-"], check=True, input=b"<grammar xmlns:rha='x'>" + grammar.split(b"?>")[-1]
                   + b"</grammar>")
    manual = subprocess.run(["xsltproc", f"{SCHEMAS}/fence2man.xsl", path], capture_output=True, text=True, check=True)
    assert "fence_rbd" in manual.stdout


def test_metadata_names_what_pacemaker_goes_by():
    root = ET.fromstring(metadata())
    actions = {action.get("name"): action.attrib for action in root.iter("action")}
    assert set(actions) == {"on", "off", "status", "monitor", "metadata", "validate-all"}
    assert actions["on"]["automatic"] == "1" and "on_target" not in actions["on"]
    assert "plug" in {parameter.get("name") for parameter in root.iter("parameter")}


def test_metadata_by_standard_input_as_nobody():
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", AGENT], check=True,
                          input="action=metadata\n", capture_output=True, text=True)
    assert done.stdout == metadata() and done.stderr == ""


@pytest.mark.parametrize("words", [["pcs", "stonith", "describe", "fence_rbd"],
                                   ["crm", "ra", "info", "stonith:fence_rbd"]])
def test_operators_tools_know_the_agent(lab, words):
    told = lab.exec("host1", *words).stdout
    assert "fence_rbd" in told and "storage_addrs" in told


CIB_COPY = "/run/documented.xml"


def primitive_made_by(lab, *words: str) -> list:
    """What a command adds to CIB_COPY when that is an empty configuration, without the ids of what it has within."""
    lab.exec("host1", "tee", CIB_COPY, stdin=lab.exec("host1", "cibadmin", "--empty").stdout)
    lab.exec("host1", *words)
    made = ET.fromstring(lab.exec("host1", "cat", CIB_COPY).stdout).find("configuration/resources/primitive")
    return sorted((element.tag, sorted((name, value) for name, value in element.items()
                                       if name != "id" or element is made)) for element in made.iter())


def test_pcs_and_crm_as_documented_make_the_same_device(lab):
    _, *by_pcs = command("fencing.md", "pcs stonith create")
    by_crm = command("fencing.md", "crm configure primitive store-fence stonith:fence_rbd")
    device = primitive_made_by(lab, "env", f"CIB_file={CIB_COPY}", *by_crm)
    assert ("nvpair", [("name", "provides"), ("value", "unfencing")]) in device
    assert primitive_made_by(lab, "pcs", "-f", CIB_COPY, *by_pcs) == device


def test_options_are_read_as_the_fencer_and_operators_write_them(resting):
    text = f"# a comment\n\nunknown=1\nplug=nobody\nnodename={resting.target}\nplug='{resting.target}'\n  action = status\n"
    done = resting.lab.exec(resting.host, *resting.environment(), AGENT, stdin=text, check=False)
    assert done.returncode == OK, done.stderr
    assert resting.lab.exec(resting.host, *resting.argv("status"), check=False).returncode == OK


@pytest.mark.parametrize("parameters,sentence", [
    ({"action": "reboot"}, "unsupported action"),
    ({"action": "list"}, "unsupported action"),
    ({"action": "off", "plug": None}, "plug is not set"),
    ({"action": "off", "power_timeout": "abc"}, "power_timeout"),
    ({"action": "off", "power_timeout": "10", "store_timeout": "5"}, "three times store_timeout"),
    ({"action": "off", "storage_addrs": "host1"}, "HOST:ADDRESS"),
    ({"action": "off", "storage_addrs": "host1:store1"}, "no IP address"),
    ({"action": "off", "storage_addrs": "host1:10.0.0.1;host1:10.0.0.2"}, "twice"),
    ({"action": "validate-all", "method": "magic"}, "blocklist"),
    ({"action": "monitor", "ceph_conf": "/nowhere"}, "/nowhere"),
    ({"action": "monitor", "keyring": "/nowhere"}, "keyring"),
    ({"action": "monitor", "pools": "nopool"}, "nopool"),
])
def test_bad_input_is_a_sentence_and_changes_nothing(resting, parameters, sentence):
    before = resting.blocklist()
    answer = resting.run(**parameters)
    assert answer.rc == FAILED
    assert sentence in answer.err
    assert resting.blocklist() == before


def goes_on(writes) -> None:
    """The store takes what the host writes from now on: the test proves nothing if the writer is refused, or has paused."""
    moment = time.monotonic()
    wait_until(lambda: writes.acknowledged_after(moment), 20, "a write to be acknowledged")


def test_delay_comes_before_fencing(fence):
    with fence.writer() as writes:
        begin = time.monotonic()
        fence.off(delay="3")
        assert writes.acknowledged_after(begin + 2), "the store refused the host before the delay was over"
        assert time.monotonic() - begin >= 3


def test_each_step_is_said_but_no_key(fence):
    keys = [fence.ask("auth get", entity=f"client.{user}")[0]["key"] for user in (CEPHX_USER, FENCE_USER, UNFENCE_USER)]
    said = [fence.off(verbose="true"), fence.on(verbose="true"), fence.run("monitor", verbose="true")]
    assert "on the storage network" in said[0].err and "records" in said[0].err
    for answer in said:
        assert not any(key in answer.out + answer.err for key in keys)


# --- fencing and unfencing ---------------------------------------------------------------


def seconds_left(fence, entry: str) -> float:
    """How long an entry stands yet, by the OSD map."""
    end = datetime.datetime.strptime(fence.ask("osd dump")["blocklist"][entry], "%Y-%m-%dT%H:%M:%S.%f%z")
    return (end - datetime.datetime.now(datetime.timezone.utc)).total_seconds()


def test_off_is_refusal_by_the_store_and_on_takes_it_back(fence):
    with fence.writer() as writes:
        client = fence.watchers()[0]
        assert fence.run("status").rc == OK
        answer = fence.off()
        fenced_s = time.monotonic()
        assert "still be powered" in answer.err
        assert {fence.entry, client} <= fence.target_entries()
        assert seconds_left(fence, fence.entry) > 4 * YEAR_S, "the store would take it back by itself"
        assert fence.watchers() == []
        assert fence.run("status").rc == OFF
        writes.wait_refused()
        assert writes.acknowledged_after(fenced_s) == []
        # Also who holds an old lock; but an entry that Ceph itself has made is not the fence's.
        assert {fence.entry, client} <= set(fence.record()["entries"]) <= fence.target_entries()

    fence.on()
    assert fence.is_let_in()
    assert fence.run("status").rc == OK
    with fence.writer():
        pass


def test_a_client_that_was_fenced_stays_refused_until_its_host_has_booted(fence):
    """Nobody sees a QEMU that is frozen and that libvirt has lost: unfencing its host must not let it write again. The same
    holds for an entry that an image's agent has made."""
    other = f"{fence.target_ip}:0/4711"
    fence.ask("osd blocklist", blocklistop="add", addr=other, expire=5.0 * YEAR_S)
    fence.on()      # as Pacemaker does when the host joins
    assert other in fence.blocklist()
    with fence.writer() as writes:
        client = fence.watchers()[0]
        fence.lab.exec(fence.target, "kill", "-STOP", str(writes.all[-1]["pid"]))
        fence.off()
        fence.on()
        let_in_s = time.monotonic()
        assert fence.is_let_in()
        fence.lab.exec(fence.target, "kill", "-CONT", str(writes.all[-1]["pid"]))
        writes.wait_refused()
        # The store may have answered one before the writer was frozen, which hears of it now.
        assert len(writes.acknowledged_after(let_in_s)) <= 1
        assert client in fence.refused_clients() <= fence.target_entries()
        # The next fence and unfencing of the same boot leave it, too.
        fence.off()
        fence.on()
        assert {client, other} <= fence.refused_clients() <= fence.target_entries()
    # Not for ever: its host has booted, and no header lists it.
    fence.publish(fence.target, boot_id="another")
    fence.on()
    assert fence.record() is None and fence.blocklist().isdisjoint({client, other})


@CAMPAIGN
def test_all_addresses_of_a_host_are_refused(fence):
    """One that nobody uses at the moment may be used by the next client."""
    spare = f"{fence.site.prefix}.2.49"
    entries = {f"{spare}:0/0", fence.entry}
    for addresses in ([spare, fence.target_ip], [fence.target_ip, spare]):
        fence.publish(fence.target, store_addresses=addresses)
        with fence.writer() as writes:
            fence.off()
            assert entries <= fence.blocklist()
            writes.wait_refused()
        assert fence.run("status").rc == OFF
        fence.ask("osd blocklist", blocklistop="rm", addr=f"{spare}:0/0")
        answer = fence.run("status")
        assert answer.rc == FAILED and "only some addresses" in answer.err
        fence.off()
        assert entries <= fence.blocklist()
        fence.on()
        assert fence.blocklist().isdisjoint(entries)


def test_a_host_may_fence_itself_if_it_has_seen_its_clients(fence):
    """Nobody else may be left to do it; with an OSD that does not answer it could never tell its own end."""
    with fence.writer() as writes:
        fence.lab.service("store", "stop", "osd")
        answer = fence.run("off", host=fence.target, power_timeout="15")
        assert answer.rc == FAILED and "does not fence itself" in answer.err, answer.err
        assert fence.entry not in fence.blocklist()
        fence.lab.service("store", "start", "osd")
        wait_until(lambda: writes.acknowledged_after(time.monotonic() - 1), 60, "the writer to go on")
        answer = fence.run("off", host=fence.target)
        assert answer.rc == OK, answer.err
        assert fence.entry in fence.blocklist() and fence.watchers() == []
        writes.wait_refused()


def test_a_client_that_the_store_refuses_is_nobody(fence):
    """The store lists a client for ever that was killed while it opened an image: its host can be fenced all the same."""
    image = f"{POOL}/{RUN_IMAGE}"
    try:
        ghosts = set(make_ghosts(fence.lab, fence.target, image))
        fence.off()
        assert ghosts <= set(fence.watchers()), "the store has forgotten it: this proves nothing"
        assert ghosts <= fence.target_entries()
        # It stays refused as long as it is listed, or it would look alive.
        fence.publish(fence.target, boot_id="another")
        fence.on()
        assert fence.is_let_in() and ghosts <= fence.refused_clients() <= fence.target_entries()
    finally:
        clear_ghosts(fence.lab, image)
    fence.on()
    assert fence.record() is None


@CAMPAIGN
def test_off_and_on_again_change_nothing(fence):
    fence.off()
    record, entries = fence.record(), fence.target_entries()
    fence.off()
    assert fence.target_entries() == entries and fence.record()["entries"] == record["entries"]
    fence.on()
    entries = fence.target_entries()
    fence.on()
    assert fence.is_let_in() and fence.target_entries() == entries


def test_a_host_that_booted_since_is_unfenced_without_asking_it(fence):
    fence.off()
    fence.lab.crash(fence.target)
    fence.lab.boot(fence.target)
    fence.lab.service(fence.target, "stop", "libvirtd")
    answer = fence.run("on", libvirt_uri="qemu+tcp://{host}:1/system")
    assert answer.rc == FAILED and fence.entry in fence.blocklist(), "unfenced without proof"
    fence.publish(fence.target)
    answer = fence.on(libvirt_uri="qemu+tcp://{host}:1/system")
    assert "booted" in answer.err


def test_unfencing_waits_for_the_hosts_own_word(fence):
    """Nobody else sees a QEMU that libvirt there has lost, or a start that is under way."""
    fence.off()
    answer = fence.run("on", start_timeout="60")
    assert answer.rc == FAILED and "has not said yet" in answer.err
    assert fence.entry in fence.blocklist()
    # Pacemaker tries ten times, one after the other.
    assert 60 / 10 <= answer.seconds < POWER_TIMEOUT_S
    # What it has said of an earlier fence says nothing of this one.
    fence.say_empty()
    fence.off()
    answer = fence.run("on")
    assert answer.rc == FAILED and "has not said yet" in answer.err


def test_unfencing_leaves_an_operators_entries_alone(fence):
    fence.ask("osd blocklist", blocklistop="add", addr=fence.entry, expire=900000000.0)
    answer = fence.run("on")
    assert answer.rc == FAILED and "by no fence" in answer.err
    fence.off()
    fence.say_empty()
    answer = fence.run("on")
    assert answer.rc == FAILED and fence.entry in fence.blocklist()


def test_unfencing_removes_nothing_but_what_the_fence_has_added(fence):
    others = {f"{fence.target_ip}:0/4711", f"{fence.site.address('host3', 'store')}:0/0",
              f"{fence.site.address('db1', 'store')}:0/0"}
    for entry in others:
        fence.ask("osd blocklist", blocklistop="add", addr=entry, expire=900000.0)
    fence.off()
    assert others < fence.blocklist()
    fence.on()
    assert fence.entry not in fence.blocklist() and others <= fence.blocklist()


@CAMPAIGN
def test_unfencing_ends_no_domain_that_has_no_disk_in_the_pools(fence):
    xml = "<domain type='qemu'><name>somebodys</name><memory unit='MiB'>16</memory><os><type>hvm</type></os></domain>"
    fence.lab.exec(fence.target, "virsh", "create", "/dev/stdin", "--paused", stdin=xml)
    try:
        fence.off()
        assert "destroyed: none" in fence.on().err
        assert "somebodys" in fence.lab.exec(fence.target, "virsh", "list", "--name").stdout
    finally:
        fence.lab.exec(fence.target, "virsh", "destroy", "somebodys", check=False)


def test_an_entry_that_ends_soon_is_not_taken_for_a_fence(fence):
    """Ceph does not extend an entry, and who fences may not remove one."""
    fence.ask("osd blocklist", blocklistop="add", addr=fence.entry, expire=300.0)
    answer = fence.run("off")
    assert answer.rc == FAILED and "too short a time" in answer.err
    fence.ask("osd blocklist", blocklistop="rm", addr=fence.entry)
    fence.off()


@pytest.mark.parametrize("line", ["records", "holds the entries",
    *(pytest.param(line, marks=CAMPAIGN) for line in ("on the storage network", "is on the blocklist"))])
def test_a_fence_that_is_killed_is_completed_by_the_next(fence, line):
    with fence.writer():
        fence.run_killed("off", line)
        fence.off()
        assert fence.watchers() == []
    fence.on()
    assert fence.is_let_in()


@pytest.mark.parametrize("line", ["records", "is off the blocklist", "is removed",
    *(pytest.param(line, marks=CAMPAIGN) for line in ("on the storage network", "were destroyed"))])
def test_an_unfence_that_is_killed_is_completed_by_the_next(fence, line):
    with fence.writer():
        client = fence.watchers()[0]
        fence.off()
    if line == "is removed":    # nothing is kept of a host that has booted
        fence.publish(fence.target, boot_id="another")
    fence.say_empty()
    fence.run_killed("on", line)
    fence.on()
    assert fence.is_let_in()
    assert (client in fence.target_entries()) == (line != "is removed")


# --- what is refused -----------------------------------------------------------------------


def assert_fenced(fence, record_id: str | None = None):
    """Refused by the store, with the record that unfencing goes by."""
    record = fence.record()
    assert fence.entry in fence.blocklist() and record is not None and fence.entry in record["entries"]
    assert record_id in (None, record["id"])


@pytest.mark.parametrize("line", ["records", "is off the blocklist",
                                  pytest.param("were destroyed", marks=CAMPAIGN)])
def test_an_unfence_that_is_overtaken_by_a_fence_undoes_nothing(fence, line):
    """What it went by, the host's word of an earlier fence, says nothing of the new one."""
    def prepare():
        fence.off()
        fence.say_empty()

    with fence.frozen("on", line, prepare) as go_on:
        fence.off()
        record_id = fence.record()["id"]
        answer = go_on()
        assert_fenced(fence, record_id)
        # It says nothing more if it was stopped at its very end.
        assert answer.err == "" or answer.rc == FAILED and ("meanwhile" in answer.err or "fenced again" in answer.err)
    fence.on()
    assert fence.is_let_in()


@pytest.mark.parametrize("line", ["records", "holds the entries"])
def test_a_fence_that_is_overtaken_by_an_unfence_says_so_only_of_a_host_that_is_fenced(fence, line):
    with fence.frozen("off", line, fence.on) as go_on:
        fence.on()
        assert fence.is_let_in()
        answer = go_on()
        assert answer.rc == OK, answer.err
        if answer.err:  # or it had said so before it was let in
            assert_fenced(fence)
    fence.on()
    assert fence.is_let_in()


def assert_refused(fence, sentence: str, **parameters):
    before = fence.blocklist()
    answer = fence.run("off", **parameters)
    assert answer.rc == FAILED and sentence in answer.err, answer.err
    assert fence.blocklist() == before and fence.record() is None


def test_a_host_that_nobody_knows_is_refused(fence):
    fence.remove_key(f"understudy/host/{fence.target}")
    assert_refused(fence, "is not known")
    assert fence.run("status").rc == FAILED


def test_an_address_that_two_hosts_have_is_refused(fence):
    fence.publish(fence.target, store_addresses=[fence.site.address("host3", "store")])
    assert_refused(fence, "also that of host3")


def test_an_address_that_the_map_gives_to_two_hosts_is_refused(fence):
    host3 = fence.site.address("host3", "store")
    assert_refused(fence, "also that of host3",
                   storage_addrs=f"{fence.target}:{fence.target_ip};host3:{host3},{fence.target_ip}")


def test_the_agents_own_address_is_refused(fence):
    fence.remove_key("understudy/host/host1")
    fence.publish(fence.target, store_addresses=[fence.site.address("host1", "store")])
    assert_refused(fence, "this host's own")


def test_a_host_that_is_fenced_itself_fences_nobody_and_says_so_at_once(fence):
    """It could not see that the images are closed; another host can be asked while there is time."""
    fence.ask("osd blocklist", blocklistop="add", addr=f"{fence.site.address(fence.host, 'store')}:0/0", expire=600.0)
    answer = fence.run("off")
    assert answer.rc == FAILED and "on Ceph's blocklist itself" in answer.err, answer.err
    assert answer.seconds < POWER_TIMEOUT_S / 2
    assert fence.target_entries() == set() and fence.record() is None


def test_an_address_of_the_store_is_refused(fence):
    fence.publish(fence.target, store_addresses=[fence.site.address("store", "store")])
    assert_refused(fence, "of the store")


@pytest.mark.parametrize("address", ["127.0.0.1", *(pytest.param(a, marks=CAMPAIGN) for a in ("0.0.0.0", "224.0.0.1", "nonsense"))])
def test_an_address_of_nobody_is_refused(fence, address):
    fence.publish(fence.target, store_addresses=[address])
    assert_refused(fence, "address")


def test_a_map_that_contradicts_the_host_is_refused(fence):
    assert_refused(fence, "correct the one that is wrong", storage_addrs=f"{fence.target}:{fence.site.prefix}.2.49")


@CAMPAIGN
def test_a_map_serves_where_hosts_publish_nothing(fence):
    hosts = fence.site.host_names
    for host in hosts:
        fence.remove_key(f"understudy/host/{host}")
    storage_addrs = ";".join(f"{host}:{fence.site.address(host, 'store')}" for host in hosts)
    with fence.writer() as writes:
        fence.off(storage_addrs=storage_addrs)
        writes.wait_refused()
    answer = fence.run("on", storage_addrs=storage_addrs)
    assert answer.rc == FAILED and "has not said yet that no QEMU is left on it" in answer.err
    fence.publish(fence.target)
    fence.on(storage_addrs=storage_addrs)


@CAMPAIGN
def test_a_wrong_entry_is_found_by_a_watcher_that_nobody_owns(fence):
    fence.publish(fence.target, store_addresses=[f"{fence.site.prefix}.2.49"])
    with fence.writer() as writes:
        answer = fence.run("off", power_timeout="15")
        assert answer.rc == FAILED
        assert "no known host has that address" in answer.err and fence.target_ip in answer.err
        goes_on(writes)


# --- a store that is ill -------------------------------------------------------------------


def test_without_monitors_nothing_succeeds_and_all_ends_in_time(fence):
    fence.close()
    fence.lab.service("store", "stop", "mon")
    for action in ("off", "on", "status", "monitor"):
        answer = fence.run(action)
        assert answer.rc == FAILED and "monitor" in answer.err
        assert answer.seconds < POWER_TIMEOUT_S
    fence.lab.service("store", "start", "mon")
    wait_until(lambda: fence.run("monitor").rc == OK, 60, "the store to answer again")
    fence.off()


def test_without_the_osd_it_is_listed_but_not_confirmed(fence):
    with fence.writer() as writes:
        fence.lab.service("store", "stop", "osd")
        answer = fence.run("off", power_timeout="30")
        assert answer.rc == FAILED and "blocklist" in answer.err    # so it has ended by itself, in time
        fence.lab.service("store", "start", "osd")
        fence.off(power_timeout="60")
        writes.wait_refused()


# --- who may do what -------------------------------------------------------------------------


TOOL = os.environ.get("UNDERSTUDY_TOOL", "/usr/sbin/understudy")
HOST, FENCE, UNFENCE = "keystest", "keystest-fence", "keystest-unfence"


@pytest.fixture(scope="module")
def keyrings(lab, tmp_path_factory):
    """The users that `understudy keys` makes for this site; gives the folder with their keyrings."""
    folder = tmp_path_factory.mktemp("keyrings")
    site = lab.site
    words = [word for host in site.host_names for word in ("--host", site.address(host, "store"))]
    for _ in range(2):  # users that are there get the same caps again
        lab.exec("store", *FenceAgent(lab).environment(), TOOL, "keys", "--apply", "--user", HOST, "--pool", POOL,
                 "--keyring-dir", folder, "--server-address", f"{site.prefix}.2.101", *words)
    yield folder
    for user in (HOST, FENCE, UNFENCE):
        lab.exec("store", "ceph", "auth", "rm", f"client.{user}")


def keyring_of(keyrings, user: str) -> str:
    return str(keyrings / f"ceph.client.{user}.keyring")


def test_keys_are_for_root_alone(keyrings):
    assert {path.stat().st_mode & 0o777 for path in keyrings.iterdir()} == {0o600}


def test_keys_prints_what_makes_the_same_users(resting, keyrings):
    hosts = [word for host in resting.site.host_names for word in ("--host", resting.site.address(host, "store"))]
    printed = resting.lab.exec("host1", *resting.environment(), TOOL, "keys", "--user", HOST, "--pool", POOL,
                             "--server-address", f"{resting.site.prefix}.2.101", *hosts).stdout
    for line in printed.splitlines():
        words = shlex.split(line)
        caps = resting.ask("auth get", entity=words[3])[0]["caps"]
        assert caps == {service: text for service, text in zip(words[4:-2:2], words[5:-2:2])}


def caps_of(lab, users) -> dict:
    """What each of the users may do."""
    return {user: json.loads(lab.exec("store", "ceph", "auth", "get", f"client.{user}", "--format", "json").stdout)[0]["caps"]
            for user in users}


def test_keys_takes_nothing_away_unasked(lab, tmp_path):
    """An address that is not given again is named and stays; --replace takes it away."""
    site, base = lab.site, "keysless"
    users = (base, f"{base}-fence", f"{base}-unfence")
    server = f"{site.prefix}.2.101"
    first, *others = (site.address(host, "store") for host in site.host_names)

    def keys(*words, hosts):
        return lab.exec("store", *FenceAgent(lab).environment(), TOOL, "keys", "--apply", "--user", base, "--keyring-dir",
                        tmp_path, *(word for host in hosts for word in ("--host", host)), *words, check=False)
    try:
        assert keys("--pool", POOL, "--pool", "other", "--server-address", server, hosts=(first, *others)).returncode == 0
        before = caps_of(lab, users)
        done = keys("--pool", POOL, hosts=others)
        assert done.returncode == 4, done.stdout + done.stderr
        assert all(word in done.stderr for word in ("--pool other", f"--host {first}", f"--server-address {server}"))
        assert caps_of(lab, users) == before
        assert keys("--pool", POOL, "--replace", hosts=others).returncode == 0
        after = str(caps_of(lab, users))
        assert "pool=other" not in after and "blocklistop=rm" in after and server.replace(".", "[.]") not in after
    finally:
        for user in users:
            lab.exec("store", "ceph", "auth", "rm", f"client.{user}", check=False)


def test_what_keys_makes_is_enough(fence, keyrings):
    users = {"ceph_user": FENCE, "keyring": keyring_of(keyrings, FENCE), "unfence_user": UNFENCE,
             "unfence_keyring": keyring_of(keyrings, UNFENCE)}
    assert fence.run("monitor", **users).rc == OK
    with fence.writer() as writes:
        fence.off(**users)
        writes.wait_refused()
    fence.on(**users)


@pytest.mark.parametrize("user,words", [
    (FENCE, "osd blocklist rm {target}:0/0"),
    (FENCE, "osd blocklist clear"),
    (FENCE, "osd blocklist add {store}:0/0"),
    (FENCE, "osd blocklist add {server}:0/0"),
    (FENCE, "osd blocklist range add {net}.0/24"),
    (FENCE, "config-key set understudy/host/host2 x"),
    (FENCE, "config-key rm understudy/fence/host2"),
    (FENCE, "config-key get dm-crypt/osd/x"),
    (FENCE, "osd pool create mine"),
    (FENCE, "config log"),
    (UNFENCE, "osd blocklist add {target}:0/0"),
    (UNFENCE, "osd blocklist rm {server}:0/0"),
    (UNFENCE, "osd blocklist clear"),
    (UNFENCE, "config-key set understudy/fence/host2 x"),
    (UNFENCE, "config log"),
    (HOST, "osd blocklist add {target}:0/0"),
    (HOST, "osd blocklist add {store}:0/0"),
    (HOST, "osd blocklist range add {net}.0/24"),
    (HOST, "osd blocklist rm {target}:0/0"),
    (HOST, "config-key set understudy/fence/host2 x"),
    (HOST, "config-key rm understudy/fence/host2"),
    (HOST, "config log"),
])
def test_what_a_cephx_user_can_not_do(resting, keyrings, user, words):
    site = resting.site
    words = words.format(target=resting.target_ip, store=site.address("store", "store"),
                         server=f"{site.prefix}.2.101", net=f"{site.prefix}.2")
    done = resting.lab.exec("host1", "ceph", "--connect-timeout", "10", "--id", user, "--keyring",
                          keyring_of(keyrings, user), *words.split(), check=False)
    assert done.returncode != 0 and "EACCES" in done.stderr, done.stderr


@pytest.mark.parametrize("user", [FENCE, UNFENCE])
def test_what_is_in_an_image_is_not_for_who_fences(resting, keyrings, user):
    done = resting.lab.exec("host1", "rbd", "--id", user, "--keyring", keyring_of(keyrings, user), "export",
                          "--no-progress", f"{POOL}/{RUN_IMAGE}", "-", check=False)
    assert done.returncode != 0 and "not permitted" in done.stderr


# --- confirm -----------------------------------------------------------------------------------


# More than two rounds take, which wait 3 s each for a host that does not answer.
HOLD_DOWN_S = 12


def confirm(fence, **more):
    return fence.run("off", **({"method": "confirm", "hold_down": "2"} | more))


def assert_alive(fence, sentence: str):
    before = fence.blocklist()
    answer = confirm(fence)
    assert answer.rc == FAILED and sentence in answer.err, answer.err
    assert fence.blocklist() == before and fence.record() is None


def test_confirm_fails_while_corosync_has_the_host(fence):
    assert_alive(fence, "among its members")


def test_confirm_fails_while_the_management_network_answers(fence):
    fence.lab.service(fence.target, "stop", "pacemaker")
    fence.lab.service(fence.target, "stop", "corosync")
    assert_alive(fence, "answers on the management network")


def test_confirm_fails_for_a_frozen_host(fence):
    """All processes stopped: Corosync and the store see nothing of it, but its kernel answers."""
    fence.lab.freeze(fence.target)
    wait_until(lambda: "not among its members" in confirm(fence).err, 30, "Corosync to notice")
    assert_alive(fence, "answers on the management network")


def test_confirm_fails_while_the_host_has_an_image_open(fence):
    for network in ("mgmt", "svc"):
        fence.lab.cut(fence.target, network)
    with fence.writer() as writes:
        wait_until(lambda: "not among its members" in confirm(fence, watch_timeout="1").err, 30, "Corosync to notice")
        assert_alive(fence, "still open")
        goes_on(writes)


@pytest.fixture
def namespace(fence):
    """A namespace of the pool with an image in it; its name."""
    name = "fencetest"
    fence.lab.exec("store", "rbd", "namespace", "create", f"{POOL}/{name}")
    fence.lab.exec("store", "rbd", "create", "--size", "8M", f"{POOL}/{name}/{RUN_IMAGE}")
    yield name
    # A client that was killed would watch for 30 s more.
    for address in fence.watchers(f"{name}/{RUN_IMAGE}"):
        fence.ask("osd blocklist", blocklistop="add", addr=address, expire=60.0)
    wait_until(lambda: fence.lab.exec("store", "rbd", "rm", "--no-progress", f"{POOL}/{name}/{RUN_IMAGE}",
                                      check=False).returncode == 0, 40, "the image in the namespace to go", poll_s=1)
    fence.lab.exec("store", "rbd", "namespace", "rm", f"{POOL}/{name}")


@CAMPAIGN
def test_confirm_fails_while_the_host_has_an_image_in_a_namespace_open(fence, namespace):
    for network in ("mgmt", "svc"):
        fence.lab.cut(fence.target, network)
    with fence.writer(namespace=namespace):
        wait_until(lambda: "not among its members" in confirm(fence, watch_timeout="1").err, 30, "Corosync to notice")
        answer = confirm(fence, watch_timeout="1")
        assert answer.rc == FAILED and "storage alive: still open" in answer.err, answer.err
        assert f"{POOL}/{namespace}/{RUN_IMAGE} from {fence.target_ip}" in answer.err, answer.err


def test_confirm_fails_while_a_watcher_is_nobodys(fence):
    """The registry is wrong: it may be the host that is to be dead."""
    fence.publish(fence.target, store_addresses=[f"{fence.site.prefix}.2.49"])
    for network in ("mgmt", "svc"):
        fence.lab.cut(fence.target, network)
    with fence.writer() as writes:
        wait_until(lambda: "not among its members" in confirm(fence, watch_timeout="1").err, 30, "Corosync to notice")
        answer = confirm(fence, watch_timeout="1")
        assert answer.rc == FAILED and "no known host has that address" in answer.err, answer.err
        goes_on(writes)


@CAMPAIGN
def test_confirm_fails_where_this_host_hears_nobody_on_the_management_network(fence):
    """It has quorum by its other link; the target is without Corosync and store, but alive."""
    for service in ("pacemaker", "corosync"):
        fence.lab.service(fence.target, "stop", service)
    fence.lab.cut(fence.host, "mgmt")
    wait_until(lambda: "not among its members" in confirm(fence).err, 30, "Corosync to notice")
    answer = confirm(fence)
    assert answer.rc == FAILED and "hears nobody on the management network" in answer.err, answer.err


def test_confirm_status_says_what_one_round_sees(fence):
    assert fence.run("status", method="confirm").rc == OK
    fence.lab.crash(fence.target)
    wait_until(lambda: fence.run("status", method="confirm").rc == OFF, 60, "the host to be seen dead", poll_s=0.5)


def test_confirm_succeeds_for_a_host_without_power_and_changes_nothing(fence):
    with fence.writer():
        before = fence.blocklist()
        fence.lab.crash(fence.target)
        answers = []

        def is_confirmed():
            answers.append(confirm(fence))
            return answers[-1].rc == OK

        # Corosync notices after its token's time, the store when the watch runs out.
        wait_until(is_confirmed, 90, "the host to be confirmed dead", poll_s=1)
        answer = answers[-1]
        for plane in ("membership", "management", "storage"):
            for number in (1, 2):
                assert f"round {number}: {plane} silent" in answer.err
        # A dead host's watch, which lingers, is waited for, and not taken for life.
        assert not any("membership silent" in failed.err and "still open" in failed.err for failed in answers[:-1])
        answer = confirm(fence, hold_down=str(HOLD_DOWN_S))
        assert answer.rc == OK and answer.seconds >= HOLD_DOWN_S, "the second round came too soon"
        assert fence.blocklist() == before and fence.record() is None


def test_confirm_fails_where_this_host_is_the_one_cut_off(fence):
    fence.lab.cut(fence.host, "mgmt")
    fence.lab.cut(fence.host, "svc")
    wait_until(lambda: "no quorum" in confirm(fence).err, 30, "quorum to be lost")
    assert_alive(fence, "no quorum")
