"""One `Train` step: gradient descent on some stages, early stopping on the tune part, the best moment kept.

Letters: N cases in the cohort, n cases in hand, K classes.
"""

import contextlib
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from medtl.errors import MedtlError
from medtl.sources.network import Network
from medtl.training import trainable
from medtl.training.checkpoint import Checkpoint, to_cpu
from medtl.training.device import Device, seed_everything
from medtl.training.examples import Examples, Fitted, Listener, OutOfTime, Stopped
from medtl.training.judgement import Judgement
from medtl.training.objective import objective
from medtl.training.penalties import Penalties
from medtl.training.views import Kept, Live, Shown, kept_bytes, room_for
from medtl.vocabulary import InputSpec, Train

# What a training step remembers besides network and optimiser.
_KEPT = (
    "best", "best_epoch", "best_loss", "temperature", "latest_epoch", "latest_loss", "history", "chunk", "steps",
    "mean", "mean_steps", "along",
)  # fmt: skip


ALONG = 1e-2  # learning rate of what the objective learns along: a few numbers near 0, of no source


@dataclass(frozen=True)
class Setting:
    """Where a step is carried out: everything besides network and step."""

    examples: Examples
    spec: InputSpec
    device: Device
    seed: int
    listener: Listener
    checkpoint: Checkpoint | None = None
    deadline: float | None = None  # of time.monotonic()


@dataclass(frozen=True)
class First:
    """What a first training found, for a second one that learns from the tune part too: after how many epochs it was
    best, at what temperature, what it had learned, and what it said of the tune part, (n tune, K) scores."""

    epochs: int
    temperature: float
    state: Mapping[str, Tensor]
    said: np.ndarray


