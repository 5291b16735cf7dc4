"""The command hdrmodel: train networks, describe them and use their weights."""

import json
import sys
from pathlib import Path

import click
import yaml

from hdrdata.command import OneLineErrorsGroup
from hdrdata.crf import choose_crf
from hdrdata.disk import sha256_of
from hdrmodel.attention import ATTENTIONS
from hdrmodel.baselines.radiance_network import BaselineConfig
from hdrmodel.compare import compare_scores, format_comparison
from hdrmodel.config import PROFILES, load_evaluation, load_profile
from hdrmodel.estimates import write_inputs
from hdrmodel.evaluation import evaluate_predictions, evaluate_weights, format_scores, open_test_part
from hdrmodel.metric_table import METRICS
from hdrmodel.network import NetworkConfig
from hdrmodel.predict import HDRReconstructor, predict_file
from hdrmodel.scores import read_scores
from hdrmodel.summary import (
    LARGEST_WIDTH,
    BaselineSummary,
    Summary,
    format_baselines,
    format_summary,
    format_table,
    summarize,
)
from hdrmodel.training import WEIGHTS, summarise
from hdrmodel.training import train as train_variant
from hdrmodel.uncertainty import RESAMPLES
from hdrmodel.unet import PRESETS, find_preset
from hdrmodel.variants import BASELINES, VARIANTS, describe_network, find_variant
from hdrmodel.weights import load_weights

VARIANT_NAMES = f"{', '.join(ATTENTIONS)}; or another paper's network: {', '.join(BASELINES)}"
EXIT_ABSENT = 3  # of `evaluate`, where a metric is not to be had


@click.group(cls=OneLineErrorsGroup)
@click.version_option(package_name="hdr-attnet")
def main() -> None:
    """Train networks that reconstruct HDR from one photograph, describe them and use them."""


@main.command()
@click.argument("shards", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False)
@click.argument("run", type=click.Path(file_okay=False, path_type=Path), required=False)
@click.option("--variant", "--attention", "variant", metavar="NAME", default="none", show_default=True,
              help=f"HDR-AttNet with an attention: {VARIANT_NAMES}.")  # fmt: skip
@click.option("--profile", type=click.Choice(PROFILES), default="quick", show_default=True,
              help="quick: minutes on two CPU cores. paper: width 1 and 200,000 steps, for a GPU.")  # fmt: skip
@click.option("-s", "--set", "changes", multiple=True, metavar="NAME=VALUE",
              help="Replace a value of the profile; give it once per value. --show names them all.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True,
              help="Of the first weights and of the order, crops and augmentation of the samples.")  # fmt: skip
@click.option("--anew", is_flag=True, help="Train again where a run has ended: its weights are replaced.")
@click.option("--show", is_flag=True, help="Print the configuration as YAML, and train nothing.")
def train(
    shards: Path | None,
    run: Path | None,
    variant: str,
    profile: str,
    changes: tuple[str, ...],
    seed: int,
    anew: bool,
    show: bool,
) -> None:
    """Train a network on the folder SHARDS into the folder RUN: weights.safetensors, run.json and dvclive/.

    Ctrl-C or SIGTERM saves the step at hand; the same command again goes on from there and ends with the same weights.

    \b
    Spatial attention for an hour or so on two CPU cores:
        hdrmodel train data/shards runs/spatial --attention spatial -s steps=5000
    A network of another paper on the same data:
        hdrmodel train data/shards runs/expandnet --variant expandnet
    The paper's training on four GPUs, in bfloat16:
        torchrun --standalone --nproc-per-node 4 -m hdrmodel.cli train data/shards runs/paper \\
            --attention spatial --profile paper -s precision=bf16 -s compile=true
    """
    config = load_profile(profile, changes)
    if show:
        click.echo(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), nl=False)
        return
    if shards is None or run is None:
        raise click.UsageError("wanted the folders SHARDS and RUN")
    if (run / WEIGHTS).exists() and not anew:
        raise click.ClickException(f"{run / WEIGHTS}: a run has ended here; --anew replaces it")
    record = train_variant(shards, run, variant, seed, config)
    if record is not None:
        click.echo(f"{summarise(record)}\n{run / WEIGHTS}")


@main.command()
@click.argument("shards", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False)
@click.argument("out", type=click.Path(file_okay=False, path_type=Path), required=False)
@click.option("--weights", multiple=True, type=click.Path(path_type=Path),
              help="What `train` wrote; once for each seed of one variant.")  # fmt: skip
@click.option("--predictions", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="FOLDER",
              help="HDR files of another program instead: one a picture, named by its key.")  # fmt: skip
