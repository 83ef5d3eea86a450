# SPDX-License-Identifier: GPL-2.0-or-later
"""adopt on a live cluster: what pcs and crm make of its snippets, done twice, changed, forgotten."""

import json
import os
import shutil
import signal
import subprocess
import time
import xml.etree.ElementTree as ET

import pytest

from campaign import CAMPAIGN
from fence_agent import children_of, state_of
from lab import standby
from lab.api import wait_until
from lab.site import POOL

SERVER = "snippet"
OPTIONS = ("--untried", "--disk", f"{POOL}/{SERVER}", "--disk", f"{POOL}/{SERVER}-data", "--probe",
           "pgsql:host=192.0.2.7 user=\"monitor\" connect_timeout=2", "--probe", "tcp:192.0.2.7:22", "--recover-probe",
           "icmp:192.0.2.107", "--service-address", "192.0.2.7", "--mac", "52:54:00:00:00:07", "--bridge", "br-svc",
           "--vcpus", "2", "--memory-mib", "512", "--isolate", "confirmed", "--set", "hold_down=3s",
           "--reference", "icmp:192.0.2.250")
SECTIONS = ("crm_config", "resources", "constraints")
OURS = ("understudy-observer", "understudy-capacity")
CLEANUP_TIMEOUT_S = 60
MARK = "understudy_import"   # metadata key of an image that is being imported


class Cluster:
    """The live cluster, seen from one host."""

    def __init__(self, lab):
        self.lab, self.host = lab, standby.a_host(lab)

    def run(self, *argv, check=True):
        return self.lab.exec(self.host, *argv, check=check, timeout_s=120)

    def understudy(self, *words, check=True):
        return self.run("understudy", *words, check=check)

    def configuration(self):
        return ET.fromstring(self.run("cibadmin", "--query", "--scope", "configuration").stdout)

    def servers(self):
        return [s["name"] for s in json.loads(self.run("understudy", "status", "--json", "--no-store",
                                                       check=False).stdout)["servers"]]

    def clear(self):
        """Nothing of ours in the configuration, as before the first adoption."""
        for server in self.servers():
            self.understudy("forget", server, "--force")
        for resource in OURS:
            self.run("pcs", "resource", "delete", resource, check=False)
        self.run("pcs", "property", "unset", "placement-strategy", check=False)


def canonical(element):
    """What an element says, whatever its order and the ids of its parts."""
    attributes = dict(element.attrib)
    if element.tag not in ("primitive", "clone", "rsc_ticket", "rsc_location"):
        attributes.pop("id", None)
    return element.tag, tuple(sorted(attributes.items())), tuple(sorted(
        canonical(child) for child in element if isinstance(child.tag, str)))


def ours(configuration):
    """Our resources and constraints and the property, in canonical form."""
    found = [pair for pair in configuration.findall("crm_config/*/nvpair") if pair.get("name") == "placement-strategy"]
    found += [child for child in configuration.find("resources")
              if child.get("id") == f"standby-{SERVER}" or child.get("id", "").startswith("understudy-")]
    found += [child for child in configuration.find("constraints") if child.get("rsc") == f"standby-{SERVER}"]
    return sorted(canonical(element) for element in found)


def pairs(resource, kind):
    """What a resource has in its sets of a kind, by name."""
    return {pair.get("name"): pair.get("value") for pair in resource.findall(f"{kind}/nvpair")}


def assert_as_documented(configuration):
    """doc/configure.md, "What it writes": from which placement, the ticket and staying follow."""
    image = configuration.find(f"resources/primitive[@id='standby-{SERVER}']")
    assert pairs(image, "utilization") == {"cpu": "2", "headroom": "12", "hv_memory": "512"}
    assert pairs(image, "meta_attributes") == {"failure-timeout": "5min", "resource-stickiness": "1000"}
    ticket, = configuration.findall(f"constraints/rsc_ticket[@rsc='standby-{SERVER}']")
    assert (ticket.get("ticket"), ticket.get("loss-policy")) == (f"takeover-{SERVER}", "stop")
    rule, = configuration.findall(f"constraints/rsc_location[@rsc='standby-{SERVER}']/rule")
    assert rule.get("score") == "100000"
    assert [test.get("attribute") for test in rule] == ["understudy-reach"]


@pytest.fixture
def cluster(lab):
    return Cluster(lab)


