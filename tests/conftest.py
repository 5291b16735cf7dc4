"""Small HDR scenes by formula, and a small dataset made of them once a session."""

import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from hdrdata.machine import share_the_machine

share_the_machine()  # before PyTorch is imported

import torch

from hdrdata.files.disk import INDEX, read_json
from hdrdata.files.exr import write_exr
from hdrdata.scenes.scan import scan_scenes
from hdrdata.scenes.scene import Scan, write_scenes
from hdrdata.shards.pack import ShardConfig, shard_stacks
from hdrdata.stacks.encode import SynthesizeConfig
from hdrdata.stacks.synthesize import synthesize_stacks
from hdrdata.views.ingest import ingest_scenes
from hdrdata.views.view import IngestConfig, read_views
from hdrdata.work.incremental import Outcome

settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=25, database=None)
settings.load_profile("repeatable")
os.environ["COLUMNS"] = "120"  # of help texts
os.environ["RAY_AUTH_MODE"], os.environ["RAY_AUTH_TOKEN"] = "token", "5" * 64  # which Ray reads when it is imported
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it, and so would its children
torch.set_num_threads(1)  # pictures this small gain nothing from a second

LONGEST_FIRST = ["test_pipeline", "test_train", "test_engines", "test_journeys", "test_predict_files", "test_datasets",
                 "test_docs", "test_step", "test_export", "test_benchmarks", "test_evaluate", "test_hdrdata_commands",
                 "test_tiles", "test_law", "test_frameworks"]  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no worker ends minutes after the other."""
    rank = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))


INGEST = {
    "view_size": 32,  # a panorama of 256x128 has 57 pixels across 80 degrees
    "fov_degrees": 80,
    "pitch_degrees": 10,
    "azimuths_degrees": (0, 60, 120, 180, 240, 300),
    "photo_crops": 1,
    "max_magnification": 1.5,
    "on_magnified": "refuse",
    "max_repaired_share": 0.01,
    "on_error": "stop",
    "engine": "local",
    "workers": 2,
}
SYNTHESIZE = {"recipe": "drtmo", "png_encoder": "fpng", "engine": "local", "workers": 2}
SHARD = {"name": "tiny", "form": "both", "shards": {"train": 3, "val": 2, "test": 1}}
SCAN = {"sidecar": "scenes.csv", "seed": 34, "val_share": 0.25, "test_share": 0.25}


@dataclass(frozen=True)
class Built:
    """One run of the four stages of the data, and what each did."""

    scenes: Path
    folder: Path
    scan: Scan
    ingest: Outcome
    synthesize: Outcome
    shard: Outcome

    @property
    def views(self) -> Path:
        return self.folder / "views"

    @property
    def stacks(self) -> Path:
        return self.folder / "stacks"

    @property
    def shards(self) -> Path:
        return self.folder / "shards"

    def shard_digests(self) -> dict[str, str]:
        rows = read_json(self.shards / INDEX)["rows"]
        return {name: row["files"][name]["sha256"] for name, row in rows.items()}


def _scene(number: int, height: int = 128, width: int = 256) -> np.ndarray:
    """Radiance of a sky with a sun over a rough, coloured ground; 14 stops or so, another place for each number."""
    generator = np.random.default_rng(number)
    row, column = np.mgrid[0:height, 0:width]
    up = 1 - 2 * (row + 0.5) / height  # 1 at the zenith
    turn = 2 * np.pi * ((column + 0.5) / width + generator.random())
    sky = (0.4 + 0.6 * (1 - np.abs(up)))[..., None] * np.array([0.4, 0.7, 1.0])
    ground = (0.02 + 0.3 * generator.random((height, width, 1)) ** 2) * generator.uniform(0.2, 1.0, 3)
    sun = 3e4 * np.exp(-((up - 0.4) ** 2 + (np.cos(turn) - 1) ** 2 + np.sin(turn) ** 2) / 0.002)
    light = np.where(up[..., None] > 0, sky, ground) * (1.2 + np.sin(3 * turn))[..., None] + sun[..., None]
    return light.astype(np.float32)


def _build(scenes: Path, folder: Path, workers: int = 2, ingest: dict | None = None) -> Built:
    scan = scan_scenes(scenes, **SCAN, cache=folder / ".scan-cache.json")
    write_scenes(folder / "scenes.json", scan, scenes)
    config = IngestConfig.parse("ingest", {**INGEST, "workers": workers, **(ingest or {})})
    ingested = ingest_scenes(scan.scenes, scenes, folder / "views", config)
    synthesis = SynthesizeConfig.parse("synthesize", {**SYNTHESIZE, "workers": workers})
    views = folder / "views"
    shard = ShardConfig.parse("shard", SHARD)
    synthesized = synthesize_stacks(read_views(views), views, folder / "stacks", synthesis, shard.forms)
    packed = shard_stacks(folder / "stacks", folder / "shards", shard, workers=workers)
    return Built(scenes, folder, scan, ingested, synthesized, packed)


@pytest.fixture(scope="session")
def scene_radiance() -> Callable[..., np.ndarray]:
    """scene_radiance(number, height=128, width=256): linear RGB, float32."""
    return _scene


@pytest.fixture(scope="session")
def ingest_config() -> Callable[..., IngestConfig]:
    """ingest_config(view_size=16, ...): the tests' parameters of ingest, except for what is given."""
    return lambda **changes: IngestConfig.parse("ingest", {**INGEST, **changes})


@pytest.fixture(scope="session")
def synthesize_config() -> Callable[..., SynthesizeConfig]:
    """synthesize_config(recipe="srgb", ...): the tests' parameters of synthesize, except for what is given."""
    return lambda **changes: SynthesizeConfig.parse("synthesize", {**SYNTHESIZE, **changes})


@pytest.fixture(scope="session")
def build() -> Callable[..., Built]:
    """build(scenes, folder, workers=2, ingest=None): scan, ingest, synthesize and shard a folder of scenes."""
    return _build


@pytest.fixture(scope="session")
def scenes_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three panoramas of 256x128 and a photograph of 96x64; with the tests' seed each part has one."""
    folder = tmp_path_factory.mktemp("scenes")
    for number, name in enumerate(["Court.01", "harbour", "night/lamp"]):
        (folder / name).parent.mkdir(exist_ok=True)
        write_exr(folder / f"{name}.exr", _scene(number).astype(np.float16))
    write_exr(folder / "meadow.exr", _scene(3, 64, 96))
    groups = {"Court.01": "court-01", "harbour": "harbour", "night/lamp": "lamp", "meadow": "meadow"}
    rows = [f"{name}.exr,{group}\n" for name, group in groups.items()]  # whose parts depend on no processor's rounding
    (folder / "scenes.csv").write_text(f"file,location_group\n{''.join(rows)}")
    return folder


@pytest.fixture(scope="session")
def dataset(scenes_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The dataset of `scenes_folder`, in both forms; read only."""
    return _build(scenes_folder, tmp_path_factory.mktemp("dataset"))


@pytest.fixture
def dataset_copy(dataset: Built, tmp_path: Path) -> Built:
    """A copy of `dataset` that a test may change."""
    folder, scenes = tmp_path / "dataset", tmp_path / "scenes"
    shutil.copytree(dataset.folder, folder)
    shutil.copytree(dataset.scenes, scenes)
    return Built(scenes, folder, dataset.scan, dataset.ingest, dataset.synthesize, dataset.shard)
