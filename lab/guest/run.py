# SPDX-License-Identifier: GPL-2.0-or-later
"""Run a program and turn its failure into a sentence."""

import subprocess


class BuildError(Exception):
    """A guest could not be built; the text says what to do."""


def run(*argv, input=None, env=None, timeout_s=120, ok=(0,)) -> str:
    """Run argv, return its standard output; raise BuildError with its own words if it fails."""
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(words, input=input, env=env, text=True, timeout=timeout_s,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    except FileNotFoundError as error:
        raise BuildError(f"{words[0]} is not installed: install the packages in "
                         "lab/packages.txt") from error
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"{' '.join(words)} did not end within {timeout_s} s") from error
    if done.returncode not in ok:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing")
        raise BuildError(f"{' '.join(words)} ended with {done.returncode} and said: {said}")
    return done.stdout
