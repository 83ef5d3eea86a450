# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: lab/lab COMMAND ..."""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from lab.api import Lab
from lab.evidence import evidence_keep, lab_up
from lab.site import DEFAULT_NAME, DEFAULT_PREFIX, DEFAULT_ROOT, NETWORKS, LabError, Site


def parser() -> argparse.ArgumentParser:
    main = argparse.ArgumentParser(prog="lab", description="A whole site on one machine, made of real parts.")
    main.add_argument("--name", default=DEFAULT_NAME, help="the lab's name (%(default)s)")
    main.add_argument("--dir", type=Path, help=f"its folder ({DEFAULT_ROOT}/NAME)")
    main.add_argument("--prefix", default=DEFAULT_PREFIX, help="first half of its addresses (%(default)s)")
    main.add_argument("--hosts", type=int, default=3, help="number of cloud hosts (%(default)s)")
    main.add_argument("--servers", type=int, default=3, help="number of servers (%(default)s)")
    commands = main.add_subparsers(dest="command", required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="bring it up from nothing")
    up.add_argument("--no-fencing", action="store_true", help="do not register the power switches with Pacemaker")
    up.add_argument("--evidence", type=Path, metavar="FOLDER",
                    help="if it does not come up, keep what it looks like below this folder and try once more")
    commands.add_parser("down", help="end it and leave nothing behind")
    status = commands.add_parser("status", help="what runs")
    status.add_argument("--json", action="store_true")
    evidence = commands.add_parser("evidence", help="write every node's logs and what cluster and store say to a folder")
    evidence.add_argument("folder", type=Path)
    commands.add_parser("fencing", help="register the power switches with Pacemaker")
    execute = commands.add_parser("exec", help="run a program on a node")
    execute.add_argument("node")
    execute.add_argument("argv", nargs=argparse.REMAINDER, metavar="CMD...")
    for name, text in {"crash": "take a node's power away", "boot": "power a node on",
                       "freeze": "stop all processes of a node", "thaw": "let them go on"}.items():
        commands.add_parser(name, help=text).add_argument("node")
    for name, text in {"cut": "pull one of a node's cables", "heal": "plug it in again"}.items():
        command = commands.add_parser(name, help=text)
        command.add_argument("node")
        command.add_argument("network", choices=list(NETWORKS))
    for name, text in {"block": "let a node hear nothing from a peer", "unblock": "let it hear again"}.items():
        command = commands.add_parser(name, help=text)
        command.add_argument("node")
        command.add_argument("peer")
    load = commands.add_parser("load", help="put load on a node; 0 0 ends it")
    load.add_argument("node")
    load.add_argument("cpu_percent", type=int, metavar="CPU%", help="of the node's whole CPU capacity")
    load.add_argument("memory_mib", type=int, metavar="MIB")
    service = commands.add_parser("service", help="stop, start, kill or show a node's service (runit's sv)")
    service.add_argument("node")
    service.add_argument("action", choices=["start", "stop", "restart", "kill", "force-stop", "status"])
    service.add_argument("service")
    return main


def execute(lab: Lab, node_name: str, argv: list[str]) -> int:
    """Becomes the program; returns only when there is none."""
    argv = argv[1:] if argv[:1] == ["--"] else argv
    if not argv:
        raise LabError("Say what to run: lab exec NODE CMD...")
    node = lab.node(node_name)
    command = node.command(argv, folder=Path.cwd())
    os.execvpe(command[0], command, node.environment())


def show(status: dict) -> None:
    print(f"lab {status['name']} in {status['dir']}")
    for name, node in status["nodes"].items():
        links = "  ".join(f"{net} {node['addresses'][net]}{' (cut)' if state == 'cut' else ''}"
                          for net, state in node["links"].items())
        print(f"  {name:8} {node['state']:12} {node['pid'] or '-':>8}  {links}")
    for host, view in status["cluster"].items():
        text = "no answer" if view is None else (f"{'quorate' if view['quorate'] else 'NOT quorate'}, DC {view['dc']}, "
                                                 f"online {' '.join(view['online'])}")
        print(f"  cluster seen by {host}: {text}")
    print(f"  store: {status['ceph']}")


def _site(args) -> Site:
    folder = (args.dir or DEFAULT_ROOT / args.name).resolve()
    if args.command == "up":
        return Site(name=args.name, dir=folder, prefix=args.prefix, hosts=args.hosts, servers=args.servers)
    try:
        return Site.load(args.name, folder)
    except LabError:
        if args.command != "down":
            raise
        return Site(name=args.name, dir=folder, prefix=args.prefix, hosts=args.hosts, servers=args.servers)


def act(args) -> int:
    started = time.monotonic()
    lab = Lab(_site(args), say=lambda text: print(f"{time.monotonic() - started:6.1f} s  {text}", flush=True))
    match args.command:
        case "up":
            fencing = not args.no_fencing
            lab_up(lab, args.evidence, fencing=fencing) if args.evidence else lab.up(fencing)
            print(f"{time.monotonic() - started:6.1f} s  up")
        case "status":
            status = lab.status()
            print(json.dumps(status, indent=2)) if args.json else show(status)
        case "exec":
            return execute(lab, args.node, args.argv)
        case "evidence":
            print(evidence_keep(lab, args.folder))
        case "down" | "fencing":
            getattr(lab, args.command)()
        case "cut" | "heal":
            getattr(lab, args.command)(args.node, args.network)
        case "block" | "unblock":
            getattr(lab, args.command)(args.node, args.peer)
        case "load":
            lab.load(args.node, args.cpu_percent, args.memory_mib)
        case "service":
            print(lab.service(args.node, args.action, args.service).stdout, end="")
        case _:
            getattr(lab, args.command)(args.node)
    return 0


def main() -> int:
    try:
        return act(parser().parse_args())
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
