"""Carries out a plan. One engine for every strategy; it knows steps, not strategies.

Letters: N cases in the cohort, n cases in hand, D features, K classes.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from medtl.sources.network import Network, hidden_head, linear_head, reinitialise
from medtl.training.checkpoint import Checkpoint, to_cpu
from medtl.training.descent import Descent, First, Setting, first_of, soften
from medtl.training.device import Device, seed_everything
from medtl.training.examples import Examples, Fitted, Inputs, Listener, Stopped
from medtl.training.features import FeatureCache, cached
from medtl.training.head import log_loss, path, solve
from medtl.training.heads import Cases, linear
from medtl.training.heads import fit as fit_by_rule
from medtl.training.inference import ONE_LOOK, Eye, Looks, head_scores
from medtl.training.meaning import narrow
from medtl.training.objective import objective, outputs
from medtl.training.policies import narrowed, wide
from medtl.training.several import by_rule, solve_each, solve_on_both, strengths_of
from medtl.vocabulary import Blend, InputSpec, Look, NewHead, Plan, PseudoLabel, Reinitialise, Solve, Step, Train

FOLDS = 5  # of the tune part, where it is learned from in the end


class Engine:
    """Everything a plan needs besides itself. `deadline` (of time.monotonic()) ends training with what it has."""

    def __init__(
        self,
        examples: Examples,
        spec: InputSpec,
        device: Device,
        seed: int,
        listener: Listener,
        cache: FeatureCache | None = None,
        checkpoint: Checkpoint | None = None,
        deadline: float | None = None,
    ) -> None:
        self.examples = examples
        self.spec = spec
        self.device = device
        self.seed = seed
        self.listener = listener
        self.cache = cache
        self.checkpoint = checkpoint
        self.deadline = deadline

    def carry_out(self, network: Network, plan: Plan) -> Fitted:
        """Carry out the steps in order. Raises Stopped when asked to stop before anything is worth keeping."""
        fitted = Fitted(network)
        self._from = self.cache  # of the trunk as it is now; None once it has moved away from the source
        self._looks = ONE_LOOK
        self._source = to_cpu(network.trunk.state_dict()) if any(map(_looks_back, plan)) else {}
        self._before: dict[str, Tensor] = {}  # the whole network before the first training
        for number, step in enumerate(plan):
            seed_everything(self.seed, number)
            if isinstance(step, Reinitialise):
                reinitialise(network)
                self._moved(fitted)  # the cache belongs to the source, not to noise
                fitted.learned = False
            elif isinstance(step, NewHead):
                network.head = self._head(network, step)
                fitted.learned = False
            elif isinstance(step, Look):
                fitted.looks = self._looks = Looks(step.times, step.augment)
            elif isinstance(step, Solve):
                looks = self._seen(network, fitted, self.examples.inputs, self.examples.keys)
                fitted.features, fitted.plain = looks.mean(axis=0), looks[0]
                self._solve(network, step, looks, fitted)
                fitted.learned = True
            elif isinstance(step, PseudoLabel):
                self._pseudo_label(network, step, fitted)
            elif isinstance(step, Train):
                self._train(network, step, number, fitted)
            elif isinstance(step, Blend):
                self._blend(network, step, fitted)
            if fitted.stopped:
                break
        if wide(self.examples.policies):
            _ask_present_or_absent(network.head, self.examples)
        return fitted

    def _seen(self, network: Network, fitted: Fitted, inputs: Inputs, keys: tuple[str, ...]) -> np.ndarray:
        """(1 + looks, n, D): what the network sees in these pictures, as they are and changed, from the cache where it
        is known."""
        began, times = time.monotonic(), 1 + self._looks.times
        says = f"Looking at every image {'once' if times == 1 else f'{times} times'}"
        eye: list[Eye] = []  # made when first needed: a cached look needs none

        def of(number: int) -> np.ndarray:
            def compute(indices: np.ndarray) -> np.ndarray:
                if not eye:
                    eye.append(Eye(network, self.spec, self.device, self._looks))
                fitted.computed_features += len(indices)

                def progress(done: int, total: int) -> None:
                    self.listener.phase("features", says, number * total + done, times * total)
                    if self.listener.should_stop():
                        raise Stopped

                return np.asarray(eye[0].each(inputs.take, indices, (number,), progress)[0])

            cache = self._from
            if cache is not None and number:
                cache = cache.changed(f"{self._looks.kind} {number}")
            return cached(cache, keys, compute)

        rows = np.stack([of(number) for number in range(times)])
        fitted.seconds["features"] += time.monotonic() - began
        return rows

    # ---- steps -------------------------------------------------------------------------------------------------------

    def _head(self, network: Network, step: NewHead) -> nn.Module:
        k = outputs(self.examples)
        if step.hidden:
            return hidden_head(network.width, step.hidden, k, step.dropout)
        head = linear_head(network.width, k)
        if step.zero:
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
        return head

    def _solve(self, network: Network, step: Solve, looks: np.ndarray, fitted: Fitted) -> None:
        """`looks` (V, N, D): the head learns from every look at a training case, and is judged by their mean."""
        began = time.monotonic()
        e = self.examples
        self.listener.phase("fit", "Fitting the last layer", 0, 1)
        fitted.held_out = None
        if e.task == "single-label":
            network.head = self._one_label(looks, step, fitted).to(self.device.where)
        else:
            network.head = self._several(looks, step, fitted).to(self.device.where)
        self.listener.phase("fit", "Fitting the last layer", 1, 1)
        fitted.seconds["fit"] += time.monotonic() - began

    def _one_label(self, looks: np.ndarray, step: Solve, fitted: Fitted) -> nn.Module:
        e, features = self.examples, looks.mean(axis=0)
        rows, labels = _rows(looks, e.labels, e.train)
        cases = Cases(rows, labels, features[e.tune], e.labels[e.tune], e.classes, step.balanced)
        if step.learn_tune and len(e.tune):
            return self._learned_from_both(looks, cases, step, fitted)
        return fit_by_rule(step.rule, cases, step.strengths)

    def _several(self, looks: np.ndarray, step: Solve, fitted: Fitted) -> nn.Module:
        """Findings or grades: an output for every question."""
        e = self.examples
        if step.learn_tune and len(e.tune):
            chosen = strengths_of(e, looks, step.strengths, step.balanced, self.seed)
            head, fitted.held_out = solve_on_both(e, looks, chosen, step.balanced, self.seed, folds=FOLDS)
        else:
            head = solve_each(e, looks, by_rule(step.rule, step.strengths, step.balanced), self.seed)
        return linear(head.weight, head.bias)

    def _learned_from_both(self, looks: np.ndarray, cases: Cases, step: Solve, fitted: Fitted) -> nn.Module:
        e = self.examples
        assert step.rule == "logistic"
        strength = solve(
            cases.train, cases.train_labels, cases.tune, cases.tune_labels, e.classes, step.strengths, step.balanced
        ).strength
        fitted.held_out = held_out(looks, e, strength, step.balanced)
        rows, labels = _rows(looks, e.labels, np.concatenate([e.train, e.tune]))
        head = next(path(rows, labels, e.classes, [strength], step.balanced))
        return linear(head.weight, head.bias)

    def _train(self, network: Network, step: Train, number: int, fitted: Fitted) -> None:
        if not self._before:
            self._before = to_cpu(network.state_dict())
        if fitted.out_of_time:
            return
        state = self._checkpointed()
        if state is not None and number < state["plan_step"]:
            moved = fitted.moved = True  # a later step was under way, and its checkpoint holds what this one did
        else:
            moved = self._descend(network, step, number, fitted, first_of(state, number))
        fitted.learned = True
        if moved and any(rate.stage != "head" for rate in step.rates):
            self._moved(fitted)

    def _descend(self, network: Network, step: Train, number: int, fitted: Fitted, first: First | None) -> bool:
        """Train, and where the step asks for it once more with the tune part. `first`: the first time is done."""
        setting = Setting(
            self.examples, self.spec, self.device, self.seed, self.listener, self.checkpoint, self.deadline
        )
        e, began = self.examples, to_cpu(network.state_dict())
        fitted.held_out = None
        if first is None:
            descent = Descent(setting, network, step, number, self._source)
            moved = descent.run(fitted)
            again = step.learn_tune and descent.best_epoch and not (fitted.stopped or fitted.out_of_time)
            if not again or not len(e.tune):
                return moved
            eye = Eye(network, self.spec, self.device, self._looks)
            said = head_scores(network.head, eye.features(e.inputs.take, e.tune), e.task, e.policies)
            first = First(descent.best_epoch, descent.temperature, to_cpu(network.state_dict()), said)
            network.load_state_dict(began)
        everyone = replace(e, train=np.concatenate([e.train, e.tune]), tune=e.tune[:0])
        Descent(replace(setting, examples=everyone), network, step, number, self._source, first).run(fitted)
        return True

    def _blend(self, network: Network, step: Blend, fitted: Fitted) -> None:
        if not step.shares:
            _mix_back(network.trunk, self._source, step.share)
        elif fitted.moved:
            self._best_mix(network, step)
        else:
            return
        self._moved(fitted)

    def _best_mix(self, network: Network, step: Blend) -> None:
        """WiSE-FT, Wortsman et al. 2021, arXiv:2109.01903: of the straight line between the fitted head on the source
        and what was learned, the point that is best on the tune part; of equals the one nearest to the source."""
        e, learned = self.examples, to_cpu(network.state_dict())
        judge = objective(e, Train("", 0, ()), self.seed)
        found: list[tuple[float, float, float]] = []
        for number, share in enumerate(sorted(step.shares)):
            self.listener.phase("fit", "Trying how much of the source to keep", number, len(step.shares))
            _interpolate(network, self._before, learned, share)
            features = Eye(network, self.spec, self.device, self._looks).features(e.inputs.take, e.tune)
            with torch.inference_mode():
                logits = network.head.cpu().double()(torch.from_numpy(features.astype(np.float64))).numpy()
            network.head.float().to(self.device.where)
            judged = judge.judge(logits, e.tune)
            found.append((judged.loss, share, judged.temperature))
        _, share, temperature = min(found)
        _interpolate(network, self._before, learned, share)
        soften(network.head, temperature)
        self.listener.note(
            f"On the tuning part {100 * share:.0f} % of what was learned, mixed with the source, was best; it is kept."
        )

    def _pseudo_label(self, network: Network, step: PseudoLabel, fitted: Fitted) -> None:
        """Lee 2013 (Pseudo-label, ICML workshop), once, on the frozen features; never worse on the tune part."""
        e, more = self.examples, self.examples.unlabelled
        if more is None or not more.keys:
            return
        looks = self._seen(network, fitted, e.inputs, e.keys)
        fitted.features, fitted.plain = looks.mean(axis=0), looks[0]
        theirs = self._seen(network, fitted, more.inputs, more.keys).mean(axis=0)
        scores = head_scores(network.head, theirs)
        sure = scores.max(axis=1) >= step.sure
        said = (
            f"{int(sure.sum())} of {len(sure)} unlabelled images were answered with a score of {step.sure:.2f} or more"
        )
        if not sure.any():
            self.listener.note(f"{said}; they had no part in the training.")
            return
        tune, labels = fitted.features[e.tune], e.labels[e.tune]
        before = log_loss(head_scores(network.head, tune), labels)
        head = solve(
            np.concatenate([fitted.features[e.train], theirs[sure]]),
            np.concatenate([e.labels[e.train], scores[sure].argmax(axis=1)]),
            tune, labels, e.classes, step.strengths, step.balanced,
        )  # fmt: skip
        if not head.tune_loss < before:
            self.listener.note(f"{said}; learning from them was not better on the tuning part, so they were left out.")
            return
        network.head = linear(head.weight, head.bias).to(self.device.where)
        self.listener.note(f"{said} and were learned from as if that were their label: better on the tuning part.")

    # ---- around them -------------------------------------------------------------------------------------------------

    def _moved(self, fitted: Fitted) -> None:
        """The trunk is no longer the one features are known of."""
        self._from, fitted.features, fitted.plain = None, None, None

    def _checkpointed(self) -> dict[str, Any] | None:
        try:
            return self.checkpoint.load() if self.checkpoint else None
        except (ValueError, KeyError, TypeError, RuntimeError, OSError, EOFError):
            return None  # damaged; the step itself says so when it looks


def _rows(looks: np.ndarray, labels: np.ndarray, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(V, N, D) -> every look at these cases as a row of its own, (V n, D), and their labels."""
    return looks[:, indices].reshape(-1, looks.shape[2]), np.tile(labels[indices], len(looks))


