# SPDX-License-Identifier: GPL-2.0-or-later
"""Corosync and Pacemaker on the cloud hosts, and what is asked of them."""

import base64
import xml.etree.ElementTree as ET

from lab import process
from lab.node import Node, Plan
from lab.service import Service
from lab.site import LabError, Site

# Corosync's two links, in the order of their numbers.
LINKS = ("mgmt", "svc")

# A dead link must be found before the token is given up, or the end of one link makes a new membership. With
# Corosync's own values, a quarter and a half of the token, both happen at about the same time.
LINK_PING_INTERVAL_MS = 200
LINK_PING_TIMEOUT_MS = 400

# After a message the token goes round this often before it is held. Each round wakes up all hosts: with Corosync's own 30
# the idle daemons of three labs took a seventh of a small machine.
TOKEN_ROUNDS = 3

# What the cluster starts with, before anybody configures it. dc-deadtime is how
# long the first election waits for others: 20 s by default.
CLUSTER_PROPERTIES = {"dc-deadtime": "1s", "stonith-enabled": "false"}


def corosync_conf(site: Site) -> str:
    links = "".join(f"    interface {{\n        linknumber: {i}\n        knet_ping_interval: {LINK_PING_INTERVAL_MS}\n"
                    f"        knet_ping_timeout: {LINK_PING_TIMEOUT_MS}\n    }}\n" for i in range(len(LINKS)))
    nodes = ""
    for host in site.host_names:
        rings = "".join(f"        ring{i}_addr: {site.address(host, net)}\n" for i, net in enumerate(LINKS))
        nodes += f"    node {{\n        name: {host}\n        nodeid: {site.index(host)}\n{rings}    }}\n"
    return f"""totem {{
    version: 2
    cluster_name: {site.name}
    transport: knet
    crypto_cipher: none
    crypto_hash: none
    token: 1000
    seqno_unchanged_const: {TOKEN_ROUNDS}
{links}}}
nodelist {{
{nodes}}}
quorum {{
    provider: corosync_votequorum
    expected_votes: {site.hosts}
}}
system {{
    move_to_root_cgroup: no
}}
logging {{
    to_stderr: no
    to_syslog: no
    to_logfile: yes
    logfile: /var/log/corosync/corosync.log
    timestamp: hires
}}
"""


def first_cib(site: Site) -> str:
    cib = ET.Element("cib", {"epoch": "1", "num_updates": "0", "admin_epoch": "0", "validate-with": "pacemaker-3.9",
                             "crm_feature_set": "3.6.1"})
    configuration = ET.SubElement(cib, "configuration")
    _set_properties(ET.SubElement(configuration, "crm_config"), CLUSTER_PROPERTIES)
    nodes = ET.SubElement(configuration, "nodes")
    for host in site.host_names:
        ET.SubElement(nodes, "node", id=str(site.index(host)), uname=host)
    for part in ("resources", "constraints"):
        ET.SubElement(configuration, part)
    ET.SubElement(cib, "status")
    return ET.tostring(cib, encoding="unicode") + "\n"


def plan(site: Site, host: str, first_boot: bool) -> Plan:
    """A host's part of the cluster. Its CIB is its own from the first boot on."""
    authkey = base64.b64encode(site.uuid("authkey").encode()).decode()
    result = Plan(
        services=[
            Service("corosync", ["corosync", "-f"], check=["corosync-cfgtool", "-s"], restart=False),
            # 100: pacemakerd was fenced and must not come back by itself.
            Service("pacemaker", ["pacemakerd"], after=("corosync",), check=["crmadmin", "-P"], stays_down=(0, 100),
                    environment={"PCMK_logfile": "/var/log/pacemaker/pacemaker.log", "PCMK_logfacility": "none"}),
        ],
        files={
            "/etc/corosync/corosync.conf": (corosync_conf(site), 0o644),
            "/etc/pacemaker/authkey": (authkey + "\n", 0o640),
        },
        folders={
            "/var/log/corosync": ("root", "root", 0o755),
            "/var/log/pacemaker": ("hacluster", "haclient", 0o770),
            "/var/log/crmsh": ("root", "root", 0o755),
            "/var/log/pcsd": ("root", "root", 0o700),
            "/var/log/cluster": ("root", "root", 0o755),
        },
        owners={"/etc/pacemaker/authkey": ("hacluster", "haclient")},
    )
    if first_boot:
        path = "/var/lib/pacemaker/cib/cib.xml"
        result.files[path] = (first_cib(site), 0o600)
        result.owners[path] = ("hacluster", "haclient")
    return result


# --- questions ---------------------------------------------------------------

