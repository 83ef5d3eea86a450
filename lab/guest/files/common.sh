# SPDX-License-Identifier: GPL-2.0-or-later
# What both kinds of guest do. Sourced by busybox sh.

say() { echo "understudy-lab: $*" >/dev/console; }

load_modules() {
    while read -r file; do
        insmod "/modules/$file" || say "module $file was not loaded"
    done </modules/order
}

# Wait for a block device of the kernel's own making: the modules probe asynchronously.
await_device() {
    left=500
    while ! [ -b "$1" ] && [ "$left" -gt 0 ]; do
        usleep 10000
        left=$((left - 1))
    done
    [ -b "$1" ] || say "$1 did not appear within 5 s"
}

start_network() {
    ip link set lo up
    ip link set eth0 up
    ip addr add "$address/$prefixlen" dev eth0
    [ -z "$gateway" ] || ip route add default via "$gateway"
    # The image's MAC is not the server's: tell every neighbour now, and again for those who missed it.
    arping -q -A -c 3 -I eth0 "$address" >/dev/null 2>&1 &
    arping -q -U -c 3 -I eth0 "$address" >/dev/null 2>&1 &
}

# The power button, as virsh shutdown presses it. ACPI=ignore makes a guest that does not listen.
start_acpid() {
    if [ "$acpi" = ignore ]; then
        say "the power button is ignored"
        return
    fi
    mkdir -p /run/acpi/PWRF
    printf '#!/bin/sh\n[ -e /run/ignore-acpi ] || exec /etc/rc.shutdown\n' >/run/acpi/PWRF/00000080
    chmod 755 /run/acpi/PWRF/00000080
    acpid -c /run/acpi -l /run/acpid.log -p /run/acpid.pid
}
