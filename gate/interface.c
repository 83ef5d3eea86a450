/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the gate changes of an interface, by iproute2; and what it reads, from the kernel. */
#include "interface.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/program.h"

#define IP_PROGRAM "ip"
#define SYS_FOLDER "/sys/class/net"
#define IPV4_FOLDER "/proc/sys/net/ipv4/conf"
#define IPV6_FOLDER "/proc/sys/net/ipv6/conf"
#define SILENCE_MARK "/run/understudy-gate-%s.silent"
#define IP_TIMEOUT_MS 10000

void interface_address_free(interface_address_t *address)
{
    if (address != NULL) {
        g_free(address->text);
        g_free(address->address);
        g_free(address);
    }
}

static gboolean prefix_is_good(const char *text, int family)
{
    guint64 length = 0;

    return text != NULL && g_ascii_string_to_unsigned(text, 10, 1, family == AF_INET ? 32 : 128, &length, NULL);
}

interface_address_t *interface_address_parse(const char *text, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", 2);
    interface_address_t *address = g_new0(interface_address_t, 1);

    address->text = g_strdup(text);
    address->address = g_strdup(parts[0] != NULL ? parts[0] : "");
    if (!neighbour_address_parse(address->address, &address->parsed)
        || !prefix_is_good(parts[1], address->parsed.family)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                    "--address %s: write ADDRESS/PREFIXLEN, such as 192.0.2.31/24", text);
        interface_address_free(address);
        return NULL;
    }
    return address;
}

/* NULL: there is no such file, or it can't be read now. */
static char *read_line(const char *folder, const char *interface, const char *name)
{
    g_autofree char *path = g_build_filename(folder, interface, name, NULL);
    char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        return NULL;
    }
    return g_strstrip(text);
}

gboolean interface_has_carrier(const char *interface)
{
    g_autofree char *text = read_line(SYS_FOLDER, interface, "carrier");

    /* Of an interface that is down it can't be read. */
    return g_strcmp0(text, "1") == 0;
}

gboolean interface_read_mac(const char *interface, char *text, GError **error)
{
    g_autofree char *line = read_line(SYS_FOLDER, interface, "address");
    guint8 mac[NEIGHBOUR_MAC_BYTES];

    if (line == NULL || !neighbour_mac_parse(line, mac)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_HERE, "there is no Ethernet interface %s", interface);
        return FALSE;
    }
    neighbour_mac_format(mac, text);
    return TRUE;
}

/* 0: for each address of the machine; else for its own at most. The kernel takes the higher of the two. */
static gboolean arp_answers_for_all(const char *interface)
{
    g_autofree char *all = read_line(IPV4_FOLDER, "all", "arp_ignore");
    g_autofree char *own = read_line(IPV4_FOLDER, interface, "arp_ignore");

    return g_strcmp0(all, "0") == 0 && g_strcmp0(own, "0") == 0 && interface_has_carrier(interface);
}

gboolean interface_another_answers(const char *interface, const char *mac)
{
    g_autoptr(GDir) folder = g_dir_open(SYS_FOLDER, 0, NULL);
    char text[NEIGHBOUR_MAC_TEXT_BYTES];
    gboolean found = FALSE;
    const char *name = NULL;

    if (folder == NULL || (interface_read_mac(interface, text, NULL) && g_str_equal(text, mac))) {
        return FALSE; /* a bond's members and VLANs have its MAC, and so has the image */
    }
    while (!found && (name = g_dir_read_name(folder)) != NULL) {
        found = interface_read_mac(name, text, NULL) && g_str_equal(text, mac) && arp_answers_for_all(name);
    }
    return found;
}

static gboolean is_up(const char *interface)
{
    g_autofree char *line = read_line(SYS_FOLDER, interface, "flags");

    return line != NULL && (g_ascii_strtoull(line, NULL, 16) & IFF_UP) != 0;
}

static gboolean is_same(const struct sockaddr *found, const neighbour_address_t *address)
{
    if (found == NULL || found->sa_family != address->family) {
        return FALSE;
    }
    if (address->family == AF_INET) {
        return memcmp(&((const struct sockaddr_in *) found)->sin_addr, address->bytes, sizeof(struct in_addr)) == 0;
    }
    return memcmp(&((const struct sockaddr_in6 *) found)->sin6_addr, address->bytes, sizeof(struct in6_addr)) == 0;
}

