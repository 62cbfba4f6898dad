"""Make the generators of the cases' random numbers.

The seed is public at home and secret in grading.
"""

from __future__ import annotations

import hashlib

import torch

PUBLIC_SEED = 20130
# Where torch keeps the Mersenne twister's words in the state of a generator; a test fails when a
# version of torch moves them.
TWISTER_WORDS, TWISTER_START = 624, 24


def secret_generator(seed: int, purpose: str) -> torch.Generator:
    """Return a generator whose whole state comes from a seed and a purpose.

    The seed may have any size. `manual_seed` keeps 32 bits of a seed: few enough to try them all.
    Here a hash stretches the seed over the 624 words of the Mersenne twister, each of which torch
    keeps in eight bytes.
    """
    generator = torch.Generator().manual_seed(0)
    state = bytearray(generator.get_state().numpy().tobytes())
    words = hashlib.shake_256(f"{purpose} {seed}".encode()).digest(4 * TWISTER_WORDS)
    for word in range(TWISTER_WORDS):
        place = TWISTER_START + 8 * word
        state[place : place + 4] = words[4 * word : 4 * word + 4]
    return generator.set_state(torch.frombuffer(state, dtype=torch.uint8).clone())
