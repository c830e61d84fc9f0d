"""Carrying out a plan: resuming to the same weights, memory, numbers that are none, stopping, keeping the best."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from medtl.errors import MedtlError
from medtl.evaluation.ranking import macro_auroc
from medtl.sources.network import Network
from medtl.strategies import make
from medtl.training.checkpoint import Checkpoint
from medtl.training.descent import Descent, Setting
from medtl.training.examples import Examples, Fitted, Stopped, Unlabelled
from medtl.training.features import FeatureCache
from medtl.training.head import log_loss
from medtl.training.inference import Eye, Looks, head_scores
from medtl.training.tensors import look
from medtl.training.views import Live
from medtl.vocabulary import Blend, Look, NewHead, Penalty, Plan, PseudoLabel, Rate, Solve, Train
from tests.builders import CPU, PICTURES, Heard, easy_examples, engine, image_network, same_state, state_of

HEAD = NewHead("Put a new head on.")
HIDDEN = NewHead("Put a hidden head on.", hidden=12, dropout=0.4)
SOLVE = Solve("Fit it.", strengths=(0.01, 0.1, 1.0))
WEAK = Solve("Fit it loosely, so that there is something left to gain.", strengths=(1e-5,))


def train(epochs: int = 4, rate: float = 3e-3, **more: Any) -> Train:
    rates = tuple(Rate(name, rate) for name in ("stage 2", "stage 3", "head"))
    facts: dict[str, Any] = {"epochs": epochs, "rates": rates, "batch": 16, "augment": "mild", "patience": 99}
    return Train("Train it.", **facts | more)


def setting(examples: Examples, heard: Heard | None = None) -> Setting:
    """Where a training step is carried out by itself."""
    return Setting(examples, PICTURES, CPU, 3, heard or Heard())


def carried_out(plan: Plan, heard: Heard | None = None, **more: Any) -> tuple[Fitted, dict[str, torch.Tensor]]:
    fitted = engine(more.pop("examples", easy_examples()), PICTURES, heard, **more).carry_out(image_network(), plan)
    return fitted, state_of(fitted.network)


# ---- the same recipe twice ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plan", [(HEAD, WEAK, train()), (HIDDEN, train(adapt_batchnorm=True))], ids=["fine", "hidden"])
def test_the_same_seed_gives_the_same_weights_and_another_does_not(plan: Plan) -> None:
    assert same_state(carried_out(plan)[1], carried_out(plan)[1])
    assert not same_state(carried_out(plan)[1], carried_out(plan, seed=4)[1])


class Killed(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("after", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "plan",
    [(HEAD, WEAK, train(adapt_batchnorm=True)), (HIDDEN, train(balanced=True, augment="with flips"))],
    ids=["fine-tune", "hidden-dropout-balanced"],
)
def test_killed_after_any_epoch_it_resumes_to_the_same_weights(plan: Plan, after: int, tmp_path: Path) -> None:
    whole = Heard()
    _, wanted = carried_out(plan, whole)
    assert any(e["best"] for e in whole.epochs)

    def kill(epoch: int) -> None:
        if epoch == after:
            raise Killed

    with pytest.raises(Killed):
        carried_out(plan, Heard(after_epoch=kill), checkpoint=Checkpoint(tmp_path / "checkpoint"))
    torch.manual_seed(99)  # a new process has another state
    heard = Heard()
    _, got = carried_out(plan, heard, checkpoint=Checkpoint(tmp_path / "checkpoint"))
    assert same_state(wanted, got)
    assert [e["epoch"] for e in heard.epochs] == list(range(after + 1, 5))
    assert [e["tune_loss"] for e in heard.epochs] == [e["tune_loss"] for e in whole.epochs[after:]]
    assert not heard.notes


def killed_run(folder: Path, plan: Plan) -> None:
    def kill(epoch: int) -> None:
        if epoch == 2:
            raise Killed

    with pytest.raises(Killed):
        carried_out(plan, Heard(after_epoch=kill), checkpoint=Checkpoint(folder))


def cut(folder: Path) -> None:
    file = next(folder.glob("*.pt"))
    file.write_bytes(file.read_bytes()[:100])


def flip(folder: Path) -> None:
    file = next(folder.glob("*.pt"))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


DAMAGES: dict[str, Any] = {
    "cut": cut,
    "one bit": flip,
    "gone": lambda folder: next(folder.glob("*.pt")).unlink(),
    "pointer half": lambda folder: (folder / "checkpoint.json").write_text('{"file": "ste'),
    "pointer empty": lambda folder: (folder / "checkpoint.json").write_text(""),
    "pointer other": lambda folder: (folder / "checkpoint.json").write_text("[]"),
    "pointer keys": lambda folder: (folder / "checkpoint.json").write_text("{}"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_said_and_training_starts_again(damage: str, tmp_path: Path) -> None:
    plan: Plan = (HEAD, WEAK, train(3))
    folder = tmp_path / "checkpoint"
    killed_run(folder, plan)
    DAMAGES[damage](folder)
    heard = Heard()
    _, got = carried_out(plan, heard, checkpoint=Checkpoint(folder))
    assert len(heard.notes) == 1 and "damaged" in heard.notes[0] and "first epoch" in heard.notes[0]
    assert [e["epoch"] for e in heard.epochs] == [1, 2, 3]
    assert same_state(got, carried_out(plan)[1])


def test_a_checkpoint_of_another_network_starts_again_from_the_weights_it_had(tmp_path: Path) -> None:
    killed_run(tmp_path / "c", (HIDDEN, train(3)))
    plan: Plan = (HEAD, train(3))
    heard = Heard()
    _, got = carried_out(plan, heard, checkpoint=Checkpoint(tmp_path / "c"))
    assert "damaged" in heard.notes[0]
    assert same_state(got, carried_out(plan)[1])


def test_the_newest_checkpoint_is_the_only_one_kept(tmp_path: Path) -> None:
    carried_out((HEAD, train(3)), checkpoint=Checkpoint(tmp_path / "c"))
    assert sorted(f.name for f in (tmp_path / "c").iterdir()) == ["checkpoint.json", "step-1-epoch-3.pt"]
    assert json.loads((tmp_path / "c" / "checkpoint.json").read_text())["schema_version"] == 1


# ---- memory ---------------------------------------------------------------------------------------------------------


def only_so_many(monkeypatch: pytest.MonkeyPatch, most: int) -> list[int]:
    """A device on which no more than `most` images fit; returns the sizes that were tried."""
    tried: list[int] = []
    training = Live.training

    def limited(self: Any, indices: np.ndarray, generator: torch.Generator) -> torch.Tensor:
        tried.append(len(indices))
        if len(indices) > most:
            raise torch.OutOfMemoryError
        return training(self, indices, generator)

    monkeypatch.setattr(Live, "training", limited)
    return tried


def test_when_memory_is_full_the_chunk_is_halved_and_the_result_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    plan: Plan = (HEAD, WEAK, train(2, augment="none"))
    _, wanted = carried_out(plan)
    tried = only_so_many(monkeypatch, 2)
    heard = Heard()
    fitted, got = carried_out(plan, heard)
    assert not fitted.stopped and len(heard.epochs) == 2
    assert [note for note in heard.notes if "memory was full" in note] == heard.notes and len(heard.notes) == 2
    assert "2 images" in heard.notes[-1]
    assert tried[:3] == [8, 4, 2] and max(tried[3:]) == 2  # learned once, not at every batch
    for key, value in wanted.items():
        assert torch.allclose(value.float(), got[key].float(), atol=1e-4), key


def test_the_gradient_does_not_depend_on_the_chunk() -> None:
    def gradient(chunk: int) -> list[torch.Tensor]:
        network = image_network()
        step = train(1, augment="none")
        training = Descent(setting(easy_examples()), network, step, 0, {})
        training.chunk = chunk
        training._batch(np.arange(13), torch.Generator())
        return [p.grad.clone() for p in network.parameters() if p.grad is not None]

    whole = gradient(13)
    for chunk in (1, 4, 8):
        for one, other in zip(gradient(chunk), whole, strict=True):
            assert torch.allclose(one, other, atol=1e-6)


def test_not_even_one_image_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    only_so_many(monkeypatch, 0)
    with pytest.raises(MedtlError) as error:
        carried_out((HEAD, train(1)))
    assert "memory" in error.value.message and error.value.advice


# ---- numbers that are none ------------------------------------------------------------------------------------------


def not_a_number_from(monkeypatch: pytest.MonkeyPatch, epoch: int, steps: int) -> None:
    """The loss of the second step of `epoch` is not a number."""
    chunk = Descent._chunk
    calls = {"n": 0}

    def spoiled(self: Any, indices: np.ndarray, whole: int, generator: torch.Generator) -> float:
        loss = chunk(self, indices, whole, generator)
        calls["n"] += 1
        return math.nan if calls["n"] > (epoch - 1) * steps + 2 else loss

    monkeypatch.setattr(Descent, "_chunk", spoiled)


def test_a_loss_that_is_no_number_ends_training_and_the_best_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    examples = easy_examples()
    chunks = sum(math.ceil(len(b) / 8) for b in np.array_split(examples.train, math.ceil(len(examples.train) / 16)))
    _, wanted = carried_out((HEAD, train(6, warmup=0.0)), examples=examples)
    not_a_number_from(monkeypatch, 3, chunks)
    heard = Heard()
    fitted, got = carried_out((HEAD, train(6, warmup=0.0)), heard, examples=examples)
    assert "diverged" in fitted.stopped and "epoch 3 of 6" in fitted.stopped
    assert [e["epoch"] for e in heard.epochs] == [1, 2]
    best = max(e["epoch"] for e in heard.epochs if e["best"])
    assert f"epoch {best} had learned is kept" in fitted.stopped
    assert all(torch.isfinite(value).all() for value in got.values())
    assert not same_state(wanted, got)


def test_diverging_at_once_keeps_the_fitted_head(monkeypatch: pytest.MonkeyPatch) -> None:
    _, probe = carried_out((HEAD, SOLVE))
    not_a_number_from(monkeypatch, 1, 1)
    fitted, got = carried_out((HEAD, SOLVE, train(3)))
    assert "last layer as fitted before is kept" in fitted.stopped
    assert same_state(probe, got)


@pytest.mark.parametrize("head", [HEAD, HIDDEN], ids=["linear", "hidden"])
def test_diverging_at_once_with_a_fresh_head_is_an_error_with_advice(
    monkeypatch: pytest.MonkeyPatch, head: NewHead
) -> None:
    not_a_number_from(monkeypatch, 1, 1)
    with pytest.raises(MedtlError) as error:
        carried_out((head, train(3)))
    assert "diverged" in error.value.message and "learning rate" in error.value.advice


def test_a_rate_that_is_far_too_high_never_leaves_worse_than_the_fitted_head() -> None:
    _, probe = carried_out((HEAD, SOLVE))
    heard = Heard()
    fitted, got = carried_out((HEAD, SOLVE, train(3, rate=50.0)), heard)
    assert all(torch.isfinite(value).all() for value in got.values())
    assert not any(e["best"] for e in heard.epochs) and same_state(probe, got)
    assert fitted.features is not None  # still those of the source


# ---- stopping -------------------------------------------------------------------------------------------------------


def test_a_stop_in_the_middle_keeps_the_best_epoch() -> None:
    def later(heard: Heard) -> bool:
        return len(heard.epochs) == 3 and len(heard.steps) > 3 * 4 + 1

    kept: dict[int, dict[str, torch.Tensor]] = {}
    network = image_network()
    heard = Heard(when=later, after_epoch=lambda epoch: kept.update({epoch: state_of(network)}))
    fitted = engine(easy_examples(), heard=heard).carry_out(network, (HEAD, train(50)))
    best = max(e["epoch"] for e in heard.epochs if e["best"])
    assert fitted.stopped == f"You asked to stop in epoch 4 of 50; what epoch {best} had learned is kept."
    trunk = {key for key in kept[best] if key.startswith("trunk.")}
    assert same_state(*({key: state[key] for key in trunk} for state in (kept[best], state_of(network))))
    # The kept head is the one of that epoch at the temperature that suits the tune part: one factor for all of it.
    factors = state_of(network)["head.weight"] / kept[best]["head.weight"]
    assert torch.allclose(factors, factors.flatten()[0].expand_as(factors), rtol=1e-4)


def test_a_stop_before_anything_was_learned_leaves_nothing() -> None:
    for head in (HEAD, HIDDEN):
        with pytest.raises(Stopped):
            carried_out((head, train()), Heard(when=lambda heard: True))
    with pytest.raises(Stopped):  # while the features are worked out
        carried_out((HEAD, SOLVE), Heard(when=lambda heard: True))


def test_a_stop_in_the_first_epoch_keeps_the_fitted_head() -> None:
    fitted, got = carried_out((HEAD, SOLVE, train()), Heard(when=lambda heard: bool(heard.steps)))
    assert "asked to stop in epoch 1" in fitted.stopped and "as fitted before is kept" in fitted.stopped
    assert same_state(got, carried_out((HEAD, SOLVE))[1])
    assert fitted.features is not None


def test_no_step_is_carried_out_after_a_stop() -> None:
    heard = Heard(when=lambda heard: len(heard.epochs) == 1)
    fitted, _ = carried_out((HEAD, train(3), train(3)), heard)
    assert fitted.stopped and len(heard.epochs) == 1


# ---- early stopping, sampling, rates --------------------------------------------------------------------------------


def test_training_ends_when_the_tune_part_has_not_improved_for_so_long() -> None:
    heard = Heard()
    fitted, _ = carried_out((HEAD, SOLVE, train(30, rate=1e-12, patience=3, augment="none")), heard)
    losses = [e["tune_loss"] for e in heard.epochs]
    assert not fitted.stopped
    assert len(losses) == 1 + losses.index(min(losses)) + 3 < 30  # counted from the best epoch, not the fitted head


def test_the_kept_epoch_is_the_one_of_least_tune_loss() -> None:
    heard = Heard()
    carried_out((HEAD, train(8, rate=2e-2)), heard)
    losses = [e["tune_loss"] for e in heard.epochs]
    assert [e["best"] for e in heard.epochs] == [loss < min([math.inf, *losses[:i]]) for i, loss in enumerate(losses)]


def test_balanced_sampling_shows_each_class_equally_often() -> None:
    examples = easy_examples(n=400)
    rare = examples.labels[examples.train] == 1
    few = np.concatenate([examples.train[~rare], examples.train[rare][:12]])
    examples = Examples(**{**vars(examples), "train": few})

    def shown(balanced: bool) -> float:
        training = Descent(setting(examples), image_network(), train(1, balanced=balanced), 0, {})
        orders = [training._order(torch.Generator().manual_seed(n)) for n in range(20)]
        assert all(len(order) == len(few) and set(order) <= set(few) for order in orders)
        return float(np.mean([examples.labels[order].mean() for order in orders]))

    assert shown(False) == pytest.approx(12 / len(few))
    assert shown(True) == pytest.approx(0.5, abs=0.04)


def test_unbalanced_order_shows_every_case_once() -> None:
    training = Descent(setting(easy_examples()), image_network(), train(1), 0, {})
    order = training._order(torch.Generator().manual_seed(0))
    assert sorted(order) == sorted(easy_examples().train)


def test_the_rate_rises_then_falls_and_each_group_keeps_its_share() -> None:
    step = Train("Train.", 4, (Rate("stage 3", 1e-3), Rate("head", 1e-2)), warmup=0.25)
    training = Descent(setting(easy_examples()), image_network(), step, 0, {})
    seen = []
    for at in range(40):
        training._set_rate(at, 40)
        low, high = (group["lr"] for group in training.optimiser.param_groups)
        assert high == pytest.approx(10 * low)
        seen.append(high)
    assert seen[9] == pytest.approx(1e-2) and max(seen) <= 1e-2 * (1 + 1e-9)
    assert seen[:10] == sorted(seen[:10]) and seen[10:] == sorted(seen[10:], reverse=True)
    assert 0 <= seen[-1] < 1e-3


def test_what_is_told_can_be_drawn() -> None:
    heard = Heard()
    carried_out((HEAD, SOLVE, train(2)), heard)
    assert {"features", "fit"} <= {name for name, _, _ in heard.phases}
    assert all(0 <= done <= total for _, done, total in heard.phases)
    assert all(e["plan_step"] == 2 and e["seconds"] > 0 for e in heard.epochs)
    assert heard.steps[-1]["step"] == heard.steps[-1]["steps"]


# ---- features -------------------------------------------------------------------------------------------------------


def test_a_second_probe_computes_no_features(tmp_path: Path) -> None:
    examples = easy_examples()
    cache = FeatureCache(tmp_path, "abc", PICTURES)
    first, one = carried_out((HEAD, SOLVE), examples=examples, cache=cache)
    taken = examples.inputs.taken  # type: ignore[attr-defined]
    second, other = carried_out((HEAD, SOLVE), examples=examples, cache=cache)
    assert first.computed_features == len(examples.labels) == taken and second.computed_features == 0
    assert examples.inputs.taken == taken  # type: ignore[attr-defined]
    assert same_state(one, other)


def test_noise_never_reaches_the_cache_of_the_source(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, "abc", PICTURES)
    network = image_network()
    plan = (*make("from-scratch", {"epochs": 1}).plan(network.outline(), 2), SOLVE)
    engine(easy_examples(), cache=cache).carry_out(network, plan)
    assert not list(tmp_path.rglob("*.npz"))


def test_a_cpu_device_is_what_these_tests_run_on() -> None:
    assert CPU.name == "cpu" and isinstance(image_network(), Network)


def test_a_result_that_gained_nothing_over_the_fitted_head_says_so() -> None:
    heard = Heard()
    fitted, got = carried_out((HEAD, SOLVE, train(3, rate=1e-12, augment="none")), heard)
    assert "that of training only the last layer" in fitted.outcome and fitted.outcome in heard.notes
    assert same_state(got, carried_out((HEAD, SOLVE))[1])
    assert not carried_out((HEAD, SOLVE))[0].outcome


# ---- several tasks at once ------------------------------------------------------------------------------------------


def two_tasks() -> Any:
    """Four classes: 0 and 1 are told by brightness in the upper or lower rows, 2 and 3 are noise of no label at all."""
    examples = easy_examples(n=160, classes=4)
    return dataclasses.replace(examples, tasks=np.array([0, 0, 1, 1]))


def test_a_case_teaches_only_the_outputs_of_its_own_task() -> None:
    """Train on cases of the first task alone: what the second task's outputs say stays as it began."""
    examples = two_tasks()
    only_first = examples.train[examples.labels[examples.train] < 2]
    examples = dataclasses.replace(examples, train=only_first, tune=only_first)
    network = image_network(4)
    step = train(epochs=2, by_task=True, weight_decay=0.0, rates=(Rate("head", 1e-2),))
    engine(examples).carry_out(network, (HEAD, step))
    alone, together = network.head.state_dict(), image_network(4)
    engine(examples).carry_out(together, (HEAD, dataclasses.replace(step, by_task=False)))
    torch.manual_seed(0)
    begun = image_network(4)
    engine(examples).carry_out(begun, (HEAD, dataclasses.replace(step, epochs=1, rates=(Rate("head", 1e-12),))))
    # The kept head is divided by one temperature for all outputs, so directions are compared, not lengths.
    turned = functional.cosine_similarity(alone["weight"], begun.head.state_dict()["weight"])
    assert turned[2:] == pytest.approx(1, abs=1e-4) and float(turned[:2].min()) < 0.999
    assert (
        float(
            functional.cosine_similarity(state_of(together.head)["weight"], begun.head.state_dict()["weight"])[2:].min()
        )
        < 0.999
    )


