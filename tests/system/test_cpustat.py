# SPDX-License-Identifier: GPL-2.0-or-later
"""What the lab writes as a host's /proc/stat where lxcfs can't. Needs no running lab."""

from lab import cpustat


def rows(text):
    """The figures behind each name."""
    return {line.split()[0]: [int(n) for n in line.split()[1:]] for line in text.splitlines()}


def test_usage_is_read_from_the_group():
    text = "usage_usec 300\nuser_usec 200\nsystem_usec 100\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n"
    assert cpustat.usage_us(text) == (200, 100)


def test_each_cpu_has_its_share_and_the_sum_is_theirs():
    found = rows(cpustat.stat_text(2, 4_000_000, 2_000_000, 14_000_000))
    assert list(found) == ["cpu", "cpu0", "cpu1"]
    assert found["cpu"][:5] == [400, 0, 200, 1400, 0]
    assert found["cpu0"] == found["cpu1"] == [200, 0, 100, 700, 0, 0, 0, 0, 0, 0]


def test_the_text_keeps_its_length():
    assert len(cpustat.stat_text(2, 0, 0, 0)) == len(cpustat.stat_text(2, 10**15, 10**15, 10**15))


def test_a_host_before_its_boot_is_idle(tmp_path):
    file, group = tmp_path / "stat", tmp_path / "group"
    host = cpustat.Host(1, str(group), str(file))
    host.write()
    user, _, system, *_ = rows(file.read_text())["cpu0"]
    assert (user, system) == (0, 0)
    assert "\nbtime " in file.read_text()


def test_counters_do_not_go_back(tmp_path):
    (tmp_path / "cpu.stat").write_text("user_usec 0\nsystem_usec 0\n")
    host = cpustat.Host(1, str(tmp_path), str(tmp_path / "stat"))
    host.start_us -= 10_000_000
    host.write()
    idle = rows((tmp_path / "stat").read_text())["cpu"][3]
    assert idle >= 1000
    (tmp_path / "cpu.stat").write_text("user_usec 9000000\nsystem_usec 9000000\n")
    host.write()
    assert rows((tmp_path / "stat").read_text())["cpu"][3] == idle
