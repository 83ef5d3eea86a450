#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The story of three servers and their understudies, told by a running lab.

All images are stopped. db1 loses power and its image takes over; db2 and db3 go down together; all come back.
A client commits a row a second to each and keeps an account. Exits 0 only if all of the story held.

    lab/lab up && lab/demo.py [--name LAB]
"""

import argparse
import json
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # this folder holds a module named "site"

from lab import client, standby     # noqa: E402
from lab.api import Lab, wait_until     # noqa: E402
from lab.progress import Step   # noqa: E402
from lab.site import DEFAULT_NAME, LabError, Site   # noqa: E402

TAKEOVER_TIMEOUT_S = 150
RETURN_TIMEOUT_S = 180
POLL_S = 0.25
UNDISTURBED_GAP_S = 4.0
# What else the biggest host does in the story: memory rather than CPU, which all hosts of a lab really share.
BUSY_CPU_PERCENT, BUSY_MIB = 5, 2600
CLIENT = Path(__file__).with_name("client.py")


@dataclass
class Stay:
    """One takeover: who, where, why there, and how long each part took."""

    server: str
    host: str | None = None
    expected: str = ""
    why: str = ""
    events: list = field(default_factory=list)  # [(seconds since the failure, text)]


class Timeline:
    """Prints what changes, with the time since the act began."""

    def __init__(self):
        self._lock = threading.Lock()
        self.zero_s = time.monotonic()

    def act(self, title: str) -> float:
        """Begin an act: time starts at 0 again."""
        with self._lock:
            self.zero_s = time.monotonic()
            print(f"\n=== {title}", flush=True)
            return self.zero_s

    def event(self, who: str, text: str, at_s: float | None = None) -> float:
        """Print one event; AT_S is its CLOCK_MONOTONIC if it is not now. Returns seconds since the act began."""
        with self._lock:
            since_s = (at_s or time.monotonic()) - self.zero_s
            print(f"+{since_s:5.1f} s  {who:7} {text}", flush=True)
            return since_s


class Reporter(threading.Thread):
    """Follows `understudy status` and the client's journal and puts what changes on the timeline."""

    def __init__(self, lab: Lab, timeline: Timeline, journal: Path):
        super().__init__(daemon=True)
        self._lab, self._timeline, self._journal = lab, timeline, journal
        self._known, self._answering, self._read = {}, {}, 0
        self.end = threading.Event()
        self.stays: dict[str, Stay] = {}

    def run(self) -> None:
        while not self.end.wait(POLL_S):
            try:
                for server in standby.ask(self._lab, "status")["servers"]:
                    self._follow_status(server)
                self._follow_client()
            except (LabError, KeyError, ValueError, FileNotFoundError):
                continue    # a host that was asked may just be going down; the story's own checks judge

    def say(self, server: str, text: str, at_s: float | None = None) -> None:
        """Put an event on the timeline and into the account of the server's takeover."""
        since_s = self._timeline.event(server, text, at_s)
        if server in self.stays:
            self.stays[server].events.append((round(since_s, 1), text))

    def _follow_status(self, server: dict) -> None:
        name, image = server["name"], server["image"]
        now = {"verdict": server["verdict"], "ticket": server["ticket"], "image": (image["state"], image["host"])}
        before = self._known.get(name)
        self._known[name] = now
        if before is None:
            return
        if now["verdict"] != before["verdict"]:
            self.say(name, f"is {now['verdict']}" + (f": {server['reason']}" if server["reason"] else ""))
        if now["ticket"] != before["ticket"]:
            self.say(name, "may run in the cloud: its ticket is granted" if now["ticket"]
                      else "may not run in the cloud any more: its ticket is revoked")
        if now["image"] != before["image"]:
            self.say(name, f"image is {image['state']}" + (f" on {image['host']}" if image["host"] else ""))

    def _follow_client(self) -> None:
        entries = client.read_journal(self._journal)
        for entry in entries[self._read:]:
            name, state = entry["server"], entry["place"] if entry["ok"] else "nobody"
            if name in self._answering and self._answering[name] != state:
                self.say(name, f"the client commits again, on the {state}" if entry["ok"]
                          else f"the client gets no answer ({entry['error']})", entry["end_s"])
            self._answering[name] = state
        self._read = len(entries)


