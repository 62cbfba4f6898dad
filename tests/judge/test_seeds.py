"""Hidden cases come from the whole of a seed, and from nothing else."""

from __future__ import annotations

import pytest
import torch

from autograder.judge.seeds import secret_generator


def _draws(seed: int, purpose: str) -> torch.Tensor:
    return torch.rand(100, generator=secret_generator(seed, purpose))


def test_the_same_seed_draws_the_same() -> None:
    assert torch.equal(_draws(5, "a"), _draws(5, "a"))


@pytest.mark.parametrize("other", [(6, "a"), (5, "b"), (5 + (1 << 32), "a"), (5 + (1 << 61), "a")])
def test_any_other_seed_or_purpose_draws_something_else(other: tuple[int, str]) -> None:
    assert not torch.isclose(_draws(5, "a"), _draws(*other)).any()


def test_the_draws_are_evenly_spread() -> None:
    draws = torch.rand(100_000, generator=secret_generator(1, "spread"))
    assert draws.mean() == pytest.approx(0.5, abs=0.01)
    counts = torch.histc(draws, bins=20, min=0, max=1)
    assert counts.min() > 4_500 and counts.max() < 5_500


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    secret_generator(1, "a")
    assert torch.equal(before, torch.get_rng_state())
