"""The model registry: right answers on photos, right layers, and one clear line when it cannot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torch import nn

from lessons.toolkit import models
from lessons.toolkit.classes import class_index, imagenet_classes, top_classes
from lessons.toolkit.errors import UserError
from lessons.toolkit.models import (
    DEFAULT_MODEL,
    Classifier,
    as_classifier,
    find_layer,
    load_model,
    model_names,
)
from lessons.toolkit.photos import load_photo
from lessons.toolkit.preprocess import Preprocess
from lessons.toolkit.weights import read_shipped

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load_model(DEFAULT_MODEL)


@pytest.mark.parametrize(
    ("photo", "answers"),
    [("cat", {"tabby", "tiger cat", "Egyptian cat"}), ("coffee", {"espresso", "cup"})],
)
def test_top_class_of_the_bundled_photos(
    classifier: Classifier, photo: str, answers: set[str]
) -> None:
    images = classifier.preprocess(load_photo(photo))[None]
    (best, probability), *_ = top_classes(classifier, images, k=3)[0]
    assert best in answers
    assert probability > 0.3


def test_top_classes_are_probabilities_in_order(classifier: Classifier) -> None:
    images = torch.stack([torch.zeros(3, 64, 64), torch.ones(3, 64, 64)])
    rows = top_classes(classifier, images, k=2000)
    assert len(rows) == 2
    for row in rows:
        values = [value for _, value in row]
        assert len(row) == 1000
        assert values == sorted(values, reverse=True)
        assert sum(values) == pytest.approx(1, abs=1e-4)


def test_offline_models_come_first() -> None:
    names = model_names()
    assert names[:3] == ["efficientnet_lite0", "scenes", "scenes_watermarked"]
    assert {"alexnet", "vgg16", "googlenet", "resnet50"} <= set(names)
    assert len(names) == len(set(names))


def test_loading_leaves_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()
    load_model(DEFAULT_MODEL)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_loaded_network_is_ready_to_answer(classifier: Classifier) -> None:
    assert not any(module.training for module in classifier.network.modules())
    assert len(classifier.classes) == 1000
    assert all(parameter.device.type == "cpu" for parameter in classifier.network.parameters())


def test_layers_are_in_forward_order_and_all_found(classifier: Classifier) -> None:
    layers = classifier.layers()
    assert layers[:4] == ["stem.conv", "stem.norm", "stem.relu", "stem"]
    assert layers[-4:] == ["head", "pool", "dropout", "classifier"]
    places = [layers.index(f"stages.{stage}") for stage in range(7)]
    assert places == sorted(places)
    assert layers.index("stages.3.1.expand.conv") < layers.index("stages.3.1")
    every_name = {name for name, _ in classifier.network.named_modules() if name}
    assert set(layers) == every_name
    assert all(find_layer(classifier.network, name) is not None for name in layers)


def test_listing_layers_leaves_no_hook(classifier: Classifier) -> None:
    classifier.layers()
    assert not any(module._forward_hooks for module in classifier.network.modules())


def test_default_layer_is_the_map_that_is_pooled(classifier: Classifier) -> None:
    shapes = dict(models._outputs_in_order(classifier.network, 224))
    assert classifier.default_layer == models._grad_cam_layer(classifier.network, 224) == "head"
    assert shapes["head"] == (1, 1280, 7, 7)


class TwoPaths(nn.Module):
    """A layer defined before it runs, one that runs twice, one that never runs."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(4, 2)
        self.unused = nn.Conv2d(3, 3, 1)
        self.relu = nn.ReLU()
        self.conv = nn.Conv2d(3, 4, 3, stride=2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.relu(self.conv(self.relu(images)))
        return self.last(features.mean((2, 3)))


def test_layers_follow_the_forward_pass_not_the_definition() -> None:
    network = TwoPaths()
    assert [name for name, _ in models._outputs_in_order(network, 16)] == ["conv", "relu", "last"]
    assert models._grad_cam_layer(network, 16) == "relu"


class Transformer(nn.Module):
    """Patches become tokens; in evaluation mode PyTorch runs each layer in one piece."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 8, 8)
        self.encoder = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        return self.head(self.encoder(tokens).mean(1))


def test_a_network_without_maps_near_its_end_has_no_layer_for_them() -> None:
    network = Transformer().eval()
    assert models._grad_cam_layer(network, 32) is None
    assert models._grad_cam_layer(nn.Sequential(nn.Flatten(), nn.Linear(27, 2)), 3) is None
    classifier = Classifier("my_vit", network, SQUARE, ["a", "b", "c"], None)
    with pytest.raises(UserError, match="my_vit has no layer with one map for each channel"):
        _ = classifier.default_layer


# -- a network of one's own ------------------------------------------------------------------------

SQUARE = Preprocess(32, 32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def own(classes: int = 3, *last: nn.Module) -> nn.Sequential:
    layers = [nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.Dropout(), nn.AdaptiveAvgPool2d(1)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4, classes), *last)


def test_a_network_of_ones_own_becomes_a_classifier() -> None:
    network = own().train()
    classifier = as_classifier(network, ["a", "b", "c"], SQUARE, "mine")
    assert classifier.network is network and not network.training
    assert classifier.default_layer == "2"  # dropout still has every place
    assert classifier.layers() == ["0", "1", "2", "3", "4", "5"]
    assert as_classifier(network, "abc", SQUARE, default_layer="0").default_layer == "0"
    assert as_classifier(Transformer(), "abc", SQUARE).map_layer is None
    (best, _), *_ = top_classes(classifier, SQUARE(load_photo("cat"))[None], k=3)[0]
    assert best in {"a", "b", "c"}


class Odd(nn.Module):
    def __init__(self, answer: object) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.answer = answer

    def forward(self, images: torch.Tensor) -> object:
        return self.answer


@pytest.mark.parametrize(
    ("network", "classes", "layer", "words"),
    [
        (own(4), "abc", None, "gives 4 logits, and 3 classes are named"),
        (own(3, nn.Softmax(1)), "abc", None, "gives probabilities"),
        (own(3), "abc", "7", "no layer called '7'"),
        (own(3), "abc", "5", r"gives \(1, 3\), not maps"),
        (own(3), "abc", "3", r"gives \(1, 4, 1, 1\), not maps"),
        (nn.ReLU(), "abc", None, "has no parameters"),
        (nn.Sequential(nn.Flatten(), nn.Linear(5, 3)), "abc", None, "does not take a picture"),
        (Odd((torch.ones(1, 3), None)), "abc", None, "returns tuple for one picture"),
        (Odd(torch.ones(3)), "abc", None, r"returns \(3,\) for one picture"),
    ],
)
def test_a_network_that_is_no_classifier_is_refused(
    network: nn.Module, classes: str, layer: str | None, words: str
) -> None:
    with pytest.raises(UserError, match=words) as error:
        as_classifier(network, classes, SQUARE, "mine", layer)
    assert error.value.next_step and "\n" not in str(error.value)


def test_random_weights_are_another_networks_and_the_same_twice(classifier: Classifier) -> None:
    before = torch.get_rng_state()
    weights = {name: value.clone() for name, value in classifier.network.state_dict().items()}
    one, two = (models.with_random_weights(classifier.network) for _ in range(2))
    other = models.with_random_weights(classifier.network, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(v, weights[k]) for k, v in classifier.network.state_dict().items())
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    images = classifier.preprocess(load_photo("cat"))[None]
    with torch.inference_mode():
        logits = [network(images) for network in (classifier.network, one, other)]
    assert not one.training and all(answer.isfinite().all() for answer in logits)
    assert not any(torch.allclose(logits[i], logits[j]) for i, j in ((0, 1), (1, 2)))
    assert float(logits[1].std()) > 0.01  # the signal reaches the end


def test_random_weights_of_tokens_keep_their_spread() -> None:
    network = Transformer().eval()
    network.register_parameter("token", nn.Parameter(3 + 0.1 * torch.randn(1000)))
    fresh = models.with_random_weights(network)
    assert not torch.equal(fresh.token, network.token)
    assert float(fresh.token.mean()) == pytest.approx(3, abs=0.05)
    assert float(fresh.token.std()) == pytest.approx(0.1, abs=0.02)


def test_a_device_that_is_none_is_one_line() -> None:
    with pytest.raises(UserError, match="no device called 'gpu'"):
        load_model("scenes", "gpu")


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(UserError, match=r"efficientnet_lite0"):
        load_model("efficientnet_lite")
    with pytest.raises(UserError, match=r"resnet50"):
        load_model("resnet_50")
    with pytest.raises(UserError, match=r"no layer called '1\.wieght'"):
        find_layer(nn.Sequential(nn.ReLU(), nn.ReLU()), "1.wieght")


def test_a_wrong_layer_gets_the_nearest(classifier: Classifier) -> None:
    with pytest.raises(UserError) as error:
        find_layer(classifier.network, "stages.3.1.expnd")
    assert "stages.3.1.expand" in error.value.next_step
    with pytest.raises(UserError):
        find_layer(classifier.network, "")


# -- torchvision -----------------------------------------------------------------------------------


def fake_download(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Random weights in place of torchvision's download."""
    from torchvision.models import _api, get_model

    monkeypatch.setattr(
        _api,
        "load_state_dict_from_url",
        lambda *args, **kwargs: get_model(name, weights=None).state_dict(),
    )


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("resnet18", "layer4"),
        ("mobilenet_v2", "features"),
        ("shufflenet_v2_x0_5", "conv5"),
        ("squeezenet1_1", "classifier.2"),
        ("alexnet", "features.11"),
        ("swin_t", None),
    ],
)
def test_torchvision_models_keep_their_own_preprocessing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, layer: str | None
) -> None:
    from torchvision.models import get_model_weights

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    fake_download(monkeypatch, name)
    before = torch.get_rng_state()
    classifier = load_model(name)
    assert torch.equal(torch.get_rng_state(), before)
    assert classifier.map_layer == layer
    assert len(classifier.classes) == 1000
    as_trained = get_model_weights(name).DEFAULT.transforms()
    photo = load_photo("cat")
    torch.testing.assert_close(classifier.preprocess(photo), as_trained(photo), rtol=0, atol=1e-6)


