"""How widgets that lie over one another become one screen, without a letter lost.

Textual cuts each line wherever any widget begins or ends, be it hidden below another one; a wide letter in
front that stands across such a cut becomes two blanks: messages in Korean lost letters.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import cast

from textual._compositor import Compositor  # not exported, and there is no other way to draw otherwise
from textual.geometry import Region
from textual.strip import Strip


class WholeLetters(Compositor):
    """Cuts a line only where one sees a widget begin or end."""

    @property
    def cuts(self) -> list[list[int]]:
        """The cuts of every line."""
        if self._cuts is None:
            width, height = self.size
            cuts = [{0, width} for _ in range(height)]
            above: list[list[tuple[int, int]]] = [[] for _ in range(height)]
            # The foremost first.
            for region, clip in self.visible_widgets.values():
                seen = region.intersection(clip).intersection(self.size.region)
                for y in seen.line_range if seen else ():
                    start, end = seen.column_span
                    cuts[y] |= {x for x in (start, end) if not any(a < x < b for a, b in above[y])}
                    above[y].append((start, end))
            self._cuts = [sorted(line) for line in cuts]
        return self._cuts

    def _render_chops(
        self, crop: Region, is_rendered_line: Callable[[int], bool]
    ) -> Sequence[Mapping[int, Strip]]:
        chops: list[dict[int, Strip | None]] = [dict.fromkeys(line[:-1]) for line in self.cuts]
        for region, clip, strips in self._get_renders(crop):
            seen = region.intersection(clip)
            start, end = seen.column_span
            for y, strip in zip(seen.line_range, strips, strict=False):
                if not is_rendered_line(y):
                    continue
                inside = [x for x in self.cuts[y] if start < x < end]
                pieces = strip.divide([x - start for x in (*inside, end)])
                for x, piece in zip((start, *inside), pieces, strict=False):
                    if x in chops[y] and chops[y][x] is None:
                        chops[y][x] = piece
        return cast("Sequence[Mapping[int, Strip]]", chops)

    def _regions_to_spans(  # type: ignore[override]  # Textual asks an instance for it
        self, regions: Iterable[Region]
    ) -> Iterator[tuple[int, int, int]]:
        """Return what is to be drawn anew, up to the next cut: half a letter cannot be drawn."""
        for y, start, end in super()._regions_to_spans(regions):
            yield y, start, next((x for x in self.cuts[y] if x >= end), end)
