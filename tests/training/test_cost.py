"""How long it will take: more work is more time, and what this computer did before counts."""

from dataclasses import replace
from pathlib import Path

import pytest

from medtl.sources.builders import BUILDERS
from medtl.strategies import STRATEGIES, make
from medtl.training import cost
from medtl.training.machine import Machine, cores, describe, machine
from medtl.vocabulary import InputSpec, Rate, Solve, Source, Train
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
        one[epochs] = cost.work(cohort(), source.outline, plan).total
    assert one[3] - one[2] == pytest.approx(one[2] - one[1])
    assert one[1] > 0


def test_work_is_told_apart_by_whether_it_goes_back() -> None:
    outline, count = published().outline, cohort(40)
    everyone, n = len(count.cases) * outline.gflop, len(count.split.train)
    assert cost.work(count, outline, (Solve("", (1.0,)),)) == cost.Work(everyone)
    assert cost.work(count, outline, (Solve("", (1.0,)),), known=len(count.cases)) == cost.Work()
    head = Train("", 5, (Rate("head", 1e-3),))
    assert cost.work(count, outline, (Solve("", (1.0,)), head)).training == 0
    every = Train("", 5, tuple(Rate(stage.name, 1e-3) for stage in outline.stages))
    found = cost.work(count, outline, (every,))
    assert found.training == pytest.approx(5 * n * 3 * outline.gflop)
    assert found.forward == pytest.approx(5 * len(count.split.tune) * outline.gflop + everyone)
    last = Train("", 5, (Rate(outline.stages[-1].name, 1e-3),))
    kept = replace(last, views=2)
    assert cost.training(count, outline, kept).training == cost.training(count, outline, last).training
    assert cost.training(count, outline, kept).forward < cost.training(count, outline, last).forward
    assert (
        cost.training(count, outline, replace(every, what="norms")).training
        < cost.training(count, outline, every).training
    )


def test_what_was_measured_is_leaned_on(ws: Workspace) -> None:
    guess = seconds(ws, "fine-tune")
    plan = make("fine-tune").plan(published().outline, 2)
    assert "first guess" in cost.estimate(ws, cohort(100), published(), plan).says
    cost.remember(ws, published(), gflop=30.0, seconds=10.0)
    half = cost.estimate(ws, cohort(100), published(), plan)
    assert half.basis == "guess" and half.seconds > guess  # the pace of training is not known yet
    cost.remember(ws, published(), gflop=20.0, seconds=10.0, kind="training")
    slow = cost.estimate(ws, cohort(100), published(), plan)
    assert slow.measured and "measured" in slow.says and slow.seconds > half.seconds
    cost.remember(ws, published(), gflop=3e5, seconds=10.0)
    cost.remember(ws, published(), gflop=3e5, seconds=10.0, kind="training")
    assert seconds(ws, "fine-tune") < slow.seconds
    assert not cost.estimate(ws, cohort(100), published("resnet50"), plan).measured
    smaller = replace(published(), input=InputSpec(size=96))
    assert not cost.estimate(ws, cohort(100), smaller, plan).measured


def test_a_run_counts_more_than_a_calibration(ws: Workspace) -> None:
    plan = make("linear-probe").plan(published().outline, 2)

    def now() -> cost.Cost:
        return cost.estimate(ws, cohort(100), published(), plan)

    cost.remember(ws, published(), 100.0, 10.0, basis="calibrated")
    assert now().basis == "calibrated" and "tried out" in now().says
    cost.remember(ws, published(), 30.0, 10.0)
    assert now().basis == "measured" and cost.speed_of(ws, published()).forward == pytest.approx(3.0)
    cost.remember(ws, published(), 100.0, 10.0, basis="calibrated")
    assert cost.speed_of(ws, published()).forward == pytest.approx(3.0)


def test_the_rest_of_a_run_is_learned_as_well(ws: Workspace) -> None:
    before = seconds(ws, "linear-probe")
    cost.remember_rest(ws, 1.0)
    cost.remember_rest(ws, 2.0)
    assert seconds(ws, "linear-probe") == pytest.approx(before - cost._REST + 1.5)


