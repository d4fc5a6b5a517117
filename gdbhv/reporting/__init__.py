"""A report of a run as one HTML page with pictures: ``gdbhv run --report FILE.html``.

:mod:`~gdbhv.reporting.collect` asks a target for the numbers, :mod:`~gdbhv.reporting.page` makes the page, which needs
plotly (``pip install 'gdbhv[report]'``) and nothing else, then or later: all is in the file.
"""

from gdbhv.reporting.collect import TRACED, Report, VmReport, collect
from gdbhv.reporting.page import check, html

__all__ = ["TRACED", "Report", "VmReport", "check", "collect", "html"]
