"""The form of a strategy's settings, drawn from what the strategy says of itself. Nothing here knows a strategy."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from pages.ui.escape import md


def ask(settings: Sequence[Any], key: str, suited: Mapping[str, Any]) -> Mapping[str, Any]:
    """Name -> value of every setting. The form starts from the defaults, or from what is `suited` to the cohort."""
    settings = [dataclasses.replace(one, default=suited.get(one.name, one.default)) for one in settings]
    if suited:
        st.caption(f":material/auto_awesome: Set for your cohort: {md(says(settings, suited))}.")
    columns = st.columns(2)
    answers = {}
    for at, setting in enumerate(settings):
        with columns[at % 2]:
            answers[setting.name] = _one(setting, f"{key}-{setting.name}")
    return answers


def says(settings: Sequence[Any], values: Mapping[str, Any]) -> str:
    """ "Class weights balanced, Batch 16"."""
    titles = {one.name: one.title for one in settings}
    return ", ".join(f"{titles[name]} {_written(value)}" for name, value in values.items() if name in titles)


def _written(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _one(setting: Any, key: str) -> Any:
    unit = f" ({setting.unit})" if setting.unit else ""
    label = f"{setting.title}{unit}"
    if setting.kind == "choice":
        choices = list(setting.choices)
        at = choices.index(setting.default) if setting.default in choices else 0
        return st.selectbox(label, choices, at, help=setting.help, key=key)
    if isinstance(setting.default, bool):
        return st.toggle(label, setting.default, help=setting.help, key=key)
    if setting.kind == "int":
        return int(
            st.number_input(label, setting.low, setting.high, setting.default, step=1, help=setting.help, key=key)
        )
    small = abs(float(setting.default)) < 0.01
    return float(
        st.number_input(
            label,
            None if setting.low is None else float(setting.low),
            None if setting.high is None else float(setting.high),
            float(setting.default),
            step=float(setting.default) / 2 if small and setting.default else 0.01,
            format="%.1e" if small else "%.3g",
            help=setting.help,
            key=key,
        )
    )
