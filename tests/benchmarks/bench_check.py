"""How long a student waits: `convlens --help`, a cold check, and from a save to its verdict.

`python tests/benchmarks/bench_check.py` prints seconds, beside the import of torch in the same run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from autograder.course.reference import ROOT, read_lesson

STEM = "l11_saliency"
CONVLENS = [sys.executable, "-c", "from autograder.cli.main import main; main()"]


def seconds(words: list[str], folder: Path, repeats: int = 5) -> float:
    """Median wall time of a command."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        subprocess.run(words, cwd=folder, capture_output=True, check=False)
        times.append(time.perf_counter() - started)
    return median(times)


def save_to_verdict(folder: Path, path: Path) -> list[float]:
    """Seconds from each save to the line that tells its verdict."""
    source = read_lesson(STEM)
    watch = subprocess.Popen(
        [*CONVLENS, "check", "saliency", "--watch"], cwd=folder, stdout=subprocess.PIPE, text=True
    )
    assert watch.stdout is not None
    found = []
    for text, says in (
        (None, "not written yet"),
        (source.edited("saliency_map", (("gradient.abs()", "gradient"),)), "with its sign"),
        (source.bare().replace("def smooth_grad(", "def smooth_grad(("), "SyntaxError"),
        (source.edited("saliency_map", (("(images)\n", "(images).softmax(1)\n"),)), "Softmax"),
        (source.bare(), "passes"),
    ):
        started = time.perf_counter()
        if text is not None:
            path.write_text(text, encoding="utf-8")
        while says not in watch.stdout.readline():
            assert watch.poll() is None
        if text is not None:
            found.append(time.perf_counter() - started)
        time.sleep(8)  # a person thinks; a fresh child and the wrong versions get ready
    watch.wait()
    return found


def main() -> None:
    """Print the times."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "lessons" / STEM / "exercises.py"
        path.parent.mkdir(parents=True)
        path.write_text(read_lesson(STEM).stubs(), encoding="utf-8")
        os.environ["PYTHONPATH"] = str(ROOT)
        print(f"load of the machine        {os.getloadavg()[0]:.1f}" if os.name == "posix" else "")
        torch = seconds([sys.executable, "-c", "import torch"], folder)
        print(f"import torch               {torch:.2f} s")
        print(f"convlens --help            {seconds([*CONVLENS, '--help'], folder):.2f} s")
        cold = seconds([*CONVLENS, "check", "saliency"], folder)
        print(f"cold check, stubs          {cold:.2f} s")
        saves = save_to_verdict(folder, path)
        print(f"save to verdict            {', '.join(f'{s:.2f}' for s in saves)} s")
        path.write_text(read_lesson(STEM).bare(), encoding="utf-8")
        cold = seconds([*CONVLENS, "check", "saliency"], folder)
        print(f"cold check, four that pass {cold:.2f} s")


if __name__ == "__main__":
    main()
