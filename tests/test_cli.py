"""The command line as scripts meet it: one JSON object, an exit code, and errors that say what to do."""

import csv
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from medtl import cli
from medtl.cohorts import library as cohorts
from medtl.commands import typed
from medtl.runs import status, store
from tests.builders import ROOT, write_pictures, write_weights
from tests.conftest import Practice

Ask = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def ask(practice: Practice, capsys: pytest.CaptureFixture[str]) -> Ask:
    """The exit code and the one object on standard output."""

    def asked(*words: object) -> tuple[int, dict[str, Any]]:
        code = cli.main([*map(str, words), "--json", "--home", str(practice.ws.home)])
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 1, lines
        said = json.loads(lines[0])
        assert isinstance(said, dict)
        return code, said

    return asked


def fails(ask: Ask, *words: object) -> dict[str, Any]:
    code, said = ask(*words)
    assert code == 2 and set(said) == {"error", "advice"} and said["error"] and said["advice"], said
    return said


# ---- cohorts --------------------------------------------------------------------------------------------------------

COHORT = {"id", "title", "modality", "task", "classes", "cases", "patients", "skipped", "findings", "split"}
SPLIT = {"train", "tune", "test", "rule", "patients_shared", "near_duplicates_across"}


def check_cohort(said: dict[str, Any]) -> None:
    assert set(said) >= COHORT and set(said["split"]) >= SPLIT
    assert sum(said["classes"].values()) == said["cases"] == sum(said["split"][p] for p in ("train", "tune", "test"))
    assert all(set(skipped) == {"file", "reason", "advice"} for skipped in said["skipped"])
    assert all(set(finding) >= {"code", "severity", "message", "advice", "cases"} for finding in said["findings"])


def test_a_cohort_is_added_shown_edited_and_deleted(ask: Ask, tmp_path: Path, practice: Practice) -> None:
    folder = write_pictures(tmp_path / "set", per_class=15, seed=11)
    (folder / "benign" / "broken.png").write_bytes(b"no picture")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for file in folder.rglob("*.png"):
            archive.write(file, file.relative_to(folder))
    code, added = ask("cohort", "add", tmp_path / "set.zip", "--name", "Zipped", "--patient-pattern", r"p\d+")
    assert code == 0
    check_cohort(added)
    assert added["title"] == "Zipped" and added["cases"] == 30 and added["patients"] == 30
    assert [s["file"] for s in added["skipped"]] == ["benign/broken.png"] and added["split"]["patients_shared"] == 0
    code, shown = ask("cohort", "show", added["id"])
    assert code == 0 and {**shown, "skipped": added["skipped"]} == added
    assert [s["reason"] for s in shown["skipped"]] == [s["reason"] for s in added["skipped"]]
    assert added["id"] in [c["id"] for c in ask("cohort", "list")[1]["cohorts"]]
    case = cohorts.load(practice.ws, added["id"]).cases[0].id
    code, edited = ask("cohort", "edit", added["id"], "--exclude", case)
    check_cohort(edited)
    assert code == 0 and edited["cases"] == 29 and edited["parent"] == added["id"] and edited["history"]
    for id in (edited["id"], added["id"]):
        assert ask("cohort", "delete", id)[0] == 0
    fails(ask, "cohort", "show", added["id"])


def test_a_blocked_cohort_is_not_trained_on_until_it_is_resolved(ask: Ask, tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "set", per_class=15, seed=12)
    (folder / "benign" / "copy.png").write_bytes((folder / "malignant" / "p100.png").read_bytes())
    code, added = ask("cohort", "add", folder)
    assert code == 0
    finding = next(f for f in added["findings"] if f["severity"] == "block")
    said = fails(ask, "train", added["id"], "--source", "auto", "--strategy", "linear-probe")
    assert said["error"] == finding["message"] and said["advice"] == finding["advice"]
    code, mended = ask("cohort", "edit", added["id"], "--exclude-findings", finding["code"])
    assert code == 0 and not [f for f in mended["findings"] if f["severity"] == "block"]
    for id in (mended["id"], added["id"]):
        ask("cohort", "delete", id)


# ---- sources and strategies -----------------------------------------------------------------------------------------