def crm_mon(node: Node, timeout_s: float = 30) -> ET.Element | None:
    """What crm_mon says on a host; None when the cluster does not answer there."""
    done = node.exec("crm_mon", "--output-as=xml", check=False, timeout_s=timeout_s)
    if done.returncode != 0:
        return None
    return ET.fromstring(done.stdout)


def summary(node: Node) -> dict | None:
    """{'quorate': bool, 'dc': name or None, 'online': [names]} as a host sees it; None without an answer."""
    xml = crm_mon(node)
    dc = xml.find("summary/current_dc") if xml is not None else None
    if dc is None:
        return None
    return {"quorate": dc.get("with_quorum") == "true",
            "dc": dc.get("name") if dc.get("present") == "true" else None,
            "online": [n.get("name") for n in xml.findall("nodes/node") if n.get("online") == "true"]}


def wait_ready(site: Site, node: Node, timeout_s: float = 60) -> None:
    """Until all hosts are online in a quorate cluster with a DC."""
    seen = None

    def ready():
        nonlocal seen
        seen = summary(node)
        return seen is not None and seen["quorate"] and seen["dc"] and len(seen["online"]) == site.hosts
    try:
        process.wait_until(ready, timeout_s, f"all of {', '.join(site.host_names)} to be online in a quorate cluster",
                           poll_s=0.2)
    except LabError as error:
        raise LabError(f"{error} {node.name} sees {seen or 'no cluster'}.") from None


# --- fencing -----------------------------------------------------------------

PASSWORD_SCRIPT = "/etc/understudy-lab/bmc-password"


def fencing_files(password: str) -> dict:
    """The script from which fence_ipmilan gets the password: none in the CIB."""
    return {PASSWORD_SCRIPT: (f"#!/bin/sh\nprintf %s '{password}'\n", 0o700)}


def fenced_names(site: Site) -> list[str]:
    """Whose power the cluster switches: a host that is alone can't be fenced by another."""
    return site.powered_names if site.hosts > 1 else site.server_names


def configure_fencing(site: Site, node: Node, user: str) -> None:
    """A fence_ipmilan resource for every server and host, and stonith-enabled=true, in one change of the CIB.

    What is there already is as it was afterwards. One program does it: pcs takes a second for each resource.
    """
    configuration = ET.Element("configuration")
    _set_properties(ET.SubElement(configuration, "crm_config"), {"stonith-enabled": "true"})
    resources = ET.SubElement(configuration, "resources")
    constraints = ET.SubElement(configuration, "constraints")
    for target in fenced_names(site):
        name = f"power-{target}"
        options = {"ip": site.bmc_address(target), "username": user, "password_script": PASSWORD_SCRIPT, "lanplus": "1",
                   "cipher": "3", "pcmk_host_list": target, "pcmk_host_check": "static-list"}
        if site.kind(target) == "server":
            options["pcmk_reboot_action"] = "off"   # a fenced server stays off
        device = ET.SubElement(resources, "primitive", {"id": name, "class": "stonith", "type": "fence_ipmilan"})
        _add_pairs(ET.SubElement(device, "instance_attributes", id=f"{name}-instance_attributes"), options)
        # Each look at a power switch starts a dozen processes, and several labs may share the machine.
        ET.SubElement(ET.SubElement(device, "operations"), "op", id=f"{name}-monitor-interval-600s", name="monitor",
                      interval="600s")
        if site.kind(target) == "host":
            ET.SubElement(constraints, "rsc_location", id=f"location-{name}", rsc=name, node=target, score="-INFINITY")
    node.exec("cibadmin", "--modify", "--allow-create", "--scope", "configuration", "--xml-pipe",
              stdin=ET.tostring(configuration, encoding="unicode"))


def _set_properties(crm_config: ET.Element, values: dict[str, str]) -> None:
    _add_pairs(ET.SubElement(crm_config, "cluster_property_set", id="cib-bootstrap-options"), values)


def _add_pairs(pair_set: ET.Element, values: dict[str, str]) -> None:
    for name, value in values.items():
        ET.SubElement(pair_set, "nvpair", id=f"{pair_set.get('id')}-{name}", name=name, value=value)


def wait_fencing(site: Site, node: Node, timeout_s: float = 60) -> None:
    """Until every fence resource is started."""
    def started():
        xml = crm_mon(node)
        if xml is None:
            return False
        running = {r.get("id") for r in xml.iter("resource") if r.get("role") == "Started"}
        return running >= {f"power-{t}" for t in fenced_names(site)}
    process.wait_until(started, timeout_s, "the fence devices to start: see 'crm_mon -1' on a host", poll_s=0.2)
