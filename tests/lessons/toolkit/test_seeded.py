import pytest
import torch

from lessons.toolkit.seeds import seeded


def test_a_block_draws_from_its_seed_and_leaves_the_generator_as_it_was():
    before = torch.get_rng_state()
    with seeded(3):
        first = torch.nn.Linear(2, 3).weight
    with seeded(3):
        again = torch.nn.Linear(2, 3).weight
    with seeded(4):
        other = torch.nn.Linear(2, 3).weight
    assert torch.equal(first, again) and not torch.equal(first, other)
    with pytest.raises(ZeroDivisionError), seeded(3):
        torch.rand(1 // 0)
    assert torch.equal(torch.get_rng_state(), before)