def test_each_task_is_judged_among_its_own_classes() -> None:
    examples, heard = two_tasks(), Heard()
    engine(examples, heard=heard).carry_out(image_network(4), (HEAD, SOLVE, train(epochs=3, by_task=True)))
    assert all(math.isfinite(epoch["tune_loss"]) and 0 <= epoch["tune_auroc"] <= 1 for epoch in heard.epochs)
    # Log-loss of two classes each: guessing is log 2, with all four it would be log 4.
    assert heard.epochs[-1]["tune_loss"] < math.log(2)


def test_one_task_is_the_same_as_none() -> None:
    examples = dataclasses.replace(easy_examples(), tasks=np.zeros(2, np.int64))
    plan = (HEAD, WEAK, train(epochs=2))
    by_task = (HEAD, WEAK, train(epochs=2, by_task=True))
    assert same_state(carried_out(plan, examples=examples)[1], carried_out(by_task, examples=examples)[1])


# ---- mixing the source back in --------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_blend_lies_on_the_line_between_source_and_what_was_learned(share: float) -> None:
    source, learned, blended = image_network(), image_network(), image_network()
    plan = (HEAD, SOLVE, train(epochs=2))
    engine(easy_examples()).carry_out(learned, plan)
    fitted = engine(easy_examples()).carry_out(blended, (*plan, Blend("Mix it.", share), SOLVE))
    for key, value in blended.trunk.state_dict().items():
        if value.is_floating_point():
            wanted = (1 - share) * source.trunk.state_dict()[key] + share * learned.trunk.state_dict()[key]
            assert torch.allclose(value, wanted, atol=1e-6), key
    fresh = Eye(blended, PICTURES, CPU).features(easy_examples().inputs.take, np.arange(96))
    assert fitted.features is not None and np.allclose(fitted.features, fresh, atol=1e-5)


