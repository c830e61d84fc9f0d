"""What may be dropped as a source, and what is said where it may not."""

import pytest

from medtl.sources import foreign, optional
from pages.ui import bring_source


@pytest.mark.parametrize("kind", bring_source.REFUSED)
def test_what_can_run_code_is_refused_with_a_way_on(kind: str) -> None:
    wrong = bring_source._refusal(kind)
    assert wrong is not None and "refused" in wrong.message and wrong.advice
    assert (".keras" in wrong.advice) is (kind in ("h5", "hdf5"))


@pytest.mark.parametrize("there", [True, False])
def test_a_kind_whose_library_is_missing_says_how_to_get_it(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optional, "installed", lambda library: there)
    for kind in bring_source.KINDS:
        wrong = bring_source._refusal(kind)
        assert (wrong is None) is (there or kind == "safetensors")
        assert wrong is None or "pip install" in wrong.advice


def test_every_range_can_be_picked() -> None:
    assert set(bring_source.RANGES) == {"", *foreign.RANGES}
