"""The pytest plugin.

    @pytest.mark.gdbhv(image="hyp.elf", el=2, smp=2)
    def test_a_hypervisor(machine):
        machine.run_until("guest is up")
        machine.assert_exits(hvc=1, dabt=(1, 10), max=100)

Fixtures: ``machine`` (the image has it all to itself), ``hosted`` (gdbhv is its hypervisor), ``vm`` (the VM of ``hosted``),
``gdb`` (stock gdb, attached to a machine of its own). Marker: ``gdbhv(...)``, the fields of :class:`gdbhv.BootConfig` and
``el``. A test that fails shows what its machine has printed; JUnit's file has instructions and exits of each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from gdbhv.client.session import GdbSession
    from gdbhv.config import BootConfig
    from gdbhv.hv.hosttarget import HostTarget
    from gdbhv.hv.vm import Vm
    from gdbhv.testing.running import Run

MARKER = "gdbhv"
EL = "el"  # what a marker has besides the fields of a configuration
RUNS = pytest.StashKey[list["Run"]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("gdbhv")
    group.addoption("--gdbhv-update", action="store_true", help="write the files of assert_golden, in place of comparing")
    group.addoption(
        "--gdbhv-bundle",
        metavar="FOLDER",
        type=Path,
        help="keep what each test that fails has done, for `gdbhv run --replay FOLDER/TEST.bundle`",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    text = f"{MARKER}(el=1|2, **config): the machine of a test, by the fields of gdbhv.BootConfig; files are beside the test"
    config.addinivalue_line("markers", text)


def asked(request: pytest.FixtureRequest) -> tuple[BootConfig, int | None]:
    """Return what the markers of a test say: the nearest has the last word.

    :raises pytest.UsageError: a field that a machine does not have.
    """
    from gdbhv.config import PLACED_FILES, SINGLE_FILES, BootConfig, Drive

    given: dict[str, Any] = {}
    for mark in reversed(list(request.node.iter_markers(MARKER))):
        if mark.args:
            raise pytest.UsageError(
                f"{request.node.nodeid}: @pytest.mark.{MARKER} takes names: image=..., not {mark.args[0]!r}"
            )
        given |= mark.kwargs
    el = given.pop(EL, None)
    known = [f.name for f in fields(BootConfig)]
    if strange := sorted(set(given) - set(known)):
        raise pytest.UsageError(
            f"{request.node.nodeid}: @pytest.mark.{MARKER} has no {strange[0]}; it has {EL}, {', '.join(known)}"
        )
    if el not in (None, 1, 2):
        raise pytest.UsageError(f"{request.node.nodeid}: el is 1 or 2, where the image begins, and not {el!r}")
    config = BootConfig(**given)
    folder = request.path.parent
    files: dict[str, Any] = {name: folder / path for name in SINGLE_FILES if (path := getattr(config, name)) is not None}
    placed: dict[str, Any] = {
        name: [(str(folder / one[0]), *one[1:]) for one in getattr(config, name)] for name in PLACED_FILES
    }
    placed["drive"] = [Drive(*one) for one in placed["drive"]]
    return replace(config, **files, **placed), el


def _made(request: pytest.FixtureRequest, *, hosted: bool) -> Run:
    from gdbhv.boot import Setup
    from gdbhv.testing.running import Run

    config, el = asked(request)
    if hosted and el is not None:
        raise pytest.UsageError(f"{request.node.nodeid}: a hosted VM begins at EL1; `el` is for the fixture `machine`")
    options = request.config.option
    run = Run(Setup([config], hosted, el != 1), update=options.gdbhv_update, keeps=options.gdbhv_bundle is not None)
    request.node.stash.setdefault(RUNS, []).append(run)
    return run


@pytest.fixture
def machine(request: pytest.FixtureRequest) -> Run:
    """Return a machine that the image has for itself, at its first instruction; it begins at EL2 unless ``el=1``."""
    return _made(request, hosted=False)


@pytest.fixture
def hosted(request: pytest.FixtureRequest) -> Run:
    """Return a machine whose hypervisor is gdbhv, with one VM, at its first instruction."""
    return _made(request, hosted=True)


@pytest.fixture
def vm(hosted: Run) -> Vm:
    """Return the VM of ``hosted``."""
    return cast("HostTarget", hosted.target).host.vms[0]


@pytest.fixture
def gdb(request: pytest.FixtureRequest) -> Iterator[GdbSession]:
    """Start the machine in a process of its own, and stock gdb; the guest stands at its first instruction."""
    from gdbhv.client.launch import launch

    config, el = asked(request)
    if config.image is None:
        raise pytest.UsageError(f"{request.node.nodeid}: the fixture gdb needs an image: @pytest.mark.{MARKER}(image=...)")
    with launch(config.image, *_arguments(config, el)) as session:
        yield session


def _arguments(config: BootConfig, el: int | None) -> list[str]:
    """Return a configuration as options of ``gdbhv run``. :raises pytest.UsageError: a field has none here."""
    options: dict[str, Callable[[Any], str]] = {
        "smp": str,
        "memory": str,
        "initrd": str,
        "append": str,
        "dtb": str,
        "cpu": str,
    }
    options |= {"chaos": str, "ns_per_insn": str, "kernel": str}
    found = [] if el is None else ["--el", str(el)]
    plain = type(config)(image=config.image)
    for f in fields(config):
        value = getattr(config, f.name)
        if value == getattr(plain, f.name):
            continue
        if f.name not in options:
            raise pytest.UsageError(f"the fixture gdb takes {', '.join(options)}, and not {f.name}; use gdbhv.launch")
        found += [f"--{f.name.replace('_', '-')}", options[f.name](value)]
    return found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Count for JUnit's file; of a test that fails, show what its machines have printed, and keep them."""
    runs = item.stash.get(RUNS, []) if call.when == "call" else []
    if runs:
        item.user_properties.append(("instructions", sum(run.instructions for run in runs)))
        item.user_properties.append(("exits", sum(sum(run.exits().values()) for run in runs)))
    report = yield
    if report.failed:
        for run in runs:
            report.sections.append(("console of the machine", run.text or "(nothing was printed)"))
        _keep(item, report, runs)
    return report


def _keep(item: pytest.Item, report: pytest.TestReport, runs: list[Run]) -> None:
    folder: Path | None = item.config.option.gdbhv_bundle
    if folder is None:
        return
    from gdbhv.errors import GdbhvError

    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^\w.-]+", "_", item.nodeid)
    for n, run in enumerate(runs):
        path = folder / f"{name}{f'.{n}' if n else ''}.bundle"
        try:
            run.write_bundle(path, f"the test {item.nodeid} failed")
            said = f"gdbhv run --replay {path} --gdb 1234"
        except (GdbhvError, OSError) as e:
            said = f"{path} could not be written: {e}"
        report.sections.append(("to look at it again", said))