def held_out(looks: np.ndarray, examples: Examples, strength: float, balanced: bool) -> np.ndarray:
    """(n tune, K) scores of each tuning case by a head fitted on the train part and the other folds of the tune part.

    Nothing of a case's group helps to answer for it. Cross-fitting, as scikit-learn's calibration does it: the head in
    use has learned from these cases, and what it says of them would flatter a threshold.
    """
    e = examples
    features, scores = looks.mean(axis=0), np.zeros((len(e.tune), e.classes))
    groups = e.groups[e.tune] if e.groups is not None else np.arange(len(e.tune))
    names, of = np.unique(groups, return_inverse=True)
    fold = np.random.default_rng(0).permutation(len(names))[of] % FOLDS
    for number in np.unique(fold):
        mine = fold == number
        rows, labels = _rows(looks, e.labels, np.concatenate([e.train, e.tune[~mine]]))
        scores[mine] = next(path(rows, labels, e.classes, [strength], balanced)).scores(features[e.tune[mine]])
    return scores


def _ask_present_or_absent(head: nn.Module, examples: Examples) -> None:
    """Of findings with three outputs keep what tells present from absent."""
    last = [module for module in head.modules() if isinstance(module, nn.Linear)][-1]
    weight, bias = last.weight.detach().cpu().numpy(), last.bias.detach().cpu().numpy()
    narrow(head, narrowed(weight, examples.policies), narrowed(bias, examples.policies))


def _looks_back(step: Step) -> bool:
    return isinstance(step, Blend) or (isinstance(step, Train) and bool(step.penalties))


def _mix_back(trunk: nn.Module, source: Mapping[str, Tensor], share: float) -> None:
    """A straight line between two sets of weights (arXiv:2109.01903). Batch-norm statistics go along; counters, which
    are whole numbers, stay."""
    with torch.no_grad():
        for key, value in trunk.state_dict().items():
            if value.is_floating_point():
                value.lerp_(source[key].to(value.device), 1 - share)


def _interpolate(network: Network, one: Mapping[str, Tensor], other: Mapping[str, Tensor], share: float) -> None:
    """The network at `share` of the way from one state to the other."""
    network.load_state_dict({
        key: torch.lerp(value, other[key], share) if value.is_floating_point() else other[key]
        for key, value in one.items()
    })