# ---- what only some plans ask for -----------------------------------------------------------------------------------


def test_kept_views_cost_one_look_at_each_picture_and_learn_as_well() -> None:
    examples, heard = easy_examples(), Heard()
    step = train(6, augment="none", views=2)
    fitted, _ = carried_out((HEAD, step), heard, examples=examples)
    assert examples.inputs.taken == len(examples.train) + len(examples.tune)  # type: ignore[attr-defined]
    assert not fitted.stopped and heard.epochs[-1]["tune_auroc"] > 0.9
    live = Heard()
    carried_out((HEAD, dataclasses.replace(step, views=0)), live)
    for one, other in zip(heard.epochs, live.epochs, strict=True):  # float16 is all that differs
        assert one["tune_loss"] == pytest.approx(other["tune_loss"], abs=0.02)


def test_no_room_for_views_is_said_and_training_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medtl.training.descent.room_for", lambda size: False)
    heard = Heard()
    fitted, _ = carried_out((HEAD, train(2, views=2)), heard)
    assert not fitted.stopped and len(heard.epochs) == 2
    assert any("no room" in note for note in heard.notes)


def test_the_running_mean_is_what_is_kept() -> None:
    """With a memory near 1 the mean hardly leaves the first steps; the weights themselves do."""
    plain = carried_out((HEAD, SOLVE, train(5, rate=1e-2, augment="none", patience=0)))[1]
    mean = carried_out((HEAD, SOLVE, train(5, rate=1e-2, augment="none", patience=0, ema=0.999)))[1]
    begun = state_of(image_network().trunk)

    def away(state: dict[str, torch.Tensor]) -> float:
        return sum(float((state[f"trunk.{key}"] - value).norm()) for key, value in begun.items() if "weight" in key)

    assert 0 < away(mean) < away(plain)


