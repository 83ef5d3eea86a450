# SPDX-License-Identifier: GPL-2.0-or-later
"""What benchmarks print."""

import statistics


def print_table(title: str, head: list[str], rows: list[list]) -> None:
    """An aligned table; numbers to one decimal."""
    text = [[f"{cell:.1f}" if isinstance(cell, float) else str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[i]) for row in text) for i in range(len(head))]
    print(f"\n{title}")
    for row in text:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def median_ratio(ours: list[float], theirs: list[float]) -> float:
    """Median of theirs / ours, pair by pair: the machine's speed may drift between pairs."""
    return statistics.median(b / a for a, b in zip(ours, theirs))
