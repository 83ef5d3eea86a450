# SPDX-License-Identifier: GPL-2.0-or-later
"""What a lab looks like when something has gone wrong in it: every node's logs and the answers of cluster and store."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.api import Lab
from lab.site import POOL, LabError

LOG_MAX_BYTES = 2 << 20     # the end of each; Corosync and Ceph write more than anybody reads
ANSWER_TIMEOUT_S = 20       # a part of the lab that hangs is what is looked for: it must not hang the look

# What is asked, by kind of node: file name -> argv.
QUESTIONS = {
    "any": {"ps": ["ps", "-eo", "pid,ppid,stat,etimes,wchan:20,args", "--forest"],
            "addresses": ["ip", "-brief", "address"],
            "services": ["sh", "-c", "sv status /run/service/*"]},
    "host": {"crm_mon.xml": ["crm_mon", "-1", "--output-as=xml"],
             "cib.xml": ["cibadmin", "--query"],
             "understudy.json": ["understudy", "status", "--json"],
             "fencing": ["stonith_admin", "--history", "*", "--verbose"],
             "domains": ["virsh", "-c", "qemu:///system", "list", "--all"],
             "run": ["sh", "-c", "tail -n +1 /run/understudy/*.state /run/libvirt/qemu/*.xml"]},
    "store": {"ceph": ["ceph", "-s"],
              "osdmap.json": ["ceph", "osd", "dump", "--format", "json-pretty"],
              "keys": ["ceph", "config-key", "dump", "understudy/"],
              "images": ["rbd", "ls", "--long", POOL]},
}
# Asked of every image in the pool.
IMAGE_QUESTIONS = (["rbd", "status"], ["rbd", "lock", "ls"], ["rbd", "snap", "ls"])


def evidence_keep(lab: Lab, folder: Path) -> Path:
    """Writes a folder for each node below FOLDER, and returns FOLDER. What can't be had is said in its place."""
    with ThreadPoolExecutor(len(lab.site.node_names)) as pool:
        list(pool.map(lambda name: _keep_node(lab, name, folder / name), lab.site.node_names))
    return folder


def lab_up(lab: Lab, folder: Path, tries: int = 2, **options) -> None:
    """Brings a lab up; each time that it does not come up, its evidence is kept in a folder below FOLDER.

    Raises the last LabError. A second try clears what the first has left, and says so: it must not pass unseen.
    """
    for attempt in range(1, tries + 1):
        try:
            lab.up(**options)
            return
        except LabError as error:
            kept = evidence_keep(lab, folder / f"{lab.site.name}-up-{attempt}")
            (kept / "failure").write_text(f"{error}\n", encoding="utf-8")
            if attempt == tries:
                raise LabError(f"{error}\nWhat it looked like is in {kept}.") from error
            lab.say(f"once more, for {error} What it looked like is in {kept}.")


def _keep_node(lab: Lab, name: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    _keep_logs(lab.site.log_dir(name), folder / "log")
    state = lab.node(name).state()
    (folder / "state").write_text(f"{state}\n", encoding="ascii")
    if state != "running" or name == "bmc":
        return
    kind = lab.site.kind(name)
    for file, argv in (QUESTIONS["any"] | QUESTIONS.get(kind, {})).items():
        (folder / file).write_text(_answer(lab, name, argv), encoding="utf-8")
    if kind == "store":
        _keep_images(lab, folder)


def _keep_images(lab: Lab, folder: Path) -> None:
    said = []
    try:
        images = lab.exec("store", "rbd", "ls", POOL, timeout_s=ANSWER_TIMEOUT_S).stdout.split()
    except LabError as error:   # nor would it answer for each of them
        images, said = [], [f"no answer: {error}"]
    for image in images:
        for words in IMAGE_QUESTIONS:
            argv = [*words, f"{POOL}/{image}"]
            said.append(f"== {' '.join(argv)}\n{_answer(lab, 'store', argv)}")
    (folder / "clients-of-images").write_text("\n".join(said), encoding="utf-8")


def _answer(lab: Lab, node: str, argv: list[str]) -> str:
    try:
        done = lab.exec(node, *argv, check=False, timeout_s=ANSWER_TIMEOUT_S)
    except (LabError, OSError, subprocess.SubprocessError) as error:
        return f"no answer: {error}\n"
    return done.stdout + done.stderr


def _keep_logs(source: Path, target: Path) -> None:
    for path in sorted(source.rglob("*")):
        if path.is_file() and path.stat().st_size > 0:
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "rb") as log:
                log.seek(max(0, path.stat().st_size - LOG_MAX_BYTES))
                copy.write_bytes(log.read())
