/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/module.h"

#include <dlfcn.h>

#include "base/error.h"
#include "config.h"

#define VERSION_SYMBOL "understudy_version"

/* In every module, and in what loads it: the tables have no version of their own. */
extern MODULE_EXPORT const char understudy_version[];
const char understudy_version[] = PACKAGE_VERSION;

/* In the middle of an upgrade a program may meet the other version's modules. */
static gboolean is_of_this_version(void *handle, const char *path, GError **error)
{
    const char *version = dlsym(handle, VERSION_SYMBOL);

    if (g_strcmp0(version, PACKAGE_VERSION) == 0) {
        return TRUE;
    }
    g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_HERE,
                "%s is of version %s, and what wants to load it of version " PACKAGE_VERSION
                ": let the installation of Understudy end, or install it again", path,
                version != NULL ? version : "unknown");
    return FALSE;
}

const void *module_load(const char *file, const char *symbol, GError **error)
{
    const char *directory = g_getenv(MODULE_DIR_VARIABLE);
    g_autofree char *path = g_build_filename(directory != NULL ? directory : PKGLIBDIR, file, NULL);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const void *table = NULL;

    if (handle != NULL && !is_of_this_version(handle, path, error)) {
        return NULL;
    }
    table = handle != NULL ? dlsym(handle, symbol) : NULL;
    if (table == NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_HERE,
                    "can't load %s, install Understudy again: %s", path, dlerror());
    }
    return table;
}
