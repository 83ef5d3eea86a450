/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What several actions of the image agent share. */
#include <net/if.h>
#include <string.h>

#include "base/error.h"
#include "image/boot_probe.h"
#include "image/domain_status.h"
#include "image/image_actions.h"
#include "image/image_openers.h"
#include "net/announce.h"
#include "params/probe_spec.h"

#define HOST_PLACEHOLDER   "%s"
#define BOOT_PROBE_TRY_MS  500
#define BOOT_PROBE_PAUSE_MS 50
#define ANNOUNCE_EVERY_MS  500
/* Kept so that a start that fails can still say why. */
#define START_RESERVE_MS   1500

guint image_libvirt_timeout_ms(const ocf_call_t *call)
{
    return MIN(LIBVIRT_ANSWER_MS, ocf_call_remaining_ms(call, 0) / 2);
}

gboolean image_identity_of_call(const ocf_call_t *call, image_identity_t *identity, GError **error)
{
    return image_identity_init(identity, call->instance, ocf_value_string(call->values, "server"), error);
}

gboolean image_boot_probe_check(const ocf_call_t *call, GError **error)
{
    const char *text = ocf_value_string(call->values, "boot_probe");
    probe_spec_t *probe = text != NULL ? probe_spec_parse(text, error) : NULL;
    gboolean good = text == NULL || (probe != NULL && boot_probe_is_usable(probe));

    if (probe != NULL && !good) {
        g_set_error_literal(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG,
                            "boot_probe: write tcp:ADDR:PORT or icmp:ADDR");
    }
    probe_spec_free(probe);
    return good;
}

gboolean image_template_read(const ocf_call_t *call, char **text, GError **error)
{
    const char *path = ocf_value_string(call->values, "template");
    GError *read_error = NULL;

    *text = NULL;
    if (path == NULL || g_file_get_contents(path, text, NULL, &read_error)) {
        return TRUE;
    }
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_HERE, "template: %s; put the same file on every host",
                read_error->message);
    g_error_free(read_error);
    return FALSE;
}

gboolean image_bridge_check(const ocf_call_t *call, GError **error)
{
    const char *bridge = ocf_value_string(call->values, "bridge");

    if (ocf_value_string(call->values, "template") == NULL && if_nametoindex(bridge) == 0) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_HERE,
                    "there is no bridge %s on this host: make it, or set bridge", bridge);
        return FALSE;
    }
    return TRUE;
}

char *image_host_uri(const ocf_call_t *call, const char *host)
{
    g_auto(GStrv) parts = g_strsplit(ocf_value_string(call->values, "migrate_uri"), HOST_PLACEHOLDER, -1);

    return g_strjoinv(host, parts);
}

static guint store_timeout_ms(const ocf_call_t *call)
{
    return (guint) MIN(ocf_value_duration_ms(call->values, "store_timeout"), ocf_call_remaining_ms(call, 0));
}

store_options_t image_store_options(const ocf_call_t *call)
{
    return (store_options_t) { .conf = ocf_value_string(call->values, "ceph_conf"),
                               .user = ocf_value_string(call->values, "ceph_user"),
                               .timeout_ms = store_timeout_ms(call) };
}

store_t *image_store_open(const ocf_call_t *call, GError **error)
{
    const store_options_t options = image_store_options(call);

    return store_open(&options, error);
}

store_t *image_store_open_record(const ocf_call_t *call, const image_record_t *record, GError **error)
{
    const store_options_t options = { .conf = record->ceph_conf, .user = record->ceph_user,
                                      .timeout_ms = store_timeout_ms(call) };

    return store_open(&options, error);
}

char *image_secret_usage_prefix(const char *domain_name)
{
    return g_strdup_printf("understudy %s: ", domain_name);
}

