# SPDX-License-Identifier: GPL-2.0-or-later
"""What the checker of two writers takes for a fault, and what not: samples made by hand."""

from fence_watch import find_early, find_violations

A, B = "10.0.2.11", "10.0.2.12"
CLIENT_A, CLIENT_B = f"{A}:0/1", f"{B}:0/2"


def sample(*clients: str, refused: str = "", owner: str | None = None, qemus: str = "") -> dict:
    """Clients that have the image open, the blocklist, who has the lock, the hosts that have a QEMU."""
    return {"watchers": list(clients), "blocklist": refused.split(), "owners": [owner] if owner else [],
            "qemus": {ip: 100 + number for number, ip in enumerate((A, B)) if ip in qemus.split()}}


def test_a_takeover_after_a_fence_is_none():
    assert find_violations([
        sample(CLIENT_A, owner=CLIENT_A, qemus=A),
        sample(CLIENT_A, owner=CLIENT_A, qemus=A, refused=f"{A}:0/0"),
        sample(owner=CLIENT_A, qemus=A, refused=f"{A}:0/0"),
        sample(CLIENT_B, owner=CLIENT_A, qemus=f"{A} {B}", refused=f"{A}:0/0"),
        sample(CLIENT_B, owner=CLIENT_B, qemus=f"{A} {B}", refused=f"{A}:0/0"),
        sample(CLIENT_B, owner=CLIENT_B, qemus=B),
    ]) == []


def test_one_that_is_unfenced_at_that_moment_is_none():
    assert find_violations([
        sample(CLIENT_A, owner=CLIENT_A, qemus=A),
        sample(CLIENT_B, owner=CLIENT_B, qemus=f"{A} {B}", refused=f"{A}:0/0 {CLIENT_A}"),
        sample(CLIENT_B, owner=CLIENT_B, qemus=f"{A} {B}"),
    ]) == []


def test_a_stop_and_a_start_elsewhere_are_none():
    assert find_violations([sample(CLIENT_A, owner=CLIENT_A, qemus=A), sample(),
                            sample(CLIENT_B, owner=CLIENT_B, qemus=B)]) == []


def test_two_that_have_it_open():
    found = find_violations([sample(CLIENT_A, CLIENT_B, owner=CLIENT_A, qemus=A)])
    assert len(found) == 1 and "have the image open" in found[0]
    assert find_violations([sample(CLIENT_A, CLIENT_B, refused=CLIENT_A)]) == []


def test_two_domains():
    found = find_violations([sample(CLIENT_A, qemus=A), sample(CLIENT_B, qemus=f"{A} {B}")])
    assert len(found) == 1 and "QEMU runs at both" in found[0]
    assert "QEMU runs at both" in find_violations([sample(qemus=f"{A} {B}")])[0]


def test_a_lock_taken_from_one_that_may_write():
    found = find_violations([sample(CLIENT_A, owner=CLIENT_A), sample(CLIENT_B, owner=CLIENT_B)])
    assert len(found) == 1 and "the lock went" in found[0]
    assert find_violations([sample(owner=CLIENT_A), sample(owner=CLIENT_B, refused=CLIENT_A)]) == []


def test_one_that_starts_before_the_other_is_refused():
    at_a, refused = sample(CLIENT_A, qemus=A), sample(CLIENT_A, qemus=A, refused=f"{A}:0/0")
    at_b = sample(CLIENT_B, qemus=f"{A} {B}", refused=f"{A}:0/0 {CLIENT_A}")
    assert find_early([at_a, refused, at_b], A) == []
    for early in (sample(qemus=f"{A} {B}"), sample(CLIENT_B, qemus=A), sample(qemus=B, refused=CLIENT_A)):
        assert find_early([at_a, early, at_b], A) == [early]
