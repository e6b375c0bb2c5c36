"""A small curve in the terminal."""

from collections.abc import Sequence

LEVELS = " ▁▂▃▄▅▆▇█"


def chart(points: Sequence[tuple[float, float]], width: int = 64, height: int = 6) -> str:
    """The means of `points` (x, y) over `width` intervals of x, as columns of blocks, with the ends of y.

    What lies above the upper end (a curve falls from far above at its start) is cut: the axis shows the last
    nine tenths of x.
    """
    if len(points) < 2 or points[0][0] == points[-1][0]:
        return ""
    (first, _), (last, _) = points[0], points[-1]
    late = [y for x, y in points if x >= first + 0.1 * (last - first)]
    low, high = min(late), max(late)
    cells: list[list[float]] = [[] for _ in range(width)]
    for x, y in points:
        cells[min(width - 1, int((x - first) / (last - first) * width))].append(y)
    heights: list[float] = []
    for cell in cells:  # an interval without a point has the value of the one before
        mean = sum(cell) / len(cell) if cell else None
        share = heights[-1] if mean is None else min(1.0, (mean - low) / (high - low or 1.0))
        heights.append(share)
    lines = []
    for row in reversed(range(height)):
        label = f"{high:9.4g} " if row == height - 1 else f"{low:9.4g} " if row == 0 else " " * 10
        blocks = (min(8, max(int(row == 0), round((share * height - row) * 8))) for share in heights)
        lines.append(label + "".join(LEVELS[block] for block in blocks))
    return "\n".join([*lines, f"{' ' * 10}{first:<{width // 2},.0f}{last:>{width // 2},.0f}"])
