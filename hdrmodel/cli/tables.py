"""Print what networks cost, for `hdrmodel info`; imported when it is called, because it needs PyTorch."""

from hdrmodel.evaluation.costs import BaselineSummary, Summary, padded_size
from hdrmodel.networks.attention import find_attention


def format_any(summary: Summary | BaselineSummary) -> list[str]:
    """The lines on one network of any kind."""
    return format_summary(summary) if isinstance(summary, Summary) else format_baselines([summary])


def format_summary(summary: Summary) -> list[str]:
    """Return the lines on what one network costs and where its attention is."""
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
