#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Power switches: a simulated BMC per host and server, and the program that each of them calls.

As a program: `power.py LABNAME FOLDER NODE get|set WHAT [VALUE]`, ipmi_sim's chassis_control; and
`power.py LABNAME FOLDER NODE firmware`, what a machine does between power on and boot.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from lab import net, process
from lab.node import PATH, Node
from lab.service import Service
from lab.site import BMC_PASSWORD, BMC_USER, LabError, Site, write_atomically

# From power on to boot; a real machine takes minutes. A host that is back before its fencer has reported the fencing
# would be told of it as a member, and its Pacemaker would end.
FIRMWARE_S = 6

# One management controller, enough for chassis power.
COMMANDS = """mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
mc_enable 0x20
"""


def _program(site: Site, node: str) -> list[str]:
    return ["/usr/bin/python3", str(Path(__file__).resolve()), site.name, str(site.dir), node]


def lan_conf(site: Site, node: str, password: str) -> str:
    control = shlex.join(_program(site, node))
    return f"""name "{node}"
set_working_mc 0x20
  startlan 1
    addr {site.bmc_address(node)} 623
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid {site.uuid("bmc-" + node).replace("-", "")}
  endlan
  chassis_control "{control}"
  startnow false
  user 1 false "" "" user 1 none md2 md5 straight
  user 2 true "{BMC_USER}" "{password}" admin 10 none md2 md5 straight
"""


class BmcNode(Node):
    """All BMCs of the site. They share the machine's PID and mount namespaces, for they switch the others' power."""

    def __init__(self, site: Site):
        super().__init__(site, "bmc")
        self.services = site.node_dir("bmc") / "service"

    def start(self, password: str = BMC_PASSWORD) -> None:
        with self.locked():
            self._clear()
            net.plug(self.site, self.name, self.cut)
            self.cgroup.create()
            logs = self.site.log_dir("bmc")
            logs.mkdir(parents=True, exist_ok=True)
            for target in self.site.powered_names:
                self._write_bmc(target, password, logs)
            with open(logs / "boot.log", "ab") as log:
                runner = subprocess.Popen(
                    self.cgroup.entering(["nsenter", f"--net=/run/netns/{self.site.netns('bmc')}",
                                          "runsvdir", "-P", str(self.services)]),
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
                    env={"PATH": PATH, "LANG": "C.UTF-8"})
            self._save(pid=runner.pid, started=process.start_time(runner.pid))
        process.wait_until(self._all_listen, 20, f"the BMCs to listen: see {logs}")

    def _all_listen(self) -> bool:
        return len(self.exec("ss", "-Hlun", "sport = 623").stdout.splitlines()) >= len(self.site.powered_names)

    def _write_bmc(self, target: str, password: str, logs: Path) -> None:
        folder = self.site.node_dir("bmc") / target
        (folder / "state").mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "lan.conf", lan_conf(self.site, target, password), 0o600)
        write_atomically(folder / "commands", COMMANDS)
        service = Service(target, ["ipmi_sim", "-c", str(folder / "lan.conf"), "-f", str(folder / "commands"),
                                   "-s", str(folder / "state"), "-n"])
        (self.services / target / "control").mkdir(parents=True, exist_ok=True)
        for name, text in service.files(str(self.services), str(logs)).items():
            write_atomically(self.services / target / name, text, 0o755)

    # --- from power on to boot -------------------------------------------------

    def _firmware_file(self, target: str) -> Path:
        return self.site.node_dir("bmc") / target / "firmware.json"

    def _firmware(self, target: str) -> int | None:
        """The process that is going to boot a node."""
        try:
            state = json.loads(self._firmware_file(target).read_text())
        except FileNotFoundError:
            return None
        return state["pid"] if process.is_alive(state["pid"], state["started"]) else None

    def is_on(self, target: str) -> bool:
        """Whether a node has power, booted or not."""
        return Node(self.site, target).pid is not None or self._firmware(target) is not None

    def switch_on(self, target: str) -> None:
        """Gives a node power; it boots after FIRMWARE_S."""
        if self.is_on(target):
            return
        firmware = subprocess.Popen(_program(self.site, target) + ["firmware"], stdin=subprocess.DEVNULL, cwd="/",
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        write_atomically(self._firmware_file(target), json.dumps({"pid": firmware.pid,
                                                                  "started": process.start_time(firmware.pid)}))

    def cancel_boot(self, target: str) -> None:
        """Power is gone before the node has booted."""
        pid = self._firmware(target)
        if pid is not None:
            process.kill(pid)

    def command(self, argv, folder: Path = Path("/")) -> list[str]:
        self._need_power("run a program")
        return self._entering([f"--net=/run/netns/{self.site.netns('bmc')}"], argv, folder)

    def environment(self) -> dict[str, str]:
        return super().environment() | {"SVDIR": str(self.services)}


def control(name: str, folder: str, node: str, action: str, what: str = "", value: str | None = None) -> int:
    """ipmi_sim's question or order; prints the answer."""
    from lab.api import Lab  # the API knows power, too
    lab = Lab(Site.load(name, Path(folder)))
    bmc = lab.node("bmc")
    if action == "firmware":
        time.sleep(FIRMWARE_S)
        lab.power(node, True)
    elif action == "get":
        answers = {"power": str(int(bmc.is_on(node))), "boot": "default"}
        if what not in answers:
            return 1
        print(f"{what}:{answers[what]}")
    elif what == "power" and value == "1":
        bmc.switch_on(node)
    elif what in ("power", "reset", "shutdown"):
        lab.power(node, False)
        if what == "reset":
            bmc.switch_on(node)
    return 0


def main() -> int:
    name, folder, node, action, *rest = sys.argv[1:]
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ipmi_sim ignores it, and so would our children
    os.environ["PATH"] = PATH
    try:
        return control(name, folder, node, action, *rest[:2])
    except LabError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
