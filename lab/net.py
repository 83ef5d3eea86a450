# SPDX-License-Identifier: GPL-2.0-or-later
"""The site's cables: one bridge per network in a namespace of its own, one veth pair per plug."""

import os
from pathlib import Path

from lab import process
from lab.site import NETWORKS, Site

HOST_BRIDGE = "br-svc"  # on a host, where guests are plugged in


def port(node: str, network: str) -> str:
    """A node's port on the switch."""
    return f"{node}-{network}"


def _ip(namespace: str, lines: list[str]) -> None:
    process.run("ip", "-n", namespace, "-batch", "-", stdin="".join(f"{line}\n" for line in lines))


def _sysctl(namespace: str, settings: dict[str, int]) -> None:
    """Sets network sysctls; those that this kernel does not have are left out (-e)."""
    process.run("ip", "netns", "exec", namespace, "sysctl", "-qe", "-w", *(f"{k}={v}" for k, v in settings.items()),
                check=False)


def namespaces(site: Site) -> list[str]:
    """The lab's namespaces that exist, whoever made them."""
    folder = Path("/run/netns")
    names = {site.netns(n) for n in ["switch", *site.node_names]}
    return [n for n in (os.listdir(folder) if folder.is_dir() else []) if n in names]


def exists(namespace: str) -> bool:
    return Path("/run/netns", namespace).exists()


def switch_up(site: Site) -> None:
    switch = site.netns("switch")
    process.run("ip", "netns", "add", switch)
    # Turned off: IPv6 of the bridges themselves, netfilter in their path, learning delays.
    _sysctl(switch, {"net.ipv6.conf.default.disable_ipv6": 1, "net.bridge.bridge-nf-call-iptables": 0,
                     "net.bridge.bridge-nf-call-ip6tables": 0, "net.bridge.bridge-nf-call-arptables": 0})
    lines = ["link set lo up"]
    for network in NETWORKS:
        lines += [f"link add {network} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
                  f"link set {network} up"]
    _ip(switch, lines)


def plug(site: Site, node: str, cut: list[str]) -> None:
    """Makes a node's namespace, interfaces and addresses, and plugs them in, except those that are cut.

    A server's svc interface is left down and without an address: its gate brings both up.
    """
    namespace, switch, kind = site.netns(node), site.netns("switch"), site.kind(node)
    process.run("ip", "netns", "add", namespace)
    ports, inside = [], ["link set lo up"]
    for network in site.networks(node):
        bridged = kind == "host" and network == "svc"
        late = kind == "server" and network == "svc"
        mac = site.mac(node, network)
        state = "down" if network in cut else "up"
        ports += [f"link add {port(node, network)} type veth peer name {network} netns {namespace} address {mac}",
                  f"link set {port(node, network)} master {network} {state}"]
        if bridged:
            # The bridge has the cable's MAC, else it would change with every guest.
            inside += [f"link add {HOST_BRIDGE} address {mac} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
                       f"link set {network} master {HOST_BRIDGE} up", f"link set {HOST_BRIDGE} up"]
        elif not late:
            inside.append(f"link set {network} up")
        if not late:
            inside.append(f"address add {site.address(node, network)}/24 brd + dev "
                          f"{HOST_BRIDGE if bridged else network}")
    if kind == "bmc":
        inside += [f"address add {site.bmc_address(n)}/24 dev mgmt" for n in site.powered_names]
    settings = {"net.ipv6.conf.all.accept_dad": 0, "net.ipv6.conf.default.accept_dad": 0,
                "net.ipv4.ping_group_range": "0 2147483647",
                # A node answers ARP for an address on the interface that has it, as separate cables would.
                "net.ipv4.conf.all.arp_ignore": 1, "net.ipv4.conf.all.arp_announce": 2,
                "net.bridge.bridge-nf-call-iptables": 0, "net.bridge.bridge-nf-call-ip6tables": 0,
                "net.bridge.bridge-nf-call-arptables": 0}
    _sysctl(namespace, settings)
    _ip(switch, ports)
    _ip(namespace, inside)


def unplug(site: Site, node: str) -> None:
    """Takes all cables out at once, so that nothing that dies afterwards says goodbye."""
    switch = site.netns("switch")
    if exists(switch):
        process.run("ip", "-n", switch, "-force", "-batch", "-", check=False,
                    stdin="".join(f"link del {port(node, n)}\n" for n in site.networks(node)))


def remove(namespace: str) -> None:
    process.run("ip", "netns", "del", namespace, check=False)


def set_link(site: Site, node: str, network: str, up: bool) -> None:
    """Cuts or heals a cable at the switch; the node's own configuration stays."""
    site.address(node, network)  # says so if it is not on that network
    _ip(site.netns("switch"), [f"link set {port(node, network)} {'up' if up else 'down'}"])


def block(node, peer: str, blocked: bool) -> None:
    """Drops, or no longer, what comes in from a peer. Dropping what goes out would be an error to the sender."""
    site = node.site
    addresses = ", ".join(site.address(peer, network) for network in site.networks(peer))
    lines = ["add table ip lab", "add set ip lab blocked { type ipv4_addr; }",
             "add chain ip lab input { type filter hook prerouting priority raw; }",
             "flush chain ip lab input", "add rule ip lab input ip saddr @blocked drop",
             f"add element ip lab blocked {{ {addresses} }}"]
    if not blocked:
        lines.append(f"delete element ip lab blocked {{ {addresses} }}")
    node.exec("nft", "-f", "-", stdin="\n".join(lines) + "\n")
