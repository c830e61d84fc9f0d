"""Asking a finished run: the stored case answers as it is stored, the unreadable says why, the foreign is refused."""

import dataclasses
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medtl.errors import BadInput, MedtlError, NotFound
from medtl.prediction import DO_NOT, Trained, as_dict, as_message
from medtl.runs import diary, results
from medtl.sources import library
from medtl.sources.trained import export_as_source
from medtl.sources.weights import file_sha256, head_of, load_network, read_safetensors
from medtl.workspace import Workspace
from tests.conftest import Practice


@pytest.fixture(scope="module")
def trained(practice: Practice) -> Trained:
    return Trained(practice.ws, practice.run)


def test_a_case_asked_again_answers_as_it_is_stored(trained: Trained, practice: Practice) -> None:
    rows = [row for row in results.predictions(practice.folder) if row.part == "test"][:6]
    answers = trained.predict([practice.original(row.case) for row in rows])
    for row, answer in zip(rows, answers, strict=True):
        assert answer.predicted == row.predicted and answer.accepted == (answer.why_not is None)
        assert set(answer.scores) == set(practice.cohort.classes)
        for name, score in row.scores.items():
            assert answer.scores[name] == pytest.approx(score, abs=1e-4)
        assert sum(answer.scores.values()) == pytest.approx(1, abs=1e-5)


def test_a_training_case_finds_itself_and_is_accepted(trained: Trained, practice: Practice) -> None:
    case = practice.cohort.split.train[3]
    answer = trained.predict([practice.original(case)])[0]
    assert answer.known and "train part" in answer.known  # and a new picture is not: see the foreign one
    assert answer.accepted and answer.why_not is None
    assert answer.nearest[0][0] == case and answer.nearest[0][1] < 0.01


def test_the_set_holds_what_could_not_be_ruled_out(trained: Trained, practice: Practice) -> None:
    cases = [practice.original(case) for case in practice.cohort.split.test]
    for answer in trained.predict(cases):
        assert set(answer.set) <= set(practice.cohort.classes)
        assert all(
            answer.scores[name] >= trained.settled.limits[trained.classes.index(name)] - 1e-6 for name in answer.set
        )


def test_one_bad_file_among_good_ones_costs_nothing(trained: Trained, practice: Practice, tmp_path: Path) -> None:
    good = practice.original(practice.cohort.split.test[0])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "words.png").write_text("no picture")
    (tmp_path / "cut.png").write_bytes(good.read_bytes()[:200])
    (tmp_path / "trap.png").write_bytes(b"\x80\x04.")
    bad = [*sorted(tmp_path.iterdir()), tmp_path / "gone.png"]
    answers = trained.predict([*bad, good])
    for path, answer in zip(bad, answers, strict=False):
        assert answer.file == path.name and answer.predicted is None and not answer.accepted and not answer.scores
        assert answer.why_not and "Traceback" not in answer.why_not
    assert answers[-1].predicted is not None


def test_a_foreign_picture_is_refused(trained: Trained, tmp_path: Path) -> None:
    colours = np.zeros((64, 64, 3), np.uint8)
    colours[:, ::8] = (255, 0, 0)
    colours[::4] = (0, 0, 255)
    Image.fromarray(colours).save(tmp_path / "stripes.png")
    answer = trained.predict([tmp_path / "stripes.png"])[0]
    assert answer.known is None
    assert not answer.accepted and answer.predicted is not None and answer.settled is None
    assert answer.why_not and "in colour" in answer.why_not and answer.why_not.endswith(DO_NOT)
    assert answer.gate and {check.name for check in answer.gate.checks if not check.ok} >= {"coloured", "likeness"}


def test_a_map_is_drawn_for_the_class_that_is_asked_for(trained: Trained, practice: Practice, tmp_path: Path) -> None:
    path = practice.original(practice.cohort.split.test[0])
    by_name = trained.predict([path], explain="malignant")[0]
    assert by_name.explanation is not None and by_name.explanation.label == "malignant"
    predicted = trained.predict([path], explain="predicted")[0]
    assert predicted.explanation is not None and predicted.explanation.label == predicted.predicted
    assert trained.predict([path])[0].explanation is None
    with pytest.raises(BadInput) as error:
        trained.predict([path], explain="cat")
    assert "benign, malignant" in error.value.advice


