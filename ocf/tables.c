/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tables.h"

#include <string.h>

#include "base/error.h"
#include "base/names.h"
#include "params/probe_spec.h"
#include "params/server_config.h"
#include "store/store.h"

static gboolean check_failed(GError **error, const char *sentence)
{
    g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, sentence);
    return FALSE;
}

static gboolean check_server(const char *value, GError **error)
{
    return server_name_is_valid(value)
           || check_failed(error, "use letters, digits, '.', '_' and '-', beginning with a letter or digit");
}

static gboolean check_disks(const char *value, GError **error)
{
    g_auto(GStrv) words = g_strsplit_set(value, " \t,", -1);
    guint count = 0;

    for (char **word = words; *word != NULL; word++) {
        store_image_name_t *name = NULL;

        if (**word == '\0') {
            continue;
        }
        name = store_image_name_parse(*word, error);
        if (name == NULL) {
            return FALSE;
        }
        store_image_name_free(name);
        count++;
    }
    return count > 0 || check_failed(error, "name at least one image as POOL/IMAGE");
}

static gboolean check_mac(const char *value, GError **error)
{
    gboolean good = strlen(value) == 17;

    for (guint i = 0; good && i < 17; i++) {
        good = (i % 3 == 2) ? value[i] == ':' : g_ascii_isxdigit(value[i]);
    }
    /* The lowest bit of the first byte marks a multicast address. */
    good = good && (g_ascii_xdigit_value(value[1]) & 1) == 0;
    return good || check_failed(error, "write a unicast MAC address as 52:54:00:12:34:56");
}

static gboolean check_address(const char *value, GError **error)
{
    return address_is_usable(value)
           || check_failed(error, "write a numeric IPv4 or IPv6 address of one machine, without a zone");
}

static gboolean check_absolute_path(const char *value, GError **error)
{
    return g_path_is_absolute(value) || check_failed(error, "write an absolute path");
}

static gboolean check_probe(const char *value, GError **error)
{
    probe_spec_t *spec = probe_spec_parse(value, error);

    if (spec == NULL) {
        return FALSE;
    }
    probe_spec_free(spec);
    return TRUE;
}

static gboolean check_probes(const char *value, GError **error)
{
    GPtrArray *list = probe_spec_list_parse(value, error);

    if (list == NULL) {
        return FALSE;
    }
    g_ptr_array_unref(list);
    return TRUE;
}

static gboolean check_paused_until(const char *value, GError **error)
{
    gint64 from_ms = 0;
    gint64 until_ms = 0;

    return paused_until_parse(value, &from_ms, &until_ms)
           || check_failed(error, "write an interval as 2026-01-31T16:00:00Z/2026-01-31T18:00:00Z, or \"resumed\"");
}

static const char *const isolate_choices[] = { "required", "confirmed", "best-effort", NULL };
static const char *const probe_unknown_choices[] = { "ignore", "down", NULL };
static const char *const domain_type_choices[] = { "auto", "kvm", "qemu", NULL };

