# SPDX-License-Identifier: GPL-2.0-or-later
"""The agents as the ClusterLabs' own tools judge them."""

import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from lab.api import wait_until
from lab.guest import build
from lab.guest.kvm import domain_type
from lab.site import POOL

AGENTS = "/usr/lib/ocf/resource.d/understudy"
NAMES = ("image", "capacity", "observer")
OCF_TESTER_TIMEOUT_S = 300


def metadata(name):
    """An agent's metadata, asked for without parameters."""
    return subprocess.run([f"{AGENTS}/{name}", "meta-data"], check=True, capture_output=True, text=True,
                          env={"OCF_ROOT": "/usr/lib/ocf"}).stdout


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("schema", ["/usr/share/pcs/data/ocf-1.1.rng"])
def test_metadata_is_valid(name, schema, tmp_path):
    path = tmp_path / "meta-data.xml"
    path.write_text(metadata(name), encoding="utf-8")
    done = subprocess.run(["xmllint", "--noout", "--relaxng", schema, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_pcs_and_crm_describe_the_agent(lab, name):
    for argv in (("pcs", "resource", "describe", f"ocf:understudy:{name}"), ("crm", "ra", "info",
                                                                              f"ocf:understudy:{name}")):
        text = lab.exec("host1", *argv).stdout
        assert "Operations" in text or "operations" in text.lower(), text


PAGES = {"man7": [f"ocf_understudy_{name}.7" for name in NAMES],
         "man8": ["fence_rbd.8", "understudy.8", "understudy-gate.8", "understudy-observerd.8"]}


def test_every_page_that_is_named_is_installed():
    """What README, doc/ and the programs' own words send the reader to."""
    for section, pages in PAGES.items():
        for page in pages:
            assert ".SH DESCRIPTION" in Path("/usr/share/man", section, page).read_text(encoding="utf-8")
    for document in Path(__file__).resolve().parents[2].glob("doc/*.md"):
        if document.name == "internals.md":     # for who has the sources
            continue
        assert Path("/usr/share/doc/understudy", document.name).read_bytes() == document.read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_the_man_page_has_every_parameter(name):
    page = Path("/usr/share/man/man7", f"ocf_understudy_{name}.7").read_text(encoding="utf-8")
    for parameter in ET.fromstring(metadata(name)).iter("parameter"):
        assert f".B {parameter.get('name')}\n" in page


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_action_is_refused(name):
    done = subprocess.run([f"{AGENTS}/{name}", "dance"], capture_output=True, text=True)
    assert done.returncode == 3
    assert "usage" in done.stderr


@pytest.mark.parametrize("name,param,value", [
    ("capacity", "cpu_reserve", "-1"), ("capacity", "memory_reserve_mib", "much"), ("capacity", "memory_step_mib", "0"),
    ("capacity", "settle", "soon"), ("capacity", "ceph_conf", "ceph.conf"), ("observer", "references", "smoke:signals"),
    ("observer", "ceph_conf", "ceph.conf"),
])
def test_a_wrong_parameter_of_a_clone(name, param, value):
    def call(action):
        return subprocess.run([f"{AGENTS}/{name}", action], capture_output=True, text=True,
                              env={"OCF_ROOT": "/usr/lib/ocf", f"OCF_RESKEY_{param}": value})

    done = call("validate-all")
    assert done.returncode == 6, done.stderr
    assert f"ocf-exit-reason:{param}={value}: " in done.stderr
    # What runs goes on with what it has: a failure here would end it on every host.
    done = call("reload-agent")
    assert done.returncode == 0 and f"{param}={value}" in done.stderr, done.stderr


def ocf_tester(lab, name, instance, params):
    """Runs ocf-tester on host1."""
    options = [word for key, value in params.items() for word in ("-o", f"{key}={value}")]
    done = lab.exec("host1", "ocf-tester", "-n", instance, *options, f"{AGENTS}/{name}", check=False,
                    timeout_s=OCF_TESTER_TIMEOUT_S)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed all tests" in done.stdout


def test_ocf_tester_image(adopted):
    lab, site = adopted.lab, adopted.site
    image = build.make_tiny_image(site, "db1", out=site.dir / "images/ocf-tester.raw", address=f"{site.prefix}.3.240")
    adopted.run("rbd", "--id", "understudy", "import", str(image), f"{POOL}/ocf-tester", check=False)
    adopted.run("rbd", "--id", "understudy", "snap", "create", f"{POOL}/ocf-tester@point-1", check=False)
    ocf_tester(lab, "image", "standby-ocf-tester", {"disks": f"{POOL}/ocf-tester", "bridge": "br-svc",
                                                    "memory_mib": "256", "domain_type": domain_type()})


@pytest.mark.parametrize("name,instance", [("capacity", "understudy-capacity"), ("observer", "understudy-observer")])
def test_ocf_tester_clones(protected, name, instance):
    """On a host that the cluster's own clone is banned from while it lasts."""
    clone = f"{instance}-clone"
    ban = ("crm_resource", "--resource", clone, "--node", "host1")
    monitor = ("env", f"OCF_RESOURCE_INSTANCE={instance}", "OCF_ROOT=/usr/lib/ocf", f"{AGENTS}/{name}", "monitor")
    protected.run(*ban, "--ban")
    try:
        wait_until(lambda: protected.run(*monitor, host="host1", check=False).returncode == 7, 60,
                   f"{name} to stop on host1")
        ocf_tester(protected.lab, name, instance, {})
    finally:
        protected.run(*ban, "--clear")
    wait_until(lambda: protected.run(*monitor, host="host1", check=False).returncode == 0, 60,
               f"{name} to run on host1 again")
