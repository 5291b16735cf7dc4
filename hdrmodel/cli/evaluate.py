"""The commands `hdrmodel evaluate` and `compare`."""

import json
import sys
from pathlib import Path

import click

from hdrdata.command import OneLineErrors
from hdrmodel.scores.methods import METHODS

EXIT_ABSENT = 3  # of `evaluate`, if a metric is unavailable


@click.command(cls=OneLineErrors)
@click.argument("shards", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False)
@click.argument("out", type=click.Path(file_okay=False, path_type=Path), required=False)
@click.option("--weights", multiple=True, type=click.Path(path_type=Path),
              help="File that `train` wrote; give it once per seed of one variant.")  # fmt: skip
@click.option("--predictions", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="FOLDER",
              help="HDR files of another program instead: one per picture, named by its key.")  # fmt: skip
@click.option("--name", metavar="NAME", help="Name of that program in the tables. Default: the folder's name.")
@click.option("--layer", metavar="NAME", help="Layer to read from that program's EXR files.")
@click.option(
    "--allow-missing", is_flag=True, help="Measure where there are predictions; else a missing one is refused."
)
@click.option("--inputs", is_flag=True, help="Write the input images for another program to OUT, and measure nothing.")
@click.option("-s", "--set", "changes", multiple=True, metavar="NAME=VALUE",
              help="Replace a value of the configuration; give it once per value. --show names them all.")  # fmt: skip
@click.option("--show", is_flag=True, help="Print the configuration and all metrics, and measure nothing.")
def evaluate(
    shards: Path | None,
    out: Path | None,
    weights: tuple[Path, ...],
    predictions: Path | None,
    name: str | None,
    layer: str | None,
    allow_missing: bool,
    inputs: bool,
    changes: tuple[str, ...],
    show: bool,
) -> None:
    """Measure weights, or another program's HDR files, on the test part of the folder SHARDS into the folder OUT.

    OUT gets per_picture.csv (a row per picture and method), per_exposure.csv, summary.json (means, 95 % intervals, the
    protocol in words), metrics.json and pictures/. The network is measured with the camera response known, taken for
    sRGB and estimated. Doing nothing (the LDR input, linearised; the same with clipped values times the best constant
    of the train part) and the merged true stack are always measured too. Run the same command again to continue where
    it was interrupted.
    Exit code 3: metrics whose weights or programs are missing were left out; the output states how to get them.

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
    import yaml

    from hdrmodel.evaluation.cases import write_inputs
    from hdrmodel.evaluation.config import load_evaluation
    from hdrmodel.evaluation.evaluate import evaluate_predictions, evaluate_weights, open_test_part
    from hdrmodel.evaluation.summary import format_scores
    from hdrmodel.metrics.table import METRICS

    config = load_evaluation(changes)
    if show:
        click.echo(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), nl=False)
        for metric in METRICS.values():
            note = f" {metric.note}" if metric.note else ""
            click.echo(f"# {metric.key}: {metric.name} ({', '.join(metric.sets)}).{note}")
        return
    if shards is None or out is None:
        raise click.UsageError("expected the folders SHARDS and OUT")
    if inputs:
        if weights or predictions:
            raise click.UsageError("--inputs only writes pictures; leave out --weights and --predictions")
        count = write_inputs(open_test_part(shards), out, config.crfs_a_view, config.views_a_scene)
        click.echo(f"{out}: {count} pictures")
        return
    if bool(weights) == (predictions is not None):
        raise click.UsageError("expected --weights FILE or --predictions FOLDER")
    if weights and (name or layer or allow_missing):
        raise click.UsageError("--name, --layer and --allow-missing are for --predictions")
    if weights:
        summary = evaluate_weights(shards, weights, out, config)
    else:
        assert predictions is not None  # checked above
        summary = evaluate_predictions(
            shards, predictions, out, name or predictions.resolve().name, config, allow_missing, layer
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


@click.command(cls=OneLineErrors)
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.option("--method", metavar="NAME", default="network", show_default=True,
              help=f"Method of A; one of {', '.join(METHODS)}.")  # fmt: skip
@click.option("--method-b", metavar="NAME", help="Method of B. Default: the method of A.")
@click.option("--by-clipping", is_flag=True, help="Repeat the table by the clipped share of the input.")
@click.option("--resamples", type=click.IntRange(100, 100_000), metavar="NUMBER",
              help="Number of resamples for the intervals. Default: as in the evaluation of A.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON.")
def compare(
    a: Path, b: Path, method: str, method_b: str | None, by_clipping: bool, resamples: int | None, as_json: bool
) -> None:
    """Compare the scores A and B by metric, with intervals: two folders of scores, or their per_picture.csv.

    The interval of a difference is over scenes, and over seeds where there are several. A verdict needs one that
    does not contain 0, and a difference that the metric resolves. The exit code is 0 whatever the verdict.

    \b
    Two variants on the same stacks:
        hdrmodel compare data/scores/spatial data/scores/base
    A variant against doing nothing with the camera response known:
        hdrmodel compare data/scores/spatial data/scores/spatial --method-b clipped_constant
    """
    from hdrmodel.report.compare import compare_scores, format_comparison
    from hdrmodel.scores.folder import read_scores

    comparison = compare_scores(read_scores(a), read_scores(b), method, method_b or method, resamples, by_clipping)
    click.echo(json.dumps(comparison.to_json(), indent=2) if as_json else "\n".join(format_comparison(comparison)))