const ocf_param_t image_params[] = {
    { .name = "server", .type = OCF_TYPE_STRING, .unique_group = "server", .check = check_server,
      .shortdesc = "Name of the protected server",
      .longdesc = "Name of the physical server that this image stands in for. "
                  "If it is not set, it is the resource's id without \"" IMAGE_RESOURCE_PREFIX "\"." },
    { .name = "disks", .type = OCF_TYPE_STRING, .required = TRUE, .unique_group = "disks", .check = check_disks,
      .shortdesc = "Recovery images in Ceph, system disk first",
      .longdesc = "The server's recovery images as POOL/IMAGE or POOL/NAMESPACE/IMAGE, separated by blanks; "
                  "the first one is the disk that the machine boots from. A start runs a copy-on-write clone of each "
                  "one's newest recovery point (snapshot \"" POINT_PREFIX "...\"), or the clones that are there from an earlier takeover." },
    { .name = "run_pool", .type = OCF_TYPE_STRING,
      .shortdesc = "Pool for the run images",
      .longdesc = "Pool that holds the copy-on-write clones that the hosts boot. "
                  "If it is not set, it is the pool of each recovery image." },
    { .name = "template", .type = OCF_TYPE_STRING, .check = check_absolute_path,
      .shortdesc = "Domain XML to use instead of the built-in one",
      .longdesc = "Path of a libvirt domain XML, the same on every host. The agent sets the name, the UUID, what the "
                  "domain does at power-off, and where the disks' data are; the rest is kept as it stands. The first "
                  "image goes to the disk with the lowest boot order, or if no disk has one to the first by target "
                  "name; the others follow by target name (vda, vdb ...). A template with more disks than images, or "
                  "with a disk that can't be an image (device='lun', shareable, transient, encryption, "
                  "cache='unsafe'), is refused. If no template is set, a small virtio machine is built from the "
                  "parameters below." },
    { .name = "vcpus", .type = OCF_TYPE_INTEGER, .default_text = "1", .min = 1, .max = 1024,
      .shortdesc = "Number of virtual CPUs",
      .longdesc = "Virtual CPUs of the built-in machine. Also write it into the resource's utilization as \""
                  UTILIZATION_CPU "\"." },
    { .name = "memory_mib", .type = OCF_TYPE_INTEGER, .default_text = "1024", .min = 16, .max = 16 * 1024 * 1024,
      .shortdesc = "Memory in MiB",
      .longdesc = "Memory of the built-in machine. Also write it into the resource's utilization as \""
                  UTILIZATION_MEMORY "\"." },
    { .name = "mac", .type = OCF_TYPE_STRING, .unique_group = "mac", .check = check_mac,
      .shortdesc = "MAC address of the image",
      .longdesc = "One MAC address, the same at every start: the original's where the network allows it, so that no "
                  "client keeps a stale neighbour entry. If it is not set, one is derived from the server's name, the "
                  "same on every host." },
    { .name = "bridge", .type = OCF_TYPE_STRING, .default_text = "br0",
      .shortdesc = "Bridge of the service network on the hosts",
      .longdesc = "Name of the Linux bridge that the image's network card is attached to, the same on every host." },
    { .name = "service_address", .type = OCF_TYPE_STRING, .unique_group = "service_address", .check = check_address,
      .shortdesc = "Address that the clients use",
      .longdesc = "The server's service address. It is announced on the bridge (gratuitous ARP or unsolicited "
                  "neighbour advertisement) when the image starts, so that clients and switches find it at once. "
                  "Before that the start asks on the bridge who has it, and refuses if somebody answers, unless "
                  "isolate is \"best-effort\"." },
    { .name = "domain_type", .type = OCF_TYPE_SELECT, .default_text = "auto", .choices = domain_type_choices,
      .shortdesc = "Hardware virtualization or emulation",
      .longdesc = "\"auto\" uses KVM where the host offers it, and software emulation otherwise." },
    { .name = "ceph_conf", .type = OCF_TYPE_STRING, .default_text = "/etc/ceph/ceph.conf", .check = check_absolute_path,
      .shortdesc = "Configuration file of the Ceph client",
      .longdesc = "Path of the ceph.conf that names the monitors, the same on every host." },
    { .name = "ceph_user", .type = OCF_TYPE_STRING, .default_text = "understudy",
      .shortdesc = "Cephx user of the hosts, without \"client.\"",
      .longdesc = "User whose keyring the hosts have, with the caps that \"understudy keys\" prints: \"profile rbd\" on the "
                  "pools, for the images and the claim on the server; on the monitors, to put single clients of the "
                  "hosts on the blocklist, to read the keys below understudy/ in the config-key store, and to set this "
                  "host's below understudy/host/." },
    { .name = "boot_probe", .type = OCF_TYPE_STRING, .reloadable = TRUE, .check = check_probe,
      .shortdesc = "What must answer before a start is a success",
      .longdesc = "tcp:ADDR:PORT or icmp:ADDR on the service address. If it is not set, the start is a success when "
                  "the machine runs; if it is, when the probe answers, within the start's timeout." },
    { .name = "store_timeout", .type = OCF_TYPE_DURATION, .default_text = "5s", .reloadable = TRUE,
      .min = 1000, .max = 300000,
      .shortdesc = "Deadline of each operation on Ceph",
      .longdesc = "How long a monitor or an OSD may take to answer." },
    { .name = "watcher_wait", .type = OCF_TYPE_DURATION, .default_text = "3s", .reloadable = TRUE,
      .min = 0, .max = 300000,
      .shortdesc = "How long a start waits for another client to let go",
      .longdesc = "If another client that is not on Ceph's blocklist has the run image open, the start waits this "
                  "long and then refuses, naming its address." },
    { .name = "migrate_uri", .type = OCF_TYPE_STRING, .default_text = "qemu+tls://%s/system", .reloadable = TRUE,
      .shortdesc = "libvirt's URI of the host that a live migration goes to",
      .longdesc = "libvirt URI with %s where the host's name in the cluster stands. It is used when the resource's "
                  "meta attribute allow-migrate is true, and by a start that finds that a copy of the image, on a host "
                  "which the store alone has fenced, still answers for the service address: it ends that copy." },
    { .name = "probes", .type = OCF_TYPE_STRING, .default_text = "", .reloadable = TRUE,
      .is_for_observers = TRUE, .check = check_probes,
      .shortdesc = "What shows that the server serves",
      .longdesc = "Probes that the observers send to the original, separated by blanks (quoted as in a shell where "
                  "one has blanks in it); all must answer: tcp:ADDR:PORT, icmp:ADDR, http://... or https://..., "
                  "pgsql:CONNINFO (a real query), exec:PATH ARGS (exit status 0, no shell). Without any, the server "
                  "is never judged to have failed." },
    { .name = "recover_probe", .type = OCF_TYPE_STRING, .reloadable = TRUE,
      .is_for_observers = TRUE, .check = check_probe,
      .shortdesc = "What shows that the original is back",
      .longdesc = "A probe on the server's management address, which the image never has. It asks for the service: "
                  "tcp:, pgsql:, http: or exec: says that the service is ready and only waits for its address, which "
                  "the image has. An icmp: probe says no more than that the machine is on: the image is not stopped for "
                  "it, and the server takes its place again only by \"understudy release\", as without a "
                  "recover_probe." },
    { .name = "probe_interval", .type = OCF_TYPE_DURATION, .default_text = DEFAULT_PROBE_INTERVAL, .reloadable = TRUE,
      .is_for_observers = TRUE,
      .min = 100, .max = 3600000,
      .shortdesc = "Time between two probes",
      .longdesc = "How often each observer probes the server." },
    { .name = "probe_timeout", .type = OCF_TYPE_DURATION, .default_text = DEFAULT_PROBE_TIMEOUT, .reloadable = TRUE,
      .is_for_observers = TRUE,
      .min = 50, .max = 60000,
      .shortdesc = "How long a probe may take",
      .longdesc = "A probe that has not been answered by then is a miss." },
    { .name = "probe_misses", .type = OCF_TYPE_INTEGER, .default_text = DEFAULT_PROBE_MISSES, .reloadable = TRUE,
      .is_for_observers = TRUE,
      .min = 1, .max = 1000,
      .shortdesc = "Misses in a row that count as down",
      .longdesc = "An observer votes \"down\" after so many misses in a row, and \"up\" again after one answer." },
    { .name = "probe_unknown", .type = OCF_TYPE_SELECT, .default_text = DEFAULT_PROBE_UNKNOWN, .reloadable = TRUE,
      .is_for_observers = TRUE,
      .choices = probe_unknown_choices,
      .shortdesc = "What a probe counts as that could not be asked",
      .longdesc = "A name that does not resolve, a login that is refused, too many connections, a program that is "
                  "missing, a certificate: the service was not found to be away, the probe is at fault. \"ignore\": it is "
                  "shown with its reason, and starts no takeover. \"down\": it is a miss like any other." },
    { .name = "hold_down", .type = OCF_TYPE_DURATION, .default_text = DEFAULT_HOLD_DOWN, .reloadable = TRUE,
      .is_for_observers = TRUE,
      .min = 0, .max = 3600000,
      .shortdesc = "Time between the two rounds of confirmation",
      .longdesc = "After a majority has found the server down twice at once, so long is waited before the second "
                  "round; any recovery before that ends the doubt." },
    { .name = "recover_after", .type = OCF_TYPE_DURATION, .default_text = DEFAULT_RECOVER_AFTER, .reloadable = TRUE,
      .is_for_observers = TRUE,
      .min = 0, .max = 86400000,
      .shortdesc = "How long the original must be back before the image stops",
      .longdesc = "The recover_probe must answer a majority of the observers for so long. After a return that failed "
                  "it is twice as long, and so on." },
    { .name = "isolate", .type = OCF_TYPE_SELECT, .default_text = DEFAULT_ISOLATE, .reloadable = TRUE,
      .choices = isolate_choices,
      .shortdesc = "What must be proved before a takeover",
      .longdesc = "\"required\": no takeover until the original has been powered off by a fence device; a blocklist or "
                  "a cut link leaves it serving and is not enough. \"confirmed\": if no way "
                  "can be carried out (a power cut takes the power switch along), two rounds without life on any "
                  "plane count. \"best-effort\": take over after trying, although the original may still serve." },
    { .name = "store_address", .type = OCF_TYPE_STRING, .reloadable = TRUE,
      .is_for_observers = TRUE, .check = check_address,
      .shortdesc = "The server's own address on the storage network",
      .longdesc = "If it is set, the address is put on Ceph's blocklist before a takeover." },
    { .name = "gate_quiet", .type = OCF_TYPE_DURATION, .default_text = DEFAULT_GATE_QUIET, .reloadable = TRUE,
      .is_for_observers = TRUE,
      .min = 0, .max = 3600000,
      .shortdesc = "How long the server's gate waits for silence",
      .longdesc = "The --quiet of the server's gate: understudy-gate(8) takes the service address when nobody has answered "
                  "for it for so long. After the image has stopped, the observers give the server this much longer to "
                  "serve. It should be longer than the fencing of a host and a start of the image together may take." },
    { .name = "isolate_timeout", .type = OCF_TYPE_DURATION, .default_text = DEFAULT_ISOLATE_TIMEOUT, .reloadable = TRUE,
      .is_for_observers = TRUE,
      .min = 1000, .max = 3600000,
      .shortdesc = "Deadline of one attempt to isolate the original",
      .longdesc = "An attempt that has not succeeded by then is a failure and is made again." },
    { .name = "paused_until", .type = OCF_TYPE_STRING, .reloadable = TRUE,
      .is_for_observers = TRUE, .check = check_paused_until,
      .shortdesc = "No takeover until then",
      .longdesc = "Set by \"understudy pause\", removed by \"understudy resume\": an interval as ISO 8601 writes it, in UTC "
                  "if it names no zone (2026-01-31T16:00:00Z/2026-01-31T18:00:00Z), or \"resumed\". Meanwhile the server is "
                  "neither isolated nor taken over, whatever the observers see. Both times are of the clock of the host "
                  "where the pause was typed; the observers use only how far they are apart, and take it out when it is "
                  "over. A time alone, written by hand, is an end by the clock of the observer that reads it." },
    { .name = "hold", .type = OCF_TYPE_BOOLEAN, .default_text = "false", .reloadable = TRUE, .is_for_observers = TRUE,
      .shortdesc = "The image goes on although the original is back",
      .longdesc = "Set by \"understudy hold\", removed by \"understudy hold --off\" and \"understudy release\": after a "
                  "takeover the server does not take its place again by itself." },
    { .name = "held_takeover", .type = OCF_TYPE_BOOLEAN, .default_text = "false", .reloadable = TRUE,
      .is_for_observers = TRUE,
      .shortdesc = "The hold is of a takeover that is under way",
      .longdesc = "Set and removed by the observers and by \"understudy hold\"; leave it alone. With it a hold outlives a "
                  "power failure of the whole site: the server is isolated again, and its image started, whatever the "
                  "server does by then." },
    { .name = NULL }
};

