# SPDX-License-Identifier: GPL-2.0-or-later
"""adopt looks at the whole site, and Pacemaker does with its work what it says."""

import subprocess
import xml.etree.ElementTree as ET

import pytest

from simulation import Host, Server

HOSTS = [Host("host1", 8, 32768), Host("host2", 4, 16384), Host("host3", 2, 8192)]


@pytest.fixture
def site(simulation):
    """One server, three hosts."""
    return simulation(HOSTS, [Server("db1")])


def refused(site, *words: str, code: int = 2) -> str:
    """The command ends with an error, which is returned, and changes nothing."""
    before = site.cib.read_bytes()
    done = subprocess.run([site.tools.command, *words], env=site.tools.environment(site.cib), capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == code, done.stdout + done.stderr
    assert site.cib.read_bytes() == before
    return done.stderr


@pytest.mark.parametrize("words, why", [
    (("host1", "--disk", "vm/other"), "is the name of a cluster node"),
    (("HOST1", "--disk", "vm/other"), "is the name of a cluster node"),
    (("db2", "--disk", "vm/db1"), "db1 has the image vm/db1 too"),
    (("db2", "--disk", "vm/run-db1-0"), "named like a run image"),
    (("DB1", "--disk", "vm/other"), "differ in case only"),
    (("db2", "--disk", "vm/db2", "--set", "server=db1"), "does not fit the resource standby-db2"),
    (("db2", "--disk", "vm/db2", "--service-address", "10.0.3.2", "--recover-probe", "icmp:10.0.3.2"),
     "asks the service address"),
    (("db2", "--disk", "vm/db2", "--probe", "tcp:10.0.3.2:22", "--recover-probe", "tcp:10.0.3.2:22"),
     "is one of the probes"),
])
def test_what_does_not_fit_the_site_is_refused(site, words, why):
    assert why in refused(site, "adopt", "--no-store", *words)


@pytest.mark.parametrize("option, value", [("--service-address", "fd00::5"), ("--store-address", "10.0.2.1"),
                                           ("--mac", "52:54:00:00:00:01")])
def test_two_servers_do_not_share_an_address(site, option, value):
    site.adopt(Server("db1"), option, value)
    assert "give each server its own" in refused(site, "adopt", "--no-store", "db2", "--disk", "vm/db2", option, value)


def advice(site, *words: str) -> str:
    """What the command says beside its answer."""
    done = subprocess.run([site.tools.command, *words], env=site.tools.environment(site.cib), capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_adopt_says_what_is_missing_yet(site):
    site.understudy("forget", "db1", "--force")
    cib = site._read()
    fencing = cib.find(".//primitive[@id='power']")
    cib.find("configuration/resources").remove(fencing)
    properties = cib.find(".//cluster_property_set")
    properties.remove(properties.find("nvpair[@name='placement-strategy']"))
    site._write(cib)
    said = advice(site, "adopt", "db1", "--no-store", "--disk", "vm/db1", "--service-address", "10.0.3.1")
    assert "db1 must not have 10.0.3.1 while its image has it" in said and "understudy-gate(8)" in said
    assert "db1 has no probe" in said
    assert "db1 is not taken over: it has isolate=required, and no fence device names it" in said
    assert "placement-strategy=balanced was set" in said
    cib = site._read()
    hosts = ET.SubElement(fencing, "instance_attributes", id="power-params")
    ET.SubElement(hosts, "nvpair", id="power-hosts", name="pcmk_host_list", value="db1")
    cib.find("configuration/resources").append(fencing)
    site._write(cib)
    said = advice(site, "adopt", "db1", "--no-store", "--probe", "tcp:10.0.3.1:22")
    assert "gate" in said
    assert "no reference is named" in said
    assert all(word not in said for word in ("no probe", "isolate=", "placement-strategy"))
    said = advice(site, "adopt", "db1", "--no-store", "--probe", "tcp:10.0.3.1:80", "--reference", "icmp:10.0.3.254")
    assert "no reference" not in said
    assert advice(site, "adopt", "db1", "--no-store", "--probe", "tcp:10.0.3.1:80") == ""


@pytest.mark.parametrize("words", [("--recover-probe", "icmp:fe80::1%lo"), ("--recover-probe", "icmp:::ffff:192.0.2.1"),
                                   ("--service-address", "0.0.0.0"), ("--store-address", "fe80::1%eth0"),
                                   ("--probe", "pgsql:not a conninfo"),
                                   ("--probe", "pgsql:host=db1.example"), ("--probe", "icmp:127.0.0.1"),
                                   ("--probe", "pgsql:host=/run/postgresql")])
def test_what_can_never_work_is_refused(site, words):
    refused(site, "adopt", "--no-store", "db2", "--disk", "vm/db2", *words)


def test_status_names_what_does_not_fit(site):
    site.adopt(Server("db2"))
    cib = site._read()
    cib.find(".//primitive[@id='standby-db2']//nvpair[@name='disks']").set("value", "vm/db1")
    site._write(cib)
    assert "db2 has the image vm/db1 too" in site.status("db1")["reason"]
    assert "db1 has the image vm/db1 too" in site.status("db2")["reason"]


def test_a_reference_that_can_never_serve_is_refused(site):
    site.adopt(Server("db1"), "--service-address", "10.0.3.201", "--recover-probe", "icmp:10.0.1.101")
    assert "asks the host that it runs on" in refused(site, "adopt", "--no-store", "db1", "--reference", "icmp:127.0.0.1")
    assert "the management address of db1" in refused(site, "adopt", "--no-store", "db1", "--management-reference",
                                                      "icmp:10.0.1.101")
    assert "the service address of db1" in refused(site, "adopt", "--all", "--upgrade", "--reference", "tcp:10.0.3.201:22")
    said = advice(site, "adopt", "--no-store", "db1", "--reference", "icmp:10.0.3.1", "--reference", "icmp:10.0.3.7")
    assert "replaces" not in said
    assert "is the service address of db2" in refused(site, "adopt", "--no-store", "db2", "--disk", "vm/db2",
                                                      "--service-address", "10.0.3.7")
    said = advice(site, "adopt", "--no-store", "db1", "--reference", "icmp:10.0.3.2")
    assert "--reference replaces the references of all servers, which were: icmp:10.0.3.1, icmp:10.0.3.7" in said


def test_a_standing_reference_that_can_never_serve_is_named(site):
    site.adopt(Server("db1"), "--service-address", "10.0.3.201", "--reference", "icmp:10.0.3.1")
    assert not any("reference" in trouble for trouble in site.troubles())
    cib = site._read()
    cib.find(".//nvpair[@name='references']").set("value", "icmp:127.0.0.1")
    site._write(cib)
    assert any(trouble.startswith("reference 'icmp:127.0.0.1' asks the host that it runs on") for trouble in site.troubles())
    advice(site, "adopt", "--no-store", "db1", "--vcpus", "2")   # what stands hinders nothing else


# --- clusters of other kinds ---------------------------------------------------


def run_clones(site) -> dict[str, set[str]]:
    """resource -> the nodes where Pacemaker runs it."""
    site.run()
    where = {}
    for state in site._read().iter("node_state"):
        for history in state.iter("lrm_resource"):
            if any(op.get("operation") == "start" and op.get("rc-code") == "0" for op in history):
                where.setdefault(history.get("id"), set()).add(state.get("uname"))
    return where


def test_in_an_opt_in_cluster_all_that_is_set_up_runs(site):
    site.set_property("symmetric-cluster", "false")
    site.understudy("forget", "db1", "--force")
    cib = site._read()
    for clone in cib.findall(".//clone"):
        cib.find("configuration/resources").remove(clone)
    site._write(cib)
    site.adopt(Server("db1"))
    assert {"host1", "host2", "host3"} == run_clones(site)["understudy-observer"]
    assert site.ranked("db1")[0] == "host1"
    site.grant("db1")
    assert site.images() == {"db1": "host1"}


def test_status_says_that_nothing_may_run_in_an_opt_in_cluster(site):
    site.set_property("symmetric-cluster", "false")
    assert "standby-db1 runs nowhere: the cluster has symmetric-cluster=false" in site.status("db1")["reason"]
    assert "no location constraint lets the image run" in site.why("db1")["host1"] or site.ranked("db1")
    site.understudy("adopt", "--all", "--upgrade")
    assert "runs nowhere" not in site.status("db1")["reason"]


def test_remote_nodes_get_nothing_of_ours(site):
    cib = site._read()
    cib.find("configuration/resources").append(ET.fromstring(
        '<primitive id="far" class="ocf" provider="pacemaker" type="remote"/>'))
    site._write(cib)
    site.run()   # the node comes up
    assert "far" in run_clones(site)["understudy-observer"], "the cluster is none in which this could go wrong"
    assert "off remote and guest nodes" in site.status("db1")["reason"]
    site.adopt(Server("db1"))
    assert "remote and guest" not in site.status("db1")["reason"]
    where = run_clones(site)
    for resource in ("understudy-observer", "understudy-capacity"):
        assert where[resource] == {"host1", "host2", "host3"}
    assert set(site.why("db1")) == {"host1", "host2", "host3"}


def test_an_older_setup_is_brought_up_to_date(site):
    cib = site._read()
    primitive = cib.find(".//primitive[@id='standby-db1']")
    operations, meta = primitive.find("operations"), primitive.find("meta_attributes")
    for op in operations.findall("op"):
        if op.get("name") in ("monitor", "migrate_to"):
            operations.remove(op)
    meta.remove(meta.find("nvpair[@name='failure-timeout']"))
    observer = cib.find(".//primitive[@type='observer']")
    observer.remove(observer.find("meta_attributes"))
    site._write(cib)
    assert "no monitor operation" in site.status("db1")["reason"]
    site.understudy("adopt", "--all", "--upgrade")
    assert site.status("db1")["reason"] == ""
    primitive = site._read().find(".//primitive[@id='standby-db1']")
    assert {"monitor", "migrate_to"} <= {op.get("name") for op in primitive.iter("op")}
    assert primitive.find("meta_attributes/nvpair[@name='failure-timeout']").get("value") == "5min"
    for clone in ("observer", "capacity"):
        timeout = site._read().find(f".//primitive[@type='{clone}']/meta_attributes/nvpair[@name='failure-timeout']")
        assert timeout is not None and timeout.get("value") == "60s"
    before = site.cib.read_bytes()
    site.understudy("adopt", "--all", "--upgrade")
    assert site.cib.read_bytes() == before
    assert "--all --upgrade" in refused(site, "adopt")
    assert "--all --upgrade" in refused(site, "adopt", "db1", "--upgrade")


def test_a_failed_start_says_when_it_is_tried_again(site):
    site.run("--ticket-grant", "takeover-db1", "--op-fail", "standby-db1_start_0@host1=1")
    site._set_pairs("host1", "attributes", {"fail-count-standby-db1#start_0": "INFINITY"})   # as the controller counts
    site.run()
    assert site.images() == {"db1": "host2"}
    assert "host1 is tried again at " in site.why("db1")["host1"]
    site.revoke("db1")
    assert "start failed" in site.status("db1")["reason"]
    assert "host1 is tried again at " in site.status("db1")["reason"]


def test_a_failure_is_shown_at_its_own_server_alone(simulation):
    site = simulation(HOSTS, [Server("db"), Server("db_1")])
    site.run("--ticket-grant", "takeover-db_1", "--op-fail", "standby-db_1_start_0@host1=1")
    site.revoke("db_1")
    assert site.status("db")["reason"] == ""
    assert "start failed" in site.status("db_1")["reason"]


def in_clone(site, *tags: str) -> None:
    """As `pcs resource clone` does, with what stands around the image from the outside in."""
    cib = site._read()
    resources = cib.find("configuration/resources")
    inner = cib.find(".//primitive[@id='standby-db1']")
    resources.remove(inner)
    for tag in reversed(tags):
        outer = ET.Element(tag, id=f"the-{tag}")
        outer.append(inner)
        inner = outer
    resources.append(inner)
    site._write(cib)


@pytest.mark.parametrize("tags", [("clone",), ("clone", "group")], ids="-".join)
def test_an_image_in_a_clone_is_protected_by_nobody_and_all_say_so(site, tags):
    in_clone(site, *tags)
    why = "run pcs resource unclone the-clone"
    assert why in site.status("db1")["reason"]
    assert any(trouble.startswith("db1: ") and why in trouble for trouble in site.troubles())
    assert why in refused(site, "adopt", "--no-store", "db1", "--disk", "vm/db1")
    site.understudy("forget", "db1", "--force")
    site.adopt(Server("db1"))
    assert site.status("db1")["reason"] == "" and not any(trouble.startswith("db1") for trouble in site.troubles())


def test_a_server_is_found_whatever_the_id_of_its_image(site):
    cib = site._read()
    image = cib.find(".//primitive[@id='standby-db1']")
    image.set("id", "app-db1")
    ET.SubElement(image.find("instance_attributes"), "nvpair", id="named", name="server", value="db1")
    for constraint in cib.findall(".//constraints/*[@rsc='standby-db1']"):
        constraint.set("rsc", "app-db1")
    site._write(cib)

    def parameters() -> dict[str, str]:
        return {pair.get("name"): pair.get("value")
                for pair in site._read().findall(".//primitive[@id='app-db1']/instance_attributes/nvpair")}

    site.understudy("pause", "db1")
    assert "resumed" in parameters()["paused_until"]
    site.understudy("resume", "db1")
    assert "paused_until" not in parameters()
    site.understudy("hold", "db1")
    assert parameters()["hold"] == "true"
    assert "held_takeover" not in parameters(), "nobody said that it is taken over"
    cib = site._read()
    image = cib.find(".//primitive[@id='app-db1']/instance_attributes")
    ET.SubElement(image, "nvpair", id="noted", name="held_takeover", value="true")     # as the observers do then
    site._write(cib)
    site.understudy("hold", "db1", "--off")
    assert not {"hold", "held_takeover"} & parameters().keys()
    site.adopt(Server("db1"), "--set", "hold_down=9s")
    assert parameters()["hold_down"] == "9s" and parameters()["server"] == "db1"
    site.run()   # it is looked for under its new id
    assert site.status("db1")["reason"] == ""
    assert len(site._read().findall(".//primitive[@type='image']")) == 1
    site.understudy("forget", "db1", "--force")
    assert site._read().find(".//primitive[@type='image']") is None
    assert site._read().find(".//constraints/*[@rsc='app-db1']") is None


# --- what the command says -----------------------------------------------------


@pytest.mark.parametrize("words", [("adopt", "db2", "--no-store", "--disk", "vm/db2", "--print", "xml"),
                                   ("keys", "--host", "10.0.2.11"), ("status", "--no-store"), ("hosts",), ("--help",),
                                   ("adopt", "db1", "--no-store", "--disk", "vm/db1")], ids=lambda words: words[0])
def test_a_full_disk_is_an_error(site, words):
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([site.tools.command, *words], env=site.tools.environment(site.cib), stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1
    assert "standard output can't be written" in done.stderr


def test_an_address_is_taken_in_any_spelling(site):
    assert "[[]fd00::11[]]" in site.understudy("keys", "--host", "fd00:0::0011")


def test_a_cib_of_a_newer_pacemaker_is_said_to_be_one(site):
    text = site.cib.read_text(encoding="utf-8")
    site.cib.write_text(text.replace('crm_feature_set="3.16.1"', 'crm_feature_set="3.99.0"', 1), encoding="utf-8")
    assert "newer Pacemaker" in refused(site, "adopt", "--no-store", "db2", "--disk", "vm/db2")
    site.cib.write_text(text.replace("pacemaker-3.9", "pacemaker-9.9", 1), encoding="utf-8")
    assert "Pacemaker that wrote it" in refused(site, "adopt", "--no-store", "db2", "--disk", "vm/db2")


def test_a_rival_that_writes_capacities_is_named(site):
    cib = site._read()
    cib.find("configuration/resources").append(ET.fromstring(
        '<primitive id="nu" class="ocf" provider="heartbeat" type="NodeUtilization"/>'))
    site._write(cib)
    assert "nu (ocf:heartbeat:NodeUtilization) writes" in site.understudy("status", "--no-store")


def test_a_template_is_part_of_the_resource(site):
    """As an operator may have written it: adopt changes what it is asked, and forget takes it out."""
    cib = site._read()
    resources = cib.find("configuration/resources")
    image = resources.find("primitive[@id='standby-db1']")
    template = ET.SubElement(resources, "template", {"id": "tpl", "class": image.attrib.pop("class"),
                                                     "provider": image.attrib.pop("provider"),
                                                     "type": image.attrib.pop("type")})
    template.append(image.find("instance_attributes"))
    image.remove(image.find("instance_attributes"))
    image.set("template", "tpl")
    resources.remove(template)
    resources.insert(0, template)
    site._write(cib)
    assert "already" in site.understudy("adopt", "db1", "--no-store", "--disk", "vm/db1")
    site.understudy("adopt", "db1", "--no-store", "--set", "hold_down=7s")
    site.run()
    site.grant("db1")
    assert site.images() == {"db1": "host1"}
    site.revoke("db1")
    site.understudy("forget", "db1", "--force")
    assert site._read().find(".//primitive[@id='standby-db1']") is None


def test_a_change_that_would_interrupt_an_image_is_refused(site):
    """What changes nothing for it is not."""
    more_cpus = ("adopt", "db1", "--no-store", "--vcpus", "3")
    site.grant("db1")
    assert site.images() == {"db1": "host1"}
    assert "the image of db1 runs on host1, and with this change Pacemaker would restart it" in refused(
        site, *more_cpus, code=4)
    site.adopt(Server("db2"))
    site.run()
    site.understudy(*more_cpus, "--restart")
    assert "Restart    standby-db1" in site.run()
    site.revoke("db1")
    site.understudy("adopt", "db1", "--no-store", "--vcpus", "1")