@pytest.fixture
def bare(cluster, tmp_path):
    """A cluster that knows nothing of ours; what it knew before comes back afterwards."""
    saved = []
    configuration = cluster.configuration()
    for section in SECTIONS:
        path = tmp_path / f"{section}.xml"
        ET.ElementTree(configuration.find(section)).write(path)
        saved.append((section, path))
    cluster.clear()
    yield cluster
    cluster.clear()
    for section, path in saved:
        cluster.run("cibadmin", "--replace", "--scope", section, "--xml-file", str(path))


@pytest.fixture
def adopted_snippet(cluster):
    """The server adopted beside those of the lab, and forgotten afterwards."""
    cluster.understudy("adopt", SERVER, "--no-store", *OPTIONS[:-2])
    yield cluster
    cluster.understudy("forget", SERVER, "--force", check=False)


def apply_pcs(cluster, path):
    cluster.run("sh", "-ec", f"cd '{path.parent}' && . '{path}'")


def apply_crm(cluster, path):
    cluster.run("crm", "--force", "configure", "load", "update", str(path))


def apply_xml(cluster, path):
    cluster.run("cibadmin", "--modify", "--allow-create", "--scope", "configuration", "--xml-file", str(path))


APPLY = {"pcs": apply_pcs, "crm": apply_crm, "xml": apply_xml}


@pytest.mark.parametrize("form", APPLY)
def test_a_snippet_gives_the_same_cib_as_adopt(bare, tmp_path, form):
    snippet = tmp_path / "snippet"
    snippet.write_text(bare.understudy("adopt", SERVER, "--print", form, *OPTIONS).stdout, encoding="utf-8")
    assert ours(bare.configuration()) == [], "--print changed something"
    APPLY[form](bare, snippet)
    by_hand = ours(bare.configuration())
    assert len(by_hand) == 6, "property, two clones, resource and two constraints"
    # adopt finds nothing to do where the snippet was applied ...
    assert "already" in bare.understudy("adopt", SERVER, "--no-store", *OPTIONS).stdout
    assert ours(bare.configuration()) == by_hand
    assert_as_documented(bare.configuration())
    # ... and makes the same from nothing.
    bare.clear()
    assert ours(bare.configuration()) == []
    bare.understudy("adopt", SERVER, "--no-store", *OPTIONS)
    assert ours(bare.configuration()) == by_hand


def test_adopt_twice_changes_nothing(adopted_snippet):
    before = ours(adopted_snippet.configuration())
    done = adopted_snippet.understudy("adopt", SERVER, "--no-store", *OPTIONS[:-2])
    assert "already" in done.stdout
    assert ours(adopted_snippet.configuration()) == before


def test_adopt_changes_exactly_what_is_asked(adopted_snippet):
    before = ours(adopted_snippet.configuration())
    adopted_snippet.understudy("adopt", SERVER, "--no-store", "--set", "hold_down=7s")
    after = ours(adopted_snippet.configuration())
    text = str(before)
    assert str(after) == text.replace("('value', '3s')", "('value', '7s')") != text


def test_an_adopted_server_stays_stopped(adopted_snippet):
    """The ticket is not granted: probes say that it does not run, and nothing starts it."""
    def row():
        return standby.server_status(adopted_snippet.lab, SERVER, adopted_snippet.host)
    wait_until(lambda: row()["image"]["state"] == "stopped", CLEANUP_TIMEOUT_S, "the probes to end")
    adopted_snippet.run("crm_resource", "--wait", "--timeout", "30")   # until Pacemaker has nothing left to do
    assert not row()["ticket"]
    history = adopted_snippet.run("crm_resource", "--list-all-operations", "--resource", f"standby-{SERVER}").stdout
    assert "_start_0" not in history


def test_a_wrong_parameter_touches_nothing(cluster):
    before = ours(cluster.configuration())
    for wrong in (("--vcpus", "many"), ("--mac", "x"), ("--probe", "tcp:"), ("--set", "no_such=1"),
                  ("--isolate", "perhaps"), ("--disk", "no-slash"), ("--set", "store_timeout=1parsec")):
        done = cluster.understudy("adopt", SERVER, "--disk", f"{POOL}/{SERVER}", *wrong, check=False)
        assert done.returncode == 2, (wrong, done.stderr)
        assert done.stderr.startswith("understudy: ") and done.stderr.count("\n") == 1, done.stderr
    assert ours(cluster.configuration()) == before


