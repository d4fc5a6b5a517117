"""From files to a machine that is ready to run: the work behind ``gdbhv run``, for libraries and tests too.

target = boot.hosted(BootConfig(image="Image", initrd="initramfs.cpio.gz", append="console=ttyAMA0"))
stop = target.run_all()
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gdbhv import _core, drives, image, tables
from gdbhv.board import firmware
from gdbhv.board.semihosting import Semihosting
from gdbhv.config import PAGE, RAM, BootConfig, Drive, Net
from gdbhv.console import Console
from gdbhv.errors import ConfigError, GdbhvError, ImageError, StateError
from gdbhv.hv.host import Host
from gdbhv.hv.hosttarget import HostTarget
from gdbhv.hv.mmio import BoardDevice, MmioDevice, Pl011
from gdbhv.hv.vm import Vm
from gdbhv.machine.machine import Machine
from gdbhv.snapshot import snapfile, snapshot
from gdbhv.snapshot.snapfile import Content, Guest

MIB = 1 << 20
TREE_ALIGN = 2 * MIB
TREE_ROOM = MIB
"""Bytes left free in the device tree, so that software can add to it in place."""

log = logging.getLogger(__name__)


@dataclass
class Setup:
    """A machine to make, as told to ``gdbhv run``. ``el2`` applies to a bare machine, which has one configuration."""

    configs: list[BootConfig]
    hosted: bool = True
    el2: bool = True

    def make(self, console: Console | None = None, consoles: Mapping[str, Console] | None = None) -> HostTarget | Machine:
        """Make the machine. For parameters and errors see :func:`hosted` and :func:`bare`."""
        if self.hosted:
            return hosted(self.configs, console, consoles=consoles)
        return bare(self.configs[0], console, el2=self.el2)


@dataclass
class Layout:
    """What goes where in a guest's memory, and how it starts."""

    pieces: list[tuple[int, bytes]]
    entry: int
    x0: int
    image: image.Image | None


def firmware_items(config: BootConfig) -> dict[int, bytes]:
    """Return what an image that is a firmware finds in fw_cfg, by key; see :func:`gdbhv.board.firmware.items`."""
    return firmware.items(config.kernel, config.initrd, config.append, config.memory)


