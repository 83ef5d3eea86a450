/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module hypervisor.so: libvirt, with a deadline on every call. */
#include "host/hypervisor_module.h"

#include <string.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "base/error.h"
#include "base/module.h"

extern MODULE_EXPORT const hypervisor_ops_t understudy_hypervisor_ops;

struct hypervisor {
    virConnectPtr connection;
    gboolean abandoned; /* a call is still under way in its thread: the connection must outlive it */
};

/* One call of libvirt in a thread of its own, so that its caller can stop waiting. Freed by who is last. */
typedef struct job {
    gatomicrefcount references;
    gboolean (*run)(struct job *job);
    GMutex mutex;
    GCond ended_condition;
    gboolean ended;
    gboolean succeeded;
    GError *error;
    virConnectPtr connection; /* in; out of job_connect() */
    char *text;               /* URI, UUID, XML: what the call is about */
    char *second_text;
    char *key;
    hypervisor_domain_t domain;
    gboolean answer;
} job_t;

static const struct {
    int libvirt_code;
    understudy_error_t code;
} error_classes[] = {
    { VIR_ERR_AUTH_FAILED, UNDERSTUDY_ERROR_PERMISSION },   { VIR_ERR_AUTH_CANCELLED, UNDERSTUDY_ERROR_PERMISSION },
    { VIR_ERR_AUTH_UNAVAILABLE, UNDERSTUDY_ERROR_PERMISSION }, { VIR_ERR_OPERATION_DENIED, UNDERSTUDY_ERROR_PERMISSION },
    { VIR_ERR_ACCESS_DENIED, UNDERSTUDY_ERROR_PERMISSION }, { VIR_ERR_OPERATION_TIMEOUT, UNDERSTUDY_ERROR_TIMEOUT },
    { VIR_ERR_XML_ERROR, UNDERSTUDY_ERROR_CONFIG },         { VIR_ERR_XML_DETAIL, UNDERSTUDY_ERROR_CONFIG },
    { VIR_ERR_DOM_EXIST, UNDERSTUDY_ERROR_EXISTS },
};

/* libvirt keeps the last error for each thread, until the next call, and be it one that frees: nothing is freed before. */
static gboolean libvirt_fail(GError **error, const char *what)
{
    virErrorPtr last = virGetLastError();
    understudy_error_t code = UNDERSTUDY_ERROR_FAILED;

    for (gsize i = 0; last != NULL && i < G_N_ELEMENTS(error_classes); i++) {
        if (error_classes[i].libvirt_code == last->code) {
            code = error_classes[i].code;
        }
    }
    g_set_error(error, UNDERSTUDY_ERROR, code, "%s: %s", what,
                last != NULL && last->message != NULL ? last->message : "libvirt gives no reason");
    return FALSE;
}

/* It would print them to stderr otherwise, which Pacemaker logs. */
static void libvirt_error_ignore(void *user_data, virErrorPtr libvirt_error)
{
    (void) user_data;
    (void) libvirt_error;
}

static job_t *job_new(hypervisor_t *hypervisor, gboolean (*run)(job_t *job), const char *text, const char *second_text)
{
    job_t *job = g_new0(job_t, 1);

    g_atomic_ref_count_init(&job->references);
    g_mutex_init(&job->mutex);
    g_cond_init(&job->ended_condition);
    job->run = run;
    job->connection = hypervisor != NULL ? hypervisor->connection : NULL;
    job->text = g_strdup(text);
    job->second_text = g_strdup(second_text);
    return job;
}

static void job_unref(job_t *job)
{
    if (!g_atomic_ref_count_dec(&job->references)) {
        return;
    }
    if (job->key != NULL) {
        explicit_bzero(job->key, strlen(job->key));
    }
    hypervisor_domain_clear(&job->domain);
    g_clear_error(&job->error);
    g_mutex_clear(&job->mutex);
    g_cond_clear(&job->ended_condition);
    g_free(job->key);
    g_free(job->text);
    g_free(job->second_text);
    g_free(job);
}

static gpointer job_thread(gpointer data)
{
    job_t *job = data;
    gboolean succeeded = job->run(job);

    g_mutex_lock(&job->mutex);
    job->succeeded = succeeded;
    job->ended = TRUE;
    g_cond_signal(&job->ended_condition);
    g_mutex_unlock(&job->mutex);
    job_unref(job);
    return NULL;
}

static gboolean job_wait(job_t *job, guint timeout_ms)
{
    gint64 deadline_us = g_get_monotonic_time() + timeout_ms * 1000LL;
    gboolean ended = FALSE;

    g_mutex_lock(&job->mutex);
    while (!job->ended && g_cond_wait_until(&job->ended_condition, &job->mutex, deadline_us)) {
        continue;
    }
    ended = job->ended;
    g_mutex_unlock(&job->mutex);
    return ended;
}

