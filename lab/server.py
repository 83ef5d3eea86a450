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
INTERFACE = "svc"
# For tests that are over soon: long enough for a guest to boot, not for hosts to be fenced.
GATE_QUIET = "5s"


def make_disk(site: Site, server: str) -> None:
    """Gives a server a disk with an empty database."""
    from lab.guest import build  # needs packages that other commands do not
    target = site.data_dir(server)
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    process.run("cp", "-a", "--reflink=auto", build.server_data_template(site), target)


def plan(site: Site, server: str, first_boot: bool) -> Plan:
    """A server's services. Its gate's options are its own from the first boot on."""
    result = Plan(
        services=[
            # As the shipped unit: it ends when the address is up, and is started again only if it failed.
            Service("gate", ["/bin/sh", "-c", f". {gate_file()} && exec /usr/sbin/understudy-gate open "
                                              f"--interface={INTERFACE} $OPTIONS"]),
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
    if first_boot:
        result.files[gate_file()] = (gate_options(site, server), 0o644)
    return result


def gate_file() -> str:
    """Where a server has its gate's options."""
    return f"/etc/understudy/gate/{INTERFACE}"


def gate_options(site: Site, server: str, quiet: str = GATE_QUIET) -> str:
    """The text of that file."""
    return (f'OPTIONS="--address={site.address(server, "svc")}/24 --reference={site.address("client", "svc")} '
            f'--quiet={quiet}"\n')


def answers(site: Site, client, server: str) -> bool:
    """Whether the server's database answers the client node on the service address."""
    done = client.exec("psql", "-XtA", "-h", site.address(server, "svc"), "-p", POSTGRES_PORT, "-U", "postgres",
                       "-c", "select 1", check=False, timeout_s=10, extra_env={"PGCONNECT_TIMEOUT": "2"})
    return done.returncode == 0 and done.stdout.strip() == "1"
