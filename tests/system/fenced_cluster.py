# SPDX-License-Identifier: GPL-2.0-or-later
"""A cluster whose hosts Pacemaker fences with fence_rbd, and the image of a failed database server on one of them."""

import json
import re
import xml.etree.ElementTree as ET

from documented import command
from fence_watch import qemu_pid
from lab import cluster, standby
from lab.api import Lab, wait_until
from lab.guest import build
from lab.guest.kvm import domain_type
from lab.site import POOL, LabError
from protected import Protected

SERVER = "db1"
RESOURCE = f"standby-{SERVER}"
RUN_IMAGE = f"run-{SERVER}-0"
# Not the one of other tests: what they boot has no database.
RECOVERY_IMAGE = "ledger"
DEVICE = "store-fence"
LIAR = "liar"   # a device that says yes and does nothing; in no level but where a test wants it
# For a host that is back without having booted; starts in the lab take less than this.
START_TIMEOUT_S = 5
# For a power switch that is dead: the time until the next level has its turn.
POWER_TIMEOUT_S = 20
# A fencer that restarts its devices in the same moment may forget a request; Pacemaker asks again after 144 s.
UNFENCE_TIMEOUT_S = 240
MOVE_TIMEOUT_S = 90
REJOIN_TIMEOUT_S = 120
TIMING = {"probe_interval": "500ms", "hold_down": "1s", "recover_after": "2s"}


