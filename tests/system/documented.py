# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands as the documentation gives them, so that what an operator copies is what is tested."""

import re
import shlex
from pathlib import Path

DOC = Path(__file__).resolve().parents[2] / "doc"


def commands(document: str, beginning: str) -> list[list[str]]:
    """The words of each command of a document that begins so, in its order; a line that goes on below is one with it."""
    text = (DOC / document).read_text(encoding="utf-8").replace("\\\n", " ")
    found = [shlex.split(line) for line in re.findall(rf"^    ({re.escape(beginning)}.*)$", text, re.MULTILINE)]
    assert found, f"{document} has no command '{beginning} ...'"
    return found


def command(document: str, beginning: str) -> list[str]:
    """The one that there is."""
    [words] = commands(document, beginning)
    return words
