"""A finished run on another cohort: everything frozen, nobody it has learned from, whole or not at all."""

import dataclasses
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from medtl import elsewhere, external, housekeeping
from medtl.cohorts import library as cohorts
from medtl.cohorts.originals import Originals
from medtl.cohorts.pixels import Pixels
from medtl.errors import BadInput, NotFound, NotReady
from medtl.runs import afterwards, results, status, store, wishes
from medtl.vocabulary import Cohort
from medtl.workspace import Workspace
from tests.builders import CPU, Heard, add_several, add_source, frozen_run, work, write_pictures, write_several

PATIENT = r"[pqr]\d+"


@dataclass(frozen=True)
class Bench:
    ws: Workspace
    place: Path
    cohort: Cohort
    run: Path
    elsewhere: Cohort  # other patients, the same classes

    def add(self, name: str, **options: object) -> Cohort:
        return cohorts.add(self.ws, self.place / name, name=name, patient_pattern=PATIENT, **options)  # type: ignore[arg-type]

    def copies(self, name: str, cases: tuple[str, ...], change: object = None) -> Path:
        """A folder of files as they were brought, of these cases of the run's cohort."""
        folder, by_id = self.place / name, {case.id: case for case in self.cohort.cases}
        originals = Originals(self.ws.cohort(self.cohort.id))
        for n, id in enumerate(cases):
            (folder / by_id[id].label).mkdir(parents=True, exist_ok=True)
            file = folder / by_id[id].label / f"r{n:03}.png"
            file.write_bytes(originals.read(by_id[id].at))
            if callable(change):
                change(Image.open(file)).save(file)
        return folder

    def test(self, other: Cohort, **more: object) -> afterwards.External:
        mapping = external.check(self.ws, self.run.name, other.id, **more).mapping  # type: ignore[arg-type]
        heard = Heard()
        more = {"mapping": mapping, "other_patients": more.get("other_patients", False)}
        assert elsewhere.carry_out(self.ws, self.run, CPU, heard, other.id, **more)  # type: ignore[arg-type]
        return afterwards.external(self.run, other.id)


def renamed(folder: Path) -> Path:
    """Patients p... become q..., so that nobody is taken for somebody of the run."""
    for file in [*folder.rglob("p*.png")]:
        file.rename(file.with_name("q" + file.name[1:]))
    return folder


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    place = tmp_path_factory.mktemp("bench")
    ws = Workspace(place / "home").ensure()
    source = add_source(ws, place / "source")
    write_pictures(place / "here", 30)
    own = cohorts.add(ws, place / "here", name="Here", patient_pattern=PATIENT, positive="malignant")
    renamed(write_pictures(place / "there", 12, seed=9))
    there = cohorts.add(ws, place / "there", name="There", patient_pattern=PATIENT, positive="malignant")
    return Bench(ws, place, own, frozen_run(ws, own, source), there)


@pytest.fixture
def run(bench: Bench) -> Iterator[Path]:
    clear(bench.run)
    yield bench.run
    clear(bench.run)


def clear(folder: Path) -> None:
    shutil.rmtree(folder / store.RESULT / afterwards.EXTERNAL, ignore_errors=True)
    wishes.drop_all(folder)
    (folder / store.STOP).unlink(missing_ok=True)


def result_files(folder: Path) -> dict[str, bytes]:
    return {f.name: f.read_bytes() for f in (folder / store.RESULT).iterdir() if f.is_file()}


# ---- the test --------------------------------------------------------------------------------------------------------


def test_all_cases_are_scored_whatever_the_split_of_the_cohort(bench: Bench, run: Path) -> None:
    before = result_files(run)
    found = bench.test(bench.elsewhere)
    assert found.cases == len(bench.elsewhere.cases) == 24 and found.patients == 24 and not found.excluded
    assert found.counts == {"benign": 12, "malignant": 12} and found.positive == "malignant" and not found.missing
    rows = afterwards.external_predictions(found)
    assert {row.part for row in rows} == {"external"}
    assert [row.case for row in rows] == [case.id for case in bench.elsewhere.cases]
    assert results.load(run).externals == (found,) and result_files(run) == before
    said = {one.name: one for one in external.numbers(found)}
    assert {"auroc", "sensitivity", "specificity"} <= said.keys()
    assert all(one.low <= one.value <= one.high and one.how for one in said.values()) and said["auroc"].n == 24
    threshold = results.load(run).threshold
    assert threshold is not None and threshold.value is not None
    assert all((row.predicted == "malignant") == (row.scores["malignant"] >= threshold.value) for row in rows)


