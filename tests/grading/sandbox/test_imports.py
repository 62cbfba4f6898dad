"""What a student's own check imports, a graded file imports too, and uses."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from importlib import metadata
from typing import Any

import pytest
from conftest import RUNGS, skip_without

from autograder.checks import lesson
from autograder.course.reference import ROOT
from autograder.grading.class_run import LIMITS, open_sandbox
from autograder.grading.run.examine import read_answer
from autograder.grading.sandbox.children import Sandbox
from autograder.grading.sandbox.probe import LADDER, Isolation
from autograder.grading.sandbox.whitelist import build
from autograder.judge.expected import Expectation
from autograder.student.process import Worker

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

STEM, EXERCISE = "l11_saliency", "saliency_map"
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
USES = {
    "sklearn": (
        "import numpy as np\nfrom sklearn.manifold import TSNE\n"
        "from sklearn.neighbors import NearestNeighbors\n"
        "points = np.random.rand(12, 3)\nTSNE(perplexity=3, max_iter=250).fit_transform(points)\n"
        "NearestNeighbors(n_jobs=2).fit(points).kneighbors()"
    ),
    "joblib": "from joblib import Parallel, delayed\nParallel(2)(delayed(abs)(n) for n in (1, 2))",
    "skimage": (
        "import numpy as np\nfrom skimage import filters, measure, transform\n"
        "filters.gaussian(np.eye(8)); filters.threshold_otsu(np.eye(8))\n"
        "measure.label(np.eye(8) > 0); transform.resize(np.eye(8), (4, 4))"
    ),
    "scipy": (
        "import numpy as np, scipy.ndimage, scipy.stats\n"
        "scipy.ndimage.gaussian_filter(np.eye(8), 1); scipy.stats.spearmanr([1, 2, 3], [1, 3, 2])"
    ),
    "pillow": "from PIL import Image\nImage.new('RGB', (4, 4)).resize((8, 8))",
    "tqdm": "from tqdm import tqdm\nfrom tqdm.auto import trange\n[*tqdm([1]), *trange(2)]",
    "torchvision": (
        "import torch, torchvision\nfrom torchvision import models, transforms\n"
        "transforms.Resize(4)(torch.zeros(3, 8, 8)); models.resnet18(weights=None)\n"
        "torchvision.ops.nms(torch.zeros(1, 4), torch.ones(1), 0.5)"
    ),
    "pyplot": (
        "import io, matplotlib\nmatplotlib.use('TkAgg')\nimport matplotlib.pyplot as plt\n"
        "plt.figure(); plt.title('a'); plt.savefig(io.BytesIO()); plt.show()"
    ),
    "absent": "import cv2, einops\nfrom captum.attr import Saliency\nimport solutions.l11_saliency",
}


def modules() -> list[str]:
    """The modules that the course's dependencies install, by name."""
    names = {requirement.split(">")[0].split("=")[0] for requirement in DECLARED}
    names = {metadata.distribution(name).metadata["Name"] for name in names}
    tops = metadata.packages_distributions()
    return sorted(
        top
        for top, owners in tops.items()
        if names & set(owners) and top.isidentifier() and not top.startswith("_")
    )


EVERY = "\n".join(f"import {name}; {name}.__name__" for name in modules())


@pytest.fixture(scope="module", params=(*RUNGS, "home"))
def load(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Loads a file as it is loaded where it is graded, and as at home."""
    expectation = Expectation(STEM, lesson(STEM).exercise(EXERCISE))
    cases = len(expectation.cases)
    if request.param == "home":
        worker = Worker()

        def at_home(source: str) -> Any:
            worker.send(expectation.job(source, "exercises.py"))
            return worker.collect(60, cases)

        yield at_home
        worker.close()
        return
    skip_without(request.param)
    with open_sandbox(Isolation(LADDER[request.param]), LIMITS, [STEM]) as sandbox:

        def graded(source: str, sandbox: Sandbox = sandbox) -> Any:
            return read_answer(sandbox.run(expectation.payload(source, "exercises.py"), 60), cases)

        yield graded


@pytest.mark.parametrize("name", ["every dependency", *USES])
def test_what_the_course_depends_on_is_there(name: str, load: Any) -> None:
    assert {"sklearn", "skimage", "torchvision", "PIL", "tqdm", "nbformat"} <= set(modules())
    lines = USES.get(name, EVERY)
    answer = load(f"{lines}\n\n\ndef {EXERCISE}(model, images, target):\n    return images\n")
    assert answer.status == "ok", answer
    assert answer.records[0].get("loaded"), json.dumps(answer.records[0].get("error"))


def test_no_answer_is_among_them() -> None:
    listed = {entry.name for entry in build().entries}
    assert {"torch", "scipy", "sklearn", "torchvision"} <= listed
    assert not listed & {"solutions", "captum", "torchcam", "pytorch_grad_cam", "convlens"}
