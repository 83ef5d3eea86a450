/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNDERSTUDY_RUN_DIR_H
#define UNDERSTUDY_RUN_DIR_H

/* Cleared by every boot of the host, as what is kept in it must be. */
#ifndef UNDERSTUDY_RUN_DIR /* a test has its own */
#define UNDERSTUDY_RUN_DIR "/run/understudy"
#endif

#endif