def layout(config: BootConfig, *, psci: str, flash: bool = False) -> Layout:
    """Place the image, the initial RAM disk, the device tree and further files, where QEMU's ``virt`` places them.

    The RAM disk is 128 MiB into RAM, or in its middle if that is less, and above the image; the device tree is behind it, on
    a boundary of 2 MiB. With an ELF that leaves 1 MiB free at the beginning of RAM, or without an image, the tree is there.

    With flash and without an image the first instruction is at address 0, and x0 is 0, as firmware expects.

    With a kernel for a firmware, RAM disk and command line are in fw_cfg only (:func:`firmware_items`).

    :param psci: conduit, "hvc" or "smc".
    :param flash: whether there is any.
    :raises gdbhv.errors.GdbhvError: something does not fit or overlaps; gdbhv.errors.ImageError: a file is unusable.
    """
    config.check()
    pieces: list[tuple[str, int, bytes]] = []
    loaded = None
    if config.image is not None:
        loaded = image.load(config.image, RAM, config.load_address, config.memory)
        pieces += [(str(config.image), a, d) for a, d in loaded.segments]
    disk = _up(max(RAM + min(config.memory // 2, 128 * MIB), loaded.end if loaded else RAM), PAGE)
    initrd = None
    if config.initrd is not None and config.kernel is None:
        data = image.read_raw(config.initrd, config.memory)
        initrd = (disk, disk + len(data))
        pieces.append((str(config.initrd), disk, data))
    for path, address in config.load:
        pieces.append((path, address, image.read_raw(path, config.memory)))
    append = config.append if config.kernel is None else ""
    if config.dtb is not None:
        tree = image.patch_dtb(image.load_dtb(config.dtb), str(config.dtb), append=append, initrd=initrd)
    else:
        tree = _core.device_tree(
            cpus=config.smp,
            memory=config.memory,
            bootargs=append,
            initrd=initrd,
            psci=psci,  # type: ignore[arg-type]
            gic="v2" if config.gic == 2 else "v3-its",
            cpu=config.cpu,
            flash=flash,
            pcie=config.pcie,
        )
    behind = _up(initrd[1] if initrd else disk, TREE_ALIGN)
    beginning = loaded is None or (loaded.kind == "elf" and not RAM <= loaded.base < RAM + TREE_ROOM)
    at = _place_tree(len(tree), RAM if beginning else behind, [(a, len(d)) for _, a, d in pieces], RAM + config.memory)
    pieces.append(("the device tree", at, tree))
    _check(pieces, config.memory)
    entry = config.entry if config.entry is not None else loaded.entry if loaded else 0 if config.flash else RAM
    replace(config, entry=entry).check()  # an image's own
    x0 = config.x0 if config.x0 is not None else at if entry >= RAM else 0
    _look_at_entry(entry, [*pieces, *firmware.banks(config.flash)])
    return Layout([(a, d) for _, a, d in pieces], entry, x0, loaded)


def _up(address: int, align: int) -> int:
    return -(-address // align) * align


def _place_tree(size: int, wanted: int, taken: list[tuple[int, int]], end: int) -> int:
    """Find room for the device tree: at the given address, else after the RAM disk or image, or where RAM begins."""
    behind = sorted(_up(a + n, TREE_ALIGN) for a, n in taken)
    candidates = [wanted, *(a for a in behind if a > wanted), RAM, *behind]
    for room, start in itertools.product((max(size, TREE_ROOM), size), candidates):
        if start + room <= end and all(start + room <= a or a + n <= start for a, n in taken):
            return start
    raise ConfigError("memory", "it has no room for the device tree: give the machine more")


def _look_at_entry(entry: int, pieces: list[tuple[str, int, bytes]]) -> None:
    """Warn if there is no instruction at the entry point."""
    what, start, data = next((p for p in pieces if p[1] <= entry < p[1] + len(p[2])), ("", entry, b""))
    if data[entry - start : entry - start + 4].strip(b"\0"):
        return
    where = f"{what} is there, but holds zeros" if what else "nothing is loaded there, and memory is zero"
    loaded = ", ".join(f"{name} at {a:#x}-{a + len(d) - 1:#x}" for name, a, d in pieces if d)
    log.warning("the first instruction, at %#x, is 0 (undefined): %s; loaded: %s", entry, where, loaded)


def _check(pieces: list[tuple[str, int, bytes]], memory: int) -> None:
    for what, a, data in pieces:
        if a < RAM or a + len(data) > RAM + memory:
            ram = f"RAM, which is {RAM:#x} to {RAM + memory - 1:#x}"
            remedy = "put it, or link it, above the beginning of RAM" if a < RAM else "it needs a machine with more memory"
            raise GdbhvError(f"{what}: {a:#x} to {a + len(data) - 1:#x} is not all in {ram}; {remedy}")
    ordered = sorted((a, a + len(d), what) for what, a, d in pieces if d)
    for (_, end, first), (start, _, second) in itertools.pairwise(ordered):
        if start < end:
            raise GdbhvError(
                f"{first} and {second} overlap at {start:#x}; load one of them elsewhere, or link it to another address"
            )


def _device(name: str, config: BootConfig, output: Callable[[bytes], None]) -> MmioDevice:
    """Return a device of the board for a VM: the UART with a console behind it, the others as bare machines have them."""
    if name == Pl011.name:
        return Pl011(output)
    device = BoardDevice(name, cpus=config.smp)
    if name == "fw-cfg":
        for key, data in firmware_items(config).items():
            device.set_item(key, data)
    if name == "virtio-mmio":
        device.plug_drives(config.drive)
        if config.rng is not None:
            device.plug_rng(config.rng)
        if config.virtio_console:
            device.plug_console(output)
        if config.net is not None:
            device.plug_net(config.net)
    return device


def add_vm(host: Host, config: BootConfig, output: Callable[[bytes], None]) -> Vm:
    """Make a VM on ``host`` as ``config`` says, ready to run; what it prints goes to ``output``."""
    plan = layout(config, psci="hvc")
    vm = host.create_vm(config.name, vcpus=config.smp)
    vm.add_memory(RAM, config.memory)
    for name, row in tables.board().items():
        if row["device"] and name != "flash":
            vm.add_device(row["base"], _device(name, config, output), row["intid"])
    vm.image = plan.image
    vm.boot(plan.pieces, plan.entry, plan.x0)
    return vm


def hosted(
    config: BootConfig | Sequence[BootConfig],
    console: Console | None = None,
    *,
    vms: int = 1,
    consoles: Mapping[str, Console] | None = None,
) -> HostTarget:
    """Make a hosted machine, and return it as a debugger's target.

    :param config: of one VM, or of each of several; CPU and speed are those of the first.
    :param console: of all VMs that have none of their own; what several of them print begins with the VM's name.
    :param vms: how often each configuration is used.
    :param consoles: by the VM's name: vm1, vm2, ... unless its configuration has another.
    :raises gdbhv.errors.GdbhvError: two VMs of a name, a console of none, or what does not fit.
    """
    configs = [c for c in ([config] if isinstance(config, BootConfig) else config) for _ in range(vms)]
    if any(c.gic != 3 for c in configs):
        raise ConfigError("gic", "a hosted VM has a GICv3: a GICv2 is for machines of the image's own")
    names = [c.name or f"vm{n}" for n, c in enumerate(configs, 1)]
    if len(set(names)) < len(names):
        raise GdbhvError(f"two VMs cannot have the same name: {', '.join(names)}")
    if any(c.semihosting is not None for c in configs):
        raise ConfigError("semihosting", "it is for machines of the image's own (--el 2, --bare): a hosted VM has none")
    if any(c.pcie for c in configs):
        raise GdbhvError("--pcie is for machines of the image's own (--el 2, --bare)")
    if any(c.flash for c in configs):
        raise GdbhvError("--flash is for machines of the image's own (--el 2, --bare): a hosted VM has no flash")
    console, own = console or Console(), dict(consoles or {})
    outputs = _outputs(names, console, own)
    for c in configs:
        c.check(len(configs))
    memory = sum(c.memory for c in configs)
    first = configs[0]
    try:
        host = Host(cpus=max(c.smp for c in configs), memory=memory, cpu=first.cpu, ns_per_insn=first.ns_per_insn)
        host.machine.chaos = first.chaos
    except ValueError as e:
        raise GdbhvError(str(e)) from None
    for name, c in zip(names, configs, strict=True):
        add_vm(host, replace(c, name=name), outputs[name])
    return HostTarget(host, console, own)


def _outputs(names: Sequence[str], console: Console, own: Mapping[str, Console]) -> dict[str, Callable[[bytes], None]]:
    """Return where each VM prints, by its name. :raises gdbhv.errors.GdbhvError: a console names an unknown VM."""
    if strange := set(own) - set(names):
        raise GdbhvError(f"a console for {min(strange)!r}: no VM is called so; there are {', '.join(names)}")
    shared = len(set(names) - set(own)) > 1
    return {name: own[name].write if name in own else console.named(name) if shared else console.write for name in names}


def semihosting_of(config: BootConfig) -> Semihosting:
    """Return the host of the guest's semihosting calls. :raises gdbhv.errors.ConfigError: its folder does not exist."""
    folder = Path(config.semihosting) if config.semihosting else None
    if folder is not None and not folder.is_dir():
        reason = f"{folder} is no folder: files are served from one that is there; make it, or leave it out for none"
        raise ConfigError("semihosting", reason)
    name = Path(config.image).name if config.image is not None else ""
    return Semihosting(folder, f"{name} {config.append}".strip())


def bare(config: BootConfig, console: Console | None = None, *, el2: bool = True) -> Machine:
    """Make a bare machine, which the image has for itself. Without an image it is at reset: MMU off, PC at the start of RAM.

    :param el2: False leaves EL2 out: the image begins at EL1, and PSCI answers HVC as on QEMU's ``virt``.
    """
    config.check()
    machine = Machine(
        cpus=config.smp,
        memory=config.memory,
        cpu=config.cpu,
        el2=el2,
        gic=config.gic,
        ns_per_insn=config.ns_per_insn,
        console=console or Console(),
    )
    machine.core.chaos = config.chaos
    for key, data in firmware_items(config).items():
        machine.core.set_fw_cfg(key, data)
    if config.semihosting is not None:
        machine.serve_semihosting(semihosting_of(config))
    if config.pcie:
        machine.add_pcie()
    machine.plugged = drives.plug(machine.core, config.drive)
    machine.plug(config.rng, console=config.virtio_console, net=config.net)
    for bank, (_, _, data) in enumerate(firmware.banks(config.flash)):
        machine.core.set_flash(bank, data)
    if config.image is None and not config.load and not config.flash:
        for name in ("dtb", *(("initrd", "append") if config.kernel is None else ())):
            if getattr(config, name):
                raise ConfigError(name, "it is for an image, and there is none")
        entry = RAM if config.entry is None else config.entry
        machine.start([], entry, config.x0 or 0)
    else:
        plan = layout(config, psci="smc" if el2 else "hvc", flash=True)
        machine.image = plan.image
        machine.start(plan.pieces, plan.entry, plan.x0)
    return machine


def resumed(
    path: str | Path,
    console: Console | None = None,
    *,
    consoles: Mapping[str, Console] | None = None,
    drive: Sequence[Drive] = (),
    semihosting: Semihosting | None = None,
) -> HostTarget | Machine:
    """Make the machine that a snapshot's file has. Of the files that it was started from, only those of disks are needed.

    If an image is still in its place and unchanged, its symbols are available.

    :param console: as of :func:`hosted`; ``consoles`` too.
    :param drive: where the files of its disks are now, if not where they were then.
    :param semihosting: who serves the guest's calls.
    :raises gdbhv.errors.StateError: the file is damaged or of another version, or the VMs had a device that is not of the
        board: make such a host as it was made then, and use :func:`gdbhv.snapshot.load`.
    :raises gdbhv.errors.GdbhvError: a console of no VM.
    """
    return from_content(snapfile.read(path), path, console, consoles=consoles, drive=drive, semihosting=semihosting)


def from_content(
    content: Content,
    path: str | Path,
    console: Console | None = None,
    *,
    consoles: Mapping[str, Console] | None = None,
    drive: Sequence[Drive] = (),
    semihosting: Semihosting | None = None,
) -> HostTarget | Machine:
    """Do what :func:`resumed` does with what was read from the file ``path``."""
    shape, own = content.shape, dict(consoles or {})
    console = console or Console()
    target: HostTarget | Machine
    try:
        if shape.hosted:
            outputs = _outputs([guest.name for guest in content.guests], console, own)
            host = Host(
                cpus=shape.cpus,
                memory=shape.memory,
                cpu=shape.profile,
                ns_per_insn=shape.ns_per_insn,
                block_mappings=shape.block_mappings,
            )
            if drive and len(content.guests) > 1:
                raise GdbhvError("--drive: the snapshot has several VMs, whose disks must be where they were")
            for guest in content.guests:
                _like(host, guest, outputs[guest.name], drive)
            target = HostTarget(host, console, own)
        else:
            target = Machine(
                cpus=shape.cpus,
                memory=shape.memory,
                cpu=shape.profile,
                el2=shape.el2,
                gic=shape.gic,
                ns_per_insn=shape.ns_per_insn,
                console=console,
            )
            if shape.pcie:
                target.add_pcie()
            with drives.may_have_moved():
                target.plugged = drives.plug(target.core, drives.moved(content.guests[0].drives, drive))
            net = None if (mac := content.guests[0].net) is None else Net(mac)
            target.plug(shape.rng, console=shape.virtio_console, net=net)
            target.image = _same_image(content.guests[0])
            if semihosting is not None:
                target.serve_semihosting(semihosting)
    except (ValueError, LookupError) as e:
        raise StateError(f"{path}: no such machine can be made: {e}") from None
    snapshot.put(target, content, path)
    return target


def _like(host: Host, guest: Guest, output: Callable[[bytes], None], drive: Sequence[Drive]) -> None:
    """Make a VM like one that was saved, with nothing in its memory.

    :raises gdbhv.errors.StateError: it had a device that is not of the board.
    """
    vm = host.create_vm(guest.name, vcpus=guest.vcpus)
    for ipa, size, writable in guest.memory:
        vm.add_memory(ipa, size, writable=writable)
    made = {(ipa, device.name) for ipa, device in vm.devices}  # the interrupt controller's
    board = {name for name, row in tables.board().items() if row["device"]}
    for ipa, name, intid in guest.devices:
        if (ipa, name) in made:
            continue
        if name not in board:
            raise StateError(
                f"{guest.name} has a device {name} at {ipa:#x}, which is not of the board: make the host as it was "
                "made then, and load the file into it (gdbhv.snapshot.load)"
            )
        device = Pl011(output) if name == Pl011.name else BoardDevice(name, cpus=guest.vcpus)
        if isinstance(device, BoardDevice) and name == "fw-cfg":
            for key, data in guest.items:
                device.set_item(key, data)
        if isinstance(device, BoardDevice) and name == "virtio-mmio":
            with drives.may_have_moved():
                device.plug_drives(drives.moved(guest.drives, drive))
            if guest.rng is not None:
                device.plug_rng(guest.rng)
            if guest.virtio_console:
                device.plug_console(output)
            if guest.net is not None:
                device.plug_net(Net(guest.net))
        vm.add_device(ipa, device, intid)
    vm.image = _same_image(guest)


def _same_image(guest: Guest) -> image.Image | None:
    """Return the image that a guest was started from, for its symbols; None if it is missing or has changed."""
    if guest.image is None or not Path(guest.image).is_file():
        return None
    try:
        found = image.load(guest.image)
    except ImageError:
        return None
    if found.sha256 == guest.sha256:
        return found
    log.warning("%s is another file than the one that was started: its symbols are not used", guest.image)
    return None
