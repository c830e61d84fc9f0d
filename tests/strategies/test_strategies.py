"""What holds for every strategy, on a network of pictures and on one of table rows."""

import dataclasses
import inspect
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from medtl.errors import BadInput, NotFound
from medtl.evaluation.ranking import macro_auroc
from medtl.explanation.gradcam import explain
from medtl.sources.heads import restored
from medtl.sources.network import Network, Stage
from medtl.sources.values import biases, norm_values, wide_layers
from medtl.sources.weights import HEAD, fill_trunk, read_safetensors, weights_of
from medtl.strategies import STRATEGIES, Setting, common, make, may_change, sentences, settings_of
from medtl.training import tensors, trainable
from medtl.training.checkpoint import Checkpoint
from medtl.training.inference import Eye, head_scores
from medtl.training.tensors import to_input
from medtl.vocabulary import Blend, NewHead, Outline, Plan, Reinitialise, Solve, StageOutline, Train
from tests.builders import CPU, KINDS, ROOT, Heard, cohort, easy_examples, engine, same_state, source, state_of

IDS = STRATEGIES.ids
# Enough for an easy cohort, quick on a busy computer; only what a strategy has is taken.
SMALL = {"epochs": 6, "rate": 1e-2, "batch": 16, "augmentation": "none", "hidden": 16, "freeze": 1}


@pytest.fixture(params=IDS)
def strategy(request: pytest.FixtureRequest) -> Any:
    have = {s.name for s in settings_of(STRATEGIES[request.param])}
    small = SMALL | ({"epochs": 30} if request.param == "small-head" else {})  # epochs of a head alone cost nothing
    return make(request.param, {name: value for name, value in small.items() if name in have})


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def every_setting() -> list[Any]:
    return [pytest.param(id, s, id=f"{id}-{s.name}") for id in IDS for s in settings_of(STRATEGIES[id])]


# ---- cards and settings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", IDS)
def test_the_card_is_complete(id: str) -> None:
    card = STRATEGIES[id].card
    assert card.id == STRATEGIES[id].id == id
    for field in dataclasses.fields(card):
        assert getattr(card, field.name).strip(), f"{id} has no {field.name}"
    assert card.says.endswith(".") and card.limits.endswith(".")


@pytest.mark.parametrize(("id", "one"), every_setting())
def test_a_setting_explains_itself_and_its_default_holds(id: str, one: Setting) -> None:
    assert one.title and one.help.endswith(".")
    assert getattr(make(id, {one.name: one.default}), one.name) == one.default == getattr(make(id), one.name)


@pytest.mark.parametrize(("id", "one"), every_setting())
def test_the_ends_of_a_range_can_be_used(id: str, one: Setting) -> None:
    ends = one.choices if one.kind == "choice" else (one.low, one.high)
    for end in ends:
        assert end is not None
        made = make(id, {one.name: end})
        assert getattr(made, one.name) == end
        assert getattr(make(id, {one.name: str(end)}), one.name) == end  # as typed on a command line
        assert made.plan(KINDS["image"][0]().outline(), 2)


@pytest.mark.parametrize(("id", "one"), every_setting())
def test_outside_of_a_range_is_refused_with_the_range(id: str, one: Setting) -> None:
    if one.kind == "choice":
        wrong: list[Any] = ["", "no such choice", None, 3]
    else:
        assert one.low is not None and one.high is not None
        wrong = [one.low - 1, one.high + 1, math.nan, math.inf, -math.inf, "", "many", None, [], "1e999"]
        wrong += [one.low + 0.5] if one.kind == "int" else []
    for value in wrong:
        with pytest.raises(BadInput) as error:
            make(id, {one.name: value})
        assert one.title in error.value.message and error.value.advice


@pytest.mark.parametrize("id", IDS)
def test_an_unknown_setting_names_those_that_exist(id: str) -> None:
    with pytest.raises(BadInput) as error:
        make(id, {"momentum": 0.9})
    assert "momentum" in error.value.message
    assert all(s.name in error.value.advice for s in settings_of(STRATEGIES[id]))


def test_an_unknown_strategy_names_those_that_exist() -> None:
    with pytest.raises(NotFound) as error:
        make("meta-learning")
    assert all(id in error.value.advice for id in IDS)


