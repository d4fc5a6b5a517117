"""The model's walker against a second one, written from the Arm ARM (D8) alone: a million walks of random tables
of both stages.

Model and tests look at the same memory and the same values of TCR, TTBR, VTCR, VTTBR, HCR, SCTLR and MAIR, and must
agree in all that a walk tells: every descriptor in order, address, permissions, memory type, or fault with its status
code, stage, S1PTW and IPA. A share of the addresses is then used: by AT (PAR_EL1), loads, stores and fetches (ESR,
FAR, HPFAR, what hardware writes into descriptors).

The seeds are fixed. ``GDBHV_WALKS`` is the number of walks of the whole (default: a million) and ``GDBHV_WALKS_SEED``
chooses others. A difference is told as a program that shows it. The work is done by two processes.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor

import pytest

from walks import native
from walks.generate import Shape
from walks.job import Job, Report, run

WALKS = int(os.environ.get("GDBHV_WALKS", "1000000"))
SEED = int(os.environ.get("GDBHV_WALKS_SEED", "0"))


def shapes(cpu: str) -> list[Shape]:
    core = native.core(cpu)
    granules = (12, 14, 16) if cpu == "max" else (12, 16)  # a Cortex-A57 has no 16 KiB
    sizes = iter((40, 36, 48, 31, 44, 26, 52) * 100 if cpu == "max" else (40, 36, 44, 31) * 100)
    return [
        Shape(one, two, ds, min(next(sizes), core.pa_max(two or 12, ds)))
        for ds in ((False, True) if core.has("LPA2") else (False,))
        for one in granules
        for two in (0, *granules)
        if not ds or {one, two} & {12, 14}
    ]


def jobs() -> list[Job]:
    chosen = [
        (cpu, shape, seed)
        for cpu, seeds in (("max", 5), ("cortex-a57", 2))
        for shape in shapes(cpu)
        for seed in range(seeds)
    ]
    return [Job(cpu, shape, SEED + seed, -(-WALKS // len(chosen))) for cpu, shape, seed in chosen]


def end_with_the_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent and multiprocessing.connection.wait([parent.sentinel]):
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@pytest.fixture(scope="module")
def farm(request: pytest.FixtureRequest) -> Iterator[dict[Job, Future[Report]]]:
    """All selected jobs, under way in two processes."""
    calls = [getattr(item, "callspec", None) for item in request.session.items]
    selected = [call.params["job"] for call in calls if call and isinstance(call.params.get("job"), Job)]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1), spawn, initializer=end_with_the_parent) as pool:
        try:
            yield {job: pool.submit(run, job) for job in selected}
        finally:
            pool.shutdown(cancel_futures=True)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("job", jobs(), ids=str)
def test_walks(job: Job, farm: dict[Job, Future[Report]]) -> None:
    report = farm[job].result()
    assert not report.differences, f"{report.differences} of {report.walks} walks differ, the first:\n" + "\n".join(
        report.shown
    )
    assert report.walks >= job.walks
    if WALKS < 1_000_000:
        return
    assert report.verdicts["ok"] > report.walks // 50
    assert sum(n > 5 for n in report.verdicts.values()) > 8, report.verdicts
    assert min(report.executed[what] for what in ("fetch", "load", "store", "AT")) > 5, report.executed


def test_nothing_is_left_out(farm: dict[Job, Future[Report]]) -> None:
    """Every fault of every level and stage was met, and every kind of access."""
    if len(farm) < len(jobs()) or WALKS < 1_000_000 or SEED:
        pytest.skip("only with all of them and the seeds that were looked at")
    met: Counter[str] = Counter()
    for done in farm.values():
        met += done.result().verdicts
    s1 = {f"{fsc:#04x} stage 1" for kind in (0x00, 0x04, 0x14) for fsc in range(kind, kind + 4)}
    s1 |= {f"{fsc:#04x} stage 1" for kind in (0x08, 0x0C) for fsc in range(kind + 1, kind + 4)}
    s2 = {name.replace("stage 1", "stage 2") for name in s1} | {name.replace("stage 1", "stage 2 s1ptw") for name in s1}
    assert s1 | s2 <= set(met), sorted((s1 | s2) - set(met))
