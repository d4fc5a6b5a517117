"""A refused register is named as people know it, by whatever name or number it was asked for. Oracle: gdbhv/target.py."""

from __future__ import annotations

import pytest

import gdbhv
from gdbhv.errors import RegisterError
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.machine.machine import Machine
from gdbhv.tables import encoding
from gdbhv.target import ThreadId

IMAGE = "guests/prebuilt/hello.elf"
THREAD = ThreadId(1, 1)
READ_ONLY = "MIDR_EL1: read-only"


@pytest.fixture(params=[gdbhv.hosted, gdbhv.bare], ids=["hosted", "bare"])
def target(request: pytest.FixtureRequest) -> HostTarget | Machine:
    made: HostTarget | Machine = request.param(gdbhv.BootConfig(image=IMAGE))
    return made


@pytest.mark.parametrize("register", ["MIDR_EL1", encoding("MIDR_EL1")], ids=["name", "number"])
def test_a_write(target: HostTarget | Machine, register: str | int) -> None:
    with pytest.raises(RegisterError, match=f"^{READ_ONLY}$") as caught:
        target.write_register(THREAD, register, 0)
    assert caught.value.register == "MIDR_EL1"


@pytest.mark.parametrize("register", ["ICC_EOIR1_EL1", encoding("ICC_EOIR1_EL1")], ids=["name", "number"])
def test_a_read(target: HostTarget | Machine, register: str | int) -> None:
    with pytest.raises(RegisterError, match=r"^ICC_EOIR1_EL1: write-only$"):
        target.read_register(THREAD, register)


def test_the_mode_of_a_guest_is_refused_as_what_was_written(target: HostTarget | Machine) -> None:
    """Hosted, while its hypervisor has the CPU, the guest's PSTATE is in SPSR_EL2."""
    with pytest.raises(RegisterError, match=r"^cpsr: mode 0x15 "):
        target.write_register(THREAD, "cpsr", 0x15)


@pytest.mark.parametrize(("register", "name"), [("nothing", "nothing"), (0x8000, "0x8000"), (7, "0x0007")])
def test_what_is_no_register(target: HostTarget | Machine, register: str | int, name: str) -> None:
    for access in (lambda: target.read_register(THREAD, register), lambda: target.write_register(THREAD, register, 0)):
        with pytest.raises(RegisterError, match=f"^{name}: "):
            access()