/* The first interface that has the address, of those that are it, or are not; g_free() */
static char *find_interface(const char *interface, gboolean is_it, const interface_address_t *address)
{
    struct ifaddrs *all = NULL;
    char *found = NULL;

    if (getifaddrs(&all) != 0) {
        return NULL;
    }
    for (const struct ifaddrs *one = all; one != NULL && found == NULL; one = one->ifa_next) {
        if (g_str_equal(one->ifa_name, interface) == is_it && is_same(one->ifa_addr, &address->parsed)) {
            found = g_strdup(one->ifa_name);
        }
    }
    freeifaddrs(all);
    return found;
}

gboolean interface_has_address(const char *interface, const interface_address_t *address)
{
    g_autofree char *found = find_interface(interface, TRUE, address);

    return found != NULL;
}

char *interface_other_with_address(const char *interface, const interface_address_t *address)
{
    return find_interface(interface, FALSE, address);
}

/* Where a kernel has no such thing there is nothing to set. */
static void set_option(const char *folder, const char *interface, const char *name, const char *value)
{
    g_autofree char *path = g_build_filename(folder, interface, name, NULL);
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd >= 0) {
        if (write(fd, value, strlen(value)) < 0) {
            g_debug("%s can't be written: %s", path, g_strerror(errno));
        }
        close(fd);
    }
}

static void set_ipv6(const char *interface, gboolean enabled)
{
    set_option(IPV6_FOLDER, interface, "disable_ipv6", enabled ? "0" : "1");
}

/* Says, to whichever run opens the gate, that IPv6 is off because of us; gone after a boot. */
static char *silence_mark(const char *interface)
{
    return g_strdup_printf(SILENCE_MARK, interface);
}

static gboolean is_ipv6_on(const char *interface)
{
    g_autofree char *line = read_line(IPV6_FOLDER, interface, "disable_ipv6");

    return g_strcmp0(line, "0") == 0;
}

gboolean interface_up_silent(const char *interface, GError **error)
{
    const char *argv[] = { IP_PROGRAM, "link", "set", "dev", interface, "up", NULL };
    g_autofree char *mark = silence_mark(interface);

    if (is_up(interface)) {
        return TRUE;
    }
    if (is_ipv6_on(interface)) {
        if (!g_file_set_contents(mark, "", 0, error)) {
            return FALSE;
        }
        set_ipv6(interface, FALSE);
    }
    return program_run(argv, IP_TIMEOUT_MS, NULL, error);
}

void interface_end_silence(const char *interface)
{
    g_autofree char *mark = silence_mark(interface);

    if (g_file_test(mark, G_FILE_TEST_EXISTS)) {
        set_ipv6(interface, TRUE);
        unlink(mark);
    }
}

gboolean interface_add_address(const char *interface, const interface_address_t *address, GError **error)
{
    const char *ipv4[] = { IP_PROGRAM, "address", "replace", address->text, "broadcast", "+", "dev", interface, NULL };
    const char *ipv6[] = { IP_PROGRAM, "-6", "address", "replace", address->text, "dev", interface, NULL };

    return program_run(address->parsed.family == AF_INET ? ipv4 : ipv6, IP_TIMEOUT_MS, NULL, error);
}

/* "flush" asks the kernel for what is there and takes that off: "del" wants the length of the prefix, and the peer, as they are.
 * With the first address of a network Linux takes its others off as well, unless it is told to promote one of them
 * (promote_secondaries in Linux's ip-sysctl.rst). */
gboolean interface_remove_address(const char *interface, const interface_address_t *address, GError **error)
{
    const char *argv[] = { IP_PROGRAM, "address", "flush", "dev", interface, "to", address->address, NULL };
    g_autofree char *promotes = read_line(IPV4_FOLDER, interface, "promote_secondaries");
    gboolean removed = FALSE;

    set_option(IPV4_FOLDER, interface, "promote_secondaries", "1");
    removed = program_run(argv, IP_TIMEOUT_MS, NULL, error);
    if (promotes != NULL) {
        set_option(IPV4_FOLDER, interface, "promote_secondaries", promotes);
    }
    if (removed && interface_has_address(interface, address)) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_FAILED,
                    "%s is still on %s: something puts it there again, or 'ip address' can't take it off", address->address,
                    interface);
        return FALSE;
    }
    return removed;
}
