"""Settings that several strategies share, defined once so that they mean the same everywhere."""

from typing import Any

from medtl.strategies.strategy import setting
from medtl.vocabulary import Blend, Plan

# Values of C for the head on cached features; on standardised features small values win on small cohorts.
STRENGTHS = tuple(10 ** (exponent / 2) for exponent in range(-8, 3))


def epochs(default: int) -> Any:
    return setting(default, "Epochs", "How often every training case is seen, at most.", low=1, high=100)


def rate(default: float) -> Any:
    help = "How far the weights move at each step. Too high forgets the source, too low learns nothing."
    return setting(default, "Learning rate", help, low=1e-6, high=1e-1)


def earlier_slower() -> Any:
    help = "Each stage nearer to the input gets this share of the next one's rate."
    return setting(0.4, "Earlier layers slower by", help, low=0.05, high=1.0)


def blend(default: float) -> Any:
    help = (
        "How much of the source is mixed back into the weights at the end: 0 keeps what was learned alone, 0.5 lies "
        "half way, which keeps more of the source's general features."
    )
    return setting(default, "Mix the source back in", help, low=0.0, high=0.95)


def blend_back(share: float) -> Plan:
    """The step that mixes so much of the source back in; none for 0."""
    says = f"Mix {100 * share:.0f} % of the source back into all its weights, to keep its general features."
    return (Blend(says, 1 - share),) if share else ()


def batch() -> Any:
    return setting(32, "Batch", "Cases averaged for one step of the weights.", low=1, high=256, unit="cases")


def patience(default: int) -> Any:
    help = "Training ends when the tuning part has not improved for this many epochs."
    return setting(default, "Patience", help, low=1, high=100, unit="epochs")


def augment(default: str = "mild") -> Any:
    help = (
        "Small changes to each picture while training, so that little data goes further. 'mild': turned up to 10 "
        "degrees, scaled and shifted a little, brightness and contrast varied. 'with flips' also mirrors left and "
        "right: not where the side matters. 'strong', for a source that is to serve other images later: more of all "
        "of it, colours varied, patches left out."
    )
    return setting(default, "Augmentation", help, choices=("none", "mild", "with flips", "strong"))


def balance(default: str = "as they are") -> Any:
    help = (
        "'balanced' lets each class weigh the same however many cases it has; scores then no longer follow prevalence."
    )
    return setting(default, "Class weights", help, choices=("as they are", "balanced"))


def batchnorm(default: str) -> Any:
    help = (
        "'keep' leaves the running statistics of the source as they are, the safe choice for small cohorts and small "
        "batches; 'adapt' lets them follow your images."
    )
    return setting(default, "Batch-norm statistics", help, choices=("keep", "adapt"))
