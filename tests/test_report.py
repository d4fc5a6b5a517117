"""``gdbhv run --report``: a page with pictures. Oracles: the machine's own numbers; a real browser, where there is one."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT
from gdbhv import boot, reporting
from gdbhv.errors import GdbhvError
from gdbhv.machine.machine import Machine

TYPE1 = ROOT / "guests" / "prebuilt" / "type1.elf"
MOST = 6_000_000  # bytes, of which plotly's script is 4.8 million


class Reader(HTMLParser):
    """The tables of a page, its headings, the scripts, and what is fetched from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.headings: list[str] = []
        self.scripts: list[str] = []
        self.pictures: list[str] = []
        self.fetched: list[str] = []
        self._into: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        words = dict(attrs)
        self.fetched += [str(words[k]) for k in ("src", "href") if k in words]
        if words.get("class") == "picture":
            self.pictures.append(str(words["aria-label"]))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        self._into = tag

    def handle_endtag(self, tag: str) -> None:
        self._into = None

    def handle_data(self, data: str) -> None:
        if self._into in ("td", "th"):
            self.tables[-1][-1][-1] += data
        elif self._into in ("h1", "h2", "h3"):
            self.headings.append(data)
        elif self._into == "script":
            self.scripts.append(data)


def figures(page: Reader) -> Iterator[list[dict[str, Any]]]:
    """What each picture is made of."""
    for script in page.scripts:
        for found in re.finditer(r"Plotly\.newPlot\(\s*\"[^\"]+\",\s*(\[)", script):
            yield json.JSONDecoder().raw_decode(script, found.start(1))[0]


def lab() -> Machine:
    machine = boot.bare(boot.BootConfig(image=TYPE1, smp=2))
    machine.core.trace_size = reporting.TRACED
    machine.run_all()
    return machine


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "type1.html"
    path.write_text(reporting.html(reporting.collect(lab(), "type1 <&> its guests")))
    return path


def test_the_page_tells_the_machines_numbers(made: Path) -> None:
    machine = lab()
    text = made.read_text()
    page = Reader(text)
    assert len(text) < MOST
    assert page.fetched == [], "the page needs nothing but itself"
    assert page.headings[0] == "type1 <&> its guests"
    counts = {r["name"]: 0 for r in machine.core.exit_counts() if r["vm"] == 2}
    for r in machine.core.exit_counts():
        if r["vm"] == 2:
            counts[r["name"]] += r["count"]
    vms, top, interrupts, ranges = page.tables[:4]
    assert vms[0] == ["VM", "VMID", "vCPUs", "exits"]
    assert [row[3] for row in vms[1:]] == ["450", "141"]
    assert {row[0].partition(" (")[0]: int(row[1].replace(",", "")) for row in top[1:]} == counts
    assert ["ppi27", "listed", "taken", "2", "42", "43"] in interrupts
    assert ranges[1][:4] == ["0x80000000-0x80002fff", ranges[1][1], "12K", "r-x"]
    assert len(page.pictures) == 8, "four of each VM"
    timeline, bars, *_ = figures(page)
    assert sum(sum(_numbers(t["y"])) for t in timeline) == sum(counts.values())
    assert sorted(_numbers(bars[0]["x"])) == sorted(counts.values())


def _numbers(values: Any) -> list[int]:
    """A list, or what plotly makes of one: base64 of its bytes."""
    if isinstance(values, list):
        return [int(v) for v in values]
    raw, kind = base64.b64decode(values["bdata"]), values["dtype"]
    size = int(kind[1:])
    return [int.from_bytes(raw[n : n + size], "little") for n in range(0, len(raw), size)]


def test_a_run_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "run.html"
    words = ["run", str(TYPE1), "--el", "2", "--smp", "2", "--report", str(path)]
    done = subprocess.run([sys.executable, "-m", "gdbhv", *words], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"gdbhv: {path}: report of the run, {path.stat().st_size:,} bytes" in done.stderr
    assert Reader(path.read_text()).headings[0] == "type1.elf"


def test_a_hosted_guest_and_one_without_vms() -> None:
    target = boot.hosted(boot.BootConfig(image=ROOT / "guests" / "prebuilt" / "exit_zoo.elf", memory=256 << 20))
    target.run_all()
    page = Reader(reporting.html(reporting.collect(target, "zoo")))
    assert page.tables[1][0] == ["exit", "count"]
    assert page.headings.count("Stage 2") == 1
    alone = boot.bare(boot.BootConfig(image=ROOT / "guests" / "prebuilt" / "hello.elf"), el2=False)
    alone.run_all(1000)
    assert "No VM has run." in reporting.html(reporting.collect(alone, "hello"))


def test_without_plotly_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(GdbhvError, match=r"a report needs plotly: pip install 'gdbhv\[report\]'"):
        reporting.check()


def browse(path: Path, *options: str) -> str:
    usual = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1000,3000")
    command = ["chromium", *usual, "--virtual-time-budget=20000", *options, path.as_uri()]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


def test_a_browser_draws_it(made: Path, tmp_path: Path) -> None:
    text = {"light": "rgb(26, 26, 26)", "dark": "rgb(230, 230, 230)"}
    for name, more in (("light", ()), ("dark", ("--blink-settings=preferredColorScheme=0",))):
        drawn = browse(made, "--dump-dom", *more)
        assert 'data-drawn="yes"' in drawn, "all scripts have run to their end"
        assert drawn.count('class="main-svg"') >= 8
        assert ">ppi27<" in drawn
        fills = set(re.findall(r'class="xtick">[^/]*?fill: (rgb\([\d, ]+\))', drawn))
        assert fills == {text[name]}, "the figures are readable on the page's background"
    paper = tmp_path / "paper.pdf"
    browse(made, f"--print-to-pdf={paper}")
    assert paper.read_bytes().startswith(b"%PDF")
