#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Brings a server's service address up once nobody else has it (duplicate address detection). Runs in the server.

The interface starts with a MAC of its own for asking. The service MAC, which a
running standby image has as well, is set together with the address.
"""

import subprocess
import sys
import time
from pathlib import Path

INTERFACE = "svc"
RETRY_S = 1


def say(text):
    print(time.strftime("%Y-%m-%dT%H:%M:%SZ ", time.gmtime()) + text, flush=True)


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def has_carrier() -> bool:
    return Path(f"/sys/class/net/{INTERFACE}/carrier").read_text().strip() == "1"


def is_free(address: str) -> bool:
    """arping -D exits 0 if nobody answered for the address."""
    return subprocess.run(["arping", "-D", "-q", "-c", "2", "-w", "2", "-I", INTERFACE, address],
                          check=False).returncode == 0


def wait_until_free(address: str):
    # Nothing but the question may leave the interface, or the switch would learn from it.
    Path(f"/proc/sys/net/ipv6/conf/{INTERFACE}/disable_ipv6").write_text("1")
    ip("link", "set", INTERFACE, "up")
    said = None
    while True:
        if not has_carrier():
            state = "the link has no carrier: waiting for it"
        elif is_free(address):
            say(f"{address} is free")
            return
        else:
            state = f"{address} is in use by another machine: waiting until it is free"
        if state != said:
            say(state)
            said = state
        time.sleep(RETRY_S)


def main():
    address, mac = sys.argv[1:]
    up = Path("/run/address-up")
    if not up.exists():
        wait_until_free(address)
        ip("link", "set", INTERFACE, "down")
        ip("link", "set", INTERFACE, "address", mac)
        Path(f"/proc/sys/net/ipv6/conf/{INTERFACE}/disable_ipv6").write_text("0")
        ip("link", "set", INTERFACE, "up")
        ip("address", "replace", f"{address}/24", "brd", "+", "dev", INTERFACE)
        subprocess.run(["arping", "-U", "-q", "-c", "1", "-w", "1", "-I", INTERFACE, address], check=False)
        up.touch()
        say(f"{address} is up")
    while True:  # the service is "up" as long as this runs
        time.sleep(3600)


if __name__ == "__main__":
    main()
