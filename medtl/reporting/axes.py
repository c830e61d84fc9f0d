"""What drawings share: scales, ticks, keys and the colours of the screen. Knows shapes, and nothing of runs."""

from collections.abc import Callable, Sequence
from math import ceil

from medtl.reporting.document import INK, LINE, QUIET, Box, Path, Shape, Words

# Okabe and Ito's colours in class order, as on the screen: told apart by the colour-blind.
CLASSES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A8A8A", "#B8A500")
ACCENT, WARNING = "#0E8690", "#C77700"
WIDTH = 520.0  # points: a page of A4 between its margins
Scale = Callable[[float], float]
WHOLE = (0.0, 0.25, 0.5, 0.75, 1.0)


def colour(label: str, classes: Sequence[str]) -> str:
    return CLASSES[list(classes).index(label) % len(CLASSES)] if label in classes else QUIET


def scale(start: float, end: float, most: float = 1.0, least: float = 0.0) -> Scale:
    """From a value to a place: `least` lies at `start`, `most` at `end`."""
    return lambda value: start + (value - least) / (most - least) * (end - start)


def ticks(x: Scale, top: float, bottom: float, at: Sequence[float] = WHOLE, form: str = "g") -> list[Shape]:
    """Of the axis below: lines upwards, numbers, and the axis itself."""
    shapes: list[Shape] = []
    for value in at:
        shapes.append(Path(((x(value), top), (x(value), bottom)), LINE, 0.6))
        shapes.append(Words(x(value), bottom + 12, _number(value, form), 8, QUIET, "middle"))
    return [*shapes, Path(((x(at[0]), bottom), (x(at[-1]), bottom)), QUIET, 0.8)]


def steps(low: float, high: float) -> tuple[float, ...]:
    """Three to six round numbers from `low` to `high`."""
    size = next((s for s in (0.01, 0.02, 0.05, 0.1, 0.2) if (high - low) / s <= 5.5), 0.5)
    first = ceil(low / size - 1e-9)
    return tuple(round(k * size, 6) for k in range(first, int(high / size + 1e-9) + 1))


def _number(value: float, form: str) -> str:
    return f"{100 * value:.0f} %" if form == " %" else format(value, form)


def side_ticks(y: Scale, left: float, right: float, at: Sequence[float] = WHOLE, form: str = "g") -> list[Shape]:
    shapes: list[Shape] = []
    for value in at:
        shapes.append(Path(((left, y(value)), (right, y(value))), LINE, 0.6))
        shapes.append(Words(left - 6, y(value) + 3, format(value, form), 8, QUIET, "end"))
    return shapes


def key(x: float, y: float, name: str, ink: str) -> list[Shape]:
    return [Box(x, y - 4, 12, 8, ink), Words(x + 18, y + 3, name, 9)]


def line_key(x: float, y: float, name: str, ink: str = QUIET, dashed: bool = True) -> list[Shape]:
    return [Path(((x, y), (x + 12, y)), ink, 1.2, dashed=dashed), Words(x + 18, y + 3, name, 9)]


def titles(x: float, below: float, bottom_title: str, side: float, middle: float, side_title: str) -> list[Shape]:
    """What the axes mean."""
    return [
        Words(x, below, bottom_title, 9, INK, "middle"),
        Words(side, middle, side_title, 9, INK, "middle", turned=True),
    ]
