# SPDX-License-Identifier: GPL-2.0-or-later
"""The cloud kernel of this machine and an initramfs of busybox and the modules that a guest needs."""

import shutil
import subprocess
from pathlib import Path

from .run import BuildError, run

HERE = Path(__file__).resolve().parent

# ext4 (which also mounts ext2), the serial port and packet sockets are built into the cloud kernel.
# virtio_rng comes first: PostgreSQL waits for random numbers, and without a source that takes a second.
BOOT_MODULES = ("virtio_pci", "virtio_rng", "virtio_blk", "virtio_net", "button", "evdev",
                "pvpanic_mmio", "pvpanic_pci")  # pvpanic_mmio also drives the ISA device


def kernel_release() -> str:
    """The newest installed cloud kernel."""
    found = sorted(Path("/boot").glob("vmlinuz-*-cloud-amd64"),
                   key=lambda path: [int(part) for part in path.name.replace("-", ".").split(".")
                                     if part.isdigit()])
    if not found:
        raise BuildError("there is no cloud kernel in /boot: install linux-image-cloud-amd64")
    return found[-1].name.removeprefix("vmlinuz-")


def module_files(release: str) -> list[Path]:
    """The files of BOOT_MODULES and of what they need, in an order in which insmod works."""
    files = []
    for module in BOOT_MODULES:
        for line in run("modprobe", "-S", release, "-D", module).splitlines():
            verb, _, rest = line.partition(" ")
            if verb == "insmod" and Path(rest.strip()) not in files:
                files.append(Path(rest.strip()))
    return files


def populate_busybox(root: Path) -> None:
    """Put busybox and a link for each of its applets into ROOT."""
    (root / "bin").mkdir(parents=True, exist_ok=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    for applet in run("/bin/busybox", "--list").split():
        link = root / "bin" / applet
        if not link.exists() and applet != "busybox":
            link.symlink_to("busybox")


def make_initramfs(work: Path, out: Path, tiny: bool) -> None:
    """Write to OUT an initramfs that goes on to the root file system, or that is all of a tiny guest.

    WORK is scratch space.
    """
    root = work / "initramfs"
    for folder in ("proc", "sys", "dev", "run", "tmp", "new", "modules", "etc"):
        (root / folder).mkdir(parents=True)
    populate_busybox(root)
    order = module_files(kernel_release())
    for path in order:
        shutil.copy(path, root / "modules" / path.name)
    (root / "modules/order").write_text("".join(f"{path.name}\n" for path in order))
    install_script(HERE / "files/common.sh", root / "etc/common.sh")
    if tiny:
        (root / "init").symlink_to("bin/init")
        install_init(root, "tiny-rc")
    else:
        install_script(HERE / "files/boot-init", root / "init")
    names = sorted(str(path.relative_to(root)) for path in root.rglob("*"))
    archive = run_cpio(root, names)
    out.write_bytes(archive)


def install_script(source: Path, target: Path) -> None:
    """Copy a script and make it executable."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)
    target.chmod(0o755)


def install_init(root: Path, rc: str) -> None:
    """Make busybox init start files/RC and the HTTP levers answer."""
    (root / "etc/inittab").write_text("::sysinit:/etc/rc\n::shutdown:/etc/rc.shutdown\n"
                                      "::ctrlaltdel:/bin/poweroff\n")
    install_script(HERE / "files" / rc, root / "etc/rc")
    install_script(HERE / "files/lever.sh", root / "www/cgi-bin/lever")


def run_cpio(root: Path, names: list[str]) -> bytes:
    """A newc archive of NAMES below ROOT; not compressed, as unpacking costs an emulated CPU more than reading."""
    done = subprocess.run(["cpio", "--quiet", "--reproducible", "-o", "-H", "newc", "-R", "0:0",
                           "-D", str(root)],
                          input="\n".join(names).encode(), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60, check=False)
    if done.returncode != 0:
        raise BuildError(f"cpio could not write the initramfs: {done.stderr.decode().strip()}")
    return done.stdout
