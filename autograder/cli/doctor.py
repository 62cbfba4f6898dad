"""`convlens doctor`: a report on what this machine has, and what it lacks."""

from __future__ import annotations

import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator

from autograder.cli.screen import output
from autograder.student.process import Worker
from autograder.student.working_copy import WorkingCopy
from lessons.toolkit.errors import UserError

OLDEST_PYTHON = (3, 11)
ENOUGH_DISK = 1 << 30

Finding = tuple[bool, str]


def doctor() -> int:
    """Say what this machine has for the course, and what it lacks."""
    console, sound = output(), True
    for name, look in _LOOKS.items():
        for good, text in look():
            sound = sound and good
            console.print(f"{'✓' if good else '✗'} {name:16} {text}", style="" if good else "red")
    return 0 if sound else 2


def _python() -> Iterator[Finding]:
    version = platform.python_version()
    yield (
        sys.version_info >= OLDEST_PYTHON,
        f"{version} on {platform.system()} {platform.machine()}",
    )


def _torch() -> Iterator[Finding]:
    try:
        import torch
        import torchvision

        # An operator of torchvision's own: it is missing where the two builds do not fit.
        torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    except Exception as error:
        yield False, f"{error}. Install torch and torchvision together, from one place."
        return
    yield True, f"{torch.__version__}, torchvision {torchvision.__version__}"


def _devices() -> Iterator[Finding]:
    import torch

    from lessons.toolkit.device import available_devices

    names = [
        torch.cuda.get_device_name(0) if device == "cuda" else device
        for device in available_devices()
    ]
    yield True, ", ".join(names)


def _weights() -> Iterator[Finding]:
    from lessons.toolkit.models import load_model

    for name in ("efficientnet_lite0", "scenes"):
        try:
            load_model(name)
        except Exception as error:  # whatever is wrong with them is what the doctor tells
            yield False, f"{name}: {error}"
        else:
            yield True, f"{name}, checksum right"


def _child() -> Iterator[Finding]:
    started = time.perf_counter()
    try:
        worker = Worker()
        worker.wait_ready()
    except UserError as error:
        yield False, error.message
        return
    worker.close()
    yield True, f"your code's own process starts in {time.perf_counter() - started:.1f} s"


def _isolation() -> Iterator[Finding]:
    try:
        from autograder.grading.sandbox.probe import probe
    except ImportError as error:
        yield True, f"none, for the grader is not installed here ({error.name})"
        return
    found = probe()
    yield True, f"{found.level} (matters for grading only)"


def _folder() -> Iterator[Finding]:
    from autograder.files import write_whole

    copy = WorkingCopy.find()
    try:
        probe = copy.state / "doctor"
        write_whole(probe, b"can this be written?")
        probe.unlink()
    except (UserError, OSError) as error:
        yield False, str(error)
        return
    yield True, str(copy.root)


def _disk() -> Iterator[Finding]:
    free = shutil.disk_usage(WorkingCopy.find().root).free
    yield free >= ENOUGH_DISK, f"{free / (1 << 30):.1f} GiB free"


_LOOKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "Python": _python,
    "PyTorch": _torch,
    "devices": _devices,
    "weights": _weights,
    "student process": _child,
    "isolation": _isolation,
    "working copy": _folder,
    "disk": _disk,
}