gboolean image_secret_give(const ocf_call_t *call, const char *domain_name, store_t *store, hypervisor_t *hypervisor,
                           const char *secret_uuid, gboolean *given, GError **error)
{
    const char *conf = ocf_value_string(call->values, "ceph_conf");
    const char *user = ocf_value_string(call->values, "ceph_user");
    g_autofree char *prefix = image_secret_usage_prefix(domain_name);
    g_autofree char *usage = g_strdup_printf("%sclient.%s of %s, %s", prefix, user, conf, secret_uuid);
    GError *key_error = NULL;
    char *key = store_user_key(store, &key_error);

    *given = FALSE;
    if (key_error != NULL) {
        g_propagate_error(error, key_error);
        return FALSE;
    }
    if (key == NULL) {
        return TRUE;
    }
    *given = hypervisor_secret_set(hypervisor, secret_uuid, usage, key, image_libvirt_timeout_ms(call), error);
    explicit_bzero(key, strlen(key));
    g_free(key);
    return *given;
}

gboolean image_record_clients_of(store_t *store, image_record_t *record, const char *domain_name, GError **error)
{
    g_autoptr(GPtrArray) clients = image_openers_own(store, record->run_images, error);

    if (clients == NULL) {
        return FALSE;
    }
    for (guint i = 0; i < clients->len; i++) {
        image_record_add_client(record, clients->pdata[i]);
    }
    return image_record_save(record, domain_name, error);
}

/* Waiting for the guest ---------------------------------------------------*/

typedef struct announcer {
    announce_frames_t frames;
    const char *bridge;
    gint64 next_us;
} announcer_t;

static void announcer_tick(announcer_t *announcer)
{
    g_autoptr(GError) error = NULL;

    if (announcer->frames.count == 0 || g_get_monotonic_time() < announcer->next_us) {
        return;
    }
    announcer->next_us = g_get_monotonic_time() + ANNOUNCE_EVERY_MS * 1000;
    if (!announce_send(&announcer->frames, announcer->bridge, &error)) {
        ocf_log("%s", error->message);
        announcer->frames.count = 0;
    }
}

static gboolean domain_is_going(const char *domain_name)
{
    domain_status_t status;
    gboolean going = domain_status_read(domain_name, &status) && strcmp(status.state, "running") == 0;

    domain_status_clear(&status);
    return going;
}

ocf_rc_t image_wait_booted(const ocf_call_t *call, const image_identity_t *identity, const char *mac,
                           const char *bridge)
{
    const char *service_address = ocf_value_string(call->values, "service_address");
    const char *boot_probe = ocf_value_string(call->values, "boot_probe");
    probe_spec_t *probe = boot_probe != NULL ? probe_spec_parse(boot_probe, NULL) : NULL;
    announcer_t announcer = { .bridge = bridge };
    gboolean answered = probe == NULL;
    gboolean asked = FALSE;
    gboolean going = TRUE;

    if (service_address != NULL && mac != NULL && bridge != NULL) {
        announce_build(mac, service_address, &announcer.frames);
    }
    announcer_tick(&announcer);
    while (!answered && going && ocf_call_remaining_ms(call, START_RESERVE_MS) > 0) {
        guint try_ms = MIN(BOOT_PROBE_TRY_MS, ocf_call_remaining_ms(call, START_RESERVE_MS));

        boot_probe_t answer = boot_probe_ask(probe, try_ms);

        answered = answer == BOOT_PROBE_ANSWERED;
        asked = asked || answer != BOOT_PROBE_NOT_ASKED;
        going = answered || domain_is_going(identity->domain_name);
        announcer_tick(&announcer);
        if (!answered && going) {
            g_usleep(BOOT_PROBE_PAUSE_MS * 1000);
        }
    }
    probe_spec_free(probe);
    announcer.next_us = 0;
    announcer_tick(&announcer);
    if (going && !answered && !asked) {
        /* To stop the image for that, and on the next host too, would help nobody. */
        ocf_log("%s can't be asked from this host: whether the image of %s has booted is not known", boot_probe,
                identity->server);
        answered = TRUE;
    }
    if (answered) {
        return OCF_RC_SUCCESS;
    }
    if (!going) {
        ocf_exit_reason("the image of %s stopped while it booted: look at its console", identity->server);
    } else {
        ocf_exit_reason("the image of %s runs, but %s did not answer in time: look at its console, or give start "
                        "a longer timeout", identity->server, boot_probe);
    }
    return OCF_RC_GENERIC;
}