def test_the_table_in_the_docs_is_the_shelf() -> None:
    """Every strategy has its row, in order and under its title, with every setting of its own."""
    shelf = (ROOT / "docs" / "strategies.md").read_text().split("## Settings that mean the same")[0]
    rows = [line for line in shelf.splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == list(IDS)
    for row, cls in zip(rows, STRATEGIES, strict=True):
        assert cls.card.title in row
        arxiv = re.findall(r"arXiv:\d+\.\d+", row)
        assert set(arxiv) <= set(re.findall(r"arXiv:\d+\.\d+", cls.card.reference))
        for name in inspect.get_annotations(cls):
            assert name == "card" or f"`{name}`" in row, f"{cls.id}: {name}"


# ---- plans ----------------------------------------------------------------------------------------------------------


def test_planning_alone_changes_nothing(strategy: Any, kind: str) -> None:
    network, spec = KINDS[kind][0](), KINDS[kind][1]
    before, x = state_of(network), to_input(easy_examples(spec).inputs.take(np.arange(8)), spec, CPU.where)
    with torch.inference_mode():
        said = network(x)
        strategy.plan(network.outline(), 2)
        assert torch.equal(network(x), said)
    assert same_state(before, state_of(network))


@pytest.mark.parametrize("classes", [2, 5])
def test_a_plan_can_be_read_and_names_only_stages_that_exist(strategy: Any, kind: str, classes: int) -> None:
    outline = KINDS[kind][0]().outline()
    plan: Plan = strategy.plan(outline, classes)
    names = {stage.name for stage in outline.stages} | {"head"}
    for step in plan:
        assert step.says.endswith(".") and len(step.says) > 20
        if isinstance(step, Train):
            assert {rate.stage for rate in step.rates} <= names
            assert len({rate.stage for rate in step.rates}) == len(step.rates)
            assert all(rate.rate > 0 for rate in step.rates)
    assert any(isinstance(step, NewHead) for step in plan)
    assert any(isinstance(step, (Solve, Train)) for step in plan)
    said = list(sentences(plan, outline, classes))
    assert said[:-1] == [step.says for step in plan]
    assert f"{may_change(plan, outline, classes):,}" in said[-1]


def test_every_plan_counts_what_may_change(kind: str) -> None:
    outline, classes = KINDS[kind][0]().outline(), 3
    head = (outline.features + 1) * classes
    assert may_change(make("linear-probe").plan(outline, classes), outline, classes) == head
    everything = outline.parameters + head
    assert may_change(make("fine-tune").plan(outline, classes), outline, classes) == everything
    assert may_change(make("from-scratch").plan(outline, classes), outline, classes) == everything
    partly = make("freeze-first", {"freeze": 1, "hidden": 16})
    network = KINDS[kind][0](classes)
    from medtl.sources.network import hidden_head

    network.head = hidden_head(outline.features, 16, classes, 0.0)
    moving = sum(p.numel() for stage in network.stages[1:] for p in stage.parameters())
    assert may_change(partly.plan(outline, classes), outline, classes) == moving + sum(
        p.numel() for p in network.head.parameters()
    )


def test_only_the_control_forgets_the_source() -> None:
    for cls in STRATEGIES:
        plan = cls().plan(KINDS["image"][0]().outline(), 2)
        assert cls().forgets_source == any(isinstance(step, Reinitialise) for step in plan)
    assert [cls.id for cls in STRATEGIES if cls().forgets_source] == ["from-scratch"]


# ---- carried out ----------------------------------------------------------------------------------------------------


def scores_on_test(network: Network, kind: str, examples: Any) -> np.ndarray:
    eye = Eye(network, KINDS[kind][1], CPU)
    return head_scores(network.head, eye.features(examples.inputs.take, examples.test))


@pytest.mark.parametrize("classes", [2, 3])
def test_it_learns_better_than_chance_and_what_is_frozen_stays(strategy: Any, kind: str, classes: int) -> None:
    make_network, spec = KINDS[kind]
    network, examples, heard = make_network(classes), easy_examples(spec, 120, classes), Heard()
    plan = strategy.plan(network.outline(), classes)
    before, may_move = state_of(network.trunk), movable(network, plan)
    fitted = engine(examples, spec, heard).carry_out(network, plan)
    assert not fitted.stopped and fitted.network is network and not network.training

    scores = scores_on_test(network, kind, examples)
    assert scores.shape == (len(examples.test), classes) and np.allclose(scores.sum(axis=1), 1)
    assert macro_auroc(examples.labels[examples.test], scores) > 0.8

    after = state_of(network.trunk)
    assert after.keys() == before.keys(), "the names are still those of its library"
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    assert moved <= may_move, "what is frozen moved, buffers included"
    if may_move and any(epoch["best"] for epoch in heard.epochs) and not any(isinstance(s, Blend) for s in plan):
        assert moved


def movable(network: Network, plan: Plan) -> set[str]:
    """The names in the trunk's state of what this plan may change."""
    names = {id(value): name for name, value in network.trunk.named_parameters()}
    found: set[str] = set()
    for step in plan:
        if isinstance(step, Reinitialise):
            return set(network.trunk.state_dict())
        if not isinstance(step, Train):
            continue
        for stage in network.stages:
            if stage.name in {rate.stage for rate in step.rates}:
                found |= {names[id(value)] for value in singled_out(stage, step.what)}
                assert not step.adapt_batchnorm
    return found


def singled_out(stage: Stage, what: str) -> list[torch.Tensor]:
    if what == "norms":
        return list(norm_values(stage.members()))
    if what == "biases":
        return list(biases(stage.members()))
    if what == "low-rank":
        return [getattr(layer, name) for layer, name in wide_layers(stage.members())]
    return list(stage.parameters())


def test_an_outline_counts_what_can_be_singled_out(kind: str) -> None:
    network, classes = KINDS[kind][0](), 2
    outline, head = network.outline(), (network.width + 1) * 2
    for id, what in (("norms", "norms"), ("biases", "biases")):
        wanted = sum(value.numel() for stage in network.stages for value in singled_out(stage, what))
        assert may_change(make(id).plan(outline, classes), outline, classes) == wanted + head
    for rank in (1, 8):
        plan = make("low-rank", {"rank": rank}).plan(outline, classes)
        chosen = trainable.choose(KINDS[kind][0](), {stage.name for stage in outline.stages}, "low-rank", rank)
        learned = sum(value.numel() for _, values in chosen for value in values)
        assert may_change(plan, outline, classes) == learned + head
        assert all(stage.low_rank * rank <= stage.parameters for stage in outline.stages)


def test_what_was_not_counted_is_not_given_a_number() -> None:
    outline = Outline((StageOutline("one", 100), StageOutline("two", 100)), 8)
    for id in ("norms", "biases", "low-rank"):
        assert make(id).why_not(source(outline), cohort()) is None
        plan = make(id).plan(outline, 2)
        assert may_change(plan, outline, 2) is None and "not counted" in list(sentences(plan, outline, 2))[-1]
    assert may_change(make("full").plan(outline, 2), outline, 2) == 218


def test_what_a_network_does_not_have_cannot_adapt() -> None:
    bare = Outline((StageOutline("one", 100, 0.1, 0, 0, 0), StageOutline("two", 100, 0.1, 0, 0, 0)), 8)
    for id, word in (("norms", "norm layers"), ("biases", "biases"), ("low-rank", "too thin")):
        said = make(id).why_not(source(bare), cohort())
        assert said is not None and word in said
    whole = Outline((StageOutline("all", 100, 0.1, 4, 4, 4),), 8)
    for id in ("last-stage", "first-stage", "gradual", "by-gradient"):
        assert "two stages" in str(make(id).why_not(source(whole), cohort()))
    assert "at least one must stay" in str(make("first-stage", {"first": 4}).why_not(source(), cohort()))


def test_a_model_that_carries_its_cases_is_not_made_of_too_many() -> None:
    few, many = cohort(), cohort()
    many = dataclasses.replace(many, split=dataclasses.replace(many.split, train=("x",) * 20_001))
    for id in ("neighbours", "examples"):
        assert make(id).why_not(source(), few) is None
        assert "20,001" in str(make(id).why_not(source(), many))


@pytest.mark.parametrize("id", IDS)
def test_class_weights_mean_the_same_everywhere(id: str) -> None:
    outline = KINDS["image"][0]().outline()
    for choice in next((s.choices for s in settings_of(STRATEGIES[id]) if s.name == "class_weights"), ()):
        for step in make(id, {"class_weights": choice}).plan(outline, 2):
            if isinstance(step, Train):
                assert step.balanced == (choice == "balanced")
                wanted = {"logit adjustment": "logit-adjusted", "focal": "focal"}
                assert step.loss == wanted.get(choice, "cross-entropy")
            if isinstance(step, Solve):
                assert step.balanced == (choice in ("balanced", "logit adjustment"))


def test_the_augmentations_of_the_settings_are_those_there_are() -> None:
    assert common.AUGMENTATIONS == tensors.AUGMENTATIONS


# ---- hard cohorts ---------------------------------------------------------------------------------------------------


def few_examples(spec: Any, train: Any, tune: Any) -> Any:
    """Easy examples of three classes, of which the train and the tune part hold so many cases each."""
    e = easy_examples(spec, 60, 3)
    rows = [np.flatnonzero(e.labels == k) for k in range(3)]
    parts = [np.sort(np.concatenate([r[:n] for r, n in zip(rows, train, strict=True)])),
             np.sort(np.concatenate([r[8 : 8 + n] for r, n in zip(rows, tune, strict=True)]))]  # fmt: skip
    return dataclasses.replace(e, train=parts[0], tune=parts[1], test=np.sort(np.concatenate([r[12:] for r in rows])))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("train", "tune"), [((2, 2, 2), (2, 2, 2)), ((8, 8, 0), (2, 2, 2)), ((6, 0, 0), (2, 2, 2))],
    ids=["two-a-class", "a-class-missing", "one-class-only"],
)  # fmt: skip
def test_few_cases_and_missing_classes_are_no_error(strategy: Any, train: Any, tune: Any) -> None:
    network, examples = KINDS["table"][0](3), few_examples(KINDS["table"][1], train, tune)
    for class_weights in ("as they are", "balanced"):
        plan = shorter(dataclasses.replace(strategy, class_weights=class_weights).plan(network.outline(), 3))
        engine(examples, KINDS["table"][1]).carry_out(network, plan)
        scores = scores_on_test(network, "table", examples)
        assert np.isfinite(scores).all() and np.allclose(scores.sum(axis=1), 1)


