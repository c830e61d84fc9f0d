"""Carries out a plan. One engine for every strategy; it knows steps, not strategies.

Letters: N cases in the cohort, n cases in hand, D features, K classes.
"""

import time
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from medtl.sources.network import Network, hidden_head, linear_head, reinitialise
from medtl.training.checkpoint import Checkpoint, to_cpu
from medtl.training.descent import Descent, Setting, soften
from medtl.training.device import Device, seed_everything
from medtl.training.examples import Examples, Fitted, Inputs, Listener, Stopped
from medtl.training.features import FeatureCache, cached
from medtl.training.head import log_loss, solve, tempered_loss
from medtl.training.heads import Cases
from medtl.training.heads import fit as fit_by_rule
from medtl.training.inference import Eye, head_scores
from medtl.vocabulary import Blend, InputSpec, NewHead, Plan, PseudoLabel, Reinitialise, Solve, Step, Train


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
        self._source = to_cpu(network.trunk.state_dict()) if any(map(_looks_back, plan)) else {}
        self._before: dict[str, Tensor] = {}  # the whole network before the first training
        done = self._done_before()
        for number, step in enumerate(plan):
            seed_everything(self.seed, number)
            if isinstance(step, Reinitialise):
                reinitialise(network)
                self._moved(fitted)  # the cache belongs to the source, not to noise
                fitted.learned = False
            elif isinstance(step, NewHead):
                network.head = self._head(network, step)
                fitted.learned = False
            elif isinstance(step, Solve):
                fitted.features = self.features(network, self._from, fitted)
                self._solve(network, step, fitted.features, fitted)
                fitted.learned = True
            elif isinstance(step, PseudoLabel):
                self._pseudo_label(network, step, fitted)
            elif isinstance(step, Train):
                self._train(network, step, number, fitted, skip=number < done)
            elif isinstance(step, Blend):
                self._blend(network, step, fitted)
            if fitted.stopped:
                break
        return fitted

    def features(self, network: Network, cache: FeatureCache | None, fitted: Fitted) -> np.ndarray:
        """(N, D): what the network sees in every case of the cohort, from the cache where it is known."""
        return self._seen(network, cache, fitted, self.examples.inputs, self.examples.keys)

    def _seen(
        self, network: Network, cache: FeatureCache | None, fitted: Fitted, inputs: Inputs, keys: tuple[str, ...]
    ) -> np.ndarray:
        began = time.monotonic()

        def compute(indices: np.ndarray) -> np.ndarray:
            eye = Eye(network, self.spec, self.device)
            fitted.computed_features += len(indices)

            def progress(done: int, total: int) -> None:
                self.listener.phase("features", "Looking at every image once", done, total)
                if self.listener.should_stop():
                    raise Stopped

            return eye.features(inputs.take, indices, progress)

        rows = cached(cache, keys, compute)
        fitted.seconds["features"] += time.monotonic() - began
        return rows

    # ---- steps -------------------------------------------------------------------------------------------------------

    def _head(self, network: Network, step: NewHead) -> nn.Module:
        k = self.examples.classes
        if step.hidden:
            return hidden_head(network.width, step.hidden, k, step.dropout)
        return linear_head(network.width, k)

    def _solve(self, network: Network, step: Solve, features: np.ndarray, fitted: Fitted) -> None:
        began = time.monotonic()
        e = self.examples
        self.listener.phase("fit", "Fitting the last layer", 0, 1)
        cases = Cases(
            features[e.train], e.labels[e.train], features[e.tune], e.labels[e.tune], e.classes, step.balanced
        )
        network.head = fit_by_rule(step.rule, cases, step.strengths).to(self.device.where)
        self.listener.phase("fit", "Fitting the last layer", 1, 1)
        fitted.seconds["fit"] += time.monotonic() - began

    def _train(self, network: Network, step: Train, number: int, fitted: Fitted, skip: bool) -> None:
        """`skip`: a later step was under way when the run was interrupted; its checkpoint holds what this one did."""
        if not self._before:
            self._before = to_cpu(network.state_dict())
        if fitted.out_of_time:
            return
        if skip:
            moved = fitted.moved = True
        else:
            setting = Setting(
                self.examples, self.spec, self.device, self.seed, self.listener, self.checkpoint, self.deadline
            )
            moved = Descent(setting, network, step, number, self._source).run(fitted)
        fitted.learned = True
        if moved and any(rate.stage != "head" for rate in step.rates):
            self._moved(fitted)

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
        found: list[tuple[float, float, float]] = []
        for number, share in enumerate(sorted(step.shares)):
            self.listener.phase("fit", "Trying how much of the source to keep", number, len(step.shares))
            _interpolate(network, self._before, learned, share)
            features = Eye(network, self.spec, self.device).features(e.inputs.take, e.tune)
            with torch.inference_mode():
                logits = network.head.cpu().double()(torch.from_numpy(features.astype(np.float64))).numpy()
            network.head.float().to(self.device.where)
            loss, temperature = tempered_loss(logits, e.labels[e.tune])
            found.append((loss, share, temperature))
        loss, share, temperature = min(found)
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
        fitted.features = self.features(network, self._from, fitted)
        theirs = self._seen(network, self._from, fitted, more.inputs, more.keys)
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
        assert isinstance(network.head, nn.Linear)
        with torch.no_grad():
            network.head.weight.copy_(torch.from_numpy(head.weight))
            network.head.bias.copy_(torch.from_numpy(head.bias))
        self.listener.note(f"{said} and were learned from as if that were their label: better on the tuning part.")

    # ---- around them -------------------------------------------------------------------------------------------------

    def _moved(self, fitted: Fitted) -> None:
        """The trunk is no longer the one features are known of."""
        self._from, fitted.features = None, None

    def _done_before(self) -> int:
        """The number of the step a checkpoint is of: trainings before it need not be carried out again."""
        try:
            state = self.checkpoint.load() if self.checkpoint else None
            return int(state["plan_step"]) if state else 0
        except (ValueError, KeyError, TypeError, RuntimeError, OSError, EOFError):
            return 0  # damaged; the step itself says so when it looks


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
