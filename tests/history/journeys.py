"""Random journeys through the past of a machine, each place compared with a run that never went back.

``python tests/history/journeys.py --operations 10000`` does it on Linux with 4 vCPUs (``--kvm``: on Linux at EL2 that runs a
guest of KVM), and prints the seed with which it is the same again.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gdbhv import boot
from gdbhv.config import BootConfig
from gdbhv.console import Console
from gdbhv.exits.catches import Catcher
from gdbhv.exits.exitspec import parse
from gdbhv.history import Backward, History, Kept, Position, order
from gdbhv.history.history import actions
from gdbhv.inputs import Input
from gdbhv.target import Stop, StopKind, ThreadId

CLASSES = ("dabt", "wfx", "hvc", "sysreg", "irq", "*")
SYSTEM = ("ESR_EL1", "ELR_EL1", "TTBR0_EL1", "SP_EL0", "TPIDR_EL1", "CNTV_CVAL_EL0", "v3")
NEAR = 3000  # instructions of a short way
BURST = 12  # steps in a row, at most


def digest(target: Kept) -> str:
    """All registers that gdb asks for, some others, what was counted, and all of memory, in short."""
    core = target.core
    found = hashlib.blake2b(digest_size=12)
    for thread in (thread for process in target.processes() if not process.found for thread in process.threads):
        system = [target.read_register(thread.id, name) for name in SYSTEM]
        found.update(target.read_core(thread.id))
        found.update(repr((target.count(thread.id), thread.alive, system)).encode())
    found.update(repr((core.insns, core.exits, core.exit_counts(), core.ram_digest())).encode())
    return found.hexdigest()


@dataclass
class Journey:
    """Goes here and there in a history, and notes what was seen where.

    :param setup: makes the machine.
    :param reach: instructions after which the past ends.
    :param every: instructions between checkpoints; None: as many as gdb's user has.
    """

    setup: boot.Setup
    reach: int
    rng: random.Random
    every: int | None = None
    seen: dict[Position, str] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    stops: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.console = Console()
        self.target: Kept = self.setup.make(self.console)
        self.history = History(self.target) if self.every is None else History(self.target, every=self.every)
        while self.target.core.place[0] < self.reach and self.target.processes():
            self.target.run_all(self.reach - self.target.core.place[0])
        self.said = bytes(self.console.text)
        self.backward = Backward(self.history)
        self._note("present")

    def _note(self, what: str) -> None:
        here, now = self.history.here, digest(self.target)
        then = self.seen.setdefault(here, now)
        if then != now:
            self.wrong.append(f"{what} to {here}: {now}, and before {then}")

    def threads(self) -> list[ThreadId]:
        """The threads that are there."""
        found = [t for process in self.target.processes() if not process.found for t in process.threads]
        return [t.id for t in found if t.alive] or [t.id for t in found]

    def go(self, operations: int, tell: Callable[[int], bool] = lambda n: True) -> None:
        """Do random operations, most of them backwards; see :attr:`wrong`. The machine ends in the present.

        :param tell: is called with their number so far; False: they are enough.
        """
        kinds = (self.step_back, self.stop_back, self.jump, self.near, self.step_on, self.stop_on)
        count = 0
        while count < operations and tell(count):
            if not self.threads():  # the machine is off there
                self.jump()
            kind = self.rng.choices(kinds, (30, 25, 3, 15, 8, 10))[0]
            for _ in range(self.rng.randint(1, BURST) if kind in (self.step_back, self.step_on) else 1):
                if not self.threads():
                    break
                stop = kind()
                count += 1
                self.done[kind.__name__] += 1
                self.stops[f"{kind.__name__}: {stop.kind.value if stop else 'there'}"] += 1
                self._note(kind.__name__)
                if stop is not None and stop.kind is StopKind.BEGINNING:  # nothing is before that
                    self.jump()
                    break
        self.history.go(self.history.present)
        self._note("present")
        if self.console.text != self.said:
            self.wrong.append("something was printed twice")

    def step_back(self) -> Stop | None:
        """``reverse-stepi`` of some thread, often of the same again."""
        before = order(self.history.here)
        known = self.backward._thread if self.backward._thread in self.threads() else None
        thread = known if known is not None and self.rng.random() < 0.9 else self.rng.choice(self.threads())
        stop = self.backward.step(thread)
        if order(self.history.here) >= before and stop.kind is not StopKind.BEGINNING:
            self.wrong.append(f"a step back led from {before} to {self.history.here}")
        return stop

    def stop_back(self) -> Stop | None:
        """``reverse-continue`` with something set; and what stops it stops a run forward from before at the same place."""
        before = order(self.history.here)
        with_one = self._set()
        stop = self.backward.run()
        there = self.history.here
        if order(there) >= before and stop.kind is not StopKind.BEGINNING:
            self.wrong.append(f"{with_one[0]} back led from {before} to {there}")
        with_one[1]()
        return stop

    def jump(self) -> None:
        """``goto`` anywhere, or to an exit."""
        if self.rng.random() < 0.3 and not self.history.past:
            self.history.go_to_exit(self.rng.randint(1, self.target.core.exits))
        else:
            self.history.go_to_instruction(self.rng.randrange(self.history.present.insns + 1))

    def near(self) -> None:
        """``goto -N`` or ``+N``."""
        wanted = self.history.here.insns + self.rng.choice((-1, -1, 1)) * self.rng.randint(1, NEAR)
        self.history.go_to_instruction(min(max(wanted, 0), self.history.present.insns))

    def step_on(self) -> Stop | None:
        """``stepi`` in the past; in the present go back first."""
        self._be_past()
        return self.target.run(actions(self.target, self.rng.choice(self.threads())))

    def stop_on(self) -> Stop | None:
        """``continue`` in the past, for some instructions at most, with something set."""
        self._be_past()
        _, remove = self._set()
        stop = self.target.run_all(self.rng.randint(0, NEAR))
        remove()
        return stop

    def _be_past(self) -> None:
        if self.history.present.insns - self.history.here.insns < 10 * NEAR:
            self.history.go_to_instruction(max(0, self.history.present.insns - self.rng.randint(10, 100) * NEAR))

    def _set(self) -> tuple[str, Callable[[], None]]:
        """Set a breakpoint, a watchpoint or a catchpoint; return its name and what removes it."""
        target, thread = self.target, self.rng.choice(self.threads())
        which = self.rng.randrange(3)
        if which == 0:
            name = self.rng.choice(CLASSES)
            target.catchers["one"] = parse(name).catcher() if name != "*" else Catcher()
            return f"catch {name}", target.catchers.clear
        if which == 1:
            pc = target.read_register(thread, "pc")
            target.insert_breakpoint(thread.pid, 0, pc, 4)
            return f"break {pc:#x}", lambda: target.remove_breakpoint(thread.pid, 0, pc, 4)
        sp = target.read_register(thread, "sp") & ~7
        target.insert_breakpoint(thread.pid, 2, sp, 8)
        return f"watch {sp:#x}", lambda: target.remove_breakpoint(thread.pid, 2, sp, 8)


class Forward:
    """A run that never goes back, and stops at places in their order. It is the door's follower, for that."""

    replays = False
    over = StopKind.PRESENT

    def __init__(self, target: Kept) -> None:
        self.target = target
        self.due: Position | None = None
        target.door.follower = self

    def leave(self) -> None:
        """Nothing is restored here."""

    def jumped(self) -> None:
        """Nothing is restored here."""

    def abandon(self) -> None:
        """No debugger is here."""

    def entered(self, what: Input) -> None:
        """What comes in here came in there."""

    def arm(self) -> None:
        """See :class:`gdbhv.inputs.Follower`."""
        if self.due is not None:
            at = self.due.at
            self.target.core.pause(place=(at.insns, at.ns, at.steps, at.phase == "midway"))

    def arrived(self, *, paused: bool) -> str | None:
        """See :class:`gdbhv.inputs.Follower`."""
        return "there" if self.due is not None and self.target.here() == self.due.at else None

    def run_to(self, position: Position) -> str | None:
        """Run on to a place; return what is seen there, None if the run does not come by."""
        self.due = position
        self.target.catchers.clear()
        if position.at.phase == "exit":
            self.target.catchers["all"] = Catcher()
        self.arm()
        while self.target.here() != position.at:
            before = self.target.here()
            self.target.run_all()
            if before == self.target.here() or before.insns > position.insns:
                return None
        return digest(self.target)


