"""A conversation with a guest by its console: what it must print, in order, and what is typed meanwhile."""

from __future__ import annotations

from gdbhv import boot
from gdbhv.console import Console
from gdbhv.target import StopKind

STEP = 2_000_000  # instructions between two looks at the console


def play(config: boot.BootConfig, steps: list[str], most: int, *, el2: bool) -> StopKind:
    """Run a bare machine to its end, with the steps on the way, all of them, within ``most`` instructions.

    :param steps: texts that the guest prints; one that begins with ``>`` is typed.
    """
    console = Console()
    target = boot.bare(config, console, el2=el2)
    left, at = list(steps), 0
    while True:
        stop = target.run_all(STEP)
        while left:
            text = left[0].encode()
            if text.startswith(b">"):
                console.type(text[1:])
            elif (found := console.text.find(text, at)) >= 0:
                at = found + len(text)
            else:
                break
            left.pop(0)
        said = (left, console.text[-3000:].decode(errors="replace"))
        if stop.kind is not StopKind.BUDGET:
            assert not left, said
            return stop.kind
        assert sum(target.core.insns) < most, said
