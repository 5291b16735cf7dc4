"""Choice of the channels of an OpenEXR file that are the image."""

from dataclasses import dataclass
from pathlib import Path

PREFERRED = (  # layers, the best first: of Blender, Octane, Unreal, V-Ray, RenderMan, Mantra and others
    *("", "combined", "beauty", "finalimage", "rgb_color", "ci", "c", "rgba", "default", "left", "main"),
)
COLOURS = {"r": 0, "red": 0, "g": 1, "green": 1, "b": 2, "blue": 2}
LUMA = ("y", "ry", "by")
GREYS = ("y", "l", "luminance", "grey", "gray")
NO_LIGHT = ("a", "alpha", "z")


@dataclass(frozen=True)
class Choice:
    """The channels that are the picture."""

    part: int
    channels: tuple[str, str, str]  # red, green, blue; or Y, RY, BY; or the same thrice: grey
    title: str  # of the layer; "" if it has no name
    is_luma: bool  # luminance and chroma
    others: int  # layers that could have been taken
    alpha: str | None = None  # its channel of alpha

    @property
    def is_grey(self) -> bool:
        return len(set(self.channels)) == 1


@dataclass(frozen=True)
class _Layer:
    part: int
    title: str  # without its view
    names: tuple[str, ...]  # those that a user may give
    view: int  # 0: the default view
    channels: tuple[str, str, str]
    is_luma: bool
    alpha: str | None

    @property
    def rank(self) -> tuple[int, bool]:
        """The place in `PREFERRED` by the last word of the title, the last for others; Blender's Composite first."""
        words = _words(self.title)
        place = PREFERRED.index(words[-1]) if words[-1] in PREFERRED else len(PREFERRED)
        return place, words[0] != "composite"


def _words(name: str) -> list[str]:
    return name.lower().replace(":", ".").split(".")


def choose_layer(path: Path, headers: list[dict], layer: str | None = None) -> Choice:
    """Return the picture among the layers and parts of a file; all of its channels are in one part.

    Among layers in colour, the one without a name is taken, else the first of `PREFERRED` (the last word of the name
    counts; Composite.Combined before another Combined), else the only one; among its views the default one, which is
    the first. Grey counts where there is no colour.

    Args:
        headers: of the parts.
        layer: names of layers separated by commas, tried in order, each whole or its last word, upper and lower case
            alike; a file whose only picture has no name is read in any case. None: by the rule above.

    Raises:
        ValueError: naming the file and its layers, if there is no such layer, or several could be meant.
    """
    found = [layer for part in range(len(headers)) for layer in _layers(headers, part)]
    if layer is None:
        found = [layer for layer in found if len(set(layer.channels)) > 1] or found
    if not found:
        listed = ", ".join(sorted(channel.name for header in headers for channel in header["channels"]))
        raise ValueError(f"{path}: channels {listed}: expected R, G and B (or Y, or a single channel)")
    listed = ", ".join(sorted({layer.names[0] or "(no name)" for layer in found}))
    best = found if layer is None else _called(found, layer)
    if not best:
        raise ValueError(f"{path}: no layer '{layer}'; expected one of its layers: {listed}")
    order = sorted(best, key=lambda layer: (*layer.rank, layer.view, layer.part, layer.names))
    first = order[0]
    same = [layer for layer in order[1:] if (layer.rank, layer.view) == (first.rank, first.view)]
    if same and first.title:
        raise ValueError(
            f"{path}: layers {listed}: several could be the picture; expected one without a name, or Combined, "
            "or --layer NAME"
        )
    return Choice(first.part, first.channels, first.names[0], first.is_luma, len(found) - 1, first.alpha)


def _called(found: list[_Layer], names: str) -> list[_Layer]:
    """The layers of the first name that there is: whole, else by its last word; without any names all of them."""
    for name in (name.strip().lower() for name in names.split(",")):
        whole = [layer for layer in found if name in (called.lower() for called in layer.names)]
        if named := whole or [layer for layer in found if _words(layer.names[0])[-1] == name]:
            return named
    return [] if any(layer.title for layer in found) else found


def _layers(headers: list[dict], part: int) -> list[_Layer]:
    """Return the layers of a part that hold a picture."""
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
            luma, red, blue = LUMA
            chosen = (channels[luma], channels[red], channels[blue])
        elif len(single) == 1 and (len(light) == 1 or any(channel in channels for channel in GREYS)):
            chosen = (single[0], single[0], single[0])
        else:
            continue
        alpha = channels.get("a") or channels.get("alpha")
        name = layer or of_part
        title, view = _without_view(name, views)
        both = f"{of_part}.{layer}" if layer and of_part else name
        names = (name, both, title) if layer else (name, title, "rgb" if name == "" else name)
        made.append(_Layer(part, title, names, view, chosen, is_luma, alpha))
    return made


def _without_view(name: str, views: list[str]) -> tuple[str, int]:
    """Return a layer's name without its view's (`left`, `Combined.left`, `rgba_left`), and the view's number."""
    for number, view in enumerate(views):
        if name == view:
            return "", number
        if name.endswith((f".{view}", f"_{view}")):
            return name[: -len(view) - 1], number
    return name, 0