/* Runs the job and waits; its results are the caller's to read, who has a reference, if it succeeded. */
static gboolean job_run(hypervisor_t *hypervisor, job_t *job, guint timeout_ms, const char *what, GError **error)
{
    GThread *thread = NULL;

    g_atomic_ref_count_inc(&job->references);
    thread = g_thread_new("libvirt", job_thread, job);
    g_thread_unref(thread);
    if (!job_wait(job, timeout_ms)) {
        if (hypervisor != NULL) {
            hypervisor->abandoned = TRUE;
        }
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_TIMEOUT, "libvirtd did not %s within %.1f s", what,
                    timeout_ms / 1000.0);
        return FALSE;
    }
    if (!job->succeeded) {
        g_propagate_error(error, g_steal_pointer(&job->error));
    }
    return job->succeeded;
}

/* For jobs without a result. */
static gboolean job_run_and_free(hypervisor_t *hypervisor, job_t *job, guint timeout_ms, const char *what,
                                 GError **error)
{
    gboolean succeeded = job_run(hypervisor, job, timeout_ms, what, error);

    job_unref(job);
    return succeeded;
}

static gboolean job_connect(job_t *job)
{
    unsigned long version = 0;

    job->connection = virConnectOpen(job->text);
    if (job->connection == NULL) {
        return libvirt_fail(&job->error, "libvirtd can't be reached, start it");
    }
    /* A socket accepts connections before its daemon answers: ask something. */
    if (virConnectGetLibVersion(job->connection, &version) < 0) {
        return libvirt_fail(&job->error, "libvirtd does not answer");
    }
    return TRUE;
}

static hypervisor_t *open_hypervisor(const char *uri, guint timeout_ms, GError **error)
{
    job_t *job = NULL;
    hypervisor_t *hypervisor = NULL;

    if (virInitialize() < 0) {
        libvirt_fail(error, "libvirt can't be used");
        return NULL;
    }
    virSetErrorFunc(NULL, libvirt_error_ignore);
    job = job_new(NULL, job_connect, uri, NULL);
    if (job_run(NULL, job, timeout_ms, "answer", error)) {
        hypervisor = g_new0(hypervisor_t, 1);
        hypervisor->connection = g_steal_pointer(&job->connection);
    }
    job_unref(job);
    return hypervisor;
}

static void close_hypervisor(hypervisor_t *hypervisor)
{
    if (!hypervisor->abandoned) {
        virConnectClose(hypervisor->connection);
    }
    g_free(hypervisor);
}

static gboolean domain_read(virDomainPtr domain, hypervisor_domain_t *result, GError **error)
{
    char uuid[VIR_UUID_STRING_BUFLEN] = "";

    if (virDomainGetState(domain, &result->state, &result->reason, 0) < 0
        || virDomainGetUUIDString(domain, uuid) < 0) {
        /* It may have gone since it was found. */
        return virGetLastErrorCode() == VIR_ERR_NO_DOMAIN || libvirt_fail(error, "can't read the domain's state");
    }
    result->found = TRUE;
    result->name = g_strdup(virDomainGetName(domain));
    result->uuid = g_strdup(uuid);
    return TRUE;
}

static gboolean job_find(job_t *job)
{
    virDomainPtr domain = virDomainLookupByUUIDString(job->connection, job->text);
    gboolean read = TRUE;

    if (domain == NULL && virGetLastErrorCode() == VIR_ERR_NO_DOMAIN) {
        domain = virDomainLookupByName(job->connection, job->second_text);
    }
    if (domain == NULL) {
        return virGetLastErrorCode() == VIR_ERR_NO_DOMAIN || libvirt_fail(&job->error, "can't look for the domain");
    }
    read = domain_read(domain, &job->domain, &job->error);
    virDomainFree(domain);
    return read;
}

static gboolean domain_find(hypervisor_t *hypervisor, const char *uuid, const char *name,
                            hypervisor_domain_t *domain, guint timeout_ms, GError **error)
{
    job_t *job = job_new(hypervisor, job_find, uuid, name);
    gboolean known = job_run(hypervisor, job, timeout_ms, "tell the domain's state", error);

    memset(domain, 0, sizeof *domain);
    if (known) {
        *domain = job->domain;
        memset(&job->domain, 0, sizeof job->domain);
    }
    job_unref(job);
    return known;
}