def test_the_pace_of_training_is_that_of_the_stages_that_train(ws: Workspace) -> None:
    source = published()
    cost.remember(ws, source, gflop=1000.0, seconds=10.0)
    every = Train("", 1, tuple(Rate(stage.name, 1e-3) for stage in source.outline.stages))
    assert cost.trained(ws, source, every, 10, 50.0) == (pytest.approx(30 * source.outline.gflop), 50.0)
    last = replace(every, rates=every.rates[-1:])
    below, moving = cost.divided(source.outline, last)
    took = 10 * below / 100 + 4.0
    assert cost.trained(ws, source, last, 10, took)[1] == pytest.approx(4.0)
    assert cost.trained(ws, source, replace(last, views=2), 10, 4.0) == (pytest.approx(30 * moving), 4.0)
    assert cost.trained(ws, source, last, 1000, 10 * below) == (0.0, 0.0)


def test_a_glimpse_is_not_a_measurement(ws: Workspace) -> None:
    cost.remember(ws, published(), gflop=30.0, seconds=0.5)
    cost.remember(ws, published(), gflop=0.0, seconds=50.0)
    assert not ws.speed_file.exists()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"cpu:resnet18": 3}', '{"cpu:resnet18@224:forward": ["fast", "measured"]}',
             '{"cpu:resnet18@224:forward": [0, "measured"]}', '{"cpu:resnet18@224:forward": [3, "dreamt"]}',
             '{"cpu:resnet18@224:forward": [NaN, "measured"]}']
)  # fmt: skip
def test_a_damaged_note_is_a_guess_again(ws: Workspace, text: str) -> None:
    ws.speed_file.write_text(text)
    plan = make("linear-probe").plan(published().outline, 2)
    assert not cost.estimate(ws, cohort(), published(), plan).measured
    cost.remember(ws, published(), gflop=30.0, seconds=10.0)
    assert cost.estimate(ws, cohort(), published(), plan).measured


def test_what_a_budget_means_is_a_sentence(ws: Workspace) -> None:
    def over(strategy: str, budget: float) -> str:
        plan = make(strategy).plan(published().outline, 2)
        return cost.estimate(ws, cohort(1000), published(), plan).over(budget)

    whole, plan = seconds(ws, "fine-tune", 1000), make("fine-tune").plan(published().outline, 2)
    first = cost.estimate(ws, cohort(1000), published(), plan).first
    assert 0 < first < whole
    assert over("fine-tune", 0) == over("fine-tune", whole + 1) == ""
    assert "the best until then" in over("fine-tune", first + 1)
    assert "only the last layer" in over("fine-tune", first - 1)
    assert "nothing to keep" in over("from-scratch", 10)
    assert "not cut short" in over("linear-probe", 1)
    assert "10 minutes are given" in cost.Cost(1000.0, first=20.0).over(600)


@pytest.mark.parametrize("id", STRATEGIES.ids)
def test_every_estimate_is_a_sentence(ws: Workspace, id: str) -> None:
    plan = make(id).plan(published().outline, 2)
    said = cost.estimate(ws, cohort(), published(), plan)
    assert said.seconds > 0 and said.says.startswith("about ")


def test_an_unknown_cost_still_has_a_length() -> None:
    outline = image_network().outline()  # no GFLOP known
    assert cost.work(cohort(), outline, make("fine-tune").plan(outline, 2)) == cost.Work()


def test_seconds_are_said_as_people_say_them() -> None:
    said = {s: cost.in_words(s) for s in (0.1, 12, 49, 60, 90, 150, 3599, 5500, 36000)}
    assert said[0.1] == "about 5 seconds" and said[12] == "about 10 seconds" and said[60] == "about a minute"
    assert cost.exactly(90) == "90 seconds" and cost.exactly(600) == "10 minutes" and cost.exactly(7200) == "2 hours"
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
