#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether guests can use KVM here: /dev/kvm may exist and still not run one, so one is really booted.

As a program: prints kvm or qemu, the type of a libvirt domain.
"""

import os
import selectors
import subprocess
import sys
import time
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    __package__ = "lab.guest"

from .build import ensure_tiny_image
from .cache import CACHE_DIR

BOOT_TIMEOUT_S = 10
# What the tiny guest says on its console when it is up.
UP = b"answers over HTTP"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def domain_type() -> str:
    """'kvm' if the tiny guest boots under it within BOOT_TIMEOUT_S, else 'qemu'.

    The answer is kept until this machine boots again.
    """
    boot_id = BOOT_ID.read_text(encoding="ascii").strip()
    known = CACHE_DIR / "domain-type"
    try:
        known_id, known_type = known.read_text(encoding="ascii").split()
        if known_id == boot_id and known_type in ("kvm", "qemu"):
            return known_type
    except (FileNotFoundError, ValueError):
        pass
    found = "kvm" if os.access("/dev/kvm", os.W_OK) and boots(ensure_tiny_image(), "kvm") else "qemu"
    CACHE_DIR.mkdir(parents=True, exist_ok=True)
    fresh = known.with_name(f"domain-type.{os.getpid()}")
    fresh.write_text(f"{boot_id} {found}\n", encoding="ascii")
    fresh.rename(known)
    return found


def boots(image: Path, accelerator: str, timeout_s: float = BOOT_TIMEOUT_S) -> bool:
    """Whether IMAGE says on its console, within TIMEOUT_S, that it is up. IMAGE is not changed."""
    deadline = time.monotonic() + timeout_s
    with subprocess.Popen(["qemu-system-x86_64", "-no-user-config", "-nodefaults", "-display", "none",
                           "-machine", "pc", "-accel", accelerator, "-m", "256", "-no-reboot",
                           "-drive", f"file={image},format=raw,if=virtio,snapshot=on",
                           "-netdev", "hubport,id=n,hubid=0",
                           "-device", "virtio-net-pci,netdev=n,romfile=",
                           "-serial", "stdio"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as guest:
        try:
            return _console_says(guest.stdout, UP, deadline)
        finally:
            guest.kill()


def _console_says(console, text: bytes, deadline: float) -> bool:
    said = b""
    with selectors.DefaultSelector() as selector:
        selector.register(console, selectors.EVENT_READ)
        while selector.select(max(0, deadline - time.monotonic())):
            chunk = os.read(console.fileno(), 4096)
            if chunk == b"":
                return False
            said += chunk
            if text in said:
                return True
    return False


if __name__ == "__main__":
    print(domain_type())
