"""``walk``: one address through both stages."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from gdbhv.errors import CommandError
from gdbhv.hv.target import HostTarget
from gdbhv.monitor.registry import JSON, Arg, Context, address, command, to_json
from gdbhv.views.walk import walk_lines

if TYPE_CHECKING:
    from gdbhv._core import Walk


@command(
    "walk",
    Arg("address", "VA, or ipa:ADDRESS"),
    Arg("--el", "exception level whose view it is (default: the thread's)", type=int, choices=(0, 1, 2)),
    Arg("--write", "as a store", flag=True),
    Arg("--fetch", "as an instruction fetch", flag=True),
    JSON,
    help="walk an address through both stages, every descriptor fetch",
)
def walk(context: Context, args: argparse.Namespace) -> Iterator[str]:
    """What execution would do with the address now, permissions included."""
    ipa = args.address.startswith("ipa:")
    where = address(args.address.removeprefix("ipa:"))
    if args.write and args.fetch:
        raise CommandError("--write or --fetch, not both")
    access: Literal["read", "write", "fetch"] = "write" if args.write else "fetch" if args.fetch else "read"
    target, thread = context.target, context.thread
    if isinstance(target, HostTarget):
        el = target.read_register(thread, "cpsr") >> 2 & 3 if args.el is None else args.el
        with target.loaded(target.vcpu(thread)) as cpu:
            found: Walk | None = (
                target.machine.translate_ipa(cpu, where, access=access, checked=True)
                if ipa
                else target.machine.translate(cpu, where, el=el, access=access, checked=True)
            )
    else:
        cpu = thread.tid - 1
        el = target.core.read_register(cpu, "cpsr") >> 2 & 3 if args.el is None else args.el
        found = (
            target.core.translate_ipa(cpu, where, access=access, checked=True)
            if ipa
            else target.core.translate(cpu, where, el=el, access=access, checked=True)
        )
    if found is None:
        raise CommandError("stage 2 is off (HCR_EL2.VM = 0): an IPA is a PA")
    if args.json:
        yield from to_json(found)
    else:
        yield from walk_lines(f"{'IPA' if ipa else 'VA'} {where:#x}, {access}" + ("" if ipa else f" at EL{el}"), found)
