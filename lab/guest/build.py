#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Standby images that boot from one raw disk alone, and the database directory of a server.

Nothing is downloaded: an image is made from Debian packages installed on this machine. As a program:

    build.py server|tiny NAME ADDRESS/PREFIXLEN OUT [--ignore-acpi]
"""

import argparse
import sys
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    __package__ = "lab.guest"

from . import disk, kernel, postgres
from .cache import ensure
from .run import BuildError

BOOT_MIB, ROOT_MIB, DATA_MIB, TINY_MIB = 32, 112, 256, 40
BOOT_PARTITION, ROOT_PARTITION, DATA_PARTITION = 1, 2, 3
CONF_NAME = "/etc/understudy-lab.conf"

# What an emulated CPU spends most of its boot on is left out; a panicked guest stays, for the host to see.
APPEND = ("console=ttyS0 loglevel=4 panic=0 mitigations=off nokaslr no_timer_check tsc=reliable "
          "random.trust_cpu=on random.trust_bootloader=on cryptomgr.notests 8250.nr_uarts=1 "
          "net.ifnames=0 ipv6.disable_ipv6=0 audit=0 selinux=0 apparmor=0 nowatchdog")


def ensure_base_image(site=None) -> Path:
    """The database guest's disk without a server's configuration; made if it is not in the cache."""
    return ensure("base", _make_base)


def ensure_tiny_image(site=None) -> Path:
    """The tiny guest's disk without a server's configuration; made if it is not in the cache."""
    return ensure("tiny", _make_tiny)


def make_server_image(site, server: str, out: Path | None = None, **conf) -> Path:
    """A disk that runs PostgreSQL on SERVER's service address; further conf as in set_conf."""
    target = out or Path(site.dir) / "images" / f"{server}.raw"
    disk.copy_sparse(ensure_base_image(site), target)
    set_conf(target, **(_server_conf(site, server) | conf))
    return target


def make_tiny_image(site, server: str, out: Path | None = None, **conf) -> Path:
    """A disk that boots in about two seconds and answers HTTP on SERVER's service address."""
    target = out or Path(site.dir) / "images" / f"{server}-tiny.raw"
    disk.copy_sparse(ensure_tiny_image(site), target)
    set_conf(target, **(_server_conf(site, server) | conf))
    return target


def server_data_template(site=None) -> Path:
    """A PostgreSQL data directory with the empty ledger, to be copied (cp -a) to a server.

    From the same initdb as the images'; what is written in it carries the place 'server'.
    """
    return ensure("data-server", lambda work: _make_data(work, "server"))


def set_conf(path: Path, **values) -> None:
    """Change settings of an image that no guest has open.

    name, address, prefixlen, gateway: the network. acpi="ignore": do not listen to the power button.
    """
    partition = _conf_partition(path)
    have = dict(line.split("=", 1) for line in disk.debugfs(path, partition, f"cat {CONF_NAME}")
                .splitlines() if "=" in line)
    have.update({key: str(value) for key, value in values.items()})
    disk.write_file(path, partition, CONF_NAME,
                    "".join(f"{key}={value}\n" for key, value in sorted(have.items())))


def read_postgres_log(path: Path) -> str:
    """PostgreSQL's log in a raw database image that no guest has open (rbd export gives one)."""
    return disk.read_file(path, DATA_PARTITION, "/postgresql.log")


def shut_down_cleanly(path: Path) -> bool:
    """Whether the last thing that PostgreSQL in the image did was a complete shutdown."""
    lines = read_postgres_log(path).strip().splitlines()
    return bool(lines) and "database system is shut down" in lines[-1]


def _conf_partition(path: Path) -> int:
    """Tiny images have one partition, database images three."""
    try:
        disk.partition_offset_bytes(path, ROOT_PARTITION)
        return ROOT_PARTITION
    except IndexError:
        return BOOT_PARTITION


def _server_conf(site, server: str) -> dict:
    return {"name": server, "address": str(site.address(server, "svc")),
            "prefixlen": getattr(site, "prefixlen", 24)}


def _empty_conf(root: Path) -> None:
    (root / "etc").mkdir(exist_ok=True)
    (root / CONF_NAME.lstrip("/")).write_text(
        "acpi=\naddress=192.0.2.1\ngateway=\nname=nobody\nprefixlen=24\n")


def _boot_partition(work: Path, tiny: bool, size_mib: int) -> Path:
    initramfs = work / "initrd"
    kernel.make_initramfs(work, initramfs, tiny)
    boot = disk.stage_boot(work, Path(f"/boot/vmlinuz-{kernel.kernel_release()}"), initramfs, APPEND)
    if tiny:
        _empty_conf(boot)
    part = work / "boot.ext2"
    disk.make_filesystem(part, "ext2", "boot", size_mib, boot)
    disk.install_extlinux(part)
    return part


def _make_tiny(work: Path) -> Path:
    out = work / "tiny.raw"
    disk.assemble_disk(out, [(_boot_partition(work, True, TINY_MIB), TINY_MIB)])
    return out


def _make_data(work: Path, place: str) -> Path:
    data = postgres.make_data(work)
    postgres.set_place(data, place)
    return data


def _make_root(work: Path) -> Path:
    root = work / "root"
    for folder in ("proc", "sys", "dev", "run", "tmp", "data", "etc", "root"):
        (root / folder).mkdir(parents=True)
    kernel.populate_busybox(root)
    kernel.install_init(root, "rc")
    kernel.install_script(kernel.HERE / "files/common.sh", root / "etc/common.sh")
    kernel.install_script(kernel.HERE / "files/rc.shutdown", root / "etc/rc.shutdown")
    postgres.install(root)
    uid, gid = postgres.owner()
    (root / "etc/passwd").write_text(f"root::0:0::/root:/bin/sh\npostgres::{uid}:{gid}::/tmp:/bin/sh\n")
    (root / "etc/group").write_text(f"root:x:0:\npostgres:x:{gid}:\n")
    _empty_conf(root)
    return root


def _make_base(work: Path) -> Path:
    content = work / "data"
    content.mkdir()
    _make_data(content, "image")
    log = content / "postgresql.log"
    log.touch()
    postgres.own(content)
    root_part, data_part = work / "root.ext4", work / "data.ext4"
    disk.make_filesystem(root_part, "ext4", "root", ROOT_MIB, _make_root(work))
    disk.make_filesystem(data_part, "ext4", "data", DATA_MIB, content)
    out = work / "base.raw"
    disk.assemble_disk(out, [(_boot_partition(work, False, BOOT_MIB), BOOT_MIB),
                             (root_part, ROOT_MIB), (data_part, DATA_MIB)])
    return out


class _OneServer:
    """Stands in for a site when an image is made by hand."""

    def __init__(self, address: str):
        self.host, _, prefixlen = address.partition("/")
        self.prefixlen = int(prefixlen or 24)

    def address(self, _server: str, _net: str) -> str:
        """The one address that was given."""
        return self.host


def main() -> int:
    """Make one image by hand."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=("server", "tiny"))
    parser.add_argument("name")
    parser.add_argument("address", help="ADDRESS/PREFIXLEN")
    parser.add_argument("out", type=Path)
    parser.add_argument("--ignore-acpi", action="store_true")
    args = parser.parse_args()
    make = make_server_image if args.kind == "server" else make_tiny_image
    try:
        conf = {"acpi": "ignore"} if args.ignore_acpi else {}
        print(make(_OneServer(args.address), args.name, args.out, **conf))
    except BuildError as error:
        print(f"build.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
