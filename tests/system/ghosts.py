# SPDX-License-Identifier: GPL-2.0-or-later
"""Ghost watchers: clients that Ceph lists for ever because they died in the moment in which they opened an image.

An OSD writes a new watch down first, and begins to look after it when that is on disk. A client that dies in between
is listed from then on, and no timer and no blocklist ends that. A round of make_ghosts() has several clients ask for a
watch at once and kills them all: seen, one in eight becomes a ghost.
"""

import json

from lab.api import Lab, wait_until
from lab.site import CEPHX_USER, LabError

ROUNDS_MAX = 20
# Clients of one process, each with an address of its own, ask for a watch on one object; then the process is killed.
DYING = """
import ctypes, os, signal, sys, time
user, pool, name, count, after_s = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5])
rados = ctypes.CDLL("librados.so.2")
clients = []
for _ in range(count):
    cluster, io, size, at = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_uint64(), ctypes.c_long()
    addresses = ctypes.c_char_p()
    assert rados.rados_create(ctypes.byref(cluster), user.encode()) == 0
    assert rados.rados_conf_read_file(cluster, b"/etc/ceph/ceph.conf") == 0
    assert rados.rados_connect(cluster) == 0
    assert rados.rados_ioctx_create(cluster, pool.encode(), ctypes.byref(io)) == 0
    assert rados.rados_stat(io, name.encode(), ctypes.byref(size), ctypes.byref(at)) == 0  # connects to the OSD
    assert rados.rados_getaddrs(cluster, ctypes.byref(addresses)) == 0
    print(addresses.value.decode(), flush=True)
    clients.append(io)
notify = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_void_p,
                          ctypes.c_size_t)(lambda *_: None)
fail = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_int)(lambda *_: None)
handles = (ctypes.c_uint64 * count)()
completions = (ctypes.c_void_p * count)()
for i in range(count):
    rados.rados_aio_create_completion(None, None, None, ctypes.byref(completions, i * ctypes.sizeof(ctypes.c_void_p)))
for i in range(count):
    rados.rados_aio_watch(clients[i], name.encode(), ctypes.c_void_p(completions[i]),
                          ctypes.byref(handles, i * ctypes.sizeof(ctypes.c_uint64)), notify, fail, None)
time.sleep(after_s)
os.kill(os.getpid(), signal.SIGKILL)
"""
CLIENTS = 8
LIFE_S = 0.001   # after they asked


def watchers(lab: Lab, image: str) -> list[str]:
    """Addresses that are listed as having an image (pool/name) open."""
    done = lab.exec("store", "rbd", "status", image, "--format", "json", check=False)
    if done.returncode != 0:
        return []
    found = json.loads(done.stdout).get("watchers", [])
    return [w["address"] for w in (found.values() if isinstance(found, dict) else found)]


def _object(lab: Lab, image: str) -> str:
    """The object that an image's watchers watch."""
    info = lab.exec("store", "rbd", "info", image, "--format", "json").stdout
    return "rbd_header." + json.loads(info)["id"]


def _looked_after(lab: Lab) -> set[str]:
    """Addresses of the watchers that the OSD itself knows, whose watches time out."""
    known = json.loads(lab.exec("store", "ceph", "daemon", "osd.0", "dump_watchers").stdout)
    addresses = [entry["entity_addr_t"] for entry in known]
    return {f"{address['addr']}/{address['nonce']}" for address in addresses}


def make_ghosts(lab: Lab, node: str, image: str, user: str = CEPHX_USER) -> list[str]:
    """One ghost watcher or more of an image (pool/name), clients of a node: their addresses."""
    pool, header = image.split("/")[0], _object(lab, image)
    for _ in range(ROUNDS_MAX):
        died = lab.exec(node, "/usr/bin/python3", "-c", DYING, user, pool, header, CLIENTS, LIFE_S, check=False)
        listed = [address for address in died.stdout.split() if address in watchers(lab, image)]
        looked_after = _looked_after(lab)
        ghosts = [address for address in listed if address not in looked_after]
        if ghosts:
            return ghosts
    raise LabError(f"No ghost watcher of {image} in {ROUNDS_MAX} rounds: {died.stderr}")


def clear_ghosts(lab: Lab, image: str) -> None:
    """Has everybody who is listed as having an image open put on the blocklist, and ghosts forgotten."""
    listed = watchers(lab, image)
    if not listed:
        return
    pool = image.split("/")[0]
    with lab.store.admin() as admin:
        for address in listed:
            admin.ask("osd blocklist", blocklistop="add", addr=address, expire=60.0)
        if watchers(lab, image):
            # Another number of copies makes every placement group of the pool begin anew, and load its objects again.
            admin.ask("osd pool set", pool=pool, var="size", val="2")
            admin.ask("osd pool set", pool=pool, var="size", val="1", yes_i_really_mean_it=True)
    wait_until(lambda: not watchers(lab, image), 40, f"{image} to have no watchers", poll_s=0.2)