def test_the_map_of_a_stored_case_is_that_of_its_file(trained: Trained, practice: Practice) -> None:
    case = practice.cohort.split.test[0]
    stored = trained.explain_case(case, "malignant")
    asked = trained.predict([practice.original(case)], explain="malignant")[0].explanation
    assert asked is not None and stored.state == asked.state
    if stored.state == "ok":
        assert np.allclose(stored.values, asked.values, atol=2e-3)
    with pytest.raises(NotFound):
        trained.explain_case("no-such-case", "malignant")
    with pytest.raises(BadInput):
        trained.explain_case(case, "cat")


def test_an_answer_can_be_printed_and_sent(trained: Trained, practice: Practice, tmp_path: Path) -> None:
    paths = [practice.original(case) for case in practice.cohort.split.test[:4]]
    answers = trained.predict(paths, explain="predicted")
    for answer in answers:
        said = as_dict(answer, tmp_path / "out")
        json.dumps(said)
        if said["explanation"]:
            with Image.open(said["explanation"]) as drawn:
                assert drawn.mode == "RGB" and answer.picture is not None and drawn.size == answer.picture.shape[1::-1]
        again = as_dict(answer, tmp_path / "out")  # nothing is overwritten
        assert again["explanation"] is None or again["explanation"] != said["explanation"]
        message = as_message(answer, tmp_path)
        json.dumps(message)
        with Image.open(message["picture"]) as picture:
            assert np.array_equal(np.asarray(picture), answer.picture)
    unreadable = trained.predict([tmp_path / "gone.png"])[0]
    assert as_message(unreadable, tmp_path)["picture"] is None


def test_a_run_that_is_not_there_or_not_finished(practice: Practice, tmp_path: Path) -> None:
    for run in ("r-0", "../cohorts", ""):
        with pytest.raises(NotFound) as error:
            Trained(practice.ws, run)
        assert error.value.message == "There is no such run."
    from medtl.start import start

    waiting = start(practice.ws, practice.cohort.id, practice.source, "linear-probe", launch=False)
    with pytest.raises(MedtlError) as not_yet:
        Trained(practice.ws, waiting)
    assert "no result" in not_yet.value.message
    from medtl.runs import store

    store.delete(practice.ws, waiting)


# ---- many images ----------------------------------------------------------------------------------------------------


