"""What every strategy is: a frozen dataclass whose fields are its settings, with a card and a plan. No torch."""

import dataclasses
import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from medtl.errors import BadInput
from medtl.vocabulary import Card, Cohort, Outline, Plan, Source


@dataclass(frozen=True)
class Setting:
    """One field of a strategy as a form draws it. `choices` for kind "choice", else `low` and `high` (inclusive)."""

    name: str
    title: str
    help: str
    default: Any
    kind: Literal["int", "float", "choice"]
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    unit: str = ""


# What is transferred, in the order of the screen.
Family = Literal["frozen", "adapts", "more", "control"]
FAMILIES: dict[Family, str] = {
    "frozen": "The source stays as it is",
    "adapts": "The source adapts to your images",
    "more": "With more than labelled images of one question",
    "control": "Nothing transferred",
}


class Strategy(ABC):
    """How a source is transferred: a plan, not a loop. Subclasses are frozen dataclasses, one file each."""

    card: ClassVar[Card]
    id: ClassVar[str]
    family: ClassVar[Family]
    asks: ClassVar[tuple[Literal["unlabelled", "teacher"], ...]] = ()  # what else the user must name

    def __init_subclass__(cls) -> None:
        if "card" in cls.__dict__:
            cls.id = cls.card.id

    @abstractmethod
    def plan(self, outline: Outline, classes: int) -> Plan:
        """The steps for a network of this outline and `classes` classes. Changes nothing."""

    def why_not(self, source: Source, cohort: Cohort) -> str | None:
        """Why this strategy cannot be used here, in a sentence; None when it can."""
        return None

    @property
    def forgets_source(self) -> bool:
        """True when nothing of the source but its architecture is used (the control)."""
        return False


def setting(
    default: Any,
    title: str,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    unit: str = "",
) -> Any:
    """A dataclass field that knows its range; the form and the checks are drawn from it."""
    kind = "choice" if choices else ("int" if isinstance(default, int) else "float")
    facts = {"title": title, "help": help, "kind": kind, "low": low, "high": high, "choices": choices, "unit": unit}
    return field(default=default, metadata=facts)


def settings_of(strategy: type[Strategy]) -> tuple[Setting, ...]:
    """The settings of a strategy class: first those it states itself, in their order, then those it inherits."""
    own = list(inspect.get_annotations(strategy))
    fields = sorted(
        dataclasses.fields(strategy),  # type: ignore[arg-type]
        key=lambda f: own.index(f.name) if f.name in own else len(own),
    )
    return tuple(Setting(name=f.name, default=f.default, **f.metadata) for f in fields)


def make(strategy: type[Strategy], settings: Mapping[str, Any]) -> Strategy:
    """A strategy with these settings; the others keep their defaults. Text is read as the field's kind.

    Raises BadInput for an unknown name or a value outside its range.
    """
    known = {s.name: s for s in settings_of(strategy)}
    values = {}
    for name, value in settings.items():
        if name not in known:
            have = ", ".join(known) or "none"
            raise BadInput(f"'{strategy.card.title}' has no setting called '{name}'.", f"Its settings: {have}.")
        values[name] = _checked(known[name], value)
    return strategy(**values)


def _checked(setting: Setting, value: Any) -> Any:
    if setting.kind == "choice":
        if value not in setting.choices:
            raise BadInput(f"{setting.title}: '{value}' is not a choice.", f"Choose from {', '.join(setting.choices)}.")
        return value
    wanted = "a whole number" if setting.kind == "int" else "a number"
    try:
        number = float(value)
        if setting.kind == "int" and number != int(number):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise BadInput(f"{setting.title}: '{value}' is not {wanted}.", f"Give {wanted}.") from None
    low, high = setting.low, setting.high
    if (low is not None and not number >= low) or (high is not None and not number <= high):
        raise BadInput(f"{setting.title}: {value} is out of range.", f"Give {wanted} from {low:g} to {high:g}.")
    return int(number) if setting.kind == "int" else number
