"""Torch works inside a child as it does outside, and nothing of it passes to the next child."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from conftest import RUNGS, open_sandbox

from autograder.grading.sandbox.children import PRELOAD, ChildResult, Sandbox
from autograder.protocol.wire import encode, read_frame

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

Attack = Callable[..., ChildResult]


@pytest.fixture(scope="module", params=RUNGS)
def warm(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with open_sandbox(request.param, preload=PRELOAD) as opened:
        yield opened


GRADIENT = """
import torch
from torch.nn import functional as F
generator = torch.Generator().manual_seed(3)
images = torch.randn(2, 3, 33, 47, generator=generator, requires_grad=True)
weights = torch.randn(8, 3, 3, 3, generator=generator, requires_grad=True)
F.conv2d(images, weights, padding=1).relu().mean((2, 3)).log_softmax(1)[:, 0].sum().backward()
"""


def test_gradients_are_those_of_outside(warm: Sandbox, attack: Attack) -> None:
    here: dict[str, torch.Tensor] = {}
    exec(GRADIENT, here)
    result = attack(warm, GRADIENT + "say(images.grad.double().numpy().tobytes())")
    assert result.status == "ok"
    there = torch.frombuffer(bytearray(result.frames), dtype=torch.float64)
    assert here["images"].grad is not None
    torch.testing.assert_close(there, here["images"].grad.double().flatten(), rtol=1e-6, atol=1e-9)
    assert result.log == b""


def test_a_gradient_inside_gradients_works(warm: Sandbox, attack: Attack) -> None:
    # A fork of a process whose autograd engine has run would crash here.
    deep = """
import torch
from torch.utils.checkpoint import checkpoint
def layers(x, left):
    if left == 0:
        return x.sin()
    return checkpoint(lambda y: layers(1.01 * y, left - 1), x, use_reentrant=True)
image = torch.rand(1, 3, 8, 8, requires_grad=True)
layers(image, 70).sum().backward()
say(image.grad.isfinite().all().item())
"""
    result = attack(warm, deep)
    assert (result.status, result.frames) == ("ok", b"True")


def test_a_network_learns(warm: Sandbox, attack: Attack) -> None:
    source = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
torch.manual_seed(0)
images, target = torch.randn(32, 3, 16, 16), torch.randint(0, 2, (32,))
model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
                      nn.Flatten(), nn.Linear(8, 2))
optimizer = torch.optim.Adam(model.parameters(), 0.05)
losses = []
for _ in range(10):
    for batch, labels in DataLoader(TensorDataset(images, target), 16):
        loss = nn.functional.cross_entropy(model(batch), labels)
        optimizer.zero_grad(); loss.backward(); optimizer.step()
    losses.append(loss.item())
assert losses[-1] < losses[0]
say(torch.get_num_threads())
"""
    result = attack(warm, source)
    assert (result.status, result.frames, result.log) == ("ok", b"1", b"")


def test_linear_algebra_and_threads_of_ones_own(warm: Sandbox, attack: Attack) -> None:
    source = """
import threading, numpy as np, torch
values = []
def work(): values.append(float((torch.ones(300, 300) @ torch.ones(300, 300))[0, 0]))
threads = [threading.Thread(target=work) for _ in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
np.linalg.svd(np.random.rand(64, 64))
torch.linalg.svd(torch.rand(64, 64))
torch.fft.fft2(torch.rand(8, 8))
say(values)
"""
    result = attack(warm, source)
    assert (result.status, result.frames) == ("ok", b"[300.0, 300.0, 300.0, 300.0]")


def test_torch_memory_ends_in_an_error_that_can_be_caught(warm: Sandbox, attack: Attack) -> None:
    source = (
        "import torch\ntry: torch.ones(10 * 2**30, dtype=torch.uint8)\n"
        "except RuntimeError as error: say('memory' in str(error))"
    )
    assert attack(warm, source).frames == b"True"
    assert attack(warm, "import torch; torch.ones(2**40)").status == "memory"


def test_every_child_finds_torch_as_new(warm: Sandbox, attack: Attack) -> None:
    spoil = (
        "import torch\ntorch.manual_seed(5); torch.set_default_dtype(torch.float64)\n"
        "torch.set_grad_enabled(False); torch.allclose = lambda *a: True; torch.relu = None"
    )
    look = (
        "import torch; say((torch.initial_seed(), torch.get_default_dtype(),"
        " torch.is_grad_enabled(), torch.allclose(torch.ones(1), torch.zeros(1))))"
    )
    before = attack(warm, look).frames
    attack(warm, spoil)
    assert attack(warm, look).frames == before
    assert before.endswith(b"torch.float32, True, False)")


def test_saving_and_loading_stays_in_the_private_disk(attack: Attack) -> None:
    source = "import torch; torch.save(torch.ones(3), 'x.pt'); say(torch.load('x.pt').tolist())"
    with open_sandbox("namespaces", preload=PRELOAD) as sandbox:
        assert attack(sandbox, source).frames == b"[1.0, 1.0, 1.0]"


STUDENT = """
import torch
def double(images):
    return 2 * images
"""


@pytest.mark.parametrize("rung", RUNGS)
def test_the_real_worker_answers_a_real_job(rung: str) -> None:
    images = torch.rand(2, 3, 8, 8)
    case = {"name": "one", "call": "double", "inputs": {"images": images}}
    job = {
        "stem": "l00_none",
        "exercise": "double",
        "source": STUDENT,
        "filename": "exercises.py",
        "device": "cpu",
        "cases": [case],
    }
    with open_sandbox(rung, target="autograder.worker.serve:run_job", preload=PRELOAD) as sandbox:
        result = sandbox.run(encode(job), 60)
    assert result.status == "ok", result.log.decode()
    assert torch.equal(_second_frame(result.frames)["value"], 2 * images)


def _second_frame(data: bytes) -> dict[str, object]:
    import io

    stream = io.BytesIO(data)
    loaded = read_frame(stream.read)
    answer = read_frame(stream.read)
    assert loaded is not None
    assert answer is not None
    assert loaded.value == {"loaded": True, "has": True}
    return answer.value
