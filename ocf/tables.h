/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_OCF_TABLES_H
#define UNDERSTUDY_OCF_TABLES_H

#include "ocf.h"

/* Parameters that other parts read too: the tool writes them, the observers follow them. */
extern const ocf_param_t image_params[];
extern const ocf_param_t observer_params[];
extern const ocf_param_t capacity_params[];

#endif
