"""Carries out a plan. One engine for every strategy; it knows steps, not strategies.

Letters: N cases in the cohort, n cases in hand, C channels, S pixels a side, D features, K classes.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from medtl.errors import MedtlError
from medtl.evaluation.ranking import macro_auroc
from medtl.sources.network import Network, hidden_head, linear_head, reinitialise
from medtl.training.checkpoint import Checkpoint, to_cpu
from medtl.training.device import Device, seed_everything
from medtl.training.features import FeatureCache, cached
from medtl.training.head import softmax, solve, tempered_loss
from medtl.training.inference import Eye
from medtl.training.tensors import augment, normalise, to_input, to_unit
from medtl.vocabulary import Blend, InputSpec, NewHead, Plan, Reinitialise, Solve, Train


class Stopped(Exception):
    """The user asked for the end before there was anything to keep."""


class Listener(Protocol):
    """Who is told what happens; and who is asked whether to go on."""

    def phase(self, phase: str, says: str, done: int, total: int) -> None: ...
    def step(self, **facts: Any) -> None: ...
    def epoch(self, **facts: Any) -> None: ...
    def note(self, message: str) -> None: ...
    def should_stop(self) -> bool: ...


class Inputs(Protocol):
    """The pictures of a cohort at the size a source wants."""

    def take(self, indices: np.ndarray) -> np.ndarray:
        """(n,) indices -> (n, 1 or 3, S, S) uint8."""
        ...

    def keep(self, on_progress: Callable[[int, int], None]) -> None:
        """Work all of them out once, so that many epochs cost no more than one."""
        ...


@dataclass(frozen=True)
class Examples:
    """The cohort as the engine sees it."""

    inputs: Inputs
    labels: np.ndarray  # (N,) int64
    train: np.ndarray  # indices
    tune: np.ndarray
    test: np.ndarray
    keys: tuple[str, ...]  # content hash of each case
    classes: int
    tasks: np.ndarray | None = None  # (K,) the number of the task each class belongs to; None: one task


@dataclass
class Fitted:
    """The network after its plan. `features` are those of all N cases while the trunk is the one they came from."""

    network: Network
    learned: bool = False  # whether a step has taught the present head anything
    features: np.ndarray | None = None
    outcome: str = ""  # what the user would not expect of the result, in a sentence
    stopped: str = ""  # why training ended before its plan did, in a sentence; empty when it did not
    seconds: dict[str, float] = field(default_factory=lambda: {"features": 0.0, "fit": 0.0})
    trained_images: int = 0
    train_seconds: float = 0.0
    computed_features: int = 0


class Engine:
    """Everything a plan needs besides itself."""

    def __init__(
        self,
        examples: Examples,
        spec: InputSpec,
        device: Device,
        seed: int,
        listener: Listener,
        cache: FeatureCache | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.examples = examples
        self.spec = spec
        self.device = device
        self.seed = seed
        self.listener = listener
        self.cache = cache
        self.checkpoint = checkpoint

    def carry_out(self, network: Network, plan: Plan) -> Fitted:
        """Carry out the steps in order. Raises Stopped when asked to stop before anything is worth keeping."""
        fitted = Fitted(network)
        cache = self.cache
        source = to_cpu(network.trunk.state_dict()) if any(isinstance(step, Blend) for step in plan) else {}
        for number, step in enumerate(plan):
            seed_everything(self.seed, number)
            if isinstance(step, Reinitialise):
                reinitialise(network)
                cache, fitted.features = None, None  # the cache belongs to the source, not to noise
                fitted.learned = False
            elif isinstance(step, NewHead):
                k = self.examples.classes
                network.head = (
                    hidden_head(network.width, step.hidden, k, step.dropout)
                    if step.hidden
                    else linear_head(network.width, k)
                )
                fitted.learned = False
            elif isinstance(step, Solve):
                fitted.features = self.features(network, cache, fitted)
                self._solve(network, step, fitted.features, fitted)
                fitted.learned = True
            elif isinstance(step, Train):
                moved = _Training(self, network, step, number).run(fitted)
                fitted.learned = True
                if moved and any(rate.stage != "head" for rate in step.rates):
                    cache, fitted.features = None, None
            elif isinstance(step, Blend):
                _blend(network, source, step.share)
                cache, fitted.features = None, None
            if fitted.stopped:
                break
        return fitted

    def features(self, network: Network, cache: FeatureCache | None, fitted: Fitted) -> np.ndarray:
        """(N, D): what the network sees in every case of the cohort, from the cache where it is known."""
        began = time.monotonic()

        def compute(indices: np.ndarray) -> np.ndarray:
            eye = Eye(network, self.spec, self.device)
            fitted.computed_features += len(indices)

            def progress(done: int, total: int) -> None:
                self.listener.phase("features", "Looking at every image once", done, total)
                if self.listener.should_stop():
                    raise Stopped

            return eye.features(self.examples.inputs.take, indices, progress)

        rows = cached(cache, self.examples.keys, compute)
        fitted.seconds["features"] += time.monotonic() - began
        return rows

    def _solve(self, network: Network, step: Solve, features: np.ndarray, fitted: Fitted) -> None:
        began = time.monotonic()
        e = self.examples
        self.listener.phase("fit", "Fitting the last layer", 0, 1)
        head = solve(
            features[e.train], e.labels[e.train], features[e.tune], e.labels[e.tune],
            e.classes, step.strengths, step.balanced,
        )  # fmt: skip
        assert isinstance(network.head, nn.Linear)
        with torch.no_grad():
            network.head.weight.copy_(torch.from_numpy(head.weight))
            network.head.bias.copy_(torch.from_numpy(head.bias))
        self.listener.phase("fit", "Fitting the last layer", 1, 1)
        fitted.seconds["fit"] += time.monotonic() - began


# What a training step remembers besides network and optimiser.
_KEPT = (
    "best", "best_epoch", "best_loss", "temperature", "latest_epoch", "latest_loss", "history", "chunk", "steps",
)  # fmt: skip


class _Training:
    """One `Train` step: gradient descent on some stages, early stopping on the tune part, the best moment kept."""

    def __init__(self, engine: Engine, network: Network, step: Train, number: int) -> None:
        self.engine, self.step, self.number = engine, step, number
        self.examples, self.spec, self.device = engine.examples, engine.spec, engine.device
        self.listener = engine.listener
        self.network = network
        device_network = self.device.place(network)
        assert device_network is network  # modules move in place
        self.rates = {rate.stage: rate.rate for rate in step.rates}
        self.first = self._first_trained_stage()
        self.chunk = min(self.device.chunk, step.batch)
        if step.adapt_batchnorm:  # statistics come from the chunk, so it must not be tiny
            self.chunk = min(step.batch, max(self.chunk, 16))
        groups = self._groups()
        self.optimiser = torch.optim.AdamW(groups, weight_decay=step.weight_decay)
        self.scaler = torch.amp.GradScaler(enabled=self.device.autocast == torch.float16)
        self.history: list[dict[str, Any]] = []
        self.best_loss, self.best_epoch = math.inf, 0
        self.temperature = 1.0  # that suits the best epoch on the tune part
        self.latest_loss, self.latest_epoch = math.inf, 0  # the best of the epochs alone, which patience counts from
        self.steps = 0
        self.tasks = _tasks(engine.examples) if step.by_task else None
        self.unjudged = False  # what is kept was never scored on the tune part, as the first epoch was cut short
        self.best = to_cpu(network.state_dict())

    def run(self, fitted: Fitted) -> bool:
        """Train; leaves the best state in the network. True when the network moved away from where it began."""
        began = time.monotonic()
        epoch = start = self._resume()
        try:
            self.examples.inputs.keep(self._preparing)
            if start == 1 and fitted.learned:
                # What the steps before taught is the first candidate: training never ends worse on tune than it
                # began. A head of random values is none.
                self.best_loss, _, _ = self._tune()
            # Patience is asked before an epoch, so that a run resumed after its last useful one does not train on. It
            # counts from the best epoch, not from the fitted head: moving away from that costs some epochs at first.
            while epoch <= self.step.epochs and epoch - 1 - self.latest_epoch < self.step.patience:
                fitted.stopped = self._epoch(epoch, fitted)
                if fitted.stopped:
                    break
                epoch += 1
        except Stopped:
            if self.steps and not self.best_epoch and not fitted.learned:
                self.best, self.unjudged = to_cpu(self.network.state_dict()), True
            fitted.stopped = self._ended("You asked to stop", epoch, fitted)
        finally:
            self.network.load_state_dict(self.best)
            if self.best_epoch and "head" in self.rates:
                _soften(self.network.head, self.temperature)
            self.network.requires_grad_(True)
            self.network.eval()
            fitted.seconds["fit"] += time.monotonic() - began
        if not fitted.stopped and not self.best_epoch and fitted.learned:
            fitted.outcome = (
                f"No epoch ({epoch - 1} were trained) was better on the tuning part than the last layer as fitted "
                "before: that one is kept, so this result is that of training only the last layer."
            )
            self.listener.note(fitted.outcome)
        elif not fitted.stopped and epoch <= self.step.epochs:
            self.listener.note(
                f"Training ended after epoch {epoch - 1} of {self.step.epochs}: the tuning part had not improved for "
                f"{self.step.patience} epochs. What epoch {self.best_epoch} had learned is kept."
            )
        if fitted.stopped and not self.best_epoch and not fitted.learned and not self.unjudged:
            if self.listener.should_stop():
                raise Stopped
            raise MedtlError(fitted.stopped, "Choose a smaller learning rate under Advanced and start again.")
        return self.best_epoch > 0 or self.unjudged

    def _preparing(self, done: int, total: int) -> None:
        self.listener.phase("read", "Preparing the images", done, total)
        if self.listener.should_stop():
            raise Stopped

    # ---- one epoch ---------------------------------------------------------------------------------------------------

    def _epoch(self, epoch: int, fitted: Fitted) -> str:
        """One pass over the train part. Returns why training must end, or ""."""
        began = time.monotonic()
        generator = seed_everything(self.engine.seed, self.number, epoch)
        order = self._order(generator)
        batches = np.array_split(order, max(1, math.ceil(len(order) / self.step.batch)))
        losses = []
        for i, batch in enumerate(batches):
            if self.listener.should_stop():
                raise Stopped
            self._set_rate((epoch - 1) * len(batches) + i, self.step.epochs * len(batches))
            loss = self._batch(batch, generator)
            if not math.isfinite(loss):
                return self._ended("Training diverged (the loss was not a number)", epoch, fitted)
            losses.append(loss)
            self.steps += 1
            self.listener.step(
                epoch=epoch, epochs=self.step.epochs, step=i + 1, steps=len(batches), loss=loss, plan_step=self.number
            )
        fitted.trained_images += len(order)
        fitted.train_seconds += time.monotonic() - began
        tune_loss, tune_auroc, temperature = self._tune()
        if not math.isfinite(tune_loss):
            return self._ended("Training diverged (the loss was not a number)", epoch, fitted)
        if tune_loss < self.latest_loss:
            self.latest_loss, self.latest_epoch = tune_loss, epoch
        better = tune_loss < self.best_loss
        if better:
            self.best_loss, self.best_epoch, self.temperature = tune_loss, epoch, temperature
            self.best = to_cpu(self.network.state_dict())
        seconds = time.monotonic() - began
        point = {"epoch": epoch, "train_loss": float(np.mean(losses)), "tune_loss": tune_loss, "tune_auroc": tune_auroc}
        self.history.append(point)
        self._save(epoch)
        self.listener.epoch(**point, epochs=self.step.epochs, best=better, seconds=seconds, plan_step=self.number)
        return ""

    def _ended(self, why: str, epoch: int, fitted: Fitted) -> str:
        if self.best_epoch:
            return f"{why} in epoch {epoch} of {self.step.epochs}; what epoch {self.best_epoch} had learned is kept."
        if self.unjudged:
            return f"{why} in the first epoch; what the network had learned until then is kept."
        if fitted.learned:
            return f"{why} in epoch {epoch} of {self.step.epochs}; the last layer as fitted before is kept."
        return f"{why} before the first epoch was complete; there is nothing to keep."

    def _order(self, generator: torch.Generator) -> np.ndarray:
        train = self.examples.train
        if self.step.balanced:
            labels = self.examples.labels[train]
            weights = 1.0 / np.bincount(labels, minlength=self.examples.classes)[labels]
            picks = torch.multinomial(torch.from_numpy(weights), len(train), replacement=True, generator=generator)
        else:
            picks = torch.randperm(len(train), generator=generator)
        return np.asarray(train[picks.numpy()])

    def _batch(self, batch: np.ndarray, generator: torch.Generator) -> float:
        """Gradient of one batch, summed over chunks that fit in memory, and one step. Returns the mean loss."""
        while True:
            state = generator.get_state()
            try:
                self.optimiser.zero_grad(set_to_none=True)
                total = 0.0
                for start in range(0, len(batch), self.chunk):
                    total += self._chunk(batch[start : start + self.chunk], len(batch), generator)
                if math.isfinite(total):
                    self.scaler.step(self.optimiser)
                    self.scaler.update()
                return total
            except torch.OutOfMemoryError:
                generator.set_state(state)
                self._halve()

    def _halve(self) -> None:
        if self.chunk == 1:
            raise MedtlError(
                "There is not enough memory on the device for a single image at a time.",
                "Close other programs that use it, or choose a smaller source.",
            )
        self.chunk = max(1, self.chunk // 2)
        self.optimiser.zero_grad(set_to_none=True)
        if self.device.name == "cuda":
            torch.cuda.empty_cache()
        self.listener.note(f"The memory was full: going on with {self.chunk} images at a time instead.")

    def _chunk(self, indices: np.ndarray, whole: int, generator: torch.Generator) -> float:
        x = to_unit(self.examples.inputs.take(indices), self.spec, self.device.where)
        x = normalise(augment(x, self.step.augment, generator), self.spec)
        y = torch.from_numpy(self.examples.labels[indices]).to(self.device.where)
        self._modes(len(indices))
        with torch.autocast(self.device.name, dtype=self.device.autocast, enabled=self.device.autocast is not None):
            logits = self._forward(x)
        logits = logits.float()
        if self.tasks is not None:
            logits = logits.masked_fill(torch.from_numpy(_others(self.tasks)).to(y.device)[y], _SILENT)
        # Mean over the whole batch, so that chunks add up to the same gradient.
        loss = functional.cross_entropy(logits, y, reduction="sum") / whole
        self.scaler.scale(loss).backward()
        return float(loss.detach())

    def _forward(self, x: Tensor) -> Tensor:
        """Stages below the first that trains need no gradients, which saves most of their time and memory."""
        stages = self.network.stages
        with torch.no_grad():
            for stage in stages[: self.first]:
                x = stage(x)
        logits: Tensor = self.network.head(self.network.features_from(x, self.first))
        return logits

    def _modes(self, chunk: int) -> None:
        """Only what trains is in training mode; batch norms only when asked to adapt and the chunk has a spread."""
        self.network.eval()
        for stage in self.network.stages:
            stage.train(stage.name in self.rates)
        self.network.head.train("head" in self.rates)
        if not self.step.adapt_batchnorm or chunk < 2:
            for module in self.network.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()

    # ---- around it ---------------------------------------------------------------------------------------------------

    def _tune(self) -> tuple[float, float, float]:
        """Tempered log-loss on the tune part, macro AUROC (nan when a class is missing there), and the temperature.

        Raises Stopped as soon as it is asked to: a large tune part takes longer than a user waits.
        """
        tune = self.examples.tune
        logits = []
        self.network.eval()
        with torch.inference_mode():
            for start in range(0, len(tune), self.device.chunk_forward):
                if self.listener.should_stop():
                    raise Stopped
                chunk = tune[start : start + self.device.chunk_forward]
                x = to_input(self.examples.inputs.take(chunk), self.spec, self.device.where)
                logits.append(self.network(x).float().cpu().numpy())
        if not logits:
            return math.inf, math.nan, 1.0
        outputs, labels = np.concatenate(logits).astype(np.float64), self.examples.labels[tune]
        if self.tasks is not None and np.isfinite(outputs).all():
            outputs[_others(self.tasks)[labels]] = _SILENT
        loss, temperature = tempered_loss(outputs, labels)
        if not math.isfinite(loss):
            return math.nan, math.nan, 1.0
        return loss, self._auroc(labels, softmax(outputs)), temperature

    def _auroc(self, labels: np.ndarray, scores: np.ndarray) -> float:
        """Macro AUROC; with several tasks the mean over them, each among its own cases and classes."""
        if self.tasks is None:
            return macro_auroc(labels, scores)
        found = []
        for task in np.unique(self.tasks):
            mine, classes = self.tasks[labels] == task, np.flatnonzero(self.tasks == task)
            found.append(macro_auroc(np.searchsorted(classes, labels[mine]), scores[np.ix_(mine, classes)]))
        return float(np.mean(found))

    def _groups(self) -> list[dict[str, Any]]:
        """Parameter groups at their rates; everything not named is cut off from gradients."""
        self.network.requires_grad_(False)
        groups = []
        parts: Sequence[tuple[str, list[nn.Parameter]]] = [
            *((stage.name, list(stage.parameters())) for stage in self.network.stages),
            ("head", list(self.network.head.parameters())),
        ]
        for name, parameters in parts:
            if name in self.rates and parameters:
                for parameter in parameters:
                    parameter.requires_grad_(True)
                groups.append({"params": parameters, "lr": self.rates[name], "rate": self.rates[name]})
        return groups

    def _first_trained_stage(self) -> int:
        names = [stage.name for stage in self.network.stages]
        trained = [i for i, name in enumerate(names) if name in self.rates]
        return trained[0] if trained else len(names)

    def _set_rate(self, step: int, steps: int) -> None:
        """Linear warm-up, then half a cosine down to zero."""
        warm = max(1, round(self.step.warmup * steps))
        factor = (step + 1) / warm if step < warm else 0.5 * (1 + math.cos(math.pi * (step - warm) / (steps - warm)))
        for group in self.optimiser.param_groups:
            group["lr"] = group["rate"] * factor

    def _save(self, epoch: int) -> None:
        if self.engine.checkpoint is None:
            return
        self.engine.checkpoint.save(
            f"step-{self.number}-epoch-{epoch}.pt",
            {
                "plan_step": self.number,
                "epoch": epoch,
                "network": to_cpu(self.network.state_dict()),
                "optimiser": self.optimiser.state_dict(),
                "scaler": self.scaler.state_dict(),
                **{name: getattr(self, name) for name in _KEPT},
            },
        )

    def _resume(self) -> int:
        """The epoch to go on with: 1, or the one after the last checkpoint of this step."""
        if self.engine.checkpoint is None:
            return 1
        try:
            state = self.engine.checkpoint.load()
            if state is None or state["plan_step"] != self.number:
                return 1
            # Read everything before anything is changed, so that damage leaves nothing half restored.
            epoch = int(state["epoch"])
            kept = {name: state[name] for name in _KEPT}
            self.network.load_state_dict(state["network"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.scaler.load_state_dict(state["scaler"])
        except (ValueError, KeyError, TypeError, RuntimeError, OSError, EOFError) as error:
            self.listener.note(
                f"The saved state of this run is damaged ({type(error).__name__}); training starts again from the "
                "first epoch."
            )
            self.network.load_state_dict(self.best)
            return 1
        for name, value in kept.items():
            setattr(self, name, value)
        return epoch + 1


# A logit that no softmax hears, and no temperature makes infinite.
_SILENT = -1e4


def _tasks(examples: Examples) -> np.ndarray:
    return np.zeros(examples.classes, np.int64) if examples.tasks is None else examples.tasks


def _others(tasks: np.ndarray) -> np.ndarray:
    """(K, K) bool: for a case of class k, the outputs that belong to other tasks."""
    return np.asarray(tasks[:, None] != tasks[None, :])


def _blend(network: Network, source: Mapping[str, Tensor], share: float) -> None:
    """WiSE-FT, Wortsman et al. 2021, arXiv:2109.01903: a straight line between two sets of weights. Batch-norm
    statistics go along; counters, which are whole numbers, stay."""
    with torch.no_grad():
        for key, value in network.trunk.state_dict().items():
            if value.is_floating_point():
                value.lerp_(source[key].to(value.device), 1 - share)


def _soften(head: nn.Module, temperature: float) -> None:
    """Divide the logits by a temperature for good: in the last linear layer, so that no later step has to know."""
    last = [module for module in head.modules() if isinstance(module, nn.Linear)][-1]
    with torch.no_grad():
        last.weight.div_(temperature)
        last.bias.div_(temperature)
