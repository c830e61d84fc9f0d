"""Every task has its papers: of several classes each by itself, of grades each cut point, of findings each of them."""

import pytest

from medtl.evaluation import words
from medtl.reporting import chai, checklists, curves, figures, html, markdown, model_card, report, statements
from medtl.reporting.content import Facts
from tests.reporting.conftest import MadeUp, words_of

MANY = tuple(f"kind {n}" for n in range(14))
TASKS = {
    "three": ("single-label", ("normal", "bacterial", "viral")),
    "fourteen": ("single-label", MANY),
    "grades": ("ordinal", ("0", "1", "2", "3")),
    "findings": ("multi-label", ("oedema", "effusion")),
    "many findings": ("multi-label", MANY[:9]),
}


@pytest.fixture(scope="module", params=TASKS)
def facts(made_up: MadeUp, request: pytest.FixtureRequest) -> Facts:
    return made_up(*TASKS[request.param])


def test_every_question_has_its_numbers_and_its_interval(facts: Facts) -> None:
    text = words_of(html.write(report.make(facts)))
    for one in facts.judgement.views:
        assert one.name in text
        for name in ("sensitivity", "specificity", "lr_positive"):
            found = one.point.get(name)
            assert found is None or words.whole(found) in text, (one.name, name)
    for one in facts.result.estimates:  # accuracy of single findings misleads and is left to the tables of the app
        assert "accuracy[" in one.name or words.value(one).replace("-", "−") in text
    if facts.several:
        assert all(f"{one.threshold.value:.3f}" in text for one in facts.judgement.views if one.threshold)
        assert "Findings" in text and "left out" in text
    else:
        assert "at the threshold" not in text and "Threshold 0." not in text


def test_cards_and_checklists_do_without_a_positive_class(facts: Facts) -> None:
    assert facts.positive is None
    card = markdown.write(model_card.make(facts))
    assert " None" not in card and len(chai.write(facts)) > 5000
    assert facts.several or "Threshold" not in card.replace("Results and threshold", "")
    ids = {section.id for section in report.make(facts).sections}
    for name in checklists.NAMES:
        assert " None " not in markdown.write(checklists.make(checklists.named(name), facts))
        for item, one in checklists.answered(checklists.named(name), facts):
            assert one.place in ids or not one.place, item


def test_several_findings_are_not_taken_for_classes(facts: Facts) -> None:
    said = statements.about(facts)
    assert ("findings" in said["technique"].text) == facts.several == ("on their own" in model_card.output(facts))
    assert not facts.several or (not facts.two and facts.result.confusion is None)


def test_groups_say_how_many_were_looked_at_and_which_are_too_few(facts: Facts) -> None:
    text = words_of(html.write(report.make(facts)))
    assert "rows were compared" in text and "sex: female" in text and "scanner: A" in text
    assert any(row.few for one in facts.judgement.subgroups for row in one.rows) == ('class="faint"' in text)


def test_drawings_stay_on_their_page(facts: Facts) -> None:
    views = facts.judgement.views
    drawn = [figures.flow(facts), figures.numbers(facts), figures.confusion(facts), curves.roc(facts), curves.pr(facts)]
    for view in views:
        drawn += [curves.scores(facts, view), curves.decision(view.utility)]
        drawn.append(curves.reliability(view.mended.before, view.mended.after, view.word))
    for one in filter(None, drawn):
        for shape in one.shapes:
            x = [x for x, _ in shape.points] if hasattr(shape, "points") else [shape.x]
            y = [y for _, y in shape.points] if hasattr(shape, "points") else [shape.y]
            assert min(x) >= 0 and max(x) <= one.width and min(y) >= 0 and max(y) <= one.height, shape