@pytest.mark.parametrize(
    "changes",
    [{"ema": 0.9}, {"what": "low-rank", "rank": 2}, {"by_gradient": True}, {"views": 2}, {"what": "norms"}],
    ids=str,
)
def test_whatever_the_step_it_resumes_to_the_same_weights(changes: dict[str, Any], tmp_path: Path) -> None:
    plan: Plan = (HEAD, WEAK, train(4, **changes))
    _, wanted = carried_out(plan)
    killed_run(tmp_path / "checkpoint", plan)
    torch.manual_seed(99)
    heard = Heard()
    _, got = carried_out(plan, heard, checkpoint=Checkpoint(tmp_path / "checkpoint"))
    assert same_state(wanted, got) and [e["epoch"] for e in heard.epochs] == [3, 4]


def test_a_plan_of_several_trainings_resumes_in_the_one_it_was_in(tmp_path: Path) -> None:
    last = train(2, rates=(Rate("stage 3", 3e-3), Rate("head", 3e-3)))
    plan: Plan = (HEAD, WEAK, last, train(3))
    _, wanted = carried_out(plan)

    def kill(epoch: int) -> None:
        heard_so_far.append(epoch)
        if len(heard_so_far) == 4:  # the second epoch of the second training
            raise Killed

    heard_so_far: list[int] = []
    with pytest.raises(Killed):
        carried_out(plan, Heard(after_epoch=kill), checkpoint=Checkpoint(tmp_path / "checkpoint"))
    heard = Heard()
    _, got = carried_out(plan, heard, checkpoint=Checkpoint(tmp_path / "checkpoint"))
    assert same_state(wanted, got)
    assert [(e["plan_step"], e["epoch"]) for e in heard.epochs] == [(3, 3)]