class Story:
    """The acts, and what must hold in each."""

    def __init__(self, lab: Lab):
        self.lab, self.timeline = lab, Timeline()
        self.journal = lab.site.dir / "client.journal"
        self.failures: list[str] = []
        self.stays: list[Stay] = []
        self.reporter = Reporter(lab, self.timeline, self.journal)

    def claim(self, holds, text: str) -> bool:
        """Say whether something that the story promises holds."""
        print(f"   {'holds:' if holds else 'DOES NOT HOLD:'} {text}", flush=True)
        if not holds:
            self.failures.append(text)
        return bool(holds)

    def show(self, host: str, *argv: str) -> None:
        """Run a program as an operator would, and show what it says."""
        print(f"\n{host}# {' '.join(argv)}", flush=True)
        print(self.lab.exec(host, *argv, check=False).stdout.rstrip(), flush=True)

    # --- acts ----------------------------------------------------------------

    def prepare(self) -> None:
        """Protect what is not protected yet."""
        for server in self.lab.site.server_names:
            with Step(f"making {server}'s standby image and adopting it"):
                standby.adopt(self.lab, server)
        with Step("waiting until every server is healthy"):
            for server in self.lab.site.server_names:
                standby.wait_verdict(self.lab, server, "healthy", 60)
        with Step("waiting until every host has published its capacity"):
            wait_until(lambda: len(self.ranking()) == self.lab.site.hosts, 60, "every host to be ranked", poll_s=0.5)
        biggest = max(self.lab.site.host_names, key=lambda host: self.lab.site.host_size(host)[1])
        self.lab.load(biggest, BUSY_CPU_PERCENT, BUSY_MIB)
        with Step(f"{biggest} gets other work, {BUSY_MIB} MiB of it; waiting until its capacity says so"):
            wait_until(lambda: self.ranking()[0]["name"] != biggest, 90, f"{biggest} not to be the best host any more",
                       poll_s=0.5)

    def ranking(self) -> list[dict]:
        """The hosts as placement would choose them, best first."""
        return sorted((host for host in standby.ask(self.lab, "hosts")["hosts"] if host["eligible"]),
                      key=lambda host: host["rank"])

    def normal(self) -> None:
        """All images stopped."""
        self.timeline.act("Everything is well: every image is stopped")
        host = standby.a_host(self.lab)
        self.show(host, "crm_mon", "-1")
        self.show(host, "understudy", "status")
        self.show(host, "understudy", "hosts")
        self.check_idle()

    def check_idle(self) -> None:
        """Nothing of a standby image is left running."""
        wrong = standby.is_idle(self.lab)
        self.claim(not wrong, "no domain, no watcher on any image, no ticket granted, every server healthy"
                   + "".join(f"; but {text}" for text in wrong))

    def start_client(self):
        """A row a second to each server, from here to the end."""
        self.journal.unlink(missing_ok=True)
        program = self.lab.popen("client", "/usr/bin/python3", CLIENT, "run", "--journal", self.journal,
                                 *standby.client_servers(self.lab))
        def all_commit():
            done = client.account(self.attempts())
            return all(server in done and done[server].commits >= 3 for server in self.lab.site.server_names)
        wait_until(all_commit, 30, "the client to commit on every server", poll_s=POLL_S)
        print("The client commits a row a second to each server.", flush=True)
        self.reporter.start()
        return program

    def attempts(self) -> list[dict]:
        """The client's account so far."""
        return client.read_journal(self.journal) if self.journal.exists() else []

    def fail(self, servers: list[str], title: str) -> None:
        """Servers lose power together; their images must run on what are then the best hosts."""
        ranking = self.ranking()
        zero_s = self.timeline.act(title)
        print("   hosts, best first: " + "; ".join(f"{host['name']} ({host['reason']})" for host in ranking))
        best = [host["name"] for host in ranking[:len(servers)]]
        for server in servers:
            self.stays.append(Stay(server, expected=" or ".join(best)))
            self.reporter.stays[server] = self.stays[-1]
        threads = [threading.Thread(target=self.lab.crash, args=(server,)) for server in servers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for server in servers:
            self.timeline.event(server, "loses power", zero_s)
        for stay in self.stays[-len(servers):]:
            self.await_takeover(stay, zero_s, ranking, best)
        self.claim_undisturbed([server for server in self.lab.site.server_names if server not in servers], zero_s)

    def await_takeover(self, stay: Stay, zero_s: float, ranking: list[dict], best: list[str]) -> None:
        """Until the client commits in the image."""
        try:
            entry = wait_until(lambda: client.first_commit_after(self.attempts(), stay.server, zero_s, "image"),
                               TAKEOVER_TIMEOUT_S, f"the client to commit in {stay.server}'s image", poll_s=POLL_S)
        except LabError as error:
            self.claim(False, f"{stay.server}'s image takes over ({error} "
                       f"{json.dumps(standby.server_status(self.lab, stay.server))})")
            return
        stay.host = wait_until(lambda: standby.server_status(self.lab, stay.server)["image"]["host"], 60,
                               f"{stay.server}'s image to be reported as running", poll_s=POLL_S)
        stay.why = next((host["reason"] for host in ranking if host["name"] == stay.host), "")
        last = client.last_commit_before(self.attempts(), stay.server, zero_s)
        gap_s = entry["end_s"] - (last["end_s"] if last else zero_s)
        self.claim(stay.host in best, f"{stay.server} runs on {stay.host}, and the best was {' or '.join(best)}")
        self.claim(self.runs_on(stay.server) == [stay.host], f"{stay.server} runs there and nowhere else")
        print(f"   {stay.server}'s clients were without it for {gap_s:.1f} s", flush=True)

    def runs_on(self, server: str) -> list[str]:
        """The hosts that have a domain of a server's, asked of libvirt."""
        return [host for host, names in standby.domains(self.lab).items()
                if f"standby-{server}" in names]

    def claim_undisturbed(self, servers: list[str], since_s: float) -> None:
        """What did not fail went on."""
        accounts = client.account(self.attempts(), since_s)
        for server in servers:
            gap_s = accounts[server].longest_gap_s if server in accounts else float("inf")
            self.claim(gap_s < UNDISTURBED_GAP_S, f"{server} was not disturbed (longest gap {gap_s:.1f} s)")

    def come_back(self, servers: list[str], title: str) -> None:
        """Servers get power again; their images stop, and they serve."""
        zero_s = self.timeline.act(title)
        run_images = {server: standby.server_status(self.lab, server)["image"]["run_image"] for server in servers}
        for server in servers:
            self.reporter.say(server, "has power again")
            self.lab.boot(server)
        for server in servers:
            try:
                wait_until(lambda s=server: client.first_commit_after(self.attempts(), s, zero_s, "server"),
                           RETURN_TIMEOUT_S, f"the client to commit on {server} itself", poll_s=POLL_S)
                standby.wait_verdict(self.lab, server, "healthy", 60)
            except LabError as error:
                self.claim(False, f"{server} serves again ({error} "
                           f"{json.dumps(standby.server_status(self.lab, server))})")
                continue
            self.claim(self.runs_on(server) == [], f"{server} serves again and its image is stopped")
            self.claim_clean(server, run_images[server])

    def claim_clean(self, server: str, run_image: str | None) -> None:
        """PostgreSQL's log inside the image ends with a shutdown."""
        if not run_image or run_image.split("/")[-1] not in standby.images(self.lab):
            self.claim(False, f"{server}'s run image can be looked at ({run_image} is not in the store)")
            return
        lines = standby.image_log(self.lab, run_image).strip().splitlines() or ["nothing"]
        self.claim("database system is shut down" in lines[-1],
                   f"{server}'s image was stopped cleanly; PostgreSQL's last words in it: {lines[-1]}")

    # --- the end -------------------------------------------------------------

    def account(self) -> None:
        """The timeline once more, who ran where and why, and the client's account."""
        self.timeline.act("The end")
        host = standby.a_host(self.lab)
        wait_until(lambda: not standby.is_idle(self.lab), 30, "everything to be stopped", poll_s=1)
        self.check_idle()
        self.show(host, "understudy", "status")
        for server in self.lab.site.server_names:
            self.show(host, "understudy", "history", server)
        print("\nWho ran where, and why:")
        for stay in self.stays:
            print(f"   {stay.server} on {stay.host}: {stay.why}")
            for at_s, text in stay.events:
                print(f"      +{at_s:5.1f} s  {text}")
        print("\nThe client's account:")
        for name, mine in sorted(client.account(self.attempts()).items()):
            parts = ", then ".join(f"{part['commits']} on the {part['place']}" for part in mine.places)
            print(f"   {name}: {mine.commits} commits acknowledged ({parts}), longest gap {mine.longest_gap_s:.1f} s, "
                  f"{mine.unknown} without an answer")

    def verify(self) -> None:
        """Each row that a server acknowledged is on that server."""
        done = self.lab.exec("client", "/usr/bin/python3", CLIENT, "verify", "--json", "--place", "server",
                             "--journal", self.journal, *standby.client_servers(self.lab), check=False)
        for server, result in json.loads(done.stdout).items():
            self.claim(result["place"] == "server" and not result["missing"] and not result["error"],
                       f"{server} has all {result['expected']} rows that it acknowledged itself"
                       + (f" ({result['error'] or result['missing'][:5]})" if done.returncode else ""))

    def tell(self) -> None:
        """All acts."""
        first, *others = self.lab.site.server_names
        self.prepare()
        self.normal()
        program = self.start_client()
        try:
            self.fail([first], f"{first} loses power")
            self.fail(others, f"{' and '.join(others)} go down together")
            self.come_back([first], f"{first} comes back")
            self.come_back(others, f"{' and '.join(others)} come back")
            self.account()
        finally:
            self.reporter.end.set()
            program.terminate()
            program.wait(10)
        self.verify()


def main() -> int:
    """0 only if all of the story held."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--name", default=DEFAULT_NAME, help="the lab's name (%(default)s)")
    args = parser.parse_args()
    started_s = time.monotonic()
    try:
        story = Story(Lab(Site.load(args.name)))
        story.tell()
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    took_s = time.monotonic() - started_s
    if story.failures:
        print(f"\nThe story did not hold ({took_s:.0f} s):")
        for text in story.failures:
            print(f"   {text}")
        return 1
    print(f"\nAll of it held ({took_s:.0f} s).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