def test_sources_are_listed_added_and_deleted(ask: Ask, tmp_path: Path) -> None:
    code, said = ask("sources")
    keys = {"id", "title", "says", "origin", "builder", "available", "why_not", "trained_on", "licence", "limits"}
    assert code == 0 and all(set(source) >= keys for source in said["sources"])
    path = write_weights(tmp_path / "w.safetensors")
    code, added = ask("source", "add", path, "--builder", "mobilenet_v3_small", "--title", "From the shell")
    assert code == 0 and added["origin"] == "imported" and "matched" in added["report"]
    assert added["id"] in [source["id"] for source in ask("sources")[1]["sources"]]
    assert ask("source", "delete", added["id"])[0] == 0
    fails(ask, "source", "delete", added["id"])
    (tmp_path / "w.pt").write_bytes(b"PK\x03\x04")
    assert (
        "can run code"
        in fails(ask, "source", "add", tmp_path / "w.pt", "--builder", "resnet18", "--title", "T")["error"]
    )


def test_strategies_come_with_their_settings(ask: Ask) -> None:
    code, said = ask("strategies")
    assert code == 0 and said["strategies"][0]["id"] == "linear-probe"
    for strategy in said["strategies"]:
        assert strategy["says"] and strategy["limits"] and strategy["reference"] and strategy["settings"]


def test_a_plan_is_told_without_being_carried_out(ask: Ask, practice: Practice) -> None:
    before = len(store.runs(practice.ws))
    words = ("plan", practice.cohort.id, "--source", practice.source, "--strategy")
    code, said = ask(*words, "freeze-first", "--set", "freeze=2", "--set", "epochs=3")
    assert code == 0 and said["strategy"] == "freeze-first" and said["why_not"] is None
    assert said["says"][-1].startswith(f"{said['may_change']:,} of ") and said["seconds"] > 0 and said["cost"]
    assert [step["step"] for step in said["steps"]] == ["NewHead", "Train"] and said["steps"][1]["epochs"] == 3
    assert ask(*words, "freeze-first", "--set", "freeze=7")[1]["why_not"]
    fails(ask, *words, "freeze-first", "--set", "freeze=70")
    fails(ask, *words, "freeze-first", "--set", "freeze")
    fails(ask, *words, "no-such")
    assert len(store.runs(practice.ws)) == before


def test_the_recommendation_has_reasons(ask: Ask, practice: Practice) -> None:
    code, said = ask("recommend", practice.cohort.id)
    assert code == 0 and said["source"] == practice.source and said["says_source"] and said["says_strategy"]
    assert ask("recommend", practice.cohort.id, "--source", "resnet18-imagenet")[1]["source"] == "resnet18-imagenet"
    fails(ask, "recommend", practice.cohort.id, "--source", "no-such")


# ---- runs -----------------------------------------------------------------------------------------------------------

RUN = {"run", "status", "source", "strategy", "device", "seed", "seconds", "peak_memory_mb", "estimates", "threshold",
       "control"}  # fmt: skip


def check_run(said: dict[str, Any]) -> None:
    assert set(said) >= RUN and said["status"] == "finished"
    assert set(said["seconds"]) >= {"total", "read", "features", "fit", "evaluate"}
    assert all(set(e) >= {"name", "value", "low", "high", "n", "how"} for e in said["estimates"])
    assert set(said["threshold"]) >= {"value", "chosen_on", "rule"}
    assert set(said["control"]) >= {"run", "name", "difference", "verdict"}


def test_training_waits_and_answers_with_the_runs(ask: Ask, practice: Practice) -> None:
    code, said = ask(
        "train", practice.cohort.id, "--source", practice.source, "--strategy", "linear-probe", "--seed", 3
    )
    assert code == 0 and len(said["runs"]) == 1
    check_run(said["runs"][0])
    id = said["runs"][0]["run"]
    assert said["runs"][0]["seed"] == 3 and ask("show", id)[1] == said["runs"][0]
    assert id in [run["run"] for run in ask("runs")[1]["runs"]]
    assert fails(ask, "resume", id)["error"] == "This run has a result already."
    code, stopped = ask("stop", id)  # nothing to stop; nothing is harmed
    assert code == 0 and stopped["status"] == "finished"
    assert ask("delete", id)[0] == 0
    fails(ask, "show", id)


def test_a_detached_run_can_be_stopped(ask: Ask, practice: Practice) -> None:
    words = ("train", practice.cohort.id, "--source", practice.source, "--strategy", "fine-tune", "--set", "epochs=100")
    code, said = ask(*words, "--set", "patience=100", "--detach")
    run = said["runs"][0]
    assert code == 0 and run["status"] in ("waiting", "running") and run["estimates"] == []
    code, said = ask("stop", run["run"])
    assert code == 0 and said["status"] == "stopped"
    while status.alive(practice.ws.run(run["run"])):
        pass
    assert ask("delete", run["run"])[0] == 0