def test_a_rate_by_gradient_is_largest_where_the_gradient_is() -> None:
    step = Train("Train.", 1, tuple(Rate(f"stage {n}", 1e-3) for n in range(4)), batch=16, by_gradient=True)
    training = Descent(setting(easy_examples()), image_network(), step, 0, {})
    training._set_rate(0, 1)
    full = training.optimiser.param_groups[0]["lr"]
    training._batch(easy_examples().train[:16], torch.Generator())
    rates = [group["lr"] for group in training.optimiser.param_groups]
    shares = []
    for group in training.optimiser.param_groups:
        weights = torch.stack([p.detach().norm() for p in group["params"]]).norm()
        shares.append(float(torch.stack([p.grad.norm() for p in group["params"]]).norm() / weights))
    assert max(rates) == pytest.approx(full) and np.argmax(rates) == np.argmax(shares)
    assert np.argsort(rates).tolist() == np.argsort(shares).tolist()


def test_a_penalty_to_the_source_holds_the_weights_near_it() -> None:
    begun = state_of(image_network().trunk)

    def away(strength: float) -> float:
        penalties = (Penalty("l2-sp", strength),) if strength else ()
        plan = (HEAD, train(4, rate=1e-2, augment="none", penalties=penalties))
        trunk = carried_out(plan)[0].network.trunk.state_dict()
        return sum(float((trunk[key] - value).norm()) for key, value in begun.items() if key.endswith("0.weight"))

    assert away(10.0) < away(0.0) / 2


