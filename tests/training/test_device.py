"""Where it is worked out, and that chance comes from the seed alone."""

import pytest
import torch

from medtl.errors import BadInput
from medtl.training.device import choose, seed_everything


def test_a_device_that_is_not_there_is_said() -> None:
    with pytest.raises(BadInput) as error:
        choose("tpu")
    assert "auto" in error.value.advice
    if not torch.cuda.is_available():
        with pytest.raises(BadInput) as error:
            choose("cuda")
        assert "GPU" in error.value.message and "auto" in error.value.advice
        assert choose("auto").name == "cpu"


def test_the_cpu_works_in_full_precision() -> None:
    device = choose("cpu")
    assert device.name == "cpu" and device.autocast is None and device.chunk >= 1


@pytest.mark.gpu
def test_a_gpu_is_taken_when_there_is_one() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    assert choose("auto").name == "cuda" and choose("auto").autocast in (torch.bfloat16, torch.float16)


def test_chance_follows_the_seed_and_every_part_of_it() -> None:
    def draws(*parts: int) -> tuple[float, ...]:
        generator = seed_everything(*parts)
        return (*torch.rand(2).tolist(), *torch.rand(2, generator=generator).tolist())

    assert draws(1, 2, 3) == draws(1, 2, 3)
    different = [(1, 2, 3), (2, 2, 3), (1, 3, 3), (1, 2, 4), (3, 2, 1), (1, 2), (1,), (0,), (-5,), (2**40, 1)]
    assert len({draws(*parts) for parts in different}) == len(different)
