# SPDX-License-Identifier: GPL-2.0-or-later
"""The application servers: PostgreSQL from their own disk, and a service address that is taken with care."""

import shutil
from pathlib import Path

from lab import process
from lab.node import Plan
from lab.service import Service
from lab.site import POSTGRES_PORT, Site

POSTGRES = "/usr/lib/postgresql/15/bin"
DATA = "/var/lib/postgresql/server"   # in the node


def make_disk(site: Site, server: str) -> None:
    """Gives a server a disk with an empty database."""
    from lab.guest import build  # needs packages that other commands do not
    target = site.data_dir(server)
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    process.run("cp", "-a", "--reflink=auto", build.server_data_template(site), target)


def plan(site: Site, server: str) -> Plan:
    address = site.address(server, "svc")
    program = Path(__file__).with_name("serviceaddress.py")
    return Plan(
        services=[
            Service("address", ["/usr/bin/python3", "-I", str(program), address, site.mac(server, "svc")],
                    check=["test", "-e", "/run/address-up"]),
            # As with Debian's unit, it starts at boot, and nothing starts it again when it dies. It listens on all
            # addresses: the gate withholds the service address alone, so the management address shows a server
            # that is ready to serve.
            Service("postgresql", ["chpst", "-u", "postgres", f"{POSTGRES}/postgres", "-D", DATA, "-k",
                                   "/run/postgresql"],
                    restart=False,
                    check=[f"{POSTGRES}/pg_isready", "-q", "-h", "/run/postgresql"]),
        ],
        folders={"/run/postgresql": ("postgres", "postgres", 0o755)},
        binds={str(site.data_dir(server)): DATA},
    )


def answers(site: Site, client, server: str) -> bool:
    """Whether the server's database answers the client node on the service address."""
    done = client.exec("psql", "-XtA", "-h", site.address(server, "svc"), "-p", POSTGRES_PORT, "-U", "postgres",
                       "-c", "select 1", check=False, timeout_s=10, extra_env={"PGCONNECT_TIMEOUT": "2"})
    return done.returncode == 0 and done.stdout.strip() == "1"