def test_an_image_that_is_missing_is_named(cluster):
    done = cluster.understudy("adopt", SERVER, "--disk", f"{POOL}/no-such-image", check=False)
    assert done.returncode == 3
    assert f"{POOL}/no-such-image" in done.stderr
    assert SERVER not in str(ours(cluster.configuration()))


def rbd(cluster, *words, check=True):
    return cluster.run("rbd", "--id", "understudy", *words, check=check)


@pytest.fixture
def no_images(cluster):
    """No images of the server, before and after."""
    def remove():
        for image in json.loads(rbd(cluster, "ls", POOL, "--format", "json").stdout):
            if image.removeprefix("import-") in (SERVER, f"{SERVER}-data"):
                rbd(cluster, "snap", "purge", f"{POOL}/{image}", check=False)
                rbd(cluster, "rm", f"{POOL}/{image}")
    cluster.understudy("forget", SERVER, "--force", check=False)
    remove()
    yield cluster
    cluster.understudy("forget", SERVER, "--force", check=False)
    remove()


def make_disk(path, mark):
    """A sparse disk with something at both ends."""
    with open(path, "wb") as disk:
        disk.truncate(48 * 1024 * 1024)
        disk.write(mark)
        disk.seek(-len(mark), 2)
        disk.write(mark)


def test_raw_and_qcow2_are_imported_whole(no_images, tmp_path):
    cluster, raw, qcow2 = no_images, tmp_path / "disk.raw", tmp_path / "disk.qcow2"
    make_disk(raw, b"system")
    make_disk(tmp_path / "data.raw", b"data")
    cluster.run("qemu-img", "convert", "-O", "qcow2", str(tmp_path / "data.raw"), str(qcow2))
    done = cluster.understudy("adopt", SERVER, "--disk", f"{POOL}/{SERVER}={raw}", "--disk",
                              f"{POOL}/{SERVER}-data={qcow2}")
    assert "100 %" in done.stderr
    assert "understudy-gate" in done.stderr, "the operator is not told of the gate"
    points = set()
    for image, source in ((SERVER, raw), (f"{SERVER}-data", tmp_path / "data.raw")):
        copy = tmp_path / "copy.raw"
        copy.unlink(missing_ok=True)
        rbd(cluster, "export", f"{POOL}/{image}", str(copy))
        assert copy.read_bytes() == source.read_bytes(), f"{image} differs from its file"
        names = [snap["name"] for snap in json.loads(rbd(cluster, "snap", "ls", f"{POOL}/{image}", "--format",
                                                         "json").stdout)]
        assert len(names) == 1 and names[0].startswith("point-")
        points.update(names)
    assert len(points) == 1, "the disks' recovery points do not belong together"


def pool_images(cluster):
    """Names of all images in the pool."""
    return set(json.loads(rbd(cluster, "ls", POOL, "--format", "json").stdout))


