"""Ranking from pictures to a sentence: measured once, kept, never by sources that have seen the images."""

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medtl import rank, start
from medtl.cohorts import library as cohorts
from medtl.cohorts.pixels import Pixels
from medtl.errors import NotReady
from medtl.rank import Ranking, measuring
from medtl.runs import store
from medtl.sources import cards
from medtl.sources import library as sources
from medtl.transferability import seen, statistics
from medtl.vocabulary import Cohort
from medtl.workspace import Workspace, write_whole
from tests import builders
from tests.conftest import Practice


@dataclasses.dataclass(frozen=True)
class Ranked:
    ws: Workspace
    cohort: Cohort
    one: str
    other: str
    found: Ranking
    told: list[tuple[int, int]]
    kept: str  # the file as it was first written


@pytest.fixture(scope="module")
def ranked(tmp_path_factory: pytest.TempPathFactory) -> Ranked:
    place = tmp_path_factory.mktemp("ranked")
    ws = Workspace(place / "home").ensure()
    cohort = builders.add_cohort(ws, place / "brought")
    one = builders.add_source(ws, place / "one", "First source")
    other = builders.add_source(ws, place / "other", "Second source")
    blur_sight(ws, other)
    told: list[tuple[int, int]] = []
    found = rank.run(ws, cohort.id, [one, other], on_progress=lambda done, total: told.append((done, total)))
    return Ranked(ws, cohort, one, other, found, told, (ws.cohort(cohort.id) / rank.FILE).read_text())


def blur_sight(ws: Workspace, id: str) -> None:
    """Make a source that sees nothing but the mean of a picture: its input is one great blur of 32 px."""
    source = sources.sources(ws)[id]
    spec = dataclasses.replace(source.input, size=32, std=(50.0, 50.0, 50.0))
    cards.write(ws.source(id), dataclasses.replace(source, input=spec))


def again(of: Ranked, **more: Any) -> Ranking:
    """As if nothing had been measured since the first time."""
    write_whole(of.ws.cohort(of.cohort.id) / rank.FILE, of.kept)
    return rank.run(of.ws, of.cohort.id, [of.one, of.other], **more)


# ---- what is measured -----------------------------------------------------------------------------------------------


def test_every_source_has_a_score_with_its_interval_and_the_best_comes_first(ranked: Ranked) -> None:
    scores = [row.score for row in ranked.found.rows]
    assert len(scores) == 2 and all(scores)
    assert [s.value for s in scores if s] == sorted((s.value for s in scores if s), reverse=True)
    for score in scores:
        assert score is not None and score.low <= score.value <= score.high
        assert score.n == ranked.found.cases == len(ranked.cohort.split.train)
        assert "out of fold, 5 folds" in score.how and "by patient" in score.how
    assert ranked.found.recommended == ranked.found.rows[0].source
    for row in ranked.found.rows:
        assert row.logme is not None and row.h_score is not None
        assert row.seconds and row.per_case and row.seen == 0
    assert ranked.found.control is not None and ranked.found.rows[0].over_none is not None


def test_the_advice_is_a_sentence_with_the_title_the_number_and_the_interval(ranked: Ranked) -> None:
    best = ranked.found.rows[0]
    assert best.score is not None
    assert ranked.found.says.startswith(f"Take '{best.title}'") and ranked.found.says.endswith(".")
    assert f"{best.score.value:.2f} ({best.score.low:.2f} to {best.score.high:.2f})" in ranked.found.says


def test_progress_counts_the_cases_of_all_sources(ranked: Ranked) -> None:
    done = [one for one, _ in ranked.told]
    assert done == sorted(done) and {total for _, total in ranked.told} == {2 * ranked.found.cases}
    assert done[-1] == 2 * ranked.found.cases


def test_it_is_kept_beside_the_cohort_and_read_again_whole(ranked: Ranked) -> None:
    again(ranked)
    kept = rank.load(ranked.ws, ranked.cohort.id)
    assert kept is not None and [row.score for row in kept.rows] == [row.score for row in ranked.found.rows]
    shown = rank.load_map(ranked.ws, ranked.cohort.id)
    assert set(shown) == {"cases", ranked.one, ranked.other}
    assert shown[ranked.one].shape == (len(shown["cases"]), 2) == (ranked.found.cases, 2)
    assert set(shown["cases"]) == set(ranked.cohort.split.train)


