/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capacity/capacity_host.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/names.h"

/* Where resource-agents keep the name of the domain that a VirtualDomain
 * resource has started (HA_RSCTMP). */
#define RSCTMP_DIR "/run/resource-agents"
#define VIRTUALDOMAIN_STATE_PREFIX "VirtualDomain-"
#define LIBVIRT_TIMEOUT_MS 4000

static gboolean file_read(const char *path, char **text, GError **error)
{
    g_autoptr(GError) read_error = NULL;

    if (g_file_get_contents(path, text, NULL, &read_error)) {
        return TRUE;
    }
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_HERE, "%s can't be read: is /proc mounted? (%s)",
                path, read_error->message);
    return FALSE;
}

/* Of the first line of /proc/stat: "cpu  user nice system idle iowait irq softirq steal ...", in clock ticks. */
typedef enum { CPU_USER, CPU_NICE, CPU_SYSTEM, CPU_IDLE, CPU_IOWAIT, CPU_IRQ, CPU_SOFTIRQ, CPU_TIME_COUNT } cpu_time_t;

static gboolean cpu_times_parse(const char *text, guint64 times[CPU_TIME_COUNT])
{
    const char *begin = text + strlen("cpu");

    if (!g_str_has_prefix(text, "cpu ")) {
        return FALSE;
    }
    for (guint i = 0; i < CPU_TIME_COUNT; i++) {
        char *end = NULL;

        times[i] = g_ascii_strtoull(begin, &end, 10);
        if (end == begin) {
            return FALSE;
        }
        begin = end;
    }
    return TRUE;
}

/* "guest" is already within "user" (proc(5)). */
static gboolean sample_cpus(capacity_sample_t *sample, GError **error)
{
    g_autofree char *text = NULL;
    guint64 times[CPU_TIME_COUNT] = { 0 };
    guint64 tick_us = 1000000 / (guint64) sysconf(_SC_CLK_TCK);
    g_auto(GStrv) lines = NULL;

    if (!file_read("/proc/stat", &text, error)) {
        return FALSE;
    }
    if (!cpu_times_parse(text, times)) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_HERE,
                            "/proc/stat has no line of CPU times: is /proc mounted?");
        return FALSE;
    }
    sample->cpu_busy_us = (times[CPU_USER] + times[CPU_NICE] + times[CPU_SYSTEM] + times[CPU_IRQ] + times[CPU_SOFTIRQ])
                          * tick_us;
    lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line != NULL; line++) {
        /* The host's own view of its CPUs: a container's limits show here, not in sysconf(). */
        if (g_str_has_prefix(*line, "cpu") && g_ascii_isdigit((*line)[3])) {
            sample->cpu_count++;
        }
    }
    return TRUE;
}

static guint64 meminfo_mib(const char *text, const char *key)
{
    const char *line = strstr(text, key);

    return line != NULL ? g_ascii_strtoull(line + strlen(key), NULL, 10) / 1024 : 0;
}

static gboolean sample_memory(capacity_sample_t *sample, GError **error)
{
    g_autofree char *text = NULL;
    guint64 available_mib = 0;

    if (!file_read("/proc/meminfo", &text, error)) {
        return FALSE;
    }
    sample->memory_total_mib = meminfo_mib(text, "MemTotal:");
    available_mib = meminfo_mib(text, "MemAvailable:");
    sample->memory_used_mib = sample->memory_total_mib > available_mib ? sample->memory_total_mib - available_mib : 0;
    return TRUE;
}

static GHashTable *virtualdomain_names(void)
{
    GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GDir) dir = g_dir_open(RSCTMP_DIR, 0, NULL);
    const char *entry = NULL;

    while (dir != NULL && (entry = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(RSCTMP_DIR, entry, NULL);
        char *name = NULL;

        if (g_str_has_prefix(entry, VIRTUALDOMAIN_STATE_PREFIX) && g_file_get_contents(path, &name, NULL, NULL)) {
            g_hash_table_add(names, g_strstrip(name));
        }
    }
    return names;
}

static gboolean add_domain(capacity_sample_t *sample, virDomainPtr domain)
{
    virDomainInfo info = { 0 };
    virDomainMemoryStatStruct stats[VIR_DOMAIN_MEMORY_STAT_NR];
    int count = 0;

    if (virDomainGetInfo(domain, &info) < 0) {
        return FALSE;
    }
    sample->managed_count++;
    sample->managed_cpu_us += info.cpuTime / 1000;
    count = virDomainMemoryStats(domain, stats, VIR_DOMAIN_MEMORY_STAT_NR, 0);
    for (int i = 0; i < count; i++) {
        if (stats[i].tag == VIR_DOMAIN_MEMORY_STAT_RSS) {
            sample->managed_memory_mib += stats[i].val / 1024;
        }
    }
    return count >= 0;
}

static void ignore_libvirt_error(void *user_data, virErrorPtr error)
{
    (void) user_data;
    (void) error;
}

/* FALSE: libvirt has not told all of it, or a guest ended meanwhile. */
static gboolean sample_domains(capacity_sample_t *sample)
{
    g_autoptr(GHashTable) names = virtualdomain_names();
    virConnectPtr connection = NULL;
    virDomainPtr *domains = NULL;
    gboolean known = FALSE;
    int count = 0;

    virSetErrorFunc(NULL, ignore_libvirt_error);
    connection = virConnectOpen("qemu:///system");
    if (connection == NULL) {
        return FALSE;
    }
    count = virConnectListAllDomains(connection, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
    known = count >= 0;
    for (int i = 0; i < count; i++) {
        const char *name = virDomainGetName(domains[i]);

        if (resource_id_server(name) != NULL || g_hash_table_contains(names, name)) {
            known = add_domain(sample, domains[i]) && known;
        }
        virDomainFree(domains[i]);
    }
    free(domains);
    virConnectClose(connection);
    return known;
}

/* libvirt's calls have no deadline: they are made in a thread, which is left alone if it does not end in time. */
typedef struct domains_look {
    capacity_sample_t sample;
    GAsyncQueue *ended; /* gets the look when it has ended */
} domains_look_t;

static gpointer domains_look_run(gpointer data)
{
    domains_look_t *look = data;

    look->sample.managed_is_known = sample_domains(&look->sample);
    g_async_queue_push(look->ended, look);
    return NULL;
}

static void domains_look(capacity_sample_t *sample)
{
    domains_look_t *look = g_new0(domains_look_t, 1);

    look->ended = g_async_queue_new();
    g_thread_unref(g_thread_new("libvirt", domains_look_run, look));
    if (g_async_queue_timeout_pop(look->ended, LIBVIRT_TIMEOUT_MS * 1000) == NULL) {
        return; /* the thread has it still, until this process ends */
    }
    sample->managed_is_known = look->sample.managed_is_known;
    sample->managed_count = look->sample.managed_count;
    sample->managed_cpu_us = look->sample.managed_cpu_us;
    sample->managed_memory_mib = look->sample.managed_memory_mib;
    g_async_queue_unref(look->ended);
    g_free(look);
}

gboolean capacity_host_sample(capacity_sample_t *sample, GError **error)
{
    memset(sample, 0, sizeof(*sample));
    sample->at_us = g_get_monotonic_time();
    if (!sample_cpus(sample, error) || !sample_memory(sample, error)) {
        return FALSE;
    }
    domains_look(sample);
    return TRUE;
}