# ---- the best mix ---------------------------------------------------------------------------------------------------


def test_of_mixes_the_best_on_the_tune_part_is_kept() -> None:
    plan = (HEAD, WEAK, train(4))
    learned, head_only = carried_out(plan)[1], carried_out((HEAD, WEAK))[1]
    heard = Heard()
    got = carried_out((*plan, Blend("Mix.", shares=(0.0, 0.5, 1.0))), heard)[1]
    (note,) = [note for note in heard.notes if "mixed with the source" in note]
    share = float(note.split(" %")[0].split()[-1]) / 100
    for key, value in got.items():
        if key.startswith("trunk.") and value.is_floating_point():  # the head is divided by a temperature besides
            wanted = (1 - share) * head_only[key] + share * learned[key]
            assert torch.allclose(value, wanted, atol=1e-5), key


def test_nothing_learned_leaves_nothing_to_mix() -> None:
    plan = (HEAD, SOLVE, train(2, rate=1e-12, augment="none"))
    assert same_state(carried_out(plan)[1], carried_out((*plan, Blend("Mix.", shares=(0.0, 0.5, 1.0))))[1])


# ---- time -----------------------------------------------------------------------------------------------------------


def test_when_the_time_is_used_up_the_best_so_far_is_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = {"now": 0.0}
    monkeypatch.setattr("medtl.training.descent.time.monotonic", lambda: clock["now"])

    def tick(epoch: int) -> None:
        clock["now"] += 10

    heard = Heard(after_epoch=tick)
    fitted, _ = carried_out((HEAD, train(9)), heard, deadline=25.0)
    assert len(heard.epochs) == 3 and not fitted.stopped and fitted.out_of_time
    assert "time you gave was used up" in fitted.outcome and fitted.outcome in heard.notes


