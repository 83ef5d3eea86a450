# SPDX-License-Identifier: GPL-2.0-or-later
"""Standby images and database directories for the lab, built from Debian packages."""
