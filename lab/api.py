# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab as a Python object, for the command line and for the system tests."""

import contextlib
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import cgroup, cluster, hypervisor, load, net, process, procfs, server
from lab.ceph import Store
from lab.node import Node, Plan
from lab.power import BmcNode
from lab.process import wait_until  # noqa: F401  (part of the API)
from lab.site import BMC_PASSWORD, BMC_USER, CEPHX_USER, DEFAULT_ROOT, FENCE_USER, UNFENCE_USER, LabError, Site


class Lab:
    """A whole site. Methods raise LabError, whose text is a sentence for the operator."""

    def __init__(self, site: Site | None = None, say=lambda text: None):
        """site: the parameters, or None for the default lab. say: called with a line of progress at times."""
        self.site = site if site is not None else Site()
        self.store = Store(self.site)
        self.condemned = False      # a test has failed in it: it is about to be made anew, nothing in it need be mended
        self.say = say

    def node(self, name: str) -> Node:
        return BmcNode(self.site) if name == "bmc" else Node(self.site, name)

    def locked(self, shared=False):
        return process.lock(self.site.name, shared=shared)

    # --- the whole site ------------------------------------------------------

    def up(self, fencing: bool = True) -> None:
        """Brings the site up from nothing; what an earlier run left is cleared first, its disks included."""
        check_machine()
        with self.locked():
            self._clear()
            with process.lock(process.ALL_LABS):
                self.site.save()
            procfs.start(self.site)
            net.switch_up(self.site)
            self.store.prepare()
            self.boot("bmc")
            self._together([self._up_store, lambda: self._up_hosts(fencing),
                            *(lambda s=s: self._up_server(s) for s in self.site.server_names), self._up_client])

    def _up_store(self) -> None:
        self.boot("store")
        self.store.create()
        self.say("store is healthy")

    def _up_hosts(self, fencing: bool) -> None:
        for host in self.site.host_names:
            self.boot(host)
        cluster.wait_ready(self.site, self.node("host1"))
        self.say("cluster is quorate")
        for host in self.site.host_names:
            process.wait_until(lambda h=host: self.hypervisor_answers(h), 60, f"libvirtd on {host}", poll_s=0.2)
        self.say("libvirtd answers on every host")
        if fencing:
            self.fencing()
            self.say("fence devices are started")

    def _up_server(self, name: str) -> None:
        server.make_disk(self.site, name)
        self.boot(name)

    def _up_client(self) -> None:
        self.boot("client")
        for name in self.site.server_names:
            self.wait_database(name)
        if self.site.servers:
            self.say("servers answer the client")

    def _together(self, parts) -> None:
        """Runs the parts at once; when all have ended, one LabError names all that went wrong."""
        with ThreadPoolExecutor(len(parts)) as pool:
            futures = [pool.submit(part) for part in parts]
        errors = [future.exception() for future in futures if future.exception() is not None]
        for error in errors:
            if not isinstance(error, LabError):
                raise error
        if errors:
            raise LabError("\n".join(str(e) for e in errors))

    def down(self) -> None:
        """Ends and removes everything that belongs to the lab, whatever state it is in."""
        with self.locked():
            self._clear()

    def _clear(self) -> None:
        site = self._stored()
        for existing in {site, self.site}:  # the earlier run may have had more nodes
            Lab(existing)._clear_nodes()

    def _stored(self) -> Site:
        try:
            return Site.load(self.site.name, self.site.dir)
        except (LabError, ValueError, TypeError):
            return self.site

    def _clear_nodes(self) -> None:
        # BMCs first: none may power a node on while it is cleared away.
        names = ["bmc"] + [n for n in self.site.node_names if n != "bmc"]
        self.node("bmc").crash()
        self._together([self.node(n).crash for n in names])
        for namespace in net.namespaces(self.site):
            net.remove(namespace)
        procfs.stop(self.site)
        cgroup.remove_lab(self.site)
        shutil.rmtree(self.site.dir, ignore_errors=True)
        if self.site.dir.exists():
            raise LabError(f"{self.site.dir} can't be removed: look what uses it with 'fuser -vm {self.site.dir}'.")
        if self.site.dir.parent == DEFAULT_ROOT:
            with process.lock(process.ALL_LABS), contextlib.suppress(OSError):  # another lab may be in it
                DEFAULT_ROOT.rmdir()

    def fencing(self) -> None:
        """Registers every machine's BMC with Pacemaker and turns fencing on. May be called again."""
        host = self._a_running_host()
        cluster.configure_fencing(self.site, self.node(host), BMC_USER)
        cluster.wait_fencing(self.site, self.node(host))

    def _a_running_host(self) -> str:
        for host in self.site.host_names:
            if self.node(host).state() == "running":
                return host
        raise LabError("No host is running: boot one first.")

    # --- nodes ---------------------------------------------------------------

    def plan(self, name: str) -> Plan:
        """What a node is made of."""
        site, kind = self.site, self.site.kind(name)
        result = Plan()
        first_boot = not (site.node_dir(name) / "plan.json").exists()
        if kind == "host":
            result.add(cluster.plan(site, name, first_boot))
            result.add(hypervisor.plan(site, name))
            result.files |= self.store.client_files(CEPHX_USER, FENCE_USER, UNFENCE_USER)
            result.files |= cluster.fencing_files(BMC_PASSWORD)
            result.binds |= procfs.binds(site, name)
            result.realtime = True
            result.cpus, result.memory_mib = site.host_size(name)
        elif kind == "store":
            result.add(self.store.plan())
        elif kind == "server":
            result.add(server.plan(site, name, first_boot))
        if kind != "bmc":
            result.add(load.plan())
        return result

    def boot(self, name: str) -> None:
        """Power on."""
        node = self.node(name)
        if name == "bmc":
            node.start()
        else:
            node.boot(self.plan(name))

    def crash(self, name: str) -> None:
        """Loss of power. Nothing to do when there is none."""
        if name in self.site.powered_names:
            self.node("bmc").cancel_boot(name)
        self.node(name).crash()

    def power(self, name: str, on: bool) -> None:
        """As the BMC does it: no error when the node is in that state already."""
        if not on:
            self.crash(name)
        elif self.node(name).pid is None:
            self.boot(name)

    def freeze(self, name: str) -> None:
        """Stops all processes of a node where they are; its kernel's network stack goes on."""
        self.node(name).freeze()

    def thaw(self, name: str) -> None:
        self.node(name).thaw()

    def cut(self, name: str, network: str) -> None:
        """Pulls one of a node's cables."""
        self.node(name).set_link(network, up=False)

    def heal(self, name: str, network: str) -> None:
        self.node(name).set_link(network, up=True)

    def block(self, name: str, peer: str) -> None:
        """Lets a node hear nothing more from another one, on any network, while all others still do."""
        net.block(self.node(name), peer, True)

    def unblock(self, name: str, peer: str) -> None:
        net.block(self.node(name), peer, False)

    def load(self, name: str, cpu_percent: int, memory_mib: int) -> None:
        """Burns a share of a node's own CPU capacity and holds memory; 0, 0 ends it."""
        load.set_load(self.node(name), cpu_percent, memory_mib)

    def service(self, name: str, action: str, service: str) -> subprocess.CompletedProcess:
        """sv ACTION SERVICE on a node: start, stop, kill, restart, status ... A stopped one stays down."""
        return self.node(name).exec("sv", action, service)

    def exec(self, name: str, *argv, check=True, timeout_s: float = 60, stdin: str | None = None,
             **options) -> subprocess.CompletedProcess:
        """Runs a program on a node; LabError when it fails (unless check is False) or takes too long."""
        return self.node(name).exec(*argv, check=check, timeout_s=timeout_s, stdin=stdin, **options)

    def popen(self, name: str, *argv, **options) -> subprocess.Popen:
        """Starts a program on a node; it is killed when the returned process is."""
        return self.node(name).popen(*argv, **options)

    # --- questions -----------------------------------------------------------

    def wait_database(self, name: str, timeout_s: float = 60) -> None:
        """Until a server's database answers the client on the service address."""
        client = self.node("client")
        process.wait_until(lambda: client.pid is not None and server.answers(self.site, client, name), timeout_s,
                           f"the database on {self.site.address(name, 'svc')} to answer the client", poll_s=0.2)

    def hypervisor_answers(self, host: str) -> bool:
        return self.node(host).exec("virsh", "-c", "qemu:///system", "uri", check=False).returncode == 0

    def status(self) -> dict:
        """Everything that can be seen from outside, as plain data."""
        nodes = {}
        for name in self.site.node_names:
            node = self.node(name)
            nodes[name] = {
                "kind": self.site.kind(name), "state": node.state(), "pid": node.pid,
                "addresses": {n: self.site.address(name, n) for n in self.site.networks(name)},
                "links": {n: "cut" if n in node.cut else "up" for n in self.site.networks(name)},
            }
            if name in self.site.powered_names:
                nodes[name]["bmc"] = self.site.bmc_address(name)
        running = [h for h in self.site.host_names if nodes[h]["state"] == "running"]
        found = {h: cluster.summary(self.node(h)) for h in running}
        return {"name": self.site.name, "dir": str(self.site.dir), "nodes": nodes, "cluster": found,
                "ceph": self.store.health() if nodes["store"]["state"] == "running" else "no answer"}


def check_machine() -> None:
    """LabError when this machine can't run a lab."""
    if os.geteuid() != 0:
        raise LabError("The lab needs root: run it with sudo.")
    cgroup.check()
    for device in ("/dev/fuse", "/dev/net/tun"):
        if not Path(device).exists():
            raise LabError(f"{device} is missing: load its kernel module or run on a machine that has it.")
    for program in ("tini", "runsvdir", "lxcfs", "corosync", "pacemakerd", "libvirtd", "ceph-mon", "ceph-osd",
                    "ceph-mgr", "ipmi_sim", "fence_ipmilan", "pcs", "arping", "nsenter", "setpriv"):
        if shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
            raise LabError(f"{program} is not installed: install the packages in lab/packages.txt.")
    if not Path("/usr/sbin/understudy-gate").exists():
        raise LabError("understudy-gate is not installed, and the servers need it: build with --prefix=/usr and "
                       "run 'make install' first.")