@click.option("--name", metavar="NAME", help="Of that program, in the tables. Default: the folder's name.")
@click.option(
    "--allow-missing", is_flag=True, help="Measure where there are predictions; else a missing one is refused."
)
@click.option(
    "--inputs", is_flag=True, help="Write the pictures that predictions are made of to OUT, and measure nothing."
)
@click.option("-s", "--set", "changes", multiple=True, metavar="NAME=VALUE",
              help="Replace a value of the configuration; give it once per value. --show names them all.")  # fmt: skip
@click.option("--show", is_flag=True, help="Print the configuration and all metrics, and measure nothing.")
def evaluate(
    shards: Path | None,
    out: Path | None,
    weights: tuple[Path, ...],
    predictions: Path | None,
    name: str | None,
    allow_missing: bool,
    inputs: bool,
    changes: tuple[str, ...],
    show: bool,
) -> None:
    """Measure weights, or another program's HDR files, on the test part of the folder SHARDS into the folder OUT.

    OUT gets per_picture.csv (a row a picture and method), per_exposure.csv, summary.json (means, 95 % intervals, the
    protocol in words), metrics.json and pictures/. Beside the network always stand doing nothing (the LDR input,
    linearised) and the merged true stack. The same command again goes on where it was interrupted. Exit code 3: all
    was measured but metrics whose weights or programs are not to be had; it says how to get them.

    \b
    What `dvc repro` trained:
        hdrmodel evaluate data/shards scores/spatial --weights data/runs/spatial/0/weights.safetensors
    Another program, from our inputs to its scores:
        hdrmodel evaluate data/shards inputs --inputs
        other-program inputs/*.png --out theirs
        hdrmodel evaluate data/shards scores/theirs --predictions theirs
    Slower metrics too, without the colour alignment:
        hdrmodel evaluate data/shards scores/spatial --weights data/runs/spatial/0/weights.safetensors \\
            -s metrics=[psnr,ssim,lpips,psnr_pu21,vsi_pu21,cvvdp] -s alignments=[none,gain]
    """
    config = load_evaluation(changes)
    if show:
        click.echo(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), nl=False)
        for metric in METRICS.values():
            note = f" {metric.note}" if metric.note else ""
            click.echo(f"# {metric.key}: {metric.name} ({', '.join(metric.sets)}).{note}")
        return
    if shards is None or out is None:
        raise click.UsageError("wanted the folders SHARDS and OUT")
    if inputs:
        if weights or predictions:
            raise click.UsageError("--inputs writes pictures alone; leave out --weights and --predictions")
        count = write_inputs(open_test_part(shards), out, config.crfs_a_view)
        click.echo(f"{out}: {count} pictures")
        return
    if bool(weights) == (predictions is not None):
        raise click.UsageError("wanted --weights FILE or --predictions FOLDER")
    if weights and (name or allow_missing):
        raise click.UsageError("--name and --allow-missing are for --predictions")
    if weights:
        summary = evaluate_weights(shards, weights, out, config)
    else:
        summary = evaluate_predictions(
            shards, predictions, out, name or predictions.resolve().name, config, allow_missing
        )
    click.echo("\n".join(format_scores(summary)))
    click.echo(out / "summary.json")
    for key in summary["missing"]:
        click.echo(f"missing: {key}", err=True)
    if summary["trained_on_these_shards"] is False:
        click.echo("trained on other shards: their scenes may be among these of the test part", err=True)
    for why in summary["absent"].values():
        click.echo(f"absent: {why}", err=True)
    if summary["absent"]:
        sys.exit(EXIT_ABSENT)


@main.command()
@click.argument("photo", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="OpenEXR file to write; the preview lies beside it as NAME.preview.png.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    default=Path("data/runs/spatial/0/weights.safetensors"),
    show_default=True,
    help="What `train` wrote.",
)
@click.option(
    "--crf",
    default="srgb",
    show_default=True,
    metavar="NAME",
    help="The photograph's camera response; `hdrdata crf list` names them.",
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)  # fmt: skip
def predict(photo: Path, out: Path, weights: Path, crf: str, device: str) -> None:
    """Make the HDR file OUT of one 8-bit picture, PHOTO, of any size.

    In the file 1.0 is the light that saturates the photograph; values above it are the network's.

    \b
    A photograph, with the weights of `dvc repro`:
        hdrmodel predict photo.jpg -o photo.exr
    """
    if out.suffix.lower() != ".exr":
        raise click.ClickException(f"{out}: wanted a name that ends in .exr")
    reconstructor = HDRReconstructor.from_file(weights, device, choose_crf(crf))
    preview = predict_file(photo, out, reconstructor, sha256_of(weights))
    click.echo(f"{out} and {preview}")


