"""Settings that follow the cohort: what a strategy's defaults become for these cases. A user's own choice overrules."""

from collections.abc import Mapping
from typing import Any

from medtl.vocabulary import Cohort


def suited(id: str, cohort: Cohort) -> Mapping[str, Any]:
    """Name -> value of the settings of strategy `id` that should differ from their plain defaults on this cohort."""
    return {}
