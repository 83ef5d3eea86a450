# SPDX-License-Identifier: GPL-2.0-or-later
"""What a node runs: plain data that the node's first program turns into runit services."""

import dataclasses
import shlex


@dataclasses.dataclass(frozen=True)
class Service:
    """One supervised program.

    argv     the program; it stays in the foreground
    after    services that must be up, and pass their check, before it starts
    check    argv of a program that exits 0 once the service answers; None: up when started
    restart  start it again when it dies by itself (an exit code in stays_down excepted),
             as the Debian package's systemd unit would
    start    start it when the node boots
    """

    name: str
    argv: list[str]
    after: tuple[str, ...] = ()
    check: list[str] | None = None
    restart: bool = True
    stays_down: tuple[int, ...] = (0,)
    start: bool = True
    environment: dict[str, str] = dataclasses.field(default_factory=dict)

    def files(self, folder: str, log_folder: str) -> dict[str, str]:
        """The runit service folder: file name -> text. folder is where the services are."""
        lines = ["#!/bin/sh", f"exec >>{log_folder}/{self.name}.log 2>&1"]
        lines += [f"SVDIR={folder} sv -w 60 start {service} >/dev/null || exit 111" for service in self.after]
        lines += [f"export {key}={shlex.quote(value)}" for key, value in self.environment.items()]
        lines.append(f"exec {shlex.join(self.argv)}")
        down = f"SVDIR={folder} sv down {self.name}"
        # runit gives the exit code, -1 for a signal.
        note = f'echo "{self.name} ended with exit code $1, wait status $2" >>{log_folder}/{self.name}.log'
        if self.restart:
            codes = "|".join(str(code) for code in self.stays_down)
            finish = f'case "$1" in {codes}) {down};; esac'
        else:
            finish = f'test "$1" = 111 || {down}'
        # Who was asked to end, by `sv restart`, has not ended by itself: runit knows whether it is to start again.
        finish = f"if test -e asked; then rm asked; else {finish}; fi"
        result = {"run": "\n".join(lines), "finish": f"#!/bin/sh\n{note}\n{finish}",
                  "control/t": "#!/bin/sh\ntouch asked\nexit 1"}
        if self.check is not None:
            result["check"] = f"#!/bin/sh\nexec {shlex.join(self.check)} >/dev/null 2>&1"
        if not self.start:
            result["down"] = ""
        return {name: text + "\n" for name, text in result.items()}
