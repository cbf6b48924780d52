"""`--truth` prints the table after the run: state, expected, got."""

import pytest

HEAD = ("probe", "state", "expected", "got")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--truth", action="store_true", help="print the table of truth")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not config.getoption("--truth", default=False):
        return
    reports = [report for found in terminalreporter.stats.values() for report in found]
    facts = [dict(report.user_properties) for report in reports if isinstance(report, pytest.TestReport)]
    rows = sorted({tuple(fact["row"]) for fact in facts if "row" in fact})
    lines = [HEAD, *(row[1:] for row in rows)]
    # A few cells are very long; they must not push all others off the screen.
    widths = [min(40, max(map(len, column))) for column in zip(*lines, strict=True)]
    for line in lines:
        mark = "   " if line is HEAD else "ok " if line[2] == line[3] else "NOT"
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        terminalreporter.write_line(f"{mark} {'  '.join(cells)}".rstrip())
    as_expected = sum(row[3] == row[4] for row in rows)
    terminalreporter.write_line(f"{as_expected} of {len(rows)} rows as expected")