def test_no_time_at_all_keeps_the_fitted_head_and_says_so() -> None:
    fitted, got = carried_out((HEAD, SOLVE, train(9)), deadline=0.0)
    assert not fitted.stopped and "last layer as fitted" in fitted.outcome
    assert same_state(got, carried_out((HEAD, SOLVE))[1])


def test_no_time_and_nothing_learned_is_an_error_with_advice() -> None:
    with pytest.raises(MedtlError) as error:
        carried_out((HEAD, train(9)), deadline=0.0)
    assert "time" in error.value.message and "more time" in error.value.advice


# ---- unlabelled images ----------------------------------------------------------------------------------------------


def with_unlabelled(n: int = 60, seed: int = 5) -> Examples:
    more = easy_examples(n=n, seed=seed)
    few = easy_examples()
    return dataclasses.replace(few, train=few.train[:6], unlabelled=Unlabelled(more.inputs, more.keys))


GUESS = PseudoLabel("Learn from the others.", sure=0.6, strengths=SOLVE.strengths)


def test_learning_from_unlabelled_images_is_never_worse_on_the_tune_part() -> None:
    def loss(fitted: Fitted, examples: Examples) -> float:
        features = Eye(fitted.network, PICTURES, CPU).features(examples.inputs.take, examples.tune)
        return log_loss(head_scores(fitted.network.head, features), examples.labels[examples.tune])

    for seed in range(4):
        examples, heard = with_unlabelled(seed=seed), Heard()
        before = loss(carried_out((HEAD, SOLVE), examples=examples)[0], examples)
        after = loss(carried_out((HEAD, SOLVE, GUESS), heard, examples=examples)[0], examples)
        assert after <= before + 1e-9
        assert any("60 unlabelled images" in note for note in heard.notes)


def test_without_sure_answers_nothing_is_learned_from_them() -> None:
    heard, never = Heard(), dataclasses.replace(GUESS, sure=1.1)
    _, got = carried_out((HEAD, SOLVE, never), heard, examples=with_unlabelled())
    assert same_state(got, carried_out((HEAD, SOLVE), examples=with_unlabelled())[1])
    assert any("0 of 60" in note and "no part" in note for note in heard.notes)


# ---- several looks, and learning from the tune part in the end ------------------------------------------------------


LOOK = Look("Look four times.", 3)
LEARN = dataclasses.replace(SOLVE, learn_tune=True)


def test_the_features_handed_on_are_the_mean_of_all_looks(tmp_path: Path) -> None:
    examples = easy_examples()
    cache = FeatureCache(tmp_path, "abc", PICTURES)
    fitted, _ = carried_out((HEAD, LOOK, SOLVE), examples=examples, cache=cache)
    assert fitted.looks == Looks(3, "mild") and fitted.computed_features == 4 * len(examples.labels)
    eye = Eye(fitted.network, PICTURES, CPU, fitted.looks)
    everyone = np.arange(len(examples.labels))
    assert fitted.features is not None
    assert np.allclose(fitted.features, eye.features(examples.inputs.take, everyone), atol=1e-5)
    plain = Eye(fitted.network, PICTURES, CPU).features(examples.inputs.take, everyone)
    assert not np.allclose(fitted.features, plain, atol=1e-3)
    again, _ = carried_out((HEAD, LOOK, SOLVE), examples=examples, cache=cache)
    assert again.computed_features == 0 and np.array_equal(again.features, fitted.features)  # type: ignore[arg-type]
    one_look, _ = carried_out((HEAD, SOLVE), examples=examples, cache=cache)
    assert one_look.computed_features == 0 and np.allclose(one_look.features, plain, atol=1e-5)  # type: ignore[arg-type]


def test_a_look_changes_every_picture_alike_and_always_the_same() -> None:
    x = torch.rand(5, 3, 16, 16)
    together, apart = look(x, "mild", 2), torch.cat([look(one[None], "mild", 2) for one in x])
    assert torch.allclose(together, apart, atol=1e-6)
    assert not torch.allclose(look(x, "mild", 1), together)


