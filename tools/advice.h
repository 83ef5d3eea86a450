/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a server that was just set up still lacks before it is protected: said at the end of adopt. */
#ifndef UNDERSTUDY_ADVICE_H
#define UNDERSTUDY_ADVICE_H

#include <glib.h>
#include <libxml/tree.h>

/*!
 * \brief Print on standard error what the operator has to see to, a line each
 *
 * \param[in] cib_xml          the <cib> element with the server in it
 * \param[in] strategy_is_new  placement-strategy was set with it
 */
void advice_print(xmlNode *cib_xml, const char *server, gboolean strategy_is_new);

#endif
