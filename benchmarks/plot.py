"""Draw lines over logarithmic axes as SVG, by hand: a benchmark needs no more of a plotting library."""

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 64, 190, 44, 52
# Told apart by whoever does not see colours as most do (Okabe and Ito), and dark enough on white.
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#7A6A00", "#56606B")
APART = 16  # the least distance of two labels


def svg(title: str, x: str, y: str, lines: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Return a picture of lines through points.

    Args:
        title: above it.
        x: what the horizontal axis counts.
        y: what the vertical axis counts.
        lines: the points of each line by its name; all numbers are above 0.
    """
    points = [point for line in lines.values() for point in line]
    across = _Axis([one for one, _ in points], LEFT, WIDTH - RIGHT)
    up = _Axis([other for _, other in points], HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="#222">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="24" font-size="15" font-weight="600">{escape(title)}</text>',
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 12}" text-anchor="middle">{escape(x)}</text>',
        f'<text transform="translate(16 {(TOP + HEIGHT - BOTTOM) / 2:.0f}) rotate(-90)" text-anchor="middle">'
        f"{escape(y)}</text>",
    ]
    for power in across.powers:
        at = across(power)
        parts.append(f'<path d="M{at:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#ddd"/>')
        parts.append(f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{power:,.0f}</text>')
    for power in up.powers:
        at = up(power)
        parts.append(f'<path d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{power:,g}</text>')
    places = _apart({name: up(line[-1][1]) for name, line in lines.items()})
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = "L".join(f"{across(one):.1f} {up(other):.1f}" for one, other in line)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="{3 if number == 0 else 2}"/>')
        parts += [f'<circle cx="{across(one):.1f}" cy="{up(other):.1f}" r="3" fill="{colour}"/>' for one, other in line]
        at = across(line[-1][0]) + 10
        parts.append(f'<text x="{at:.1f}" y="{places[name] + 4:.1f}" fill="{colour}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>", ""])


class _Axis:
    """Where a number stands between two ends, by its logarithm."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        self.powers = [10.0**power for power in range(low, max(high, low + 1) + 1)]
        self._low, self._step, self._start = low, (end - start) / (len(self.powers) - 1), start

    def __call__(self, value: float) -> float:
        return self._start + (math.log10(value) - self._low) * self._step


def _apart(places: Mapping[str, float]) -> dict[str, float]:
    """Move labels down until each can be read."""
    moved: dict[str, float] = {}
    last = -math.inf
    for name, place in sorted(places.items(), key=lambda item: item[1]):
        last = moved[name] = max(place, last + APART)
    return moved
