# SPDX-License-Identifier: GPL-2.0-or-later
"""Raw disks with a partition table, a boot loader and file systems, without a device but the boot partition's."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from .run import BuildError, run

MIB = 1024 * 1024
FIRST_MIB = 1
MBR = Path("/usr/lib/EXTLINUX/mbr.bin")
LDLINUX = Path("/usr/lib/syslinux/modules/bios/ldlinux.c32")

# Fixed, so that two builds from the same inputs hold the same bytes.
FAKE_TIME = "1700000000"
UUIDS = {"boot": "6c616200-0000-4000-8000-000000000001",
         "root": "6c616200-0000-4000-8000-000000000002",
         "data": "6c616200-0000-4000-8000-000000000003"}


def make_filesystem(path: Path, kind: str, label: str, size_mib: int, content: Path) -> None:
    """Make at PATH a file system of KIND (ext2, ext4) that holds the directory CONTENT."""
    with open(path, "wb") as out:
        out.truncate(size_mib * MIB)
    env = dict(os.environ, E2FSPROGS_FAKE_TIME=FAKE_TIME)
    # extlinux reads ext2 with 32-bit block numbers and no metadata checksums.
    options = ["-O", "^64bit,^metadata_csum"] if kind == "ext2" else ["-O", "^64bit", "-J", "size=8"]
    run("mke2fs", "-q", "-F", "-t", kind, "-b", "4096", "-m", "0", "-L", label, "-U", UUIDS[label],
        "-E", f"hash_seed={UUIDS[label]},lazy_itable_init=0,lazy_journal_init=0,nodiscard",
        *options, "-d", content, path, env=env)


def install_extlinux(path: Path) -> None:
    """Install the boot loader into the ext2 file system in the file PATH.

    extlinux needs it mounted; the mount lives in a mount namespace of its own and ends with it.
    """
    point = tempfile.mkdtemp(prefix="understudy-boot-")
    try:
        run("unshare", "--mount", "--propagation", "private", "sh", "-e", "-c",
            'mount -o loop "$1" "$2"; extlinux --install "$2"; umount "$2"', "sh", path, point)
    finally:
        os.rmdir(point)


def assemble_disk(path: Path, partitions: list[tuple[Path, int]]) -> None:
    """Write at PATH a disk with an MBR and the given (file, MiB) partitions; the first one boots."""
    total_mib = FIRST_MIB + sum(mib for _, mib in partitions)
    with open(path, "wb") as disk:
        disk.truncate(total_mib * MIB)
    table, at_mib = ["label: dos", "label-id: 0x1ab1ab1a"], FIRST_MIB
    for number, (_, mib) in enumerate(partitions):
        table.append(f"start={at_mib}MiB, size={mib}MiB, type=83{', bootable' if number == 0 else ''}")
        at_mib += mib
    run("sfdisk", "-q", "--no-reread", "--no-tell-kernel", path, input="\n".join(table) + "\n")
    with open(path, "r+b") as disk:
        disk.write(MBR.read_bytes()[:440])
    at_mib = FIRST_MIB
    for part, mib in partitions:
        run("dd", f"if={part}", f"of={path}", "bs=1M", f"seek={at_mib}", "conv=notrunc,sparse",
            "status=none")
        at_mib += mib


def partition_offset_bytes(path: Path, number: int) -> int:
    """Where partition NUMBER (from 1) of the disk PATH starts; 0 for a disk without a table."""
    done = subprocess.run(["sfdisk", "--json", str(path)], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, timeout=30, check=False)
    if done.returncode != 0:
        return 0
    table = json.loads(done.stdout)["partitiontable"]
    return table["partitions"][number - 1]["start"] * table.get("sectorsize", 512)


def debugfs(path: Path, number: int, request: str, write: bool = False) -> str:
    """Run one debugfs request on a partition of a disk that no guest has open."""
    target = f"{path}?offset={partition_offset_bytes(path, number)}"
    return run("debugfs", *(["-w"] if write else []), "-R", request, target)


def write_file(path: Path, number: int, name: str, text: str) -> None:
    """Put a small file with TEXT at NAME into partition NUMBER of the disk PATH."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf", encoding="utf-8") as source:
        source.write(text)
        source.flush()
        # "write" neither overwrites nor, without "cd", takes a path.
        folder, base = os.path.split(name)
        script = f"cd {folder or '/'}\nrm {base}\nwrite {source.name} {base}\n"
        target = f"{path}?offset={partition_offset_bytes(path, number)}"
        run("debugfs", "-w", "-f", "-", target, input=script)
    if debugfs(path, number, f"cat {name}") != text:
        raise BuildError(f"{name} could not be written into {path}")


def read_file(path: Path, number: int, name: str) -> str:
    """The text of NAME in partition NUMBER of the disk PATH, after the journal has been replayed.

    PATH itself is not changed: a copy is repaired, as a crashed guest leaves its journal to be replayed.
    """
    with tempfile.TemporaryDirectory(prefix="understudy-read-") as scratch:
        part = Path(scratch) / "part"
        offset = partition_offset_bytes(path, number)
        run("dd", f"if={path}", f"of={part}", "bs=1M", f"skip={offset // MIB}", "conv=sparse",
            "status=none")
        run("e2fsck", "-f", "-y", part, ok=(0, 1))
        return run("debugfs", "-R", f"cat {name}", part)


def copy_sparse(source: Path, target: Path) -> None:
    """Copy a disk, holes kept."""
    target.parent.mkdir(parents=True, exist_ok=True)
    run("cp", "--sparse=always", "--reflink=auto", source, target)


def stage_boot(work: Path, kernel: Path, initramfs: Path, append: str) -> Path:
    """A directory that holds all that the boot partition holds but ldlinux.sys."""
    boot = work / "boot"
    boot.mkdir()
    shutil.copy(kernel, boot / "vmlinuz")
    shutil.copy(initramfs, boot / "initrd")
    shutil.copy(LDLINUX, boot / "ldlinux.c32")
    (boot / "extlinux.conf").write_text(
        "DEFAULT lab\nPROMPT 0\nTIMEOUT 0\nLABEL lab\n KERNEL /vmlinuz\n INITRD /initrd\n"
        f" APPEND {append}\n", encoding="ascii")
    return boot