def test_every_torchvision_classifier_has_preprocessing_we_can_take() -> None:
    from torchvision.models import get_model_weights

    for name in model_names()[3:]:
        transforms = get_model_weights(name).DEFAULT.transforms()
        assert models._as_preprocess(transforms).crop == transforms.crop_size[0]


@pytest.mark.parametrize(
    "failure",
    [
        URLError("[Errno -3] Temporary failure in name resolution"),
        RuntimeError('invalid hash value (expected "5c106cde", got "00")'),
        OSError(28, "No space left on device"),
    ],
)
def test_failed_download_names_the_offline_choice(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, failure: Exception
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise failure

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(UserError) as error:
        load_model("resnet18")
    assert DEFAULT_MODEL in error.value.next_step
    assert "\n" not in str(error.value)


def test_damaged_file_in_the_cache_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from torchvision.models import get_model_weights

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = (
        tmp_path / "hub" / "checkpoints" / get_model_weights("resnet18").DEFAULT.url.split("/")[-1]
    )
    file.parent.mkdir(parents=True)
    file.write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(UserError, match="damaged") as error:
        load_model("resnet18")
    assert str(file) in error.value.message
    assert "Delete" in error.value.next_step


# -- class names -----------------------------------------------------------------------------------


def test_class_names_are_torchvisions_and_distinct() -> None:
    from torchvision.models import AlexNet_Weights

    ours, theirs = imagenet_classes(), AlexNet_Weights.DEFAULT.meta["categories"]
    renamed = {ours[i] for i in range(1000) if ours[i] != theirs[i]}
    assert renamed == {"crane (bird)", "crane (machine)", "Cardigan (dog)"}
    assert len({name.lower() for name in ours}) == 1000


def test_class_index_takes_names_and_numbers() -> None:
    classes = imagenet_classes()
    assert class_index(classes, "tabby") == class_index(classes, 281) == 281
    assert class_index(classes, "TIGER CAT") == class_index(classes, "282") == 282
    with pytest.raises(UserError, match="espresso"):
        class_index(classes, "expresso")
    for outside in (1000, -1, "1000", ""):
        with pytest.raises(UserError):
            class_index(classes, outside)


# -- weights that ship with the course -------------------------------------------------------------


def test_shipped_weights_are_checked(tmp_path: Path) -> None:
    import hashlib

    (tmp_path / "a.safetensors").write_bytes(b"weights")
    with pytest.raises(UserError, match="checksums"):
        read_shipped("a.safetensors", tmp_path)
    right = hashlib.sha256(b"weights").hexdigest()
    (tmp_path / "SHA256SUMS").write_text(f"{right}  a.safetensors\n{right} *gone.safetensors\n")
    assert read_shipped("a.safetensors", tmp_path) == b"weights"
    with pytest.raises(UserError, match="no checksum"):
        read_shipped("b.safetensors", tmp_path)
    with pytest.raises(UserError, match=r"gone\.safetensors cannot be read"):
        read_shipped("gone.safetensors", tmp_path)
    (tmp_path / "a.safetensors").write_bytes(b"weight")
    with pytest.raises(UserError, match="damaged"):
        read_shipped("a.safetensors", tmp_path)


@pytest.mark.parametrize("name", ["scenes", "scenes_watermarked"])
def test_scenes_load_from_their_shipped_weights(name: str) -> None:
    pytest.importorskip("lessons.toolkit.scene_net", reason="the scenes have not landed yet")
    before = torch.get_rng_state()
    classifier = load_model(name)
    assert torch.equal(torch.get_rng_state(), before)
    assert classifier.default_layer in classifier.layers()
    logits = classifier.network(torch.zeros(2, 3, classifier.preprocess.crop, 64))
    assert logits.shape == (2, len(classifier.classes))


# -- where student code runs -----------------------------------------------------------------------

WITHOUT_LIBRARIES = """
import sys
for name in ("PIL", "torchvision", "matplotlib", "skimage", "sklearn"):
    sys.modules[name] = None  # importing it raises ImportError
import torch
torch.set_num_threads(1)
from lessons.toolkit import classes, device, models, photos, plots
classifier = models.load_model("efficientnet_lite0")
print(classifier.network(torch.zeros(1, 3, 32, 32)).shape, models.model_names())
"""


def test_the_default_model_needs_torch_only() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_LIBRARIES], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "torch.Size([1, 1000])" in done.stdout
    assert "resnet50" not in done.stdout


@pytest.mark.gpu
def test_a_network_on_the_gpu_gives_the_same_answer(classifier: Classifier) -> None:
    on_gpu = load_model(DEFAULT_MODEL, device="cuda")
    images = classifier.preprocess(load_photo("cat"))[None]
    with torch.inference_mode():
        expected = classifier.network(images)
        actual = on_gpu.network(images.cuda()).cpu()
    torch.testing.assert_close(actual, expected, rtol=0, atol=0.02)  # TF32 may be on
    assert on_gpu.layers() == classifier.layers()