def test_automatic_answers_with_the_chosen_run_first_and_says_why(
    ask: Ask, practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medtl.rank.tried", lambda *_: ("ridge", "class-means", "linear-probe"))
    code, said = ask("train", practice.cohort.id, "--source", practice.source, "--strategy", "auto")
    ids = [run["run"] for run in said["runs"]]
    assert code == 0 and len(ids) == 3 and said["chosen"] == ids[0] and said["chosen_says"]
    assert {run["strategy"] for run in said["runs"]} == {"linear-probe", "ridge", "class-means"}
    assert len({run["group"] for run in said["runs"]}) == 1
    for run in said["runs"]:
        check_run(run)
        names = [guard["name"] for guard in run["guards"]]
        assert names == ["thumbnails"] + ["linear-probe"] * (run["strategy"] != "linear-probe")
        assert run["cross_validated"]["says"] and run["learning_curve"]["says"]
    code, found = ask("compare", *ids)
    assert code == 0 and found["reference"] == said["chosen"] and found["says"] and len(found["every"]) == 3
    assert {row["run"] for row in found["rows"]} == set(ids) and all(row["may_change"] for row in found["rows"])
    said = fails(ask, "compare", ids[0])
    assert "1 run was named" in said["error"]
    for id in ids:
        assert ask("delete", id)[0] == 0


def test_settings_have_no_place_where_strategies_are_chosen(ask: Ask, practice: Practice) -> None:
    fails(ask, "train", practice.cohort.id, "--source", practice.source, "--strategy", "auto", "--set", "epochs=3")


def test_a_finished_run_is_shown(ask: Ask, practice: Practice) -> None:
    code, said = ask("show", practice.run)
    assert code == 0
    check_run(said)


def test_robustness_is_a_table_that_is_worked_out_once(ask: Ask, practice: Practice, copied: str) -> None:
    code, said = ask("robustness", copied)
    assert code == 0 and said["run"] == copied and said["says"] and len(said["robustness"]["rows"]) == 18
    for row in said["robustness"]["rows"]:
        assert {"name", "does", "auroc", "fall", "changed", "verdict", "says"} <= row.keys()
    events = (practice.ws.run(copied) / "events.jsonl").read_bytes()
    assert ask("robustness", copied) == (0, said) and (practice.ws.run(copied) / "events.jsonl").read_bytes() == events
    assert ask("show", copied)[1]["robustness"] == said["robustness"]
    assert cli.main(["robustness", copied, "--home", str(practice.ws.home)]) == 0


def test_a_run_is_evaluated_on_another_cohort(
    ask: Ask, practice: Practice, copied: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_pictures(tmp_path / "other", per_class=8, seed=40)
    (folder / "malignant").rename(folder / "malig")
    other = ask("cohort", "add", folder, "--name", "Other")[1]["id"]
    assert '--map "malig=malignant"' in fails(ask, "evaluate", copied, other)["advice"]
    assert "made of" in fails(ask, "evaluate", copied, practice.cohort.id)["error"]
    fails(ask, "evaluate", copied)
    fails(ask, "evaluate", copied, other, "--map", "malig")
    code, said = ask("evaluate", copied, "--cohort", other, "--map", "malig=malignant")
    assert code == 0 and said["run"] == copied and said["external"]["counts"] == {"benign": 8, "malignant": 8}
    assert {"auroc", "sensitivity", "specificity"} <= {one["name"] for one in said["estimates"]}
    assert said["threshold"] == ask("show", copied)[1]["threshold"]
    assert Path(said["external"]["predictions"]).read_text().count("external") == 16
    assert ask("show", copied)[1]["externals"][0]["cohort"] == other
    words = ["evaluate", copied, other, "--map", "malig=malignant", "--home", str(practice.ws.home)]
    assert cli.main(words) == 0 and "External test on 'Other': 16 images" in capsys.readouterr().out
    assert ask("cohort", "delete", other)[0] == 0
    assert ask("evaluate", copied, other) == (0, said), "what was found can be read when the cohort is gone"
    fails(ask, "evaluate", copied, other, "--again")


@pytest.fixture
def copied(practice: Practice) -> Iterator[str]:
    """A run like the finished probe, of which something may be asked."""
    id = "r-copied"
    shutil.copytree(practice.folder, practice.ws.run(id))
    said = (practice.ws.run(id) / "recipe.json").read_text()
    (practice.ws.run(id) / "recipe.json").write_text(said.replace(practice.run, id))
    yield id
    store.delete(practice.ws, id)


HOSTILE = ["r-0", "../cohorts", "/etc/passwd", "a b", ".", "", "r-%2e%2e", "'; --"]


@pytest.mark.parametrize(
    "command", ["show", "stop", "resume", "delete", "predict", "export", "cross-validate", "robustness", "evaluate"]
)
def test_an_unknown_and_a_hostile_run_are_answered_alike(ask: Ask, command: str, tmp_path: Path) -> None:
    more = {"predict": [tmp_path], "export": ["--as-source", tmp_path / "x"], "evaluate": ["0" * 12]}.get(command, [])
    said = [fails(ask, command, run, *more) for run in HOSTILE]
    assert said == [{"error": "There is no such run.", "advice": "Pick one from the Library."}] * len(HOSTILE)


@pytest.mark.parametrize("command", ["show", "delete", "edit"])
def test_an_unknown_and_a_hostile_cohort_are_answered_alike(ask: Ask, command: str) -> None:
    said = [fails(ask, "cohort", command, id) for id in HOSTILE]
    assert len({answer["error"] for answer in said}) == 1


# ---- predictions ----------------------------------------------------------------------------------------------------


def test_many_images_become_a_table(ask: Ask, practice: Practice, tmp_path: Path) -> None:
    for n, case in enumerate(practice.cohort.split.test[:4] * 5):
        name = f"=p{n:02}.png" if n == 3 else f"p{n:02}.png"
        (tmp_path / "set" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "set" / name).write_bytes(practice.original(case).read_bytes())
    (tmp_path / "set" / "empty.png").write_bytes(b"")
    table = tmp_path / "out" / "answers.csv"
    code, said = ask("predict", practice.run, tmp_path / "set", "--csv", table, "--no-log")
    assert code == 0 and said["csv"] == str(table) and said["images"] == 21 and said["unreadable"] == 1
    assert said["answered"] + said["undecided"] + said["refused"] == 20 and not said["stopped"]
    assert set(said["frozen"]) >= {"gate", "word", "threshold", "set_error", "reached"}
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows][:2] == ["'=p03.png", "empty.png"] and len(rows) == 21
    assert all(len(row["sha256"]) == 64 and row["says"] for row in rows if row["predicted"])


def test_a_diary_is_shown_read_switched_and_deleted(ask: Ask, practice: Practice) -> None:
    from medtl.runs import diary

    diary.delete(practice.folder)
    file = practice.original(practice.cohort.split.train[0])
    _, said = ask("predict", practice.run, file)
    one = said["predictions"][0]
    _, log = ask("log", practice.run, "--read", f"{one['sha256']}=benign")
    assert log["answers"] == 1 and log["on"] and log["images"] == 0  # a case of the cohort proves nothing
    _, log = ask("log", practice.run, "--off", "--delete")
    assert not log["on"] and log["deleted_bytes"] > 0 and log["answers"] == 0
    assert ask("log", practice.run, "--on")[1]["on"]
    fails(ask, "log", practice.run, "--read", f"{'0' * 64}=benign")


def test_predictions_come_with_a_picture_of_where_it_looked(ask: Ask, practice: Practice, tmp_path: Path) -> None:
    files = [practice.original(case) for case in practice.cohort.split.test[:3]]
    (tmp_path / "note.txt").write_text("no picture")
    words = ("predict", practice.run, *files, tmp_path / "note.txt", "--explain")
    code, said = ask(*words, "gradcam", "--out", tmp_path / "maps")
    assert code == 0 and said["run"] == practice.run and len(said["predictions"]) == 4
    for answer, file in zip(said["predictions"], [*files, tmp_path / "note.txt"], strict=True):
        assert set(answer) >= {"file", "predicted", "scores", "set", "accepted", "why_not", "explanation"}
        assert answer["file"] == file.name
    drawn = [answer["explanation"] for answer in said["predictions"] if answer["explanation"]]
    assert drawn and sorted(map(Path, drawn)) == sorted((tmp_path / "maps").iterdir())
    for path in drawn:
        with Image.open(path) as picture:
            assert picture.format == "PNG" and picture.size == (64, 64)
    assert said["predictions"][3]["predicted"] is None and said["predictions"][3]["why_not"]
    assert "benign, malignant" in fails(ask, *words, "cat", "--out", tmp_path)["advice"]
    fails(ask, "predict", practice.run, tmp_path / "gone.png")


def test_a_run_is_exported_as_a_source(ask: Ask, practice: Practice, tmp_path: Path) -> None:
    code, said = ask("export", practice.run, "--as-source", tmp_path / "out")
    assert code == 0 and said["available"] and (tmp_path / "out" / "card.toml").exists()
    assert "is there already" in fails(ask, "export", practice.run, "--as-source", tmp_path / "out")["error"]
    code, got = ask("source", "add", tmp_path / "out", "--title", "Given away")
    assert code == 0 and got["id"] == "given-away" and got["available"] and "left out" not in got["report"]
    assert ask("source", "delete", got["id"])[0] == 0
    (tmp_path / "card.toml").write_text("{")
    fails(ask, "export", practice.run, "--as-source", tmp_path / "o2", "--card", tmp_path / "card.toml")


# ---- the process itself ---------------------------------------------------------------------------------------------


def shell(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "medtl", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_a_shell_gets_one_object_and_the_exit_code(practice: Practice) -> None:
    good = shell("--json", "--home", practice.ws.home, "show", practice.run)
    assert good.returncode == 0 and json.loads(good.stdout)["run"] == practice.run
    bad = shell("show", "r-0", "--json", "--home", practice.ws.home)
    assert bad.returncode == 2 and json.loads(bad.stdout)["error"] == "There is no such run."
    assert bad.stderr.strip() == "There is no such run. Pick one from the Library."
    plain = shell("show", practice.run, "--home", practice.ws.home)
    assert plain.returncode == 0 and "auroc" in plain.stdout and not plain.stdout.startswith("{")
    assert shell("no-such-command").returncode == 2


def test_the_doctor_answers(ask: Ask) -> None:
    code, said = ask("doctor")
    assert code == 0 and said["ok"] is True and said["problems"] == []
    assert {"versions", "device", "decoders", "disk_free_gb", "limits", "home"} <= set(said)


def test_something_unexpected_is_a_sentence(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr("medtl.runs.store.runs", broken)
    code, said = ask("runs")
    assert code == 1 and "unexpected" in said["error"] and "MEDTL_DEBUG" in said["advice"]


@pytest.mark.parametrize("words", [["cohort", "list"], ["sources"], ["strategies"], ["runs"]])
def test_every_list_reads_without_json(
    words: list[str], practice: Practice, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*words, "--home", str(practice.ws.home)]) == 0
    assert capsys.readouterr().out.strip()


# ---- time -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "seconds"), [(None, 0), ("600", 600), ("90s", 90), ("10m", 600), ("1.5h", 5400)])
def test_a_length_of_time_is_read_as_people_write_it(text: str | None, seconds: float) -> None:
    assert typed.seconds(text) == seconds


def test_plan_and_recommend_say_what_a_budget_means(ask: Ask, practice: Practice) -> None:
    what = (practice.cohort.id, "--source", practice.source)
    code, said = ask("plan", *what, "--strategy", "fine-tune", "--set", "epochs=100", "--budget", "5s")
    assert (
        code == 0 and "5 seconds are given" in said["budget"] and said["basis"] in ("guess", "calibrated", "measured")
    )
    assert ask("plan", *what, "--strategy", "fine-tune", "--budget", "24h")[1]["budget"] == ""
    assert ask("plan", *what, "--strategy", "fine-tune")[1]["budget"] == ""
    code, said = ask("recommend", *what, "--budget", "1")
    assert code == 0 and said["seconds"] > 1 and said["budget"] and said["cost"]
    fails(ask, "plan", *what, "--strategy", "fine-tune", "--budget", "soon")
    fails(ask, "train", *what, "--strategy", "fine-tune", "--budget", "1s")


def test_strategies_and_runs_can_be_read_without_json(practice: Practice, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["strategies", "--home", str(practice.ws.home)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[:1] == ["linear-probe"] and "Train only the last layer" in line for line in lines)
    assert all(len(line) <= 120 and "{" not in line for line in lines)
    assert cli.main(["runs", "--home", str(practice.ws.home)]) == 0
    shown = capsys.readouterr().out
    assert practice.run in shown and "finished" in shown and "AUROC" in shown and "{" not in shown