@main.command()
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.option("--method", metavar="NAME", default="network", show_default=True,
              help="Of A; also step0, input_crf, input_srgb, oracle, network_debevec, network_mertens.")  # fmt: skip
@click.option("--method-b", metavar="NAME", help="Of B. Default: that of A.")
@click.option("--by-clipping", is_flag=True, help="Also among the stacks whose inputs are clipped by a like share.")
@click.option("--resamples", type=click.IntRange(100, 100_000), default=RESAMPLES, show_default=True,
              help="Of the scenes, for the intervals.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON.")
def compare(
    a: Path, b: Path, method: str, method_b: str | None, by_clipping: bool, resamples: int, as_json: bool
) -> None:
    """Say in which scores A and B differ by more than chance: two folders of scores, or their per_picture.csv.

    The interval of a difference is over scenes, and over seeds where there are several. A verdict wants one that
    does not hold 0, and a difference that the metric resolves. The exit code is 0 whatever the verdict.

    \b
    Two variants on the same stacks:
        hdrmodel compare data/scores/spatial data/scores/none
    A variant against doing nothing with the camera response known:
        hdrmodel compare data/scores/spatial data/scores/spatial --method-b input_crf
    """
    comparison = compare_scores(read_scores(a), read_scores(b), method, method_b or method, resamples, by_clipping)
    click.echo(json.dumps(comparison.to_json(), indent=2) if as_json else "\n".join(format_comparison(comparison)))


@main.command()
@click.argument("weights", type=click.Path(path_type=Path), required=False)
@click.option("--variant", "--attention", "variant", metavar="NAME",
              help=f"HDR-AttNet with an attention: {VARIANT_NAMES}. Default: a table of all.")  # fmt: skip
@click.option("--preset", metavar="NAME",
              help=f"HDR-AttNet's activations: one of {', '.join(PRESETS)}. Default: attnet.")  # fmt: skip
@click.option("--width", type=float, metavar="FACTOR",
              help=f"Multiplies all numbers of channels; above 0, at most {LARGEST_WIDTH}. "
                   "Default: 1, the paper's.")  # fmt: skip
@click.option("--size", type=int, default=512, show_default=True, metavar="PIXELS",
              help="Height and width of the picture for which work is counted.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON, with work in MACs.")
def info(
    weights: Path | None, variant: str | None, preset: str | None, width: float | None, size: int, as_json: bool
) -> None:
    """Say what a file of WEIGHTS holds, or what a network would cost: parameters, multiplications, attention.

    \b
    A file, and its network:
        hdrmodel info data/runs/spatial/0/weights.safetensors
    A network of the paper's size, without a file:
        hdrmodel info --attention spatial
        hdrmodel info --variant expandnet
    All variants beside each other:
        hdrmodel info
    """
    if weights is not None:
        given = {"--variant": variant, "--preset": preset, "--width": width}
        if unwanted := [name for name, value in given.items() if value is not None]:
            raise ValueError(f"{weights}: a file says itself what its network is; leave out {', '.join(unwanted)}")
        network, header = load_weights(weights)
        summary = summarize(network.config, size)
        facts = {**header, "parameters": f"{summary.parameters:,}"}
        content = {"file": header, **summary.as_json()}
        lines = [*(f"{name}: {value}" for name, value in facts.items()), "", *_format(summary)]
    elif variant is not None:
        if find_variant(variant) is not None and preset is not None:
            raise ValueError(f"--preset {preset}: is HDR-AttNet's; leave it out for {variant}, which has none")
        summary = summarize(_describe(variant, preset, width), size)
        content, lines = summary.as_json(), _format(summary)
    else:
        summaries = [summarize(_describe(name, preset, width), size) for name in VARIANTS]
        content = [summary.as_json() for summary in summaries]
        ours = len(ATTENTIONS)
        lines = [*format_table(summaries[:ours]), "", *format_baselines(summaries[ours:])]
    click.echo(json.dumps(content, indent=2) if as_json else "\n".join(lines))


def _format(summary: Summary | BaselineSummary) -> list[str]:
    return format_summary(summary) if isinstance(summary, Summary) else format_baselines([summary])


def _describe(variant: str, preset: str | None, width: float | None) -> NetworkConfig | BaselineConfig:
    preset, width = "attnet" if preset is None else preset, 1.0 if width is None else width
    find_variant(variant)  # these refuse an unknown name in one line, pydantic in four
    find_preset(preset)
    if not 0 < width <= LARGEST_WIDTH:
        raise ValueError(f"--width {width:g}: wanted a number above 0 and at most {LARGEST_WIDTH}")
    return describe_network(variant, preset, width)


if __name__ == "__main__":
    main()
