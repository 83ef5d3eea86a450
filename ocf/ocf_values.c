/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ocf.h"

#include "base/boolean.h"
#include "base/duration.h"
#include "base/error.h"

typedef struct ocf_value {
    char *text;          /* NULL: unset and no default */
    gint64 number;       /* INTEGER, BOOLEAN, DURATION (ms) */
} ocf_value_t;

struct ocf_values {
    const ocf_param_t *params;
    ocf_value_t *by_index;
};

static gboolean value_refused(const ocf_param_t *param, const char *text, const char *what, GError **error)
{
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, "%s=%s: %s", param->name, text, what);
    return FALSE;
}

static gboolean parse_string(const ocf_param_t *param, const char *text, ocf_value_t *value, GError **error)
{
    (void) param;
    (void) text;
    (void) value;
    (void) error;
    return TRUE;
}

static gboolean parse_integer(const ocf_param_t *param, const char *text, ocf_value_t *value, GError **error)
{
    if (!g_ascii_string_to_signed(text, 10, param->min, param->max, &value->number, NULL)) {
        g_autofree char *what = g_strdup_printf("set a whole number from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT,
                                                param->min, param->max);

        return value_refused(param, text, what, error);
    }
    return TRUE;
}

static gboolean parse_boolean(const ocf_param_t *param, const char *text, ocf_value_t *value, GError **error)
{
    gboolean truth = FALSE;

    if (!boolean_parse(text, &truth)) {
        return value_refused(param, text, "set true or false", error);
    }
    value->number = truth;
    return TRUE;
}

static gboolean parse_select(const ocf_param_t *param, const char *text, ocf_value_t *value, GError **error)
{
    g_autofree char *choices = NULL;
    g_autofree char *what = NULL;

    (void) value;
    if (g_strv_contains(param->choices, text)) {
        return TRUE;
    }
    choices = g_strjoinv(", ", (char **) param->choices);
    what = g_strconcat("set one of ", choices, NULL);
    return value_refused(param, text, what, error);
}

static gboolean parse_duration(const ocf_param_t *param, const char *text, ocf_value_t *value, GError **error)
{
    guint64 ms = 0;

    if (!duration_parse(text, &ms) || ms < (guint64) param->min || ms > (guint64) param->max) {
        g_autofree char *what = g_strdup_printf("set a duration from %" G_GINT64_FORMAT "ms to %" G_GINT64_FORMAT "s",
                                                param->min, param->max / 1000);

        return value_refused(param, text, what, error);
    }
    value->number = (gint64) ms;
    return TRUE;
}

static gboolean (*const value_parsers[])(const ocf_param_t *, const char *, ocf_value_t *, GError **) = {
    [OCF_TYPE_STRING] = parse_string,
    [OCF_TYPE_INTEGER] = parse_integer,
    [OCF_TYPE_BOOLEAN] = parse_boolean,
    [OCF_TYPE_SELECT] = parse_select,
    [OCF_TYPE_DURATION] = parse_duration,
};

static gboolean value_set(const ocf_param_t *param, const char *text, ocf_value_t *value, GError **error)
{
    GError *check_error = NULL;

    if (!value_parsers[param->type](param, text, value, error)) {
        return FALSE;
    }
    if (param->check != NULL && text[0] != '\0' && !param->check(text, &check_error)) {
        value_refused(param, text, check_error->message, error);
        g_error_free(check_error);
        return FALSE;
    }
    value->text = g_strdup(text);
    return TRUE;
}

/* An empty value is "not set", as it is for every agent's shell. */
static gboolean value_read(const ocf_param_t *param, const char *text, ocf_value_t *value, GError **error)
{
    gboolean good = TRUE;

    if (text != NULL && text[0] != '\0') {
        good = value_set(param, text, value, error);
    } else if (param->required) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_CONFIG, "%s is not set: %s",
                    param->name, param->shortdesc);
        good = FALSE;
    }
    if (value->text == NULL && param->default_text != NULL) {
        /* The tables' defaults are right; tests/unit/test_ocf.c reads them all. */
        value_set(param, param->default_text, value, NULL);
    }
    return good;
}

gboolean ocf_value_check(const ocf_param_t *param, const char *text, GError **error)
{
    ocf_value_t value = { 0 };
    gboolean is_good = value_read(param, text, &value, error);

    g_free(value.text);
    return is_good;
}

ocf_values_t *ocf_values_parse(const ocf_param_t *params, GHashTable *texts, GError **error)
{
    ocf_values_t *values = g_new0(ocf_values_t, 1);
    gsize count = 0;

    while (params[count].name != NULL) {
        count++;
    }
    values->params = params;
    values->by_index = g_new0(ocf_value_t, count);
    for (gsize i = 0; i < count; i++) {
        GError *value_error = NULL;

        if (value_read(&params[i], g_hash_table_lookup(texts, params[i].name), &values->by_index[i], &value_error)) {
            continue;
        }
        if (error != NULL && *error == NULL) {
            g_propagate_error(error, value_error);
        } else {
            g_error_free(value_error);
        }
    }
    return values;
}

void ocf_values_free(ocf_values_t *values)
{
    if (values == NULL) {
        return;
    }
    for (gsize i = 0; values->params[i].name != NULL; i++) {
        g_free(values->by_index[i].text);
    }
    g_free(values->by_index);
    g_free(values);
}

static const ocf_value_t *value_by_name(const ocf_values_t *values, const char *name)
{
    for (gsize i = 0; values->params[i].name != NULL; i++) {
        if (g_strcmp0(values->params[i].name, name) == 0) {
            return &values->by_index[i];
        }
    }
    g_error("no parameter '%s' in the agent's table", name);
}

const char *ocf_value_string(const ocf_values_t *values, const char *name)
{
    return value_by_name(values, name)->text;
}

gint64 ocf_value_integer(const ocf_values_t *values, const char *name)
{
    return value_by_name(values, name)->number;
}

gboolean ocf_value_boolean(const ocf_values_t *values, const char *name)
{
    return value_by_name(values, name)->number != 0;
}

guint64 ocf_value_duration_ms(const ocf_values_t *values, const char *name)
{
    return (guint64) value_by_name(values, name)->number;
}