def test_copies_of_the_test_part_get_the_scores_of_the_run(bench: Bench, run: Path) -> None:
    bench.copies("again", bench.cohort.split.test)
    other = bench.add("again")
    found = bench.test(other)
    mine = Pixels(bench.ws.cohort(bench.cohort.id)).stored
    theirs = Pixels(bench.ws.cohort(other.id)).stored
    at_home = {mine[row.case].fingerprint: row for row in results.predictions(run) if row.part == "test"}
    rows = afterwards.external_predictions(found)
    assert len(rows) == len(at_home) > 0
    for row in rows:
        same = at_home[theirs[row.case].fingerprint]
        assert row.scores == pytest.approx(same.scores, abs=1e-5)
        assert (row.label, row.predicted) == (same.label, same.predicted)
    ours = {one.name: one.value for one in results.load(run).estimates}
    for one in external.numbers(found):
        assert one.value == pytest.approx(ours[one.name], abs=1e-6), one.name
    assert any("also in the internal test part" in note for note in found.notes)


def test_what_shifts_is_kept_in_numbers(bench: Bench, run: Path) -> None:
    folder = bench.copies("darker", bench.cohort.split.test, lambda image: image.point(lambda v: v // 2))
    found = bench.test(bench.add(folder.name))
    assert found.external.looks["brightness"].mean < 0.7 * found.internal.looks["brightness"].mean
    assert found.external.looks["width"].quantiles == (64.0,) * 5
    assert found.external.distance != found.internal.distance > 0 and 0 <= found.internal.refused <= 1
    shift = afterwards.shift(found)
    assert shift is not None and shift.internal.dtype == shift.external.dtype == np.float16
    assert shift.internal.shape == (len(bench.cohort.split.test), shift.external.shape[1])
    assert len(shift.external) == len(shift.external_looks) == len(shift.external_cases) == found.cases
    assert shift.external_looks[:, 0].mean() == pytest.approx(found.external.looks["brightness"].mean, abs=1e-5)
    assert set(shift.internal_cases) == set(bench.cohort.split.test)


def test_an_image_is_refused_here_as_it_would_be_as_a_new_one(bench: Bench, run: Path) -> None:
    from medtl.prediction import Trained

    test = bench.cohort.split.test
    folder = bench.copies("strange", test, ImageOps.invert)
    bench.copies("strange", test[: len(test) // 2])
    found = bench.test(bench.add(folder.name))
    asked = Trained(bench.ws, run.name)
    try:
        refused = [not answer.accepted for answer in asked.predict([folder])]
    finally:
        asked.close()
    assert len(refused) == found.cases and 0 < np.mean(refused) < 1
    assert found.external.refused == pytest.approx(np.mean(refused)) and found.internal.refused < np.mean(refused)


def test_a_run_without_a_gate_refuses_by_distance(bench: Bench, run: Path) -> None:
    from medtl.frozen import Frozen

    frozen = Frozen(bench.ws, run.name, CPU)
    frozen.gate = None
    pixels, cases = Pixels(bench.ws.cohort(bench.cohort.id)), bench.cohort.cases[:7]
    features = np.random.default_rng(0).normal(0, 1, (7, frozen.neighbours.features.shape[1])).astype(np.float32)
    away, refused = frozen.unlike(features, pixels, cases)
    assert away == pytest.approx([frozen.neighbours.nearest(row)[1] for row in features], abs=1e-6)
    assert refused.tolist() == [not frozen.neighbours.accepts(distance) for distance in away]
    assert all(len(none) == 0 for none in frozen.unlike(features[:0], pixels, ()))


def test_features_of_many_are_drawn(bench: Bench, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "MOST_ROWS", 7)
    found = bench.test(bench.elsewhere)
    shift = afterwards.shift(found)
    assert shift is not None and len(shift.external) == len(shift.internal) == 7 and found.cases == 24
    for row, id in zip(shift.external_looks, shift.external_cases, strict=True):
        look = Pixels(bench.ws.cohort(bench.elsewhere.id)).looks[id]
        assert row[0] == pytest.approx(look.brightness, abs=1e-5)


# ---- who is left out -------------------------------------------------------------------------------------------------


def test_whom_it_learned_from_is_left_out_and_said(bench: Bench, run: Path) -> None:
    train, tune = bench.cohort.split.train, bench.cohort.split.tune
    renamed(write_pictures(bench.place / "mixed", 5, seed=77))
    bench.copies("mixed", (*train[:4], tune[0]))
    again = bench.copies("mixed-2", train[4:7], lambda image: image.resize((100, 100)).point(lambda v: v * 0.95))
    for n, file in enumerate(sorted(again.rglob("*.png"))):
        shutil.copy(file, bench.place / "mixed" / file.parent.name / f"q9{n}.png")
    other = bench.add("mixed")
    assert len(other.cases) == 18
    found = bench.test(other)
    counts = {why: len(ids) for why, ids in found.excluded.items()}
    assert counts == {external.SAME: 5, external.COPY: 3} and found.cases == 10
    gone = {id for ids in found.excluded.values() for id in ids}
    assert not gone & {row.case for row in afterwards.external_predictions(found)}


def test_patients_it_learned_from_are_left_out_unless_they_are_others(bench: Bench, run: Path) -> None:
    write_pictures(bench.place / "numbered", 30, seed=5)  # p000 ... as in the run
    other = bench.add("numbered")
    learned = {c.patient for c in bench.cohort.cases if c.id not in bench.cohort.split.test}
    asked = external.check(bench.ws, run.name, other.id)
    assert len(asked.excluded[external.PERSON]) == sum(case.patient in learned for case in other.cases) > 0
    assert external.check(bench.ws, run.name, other.id, other_patients=True).cases == len(other.cases)
    some = cohorts.edit(bench.ws, other.id, exclude=[c.id for c in other.cases if c.patient not in learned])
    with pytest.raises(BadInput, match="other-patients"):
        external.check(bench.ws, run.name, some.id)


def test_its_own_cohort_and_a_cohort_of_training_images_are_refused(bench: Bench, run: Path) -> None:
    with pytest.raises(BadInput, match="cohort this run was made of"):
        external.check(bench.ws, run.name, bench.cohort.id)
    bench.copies("known", bench.cohort.split.train)
    with pytest.raises(BadInput, match="No case of"):
        external.check(bench.ws, run.name, bench.add("known").id)
    with pytest.raises(NotFound):
        external.check(bench.ws, run.name, "0" * 12)


def test_another_version_of_the_cohort_is_a_test_on_what_is_not_known(bench: Bench, run: Path) -> None:
    other = cohorts.edit(bench.ws, bench.cohort.id, exclude=[bench.cohort.split.test[0]])
    found = bench.test(other)
    assert found.cases == len(bench.cohort.split.test) - 1
    assert any("another version of the cohort" in note for note in found.notes)


# ---- which class is which --------------------------------------------------------------------------------------------


def value(classes: tuple[str, ...], task: str = "single-label") -> Cohort:
    from tests.builders import cohort

    return dataclasses.replace(cohort(classes=classes), task=task)  # type: ignore[arg-type]


def test_names_that_differ_are_mapped_and_unknown_ones_refused_with_what_to_do() -> None:
    own = value(("benign", "malignant"))
    assert external.matched(own, value(("Benign", "MALIGNANT ")), {}) == {"Benign": "benign", "MALIGNANT ": "malignant"}
    assert external.matched(own, value(("malignant",)), {}) == {"malignant": "malignant"}
    with pytest.raises(BadInput, match='--map "malig=malignant"'):
        external.matched(own, value(("benign", "malig")), {})
    assert external.matched(own, value(("benign", "malig")), {"malig": "malignant"})["malig"] == "malignant"
    assert external.matched(own, value(("benign", "normal", "malignant")), {"normal": ""})["normal"] == ""
    for other, mapping in (
        (value(("benign", "malignant")), {"other": "benign"}),
        (value(("benign", "malig")), {"malig": "bad"}),
        (value(("benign", "malig")), {"malig": "", "benign": ""}),
        (value(("a", "b"), "multi-label"), {}),
    ):
        with pytest.raises(BadInput):
            external.matched(own, other, mapping)


def test_findings_nobody_asked_for_are_passed_over_and_two_may_be_one() -> None:
    own = value(("effusion", "nodule"), "multi-label")
    other = value(("Effusion", "mass", "hernia"), "multi-label")
    assert external.matched(own, other, {"mass": "nodule"}) == {"Effusion": "effusion", "mass": "nodule", "hernia": ""}
    with pytest.raises(BadInput, match="asks nothing"):
        external.matched(own, value(("hernia", "mass"), "multi-label"), {})
    names = {"left": "effusion", "right": "effusion", "hernia": ""}
    case = dataclasses.replace(own.cases[0], labels={"left": 0, "right": 1, "hernia": 1})
    assert external._findings(case, names) == {"effusion": 1}
    assert external._findings(dataclasses.replace(case, labels={"left": 0, "right": -1}), names) == {"effusion": -1}
    assert external._findings(dataclasses.replace(case, labels={"hernia": 1}), names) == {}


def test_mapped_classes_are_judged_as_the_runs_own_and_missing_ones_said(bench: Bench, run: Path) -> None:
    renamed(write_pictures(bench.place / "words", 8, seed=21))
    (bench.place / "words" / "malignant").rename(bench.place / "words" / "cancer")
    (bench.place / "words" / "benign").rename(bench.place / "words" / "unclear")
    other = bench.add("words")
    with pytest.raises(BadInput):
        external.check(bench.ws, run.name, other.id)
    found = bench.test(other, mapping={"cancer": "malignant", "unclear": ""})
    assert found.counts == {"benign": 0, "malignant": 8} and found.missing == ("benign",)
    assert {why: len(ids) for why, ids in found.excluded.items()} == {external.UNWANTED: 8}
    assert any("no case of benign" in note for note in found.notes)
    assert {row.label for row in afterwards.external_predictions(found)} == {"malignant"}
    said = {one.name for one in external.numbers(found)}
    assert "sensitivity" in said and "auroc" not in said


@pytest.mark.parametrize("task", ["multi-label", "ordinal"])
def test_findings_and_grades_are_tested_elsewhere_too(tmp_path: Path, task: str) -> None:
    ws = Workspace(tmp_path / "home").ensure()
    own = add_several(ws, tmp_path / "own", task)
    run = frozen_run(ws, own, add_source(ws, tmp_path / "source"))
    folder = write_several(tmp_path / "other", task, n=40, seed=3)
    table = folder / "labels.csv"
    table.write_text(table.read_text().replace(",p0", ",q0").replace("bar", "Bars"))
    other = cohorts.add(ws, folder, name="Elsewhere", labels=table)
    asked = external.check(ws, run.name, other.id, {"Bars": "bar"} if task == "multi-label" else {})
    assert elsewhere.carry_out(ws, run, CPU, Heard(), other.id, asked.mapping)
    found = afterwards.external(run, other.id)
    said = {one.name: one for one in external.numbers(found)}
    assert found.cases == 40 and found.task == task and "auroc" in said
    rows = afterwards.external_predictions(found)
    if task == "multi-label":
        assert {"auroc[disc]", "sensitivity[bar]", "specificity[bar]"} <= said.keys()
        assert {name for row in rows for name in row.said} == {"disc", "bar", "dot"}
    else:
        assert {row.label for row in rows} == set(own.classes) >= {row.predicted for row in rows}


# ---- whole or not at all ---------------------------------------------------------------------------------------------


def test_stopped_or_broken_off_nothing_is_there_and_an_earlier_test_stays(bench: Bench, run: Path) -> None:
    asked = (bench.ws, run, CPU)
    assert not elsewhere.carry_out(*asked, Heard(when=lambda heard: True), bench.elsewhere.id, {})
    assert results.load(run).externals == () and not (run / store.RESULT / "external").exists()
    first = bench.test(bench.elsewhere)

    class Killed(Heard):
        def phase(self, phase: str, says: str, done: int, total: int) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        elsewhere.carry_out(bench.ws, run, CPU, Killed(), bench.elsewhere.id, {})
    assert results.load(run).externals == (first,)
    second = bench.test(bench.elsewhere)
    assert dataclasses.replace(second, made="", seconds=0) == dataclasses.replace(first, made="", seconds=0)
    assert [p.name for p in (run / store.RESULT / "external").iterdir()] == [bench.elsewhere.id]


def test_a_damaged_test_counts_as_none(bench: Bench, run: Path) -> None:
    found = bench.test(bench.elsewhere)
    for text in ("", "[]", '{"classes": 3}'):
        (found.folder / "result.json").write_text(text)
        assert results.load(run).externals == ()
    with pytest.raises(NotFound):
        afterwards.external(run, bench.elsewhere.id)


def test_the_cohort_may_be_deleted_later(bench: Bench, run: Path) -> None:
    renamed(write_pictures(bench.place / "fleeting", 6, seed=33))
    other = bench.add("fleeting")
    found = bench.test(other)
    housekeeping.delete_cohort(bench.ws, other.id)
    again = afterwards.external(run, other.id)
    assert again == found and len(afterwards.external_predictions(again)) == 12 and afterwards.shift(again) is not None
    assert external.numbers(again)
    copy = bench.ws.run("r-copy")
    shutil.copytree(run, copy)
    assert store.delete(bench.ws, "r-copy") > 0 and not copy.exists()


def test_a_wish_is_carried_out_by_the_worker_once(bench: Bench, run: Path) -> None:
    assert external.ask(bench.ws, run.name, bench.elsewhere.id, launch=False)
    assert external.takes(bench.ws, run.name, bench.elsewhere.id) > 0
    assert work(run) == 0, (run / "log.txt").read_text()
    assert status.status(run) == "finished" and not wishes.waiting(run)
    assert [one.cohort for one in results.load(run).externals] == [bench.elsewhere.id]
    assert not external.ask(bench.ws, run.name, bench.elsewhere.id, launch=False), "it is there already"
    young = store.create(bench.ws, dataclasses.replace(store.recipe(run), run="r-young"))
    with pytest.raises(NotReady):
        external.ask(bench.ws, young.name, bench.elsewhere.id, launch=False)
    store.delete(bench.ws, young.name)
