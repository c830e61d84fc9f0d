"""Reporting guidelines as tables, pre-filled: item, what it asks in our own words, what is said, by whom, and where."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal, get_args

from medtl.errors import NotFound
from medtl.reporting import report, saying, statements
from medtl.reporting.content import Facts
from medtl.reporting.document import Document, Section, Table, Text

Name = Literal["claim", "tripod", "stard"]


@dataclass(frozen=True)
class Item:
    """`asks` is our own wording of what the published item means; `topics` are keys of `statements.about`."""

    number: str
    asks: str
    topics: tuple[str, ...]


@dataclass(frozen=True)
class Checklist:
    """`sections` are the published headings with their items. `checked` says against what the items were held."""

    name: Name
    title: str
    citation: str
    checked: str
    sections: tuple[tuple[str, tuple[Item, ...]], ...]

    @property
    def items(self) -> tuple[Item, ...]:
        return tuple(item for _, items in self.sections for item in items)


def named(name: str) -> Checklist:
    from medtl.reporting.checklists import claim, stard, tripod

    known: dict[str, Checklist] = {one.name: one for one in (claim.CHECKLIST, tripod.CHECKLIST, stard.CHECKLIST)}
    if name not in known:
        raise NotFound(f"There is no checklist called '{name[:40]}'.", f"Known: {', '.join(known)}.")
    return known[name]


NAMES: tuple[Name, ...] = ("claim", "tripod", "stard")


def answered(checklist: Checklist, facts: Facts) -> tuple[tuple[Item, statements.Statement], ...]:
    said = statements.about(facts)
    return tuple((item, statements.together(item.topics, said)) for item in checklist.items)


def counts(checklist: Checklist, facts: Facts) -> dict[str, int]:
    """How many items are answered by whom."""
    found = Counter(one.by for _, one in answered(checklist, facts))
    return {by: found[by] for by in get_args(statements.By)}


def make(checklist: Checklist, facts: Facts) -> Document:
    where = report.places(report.make(facts))
    said = statements.about(facts)
    sections = []
    for number, (title, items) in enumerate(checklist.sections, 1):
        rows = []
        for item in items:
            one = statements.together(item.topics, said)
            rows.append((item.number, item.asks, one.text, one.by, where.get(one.place, "")))
        head = ("item", "what it asks", "what is said", "by", "place in the report")
        sections.append(Section(f"part-{number}", title, (Table("", head, tuple(rows), (0.6, 3, 4, 1.2, 1.6)),)))
    summary = ", ".join(f"{n} {by}" for by, n in counts(checklist, facts).items())
    about = Section(
        "about",
        "About this table",
        (
            Text(f"{len(checklist.items)} items: {summary}."),
            Text(f"After {checklist.citation}"),
            Text("The wording is MedTL's own; submit the published form where a journal asks for it."),
            Text(checklist.checked, "quiet"),
        ),
    )
    return Document(
        title=f"{checklist.title}: {facts.recipe.title}",
        subtitle=f"Pre-filled from run {facts.recipe.run}; places are those of its study report",
        sections=(about, *sections),
        foot=saying.research_use(facts),
    )
