"""The form of a strategy's settings, drawn from what the strategy says of itself. Nothing here knows a strategy."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st


def ask(settings: Sequence[Any], key: str) -> Mapping[str, Any]:
    """Name -> value of every setting."""
    columns = st.columns(2)
    answers = {}
    for at, setting in enumerate(settings):
        with columns[at % 2]:
            answers[setting.name] = _one(setting, f"{key}-{setting.name}")
    return answers


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