class Descent:
    """Carries out one `Train` step on a network; `source` is the state of its trunk before anything was learned.

    With `first` it goes through as many epochs as were best then, at the same rates, and keeps the last one.
    """

    def __init__(
        self,
        setting: Setting,
        network: Network,
        step: Train,
        number: int,
        source: Mapping[str, Tensor],
        first: First | None = None,
    ) -> None:
        self.setting, self.step, self.number, self.before = setting, step, number, first
        self.epochs = first.epochs if first else step.epochs
        self.judges = not first and step.patience > 0  # else the last epoch is kept, whatever the tune part says
        self.examples, self.spec, self.device = setting.examples, setting.spec, setting.device
        self.listener = setting.listener
        self.network = network
        device_network = self.device.place(network)
        assert device_network is network  # modules move in place
        self.rates = {rate.stage: rate.rate for rate in step.rates}
        self.first = self._first_trained_stage()
        self.chunk = min(self.device.chunk, step.batch)
        if step.adapt_batchnorm:  # statistics come from the chunk, so it must not be tiny
            self.chunk = min(step.batch, max(self.chunk, 16))
        seed_everything(setting.seed, number, -1)  # low-rank additions begin at random
        chosen = trainable.choose(network, set(self.rates), step.what, step.rank)
        groups = [{"params": ps, "lr": self.rates[name], "rate": self.rates[name], "of": name} for name, ps in chosen]
        self.objective = objective(setting.examples, step, setting.seed)
        if also := self.objective.parameters():
            groups.append({"params": also, "lr": ALONG, "rate": ALONG, "of": "head", "weight_decay": 0.0})
        self.optimiser = torch.optim.AdamW(groups, weight_decay=step.weight_decay)
        self.scaler = torch.amp.GradScaler(enabled=self.device.autocast == torch.float16)
        self.live = Live(network, self.first, setting.examples, self.spec, self.device, step.augment)
        self.shown: Shown = self.live
        self.penalties = Penalties(step.penalties, network, source) if step.penalties else None
        self.history: list[dict[str, Any]] = []
        self.best_loss, self.best_epoch = math.inf, 0
        self.temperature = 1.0  # that suits the best epoch on the tune part
        self.latest_loss, self.latest_epoch = math.inf, 0  # the best of the epochs alone, which patience counts from
        self.steps = 0
        self.mean: dict[str, Tensor] = {}
        self.mean_steps = 0
        self.unjudged = False  # what is kept was never scored on the tune part, as the first epoch was cut short
        self.best = to_cpu(network.state_dict())
        if first:  # what is kept if the second training is cut short; its head is divided by the temperature already
            self.best, self.best_epoch = dict(first.state), first.epochs

    def run(self, fitted: Fitted) -> bool:
        """Train; leaves the best state in the network. True when the network moved away from where it began."""
        began = time.monotonic()
        epoch = start = self._resume()
        for note in self.objective.notes:
            self.listener.note(note)
        try:
            self.shown = self._shown()
            if start == 1 and fitted.learned and self.judges:
                # What the steps before taught is the first candidate: training never ends worse on tune than it
                # began. A head of random values is none.
                self.best_loss = self._judge().loss
            # Patience is asked before an epoch, so that a run resumed after its last useful one does not train on. It
            # counts from the best epoch, not from the fitted head: moving away from that costs some epochs at first.
            while epoch <= self.epochs and (not self.judges or epoch - 1 - self.latest_epoch < self.step.patience):
                fitted.stopped = self._epoch(epoch, fitted)
                if fitted.stopped:
                    break
                epoch += 1
            if self.before and not fitted.stopped:
                self.best, self.temperature = self._state(), self.before.temperature
                fitted.held_out = self.before.said
        except (Stopped, OutOfTime) as end:
            if self.steps and not self.best_epoch and not fitted.learned:
                self.best, self.unjudged = self._state(), True
            fitted.out_of_time = isinstance(end, OutOfTime)
            why = "The time you gave was used up" if fitted.out_of_time else "You asked to stop"
            fitted.stopped = self._ended(why, epoch, fitted)
        finally:
            if self.before and fitted.held_out is None:  # what the first one left is whole again
                trainable.merge(self.network)
            self.network.load_state_dict(self.best)
            trainable.merge(self.network)
            if self.best_epoch and "head" in self.rates:
                soften(self.network.head, self.temperature)
            self.network.requires_grad_(True)
            self.network.eval()
            fitted.seconds["fit"] += time.monotonic() - began
        return self._told(epoch, fitted)

    def _told(self, epoch: int, fitted: Fitted) -> bool:
        """Say how it ended. True when the network moved."""
        nothing = fitted.stopped and not self.best_epoch and not fitted.learned and not self.unjudged
        if nothing and fitted.out_of_time:
            raise MedtlError(fitted.stopped, "Give it more time, or choose a quicker strategy or source.")
        if nothing and self.listener.should_stop():
            raise Stopped
        if nothing:
            raise MedtlError(fitted.stopped, "Choose a smaller learning rate under Advanced and start again.")
        if fitted.out_of_time:  # an end the user planned: the run is complete as far as the time went
            fitted.outcome, fitted.stopped = fitted.stopped, ""
            self.listener.note(fitted.outcome)
        elif not fitted.stopped and not self.best_epoch and fitted.learned:
            if fitted.moved:
                self.listener.note(
                    f"No epoch ({epoch - 1} were trained) was better on the tuning part than what the steps before had "
                    "learned: that is kept."
                )
            else:
                fitted.outcome = (
                    f"No epoch ({epoch - 1} were trained) was better on the tuning part than the last layer as fitted "
                    "before: that one is kept, so this result is that of training only the last layer."
                )
                self.listener.note(fitted.outcome)
        elif not fitted.stopped and epoch <= self.epochs:
            self.listener.note(
                f"Training ended after epoch {epoch - 1} of {self.step.epochs}: the tuning part had not improved for "
                f"{self.step.patience} epochs. What epoch {self.best_epoch} had learned is kept."
            )
        moved = self.best_epoch > 0 or self.unjudged
        if moved and not fitted.out_of_time:
            fitted.outcome = ""  # what an earlier step had to say is no longer so
        fitted.moved |= moved
        return moved

    def _shown(self) -> Shown:
        """The pictures as the first stage that trains is shown them."""
        e, step = self.examples, self.step
        e.inputs.keep(self._preparing)
        self.live.settle()
        if not step.views or not self.first:
            return self.live
        rows = step.views * len(e.train) + len(e.tune)
        if not room_for(kept_bytes(self.network, self.first, self.spec, rows)):
            self.listener.note(
                "There is no room to keep what the frozen stages see: every epoch works it out anew and takes longer."
            )
            return self.live
        self.network.eval()
        return Kept(self.live, step.views, e, self.setting.seed, self.listener)

    def _preparing(self, done: int, total: int) -> None:
        self.listener.phase("read", "Preparing the images", done, total)
        if self.listener.should_stop():
            raise Stopped

    # ---- one epoch ---------------------------------------------------------------------------------------------------

    def _epoch(self, epoch: int, fitted: Fitted) -> str:
        """One pass over the train part. Returns why training must end, or ""."""
        began = time.monotonic()
        generator = seed_everything(self.setting.seed, self.number, epoch)
        order = self._order(generator)
        batches = np.array_split(order, max(1, math.ceil(len(order) / self.step.batch)))
        losses = []
        for i, batch in enumerate(batches):
            if self.listener.should_stop():
                raise Stopped
            if self.setting.deadline is not None and time.monotonic() > self.setting.deadline:
                raise OutOfTime
            self._set_rate((epoch - 1) * len(batches) + i, self.step.epochs * len(batches))
            loss = self._batch(batch, generator)
            if not math.isfinite(loss):
                return self._ended("Training diverged (the loss was not a number)", epoch, fitted)
            losses.append(loss)
            self.steps += 1
            self._average()
            self.listener.step(
                epoch=epoch, epochs=self.epochs, step=i + 1, steps=len(batches), loss=loss, plan_step=self.number,
                turn=2 if self.before else 1, turns=2 if self.step.learn_tune else 1,
            )  # fmt: skip
        fitted.trained_images += len(order)
        fitted.train_seconds += time.monotonic() - began
        if self.before:
            self._save(epoch)
            return ""
        with self._averaged():
            judged = self._judge()
            if not math.isfinite(judged.loss):
                return self._ended("Training diverged (the loss was not a number)", epoch, fitted)
            if judged.loss < self.latest_loss:
                self.latest_loss, self.latest_epoch = judged.loss, epoch
            better = judged.loss < self.best_loss or not self.judges
            if better:
                self.best_loss, self.best_epoch, self.temperature = judged.loss, epoch, judged.temperature
                self.best = to_cpu(self.network.state_dict())
        seconds = time.monotonic() - began
        point = {
            "epoch": epoch,
            "train_loss": float(np.mean(losses)),
            "tune_loss": judged.loss,
            "tune_auroc": judged.auroc,
        }
        if math.isfinite(judged.kappa):
            point["tune_kappa"] = judged.kappa
        self.history.append(point)
        self._save(epoch)
        self.listener.epoch(
            **point, epochs=self.step.epochs, best=better, seconds=seconds, plan_step=self.number,
            turns=2 if self.step.learn_tune else 1,
        )  # fmt: skip
        return ""

    def _ended(self, why: str, epoch: int, fitted: Fitted) -> str:
        if self.best_epoch:
            return f"{why} in epoch {epoch} of {self.step.epochs}; what epoch {self.best_epoch} had learned is kept."
        if self.unjudged:
            return f"{why} in the first epoch; what the network had learned until then is kept."
        if fitted.moved:
            return f"{why} in epoch {epoch} of {self.step.epochs}; what the steps before had learned is kept."
        if fitted.learned:
            return f"{why} in epoch {epoch} of {self.step.epochs}; the last layer as fitted before is kept."
        return f"{why} before the first epoch was complete; there is nothing to keep."

    def _order(self, generator: torch.Generator) -> np.ndarray:
        train = self.examples.train
        if (draws := self.objective.draws) is not None:
            picks = torch.multinomial(torch.from_numpy(draws), len(train), replacement=True, generator=generator)
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
                    if self.step.by_gradient:
                        self._follow_gradients()
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
        self._modes(len(indices))
        with torch.autocast(self.device.name, dtype=self.device.autocast, enabled=self.device.autocast is not None):
            features = self._features(self.shown.training(indices, generator))
            logits = self.network.head(features)
        # Mean over the whole batch, so that chunks add up to the same gradient.
        loss = self.objective.loss(logits.float(), indices) / whole
        if self.penalties is not None:
            loss = loss + self.penalties(features, len(indices) / whole)
        self.scaler.scale(loss).backward()
        return float(loss.detach())

    def _features(self, x: Tensor) -> Tensor:
        """What the first stage that trains is shown -> (n, D)."""
        return x if self.first == len(self.network.stages) else self.network.features_from(x, self.first)

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

    # ---- rates and averages ------------------------------------------------------------------------------------------

    def _set_rate(self, step: int, steps: int) -> None:
        """Linear warm-up, then half a cosine down to zero."""
        warm = max(1, round(self.step.warmup * steps))
        factor = (step + 1) / warm if step < warm else 0.5 * (1 + math.cos(math.pi * (step - warm) / (steps - warm)))
        for group in self.optimiser.param_groups:
            group["lr"] = group["rate"] * factor

    def _follow_gradients(self) -> None:
        """Auto-RGN, Lee et al. 2023, arXiv:2210.11466 section 4.2: a stage whose gradient is small for its weights
        moves less, the one where it is largest at the full rate."""
        found = {}
        for group in self.optimiser.param_groups:
            gradients = [p.grad for p in group["params"] if p.grad is not None]
            if group["of"] != "head" and gradients:
                weights = torch.stack([p.detach().norm() for p in group["params"]]).norm()
                found[group["of"]] = float(torch.stack([g.norm() for g in gradients]).norm() / weights.clamp_min(1e-12))
        largest = max(found.values(), default=0.0)
        for group in self.optimiser.param_groups:
            if group["of"] in found and largest > 0:
                group["lr"] *= found[group["of"]] / largest

    def _average(self) -> None:
        """Running mean of what trains; young means forget faster, so that they do not remember where it began."""
        if not self.step.ema:
            return
        self.mean_steps += 1
        memory = min(self.step.ema, self.mean_steps / (self.mean_steps + 9))
        with torch.no_grad():
            for name, parameter in self.network.named_parameters():
                if parameter.requires_grad:
                    now = self.mean.setdefault(name, parameter.detach().clone())
                    now.to(parameter.device).lerp_(parameter, 1 - memory)

    @contextlib.contextmanager
    def _averaged(self) -> Iterator[None]:
        """The network with the running mean in place of its weights, for the length of the block."""
        if not self.mean:
            yield
            return
        now = {name: p.detach().clone() for name, p in self.network.named_parameters() if name in self.mean}
        self._put(self.mean)
        try:
            yield
        finally:
            self._put(now)

    def _put(self, values: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in self.network.named_parameters():
                if name in values:
                    parameter.copy_(values[name])

    @property
    def along(self) -> list[Tensor]:
        """What the objective has learned along."""
        return [value.detach().cpu() for value in self.objective.parameters()]

    @along.setter
    def along(self, values: list[Tensor]) -> None:
        with torch.no_grad():
            for parameter, value in zip(self.objective.parameters(), values, strict=True):
                parameter.copy_(value)

    def _state(self) -> dict[str, Tensor]:
        with self._averaged():
            return to_cpu(self.network.state_dict())

    # ---- around it ---------------------------------------------------------------------------------------------------

    def _judge(self) -> Judgement:
        """On the tune part. Raises Stopped as soon as it is asked to: a large part takes longer than a user waits."""
        tune = self.examples.tune
        logits = []
        self.network.eval()
        with torch.inference_mode():
            for start in range(0, len(tune), self.device.chunk_forward):
                if self.listener.should_stop():
                    raise Stopped
                chunk = tune[start : start + self.device.chunk_forward]
                logits.append(self.network.head(self._features(self.shown.plain(chunk))).float().cpu().numpy())
        if not logits:
            return Judgement(math.inf, math.nan, 1.0)
        return self.objective.judge(np.concatenate(logits).astype(np.float64), tune)

    def _first_trained_stage(self) -> int:
        names = [stage.name for stage in self.network.stages]
        trained = [i for i, name in enumerate(names) if name in self.rates]
        return trained[0] if trained else len(names)

    def _save(self, epoch: int) -> None:
        if self.setting.checkpoint is None:
            return
        self.setting.checkpoint.save(
            f"step-{self.number}-epoch-{epoch}.pt",
            {
                "plan_step": self.number,
                "epoch": epoch,
                "first": vars(self.before) | {"said": torch.from_numpy(self.before.said)} if self.before else None,
                "network": to_cpu(self.network.state_dict()),
                "optimiser": self.optimiser.state_dict(),
                "scaler": self.scaler.state_dict(),
                **{name: getattr(self, name) for name in _KEPT},
            },
        )

    def _resume(self) -> int:
        """The epoch to go on with: 1, or the one after the last checkpoint of this step."""
        if self.setting.checkpoint is None:
            return 1
        try:
            state = self.setting.checkpoint.load()
            if state is None or state["plan_step"] != self.number or (state["first"] is None) != (self.before is None):
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


def first_of(state: Mapping[str, Any] | None, number: int) -> First | None:
    """From a checkpoint: what the first training of this step found, if the second was under way."""
    if state is None or state["plan_step"] != number or state["first"] is None:
        return None
    said = state["first"]
    return First(int(said["epochs"]), float(said["temperature"]), said["state"], said["said"].numpy())


def soften(head: nn.Module, temperature: float) -> None:
    """Divide the logits by a temperature for good: in the last linear layer, so that no later step has to know."""
    last = [module for module in head.modules() if isinstance(module, nn.Linear)][-1]
    with torch.no_grad():
        last.weight.div_(temperature)
        last.bias.div_(temperature)
