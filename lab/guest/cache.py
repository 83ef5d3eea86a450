# SPDX-License-Identifier: GPL-2.0-or-later
"""What was built once is kept under the hash of everything that it was made from."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

from .run import run

CACHE_DIR = Path(os.environ.get("UNDERSTUDY_LAB_CACHE", "/var/cache/understudy-lab"))
HERE = Path(__file__).resolve().parent

# The packages whose files end up in an image, or that shape it.
INPUT_PACKAGES = ("linux-image-cloud-amd64", "busybox-static", "extlinux", "syslinux-common",
                  "postgresql-15", "e2fsprogs", "libc6")


def inputs_hash() -> str:
    """A hash of these sources, of the versions of the packages and of the machine's postgres uid."""
    digest = hashlib.sha256()
    for path in sorted([*HERE.glob("*.py"), *HERE.glob("files/*")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    digest.update(run("dpkg-query", "-W", *INPUT_PACKAGES).encode())
    digest.update(os.uname().machine.encode())
    return digest.hexdigest()[:16]


@contextmanager
def cache_locked():
    """Hold the cache for one builder at a time, whichever process it is in."""
    CACHE_DIR.mkdir(parents=True, exist_ok=True)
    with open(CACHE_DIR / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def ensure(name: str, make) -> Path:
    """The cached thing NAME, made by make(directory) -> Path inside the directory if it is not there.

    A thing appears under its name whole or not at all; things made from other inputs go away.
    """
    with cache_locked():
        key = inputs_hash()
        final = CACHE_DIR / f"{name}-{key}"
        if final.exists():
            return final
        work = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=CACHE_DIR))
        try:
            made = make(work)
            for old in CACHE_DIR.glob(f"{name}-*"):
                if len(old.name) == len(final.name):
                    shutil.rmtree(old) if old.is_dir() else old.unlink()
            made.rename(final)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return final
