# SPDX-License-Identifier: GPL-2.0-or-later
"""What the check has no time for: another form of a test that stays in it. `./quickstart campaign` runs these."""

import pytest

CAMPAIGN = pytest.mark.campaign