def shorter(plan: Plan) -> Plan:
    return tuple(dataclasses.replace(step, epochs=2) if isinstance(step, Train) else step for step in plan)


def test_what_was_learned_can_be_stored_and_restored(strategy: Any, tmp_path: Path) -> None:
    network, examples = KINDS["table"][0](), easy_examples(KINDS["table"][1])
    engine(examples, KINDS["table"][1]).carry_out(network, shorter(strategy.plan(network.outline(), 2)))
    save_file(weights_of(network), tmp_path / "w.safetensors")
    state = read_safetensors(tmp_path / "w.safetensors")
    again = KINDS["table"][0](seed=9)
    fill_trunk(again, state)
    again.head = restored({key.removeprefix(HEAD): value for key, value in state.items() if key.startswith(HEAD)})
    assert np.array_equal(*(scores_on_test(one, "table", examples) for one in (network, again.eval())))


def test_a_map_can_be_made_of_every_result(strategy: Any) -> None:
    network, spec = KINDS["image"]
    made, examples = network(), easy_examples(spec)
    engine(examples, spec).carry_out(made, shorter(strategy.plan(made.outline(), 2)))
    x = to_input(examples.inputs.take(examples.test[:1]), spec, CPU.where)
    assert explain(made, x, 1, "malignant").state != "invalid"


