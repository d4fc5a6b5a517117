"""What the help of each command shows at its end."""

from __future__ import annotations

from gdbhv.cli.ending import DIFFERS, KILLED, STATUS

RUN_EXAMPLES = (
    """\
examples:
  gdbhv run Image --initrd initramfs.cpio.gz --append console=ttyAMA0
                                       Linux as a guest of gdbhv's hypervisor
  gdbhv run guests/prebuilt/exit_zoo.elf --gdb 1234 --wait
                                       stopped at its first instruction, for: gdbhv gdb 1234
  gdbhv run xen --el 2 --dtb xen.dtb --load Image@0x48000000 --memory 1G
                                       a hypervisor of its own
  gdbhv run --vm Image,name=a,append=console=ttyAMA0 --vm hello.elf,memory=64M --console a=pty
                                       two VMs, each with its own image; one has a terminal of its own
  gdbhv run Image --bare --initrd initramfs-virtio.cpio.gz --append console=ttyAMA0 --drive disk.img
                                       with a disk; what is written to it is gone afterwards (disk.img,rw keeps it)
  gdbhv run Image --initrd initramfs-virtio.cpio.gz --append "console=ttyAMA0 gdbhv.serve" --net user,hostfwd=tcp::8080-:80
                                       with a network: port 8080 of 127.0.0.1 is the guest's port 80
  gdbhv run test.elf --bare --semihosting=/tmp/files
                                       a program that ends, and reads files, by semihosting
  gdbhv run Image --bare --smp 4       a kernel alone, on a machine without EL2
  gdbhv run boot.bin --el 2 --load-address 0x40000000
                                       raw bytes, put and begun there
  gdbhv run Image --initrd initramfs.cpio.gz --snapshot-at 1e9:booted.snap
                                       a snapshot on the way, and
  gdbhv run --snapshot booted.snap     on from there, as often as you like
  gdbhv run --el 2 --wait --gdb 1234   an empty machine at reset in EL2: `load` your program with gdb
  gdbhv run Image --initrd initramfs.cpio.gz --record boot.rec
                                       what is typed is noted, and when, so that the run can be repeated
  gdbhv run --replay boot.rec --gdb 1234 --wait
                                       the same run again, to be looked at; a debugger cannot change it

exit status: """
    + ", ".join(f"{n} {name}" for n, name, _ in [*STATUS.values(), KILLED, DIFFERS])
    + ", 1 error, 2 wrong usage"
)

GDB_EXAMPLES = """\
examples:
  gdbhv gdb 1234 vmlinux               attach, with symbols
  gdbhv gdb unix:/run/gdbhv.sock       over a Unix socket
  gdbhv gdb 1234 -x session.gdb        attach, then do what the script says
  gdbhv gdb 1234 vmlinux -ex 'break panic' -ex continue

It prints the command that it runs. Your .gdbinit is left out (-nx): give what you need of it with -x.
"""

QEMU_EXAMPLES = """\
examples:
  gdbhv qemu -M virt -cpu cortex-a57 -m 1G -kernel Image -initrd initramfs.cpio.gz -append console=ttyAMA0 -nographic
  gdbhv qemu -v -M virt,virtualization=on,gic-version=3 -cpu max -kernel xen -dtb xen.dtb -s -S
                                       with -v the `gdbhv run` that is the same is said first
  gdbhv qemu qemu-system-aarch64 -M virt -cpu cortex-a57 -bios u-boot.bin -drive if=none,id=d,file=disk.img,format=raw \\
      -device virtio-blk-device,drive=d -serial mon:stdio

served: -M virt (virtualization, gic-version; secure=off), -cpu, -smp, -m, -kernel, -initrd, -append, -dtb, -bios, -pflash,
-drive (if=none, pflash, virtio), -device (virtio-blk, -net and -rng, each -device or -pci; loader),
-netdev user, -nic user, -snapshot, -serial, -nographic, -s, -S, -gdb, -semihosting, -no-reboot.
Disks and flash keep what is written, as QEMU's do, but when the run ends.
"""

SNAPSHOT_EXAMPLES = """\
examples:
  gdbhv snapshot info booted.snap      what it is of: machine, VMs, images, time
  gdbhv snapshot info booted.snap --json
                                       for scripts

`gdbhv run --snapshot-at` and `monitor snapshot write` make one; `gdbhv run --snapshot` starts from it.
"""

CPUS_EXAMPLES = """\
examples:
  gdbhv cpus                           all, a feature in each row
  gdbhv cpus cortex-a57 max            what max has besides
  gdbhv cpus --json neoverse-n1        for scripts
"""