def compare(journey: Journey) -> None:
    """Run the same forward, and add to ``journey.wrong`` the places at which it is another one."""
    forward = Forward(journey.setup.make(Console()))
    for position in sorted(journey.seen, key=order):
        found = forward.run_to(position)
        if found is None:
            journey.wrong.append(f"a run forward does not come by {position}")
            return
        if found != journey.seen[position]:
            journey.wrong.append(f"at {position}: {journey.seen[position]}, and in a run forward {found}")


def linux(kit: Path, *, kvm: bool) -> boot.Setup:
    """Debian's kernel with 4 vCPUs, hosted; or with KVM at EL2 of 4 CPUs."""
    initrd = kit / ("initramfs-kvm.cpio" if kvm else "initramfs.cpio.gz")
    config = BootConfig(image=kit / "Image", initrd=initrd, append="console=ttyAMA0", smp=4, memory=1 << 30)
    return boot.Setup([config], hosted=not kvm)


def main() -> int:
    """Do as the options say; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operations", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--kvm", action="store_true", help="Linux at EL2 with a guest of KVM, instead of hosted")
    parser.add_argument(
        "--reach", type=lambda text: int(float(text)), help="instructions of the past (default: 5e8; with --kvm 1e9)"
    )
    parser.add_argument("--seconds", type=float, default=1e9, help="do no more of them after so long")
    parser.add_argument("--every", type=lambda text: int(float(text)), help="instructions between checkpoints")
    parser.add_argument("--kit", type=Path, default=Path(__file__).resolve().parents[2] / ".kit")
    args = parser.parse_args()
    print(f"--seed {args.seed}", flush=True)
    reach = args.reach or (1_000_000_000 if args.kvm else 500_000_000)
    journey = Journey(linux(args.kit, kvm=args.kvm), reach, random.Random(args.seed), args.every)
    began = time.monotonic()

    told = 0

    def tell(count: int) -> bool:
        nonlocal told
        spent = time.monotonic() - began
        if count >= told + 500:
            told = count
            print(f"{count:,} operations, {spent:.0f} s, {len(journey.wrong)} wrong", flush=True)
        return spent < args.seconds

    journey.go(args.operations, tell)
    print(f"{sum(journey.done.values()):,} operations: {dict(journey.stops)}", flush=True)
    compare(journey)
    print(f"{len(journey.seen):,} places compared, {len(journey.wrong)} wrong", *journey.wrong[:20], sep="\n")
    return bool(journey.wrong)


if __name__ == "__main__":
    sys.exit(main())