@pytest.mark.parametrize("round", [1, 2, 3])
def test_gradual_killed_in_any_round_ends_with_the_same_weights(round: int, tmp_path: Path) -> None:
    spec = KINDS["table"][1]
    plan = make("gradual", {"epochs": 2, "epochs_each": 2, "rate": 3e-3}).plan(KINDS["table"][0]().outline(), 2)
    whole = engine(easy_examples(spec), spec).carry_out(KINDS["table"][0](), plan).network

    class Killed(Exception):
        pass

    heard = Heard()

    def kill(epoch: int) -> None:
        if len(heard.epochs) == 2 * round - 1:
            raise Killed

    heard.after_epoch = kill
    with pytest.raises(Killed):
        kept = Checkpoint(tmp_path / "c")
        engine(easy_examples(spec), spec, heard, checkpoint=kept).carry_out(KINDS["table"][0](), plan)
    torch.manual_seed(77)
    rest = Heard()
    again = engine(easy_examples(spec), spec, rest, checkpoint=Checkpoint(tmp_path / "c"))
    assert same_state(state_of(again.carry_out(KINDS["table"][0](), plan).network), state_of(whole))
    assert len(rest.epochs) == 6 - (2 * round - 1), "rounds that were over are not trained again"


@pytest.mark.parametrize("id", ["low-rank", "ema", "wise-ft", "last-stage", "l2-sp"])
def test_killed_after_an_epoch_the_other_ways_end_with_the_same_weights_too(id: str, tmp_path: Path) -> None:
    spec = KINDS["image"][1]
    plan = make(id, {"epochs": 3, "rate": 3e-3}).plan(KINDS["image"][0]().outline(), 2)
    whole = engine(easy_examples(spec), spec).carry_out(KINDS["image"][0](), plan).network

    class Killed(Exception):
        pass

    def kill(epoch: int) -> None:
        if epoch == 2:
            raise Killed

    with pytest.raises(Killed):
        kept = Checkpoint(tmp_path / "c")
        engine(easy_examples(spec), spec, Heard(after_epoch=kill), checkpoint=kept).carry_out(KINDS["image"][0](), plan)
    torch.manual_seed(77)
    again = engine(easy_examples(spec), spec, checkpoint=Checkpoint(tmp_path / "c"))
    assert same_state(state_of(again.carry_out(KINDS["image"][0](), plan).network), state_of(whole))


