"""Each guest's console and exits, under the hypervisor, are those of guests/manifest.toml.

The lists are complete for the functions that they look at: what a guest handles alone is proved by its absence.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from gdbhv.target import StopKind
from guest_manifest import Case, ExpectedExit, cases
from hv.guest_runs import Run, SeenExit, is_memory_fill, matches, run

CASES = cases()
ZOO = next(case for case in CASES if case.guest == "exit_zoo")


def machines(case: Case) -> list[int]:
    """Numbers of CPUs to run a case on: one for all vCPUs together, and one for each."""
    return sorted({1, case.vcpus * len(case.vms)})


def wanted(case: Case, seen: SeenExit, expected: tuple[ExpectedExit, ...]) -> bool:
    """Whether the manifest speaks of this exit."""
    if is_memory_fill(seen):
        return False
    if seen.record["class"] == "irq" and (seen.function, "irq") not in {(e.function, e.spec) for e in expected}:
        return False
    if case.places is None:
        return seen.function != "uart_putc"
    return any(fnmatchcase(seen.function, place) for place in case.places)


def compare(expected: tuple[ExpectedExit, ...], seen: list[SeenExit]) -> None:
    """Fail, saying where, unless the exits are the expected ones in their order."""
    rest = list(seen)
    for e in expected:
        if rest and matches(e, rest[0]):
            rest.pop(0)
        elif not e.optional:
            came = "\n".join(map(str, seen))
            pytest.fail(
                f"expected {e.function} {e.spec}, came {rest[0] if rest else 'nothing'}; all:\n{came}", pytrace=False
            )
    assert not rest, f"more than expected: {rest[0]}"


def check(case: Case, result: Run) -> None:
    assert [stop.kind for stop in result.stops] == [StopKind.POWEROFF] * len(case.vms), result.stops
    for vm in case.vms:
        assert result.lines(vm) == case.console(vm)
        for vcpu, expected in enumerate(case.exits):
            compare(expected, [seen for seen in result.exits[vm, vcpu] if wanted(case, seen, expected)])


@pytest.mark.parametrize(
    ("case", "cpus"), [pytest.param(case, n, id=f"{case}-{n}-cpus") for case in CASES for n in machines(case)]
)
def test_console_and_exits(case: Case, cpus: int) -> None:
    check(case, run(case, cpus=cpus))


def test_on_another_cpu_and_with_small_pages() -> None:
    check(ZOO, run(ZOO, cpus=1, cpu="cortex-a57", block_mappings=False))


def test_what_the_guest_handles_alone_does_not_exit() -> None:
    result = run(ZOO, cpus=1)
    own = {line.split(" own: ")[1].split(" -> ")[0] for line in result.lines("vm") if " own: " in line}
    assert own == {"SEVL, WFE", "SVC #7", "SVC #8 at EL0", "BRK #0x2a", "UDF", "load from an unmapped VA"}
    assert not [
        str(seen) for seen in result.exits["vm", 0] if seen.function.startswith("zoo_own_") and not is_memory_fill(seen)
    ]


def test_ten_classes_are_seen() -> None:
    """By class and first sub-reason, as `monitor vmexit stats` counts them."""
    kinds = {seen.record["name"].split(":")[0].split(".l")[0] for seen in run(ZOO, cpus=1).exits["vm", 0]}
    assert {
        "hvc",
        "smc",
        "wfx.wfi",
        "wfx.wfe",
        "sysreg.read",
        "sysreg.write",
        "sysinsn",
        "fp",
        "dabt.trans",
        "iabt.trans",
    } <= kinds


@pytest.mark.parametrize("case", [case for case in CASES if case.vcpus > 1 or case.guest == "exit_zoo"], ids=str)
def test_two_runs_are_the_same(case: Case) -> None:
    first, second = (run(case, cpus=machines(case)[-1]) for _ in range(2))
    assert first.instructions == second.instructions
    assert first.exits == second.exits