class FencedCluster:
    """What these tests do with a lab, and see of it from outside."""

    def __init__(self, lab: Lab):
        self.lab, self.site, self.hosts = lab, lab.site, lab.site.host_names
        self.protected = Protected(lab)
        self.watch = None      # the checker of the test that runs

    # --- set up and down ----------------------------------------------------------------

    def adopt(self) -> None:
        """The server with an image that holds a database, and its hosts fenced by the store alone."""
        self.forget()
        raw = build.make_server_image(self.site, SERVER)
        words = [word for name, value in TIMING.items() for word in ("--set", f"{name}={value}")]
        self.run("understudy", "adopt", SERVER, "--disk", f"{POOL}/{RECOVERY_IMAGE}={raw}",
                 *standby.adopt_options(self.lab, SERVER, domain_type()), *words, timeout_s=180)
        raw.unlink(missing_ok=True)
        wait_until(lambda: self.protected.server(SERVER)["votes"]["up"] > 0, 60, f"{SERVER} to be seen", poll_s=0.3)
        for host in self.hosts:
            self.run("crm_resource", "--resource", f"power-{host}", "--set-parameter", "pcmk_reboot_timeout",
                     "--parameter-value", f"{POWER_TIMEOUT_S}s")
        self.wait_idle()
        words = command("fencing.md", f"pcs stonith create {DEVICE}")
        words.insert(words.index("meta"), f"start_timeout={START_TIMEOUT_S}")
        self.run(*words)
        for host in self.hosts:
            wait_until(lambda h=host: self.is_unfenced(h), UNFENCE_TIMEOUT_S, f"{host} to be unfenced for the first time",
                       poll_s=0.3)
        self.wait_idle()
        self.run("pcs", "stonith", "create", LIAR, "fence_dummy", f"pcmk_host_list={' '.join(self.hosts)}",
                 "status_file=/run/fence_dummy.status")
        self.wait_idle()
        self.set_levels(DEVICE)
        # A host that is back waits for its own word that nothing runs on it.
        self.protected.quicken()

    def wait_idle(self) -> None:
        """Until Pacemaker has nothing left to do, before another device is made.

        The fencer of Pacemaker 2.1 asks a new device's agent for its meta-data, and may miss that the start of another device,
        or an unfencing, ends meanwhile: it then waits until something else of its own ends, or for 80 s and a failed start.
        """
        self.run("crm_resource", "--wait", "--timeout", f"{UNFENCE_TIMEOUT_S}s", timeout_s=UNFENCE_TIMEOUT_S + 20)

    def forget(self) -> None:
        """None of that."""
        self.run("pcs", "stonith", "level", "clear", check=False)
        for device in (DEVICE, LIAR):
            self.run("pcs", "stonith", "delete", device, check=False)
        for host in self.hosts:
            self.run("crm_resource", "--resource", f"power-{host}", "--delete-parameter", "pcmk_reboot_timeout",
                     check=False)
        self.run("understudy", "forget", SERVER, "--force", check=False)
        wait_until(lambda: not any(self.qemu(host) for host in self.hosts), 60, "the image to stop", poll_s=0.3)
        for image in (RUN_IMAGE, RECOVERY_IMAGE):
            wait_until(lambda i=image: self.is_removed(i), 60, f"{image} to go", poll_s=1)

    def is_removed(self, image: str) -> bool:
        """Whether an image is not in the store, or has just been removed."""
        if image not in self.protected.store_images():
            return True
        self.lab.exec("store", "rbd", "snap", "purge", "--no-progress", f"{POOL}/{image}", check=False)
        return self.lab.exec("store", "rbd", "rm", "--no-progress", f"{POOL}/{image}", check=False).returncode == 0

    def set_levels(self, *devices: str) -> None:
        """Which devices fence each host: a level a word, those of one level joined by commas; {host} is its name."""
        topology = ET.Element("fencing-topology")
        for host in self.hosts:
            for index, words in enumerate(devices, 1):
                ET.SubElement(topology, "fencing-level", id=f"fl-{host}-{index}", target=host, index=str(index),
                              devices=words.format(host=host))
        self.clear_levels()
        self.run("cibadmin", "--create", "--scope", "configuration", "--xml-text",
                 ET.tostring(topology, encoding="unicode"))

    def clear_levels(self) -> None:
        """No fencing levels."""
        self.run("cibadmin", "--delete", "--xml-text", "<fencing-topology/>")

    def levels_of(self, host: str) -> list[list[str]]:
        """The devices of each level of a host, as the CIB has them."""
        topology = ET.fromstring(self.run("cibadmin", "--query", "--scope", "fencing-topology").stdout)
        levels = [level for level in topology.iter("fencing-level") if level.get("target") == host]
        return [level.get("devices").split(",") for level in sorted(levels, key=lambda level: int(level.get("index")))]

    def attribute(self, host: str, name: str) -> str | None:
        """A host's attribute as Pacemaker's attribute daemon has it."""
        done = self.run("attrd_updater", "--query", "--name", name, "--node", host, check=False)
        found = re.search(r'value="([^"]*)"', done.stdout)
        return found.group(1) if found else None

    def is_unfenced(self, host: str) -> bool:
        """Whether Pacemaker has unfenced a host."""
        return self.attribute(host, "#node-unfenced") not in (None, "", "0")

    # --- questions -------------------------------------------------------------------------

    def run(self, *argv, host: str | None = None, **options):
        """A command on a host that is a member of the cluster."""
        return self.lab.exec(host or self.member(), *argv, **options)

    def member(self) -> str:
        """A host whose partition has quorum."""
        for host in self.hosts:
            node = self.lab.node(host)
            if node.state() == "running" and not {"mgmt", "store"} & set(node.cut):
                done = self.lab.exec(host, "crm_node", "--quorum", check=False, timeout_s=20)
                if done.stdout.strip() == "1":
                    return host
        raise LabError("No host has quorum.")

    def online(self) -> set[str]:
        """Hosts that are members and not to be fenced, as a member says; none if its Pacemaker ends in that moment."""
        tree = cluster.crm_mon(self.lab.node(self.member()))
        return {node.get("name") for node in (tree.findall("nodes/node") if tree is not None else [])
                if node.get("online") == "true" and node.get("unclean") == "false" and node.get("pending") == "false"}

    def where(self) -> str | None:
        """Where Pacemaker runs the image."""
        return self.protected.images_running(host=self.member()).get(SERVER)

    def qemu(self, host: str) -> int | None:
        """The image's QEMU on a host, frozen or not."""
        return qemu_pid(self.lab, host, RESOURCE)

    def is_refused(self, host: str) -> bool:
        """Whether the store refuses a host, by the OSD map."""
        done = self.lab.exec("store", "ceph", "osd", "dump", "--format", "json")
        return f"{self.site.address(host, 'store')}:0/0" in json.loads(done.stdout)["blocklist"]

    def room(self, host: str) -> dict[str, int]:
        """What a host has published that it can carry, by the CIB."""
        nodes = ET.fromstring(self.run("cibadmin", "--query", "--scope", "nodes").stdout)
        return {pair.get("name"): int(pair.get("value"))
                for pair in nodes.findall(f"node[@uname='{host}']/utilization/nvpair")}

    def records(self) -> list[str]:
        """Hosts that are fenced, by their records; what is recorded of single clients is no fence."""
        done = self.lab.exec("store", "ceph", "config-key", "dump", "understudy/fence/", "--format", "json")
        return sorted({key.removeprefix("understudy/fence/").split("/")[0] for key, value in json.loads(done.stdout).items()
                       if json.loads(value)["entries"]})

    def fencings(self, host: str) -> list[ET.Element]:
        """What the fencer has done to a host, newest first."""
        done = self.run("stonith_admin", "--history", host, "--verbose", "--output-as=xml", check=False)
        return list(ET.fromstring(done.stdout).iter("fence_event"))

    def troubles(self) -> list[str]:
        """What `understudy status` complains about."""
        done = self.run("understudy", "status", "--json", check=False, timeout_s=40)
        return json.loads(done.stdout)["troubles"]

    # --- doing --------------------------------------------------------------------------------

    def take_over(self) -> str:
        """The server has failed, its image serves; where."""
        if self.lab.node(SERVER).state() != "crashed":
            self.lab.crash(SERVER)
        return self.wait_serves()

    def wait_serves(self, not_on: str | None = None, timeout_s: float = MOVE_TIMEOUT_S) -> str:
        """Until the image runs, on another host than that one, and its database answers; where."""
        def runs():
            where = self.where()
            return where if where not in (None, not_on) else None
        where = wait_until(runs, timeout_s, f"the image to run{f' elsewhere than on {not_on}' if not_on else ''}",
                           poll_s=0.2)
        self.lab.wait_database(SERVER, timeout_s=60)
        return where

    def mend(self, host: str) -> None:
        """Power, cables and daemons as they should be."""
        node = self.lab.node(host)
        if node.state() == "frozen":
            self.lab.thaw(host)
        for network in list(node.cut):
            self.lab.heal(host, network)
        if node.state() == "crashed":
            self.lab.boot(host)

    def rejoin(self, host: str) -> None:
        """A host is mended and its cluster started, as an operator does: Pacemaker that was fenced stays down."""
        self.mend(host)

        def is_back():
            for service in ("virtlogd", "libvirtd", "corosync", "pacemaker"):
                self.lab.service(host, "up", service)
            return host in self.online() and host not in self.records() and not self.is_refused(host)
        wait_until(is_back, REJOIN_TIMEOUT_S, f"{host} to be a member again, and unfenced", poll_s=0.5)

    def settle(self) -> None:
        """Every host a member and none fenced, whatever a failed test has left."""
        for service in ("mon", "osd"):
            self.lab.service("store", "start", service)
        for host in self.hosts:
            self.lab.service("bmc", "start", host)
        for host in self.hosts:
            self.mend(host)
        for host in self.hosts:
            self.rejoin(host)
        self.run("crm_resource", "--cleanup", check=False)

    def domain_state(self, host: str) -> str:
        """What libvirt on a host says of the image, with the reason."""
        done = self.lab.exec(host, "virsh", "-c", "qemu:///system", "domstate", "--reason", RESOURCE, check=False)
        return done.stdout.strip()
