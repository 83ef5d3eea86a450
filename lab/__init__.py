# SPDX-License-Identifier: GPL-2.0-or-later
"""A whole site on one machine, made of real parts. See lab/README.md."""
