"""``gdbhv qemu``: a command line of ``qemu-system-aarch64 -M virt``, and the ``gdbhv run`` that does the same."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gdbhv import _core
from gdbhv.cli.qemu_words import OFF, ON, Unserved, flag, keys, user_network
from gdbhv.cli.saying import say

CPUS = {name for name, _ in _core.profiles()}
PCIE, SLOTS = "PCIe", "the slots"
NO_FOLDERS = "there are no shared folders (9p, virtio-fs): a disk, or --semihosting, has files"
NO_SMMU = "there is no SMMU: devices on PCIe use physical addresses"
RESTRICTED = "the guest reaches nobody but the gateway, as with QEMU's restrict=on"


@dataclass
class Machine:
    """What the options say, until they are all read."""

    options: list[str] = field(default_factory=list)  # of `gdbhv run`
    kernel: str | None = None
    initrd: str | None = None
    append: str | None = None
    bios: str | None = None
    flash: list[tuple[str, bool]] = field(default_factory=list)
    drives: dict[str, str] = field(default_factory=dict)  # by id: what --drive gets
    netdevs: dict[str, str] = field(default_factory=dict)  # by id: what --net gets
    net: str | None = None
    buses: set[str] = field(default_factory=set)  # where virtio devices are: "PCIe", "the slots"
    plugged: list[str] = field(default_factory=list)
    cpu: str = "cortex-a15"  # QEMU's own default, which has 32 bits
    machine: str | None = None
    el2: bool = False
    gic: str | None = None
    smp: int = 1
    memory: str = "128M"
    gdb: str | None = None
    stopped: bool = False
    serial: str | None = None
    snapshot: bool = False
    notes: list[str] = field(default_factory=list)


def _machine(m: Machine, text: str) -> None:
    found = keys("-M", text, "type")
    if "type" not in found and m.machine is None:
        found["type"] = "virt"
    for name, value in found.items():
        what = f"-M {name}={value}"
        if name == "type":
            if value != "virt" and not value.startswith("virt-"):
                raise Unserved(f"-M {value}", "the board is virt")
            m.machine = value
        elif name == "virtualization":
            m.el2 = flag("-M", name, value)
        elif name == "gic-version":
            if value not in ("2", "3", "max", "host"):
                raise Unserved(what, "2 and 3 are there")
            m.gic = value
        elif name in ("secure", "mte", "its", "ras", "highmem", "iommu", "acpi", "dumpdtb"):
            fine = {
                "secure": OFF,
                "mte": OFF,
                "iommu": ("none",),
                "its": ON,
                "ras": OFF,
                "highmem": ON + OFF,
                "acpi": ON + OFF,
            }
            if value not in fine.get(name, ()):
                raise Unserved(what, {"secure": "there is no EL3", "iommu": NO_SMMU}.get(name, "there is none"))
        else:
            raise Unserved(what, "unknown")


def _cpu(m: Machine, text: str) -> None:
    name, *rest = text.split(",")
    if name not in CPUS:
        raise Unserved(f"-cpu {name}", f"there are {', '.join(sorted(CPUS))}")
    for one in rest:
        m.notes.append(f"-cpu {name},{one}: {one} is left out; `gdbhv cpus` says what {name} has")
    m.cpu = name


def _smp(m: Machine, text: str) -> None:
    found = keys("-smp", text, "cpus")
    for name, value in found.items():
        if name in ("cpus", "cores") and value.isdecimal():
            m.smp = max(m.smp, int(value))
        elif name not in ("sockets", "threads", "maxcpus", "clusters"):
            raise Unserved(f"-smp {text}", "a number of CPUs is needed")


def _memory(m: Machine, text: str) -> None:
    found = keys("-m", text, "size")
    if set(found) - {"size"}:
        raise Unserved(f"-m {text}", "memory has one size, and no slots")
    size = found["size"]
    m.memory = size.upper() if size[-1:].upper() in ("K", "M", "G") else f"{size}M"


def _drive(m: Machine, text: str) -> None:
    found = keys("-drive", text)
    for name in set(found) - {
        "file",
        "if",
        "format",
        "id",
        "readonly",
        "unit",
        "index",
        "snapshot",
        "cache",
        "media",
        "aio",
    }:
        raise Unserved(f"-drive {name}={found[name]}", "unknown")
    if "file" not in found:
        raise Unserved(f"-drive {text}", "file= is needed")
    kind, path = found.get("if", "virtio"), found["file"]
    read_only = flag("-drive", "readonly", found.get("readonly", "off"))
    kept = not read_only and not flag("-drive", "snapshot", found.get("snapshot", "off")) and not m.snapshot
    if kind == "pflash":
        m.flash.append((path, kept))
        return
    suffix = (",rw" if kept else ",ro" if read_only else "") + (
        f",format={found['format']}" if found.get("format", "raw") != "raw" else ""
    )
    if kind == "none":
        m.drives[found.get("id", "")] = path + suffix
    elif kind == "virtio":
        m.buses.add(PCIE)
        m.plugged.append(path + suffix)
    else:
        raise Unserved(f"-drive if={kind}", "if=none and if=pflash are served")


def _device(m: Machine, text: str) -> None:
    found = keys("-device", text, "driver")
    driver = found.pop("driver")
    if driver in ("virtio-blk-device", "virtio-blk-pci", "virtio-blk"):
        m.buses.add(SLOTS if driver == "virtio-blk-device" else PCIE)
        drive = found.pop("drive", "")
        if drive not in m.drives:
            raise Unserved(f"-device {text}", f"there is no -drive if=none,id={drive or '...'} before it")
        m.plugged.append(m.drives[drive])
    elif driver in ("virtio-rng-device", "virtio-rng-pci", "virtio-rng"):
        m.buses.add(SLOTS if driver == "virtio-rng-device" else PCIE)
        m.options += ["--rng", "0"]
        m.notes.append(f"-device {driver}: its numbers follow from a seed, 0")
    elif driver == "loader" and "file" in found and "addr" in found:
        m.options += ["--load", f"{found.pop('file')}@{found.pop('addr')}"]
    elif driver in ("virtio-net-device", "virtio-net-pci", "virtio-net"):
        m.buses.add(SLOTS if driver == "virtio-net-device" else PCIE)
        name = found.pop("netdev", "")
        if name not in m.netdevs:
            raise Unserved(f"-device {text}", f"there is no -netdev user,id={name or '...'} before it")
        _plug_net(m, f"-device {text}", m.netdevs[name], found.pop("mac", None))
    elif "9p" in driver or driver.startswith("vhost-user-fs"):
        raise Unserved(f"-device {driver}", NO_FOLDERS)
    elif driver == "arm-smmuv3":
        raise Unserved(f"-device {driver}", NO_SMMU)
    elif driver.endswith("-pci") or driver in ("nvme", "ahci", "qemu-xhci"):
        raise Unserved(f"-device {driver}", "on PCIe there are virtio-blk-pci, virtio-net-pci and virtio-rng-pci")
    else:
        raise Unserved(f"-device {driver}", "virtio-blk, virtio-net, virtio-rng (-device or -pci) and loader are served")
    for name, value in found.items():
        if name not in ("id", "bus", "bootindex", "force-raw", "serial"):
            raise Unserved(f"-device {driver},{name}={value}", "unknown")


def _gdb(m: Machine, text: str) -> None:
    kind, _, rest = text.partition(":")
    address = rest.split(",")[0] if kind in ("tcp", "unix") else text
    m.gdb = f"unix:{address}" if kind == "unix" else address.removeprefix(":")
    if kind not in ("tcp", "unix") and not text.isdecimal():
        raise Unserved(f"-gdb {text}", "tcp::PORT, tcp:HOST:PORT or unix:PATH")


def _serial(m: Machine, text: str) -> None:
    kind, _, rest = text.partition(":")
    if m.serial is not None and text != "none":
        raise Unserved(f"-serial {text}", "there is one UART")
    where = {"stdio": "stdio", "mon": "stdio", "pty": "pty", "none": os.devnull, "null": os.devnull}.get(kind)
    if kind == "file":
        where = rest
    elif kind == "unix":
        where = f"unix:{rest.split(',')[0]}"
    if where is None:
        raise Unserved(f"-serial {text}", "stdio, mon:stdio, pty, file:PATH, unix:PATH, null and none are served")
    m.serial = where


def _semihosting(m: Machine, text: str) -> None:
    found = keys("-semihosting-config", text)
    if flag("-semihosting-config", "enable", found.pop("enable", "on")):
        m.options.append(f"--semihosting={os.getcwd()}")
    for name, value in found.items():
        if (name, value) != ("target", "native"):
            raise Unserved(f"-semihosting-config {name}={value}", "enable=on is served, with files of the current folder")


def _set(name: str) -> Callable[[Machine, str], None]:
    def put(m: Machine, text: str) -> None:
        setattr(m, name, text)

    return put


def _option(*words: str) -> Callable[[Machine, str], None]:
    def add(m: Machine, text: str) -> None:
        m.options += [word.format(text) for word in words]

    return add


def _refuse(why: str) -> Callable[[Machine, str], None]:
    def refuse(m: Machine, text: str) -> None:
        raise Unserved(text, why)

    return refuse


def _nothing(m: Machine, text: str) -> None:
    """Do nothing: it is so anyway."""


def _note(why: str) -> Callable[[Machine, str], None]:
    return lambda m, text: m.notes.append(why)


def _flash(m: Machine, text: str) -> None:
    m.flash.append((text, not m.snapshot))


def _plug_net(m: Machine, option: str, net: str, mac: str | None) -> None:
    if m.net is not None:
        raise Unserved(option, "there is one network device")
    m.net = net + (f",mac={mac}" if mac is not None else "")
    m.notes.append(f"{option}: {RESTRICTED}")


def _netdev(m: Machine, text: str) -> None:
    net, found = user_network("-netdev", text)
    if not found.get("id"):
        raise Unserved(f"-netdev {text}", "id= is needed")
    m.netdevs[found["id"]] = net


def _nic(m: Machine, text: str) -> None:
    if text == "none":
        return
    net, found = user_network("-nic", text)
    model = found.get("model", "virtio-net-pci")
    if not model.startswith("virtio"):
        raise Unserved(f"-nic model={model}", "virtio-net-device is there")
    m.buses.add(SLOTS if model == "virtio-net-device" else PCIE)
    _plug_net(m, f"-nic {text}", net, found.get("mac"))


def _net(m: Machine, text: str) -> None:
    if text != "none":
        raise Unserved(f"-net {text}", "-nic user, or -netdev user,id=n and -device virtio-net-device,netdev=n")


# Options with an argument, and without one.
WITH: dict[str, Callable[[Machine, str], None]] = {
    "M": _machine,
    "machine": _machine,
    "cpu": _cpu,
    "smp": _smp,
    "m": _memory,
    "kernel": _set("kernel"),
    "initrd": _set("initrd"),
    "append": _set("append"),
    "dtb": _option("--dtb", "{}"),
    "bios": _set("bios"),
    "pflash": _flash,
    "drive": _drive,
    "device": _device,
    "serial": _serial,
    "gdb": _gdb,
    "nic": _nic,
    "net": _net,
    "semihosting-config": _semihosting,
    "display": _nothing,
    "monitor": _note("-monitor is left out: `monitor help` in gdb has gdbhv's commands"),
    "icount": _note("-icount is left out: virtual time always counts instructions here"),
    "accel": _note("-accel is left out"),
    "d": _note("-d is left out: `monitor vmexit` and --stats show what a guest does"),
    "D": _nothing,
    "name": _nothing,
    "rtc": _note("-rtc is left out: the clock follows virtual time"),
    "global": _note("-global is left out: virtio-mmio devices have the present interface (force-legacy=false)"),
    "netdev": _netdev,
    "chardev": _refuse("consoles are -serial's"),
    "object": _refuse("there are none"),
    "fsdev": _refuse(NO_FOLDERS),
    "virtfs": _refuse(NO_FOLDERS),
    "hda": _refuse("there is no IDE: -drive if=none and -device virtio-blk-device"),
    "cdrom": _refuse("there is no IDE: -drive if=none,readonly=on and -device virtio-blk-device"),
    "fw_cfg": _refuse("items are those of -kernel, -initrd and -append with a firmware"),
}
WITHOUT: dict[str, Callable[[Machine, str], None]] = {
    "nographic": _nothing,
    "nodefaults": _nothing,
    "no-user-config": _nothing,
    "no-reboot": _option("--no-reboot"),
    "semihosting": lambda m, _: _semihosting(m, "enable=on"),
    "s": lambda m, _: _gdb(m, "1234"),
    "S": lambda m, _: setattr(m, "stopped", True),
    "snapshot": lambda m, _: setattr(m, "snapshot", True),
    "no-shutdown": _refuse("a machine that is off ends the run"),
    "enable-kvm": _refuse("it is all simulated: leave it out"),
    "daemonize": _refuse("start it in the background"),
}


def translated(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the arguments of ``gdbhv run`` for those of QEMU, and what is to be said of them.

    :raises gdbhv.errors.GdbhvError: an option cannot be served, which the error names.
    """
    m = Machine()
    left = list(words)
    if left and Path(left[0]).name.startswith("qemu-system-"):
        if Path(left[0]).name != "qemu-system-aarch64":
            raise Unserved(left[0], "qemu-system-aarch64 is served")
        del left[0]
    if "-snapshot" in left or "--snapshot" in left:
        m.snapshot = True
    while left:
        word = left.pop(0)
        name = word.removeprefix("-").removeprefix("-")
        if not word.startswith("-"):
            raise Unserved(word, "an argument without an option: a disk is -drive file=...")
        if name in WITHOUT:
            WITHOUT[name](m, word)
        elif name in WITH:
            if not left:
                raise Unserved(word, "it needs an argument")
            text = left.pop(0)
            WITH[name](m, f"{word} {text}" if WITH[name].__qualname__.startswith("_refuse") else text)
        else:
            raise Unserved(word, "unknown to gdbhv; `gdbhv qemu --help` says what is served")
    return _arguments(m), m.notes


