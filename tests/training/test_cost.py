"""How long it will take: more work is more time, and what this computer did before counts."""

import dataclasses
from pathlib import Path

import pytest

from medtl.sources.builders import BUILDERS
from medtl.strategies import STRATEGIES, make
from medtl.training import cost
from medtl.training.machine import Machine, cores, describe, machine
from medtl.vocabulary import Source
from medtl.workspace import Workspace
from tests.builders import cohort, image_network


@pytest.fixture
def ws(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path).ensure()


def published(builder: str = "resnet18") -> Source:
    from tests.builders import source

    return source(BUILDERS[builder].outline, builder=builder)


def seconds(ws: Workspace, strategy: str, train: int = 100, source: Source | None = None, **settings: object) -> float:
    source = source or published()
    plan = make(strategy, settings).plan(source.outline, 2)
    return cost.estimate(ws, cohort(train), source, plan).seconds


def test_more_work_takes_longer(ws: Workspace) -> None:
    assert seconds(ws, "fine-tune", epochs=2) < seconds(ws, "fine-tune", epochs=20)
    assert seconds(ws, "fine-tune", train=100) < seconds(ws, "fine-tune", train=1000)
    assert seconds(ws, "linear-probe") < seconds(ws, "fine-tune")
    assert seconds(ws, "freeze-first", freeze=4) < seconds(ws, "freeze-first", freeze=0)
    assert seconds(ws, "linear-probe") < seconds(ws, "linear-probe", source=published("vit_b_16"))


def test_work_grows_in_step_with_the_epochs() -> None:
    source, one = published(), {}
    for epochs in (1, 2, 3):
        plan = make("from-scratch", {"epochs": epochs}).plan(source.outline, 2)
        one[epochs] = cost.work(cohort(), source.outline, plan)
    assert one[3] - one[2] == pytest.approx(one[2] - one[1])
    assert one[1] > 0


def test_kept_views_cost_the_frozen_stages_once() -> None:
    source = published()

    def work(**changes: object) -> float:
        step = make("last-stage", {"epochs": 10, "views": 2}).plan(source.outline, 2)[-1]
        return cost.work(cohort(100), source.outline, (dataclasses.replace(step, **changes),))  # type: ignore[arg-type]

    assert work() < work(views=4) < work(views=0)
    frozen = sum(stage.gflop for stage in source.outline.stages[:-1])
    assert work(views=4) - work() == pytest.approx(2 * 100 * frozen)


def test_few_values_are_no_less_work(ws: Workspace) -> None:
    assert seconds(ws, "norms") == seconds(ws, "ema") and seconds(ws, "last-stage") < seconds(ws, "norms") / 2
    assert seconds(ws, "gradual") > seconds(ws, "last-stage")


def test_what_was_measured_is_leaned_on(ws: Workspace) -> None:
    guess = seconds(ws, "fine-tune")
    plan = make("fine-tune").plan(published().outline, 2)
    assert "first guess" in cost.estimate(ws, cohort(100), published(), plan).says
    cost.remember(ws, "resnet18", gflop=30.0, seconds=10.0)
    slow = cost.estimate(ws, cohort(100), published(), plan)
    assert slow.measured and "measured" in slow.says and slow.seconds > guess
    cost.remember(ws, "resnet18", gflop=3e5, seconds=10.0)
    assert seconds(ws, "fine-tune") < slow.seconds
    assert not cost.estimate(ws, cohort(100), published("resnet50"), plan).measured


def test_a_glimpse_is_not_a_measurement(ws: Workspace) -> None:
    cost.remember(ws, "resnet18", gflop=30.0, seconds=0.5)
    cost.remember(ws, "resnet18", gflop=0.0, seconds=50.0)
    assert not ws.speed_file.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"cpu:resnet18": "fast"}', '{"cpu:resnet18": 0}'])
def test_a_damaged_note_is_a_guess_again(ws: Workspace, text: str) -> None:
    ws.speed_file.write_text(text)
    plan = make("linear-probe").plan(published().outline, 2)
    assert not cost.estimate(ws, cohort(), published(), plan).measured
    cost.remember(ws, "resnet18", gflop=30.0, seconds=10.0)
    assert cost.estimate(ws, cohort(), published(), plan).measured


@pytest.mark.parametrize("id", STRATEGIES.ids)
def test_every_estimate_is_a_sentence(ws: Workspace, id: str) -> None:
    plan = make(id).plan(published().outline, 2)
    said = cost.estimate(ws, cohort(), published(), plan)
    assert said.seconds > 0 and said.says.startswith("about ")


def test_an_unknown_cost_still_has_a_length() -> None:
    outline = image_network().outline()  # no GFLOP known
    assert cost.work(cohort(), outline, make("fine-tune").plan(outline, 2)) == 0


def test_seconds_are_said_as_people_say_them() -> None:
    said = {s: cost.in_words(s) for s in (0.1, 12, 49, 60, 90, 150, 3599, 5500, 36000)}
    assert said[0.1] == "about 5 seconds" and said[12] == "about 10 seconds" and said[60] == "about a minute"
    assert said[150] == "about 2 minutes" and said[5500] == "about 2 hours" and said[36000] == "about 10 hours"


# ---- the machine ----------------------------------------------------------------------------------------------------


def test_the_machine_can_be_described() -> None:
    assert cores() >= 1 and describe() == machine().describe()
    assert Machine(1).describe() == "1 CPU core, no GPU"
    assert Machine(8, "NVIDIA X", 40.4).describe() == "NVIDIA X, 40 GB free"


@pytest.mark.parametrize("answer", ["echo", "exit 1", "echo no comma here", "echo name, much"])
def test_a_driver_that_cannot_be_asked_is_no_gpu(answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{answer}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert machine.__wrapped__().gpu == ""


def test_a_gpu_is_named_with_its_free_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA H200, 142336'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert machine.__wrapped__().describe() == "NVIDIA H200, 139 GB free"
