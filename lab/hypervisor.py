# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirtd on the cloud hosts."""

from lab.node import Plan
from lab.service import Service
from lab.site import Site

TCP_PORT = 16509

# No security driver, no mount namespaces and no control groups: the host is itself
# made of namespaces, and has no udev and no systemd-machined.
QEMU_CONF = """security_driver = "none"
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
namespaces = []
cgroup_controllers = []
"""


def libvirtd_conf(site: Site, host: str) -> str:
    # All hosts have this machine's DMI UUID: without one of its own no guest migrates.
    return f"""listen_tls = 0
listen_tcp = 1
listen_addr = "{site.address(host, 'mgmt')}"
tcp_port = "{TCP_PORT}"
auth_tcp = "none"
auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_group = "root"
unix_sock_rw_perms = "0770"
host_uuid = "{site.uuid(host)}"
log_outputs = "2:file:/var/log/libvirt/libvirtd.log"
"""


def plan(site: Site, host: str) -> Plan:
    return Plan(
        services=[
            Service("virtlogd", ["virtlogd"], after=("pacemaker",)),
            Service("libvirtd", ["libvirtd", "--listen"], after=("virtlogd",),
                    check=["virsh", "-c", "qemu:///system", "uri"]),
        ],
        files={
            "/etc/libvirt/qemu.conf": (QEMU_CONF, 0o600),
            "/etc/libvirt/libvirtd.conf": (libvirtd_conf(site, host), 0o644),
        },
        folders={"/var/log/libvirt/qemu": ("root", "root", 0o755)},
        removed=["/etc/libvirt/qemu/networks/autostart/default.xml"],
    )
