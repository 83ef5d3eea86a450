# SPDX-License-Identifier: GPL-2.0-or-later
"""What the documents tell an operator to type exists: commands, their options, parameters and pages."""

import re
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
PAGES = [TOP / "README.md", *sorted((TOP / "doc").glob("*.md"))]
CODE = re.compile(r"^(?: {4}.*\n?)+|`[^`]+`", re.MULTILINE)
COMMAND = re.compile(r"(?:^|(?<!setup)[\s(])understudy +([a-z]+)((?:[^\n|&;#]|\\\n)*)", re.MULTILINE)
OPTION = re.compile(r"(?<=\s)--[a-z][a-z-]*")
LINK = re.compile(r"\]\(([^)#\s]+)?(?:#([^)\s]+))?\)")


def lines_of(page: Path) -> list[str]:
    """All code of a page, with lines that are continued put together."""
    return [code.replace("\\\n", " ") for code in CODE.findall(page.read_text(encoding="utf-8"))]


def documented(page: Path) -> list[tuple[str, str]]:
    """(command, option or "") of each `understudy` that the page shows."""
    found = []
    for code in lines_of(page):
        for command, rest in COMMAND.findall(code):
            found += [(command, option) for option in OPTION.findall(rest)] or [(command, "")]
    return found


@pytest.fixture(scope="module")
def help_of(tools):
    """help_of(command): what `understudy COMMAND --help` says; None if there is no such command."""
    known: dict[str, str | None] = {}

    def ask(command: str) -> str | None:
        if command not in known:
            done = subprocess.run([tools.command, command, "--help"], capture_output=True, text=True, timeout=60)
            known[command] = done.stdout if done.returncode == 0 else None
        return known[command]
    return ask


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_exists(help_of, page):
    for command, option in documented(page):
        text = help_of(command)
        assert text is not None, f"{page.name}: there is no understudy {command}"
        assert not option or re.search(rf"{option}(?![a-z-])", text), f"{page.name}: understudy {command} has no {option}"


def test_the_documents_name_the_commands():
    """Otherwise the test above looks at nothing."""
    assert {("adopt", "--disk"), ("status", ""), ("keys", "--host")} <= {
        pair for page in PAGES for pair in documented(page)}


def test_every_command_is_documented(tools):
    commands = re.findall(r"^  ([a-z]+) ", subprocess.run([tools.command, "--help"], check=True, capture_output=True,
                                                          text=True, timeout=60).stdout, re.MULTILINE)
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert len(commands) > 10
    assert [command for command in commands if f"understudy {command}" not in text] == []


def anchors(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    for target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        other = (page.parent / target).resolve() if target else page
        assert other.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(other), f"{page.name}: {target}#{anchor}"


def test_every_parameter_that_is_set_exists(tools):
    """`adopt --set PARAM=VALUE`, and what pcs is told to set on a standby image."""
    agents = (tools.ocf_root or Path("/usr/lib/ocf")) / "resource.d/understudy"
    metadata = ET.fromstring(subprocess.run([agents / "image", "meta-data"], check=True, capture_output=True).stdout)
    names = {parameter.get("name") for parameter in metadata.iter("parameter")}
    for page in PAGES:
        for code in lines_of(page):
            for name in re.findall(r"--set[ =]([a-z_]+)=", code):
                assert name in names, f"{page.name}: --set {name}"