def _arguments(m: Machine) -> list[str]:
    if m.machine is None:
        raise Unserved("-M", "the machine is to be named: -M virt")
    if m.cpu not in CPUS:
        raise Unserved("-cpu", f"without it QEMU takes cortex-a15, which has 32 bits; there are {', '.join(sorted(CPUS))}")
    flash, image = list(m.flash), []
    if m.bios is not None:
        if flash:
            raise Unserved(f"-bios {m.bios}", "the first bank of flash is -pflash's already")
        flash = [(m.bios, False)]
    firmware = bool(flash)
    if m.kernel is not None:
        image = ["--kernel", m.kernel] if firmware else [m.kernel]
    made = [*image, *(("--el", "2") if m.el2 else ("--bare",)), "--cpu", m.cpu, "--memory", m.memory]
    gic = m.gic if m.gic not in (None, "max", "host") else "3" if m.gic else "2"
    made += ["--gic", str(gic)]
    made += ["--smp", str(m.smp)] if m.smp != 1 else []
    for option, value in (("--initrd", m.initrd), ("--append", m.append)):
        made += [option, value] if value is not None else []
    for path, kept in flash:
        made += ["--flash", f"{path},rw" if kept and path != m.bios else path]
    for drive in m.plugged:
        made += ["--drive", drive]
    if unused := [d for d in m.drives.values() if d not in m.plugged]:
        raise Unserved(f"-drive if=none ({unused[0]})", "no -device virtio-blk-device,drive= uses it")
    if m.netdevs and m.net is None:
        raise Unserved(f"-netdev user,id={min(m.netdevs)}", "no -device virtio-net-device,netdev= uses it")
    made += ["--net", m.net] if m.net is not None else []
    if len(m.buses) > 1:
        raise Unserved("-device", "virtio devices are all on PCIe or all in the slots of virtio-mmio")
    made += ["--pcie"] if m.buses == {PCIE} else []
    made += m.options
    if m.gdb is not None:
        made += ["--gdb", m.gdb] + (["--wait"] if m.stopped else [])
    elif m.stopped:
        raise Unserved("-S", "nobody could start it: -s or -gdb too")
    made += ["--console", m.serial] if m.serial not in (None, "stdio") else []
    if not (m.kernel or firmware or "--load" in made or (m.el2 and m.gdb and m.stopped)):
        raise Unserved("-kernel", "-kernel, -bios, -pflash or -device loader says what to run")
    return made


def run_arguments(words: Sequence[str]) -> list[str]:
    """Return the arguments of ``gdbhv run`` that do what QEMU's do, and say what is left out; with -v say them too.

    :raises gdbhv.errors.GdbhvError: an option cannot be served.
    """
    verbose = list(words[:1]) in (["-v"], ["--verbose"])
    arguments, notes = translated(words[verbose:])
    for note in notes:
        say(note)
    if verbose:
        say(f"gdbhv run {shlex.join(arguments)}")
    return arguments
