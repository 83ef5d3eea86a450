# SPDX-License-Identifier: GPL-2.0-or-later
"""The recurring monitor of a running image against ocf:heartbeat:VirtualDomain's, on the same domain."""

import json
import statistics
from pathlib import Path

from table import median_ratio, print_table

RUNS = 20
MEASURE = Path(__file__).parent / "measure.py"
OCF_DIR = "/usr/lib/ocf/resource.d"
OCF_ENV = {"OCF_ROOT": "/usr/lib/ocf", "OCF_RA_VERSION_MAJOR": "1", "OCF_RA_VERSION_MINOR": "1",
           "OCF_RESKEY_CRM_meta_interval": "10000", "OCF_RESKEY_CRM_meta_timeout": "30000",
           "OCF_RESKEY_CRM_meta_name": "monitor"}


def run(protected) -> None:
    """Takes db1 over, measures where its image runs, and lets it return."""
    protected.settle()
    protected.lab.crash("db1")
    host = protected.wait_taken_over("db1")["db1"]
    xml = protected.run("virsh", "-c", "qemu:///system", "dumpxml", "standby-db1", host=host).stdout
    config = Path(protected.site.dir) / "bench-domain.xml"
    config.write_text(xml, encoding="utf-8")
    ours = {"name": "image", "argv": [f"{OCF_DIR}/understudy/image", "monitor"],
            "env": {**OCF_ENV, "OCF_RESOURCE_INSTANCE": "standby-db1", "OCF_RESOURCE_PROVIDER": "understudy",
                    "OCF_RESOURCE_TYPE": "image", "OCF_RESKEY_disks": "vm/db1", "OCF_RESKEY_CRM_meta_on_node": host}}
    theirs = {"name": "VirtualDomain", "argv": [f"{OCF_DIR}/heartbeat/VirtualDomain", "monitor"],
              "env": {**OCF_ENV, "OCF_RESOURCE_INSTANCE": "bench-domain", "OCF_RESOURCE_PROVIDER": "heartbeat",
                      "OCF_RESOURCE_TYPE": "VirtualDomain", "OCF_RESKEY_config": str(config),
                      "OCF_RESKEY_hypervisor": "qemu:///system", "OCF_RESKEY_autoset_utilization_cpu": "false",
                      "OCF_RESKEY_autoset_utilization_hv_memory": "false",
                      "OCF_RESKEY_autoset_utilization_host_memory": "false"}}
    done = protected.lab.exec(host, "/usr/bin/python3", str(MEASURE), str(RUNS), timeout_s=300,
                              stdin=json.dumps([ours, theirs]))
    results = json.loads(done.stdout)
    assert set(results["image"]["rc"]) == {0}, results["image"]["rc"]
    assert set(results["VirtualDomain"]["rc"]) == {0}, results["VirtualDomain"]["rc"]
    rows = []
    for figure, unit in (("wall_ms", "wall, ms"), ("cpu_ms", "CPU, ms")):
        a, b = results["image"][figure], results["VirtualDomain"][figure]
        rows.append([unit, statistics.median(a), statistics.median(b), median_ratio(a, b)])
    print_table("Monitor of a running image, median of 20", ["", "image", "VirtualDomain", "times less"], rows)
    protected.settle()
