#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Levers for tests, over HTTP on port 8008: /cgi-bin/lever?VERB
export PATH=/bin
printf 'Content-Type: text/plain\r\n\r\n'
case "$QUERY_STRING" in
uptime) cat /proc/uptime ;;
log) cat /data/postgresql.log ;;
boots) cat /data/boots ;;
write) date >>/data/written && sync && echo written ;;
ignore-acpi) touch /run/ignore-acpi && echo "the power button is ignored" ;;
panic) echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger ;;
poweroff) echo bye; /etc/rc.shutdown >/dev/null 2>&1 & ;;
*) echo "uptime log boots write ignore-acpi panic poweroff" ;;
esac
