"""What is shown of a hypercall. Oracle: Arm DEN 0022 chapter 5 (parameters of functions), DEN 0028 2.5 (which registers)."""

from __future__ import annotations

import pytest

from gdbhv.hv import hypercall

WIDE = 1 << 30  # of a function's number: its arguments are 64 bits wide
X = (0xA_0000_0001, 0xB_0000_0002, 0xC_0000_0003)

CALLS = [
    (0x84000000, "PSCI_VERSION()"),
    (0x84000001, "CPU_SUSPEND(0x1, 0x2, 0x3)"),
    (0x84000002, "CPU_OFF()"),
    (0x84000003 | WIDE, "CPU_ON(0xa00000001, 0xb00000002, 0xc00000003)"),
    (0x84000004, "AFFINITY_INFO(0x1, 0x2)"),
    (0x84000006, "MIGRATE_INFO_TYPE()"),
    (0x84000008, "SYSTEM_OFF()"),
    (0x84000009, "SYSTEM_RESET()"),
    (0x8400000A, "PSCI_FEATURES(0x1)"),
    (0x84000012 | WIDE, "SYSTEM_RESET2(0xa00000001, 0xb00000002)"),
    (0x80000000, "SMCCC_VERSION()"),
    (0x80000001, "SMCCC_ARCH_FEATURES(0x1)"),
    (0xC6000001, "0xc6000001(0xa00000001, 0xb00000002, 0xc00000003)"),
]


@pytest.mark.parametrize(("function", "text"), CALLS, ids=[text for _, text in CALLS])
def test_a_call_has_the_arguments_that_it_has(function: int, text: str) -> None:
    assert hypercall.text((0xFFFF_FFFF_0000_0000 | function, *X)) == text


def test_every_function_is_among_them() -> None:
    assert {call.name for call in hypercall.CALLS.values()} == {text.partition("(")[0] for _, text in CALLS[:-1]}