def test_what_is_said_of_the_tune_part_comes_from_heads_that_had_not_seen_the_case() -> None:
    """Labels that are pure noise: the head in use answers its own cases far better than it could, the others do not."""
    examples = easy_examples(n=120)
    rng = np.random.default_rng(0)
    network = image_network(width=64)
    noise = rng.integers(0, 2, len(examples.labels))
    examples = dataclasses.replace(examples, labels=noise)
    loose = dataclasses.replace(LEARN, strengths=(100.0,))
    fitted = engine(examples).carry_out(network, (HEAD, loose))
    assert fitted.held_out is not None and fitted.held_out.shape == (len(examples.tune), 2)
    assert fitted.features is not None
    own = head_scores(network.head, fitted.features[examples.tune])
    labels = examples.labels[examples.tune]
    assert macro_auroc(labels, own) > 0.9 > 0.75 > macro_auroc(labels, fitted.held_out)


def test_nothing_of_a_group_helps_to_answer_for_it() -> None:
    examples = easy_examples()
    groups = np.arange(len(examples.labels))
    groups[examples.tune] = 7  # all of one patient: no other tuning case may help
    examples = dataclasses.replace(examples, groups=groups)
    fitted, _ = carried_out((HEAD, dataclasses.replace(LEARN, strengths=(0.1,))), examples=examples)
    alone, _ = carried_out((HEAD, dataclasses.replace(SOLVE, strengths=(0.1,))), examples=examples)
    assert alone.features is not None and alone.held_out is None and fitted.held_out is not None
    assert np.allclose(fitted.held_out, head_scores(alone.network.head, alone.features[examples.tune]), atol=1e-3)


def test_without_early_stopping_the_last_epoch_is_kept() -> None:
    heard = Heard()
    carried_out((HEAD, SOLVE, train(5, rate=2e-2, patience=0)), heard)
    assert [e["best"] for e in heard.epochs] == [True] * 5


AGAIN = train(4, patience=0, learn_tune=True)


def test_the_second_training_learns_from_the_tune_part_and_says_of_it_what_the_first_said() -> None:
    examples = easy_examples()
    first, _ = carried_out((HEAD, dataclasses.replace(AGAIN, learn_tune=False)))
    fitted, got = carried_out((HEAD, AGAIN))
    said = head_scores(
        first.network.head, Eye(first.network, PICTURES, CPU).features(examples.inputs.take, examples.tune)
    )
    assert fitted.held_out is not None and np.allclose(fitted.held_out, said, atol=1e-5)
    assert not same_state(got, state_of(first.network))
    assert fitted.trained_images == 4 * (2 * len(examples.train) + len(examples.tune))


@pytest.mark.parametrize("changes", [{}, {"what": "low-rank", "rank": 2}, {"ema": 0.9}], ids=str)
@pytest.mark.parametrize("after", [2, 6])
def test_killed_in_either_training_it_resumes_to_the_same_weights(
    changes: dict[str, Any], after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan: Plan = (HEAD, WEAK, dataclasses.replace(AGAIN, **changes))
    wanted, state = carried_out(plan)
    saved = {"n": 0}
    save = Checkpoint.save

    def kill(self: Checkpoint, name: str, what: Any) -> None:
        save(self, name, what)
        saved["n"] += 1
        if saved["n"] == after:
            raise Killed

    monkeypatch.setattr(Checkpoint, "save", kill)
    with pytest.raises(Killed):
        carried_out(plan, checkpoint=Checkpoint(tmp_path / "checkpoint"))
    torch.manual_seed(99)
    got, again = carried_out(plan, checkpoint=Checkpoint(tmp_path / "checkpoint"))
    assert same_state(state, again)
    assert wanted.held_out is not None and np.allclose(got.held_out, wanted.held_out, atol=1e-6)  # type: ignore[arg-type]
    assert saved["n"] == 8


@pytest.mark.parametrize("changes", [{}, {"what": "low-rank", "rank": 2}], ids=str)
def test_stopped_in_the_second_training_the_first_is_the_result(changes: dict[str, Any]) -> None:
    step = dataclasses.replace(AGAIN, **changes)
    _, wanted = carried_out((HEAD, dataclasses.replace(step, learn_tune=False)))
    many = 4 * math.ceil(len(easy_examples().train) / 16)  # steps of the first training
    fitted, got = carried_out((HEAD, step), Heard(when=lambda heard: len(heard.steps) > many + 1))
    assert fitted.stopped and fitted.held_out is None
    assert same_state(wanted, got)


def test_a_head_of_zeros_says_the_same_of_everything() -> None:
    fitted, _ = carried_out((dataclasses.replace(HEAD, zero=True), train(4, augment="none", patience=0)))
    assert fitted.network.head.weight.abs().sum() > 0
    blank = carried_out((dataclasses.replace(HEAD, zero=True), train(1, rate=1e-12, patience=0)))[0]
    assert float(blank.network.head.weight.abs().max()) < 1e-9