def test_features_that_are_handed_on_are_those_of_the_finished_network(strategy: Any, kind: str) -> None:
    make_network, spec = KINDS[kind]
    network, examples = make_network(), easy_examples(spec)
    fitted = engine(examples, spec).carry_out(network, strategy.plan(network.outline(), 2))
    if fitted.features is not None:
        fresh = Eye(network, spec, CPU).features(examples.inputs.take, np.arange(len(examples.labels)))
        assert np.allclose(fitted.features, fresh, atol=1e-5)


@pytest.mark.parametrize("kind_", KINDS)
@pytest.mark.parametrize("setting", ["keep", "adapt"])
def test_batch_norm_statistics_follow_only_when_asked(kind_: str, setting: str) -> None:
    make_network, spec = KINDS[kind_]
    network, examples = make_network(), easy_examples(spec)
    before = state_of(network)
    strategy = make("fine-tune", {"epochs": 2, "rate": 1e-3, "batch_norm": setting, "augmentation": "none"})
    heard = Heard()
    engine(examples, spec, heard).carry_out(network, strategy.plan(network.outline(), 2))
    running = [key for key in before if "running" in key]
    moved = any(not torch.equal(before[key], network.state_dict()[key]) for key in running)
    assert running
    assert moved == (setting == "adapt" and any(epoch["best"] for epoch in heard.epochs))


# ---- when it cannot be used -----------------------------------------------------------------------------------------


def test_several_questions_take_two_of_two_classes_each() -> None:
    make_up = make("multi-task")
    assert make_up.why_not(source(), cohort(classes=("a: x", "a: y", "b: x", "b: y"))) is None
    for classes in (("benign", "malignant"), ("a: x", "a: y", "b: x"), ("a: x", "a: y")):
        said = make_up.why_not(source(), cohort(classes=classes))
        assert said is not None and "two questions" in said


def test_freezing_more_stages_than_there_are_is_said() -> None:
    four = source()
    assert make("freeze-first", {"freeze": 4}).why_not(four, cohort()) is None
    said = make("freeze-first", {"freeze": 5}).why_not(four, cohort())
    assert said is not None and "4 stages" in said


def test_all_stages_frozen_still_trains_the_head() -> None:
    network, spec = KINDS["image"][0](), KINDS["image"][1]
    strategy = make("freeze-first", {"freeze": 4, "hidden": 16, "epochs": 4, "rate": 1e-2, "augmentation": "none"})
    before = state_of(network.trunk)
    examples = easy_examples(spec)
    engine(examples, spec).carry_out(network, strategy.plan(network.outline(), 2))
    assert same_state(before, state_of(network.trunk))
    assert macro_auroc(examples.labels[examples.test], scores_on_test(network, "image", examples)) > 0.7
