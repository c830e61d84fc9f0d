"""Pictures as the first stage that trains is shown them: kept views against those worked out anew."""

import numpy as np
import pytest
import torch

from medtl.training import views
from medtl.training.views import Kept, Live
from tests.builders import CPU, PICTURES, Heard, easy_examples, image_network


def pair(kind: str, count: int = 3, first: int = 2) -> tuple[Live, Kept]:
    examples, network = easy_examples(), image_network()
    live = Live(network, first, examples, PICTURES, CPU, kind)
    return live, Kept(live, count, examples, 1, Heard())


@pytest.mark.parametrize("first", [1, 3, 4])
def test_without_augmentation_a_kept_view_is_the_live_one(first: int) -> None:
    live, kept = pair("none", first=first)
    e = easy_examples()
    generator = torch.Generator().manual_seed(0)
    for indices in (e.train[:5], e.train[::-1][:7]):
        assert torch.allclose(kept.training(indices, generator), live.training(indices, generator), atol=1e-2)
    assert torch.allclose(kept.plain(e.tune), live.plain(e.tune), atol=1e-2)
    assert len(kept.kept) == len(e.train) + len(e.tune)  # one view: the others would be the same


def test_several_views_are_all_shown_and_differ() -> None:
    _, kept = pair("mild")
    e = easy_examples()
    generator = torch.Generator().manual_seed(0)
    seen = {tuple(np.round(kept.training(e.train[:1], generator).flatten()[:20].numpy(), 3)) for _ in range(40)}
    assert len(seen) == 3


def test_tuning_cases_are_shown_as_they_are() -> None:
    live, kept = pair("mild")
    tune = easy_examples().tune
    assert torch.allclose(kept.plain(tune), live.plain(tune), atol=1e-2)


def test_the_same_seed_keeps_the_same_views() -> None:
    assert np.array_equal(pair("mild")[1].kept, pair("mild")[1].kept)


def test_what_is_too_large_for_memory_lies_in_a_file_and_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    in_memory = pair("mild")[1].kept
    monkeypatch.setattr(views, "_IN_MEMORY", 0)
    in_file = pair("mild")[1].kept
    assert isinstance(in_file, np.memmap) and np.array_equal(in_file, in_memory)


def test_the_room_is_known_before() -> None:
    live, kept = pair("mild")
    assert views.kept_bytes(live.network, 2, PICTURES, len(kept.kept)) == kept.kept.nbytes