const ocf_param_t observer_params[] = {
    { .name = "references", .type = OCF_TYPE_STRING, .default_text = "", .reloadable = TRUE, .check = check_probes,
      .shortdesc = "Addresses that answer as long as this host's service network works",
      .longdesc = "Probes (tcp:ADDR:PORT, icmp:ADDR) of routers, switches or clients on the service network, "
                  "separated by blanks. While none of them answers, this host's votes are \"blind\" and no image "
                  "is placed on it if another host can do better. Without any, a host is never blind. A host's own "
                  "address answers while the network is away, and a protected server's falls silent with it: name "
                  "neither." },
    { .name = "management_references", .type = OCF_TYPE_STRING, .default_text = "", .reloadable = TRUE, .check = check_probes,
      .shortdesc = "Addresses that answer as long as this host reaches the servers' management network",
      .longdesc = "Probes (tcp:ADDR:PORT, icmp:ADDR) of switches or routers on the network of the servers' management "
                  "addresses (recover_probe), separated by blanks. That such an address is silent counts only while "
                  "somebody else on its network answers: one of these, one of the cluster's other members (they are "
                  "asked by ping where Corosync has an address on that network) or a reference of the service network "
                  "that is on it, too. Where there is no such member, because that network is reached through a router "
                  "or Corosync does not use it, name somebody here: without, a silent server is never found gone, so "
                  "that it does not return by itself, and isolate=confirmed is never satisfied by silence." },
    { .name = "uncounted", .type = OCF_TYPE_STRING, .default_text = "",
      .shortdesc = "Cluster members whose votes are not counted",
      .longdesc = "A server counts as down when a majority of the cluster's members finds it down: of the full nodes in "
                  "the quorate membership, but for those in standby or maintenance, and in a cluster of three or more "
                  "by two votes at least. A member without an observer counts, and does not find it down. Name here, "
                  "separated by blanks, members that are to be left out: an arbiter that is in the cluster only for "
                  "its quorum and runs no observer." },
    { .name = "ceph_conf", .type = OCF_TYPE_STRING, .default_text = "/etc/ceph/ceph.conf", .check = check_absolute_path,
      .shortdesc = "Configuration file of the Ceph client",
      .longdesc = "Used to put a failed server's storage address on the blocklist." },
    { .name = "ceph_user", .type = OCF_TYPE_STRING, .default_text = "understudy",
      .shortdesc = "Cephx user, without \"client.\"",
      .longdesc = "User whose keyring the hosts have." },
    { .name = NULL }
};

