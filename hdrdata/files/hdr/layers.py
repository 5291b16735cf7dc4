"""Which channels of an OpenEXR file are the picture."""

from dataclasses import dataclass
from pathlib import Path

PREFERRED = ("", "combined", "beauty", "rgba", "default", "left", "main")  # layers, the best first
COLOURS = {"r": 0, "red": 0, "g": 1, "green": 1, "b": 2, "blue": 2}
LUMA = ("y", "ry", "by")
GREYS = ("y", "l", "luminance", "grey", "gray")
NO_LIGHT = ("a", "alpha", "z")


@dataclass(frozen=True)
class Choice:
    """The channels that are the picture."""

    part: int
    channels: tuple[str, str, str]  # red, green, blue; or Y, RY, BY; or the same thrice: grey
    title: str  # of the layer; "" of that without a name
    is_luma: bool  # luminance and chroma
    others: int  # layers that could have been taken

    @property
    def is_grey(self) -> bool:
        return len(set(self.channels)) == 1


@dataclass(frozen=True)
class _Layer:
    part: int
    title: str  # without its view
    names: tuple[str, ...]  # by which a user may call it
    view: int  # 0: the default view
    channels: tuple[str, str, str]
    is_luma: bool

    @property
    def rank(self) -> int:
        """The place in `PREFERRED` by the last word of the title; behind all if it is none of them."""
        last = self.title.lower().rpartition(".")[2]
        return PREFERRED.index(last) if last in PREFERRED else len(PREFERRED)


def choose_layer(path: Path, headers: list[dict], wanted: str | None = None) -> Choice:
    """The picture among the layers and parts of a file; all three of its channels are of one part.

    Of layers in colour the one without a name is taken, else Combined, beauty, rgba, default, left or main (the last
    word of the name counts), else the only one; of its views the default one, which is the first. Grey counts where
    there is no colour.

    Args:
        headers: of the parts.
        wanted: name of a layer, whole or its last word, upper and lower case alike; None: by the rule above.

    Raises:
        ValueError: naming the file and its layers, if there is no such layer, or several could be meant.
    """
    found = [layer for part in range(len(headers)) for layer in _layers(headers, part)]
    if wanted is None:
        found = [layer for layer in found if len(set(layer.channels)) > 1] or found
    if not found:
        told = ", ".join(sorted(channel.name for header in headers for channel in header["channels"]))
        raise ValueError(f"{path}: channels {told}: wanted R, G and B (or Y, or a single channel)")
    told = ", ".join(sorted({layer.names[0] or "(no name)" for layer in found}))
    best = found if wanted is None else _called(found, wanted)
    if not best:
        raise ValueError(f"{path}: no layer '{wanted}'; its layers are {told}")
    order = sorted(best, key=lambda layer: (layer.rank, layer.view, layer.part, layer.names))
    first = order[0]
    same = [layer for layer in order[1:] if (layer.rank, layer.view) == (first.rank, first.view)]
    if same and first.rank:
        raise ValueError(
            f"{path}: layers {told}: which is the picture? wanted one without a name, or Combined; or --layer NAME"
        )
    return Choice(first.part, first.channels, first.names[0], first.is_luma, len(found) - 1)


def _called(found: list[_Layer], wanted: str) -> list[_Layer]:
    """The layers of a name: whole if there is one, else by its last word."""
    name = wanted.lower()
    whole = [layer for layer in found if name in (called.lower() for called in layer.names)]
    return whole or [layer for layer in found if layer.names[0].lower().rpartition(".")[2] == name]


def _layers(headers: list[dict], part: int) -> list[_Layer]:
    """The layers of a part that hold a picture."""
    header = headers[part]
    of_part = str(header.get("name") or "") if len(headers) > 1 else ""
    views = list(header.get("multiView") or dict.fromkeys(str(h["view"]) for h in headers if h.get("view")))
    grouped: dict[str, dict[str, str]] = {}
    for name in sorted(channel.name for channel in header["channels"]):
        layer, _, channel = name.rpartition(".")
        grouped.setdefault(layer, {}).setdefault(channel.lower(), name)
    light = [channel for channels in grouped.values() for channel in channels if channel not in NO_LIGHT]
    made = []
    for layer, channels in grouped.items():
        colours: dict[int, str] = {}
        for channel in channels:
            if channel in COLOURS:
                colours.setdefault(COLOURS[channel], channels[channel])
        single = [name for channel, name in channels.items() if channel not in NO_LIGHT]
        is_luma = all(channel in channels for channel in LUMA)
        if len(colours) == 3:
            chosen = (colours[0], colours[1], colours[2])
        elif is_luma:
            chosen = tuple(channels[channel] for channel in LUMA)
        elif len(single) == 1 and (len(light) == 1 or any(channel in channels for channel in GREYS)):
            chosen = (single[0],) * 3
        else:
            continue
        name = layer or of_part
        title, view = _without_view(name, views)
        both = f"{of_part}.{layer}" if layer and of_part else name
        names = (name, both, title) if layer else (name, title, "rgb" if name == "" else name)
        made.append(_Layer(part, title, names, view, chosen, is_luma))
    return made


def _without_view(name: str, views: list[str]) -> tuple[str, int]:
    """A layer's name without that of its view (`left`, `Combined.left`, `rgba_left`), and the view's number."""
    for number, view in enumerate(views):
        if name == view:
            return "", number
        if name.endswith((f".{view}", f"_{view}")):
            return name[: -len(view) - 1], number
    return name, 0
