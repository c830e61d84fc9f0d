"""The top of the page Trust: the verdict, what must be read before any number, and six lights that lead to their
evidence. A state is an icon and a word, never a colour alone.
"""

from collections.abc import Collection, Mapping

import streamlit as st

from medtl.errors import NotReady
from medtl.runs import choices
from medtl.runs.results import Result
from medtl.trust import lights
from medtl.trust.lights import Light, State
from medtl.trust.values import Judgement
from medtl.vocabulary import Cohort
from pages.ui import shelf, show
from pages.ui.escape import md

LOOK: dict[State, tuple[str, str]] = {
    "holds": ("green", "check_circle"),
    "with care": ("orange", "warning"),
    "does not hold": ("red", "cancel"),
    "not known": ("gray", "help"),
}
ALSO = 6  # more reasons than this nobody reads
ANCHORS = {  # where the evidence for each stands
    "data": "what-it-rests-on",
    "discrimination": "ranking",
    "calibration": "calibration",
    "subgroups": "groups",
    "robustness": "other-images",
    "explanation": "where-it-looked",
}


def judged(run: str) -> Judgement | None:
    """What can be said of the run; None where it has no scored case. That somebody looked is counted once a session."""
    seen: set[str] = st.session_state.setdefault("trust-opened", set())
    if run not in seen:
        seen.add(run)
        choices.opened(shelf.run(run))
    try:
        return shelf.judgement(run)
    except NotReady:
        return None


def says(lit: Mapping[str, Light], result: Result) -> str:
    """The verdict; empty where nothing can be judged."""
    return lights.verdict(tuple(lit.values()), result) if lit else ""


def lit(run: str, result: Result, judgement: Judgement, cohort: Cohort | None) -> dict[str, Light]:
    """The six lights by their names."""
    found = [*cohort.findings] if cohort else []
    if cohort and (deep := shelf.checkup(cohort)):
        found += [one for one in deep.findings if one.code not in cohort.accepted]
    made = lights.lights(
        judgement,
        result,
        cohort,
        open_findings=found,
        tested=tested_on(result.recipe.cohort),
        looked=shelf.attention(run),
    )
    return {one.name: one for one in made}


def tested_on(cohort: str) -> int:
    """How many runs were tested on the same part."""
    return sum(one.cohort == cohort and one.headline is not None for one in shelf.runs())


def row(lit: Mapping[str, Light]) -> None:
    """All six side by side, each a link to its evidence further down; nothing where there is nothing to judge."""
    if not lit:
        st.caption("This run kept no scored test case, so it cannot be judged further.")
        return
    for column, light in zip(st.columns(len(lit), gap="small", wrap=False), lit.values(), strict=True):
        colour, icon = LOOK[light.state]
        with column, st.container(border=True, height="stretch", gap="small"):
            st.markdown(
                f"**[{light.name.capitalize()}](#{ANCHORS[light.name]})**  \n"
                f":{colour}[:material/{icon}: **{light.state}**]  \n:small[{md(light.short)}]"
            )


def section(title: str, name: str, light: Light | None, help: str = "") -> None:
    """The heading of the evidence for the light `name`: why it stands as it does, and behind the mark by which rule."""
    rule = f"How the light is set. {md(light.rule)}" if light else ""
    show.section(title, "  \n\n".join(one for one in (help, rule) if one) or None, ANCHORS[name])
    if light is None:
        return
    colour, icon = LOOK[light.state]
    advice = f" {md(light.advice)}" if light.advice else ""
    st.markdown(f":{colour}[:material/{icon}: **{light.state.capitalize()}.**] {md(light.reason)}{advice}")
    if light.also:
        st.caption(md(" ".join(light.also[:ALSO])))


def caveats(result: Result, said: Collection[str], verdict: str = "") -> None:
    """To be read before any number, and never hidden; `said` are those that stand above already, and louder, and so
    does that nobody knows the patients where the `verdict` says it."""
    every = [one for one in (*result.caveats, result.small_test or "") if one and one not in said]
    left = [one for one in every if not (lights.UNSAID in verdict and one.startswith(lights.UNSAID))]
    if left:
        st.warning("  \n".join(md(one) for one in left), icon=":material/warning:")
