"""Guests of a few instructions, written as words, for tests that look at one thing."""

from __future__ import annotations

import struct

from gdbhv.hv.host import Host
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.hv.vm import Vm
from gdbhv.machine.machine import Machine
from gdbhv.target import ThreadId

CODE = 0x40000000
VECTORS = 0x40010000
DATA = 0x40020000
NOTHING = 0x10000000  # neither memory nor a device
MEMORY = 4 << 20

# The instructions, as the Arm ARM's C6 encodes them.
NOP, WFI, WFE, SEVL = 0xD503201F, 0xD503207F, 0xD503205F, 0xD50320BF
HVC0, ERET, ISB = 0xD4000002, 0xD69F03E0, 0xD5033FDF
LDR_X0_X1, STR_X0_X1, LDRB_W0_X1 = 0xF9400020, 0xF9000020, 0x39400020
LDRSB_X0_X1, LDRSH_W0_X1, LDRSW_X0_X1 = 0x39800020, 0x79C00020, 0xB9800020
STR_W0_X1, STRB_W0_X1 = 0xB9000020, 0x39000020
LDP_X2_X3_X1, LDR_X0_X1_POST = 0xA9400C22, 0xF8408420
CAS_X3_X4_X1 = 0xC8A37C24
BR_X1, DC_CIVAC_X1 = 0xD61F0020, 0xD50B7E21
UNMASK_IRQ = 0xD50342FF  # MSR DAIFClr, #2
FMOV_D0_X0, FMOV_X0_D0 = 0x9E670000, 0x9E660000


def add(rd: int, rn: int, imm: int) -> int:
    """ADD Xd, Xn, #imm."""
    return 0x91000000 | imm << 10 | rn << 5 | rd


def branch(words: int) -> int:
    """B to as many instructions from here."""
    return 0x14000000 | words & 0x3FFFFFF


def msr(op1: int, crn: int, crm: int, op2: int, rt: int) -> int:
    """MSR of a register of op0 = 3."""
    return 0xD5180000 | op1 << 16 | crn << 12 | crm << 8 | op2 << 5 | rt


def mrs(op1: int, crn: int, crm: int, op2: int, rt: int) -> int:
    """MRS of a register of op0 = 3."""
    return msr(op1, crn, crm, op2, rt) | 1 << 21


def code(*words: int) -> bytes:
    """The words in memory."""
    return struct.pack(f"<{len(words)}I", *words)


def add_vm(host: Host, *words: int, vcpus: int = 1) -> Vm:
    """A VM that begins with ``words`` at :data:`CODE`, at EL1h with everything masked."""
    vm = host.create_vm(vcpus=vcpus)
    vm.add_memory(CODE, MEMORY)
    vm.write(CODE, code(*words))
    vm.start(CODE)
    return vm


def hosted(*words: int, vms: int = 1, vcpus: int = 1, cpus: int = 1, ns_per_insn: int = 1) -> HostTarget:
    """VMs of the same program on one host."""
    host = Host(cpus=cpus, memory=vms * MEMORY, ns_per_insn=ns_per_insn)
    for _ in range(vms):
        add_vm(host, *words, vcpus=vcpus)
    return HostTarget(host)


def bare(*words: int, ns_per_insn: int = 1) -> Machine:
    """The same program on a machine without EL2: what the hardware does to a guest."""
    machine = Machine(memory=MEMORY, el2=False, ns_per_insn=ns_per_insn)
    machine.start([(CODE, code(*words))], CODE, 0)
    return machine


def thread(vm: int = 1, vcpu: int = 1) -> ThreadId:
    """The thread of a VM and a vCPU, both from 1."""
    return ThreadId(vm, vcpu)


def wfit(rt: int) -> int:
    """WFIT Xt (C6.2)."""
    return 0xD5031020 | rt


def wfet(rt: int) -> int:
    """WFET Xt (C6.2)."""
    return 0xD5031000 | rt
