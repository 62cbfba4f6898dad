"""What training commands share: options, a report, files written whole."""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from lessons.toolkit.device import choose_device
from lessons.toolkit.errors import UserError

Network = TypeVar("Network", bound=nn.Module)


def options_of(command: str, description: str, steps: int, unit: str) -> argparse.ArgumentParser:
    """Return a parser with the options that each training has.

    Args:
        command: name of the module in `lessons.toolkit`.
        description: one sentence.
        steps: number of batches by default.
        unit: what a step is, such as "batches of 64 scenes".
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m lessons.toolkit.{command}", description=description
    )
    parser.add_argument("--steps", type=int, default=steps, help=f"{unit} ({steps})")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="auto, cuda, mps or cpu")
    parser.add_argument("--out", type=Path, default=Path("build/weights"), help="(build/weights)")
    return parser


def train_and_save(
    name: str,
    options: argparse.Namespace,
    train: Callable[[torch.device], Network],
    counts: Mapping[str, Any],
    measure: Callable[[Network], Mapping[str, Any]],
) -> dict[str, Any]:
    """Train a network, and write its weights with a report of how they came to be.

    Args:
        name: of the network and its files.
        options: what `options_of` has read.
        train: trains on a device and returns the network on the CPU.
        counts: what the report says of the training, beside what all reports say.
        measure: gives further entries of the report, which need the network.

    Returns:
        The report.

    Raises:
        UserError: no step is asked for, there is no such device, or the folder cannot be written.
    """
    if options.steps < 1:
        raise UserError(f"Cannot train for {options.steps} steps.", "Ask for one or more.")
    device = choose_device(options.device)
    make_folder(options.out)
    start, used = time.perf_counter(), time.process_time()
    network = train(device)
    report = {
        "network": name,
        "parameters": sum(p.numel() for p in network.parameters()),
        "training": {
            **counts,
            "steps": options.steps,
            "seed": options.seed,
            "seconds": round(time.perf_counter() - start),
            "processor_seconds": round(time.process_time() - used),
            "device": device.type,
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        **measure(network),
    }
    save(network, report, name, options.out)
    return report


def exit_code(work: Callable[[], str]) -> int:
    """Do the work of a command and print the line that it returns.

    Returns:
        0; or 2 after an error that a person can mend, 130 after Ctrl-C, each with one line. A
        KeyboardInterrupt may bring its own.
    """
    try:
        line = work()
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print(str(stop) or "Stopped; nothing was written.", file=sys.stderr)
        return 130
    print(line)
    return 0


def save(network: nn.Module, report: Mapping[str, Any], name: str, folder: Path) -> None:
    """Write NAME.safetensors, NAME.json and the line in SHA256SUMS.

    Each file is written whole or not at all.
    """
    from safetensors.torch import save as to_bytes

    weights = to_bytes({key: value.contiguous() for key, value in network.state_dict().items()})
    file = f"{name}.safetensors"
    sums = {file: hashlib.sha256(weights).hexdigest()}
    index = folder / "SHA256SUMS"
    if index.exists():
        lines = (line.split() for line in index.read_text(encoding="utf-8").splitlines())
        sums = {known: sha256 for sha256, known in lines} | sums
    listing = "".join(f"{sha256}  {known}\n" for known, sha256 in sorted(sums.items()))
    _write(folder / file, weights)
    _write(index, listing.encode())
    _write(folder / f"{name}.json", (json.dumps(report, indent=2) + "\n").encode())


@contextmanager
def interruptions() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C wait until a step of the training is over.

    A second one ends the program at once, and what the last checkpoint holds is then left.

    Yields:
        A function that says whether Ctrl-C has been pressed.
    """
    before = signal.getsignal(signal.SIGINT)
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or before is signal.SIG_IGN:
        # Signals reach the main thread only, and a shell lets a background job ignore this one.
        yield lambda: False
        return
    pressed = False

    def note(number: int, frame: object) -> None:
        nonlocal pressed
        pressed = True
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write what a training needs to go on, whole or not at all.

    Args:
        path: the file; one that was there before is replaced.
        state: `settings`, and what `read_checkpoint` is to return besides.
    """
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    _write(path, buffer.getvalue())


def read_checkpoint(path: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `write_checkpoint` has written.

    Args:
        path: the file.
        settings: of the training that is to go on.

    Raises:
        UserError: the file is damaged, or of a training with other settings.
    """
    anew = "Begin anew with --fresh, or choose another folder with --out."
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        others = state["settings"]
    except Exception as error:  # torch raises as many kinds as a file can be damaged in
        raise UserError(f"The checkpoint {path} is damaged.", anew) from error
    if others != settings:
        was, now = (", ".join(f"{k} {v}" for k, v in s.items()) for s in (others, settings))
        raise UserError(f"The checkpoint {path} is of another training: {was}, not {now}.", anew)
    return state


def make_folder(folder: Path) -> None:
    """Make the folder of the results, or raise UserError.

    It is made before the training, so that a folder that cannot be written costs no minutes.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"Cannot make the folder {folder} ({error.strerror}).", "Choose another with --out."
        ) from error
    _write(folder / ".writable", b"")
    (folder / ".writable").unlink()


def _write(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        raise UserError(
            f"Cannot write {path} ({error.strerror}).", "Choose another folder with --out."
        ) from error
    finally:
        beside.unlink(missing_ok=True)
