#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Hands monitor commands from stdin to the store, one JSON a line, and prints the answers. Runs in the store's node."""

import json
import sys

import rados


def main():
    deadline_s = sys.argv[1]
    cluster = rados.Rados(conffile="/etc/ceph/ceph.conf", rados_id="admin",
                          conf={"client_mount_timeout": deadline_s, "rados_mon_op_timeout": deadline_s})
    try:
        cluster.connect(timeout=int(deadline_s))
    except rados.Error as error:
        sys.exit(f"no connection to the monitor: {error}")
    for line in sys.stdin:
        code, output, text = cluster.mon_command(line, b"", timeout=int(deadline_s))
        try:
            output = json.loads(output) if output else None
        except ValueError:
            output = output.decode(errors="replace")
        print(json.dumps({"code": code, "output": output, "text": text}), flush=True)


if __name__ == "__main__":
    main()