const ocf_param_t capacity_params[] = {
    { .name = "cpu_reserve", .type = OCF_TYPE_INTEGER, .default_text = "0", .reloadable = TRUE, .min = 0, .max = 4096,
      .shortdesc = "CPUs kept for the host itself",
      .longdesc = "Number of CPUs that are never given to images." },
    { .name = "memory_reserve_mib", .type = OCF_TYPE_INTEGER, .default_text = "512", .reloadable = TRUE,
      .min = 0, .max = 16 * 1024 * 1024,
      .shortdesc = "Memory kept for the host itself, in MiB",
      .longdesc = "Memory that is never given to images." },
    { .name = "memory_step_mib", .type = OCF_TYPE_INTEGER, .default_text = "256", .reloadable = TRUE,
      .min = 1, .max = 1024 * 1024,
      .shortdesc = "Step in which memory is published, in MiB",
      .longdesc = "Coarse steps keep the published numbers still: each change makes Pacemaker think again." },
    { .name = "settle", .type = OCF_TYPE_DURATION, .default_text = "20s", .reloadable = TRUE, .min = 0, .max = 3600000,
      .shortdesc = "How long a load must last before it is published",
      .longdesc = "A change of the host's own load is published when it has lasted this long." },
    { .name = "ceph_conf", .type = OCF_TYPE_STRING, .default_text = "/etc/ceph/ceph.conf", .check = check_absolute_path,
      .shortdesc = "Configuration file of the Ceph client",
      .longdesc = "Used to publish the host's storage address and boot id for fence_rbd." },
    { .name = "ceph_user", .type = OCF_TYPE_STRING, .default_text = "understudy",
      .shortdesc = "Cephx user of the hosts, without \"client.\"",
      .longdesc = "User whose keyring the hosts have. It must be allowed to set keys below understudy/host/ in the "
                  "monitors' config-key store." },
    { .name = NULL }
};
