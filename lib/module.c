/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "module.h"

#include <dlfcn.h>

#include "error.h"

const void *module_load(const char *file, const char *symbol, GError **error)
{
    const char *directory = g_getenv(MODULE_DIR_VARIABLE);
    g_autofree char *path = g_build_filename(directory != NULL ? directory : PKGLIBDIR, file, NULL);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const void *table = handle != NULL ? dlsym(handle, symbol) : NULL;

    if (table == NULL) {
        g_set_error(error, UNDERSTUDY_ERROR, UNDERSTUDY_ERROR_NOT_HERE,
                    "can't load %s, install Understudy again: %s", path, dlerror());
    }
    return table;
}