def test_a_damaged_answer_is_none(ranked: Ranked, tmp_path: Path) -> None:
    file = ranked.ws.cohort(ranked.cohort.id) / rank.FILE
    before = file.read_text()
    for damage in ("", "{}", "[]", before[: len(before) // 2]):
        write_whole(file, damage)
        assert rank.load(ranked.ws, ranked.cohort.id) is None
    write_whole(file, before)
    assert rank.load_map(Workspace(tmp_path), "nothing") == {}


# ---- what costs no second look --------------------------------------------------------------------------------------


def test_a_second_time_nothing_is_looked_at_and_torch_is_not_loaded(ranked: Ranked) -> None:
    code = (
        "import sys\nfrom medtl import rank\nfrom medtl.workspace import Workspace\n"
        f"found = rank.run(Workspace({str(ranked.ws.home)!r}), {ranked.cohort.id!r}, {[ranked.one, ranked.other]!r})\n"
        "assert found.computed == 0 and found.forward == 0, found\n"
        "assert 'torch' not in sys.modules\n"
        "assert all(row.seconds and row.per_case for row in found.rows), 'what was measured before is still told'\n"
    )
    answer = builders.python(code)
    assert answer.returncode == 0, answer.stderr[-2000:]


def test_after_a_relabel_only_the_scores_are_worked_out_anew(ranked: Ranked) -> None:
    case = next(case for case in ranked.cohort.cases if case.id in ranked.cohort.split.train)
    label = next(label for label in ranked.cohort.classes if label != case.label)
    edited = cohorts.edit(ranked.ws, ranked.cohort.id, relabel={case.id: label})
    found = rank.run(ranked.ws, edited.id, [ranked.one, ranked.other])
    assert found.computed == 0 and found.cohort == edited.id
    assert {row.source: row.logme for row in found.rows} != {row.source: row.logme for row in ranked.found.rows}
    assert all(row.seconds for row in found.rows), "costs come from the version before"


def test_the_same_cohort_gives_the_same_ranking(ranked: Ranked) -> None:
    one, two = again(ranked), again(ranked)
    assert [(row.source, row.score, row.loss) for row in one.rows] == [(r.source, r.score, r.loss) for r in two.rows]


def test_no_more_cases_than_asked_for_are_looked_at_and_it_is_said(ranked: Ranked) -> None:
    found = again(ranked, most=20)
    assert found.cases == 20 and found.of == len(ranked.cohort.split.train)
    assert any("20 of" in note for note in found.notes)
    again(ranked)


# ---- distance, overlap, the source's own answers --------------------------------------------------------------------


@pytest.fixture
def third(ranked: Ranked, tmp_path: Path) -> Iterator[str]:
    """A source that is there for one test only."""
    id = builders.add_source(ranked.ws, tmp_path / "third", f"Third source of {tmp_path.name}")
    yield id
    shutil.rmtree(ranked.ws.source(id))
    again(ranked)


def test_a_source_that_has_seen_the_images_is_told_and_not_recommended(ranked: Ranked, third: str) -> None:
    ids = [case.id for case in ranked.cohort.cases]
    seen.save(ranked.ws.source(third), seen.fingerprints(Pixels(ranked.ws.cohort(ranked.cohort.id)).thumbnails(ids)))
    found = rank.run(ranked.ws, ranked.cohort.id, [ranked.other, third])
    row = found.row(third)
    assert row is not None and row.seen == len(ids) and f"{len(ids)} of your" in row.says
    assert row.score is not None and found.recommended in (ranked.one, ranked.other)


def test_the_distance_to_what_a_source_learned_from_is_told_where_it_is_known(ranked: Ranked, third: str) -> None:
    from medtl.modalities.image import keys
    from medtl.training.features import FeatureCache

    rank.run(ranked.ws, ranked.cohort.id, [third])
    source = sources.sources(ranked.ws)[third]
    cache = FeatureCache(ranked.ws.features, source.sha256, source.input)
    known = cache.load(keys(Pixels(ranked.ws.cohort(ranked.cohort.id)), ranked.cohort))
    learned = statistics.learn(np.stack(list(known.values())))
    assert learned is not None
    statistics.save(ranked.ws.source(third), [learned])
    near = rank.run(ranked.ws, ranked.cohort.id, [third]).row(third)
    moved = dataclasses.replace(learned, mean=learned.mean + 10 * learned.total**0.5)
    statistics.save(ranked.ws.source(third), [moved])
    far = rank.run(ranked.ws, ranked.cohort.id, [third]).row(third)
    assert near and far and near.distance is not None and far.distance is not None and near.distance < far.distance
    assert (near.nearness, far.nearness) == ("close", "far")
    assert ranked.found.rows[0].distance is None and ranked.found.rows[0].nearness == ""


def test_a_source_with_a_head_gives_its_own_answers(ranked: Ranked, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    from medtl.sources.image_nets import build
    from medtl.sources.importing import add_file
    from medtl.sources.weights import weights_of

    save_file(weights_of(build("mobilenet_v3_small", 4)), tmp_path / "headed.safetensors")
    made, _ = add_file(ranked.ws, tmp_path / "headed.safetensors", "mobilenet_v3_small", f"Headed {tmp_path.name}")
    row = rank.run(ranked.ws, ranked.cohort.id, [made.id]).row(made.id)
    again(ranked)
    assert row is not None and row.leep is not None and row.leep <= 0 and row.nce is not None and row.nce <= 0


def test_a_run_of_another_cohort_is_told_apart_from_this_one(practice: Practice, tmp_path: Path) -> None:
    """The same kind of pictures can hardly be told apart; on its own cohort the question is not asked."""
    other = builders.add_cohort(practice.ws, tmp_path / "brought", seed_of_pictures=7)
    row = rank.run(practice.ws, other.id, [practice.run]).rows[0]
    assert row.told_apart is not None and 0 <= row.told_apart < 0.8
    assert row.nearness == "close" and row.seen == 0
    own = rank.run(practice.ws, practice.cohort.id, [practice.run])
    assert own.rows[0].told_apart is None and own.rows[0].seen > 0 and own.recommended == ""
    assert "trained on images of this cohort" in own.says


# ---- what cannot be ranked ------------------------------------------------------------------------------------------


def test_without_two_classes_or_with_several_findings_it_is_said_what_is_missing(ranked: Ranked) -> None:
    several = dataclasses.replace(ranked.cohort, task="multi-label")
    with pytest.raises(NotReady, match="one"):
        measuring.Measuring(ranked.ws, several, 100, None)
    one = dataclasses.replace(
        ranked.cohort, cases=tuple(dataclasses.replace(case, label="benign") for case in ranked.cohort.cases)
    )
    with pytest.raises(NotReady, match="fewer than two classes"):
        measuring.Measuring(ranked.ws, one, 100, None)


def test_a_source_that_cannot_be_used_is_refused_when_named(ranked: Ranked, third: str) -> None:
    (ranked.ws.source(third) / cards.WEIGHTS).unlink()
    with pytest.raises(NotReady, match="cannot be used"):
        rank.run(ranked.ws, ranked.cohort.id, [third])


def test_a_source_that_fails_does_not_hide_the_others(ranked: Ranked, third: str) -> None:
    source = sources.sources(ranked.ws)[third]
    cards.write(ranked.ws.source(third), dataclasses.replace(source, sha256="0" * 64))
    found = rank.run(ranked.ws, ranked.cohort.id, [ranked.one, third])
    assert found.recommended in (ranked.one, ranked.other)
    failed = found.row(third)
    assert failed is not None and failed.score is None and "hash" in failed.says


def test_where_labels_are_chance_no_transfer_is_an_honest_choice(tmp_path: Path) -> None:
    ws = Workspace(tmp_path / "home").ensure()
    cohort = builders.add_cohort(ws, tmp_path / "brought")
    rng = np.random.default_rng(0)
    shuffled = {case.id: cohort.classes[k] for case, k in zip(cohort.cases, rng.permutation(60) % 2, strict=True)}
    changes = {case.id: shuffled[case.id] for case in cohort.cases if shuffled[case.id] != case.label}
    edited = cohorts.edit(ws, cohort.id, relabel=changes)
    found = rank.run(ws, edited.id, [builders.add_source(ws, tmp_path / "one")])
    assert found.helps != "helps" and "no transfer is an honest choice" in found.says


# ---- what is done with it -------------------------------------------------------------------------------------------


def test_what_was_measured_is_recommended_and_recorded_with_what_was_chosen(ranked: Ranked) -> None:
    again(ranked)
    best = ranked.found.recommended
    advice = rank.recommended(ranked.ws, ranked.cohort, sources.sources(ranked.ws))
    assert advice.source == best and advice.says_source == ranked.found.says and "measured" in advice.basis
    other = ranked.other if best == ranked.one else ranked.one
    run = start.start(ranked.ws, ranked.cohort.id, other, "linear-probe", launch=False)
    recipe = store.recipe(store.folder(ranked.ws, run))
    assert recipe.source == other
    assert recipe.advised == {"source": best, "strategy": advice.strategy, "basis": advice.basis}
    auto = start.start(ranked.ws, ranked.cohort.id, "auto", "auto", launch=False)
    assert store.recipe(store.folder(ranked.ws, auto)).source == best


def test_a_recommended_source_that_is_gone_is_no_longer_recommended(ranked: Ranked) -> None:
    left = [source for source in sources.sources(ranked.ws) if source.id != ranked.found.recommended]
    advice = rank.recommended(ranked.ws, ranked.cohort, left)
    assert advice.source != ranked.found.recommended and advice.basis == "by its card"


def test_the_race_trains_the_best_and_names_a_leader(ranked: Ranked, capsys: pytest.CaptureFixture[str]) -> None:
    assert "1, 2 and 4 short epochs" in rank.race_says(ranked.ws, ranked.cohort.id)
    found = again(ranked, with_race=True)
    assert found.fine_tune in (ranked.one, ranked.other) and "led after 4 short epochs" in found.says_race
    laps = {row.source: [epochs for epochs, _ in row.laps] for row in found.rows}
    assert laps[found.fine_tune] == [1, 2, 4]
    assert sorted(map(len, laps.values())) == [1, 3]
    again(ranked)


def test_the_command_prints_one_object_best_first(ranked: Ranked, capsys: pytest.CaptureFixture[str]) -> None:
    from medtl.cli import main

    again(ranked)
    code = main(["rank", ranked.cohort.id, "--source", ranked.one, "--source", ranked.other, "--json", "--home",
                 str(ranked.ws.home)])  # fmt: skip
    said = json.loads(capsys.readouterr().out)
    assert code == 0 and said["id"] == ranked.cohort.id
    first = said["sources"][0]
    assert {"id", "available", "score", "low", "high", "logme", "distance", "says"} <= set(first)
    assert first["id"] == ranked.found.recommended and first["low"] <= first["score"] <= first["high"]
    others = [row for row in said["sources"] if row["id"] not in (ranked.one, ranked.other)]
    assert others and all(row["score"] is None for row in others)


def test_without_json_the_sentence_is_whole_and_only_what_was_measured_is_listed(
    ranked: Ranked, capsys: pytest.CaptureFixture[str]
) -> None:
    from medtl.cli import main

    found = again(ranked)
    assert main(["rank", ranked.cohort.id, "--home", str(ranked.ws.home)]) == 0
    said = capsys.readouterr().out.splitlines()
    now = rank.load(ranked.ws, ranked.cohort.id)
    assert now is not None and said[0] == now.says
    assert any(line.startswith(f"  {now.recommended} ") and "recommended" in line for line in said)
    assert any(line.startswith("  no transfer ") for line in said) and len(said) < 20
    assert found.control == now.control


def test_a_sample_holds_whole_groups_and_does_not_depend_on_the_order() -> None:
    groups, labels = np.arange(100) // 4, np.zeros(100, np.int64)
    ids = [f"case-{n}" for n in range(100)]
    found = measuring._drawn(np.arange(100), groups, labels, ids, 30)
    assert 26 < len(found) <= 30
    assert all((groups == group).sum() == (groups[found] == group).sum() for group in np.unique(groups[found]))
    assert np.array_equal(found, measuring._drawn(np.arange(100)[::-1], groups, labels, ids, 30))


@pytest.mark.parametrize("rare", [5, 50, 3000])
def test_a_rare_class_is_not_thinned_away(rare: int) -> None:
    labels = np.zeros(12_000, np.int64)
    labels[:rare] = 1
    found = measuring._drawn(np.arange(12_000), np.arange(12_000), labels, [str(n) for n in range(12_000)], 600)
    assert len(found) == 600 and (labels[found] == 1).sum() >= min(rare, 150)
    assert (labels[found] == 0).sum() >= 150


def test_a_class_of_one_patient_is_left_out_and_named(ranked: Ranked) -> None:
    """Of three classes one is one patient's: the others are ranked all the same."""
    cases = tuple(
        dataclasses.replace(case, label="third", patient="p-third") if n % 6 == 0 else case
        for n, case in enumerate(ranked.cohort.cases)
    )
    three = dataclasses.replace(ranked.cohort, cases=cases, classes=(*ranked.cohort.classes, "third"), positive=None)
    made = measuring.Measuring(ranked.ws, three, 600, None)
    assert made.classes == list(ranked.cohort.classes)
    assert any("'third'" in note for note in made.notes)


def test_what_was_measured_before_is_ranked_along_and_a_race_is_not_forgotten(ranked: Ranked) -> None:
    before = again(ranked)
    file = ranked.ws.cohort(ranked.cohort.id) / rank.FILE
    kept = json.loads(file.read_text())
    kept["says_race"], kept["fine_tune"], kept["rows"][0]["laps"] = "It led.", ranked.one, [[1, 0.9]]
    write_whole(file, json.dumps(kept))
    found = rank.run(ranked.ws, ranked.cohort.id, [before.rows[1].source])
    assert [row.source for row in found.rows] == [row.source for row in before.rows]
    assert found.says_race == "It led." and found.rows[0].laps == ((1, 0.9),) and found.computed == 0


def test_another_file_under_the_same_title_counts_as_not_measured(ranked: Ranked) -> None:
    before = again(ranked)
    source = sources.sources(ranked.ws)[before.recommended]
    cards.write(ranked.ws.source(source.id), dataclasses.replace(source, sha256="1" * 64))
    found = rank.load(ranked.ws, ranked.cohort.id)
    assert found is not None and found.row(source.id) is None and found.recommended == ""
    assert rank.recommended(ranked.ws, ranked.cohort, sources.sources(ranked.ws)).basis == "by its card"
    cards.write(ranked.ws.source(source.id), source)


def test_one_source_that_fails_in_a_way_of_its_own_is_told(ranked: Ranked, monkeypatch: pytest.MonkeyPatch) -> None:
    show = measuring.Measuring._look

    def look(self: Any, source: Any, progress: Any) -> Any:
        row, features = show(self, source, progress)
        return row, features * np.nan if source.id == ranked.other else features

    monkeypatch.setattr(measuring.Measuring, "_look", look)
    found = again(ranked)
    failed = found.row(ranked.other)
    assert failed is not None and failed.score is None and "numbers that are none" in failed.says
    assert found.recommended == ranked.one
    monkeypatch.undo()
    again(ranked)


def test_a_version_whose_test_part_was_measured_on_gets_no_old_advice(ranked: Ranked) -> None:
    again(ranked)
    split = ranked.cohort.split
    turned = dataclasses.replace(split, train=split.test, test=split.train)
    later = dataclasses.replace(ranked.cohort, id="later-one", parent=ranked.cohort.id, split=turned)
    same = dataclasses.replace(later, split=split)
    assert rank.nearest(ranked.ws, later) is None and rank.nearest(ranked.ws, same) is not None
