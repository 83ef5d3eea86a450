/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/error.h"

#include <errno.h>

G_DEFINE_QUARK(understudy-error-quark, understudy_error)

static const struct {
    int errno_value;
    understudy_error_t code;
} error_classes[] = {
    { ETIMEDOUT, UNDERSTUDY_ERROR_TIMEOUT },     { ENETUNREACH, UNDERSTUDY_ERROR_TIMEOUT },
    { EHOSTUNREACH, UNDERSTUDY_ERROR_TIMEOUT },  { ENETDOWN, UNDERSTUDY_ERROR_TIMEOUT },
    { EHOSTDOWN, UNDERSTUDY_ERROR_TIMEOUT },     { ENETRESET, UNDERSTUDY_ERROR_TIMEOUT },
    { ECONNREFUSED, UNDERSTUDY_ERROR_TIMEOUT },  { ECONNRESET, UNDERSTUDY_ERROR_TIMEOUT },
    { ECONNABORTED, UNDERSTUDY_ERROR_TIMEOUT },  { EADDRNOTAVAIL, UNDERSTUDY_ERROR_TIMEOUT },
    { ENOENT, UNDERSTUDY_ERROR_NOT_FOUND },      { EEXIST, UNDERSTUDY_ERROR_EXISTS },
    { EPERM, UNDERSTUDY_ERROR_PERMISSION },      { EACCES, UNDERSTUDY_ERROR_PERMISSION },
    { EBUSY, UNDERSTUDY_ERROR_BUSY },            { ENOTEMPTY, UNDERSTUDY_ERROR_BUSY },
    { EROFS, UNDERSTUDY_ERROR_BUSY },
};

understudy_error_t understudy_error_of_errno(int errno_value)
{
    for (gsize i = 0; i < G_N_ELEMENTS(error_classes); i++) {
        if (error_classes[i].errno_value == errno_value) {
            return error_classes[i].code;
        }
    }
    return UNDERSTUDY_ERROR_FAILED;
}
