/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_MODULE_H
#define UNDERSTUDY_MODULE_H

#include <glib.h>

/* What a module shows to who loads it; nothing else of ours is seen outside, see configure.ac. */
#define MODULE_EXPORT __attribute__((visibility("default")))

/* Where modules are looked for instead of the place they are installed in: for tests from a build tree. */
#define MODULE_DIR_VARIABLE "UNDERSTUDY_MODULE_DIR"

/*!
 * \brief Load one of our modules and find its table of functions
 *
 * Heavy libraries stand in modules, so that what does not call them does not
 * pay for linking them: librbd 13 ms, libvirt 11 ms. A module is never unloaded,
 * and is refused if it is of another version than the caller.
 *
 * \param[in]  file    file name in the module directory
 * \param[in]  symbol  name of the table
 * \param[out] error   UNDERSTUDY_ERROR_NOT_HERE
 * \return the table, or NULL
 */
const void *module_load(const char *file, const char *symbol, GError **error);

#endif
