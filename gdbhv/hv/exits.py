"""What the hypervisor does at each class of exit: one small handler a class, as ``arch/arm64/kvm/handle_exit.c`` has them.

A handler gets the vCPU and the exit's record; the guest's PC is still at the instruction (behind it for HVC and SVC).
Replace or add one with ``host.handlers["wfx"] = my_handler``; the name is the class's, or the record's up to a colon for
one sub-reason: ``wfx.wfe``, ``sysreg.read``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gdbhv.hv import hypercall, sysregs
from gdbhv.hv.vcpu import STEPPING
from gdbhv.tables import iss_field

if TYPE_CHECKING:
    from gdbhv.exits.records import ExitRecord
    from gdbhv.hv.mmio import MmioDevice
    from gdbhv.hv.vcpu import Vcpu

Handler = Callable[["Vcpu", "ExitRecord"], None]
HANDLERS: dict[str, Handler] = {}

# Fields of ESR_EL2.ISS. What every abort looks at is a number: this runs a hundred thousand times a second.
WFX_TI, WFX_RV, WFX_RN = (iss_field("wfx", name) for name in ("TI", "RV", "RN"))
IMM16 = iss_field("hvc", "imm16")
S1PTW, WNR, CM, ISV, SAS, SSE, SRT, SF = (
    iss_field("dabt", name).mask for name in ("S1PTW", "WnR", "CM", "ISV", "SAS", "SSE", "SRT", "SF")
)
SAS_LSB, SRT_LSB = iss_field("dabt", "SAS").lsb, iss_field("dabt", "SRT").lsb
FSC_KIND = iss_field("dabt", "DFSC").mask & ~0b11  # all but the level; of instruction aborts too
TRANSLATION = 0b000100  # fault status code, of level 0
WFE, WITH_TIMEOUT = 0b01, 0b10  # bits of TI
IDS, DFSC, AET = (iss_field("serror", name) for name in ("IDS", "DFSC", "AET"))
ASYNCHRONOUS, RESTARTABLE, CORRECTED = 0b010001, 2, 6  # DFSC; AET


def handler(name: str) -> Callable[[Handler], Handler]:
    """File a function as the handler of exit class ``name``."""

    def add(f: Handler) -> Handler:
        HANDLERS[name] = f
        return f

    return add


@handler("wfx")
def wfx(vcpu: Vcpu, record: ExitRecord) -> None:
    """WFI waits for an interrupt, WFE for an event; WFIT and WFET until their timeout at most.

    A guest that steps itself over it does not wait: a wait may end at any time, and its step exception is due (D2.12).
    """
    esr = record["esr"]
    stepped = vcpu.read("SPSR_EL2") & STEPPING
    vcpu.skip()
    if stepped:
        return
    instruction = WFX_TI.of(esr)
    timed = instruction & WITH_TIMEOUT and esr & WFX_RV.mask
    until = vcpu.at_count(vcpu.x(WFX_RN.of(esr))) if timed else None
    scheduler = vcpu.vm.host.scheduler
    wait = scheduler.wait_for_event if instruction & WFE else scheduler.wait
    wait(vcpu, until)


@handler("fp")
def fp(vcpu: Vcpu, record: ExitRecord) -> None:
    """Give the vCPU the registers at its first FP or SIMD instruction since it was loaded, and execute that again."""
    vcpu.vm.host.enable_fp(vcpu)


@handler("hvc")
def hvc(vcpu: Vcpu, record: ExitRecord) -> None:
    """SMCCC calls use immediate 0; others are not there."""
    if record["esr"] & IMM16.mask:
        vcpu.set_x(0, hypercall.NOT_SUPPORTED)
    else:
        hypercall.handle(vcpu)


@handler("smc")
def smc(vcpu: Vcpu, record: ExitRecord) -> None:
    """Serve the same calls by the other instruction; a trapped SMC is not skipped by the hardware."""
    vcpu.skip()
    hvc(vcpu, record)


@handler("sysreg")
def sysreg(vcpu: Vcpu, record: ExitRecord) -> None:
    """Emulate a trapped MRS, MSR or system instruction."""
    sysregs.emulate(vcpu, record)


def walk_level(vcpu: Vcpu, record: ExitRecord) -> int | None:
    """Return the level of the stage 1 descriptor whose fetch faulted in stage 2 (ISS.S1PTW); None for the access itself."""
    if not record["esr"] & S1PTW:
        return None
    assert vcpu.cpu is not None
    walk = vcpu.machine.translate(vcpu.cpu, record["far"] or 0, el=1)
    levels = [s["for_s1"] for s in walk["steps"] if s["stage"] == 2 and s["for_s1"] is not None]
    return levels[-1] if levels else None


@handler("dabt")
def data_abort(vcpu: Vcpu, record: ExitRecord) -> None:
    """Memory that is not mapped yet, an emulated device, or nothing at all."""
    esr, ipa = record["esr"], record["ipa"]
    if ipa is not None:
        found = vcpu.vm.device(ipa)  # no memory overlaps it
        if found is not None and esr & ISV:
            device, offset = found
            mmio(vcpu, esr, device, offset)
            return
        if esr & FSC_KIND == TRANSLATION and vcpu.vm.map_touched(ipa):
            return  # and the guest makes the access again
        if esr & CM and not esr & S1PTW:  # maintenance of caches that are not there
            vcpu.skip()
            return
    # An IPA that is neither memory nor a device, memory that must not be written, or an access to a device that the syndrome
    # does not describe (ISV = 0).
    level = walk_level(vcpu, record)
    vcpu.inject_abort(record["far"] or 0, fetch=False, kind=esr & (CM | WNR), walk=level)


def mmio(vcpu: Vcpu, esr: int, device: MmioDevice, offset: int) -> None:
    """Make the access that the syndrome describes (Arm ARM D24.2.40, ISS of a data abort) on an emulated device."""
    size = 1 << ((esr & SAS) >> SAS_LSB)
    rt = (esr & SRT) >> SRT_LSB
    ones = (1 << 8 * size) - 1
    if esr & WNR:
        device.write(offset, size, vcpu.x(rt) & ones)
    else:
        value = device.read(offset, size) & ones
        if esr & SSE and value >> (8 * size - 1):  # sign-extend to the register that SF names
            value |= ((1 << (64 if esr & SF else 32)) - 1) & ~ones
        vcpu.set_x(rt, value)
    vcpu.skip()


@handler("iabt")
def instruction_abort(vcpu: Vcpu, record: ExitRecord) -> None:
    """Code that is not mapped yet, or a jump to where no memory is."""
    ipa = record["ipa"]
    if ipa is None or record["esr"] & FSC_KIND != TRANSLATION or not vcpu.vm.map_touched(ipa):
        vcpu.inject_abort(record["far"] or 0, fetch=True, walk=walk_level(vcpu, record))


@handler("irq")
def irq(vcpu: Vcpu, record: ExitRecord) -> None:
    """Handle a physical interrupt: the hypervisor's own business, or a guest's timer."""
    assert vcpu.cpu is not None
    vcpu.vm.host.interrupt_on(vcpu.cpu)


@handler("brk")
@handler("bp")
@handler("step")
@handler("wp")
def debug_exception(vcpu: Vcpu, record: ExitRecord) -> None:
    """Give a guest its own debug exception back, which MDCR_EL2.TDE routed here."""
    vcpu.inject(record["esr"], record["far"])


@handler("serror")
def serror(vcpu: Vcpu, record: ExitRecord) -> None:
    """Give the guest an error of the machine's memory that came while it executed: its own to survive, as KVM has it."""
    if not corrected(record["esr"]):
        vcpu.inject_serror()


def corrected(esr: int) -> bool:
    """Whether an SError asks nothing of software: AET says corrected or restartable (Arm ARM D24.2.40, ISS of an SError)."""
    return not esr & IDS.mask and DFSC.of(esr) == ASYNCHRONOUS and AET.of(esr) in (RESTARTABLE, CORRECTED)


def undefined(vcpu: Vcpu, record: ExitRecord) -> None:
    """Any class without a handler: as KVM does, the guest's instruction is undefined."""
    vcpu.inject_undefined()
