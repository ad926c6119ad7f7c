"""A server's hook that counts what it packs, and stalls or dies where a test wants it to.

Example::

    hook = PackHook(tmp_path, most=450)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(hook.settings))
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_HOOK: Final = """#!/bin/sh
set -u
if [ -f "{folder}/dies" ] && [ "$(cat "{folder}/dies")" -le "$(wc -l <"{folder}/sent")" ]; then
    echo "the server dies" >&2
    exit 1
fi
work=$(mktemp -d)
"$@" >"$work/pack" 2>"$work/said"
status=$?
total=$(tr '\\r' '\\n' <"$work/said" | sed -n 's/^Enumerating objects: \\([0-9]*\\), done.*/\\1/p')
echo "$total" >>"{folder}/sent"
cat "$work/said" >&2
case "$*" in
*tree:0*) ;;
*)  if [ "$total" -gt {most} ]; then
        rm -r "$work"
        while kill -0 "$PPID" 2>/dev/null; do sleep 1; done  # the server of a client that left
        exit 1
    fi ;;
esac
cat "$work/pack"
rm -r "$work"
exit $status
"""


class PackHook:
    """What `uploadpack.packObjectsHook` runs on a server.

    Attributes:
        settings: a configuration of git that names it.
    """

    def __init__(self, folder: Path, most: int) -> None:
        """Makes it.

        Args:
            folder: for its files.
            most: a pack with more objects is told of, and then never sent; but not commits alone.
        """
        self._folder = folder / "hook"
        self._folder.mkdir()
        self._sent.touch()
        program = self._folder / "pack-objects"
        program.write_text(_HOOK.format(folder=self._folder, most=most))
        program.chmod(0o755)
        self.settings = self._folder / "gitconfig"
        self.settings.write_text(f"[uploadpack]\n\tpackObjectsHook = {program}\n")

    @property
    def _sent(self) -> Path:
        return self._folder / "sent"

    def sent(self) -> list[int]:
        """How many objects each pack had since this was asked last."""
        found = [int(line) for line in self._sent.read_text().split()]
        self._sent.write_text("")
        return found

    def dies_after(self, packs: int | None) -> None:
        """After so many packs no further one comes; None for a server that lives."""
        path = self._folder / "dies"
        path.unlink(missing_ok=True) if packs is None else path.write_text(str(packs))

    def rest(self) -> None:
        """From now on it does nothing."""
        self.settings.write_text("")
