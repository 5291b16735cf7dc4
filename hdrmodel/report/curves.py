"""The validation curves of all variants and seeds in one file that `dvc plots` draws, and a picture of each variant."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from hdrdata.files.disk import write_json, written_whole
from hdrmodel.report.inputs import Variant

PICTURE = Path("dvclive", "plots", "images", "validation.png")  # in the folder of a run


def write_curves(variants: Sequence[Variant], runs: Path, seeds: Sequence[int], plots: Path) -> None:
    """Write `validation.json`, LDR PSNR in dB by step, variant and seed; of the first seed `validation/<variant>.png`.

    Args:
        variants: trained variants have curves; another program's predictions have none.
        runs: has a folder a variant with a folder a seed.
        plots: folder; DVC empties it before a report, and other files in it stay.
    """
    rows = [
        {"variant": variant.name, "seed": seed, "step": point.step, "psnr_ldr": point.psnr_ldr}
        for variant in variants
        for seed, run in zip(seeds, variant.runs, strict=False)  # predictions have no runs
        for point in run.validation
    ]
    write_json(plots / "validation.json", rows)
    pictures = plots / "validation"
    pictures.mkdir(parents=True, exist_ok=True)
    for variant in variants:
        picture = runs / variant.name / str(seeds[0]) / PICTURE
        if variant.runs and picture.is_file():
            with written_whole(pictures / f"{variant.name}.png") as temporary:
                shutil.copyfile(picture, temporary)
