"""The command `hdrmodel info`."""

import json
from pathlib import Path

import click

from hdrdata.command import OneLineErrors
from hdrmodel.cli.words import VARIANT_NAMES
from hdrmodel.evaluation.costs import LARGEST_WIDTH, BaselineSummary, Summary, padded_size, summarize
from hdrmodel.networks.attention import ATTENTIONS, find_attention
from hdrmodel.networks.baselines.radiance_network import BaselineConfig
from hdrmodel.networks.hdr_attnet import NetworkConfig
from hdrmodel.networks.unet import PRESETS, find_preset
from hdrmodel.networks.variants import VARIANTS, describe_network, find_variant
from hdrmodel.networks.weights import load_weights


@click.command(cls=OneLineErrors)
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


def format_summary(summary: Summary) -> list[str]:
    """The lines that tell people what one network costs and where its attention sits."""
    config, unets, macs = summary.config, summary.unets, summary.macs()
    added = [*(unet.attention_parameters for unet in unets.values()), summary.attention_parameters]
    lines = [
        f"attention {config.attention}, preset {config.preset}, width {config.width:g}",
        "",
        _row("parameters", [*unets, "all"]),
        _row("  network", [f"{count:,}" for count in [*(u.parameters for u in unets.values()), summary.parameters]]),
        _row("  of that, attention", [f"{count:,}" for count in added]),
        "",
        _row(f"GMACs at {_picture(summary.size)}", list(macs)),
        _row("  convolutions", [f"{convolutions / 1e9:.2f}" for convolutions, _ in macs.values()]),
        _row("  attention", [_small(attention / 1e9) for _, attention in macs.values()]),
        "",
    ]
    if summary.modules:
        modules = " and ".join(f"{count} {name}" for name, count in summary.modules.items())
        lines.append(_row(f"weights of {modules} modules", list(unets)))
        for site in unets["N1"].sites:
            lines.append(_row(f"  {site}", [f"{unet.sites[site]:,}" for unet in unets.values()]))
    else:
        lines.append("no attention at any site")
    return [*lines, "", *_EXPLANATION]


def format_table(summaries: list[Summary]) -> list[str]:
    """The lines that compare networks that differ in their attention alone, with the one without among them."""
    (base,) = (summary.parameters for summary in summaries if not summary.modules)
    config, size = summaries[0].config, summaries[0].size
    columns = ["parameters", "added", "share", "convolutions", "attention"]
    lines = [
        f"preset {config.preset}, width {config.width:g}; GMACs of one exposure at {_picture(size)}",
        "",
        f"{'attention':<12}{columns[0]:>12}{columns[1]:>10}{columns[2]:>10}{columns[3]:>14}{columns[4]:>11}  places",
    ]
    for summary in summaries:
        added = summary.parameters - base
        convolutions, attention = summary.macs()["exposure"]
        places = ", ".join(find_attention(summary.config.attention).places) or "-"
        lines.append(
            f"{summary.config.attention:<12}{summary.parameters:>12,}{added:>10,}{_percent(added / base):>10}"
            f"{convolutions / 1e9:>14.2f}{_small(attention / 1e9):>11}  {places}"
        )
    return [*lines, "", *_EXPLANATION]


def format_baselines(summaries: list[BaselineSummary]) -> list[str]:
    """The lines that compare baselines of one width."""
    size = summaries[0].size
    lines = [
        f"width {summaries[0].config.width:g}; GMACs at {size}x{size}",
        "",
        f"{'baseline':<12}{'parameters':>12}{'GMACs':>14}",
    ]
    lines += [f"{each.config.baseline:<12}{each.parameters:>12,}{each.macs / 1e9:>14.2f}" for each in summaries]
    return [*lines, "", "A baseline makes radiance of a picture; exposing it again, to a stack, costs no network."]


_EXPLANATION = (
    "An exposure is one picture made of one (N1, then N2 or N3); a stack is nine, the input among them (N1 once, then",
    "N2 or N3 eight times). One GMAC: 10^9 multiplications, each with its addition. Convolutions are those of the",
    "network without attention; attention counts the convolutions, linear layers and matrix products in its modules.",
    "What works value by value (activations, normalisation, a gate's product) and pooling are not counted.",
)


def _row(name: str, values: list[str]) -> str:
    return f"{name:<42}" + "".join(f"{value:>12}" for value in values)


def _picture(size: int) -> str:
    padded = padded_size(size)
    return f"{size}x{size}" + (f" (padded: {padded}x{padded})" if padded != size else "")


def _small(number: float) -> str:
    return f"{number:.4f}" if number else "0"


def _percent(share: float) -> str:
    return f"{100 * share:.3f} %" if share else "0"