/* What is asked of a domain is moot when it has gone. */
static gboolean domain_ask(job_t *job, int (*ask)(virDomainPtr domain), const char *what)
{
    virDomainPtr domain = virDomainLookupByUUIDString(job->connection, job->text);
    gboolean done = domain != NULL && ask(domain) >= 0;

    if (!done) {
        int code = virGetLastErrorCode();

        /* OPERATION_INVALID: it is not running any more. */
        done = code == VIR_ERR_NO_DOMAIN || code == VIR_ERR_OPERATION_INVALID || libvirt_fail(&job->error, what);
    }
    if (domain != NULL) {
        virDomainFree(domain);
    }
    return done;
}

static gboolean job_shutdown(job_t *job)
{
    return domain_ask(job, virDomainShutdown, "can't ask the guest to shut down");
}

static gboolean job_destroy(job_t *job)
{
    return domain_ask(job, virDomainDestroy, "can't destroy the domain");
}

static gboolean domain_shutdown(hypervisor_t *hypervisor, const char *uuid, guint timeout_ms, GError **error)
{
    return job_run_and_free(hypervisor, job_new(hypervisor, job_shutdown, uuid, NULL), timeout_ms,
                            "ask the guest to shut down", error);
}

static gboolean domain_destroy(hypervisor_t *hypervisor, const char *uuid, guint timeout_ms, GError **error)
{
    return job_run_and_free(hypervisor, job_new(hypervisor, job_destroy, uuid, NULL), timeout_ms,
                            "destroy the domain", error);
}

/* What an error means for a request that changes something: from a daemon that has gone it is no answer. */
static gboolean request_fail(job_t *job, const char *what)
{
    libvirt_fail(&job->error, what);
    if (virConnectIsAlive(job->connection) != 1) {
        job->error->code = UNDERSTUDY_ERROR_TIMEOUT;
    }
    return FALSE;
}

static gboolean job_create(job_t *job)
{
    virDomainPtr domain = virDomainCreateXML(job->connection, job->text, 0);

    if (domain == NULL) {
        return request_fail(job, "libvirt can't start the image");
    }
    virDomainFree(domain);
    return TRUE;
}

static gboolean domain_create(hypervisor_t *hypervisor, const char *xml, guint timeout_ms, GError **error)
{
    return job_run_and_free(hypervisor, job_new(hypervisor, job_create, xml, NULL), timeout_ms, "start the image",
                            error);
}

static gboolean job_migrate(job_t *job)
{
    virDomainPtr domain = virDomainLookupByUUIDString(job->connection, job->text);
    gboolean migrated = (domain != NULL
                         && virDomainMigrateToURI3(domain, job->second_text, NULL, 0,
                                                   VIR_MIGRATE_LIVE | VIR_MIGRATE_PEER2PEER | VIR_MIGRATE_ABORT_ON_ERROR) >= 0)
                        || request_fail(job, "live migration failed");

    if (domain != NULL) {
        virDomainFree(domain);
    }
    return migrated;
}

static gboolean domain_migrate(hypervisor_t *hypervisor, const char *uuid, const char *destination_uri,
                               guint timeout_ms, GError **error)
{
    return job_run_and_free(hypervisor, job_new(hypervisor, job_migrate, uuid, destination_uri), timeout_ms,
                            "migrate the image", error);
}

static gboolean job_domain_secret(job_t *job)
{
    virDomainPtr domain = virDomainLookupByUUIDString(job->connection, job->text);
    char *xml = domain != NULL ? virDomainGetXMLDesc(domain, 0) : NULL;
    gboolean read = xml != NULL || libvirt_fail(&job->error, "can't read the domain's definition");

    if (domain != NULL) {
        virDomainFree(domain);
    }
    if (read) {
        job->second_text = domain_xml_secret(xml);
        free(xml);
    }
    return read;
}

static gboolean domain_secret(hypervisor_t *hypervisor, const char *uuid, char **secret_uuid, guint timeout_ms,
                              GError **error)
{
    job_t *job = job_new(hypervisor, job_domain_secret, uuid, NULL);
    gboolean known = job_run(hypervisor, job, timeout_ms, "tell the domain's definition", error);

    *secret_uuid = known ? g_steal_pointer(&job->second_text) : NULL;
    job_unref(job);
    return known;
}

static gboolean job_secret(job_t *job)
{
    g_autofree char *xml = secret_xml_build(job->text, job->second_text);
    gsize key_bytes = 0;
    g_autofree guchar *key = g_base64_decode(job->key, &key_bytes);
    virSecretPtr secret = virSecretDefineXML(job->connection, xml, 0);
    gboolean taken = (secret != NULL && virSecretSetValue(secret, key, key_bytes, 0) >= 0)
                     || libvirt_fail(&job->error, "libvirt does not take Ceph's key");

    explicit_bzero(key, key_bytes);
    if (secret != NULL) {
        virSecretFree(secret);
    }
    return taken;
}

