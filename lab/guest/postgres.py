# SPDX-License-Identifier: GPL-2.0-or-later
"""PostgreSQL 15: its files with the libraries they need, and a data directory with the ledger."""

import os
import pwd
import shutil
from pathlib import Path

from .run import run

BIN = Path("/usr/lib/postgresql/15/bin")
PROGRAMS = ("postgres", "pg_ctl", "pg_controldata")
MODULES = ("plpgsql.so", "dict_snowball.so")
LIB = Path("/usr/lib/postgresql/15/lib")
SHARE = Path("/usr/share/postgresql/15")

# log_min_messages stays at its default: "database system is shut down" is what tests look for.
CONF = """\
listen_addresses = '*'
port = 5432
unix_socket_directories = '/tmp'
max_connections = 40
superuser_reserved_connections = 2
shared_buffers = 8MB
dynamic_shared_memory_type = mmap
min_dynamic_shared_memory = 0
fsync = on
synchronous_commit = on
full_page_writes = on
wal_level = minimal
max_wal_senders = 0
min_wal_size = 32MB
max_wal_size = 64MB
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] '
log_checkpoints = off
jit = off
autovacuum_naptime = 1h
max_parallel_workers = 0
max_logical_replication_workers = 0
stats_fetch_consistency = none
tcp_keepalives_idle = 5
tcp_user_timeout = 5000
"""

HBA = """\
local all all trust
host all all 0.0.0.0/0 trust
host all all ::/0 trust
"""

# One line for each statement: a single-user backend ends a statement with its line.
LEDGER = """\
create table ledger (n bigint primary key, written_at timestamptz not null default now(), place text not null default current_setting('understudy_lab.place', true));
create view here as select current_setting('understudy_lab.place', true) as place;
"""


def owner() -> tuple[int, int]:
    """The user and group of postgres on this machine; the guest uses the same numbers."""
    entry = pwd.getpwnam("postgres")
    return entry.pw_uid, entry.pw_gid


def as_postgres(*argv, input=None) -> str:
    """Run argv as postgres: initdb and postgres refuse to be root."""
    uid, gid = owner()
    return run("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", *argv, input=input)


def own(root: Path) -> None:
    """Give ROOT and all below it to postgres."""
    uid, gid = owner()
    os.chown(root, uid, gid)
    for path in root.rglob("*"):
        os.chown(path, uid, gid, follow_symlinks=False)


def make_data(work: Path) -> Path:
    """A data directory with the empty ledger, shut down cleanly, its place not yet set."""
    data = work / "postgresql"
    data.mkdir(mode=0o700)
    for folder in (work, work.parent):
        folder.chmod(0o755)
    own(data)
    as_postgres(BIN / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--locale=C",
                "--encoding=UTF8", "--no-sync", "--no-instructions")
    (data / "postgresql.conf").write_text(CONF)
    (data / "pg_hba.conf").write_text(HBA)
    as_postgres(BIN / "postgres", "--single", "-j", "-D", data, "postgres",
                input=LEDGER.replace(";\n", ";\n\n"))
    own(data)
    return data


def set_place(data: Path, place: str) -> None:
    """Let every row that is written in DATA say where: 'server' or 'image'."""
    with open(data / "postgresql.conf", "a", encoding="ascii") as conf:
        conf.write(f"understudy_lab.place = '{place}'\n")


def libraries(programs) -> list[Path]:
    """The shared libraries of PROGRAMS and the dynamic linker, by the names that they are opened with."""
    found = set()
    for program in programs:
        for line in run("ldd", program).splitlines():
            words = line.split()
            path = words[2] if "=>" in words else words[0]
            if path.startswith("/"):
                found.add(Path(path))
    return sorted(found)


def install(root: Path) -> None:
    """Copy PostgreSQL with its libraries into ROOT."""
    programs = [BIN / name for name in PROGRAMS]
    modules = [LIB / name for name in MODULES]
    for path in [*programs, *modules, *libraries([*programs, *modules])]:
        target = root / path.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path.resolve(), target)
    shutil.copytree(SHARE, root / SHARE.relative_to("/"),
                    ignore=shutil.ignore_patterns("*.sql", "*.sample", "man", "*.bki", "extension"),
                    dirs_exist_ok=True)
    zones = root / "usr/share/zoneinfo"
    zones.mkdir(parents=True)
    shutil.copy(Path("/usr/share/zoneinfo/UTC").resolve(), zones / "UTC")
    (root / "etc/ld.so.conf").write_text("/lib/x86_64-linux-gnu\n/usr/lib/x86_64-linux-gnu\n")
    run("ldconfig", "-r", root)