@pytest.mark.parametrize("size_bytes", [1_049_077, 102])
def test_a_disk_that_ends_within_a_sector_is_padded(no_images, tmp_path, size_bytes):
    cluster, raw = no_images, tmp_path / "odd.raw"
    raw.write_bytes((b"odd bytes" * (size_bytes // 9 + 1))[:size_bytes])
    cluster.understudy("adopt", SERVER, "--disk", f"{POOL}/{SERVER}={raw}")
    rbd(cluster, "export", f"{POOL}/{SERVER}", str(tmp_path / "copy.raw"))
    copy = (tmp_path / "copy.raw").read_bytes()
    assert copy == raw.read_bytes().ljust(len(copy), b"\0") and len(copy) % 512 == 0
    assert f"import-{SERVER}" not in pool_images(cluster)


def test_what_is_no_disk_is_refused(no_images, tmp_path):
    cluster, before = no_images, pool_images(no_images)
    (tmp_path / "empty.raw").touch()
    os.mkfifo(tmp_path / "fifo")
    for source in (tmp_path / "empty.raw", "/dev/null", tmp_path, "raw:/dev/null", f"raw:{tmp_path / 'fifo'}"):
        done = cluster.understudy("adopt", SERVER, "--disk", f"{POOL}/{SERVER}={source}", check=False)
        assert done.returncode == 2 and str(source).removeprefix("raw:") in done.stderr, done.stderr
    assert pool_images(cluster) == before
    assert SERVER not in str(ours(cluster.configuration()))


@pytest.fixture
def failing_disk(tmp_path):
    """A block device whose second half can't be read."""
    backing = tmp_path / "backing"
    backing.write_bytes(os.urandom(8 << 20))
    device = subprocess.run(["losetup", "--find", "--show", str(backing)], check=True, capture_output=True,
                            text=True).stdout.strip()
    os.truncate(backing, 4 << 20)
    yield device
    subprocess.run(["losetup", "--detach", device], check=True)


def test_an_import_that_fails_leaves_nothing(no_images, failing_disk):
    cluster, before = no_images, pool_images(no_images)
    done = cluster.understudy("adopt", SERVER, "--disk", f"{POOL}/{SERVER}=raw:{failing_disk}", check=False)
    assert done.returncode == 1, done.stderr
    assert pool_images(cluster) == before
    assert SERVER not in str(ours(cluster.configuration()))


@pytest.fixture
def naming_disks(no_images, tmp_path):
    """Disks whose headers name another file of this host, by what they name it as."""
    secret = tmp_path / "another.raw"
    make_disk(secret, b"somebody else's")
    size = str(secret.stat().st_size)
    data, backed, raw = tmp_path / "data.qcow2", tmp_path / "backed.qcow2", tmp_path / "guest.raw"
    # Made beside it, then pointed at it: making it would write the data file.
    shutil.copy(secret, tmp_path / "copy.raw")
    no_images.run("qemu-img", "create", "-q", "-f", "qcow2", "-o", f"data_file={secret},data_file_raw=on", str(data), size)
    shutil.copy(tmp_path / "copy.raw", secret)
    no_images.run("qemu-img", "create", "-q", "-f", "qcow2", "-b", str(secret), "-F", "raw", str(backed))
    # What a guest can write to its own raw disk.
    shutil.copy(secret, raw)
    with open(raw, "r+b") as disk:
        disk.write(data.read_bytes())
    return {"data file": data, "backing file": backed, "guest": raw}


def test_a_header_that_names_other_files_is_not_followed(no_images, naming_disks, tmp_path):
    cluster, before = no_images, pool_images(no_images)
    for kind, source in naming_disks.items():
        done = cluster.understudy("adopt", SERVER, "--disk", f"{POOL}/{SERVER}={source}", check=False)
        assert done.returncode == 2 and "another.raw" in done.stderr, (kind, done.stderr)
        assert f"=raw:{source}" in done.stderr
    assert pool_images(cluster) == before
    # On the operator's word: a raw disk is what it is, a qcow2 file comes with the file that it names.
    raw, backed = naming_disks["guest"], naming_disks["backing file"]
    cluster.understudy("adopt", SERVER, "--disk", f"{POOL}/{SERVER}=raw:{raw}", "--disk",
                       f"{POOL}/{SERVER}-data=qcow2:{backed}")
    for image, content in ((SERVER, raw), (f"{SERVER}-data", tmp_path / "another.raw")):
        rbd(cluster, "export", f"{POOL}/{image}", str(tmp_path / f"{image}.copy"))
        assert (tmp_path / f"{image}.copy").read_bytes() == content.read_bytes()


@CAMPAIGN
def test_a_file_that_can_not_be_read_in_time_is_given_up(no_images, tmp_path):
    os.mkfifo(tmp_path / "disk")  # nobody ever writes to it
    done = no_images.understudy("adopt", SERVER, "--disk", f"{POOL}/{SERVER}={tmp_path / 'disk'}", check=False)
    assert done.returncode == 5
    assert f"can't read {tmp_path / 'disk'}" in done.stderr
    assert SERVER not in str(ours(no_images.configuration()))


def test_an_image_is_never_written_over(no_images, tmp_path):
    cluster, first, second = no_images, tmp_path / "first.raw", tmp_path / "second.raw"
    make_disk(first, b"first")
    make_disk(second, b"other")
    cluster.understudy("adopt", SERVER, "--disk", f"{POOL}/{SERVER}={first}")
    done = cluster.understudy("adopt", SERVER, "--disk", f"{POOL}/{SERVER}={second}")
    assert "kept" in done.stderr
    rbd(cluster, "export", f"{POOL}/{SERVER}", str(tmp_path / "copy.raw"))
    assert (tmp_path / "copy.raw").read_bytes() == first.read_bytes()


IMPORTED = f"{POOL}/import-{SERVER}"   # until it is whole


def test_an_interrupted_import_is_started_again(no_images, tmp_path):
    cluster, raw = no_images, tmp_path / "disk.raw"
    make_disk(raw, b"whole")
    # What a killed import leaves: an image under the temporary name, with the mark of an import.
    rbd(cluster, "create", "--size", "8", IMPORTED)
    image_id = json.loads(rbd(cluster, "info", IMPORTED, "--format", "json").stdout)["id"]
    rbd(cluster, "image-meta", "set", IMPORTED, MARK, f"{image_id} killed")
    done = cluster.understudy("adopt", SERVER, "--disk", f"{POOL}/{SERVER}={raw}")
    assert "again" in done.stderr
    images = json.loads(rbd(cluster, "ls", POOL, "--format", "json").stdout)
    assert SERVER in images and f"import-{SERVER}" not in images
    rbd(cluster, "export", f"{POOL}/{SERVER}", str(tmp_path / "copy.raw"))
    assert (tmp_path / "copy.raw").read_bytes() == raw.read_bytes()
    # Whoever copies or renames the image later takes no mark along.
    assert MARK not in rbd(cluster, "image-meta", "list", f"{POOL}/{SERVER}").stdout


@pytest.mark.parametrize("mark", [None, "0123456789ab another"], ids=["unmarked", "copied"])
def test_an_image_with_an_imports_name_may_be_somebodys(no_images, tmp_path, mark):
    """Only what has the mark of an import, on itself and not on what it is a copy of, is taken for an import's."""
    cluster, raw, somebodys = no_images, tmp_path / "disk.raw", tmp_path / "somebodys.raw"
    make_disk(raw, b"a server's")
    make_disk(somebodys, b"somebody's")
    rbd(cluster, "import", "--no-progress", str(somebodys), IMPORTED)
    if mark is not None:
        rbd(cluster, "image-meta", "set", IMPORTED, MARK, mark)
    done = cluster.understudy("adopt", SERVER, "--disk", f"{POOL}/{SERVER}={raw}", check=False)
    assert done.returncode == 4 and f"rbd rm {IMPORTED}" in done.stderr, done.stderr
    rbd(cluster, "export", "--no-progress", IMPORTED, str(tmp_path / "copy.raw"))
    assert (tmp_path / "copy.raw").read_bytes() == somebodys.read_bytes()
    assert SERVER not in pool_images(cluster)
    assert SERVER not in str(ours(cluster.configuration()))


def is_marked(cluster):
    return rbd(cluster, "image-meta", "get", IMPORTED, MARK, check=False).returncode == 0


def stop_while_it_writes(cluster, pid):
    """Lets a process run for moments, and looks while it stands still, until it has marked the image that it imports."""
    def step():
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.02)
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: state_of(pid) == "T", 10, "the import to stand still", poll_s=0.01)
        return is_marked(cluster)
    wait_until(step, 60, f"{IMPORTED} to be written", poll_s=0)


@CAMPAIGN
def test_of_two_imports_at_once_one_leaves_the_other_alone(no_images, tmp_path):
    cluster, first, second = no_images, tmp_path / "first.raw", tmp_path / "second.raw"
    first.write_bytes(os.urandom(64 << 20))
    make_disk(second, b"second")
    with cluster.lab.popen(cluster.host, "understudy", "adopt", SERVER, "--disk", f"{POOL}/{SERVER}={first}",
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as program:
        try:
            wait_until(lambda: children_of(program.pid), 10, "the import to begin", poll_s=0.01)
            pid = int(children_of(program.pid)[0])
            stop_while_it_writes(cluster, pid)
            done = cluster.understudy("adopt", SERVER, "--disk", f"{POOL}/{SERVER}={second}", check=False)
            assert done.returncode == 4 and f"{IMPORTED} is being written from" in done.stderr, done.stderr
            os.kill(pid, signal.SIGCONT)
            assert program.wait(120) == 0
        finally:
            program.kill()
    rbd(cluster, "export", "--no-progress", f"{POOL}/{SERVER}", str(tmp_path / "copy.raw"))
    assert (tmp_path / "copy.raw").read_bytes() == first.read_bytes(), "the second import wrote into the first one's image"
    assert f"import-{SERVER}" not in pool_images(cluster)


def test_forget_leaves_the_images(no_images, tmp_path):
    cluster, raw = no_images, tmp_path / "disk.raw"
    make_disk(raw, b"stays")
    cluster.understudy("adopt", SERVER, "--disk", f"{POOL}/{SERVER}={raw}")
    seen = f"understudy/server/{SERVER}/probes-seen"
    cluster.lab.exec("store", "ceph", "config-key", "set", seen, "0123456789abcdef")
    # Nobody has stopped what runs under a claim: it is said, and a later start goes by it.
    claim = f"understudy/server/{SERVER}/claim/start"
    cluster.lab.exec("store", "ceph", "config-key", "set", claim, f"host9 boot start {POOL}/run-{SERVER}-0")
    cluster.lab.exec("store", "rados", "-p", POOL, "setomapval", f"understudy_claim.{SERVER}", "holder", "host9 boot start")
    try:
        said = cluster.understudy("forget", SERVER).stderr
        assert f"still claimed from there in pool {POOL}" in said and "host9" in said
    finally:
        cluster.lab.exec("store", "ceph", "config-key", "rm", claim)
        cluster.lab.exec("store", "rados", "-p", POOL, "rm", f"understudy_claim.{SERVER}")
    assert seen not in cluster.lab.exec("store", "ceph", "config-key", "ls").stdout
    assert SERVER not in str(ours(cluster.configuration()))
    assert f"takeover-{SERVER}" not in cluster.run("cibadmin", "--query", "--scope", "status").stdout
    assert SERVER in json.loads(rbd(cluster, "ls", POOL, "--format", "json").stdout)
    assert cluster.understudy("forget", SERVER, check=False).returncode == 3


def test_forget_refuses_while_a_takeover_is_under_way(no_images, tmp_path):
    cluster, raw = no_images, tmp_path / "disk.raw"
    make_disk(raw, b"x")
    cluster.understudy("adopt", SERVER, "--disk", f"{POOL}/{SERVER}={raw}")
    cluster.run("crm_ticket", "--ticket", f"takeover-{SERVER}", "--grant", "--force")
    done = cluster.understudy("forget", SERVER, check=False)
    assert done.returncode == 4 and "takeover" in done.stderr
    cluster.run("crm_ticket", "--ticket", f"takeover-{SERVER}", "--revoke", "--force")
    wait_until(lambda: cluster.understudy("forget", SERVER, check=False).returncode == 0, CLEANUP_TIMEOUT_S,
               "the image to be stopped and forgotten")


def test_a_ticket_left_over_starts_nothing(no_images, tmp_path):
    cluster, raw = no_images, tmp_path / "disk.raw"
    make_disk(raw, b"x")
    cluster.run("crm_ticket", "--ticket", f"takeover-{SERVER}", "--grant", "--force")
    done = cluster.understudy("adopt", SERVER, "--disk", f"{POOL}/{SERVER}={raw}")
    assert "revoked" in done.stderr
    assert not standby.server_status(cluster.lab, SERVER, cluster.host)["ticket"]
    assert "_start_0" not in cluster.run("crm_resource", "--list-all-operations", "--resource", f"standby-{SERVER}",
                                         check=False).stdout


def test_the_command_needs_its_rights(cluster):
    done = cluster.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "understudy", "hosts",
                       check=False)
    assert done.returncode == 6
    assert "haclient" in done.stderr


@pytest.fixture
def reader(cluster):
    """An ordinary user who may read the cluster's configuration, and not change it: how to run a command as that user."""
    cluster.run("pcs", "acl", "role", "create", "reader", "read", "xpath", "/cib")
    cluster.run("pcs", "acl", "user", "create", "nobody", "reader")
    cluster.run("pcs", "acl", "enable")
    yield lambda *argv: cluster.run("setpriv", "--reuid=nobody", "--regid=haclient", "--clear-groups", *argv, check=False)
    cluster.run("pcs", "property", "unset", "enable-acl", check=False)
    cluster.run("pcs", "acl", "role", "delete", "reader", "--autodelete", check=False)


def test_a_user_whom_the_access_lists_refuse_is_told_so(cluster, reader):
    before = ET.tostring(cluster.configuration())
    assert reader("understudy", "hosts").returncode == 0
    done = reader("understudy", "adopt", SERVER, "--no-store", *OPTIONS[:-2])
    assert done.returncode == 6, done.stdout + done.stderr
    assert "access control lists give nobody no right" in done.stderr
    assert ET.tostring(cluster.configuration()) == before


def test_the_man_page_has_every_command(cluster):
    man = cluster.run("understudy", "--man").stdout
    for word in ("adopt", "forget", "status", "hosts", "takeover", "release", "history", "EXIT STATUS"):
        assert word in man