static gboolean secret_set(hypervisor_t *hypervisor, const char *uuid, const char *usage, const char *key,
                           guint timeout_ms, GError **error)
{
    job_t *job = job_new(hypervisor, job_secret, uuid, usage);

    job->key = g_strdup(key);
    return job_run_and_free(hypervisor, job, timeout_ms, "take Ceph's key", error);
}

static gboolean job_secret_remove(job_t *job)
{
    virSecretPtr secret = virSecretLookupByUUIDString(job->connection, job->text);
    gboolean removed = secret != NULL && virSecretUndefine(secret) >= 0;

    removed = removed || virGetLastErrorCode() == VIR_ERR_NO_SECRET
              || libvirt_fail(&job->error, "libvirt does not give Ceph's key back");
    if (secret != NULL) {
        virSecretFree(secret);
    }
    return removed;
}

static gboolean secret_remove(hypervisor_t *hypervisor, const char *uuid, guint timeout_ms, GError **error)
{
    return job_run_and_free(hypervisor, job_new(hypervisor, job_secret_remove, uuid, NULL), timeout_ms,
                            "give Ceph's key back", error);
}

static gboolean job_secret_exists(job_t *job)
{
    virSecretPtr secret = virSecretLookupByUUIDString(job->connection, job->text);

    job->answer = secret != NULL;
    if (secret != NULL) {
        virSecretFree(secret);
        return TRUE;
    }
    return virGetLastErrorCode() == VIR_ERR_NO_SECRET || libvirt_fail(&job->error, "libvirt does not tell whether it has Ceph's key");
}

static gboolean secret_exists(hypervisor_t *hypervisor, const char *uuid, gboolean *exists, guint timeout_ms, GError **error)
{
    job_t *job = job_new(hypervisor, job_secret_exists, uuid, NULL);
    gboolean known = job_run(hypervisor, job, timeout_ms, "tell whether it has Ceph's key", error);

    if (known) {
        *exists = job->answer;
    }
    job_unref(job);
    return known;
}

static gboolean secret_is_meant(virSecretPtr secret, const char *usage_prefix)
{
    const char *usage = virSecretGetUsageType(secret) == VIR_SECRET_USAGE_TYPE_CEPH ? virSecretGetUsageID(secret) : NULL;

    return usage != NULL && g_str_has_prefix(usage, usage_prefix);
}

static gboolean job_secrets_remove(job_t *job)
{
    virSecretPtr *secrets = NULL;
    int count = virConnectListAllSecrets(job->connection, &secrets, 0);
    gboolean removed = count >= 0 || libvirt_fail(&job->error, "libvirt does not list its secrets");

    for (int i = 0; i < count; i++) {
        if (removed && secret_is_meant(secrets[i], job->text) && virSecretUndefine(secrets[i]) < 0
            && virGetLastErrorCode() != VIR_ERR_NO_SECRET) {
            removed = libvirt_fail(&job->error, "libvirt does not give Ceph's key back");
        }
        virSecretFree(secrets[i]);
    }
    free(secrets); /* libvirt's own malloc */
    return removed;
}

static gboolean secrets_remove(hypervisor_t *hypervisor, const char *usage_prefix, guint timeout_ms, GError **error)
{
    return job_run_and_free(hypervisor, job_new(hypervisor, job_secrets_remove, usage_prefix, NULL), timeout_ms,
                            "give Ceph's keys back", error);
}

static gboolean job_offers_kvm(job_t *job)
{
    char *capabilities = virConnectGetDomainCapabilities(job->connection, NULL, NULL, NULL, "kvm", 0);

    job->answer = capabilities != NULL;
    free(capabilities);
    return TRUE;
}

static gboolean offers_kvm(hypervisor_t *hypervisor, gboolean *offered, guint timeout_ms, GError **error)
{
    job_t *job = job_new(hypervisor, job_offers_kvm, NULL, NULL);
    gboolean known = job_run(hypervisor, job, timeout_ms, "tell its capabilities", error);

    if (known) {
        *offered = job->answer;
    }
    job_unref(job);
    return known;
}

const hypervisor_ops_t understudy_hypervisor_ops = {
    .open = open_hypervisor,
    .close = close_hypervisor,
    .domain_find = domain_find,
    .domain_shutdown = domain_shutdown,
    .domain_destroy = domain_destroy,
    .domain_create = domain_create,
    .domain_migrate = domain_migrate,
    .domain_secret = domain_secret,
    .secret_set = secret_set,
    .secret_remove = secret_remove,
    .secret_exists = secret_exists,
    .secrets_remove = secrets_remove,
    .offers_kvm = offers_kvm,
    .domain_xml = domain_xml_build,
};
