"""Robustness of a finished run: the network in use on changed test images, kept beside the result and never in it."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from medtl import followup, robustness, start
from medtl.cohorts import library as cohorts
from medtl.errors import BadInput, MedtlError, NotFound, NotReady
from medtl.modalities.perturbations import PERTURBATIONS
from medtl.runs import afterwards, results, status, store, wishes
from medtl.vocabulary import Cohort
from medtl.workspace import Workspace
from tests.builders import (
    CPU,
    Heard,
    add_cohort,
    add_several,
    add_source,
    frozen_run,
    spawned,
    wait_until,
    work,
)  # fmt: skip

Bytes = dict[str, bytes]


@dataclass(frozen=True)
class Bench:
    ws: Workspace
    runs: dict[str, Path]  # by task
    cohorts: dict[str, Cohort]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    place = tmp_path_factory.mktemp("bench")
    ws = Workspace(place / "home").ensure()
    source = add_source(ws, place / "source")
    made = {"single-label": add_cohort(ws, place / "discs", per_class=45)}
    made |= {task: add_several(ws, place / task, task) for task in ("multi-label", "ordinal")}
    return Bench(ws, {task: frozen_run(ws, one, source, f"r-{task}") for task, one in made.items()}, made)


@pytest.fixture
def run(bench: Bench) -> Iterator[Path]:
    """The run of one label a case, as if nobody had asked anything of it."""
    folder = bench.runs["single-label"]
    clear(folder)
    yield folder
    clear(folder)


def clear(folder: Path) -> None:
    for name in (afterwards.ROBUSTNESS, afterwards.PERTURBED):
        (folder / store.RESULT / name).unlink(missing_ok=True)
    wishes.drop_all(folder)
    (folder / store.STOP).unlink(missing_ok=True)


def what_it_holds(folder: Path) -> Bytes:
    place = folder / store.RESULT
    return {file.name: file.read_bytes() for file in place.iterdir() if file.is_file()}


@pytest.mark.parametrize("task", ["single-label", "multi-label", "ordinal"])
def test_every_task_is_tried_and_told(bench: Bench, task: str) -> None:
    folder, cohort = bench.runs[task], bench.cohorts[task]
    clear(folder)
    before, heard = what_it_holds(folder), Heard()
    assert robustness.carry_out(bench.ws, folder, CPU, heard)
    found = results.load(folder).robustness
    assert found == afterwards.robustness(folder) and found is not None
    assert [row.id for row in found.rows] == [one.id for one in PERTURBATIONS]
    assert found.cases == found.of == len(cohort.split.test) and found.patients == found.cases
    assert found.few and not found.falls, "18 patients"
    assert found.says and found.notes and found.seconds > 0 and heard.phases[-1][1] == heard.phases[-1][2]
    ours = next(e for e in results.load(folder).estimates if e.name == "auroc")
    assert found.auroc.value == pytest.approx(ours.value, abs=1e-6), "unchanged, it is the result itself"
    for row in found.rows:
        assert row.fall.value == pytest.approx(found.auroc.value - row.auroc.value)
        assert row.fall.low <= row.fall.value <= row.fall.high and 0 <= row.changed.value <= 1
        assert row.fall.how and row.changed.n == found.cases
    after = what_it_holds(folder)
    assert {name: after[name] for name in before} == before, "the result is what it was"
    assert json.loads(after[afterwards.ROBUSTNESS])["schema_version"] == 1


def test_the_scores_behind_it_are_those_of_the_result(bench: Bench, run: Path) -> None:
    assert robustness.carry_out(bench.ws, run, CPU, Heard())
    kept, found = afterwards.perturbed_scores(run), afterwards.robustness(run)
    assert kept is not None and found is not None
    rows = {row.case: row for row in results.predictions(run) if row.part == "test"}
    classes = bench.cohorts["single-label"].classes
    for case, scores in zip(kept.cases, kept.before, strict=True):
        assert scores == pytest.approx([rows[case].scores[name] for name in classes], abs=1e-5)
    assert kept.after.shape == (len(PERTURBATIONS), *kept.before.shape) and kept.ids == tuple(r.id for r in found.rows)
    threshold = results.load(run).threshold
    assert threshold is not None and threshold.value is not None
    at = classes.index("malignant")
    differ = (kept.after[:, :, at] >= threshold.value) != (kept.before[:, at] >= threshold.value)
    assert differ.mean(axis=1) == pytest.approx([row.changed.value for row in found.rows])


def test_so_many_are_tried_as_were_asked_for(bench: Bench, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert robustness.carry_out(bench.ws, run, CPU, Heard(), most=8)
    found = afterwards.robustness(run)
    assert found is not None and found.cases == 8 and found.of == 18 and "8 of the 18" in found.notes[0]
    assert robustness.takes(bench.ws, run.name, 8) < robustness.takes(bench.ws, run.name)
    with pytest.raises(BadInput):
        robustness.ask(bench.ws, run.name, most=3, launch=False)


def test_twice_gives_the_same(bench: Bench, run: Path) -> None:
    assert robustness.carry_out(bench.ws, run, CPU, Heard())
    first = afterwards.robustness(run)
    assert robustness.carry_out(bench.ws, run, CPU, Heard())
    second = afterwards.robustness(run)
    assert first is not None and second is not None and first.rows == second.rows


def test_stopped_or_broken_off_nothing_is_there(bench: Bench, run: Path) -> None:
    before = what_it_holds(run)
    late = Heard(when=lambda heard: len(heard.phases) > 5)
    assert not robustness.carry_out(bench.ws, run, CPU, late)
    assert what_it_holds(run) == before and results.load(run).robustness is None

    class Killed(Heard):
        def phase(self, phase: str, says: str, done: int, total: int) -> None:
            if done == total:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        robustness.carry_out(bench.ws, run, CPU, Killed())
    assert what_it_holds(run) == before


def test_a_damaged_file_counts_as_none_and_harms_nothing(bench: Bench, run: Path) -> None:
    for text in ("", "{", "[]", '{"rows": [{}], "auroc": {}}', '{"rows": 3}'):
        (run / store.RESULT / afterwards.ROBUSTNESS).write_text(text)
        (run / store.RESULT / afterwards.PERTURBED).write_text(text)
        assert results.load(run).robustness is None and afterwards.perturbed_scores(run) is None
    assert results.load(run).estimates


def test_it_is_done_unasked_where_it_is_quick_and_nobody_waits(
    bench: Bench, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    robustness.unasked(bench.ws, run, CPU)
    assert afterwards.robustness(run) is None, "18 cases say too little"
    monkeypatch.setattr(robustness, "ENOUGH", 10)
    monkeypatch.setattr(robustness, "QUICK", 0.0)
    robustness.unasked(bench.ws, run, CPU)
    assert afterwards.robustness(run) is None, "it takes too long"
    monkeypatch.setattr(robustness, "QUICK", 1e9)
    monkeypatch.setattr(robustness.turn, "others_wait", lambda folder: True)
    robustness.unasked(bench.ws, run, CPU)
    assert afterwards.robustness(run) is None, "another run waits"
    monkeypatch.setattr(robustness.turn, "others_wait", lambda folder: False)
    (run / store.STOP).touch()
    robustness.unasked(bench.ws, run, CPU)
    assert afterwards.robustness(run) is None, "it is to be stopped"
    (run / store.STOP).unlink()
    robustness.unasked(bench.ws, run, CPU)
    assert afterwards.robustness(run) is not None


def test_whoever_comes_first_is_noticed(bench: Bench, run: Path) -> None:
    from medtl.runs import turn

    assert not turn.others_wait(run)
    recipe = store.recipe(run)
    import dataclasses

    other = store.create(bench.ws, dataclasses.replace(recipe, run="r-zzz-later"))
    assert turn.others_wait(run)
    store.delete(bench.ws, other.name)
    assert not turn.others_wait(run)


def test_what_cannot_be_asked_is_said(bench: Bench, run: Path) -> None:
    import dataclasses

    with pytest.raises(NotFound):
        robustness.ask(bench.ws, "r-nobody", launch=False)
    young = store.create(bench.ws, dataclasses.replace(store.recipe(run), run="r-young"))
    with pytest.raises(NotReady):
        robustness.ask(bench.ws, young.name, launch=False)
    with pytest.raises(NotReady):
        robustness.carry_out(bench.ws, young, CPU, Heard())
    store.delete(bench.ws, young.name)
    lost = bench.ws.run("r-lost")
    shutil.copytree(run, lost)
    (lost / store.RECIPE).write_text(
        (lost / store.RECIPE).read_text().replace(bench.cohorts["single-label"].id, "0" * 12)
    )
    with pytest.raises(MedtlError):
        robustness.ask(bench.ws, lost.name, launch=False)
    store.delete(bench.ws, lost.name)


def test_a_wish_is_carried_out_by_the_worker_also_after_it_was_killed(bench: Bench, run: Path) -> None:
    before = what_it_holds(run)
    assert robustness.ask(bench.ws, run.name, launch=False) and robustness.takes(bench.ws, run.name) > 0
    with spawned(run) as worker:
        wait_until(lambda: "robustness" in (run / "events.jsonl").read_text())
        worker.kill()
        worker.wait()
    assert status.status(run) == "interrupted" and wishes.waiting(run) == ("robustness",)
    assert what_it_holds(run) == before and results.load(run).estimates
    store.requeue(run)  # as `start.resume` does, which allows it for the wish
    assert work(run) == 0, (run / "log.txt").read_text()
    assert status.status(run) == "finished" and not wishes.waiting(run)
    assert results.load(run).robustness is not None
    assert not robustness.ask(bench.ws, run.name, launch=False), "it is there already"
    with pytest.raises(NotReady):
        start.resume(bench.ws, run.name)
    assert cohorts.load(bench.ws, bench.cohorts["single-label"].id)


def test_what_was_asked_and_goes_wrong_is_said_and_dropped(
    bench: Bench, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> bool:
        raise error

    monkeypatch.setattr(robustness, "carry_out", fails)
    for error in (MedtlError("The pictures are gone.", "Add them again."), RuntimeError("a bug"), None):
        if error is None:
            monkeypatch.setattr(robustness, "carry_out", lambda *_, **__: False)
        robustness.ask(bench.ws, run.name, launch=False)
        heard = Heard()
        followup.grant(bench.ws, run, CPU, heard)
        (said,) = heard.notes
        expected = {MedtlError: "The pictures are gone.", RuntimeError: "log.txt"}.get(type(error), "was stopped")
        assert said.startswith("The test of robustness") and expected in said and not wishes.waiting(run)
    assert results.load(run).estimates


def test_stopped_while_it_waits_for_its_turn_the_run_is_finished_as_before(
    bench: Bench, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medtl import worker

    robustness.ask(bench.ws, run.name, launch=False)
    store.request_stop(run)
    assert worker._live(run) == 0
    assert status.status(run) == "finished" and not wishes.waiting(run) and results.load(run).robustness is None


def test_a_picture_is_turned_the_same_way_whoever_asks(bench: Bench, run: Path) -> None:
    """The change of a case does not depend on which others are tried with it."""
    from medtl.frozen import Frozen

    pictures = robustness._Pictures(bench.ws, Frozen(bench.ws, run.name, CPU), 300)
    change = next(one for one in PERTURBATIONS if one.kind == "noise")
    take = pictures.changed(change)
    assert (take(np.array([3, 5])) == np.concatenate([take(np.array([3])), take(np.array([5]))])).all()
