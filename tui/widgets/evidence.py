"""Evidence in figures and words: bars, trends, and the text that is copied."""

from collections.abc import Sequence

from textual.content import Content

from checklist.glyphs import glyphs
from checklist.language import gettext as _
from checklist.reports.comparison import MOVED
from checklist.reports.status_report import ItemReport
from checklist.reports.text import advice, check_line, checked, figure
from checklist.reports.text import hint as hint_lines
from checklist.reports.trend import Trend
from checklist.reports.view import number
from probes.clean import strip
from probes.figures import span
from probes.outcome import Check, Verdict
from tui.words import VERDICT_STYLE, outside

HEADING = "bold $text-primary"
MUTED = "$foreground-muted"

CELLS = 10
"""Cells of a bar in a line of evidence."""

AT = 0.7
"""Where the limit stands in a bar, as a share of it: the rest is for what goes beyond."""

FEWEST = 3
"""Points that make a trend: two are a change."""


def bar(check: Check, cells: int = CELLS) -> Content | None:
    """Draw a figure against its limit, which stands at the same place in every bar.

    What goes beyond the limit goes beyond its mark, however little. A limit may be the most or the least
    there is to be, so the mark says whether that is bad: unless it passes, it is the glyph of the verdict.

    Returns:
        The bar; None where there is no figure, no limit, or one of 0 or less, which is no length.
    """
    observed, limit = number(check.observed), number(check.limit)
    if observed is None or limit is None or limit <= 0:
        return None
    mark = int(cells * AT)
    most = cells - mark - 1
    if observed > limit:
        before, beyond = mark, max(1, int(min((observed / limit - 1) * mark, most)))
    else:
        share = max(0.0, observed / limit)
        # What is short of the limit is visibly short of it.
        before = mark if observed == limit else min(int(share * mark) or int(observed > 0), max(0, mark - 1))
        beyond = 0
    glyph, style = glyphs(), VERDICT_STYLE[check.verdict]
    return Content.assemble(
        (glyph.full * before, style),
        (glyph.rest * (mark - before), MUTED),
        (glyph.mark if check.verdict is Verdict.PASS else glyph.verdicts[check.verdict], f"bold {style}"),
        (glyph.full * beyond, style),
        (glyph.rest * (most - beyond), MUTED),
    )


def sparkline(trend: Trend, limit: float | None = None) -> str:
    """Draw a trend, a cell a point; nothing if it has too few.

    Less than the share of the limit, or else of the figure, from which on a movement is told fills no height:
    noise does not look like a storm.
    """
    if len(trend) < FEWEST:
        return ""
    values = [point.value for point in trend]
    low, high = min(values), max(values)
    heights = glyphs().heights
    # Halved, as the way from the least to the most figure there may be is no figure any more.
    room = max(high / 2 - low / 2, MOVED / 2 * abs(high if limit is None else limit))
    steps = [int((value / 2 - low / 2) / room * (len(heights) - 1) + 0.5) if room else 0 for value in values]
    return "".join(heights[step] for step in steps)


def figures(check: Check) -> Content | None:
    """Say what was observed, against its limit."""
    if check.observed is None:
        return None
    observed = outside(figure(check.observed, check.unit)).stylize(VERDICT_STYLE[check.verdict])
    if check.limit is None:
        return observed
    limit = outside(figure(check.limit, check.unit)).stylize(MUTED)
    least = f"{glyphs().least} " if _is_least(check) else ""
    return Content.assemble(observed, (f" / {least}", MUTED), limit)


def _is_least(check: Check) -> bool:
    """Tell whether a limit is the least there is to be, as its verdict shows: more passes, or less fails."""
    observed, limit = number(check.observed), number(check.limit)
    if observed is None or limit is None:
        return False
    return (observed > limit and check.verdict is Verdict.PASS) or (
        observed < limit and check.verdict is Verdict.FAIL
    )


def line(
    check: Check, trend: Trend, width: int, told: str = "", advised: str = ""
) -> list[tuple[int, Content]]:
    """Draw one line of evidence: name, observed against its limit, bar, trend, message and hint.

    Args:
        check: What was found.
        trend: Its figure over time.
        width: Cells there are.
        told: What is said above already: it is not said again.
        advised: The hint that stands above already; likewise.
    """
    style = VERDICT_STYLE[check.verdict]
    head = Content.styled(f"{glyphs().verdicts[check.verdict]} ", style) + outside(check.name).stylize("bold")
    said = [part for part in (head, figures(check)) if part]
    shape = sparkline(trend, number(check.limit))
    tone = MUTED if check.verdict is Verdict.PASS else style
    drawn = [bar(check, min(CELLS, max(4, width - 2))), Content.styled(shape, tone) if shape else None]
    shapes = [part for part in drawn if part]
    lines = beside([*said, *shapes], width)
    if len(lines) > 1 and shapes:
        lines = beside(said, width) + [(2, part) for _indent, part in beside(shapes, width - 2)]
    # Of a figure that is as it should be, the message says nothing more.
    silent = check.verdict is Verdict.PASS and check.observed is not None
    if check.message and not silent and check.message not in told:
        message = outside(check.message)
        lines.append((2, message.stylize(MUTED) if check.verdict is Verdict.PASS else message))
    if check.hint and check.hint != advised:
        lines.append((2, hint(check.hint)))
    return lines


def beside(parts: Sequence[Content], width: int) -> list[tuple[int, Content]]:
    """Put parts side by side, and where one has no room any more on the next line."""
    lines = [(0, parts[0])]
    for part in parts[1:]:
        indent, before = lines[-1]
        if indent + before.cell_length + 2 + part.cell_length <= width:
            lines[-1] = (indent, before + Content("  ") + part)
        else:
            lines.append((2, part))
    return lines


def hint(words: str) -> Content:
    """Say what to do next."""
    return Content.styled(f"{glyphs().arrow} ", HEADING) + outside(words).stylize("bold")


def repair(command: str) -> Content:
    """Show the command that usually repairs it, as it is typed."""
    return Content.styled("$ ", HEADING) + outside(command).stylize("bold")


def took(seconds: float) -> str:
    """Say how long a run took."""
    if seconds < 1:
        return _("took {milliseconds} ms").format(milliseconds=round(seconds * 1000))
    return _("took {time}").format(time=span(seconds))


def copied(item: ItemReport, check: Check | None = None) -> str:
    """Return the evidence of an item, or one line of it, as plain text that no terminal obeys.

    It is what `gonogo check` prints; what repairs the item follows, unless that may be done already.
    """
    if check is None:
        text = checked([item], item.run or "")
        lines = [*text.splitlines(), *(f"  {line}" for line in hint_lines(item.repair) if advice(item))]
    else:
        head = f"{glyphs().verdicts[check.verdict]} {item.id}: {check_line(check)}"
        lines = [head, *(f"  {line}" for line in hint_lines(check.hint))]
    # A tab typed into a shell is a key, and so is the end of a line.
    return "".join(" ".join(strip(line).replace("\t", " ").splitlines()) + "\n" for line in lines)