def test_a_folder_and_a_zip_of_it_answer_alike_and_in_order(
    trained: Trained, practice: Practice, tmp_path: Path
) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    for n, case in enumerate(practice.cohort.split.test * 3):
        (folder / f"image{n:03}.png").write_bytes(practice.original(case).read_bytes())
    (folder / "image005.png").write_bytes(b"")
    with zipfile.ZipFile(tmp_path / "new.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"new/{file.name}")
    heard: list[tuple[int, int]] = []
    answers = list(trained.stream([folder], on_progress=lambda *at: heard.append(at)))
    assert [answer.file for answer in answers] == sorted(file.name for file in folder.iterdir())
    assert heard[0] == (0, len(answers)) and heard[-1] == (len(answers), len(answers))
    assert not answers[5].readable and all(answer.readable for n, answer in enumerate(answers) if n != 5)
    assert all(answer.picture is None for answer in answers)  # thirty pictures are in memory, not a thousand
    from_zip = list(trained.stream([tmp_path / "new.zip"]))
    assert [answer.sha256 for answer in from_zip] == [answer.sha256 for answer in answers]
    for one, other in zip(answers, from_zip, strict=True):
        assert one.predicted == other.predicted and one.scores == pytest.approx(other.scores, abs=1e-4)
    one_by_one = trained.predict([folder / "image000.png"])[0]
    assert one_by_one.scores == pytest.approx(answers[0].scores, abs=1e-4)


def test_stopped_it_keeps_what_was_answered(trained: Trained, practice: Practice, tmp_path: Path) -> None:
    for n, case in enumerate(practice.cohort.split.test * 12):
        (tmp_path / f"i{n:03}.png").write_bytes(practice.original(case).read_bytes())
    taken: list[str] = []
    for answer in trained.stream([tmp_path], should_stop=lambda: len(taken) > 0):
        taken.append(answer.file)
    assert 0 < len(taken) < len(practice.cohort.split.test) * 12 and len(set(taken)) == len(taken)


def test_images_of_a_patient_become_one_answer_besides(trained: Trained, practice: Practice, tmp_path: Path) -> None:
    """Patients of this cohort are told by file names."""
    paths = []
    for n, case in enumerate(practice.cohort.split.test[:5]):
        paths.append(tmp_path / f"p{900 + n // 2}-{n}.png")  # two, two and one
        paths[-1].write_bytes(practice.original(case).read_bytes())
    *each, first, second = trained.predict(paths, pool="mean")
    assert len(each) == 5 and {answer.kind for answer in each} == {"image"}
    assert (first.kind, first.pooled, first.files) == ("patient", 2, (paths[0].name, paths[1].name))
    for name in practice.cohort.classes:
        mean = (each[2].scores[name] + each[3].scores[name]) / 2
        assert second.scores[name] == pytest.approx(mean, abs=1e-5)
    assert first.patient == each[0].patient and "p900" not in str(first.patient)
    worst = trained.predict(paths, pool="max")[-2]
    assert worst.scores["malignant"] == pytest.approx(max(a.scores["malignant"] for a in each[:2]), abs=1e-5)
    with pytest.raises(BadInput):
        trained.predict(paths, pool="loudest")


def test_pages_of_a_file_are_answers_and_one_together(trained: Trained, tmp_path: Path) -> None:
    pages = [Image.fromarray(np.full((64, 64), 40 + 9 * n, np.uint8)) for n in range(3)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    *each, together = trained.predict([tmp_path / "pages.tif"], pool="mean")
    assert [answer.frame for answer in each] == [0, 1, 2] and together.kind == "file" and together.pooled == 3
    assert not together.accepted and "3 of its 3 images" in str(together.why_not)  # blank, each of them
    (only,) = trained.predict([tmp_path / "pages.tif"], only=("pages.tif", 1))
    assert only.frame == 1 and only.scores == pytest.approx(each[1].scores, abs=1e-5)


def test_more_looks_are_told_and_their_range(trained: Trained, practice: Practice) -> None:
    path = practice.original(practice.cohort.split.test[0])
    plain, more = trained.predict([path])[0], trained.predict([path], looks=3)[0]
    assert plain.looks == 0 and plain.ranged is None and more.looks == 3 and more.ranged is not None
    low, high = more.ranged
    assert low <= high and more.predicted and 0 <= low <= 1 and more.gate == plain.gate
    with pytest.raises(BadInput):
        trained.predict([path], looks=99)


def test_settled_is_one_class_of_an_accepted_image(trained: Trained, practice: Practice) -> None:
    for answer in trained.predict([practice.original(case) for case in practice.cohort.split.test]):
        if answer.settled:
            assert answer.accepted and answer.set == (answer.settled,) and answer.settled == answer.predicted
        else:
            assert answer.says.startswith(("Cannot tell", "No answer"))


def test_what_is_decided_later_is_plugged_in(trained: Trained, practice: Practice) -> None:
    path = practice.original(practice.cohort.split.test[0])
    later = Trained(
        practice.ws, practice.run,
        dataclasses.replace(
            trained.settled, calibrate=lambda scores: scores[:, ::-1], on_calibrated=True, limits=np.array([0.0, 0.0])
        ),
    )  # fmt: skip
    answer, before = later.predict([path])[0], trained.predict([path])[0]
    later.close()
    assert answer.word == "probability" and before.word == "score" and not before.calibrated
    assert answer.scores == before.scores and answer.calibrated["malignant"] == pytest.approx(before.scores["benign"])
    assert set(answer.set) == {"benign", "malignant"} and answer.settled is None
    json.dumps(later.describe())


def test_a_run_from_before_the_gate_says_so(trained: Trained, practice: Practice, tmp_path: Path) -> None:
    gate, trained.frozen.gate = trained.frozen.gate, None
    try:
        answer = trained.predict([practice.original(practice.cohort.split.train[0])])[0]
        assert answer.accepted and answer.gate is not None and "before the gate" in answer.gate.how
        assert "before the gate" in trained.describe()["gate"]
    finally:
        trained.frozen.gate = gate


# ---- the diary ------------------------------------------------------------------------------------------------------

CANARY = "Meier-Kunigunde-19470311"


def test_the_diary_names_nobody(trained: Trained, practice: Practice, tmp_path: Path) -> None:
    diary.delete(practice.folder)
    path = tmp_path / f"p077-{CANARY}.png"
    path.write_bytes(practice.original(practice.cohort.split.test[0]).read_bytes())
    (tmp_path / f"{CANARY}.txt").write_text(CANARY)
    answer, *_ = trained.predict([path, tmp_path / f"{CANARY}.txt", path], pool="mean")
    assert CANARY in answer.file
    said = (practice.folder / diary.FILE).read_text()
    assert CANARY not in said and str(tmp_path) not in said and str(answer.patient) not in said
    entries = diary.entries(practice.folder)
    assert [entry.kind for entry in entries] == ["image", "image", "image", "patient"]
    assert entries[0].sha256 == answer.sha256 and entries[0].known and entries[0].far is not None
    count = len(entries)
    trained.predict([path], log=False)
    diary.switch(practice.folder, on=False)
    trained.predict([path])
    diary.switch(practice.folder, on=True)
    assert len(diary.entries(practice.folder)) == count
    diary.delete(practice.folder)


# ---- a run becomes a source -----------------------------------------------------------------------------------------


def test_a_run_can_be_exported_and_used_as_a_source(practice: Practice, tmp_path: Path) -> None:
    said = {"id": "discs", "title": "Discs", "licence": "CC0", "labels": ["a", "b"], "figures": ["AUROC 0.9"]}
    source = export_as_source(practice.folder, tmp_path / "discs", said)
    names = {file.name for file in (tmp_path / "discs").iterdir()}
    assert names == {"card.toml", "weights.safetensors", "statistics.npz", "seen.npz"}
    assert source.title == "Discs" and source.licence == "CC0" and source.labels == ("a", "b")
    assert source.sha256 == file_sha256(tmp_path / "discs" / "weights.safetensors")
    assert "medtl train" in (tmp_path / "discs" / "card.toml").read_text()
    state = read_safetensors(tmp_path / "discs" / "weights.safetensors")
    trunk = {key: value for key, value in state.items() if not key.startswith("head.")}
    assert {str(v.dtype) for v in trunk.values()} <= {"torch.float16", "torch.int64"}
    full = read_safetensors(practice.folder / "result" / "weights.safetensors")
    network = load_network(source, practice.ws.weights, 5)  # a new cohort brings its own classes
    assert network.head.out_features == 5
    head = head_of(source, practice.ws.weights)  # and yet the head is kept, as it was
    assert head is not None and np.array_equal(head[0], full["head.weight"].numpy())
    assert np.array_equal(head[1], full["head.bias"].numpy())
    for key, value in network.trunk.state_dict().items():
        assert np.allclose(value.numpy(), full[key].numpy(), rtol=1e-3, atol=1e-6), key
    put = Workspace(tmp_path / "other").ensure()
    (tmp_path / "discs").rename(put.sources / "discs")
    assert library.sources(put)["discs"].available


def test_an_export_overwrites_nothing(practice: Practice, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note.txt").write_text("keep me")
    with pytest.raises(BadInput):
        export_as_source(practice.folder, tmp_path / "mine")
    with pytest.raises(MedtlError):
        export_as_source(tmp_path, tmp_path / "new")
    assert (tmp_path / "mine" / "note.txt").read_text() == "keep me" and not (tmp_path / "new").exists()


def test_a_finished_run_is_on_the_shelf_of_sources(practice: Practice) -> None:
    source = library.sources(practice.ws)[practice.run]
    assert source.origin == "run" and source.available and source.labels == practice.cohort.classes
    assert "Tiny discs" in source.trained_on and any("AUROC" in figure for figure in source.figures)
    assert load_network(source, practice.ws.weights, 3).head.out_features == 3  # type: ignore[union-attr]
