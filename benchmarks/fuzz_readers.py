"""Read many damaged scenes, photographs, indexes, journals, recipes, catalogs and weights in processes with limits.

Small sound files of many kinds are damaged by flipped bits, cuts, moved pieces and numbers in random places, and texts
also by values of another type; each is read as the commands read it. Every case that crashes its process, exceeds a
limit or is refused in more than one line is listed. `--cases N --seed S` repeats the same cases, `--keep FOLDER` keeps
the files of the listed ones.

    python benchmarks/fuzz_readers.py --cases 12000 --seed 0
    python benchmarks/fuzz_readers.py --cases 10000 --format recipe
"""

import contextlib
import json
import multiprocessing
import multiprocessing.connection
import os
import random
import resource
import struct
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import click
import cv2
import numpy as np
import OpenEXR
import tifffile
from fuzz_lists import LISTS, make_lists, make_weights, spoil_values
from fuzz_photos import make_photos
from PIL import ImageCms

from hdrdata.files.exr import write_exr
from hdrdata.files.radiance import check_radiance
from hdrdata.photos.photo import read_photo
from hdrdata.terminal import one_line

MEGABYTES = 300  # resident memory that a case may take beyond a process that has read one sound file of each kind
ADDRESSES = 2048  # megabytes of address space beyond it: what a process may ask for, used or not
SECONDS = 20  # a file of a few kilobytes takes milliseconds
SCENES, PHOTOS = ("exr", "hdr", "pfm", "tiff"), ("photo", "gainmap")
OUTCOMES = ("read", "refused in a line", "refused in more", "other error", "crashed", "too slow", "too much memory")
P3 = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290)
NUMBERS = (0, 1, 2**7, 2**8 - 1, 2**15 - 1, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


def make_seeds(folder: Path) -> dict[str, list[Path]]:
    """Small sound files of each format, by its name."""
    generator = np.random.default_rng(0)
    picture = np.exp(generator.normal(0, 2, (24, 40, 3))).astype(np.float32)
    half, grey = picture.astype(np.float16), picture[:, :, 0]
    seeds: dict[str, list[Path]] = {"exr": [], "hdr": [], "pfm": [], "tiff": []}

    def add(kind: str, name: str) -> Path:
        seeds[kind].append(folder / name)
        return folder / name

    write_exr(add("exr", "ours.exr"), half)
    for name in ("NO", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "B44", "B44A", "DWAA", "DWAB"):
        header = {"compression": getattr(OpenEXR, f"{name}_COMPRESSION"), "type": OpenEXR.scanlineimage}
        for pixels, kind in ((half, "half"), (picture, "float")):
            with OpenEXR.File(dict(header), {"RGB": pixels.copy()}) as file:
                file.write(str(add("exr", f"{name}-{kind}.exr")))
    tile = OpenEXR.TileDescription()
    tile.xSize, tile.ySize, tile.mode = 16, 16, OpenEXR.ONE_LEVEL
    tiles = {"type": OpenEXR.tiledimage, "compression": OpenEXR.ZIP_COMPRESSION, "tiles": tile}
    with OpenEXR.File(tiles, {"RGB": half.copy()}) as file:
        file.write(str(add("exr", "tiled.exr")))
    parts = [
        OpenEXR.Part({"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION}, channels, name=name)
        for name, channels in (("beauty", {"RGB": half.copy()}), ("depth", {"Z": grey.copy()}))
    ]
    with OpenEXR.File(parts) as file:
        file.write(str(add("exr", "parts.exr")))

    def exr(name: str, channels: dict, **header: object) -> None:
        header = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION, **header}
        with OpenEXR.File(header, channels) as file:
            file.write(str(add("exr", name)))

    sampled = {name: OpenEXR.Channel(name, np.ascontiguousarray(half[:, :, place]), step, step)
               for name, place, step in (("Y", 0, 1), ("RY", 1, 2), ("BY", 2, 2))}  # fmt: skip
    exr("luma.exr", sampled, chromaticities=P3)
    exr("cube.exr", {"RGB": np.tile(half[:8, :8], (6, 1, 1))}, envmap=OpenEXR.ENVMAP_CUBE)
    exr("latlong.exr", {"RGB": picture.copy()}, envmap=OpenEXR.ENVMAP_LATLONG, chromaticities=P3)
    exr("oblong.exr", {"RGB": half.copy()}, pixelAspectRatio=2.0)
    corners = (np.array([-3, 2], np.int32), np.array([36, 25], np.int32))
    exr("window.exr", {"RGB": half.copy()}, dataWindow=corners)
    exr("stereo.exr", {"Y": grey.copy(), "right.Y": grey.copy()}, multiView=["left", "right"])
    exr("layers.exr", {f"{layer}.{letter}": half[:, :, place].copy() for layer in ("AO", "Combined")
                       for place, letter in enumerate("RGB")})  # fmt: skip
    write_deep_exr(folder)
    if (folder / "deep.exr").exists():
        seeds["exr"].append(folder / "deep.exr")

    cv2.imwrite(str(add("hdr", "rle.hdr")), picture)
    cv2.imwrite(str(add("hdr", "flat.hdr")), picture, [cv2.IMWRITE_HDR_COMPRESSION, cv2.IMWRITE_HDR_COMPRESSION_NONE])
    old = b"".join(bytes([100 + row, 90, 80, 130]) + bytes([1, 1, 1, 39]) for row in range(24))
    add("hdr", "old.hdr").write_bytes(b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 24 +X 40\n" + old)

    pixels = (folder / "flat.hdr").read_bytes()
    pixels = pixels[pixels.index(b"+X 40\n") + 6 :]
    for name, head, size in (
        ("xyze.hdr", b"FORMAT=32-bit_rle_xyze\n", b"-Y 24 +X 40"),
        ("exposed.hdr", b"EXPOSURE=4\n\tEXPOSURE=9\nCOLORCORR= 2 1 .5\nEXPOSURE=2e-1\n", b"-Y 24 +X 40"),
        ("primaries.hdr", b"PRIMARIES= .68 .32 .265 .69 .15 .06 .3127 .329\nPIXASPECT=2\n", b"+Y 24 -X 40"),
        ("turned.hdr", b"FORMAT=32-bit_rle_rgbe\n" + b"x" * 254 + b"\n", b"+X 40 -Y 24"),
    ):
        add("hdr", name).write_bytes(b"#?RADIANCE\n" + head + b"\n" + size + b"\n" + pixels)
    content = (folder / "rle.hdr").read_bytes()
    start = content.index(b"+X 40\n") + 6
    add("hdr", "crlf.hdr").write_bytes(content[:start].replace(b"\n", b"\r\n") + content[start:])

    cv2.imwrite(str(add("pfm", "colour.pfm")), picture)
    values = picture[::-1].astype("<f4").tobytes()
    for name, head in (
        ("one-line", "PF 40 24 -1.0 "),
        ("comments", "PF\n# a\n40 24 # b\n-2.5e-1\n"),
        ("crlf", "PF\r\n40 24\r\n-1\r\n"),
    ):
        add("pfm", f"{name}.pfm").write_bytes(head.encode() + values)
    cv2.imwrite(str(add("pfm", "grey.pfm")), grey)
    add("pfm", "big.pfm").write_bytes(b"PF\n40 24\n1.0\n" + picture[::-1].astype(">f4").tobytes())

    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name, pixels, options in (
        ("float", picture, {}),
        ("deflate", picture, {"compression": "zlib", "predictor": True}),
        ("lzw", picture, {"compression": "lzw"}),
        ("tiled", picture, {"tile": (16, 16)}),
        ("bigtiff", picture, {"bigtiff": True}),
        ("bigendian", picture, {"byteorder": ">"}),
        ("planar", np.ascontiguousarray(picture.transpose(2, 0, 1)), {"planarconfig": "separate"}),
        ("double", picture.astype(np.float64), {}),
        ("integer", (picture * 1000).clip(0, 65535).astype(np.uint16), {"compression": "packbits"}),
        ("grey", grey, {"photometric": "minisblack"}),
        ("half", half, {"compression": "zstd", "predictor": True}),
        ("alpha", picture[:, :, :2], {"photometric": "minisblack", "extrasamples": ["unassalpha"]}),
        ("white", (grey * 1000).clip(0, 65535).astype(np.uint16), {"photometric": "miniswhite"}),
        ("icc", (picture * 1000).clip(0, 65535).astype(np.uint16), {"iccprofile": icc}),
        ("turned", picture, {"extratags": [(274, 3, 1, 6, True)], "compression": "lzw"}),
        ("reduced", picture, {"subfiletype": 1}),
        (
            "planes of tiles",
            np.ascontiguousarray(picture.transpose(2, 0, 1)),
            {"planarconfig": "separate", "tile": (16, 16), "compression": "zlib"},
        ),
    ):
        tifffile.imwrite(add("tiff", f"{name}.tiff"), pixels, **{"photometric": "rgb", **options})
    return seeds


def write_deep_exr(folder: Path) -> None:
    """A deep file, where the bindings can write one."""
    samples = np.empty((24, 40), dtype=object)
    for place in np.ndindex(24, 40):
        samples[place] = np.ones(2, np.float32)
    header = {"type": OpenEXR.deepscanline, "compression": OpenEXR.ZIPS_COMPRESSION}
    try:
        with OpenEXR.File(header, {"R": samples, "G": samples.copy(), "B": samples.copy()}) as file:
            file.write(str(folder / "deep.exr"))
    except Exception as error:  # of bindings that write flat files alone, whatever they raise
        click.echo(f"no deep seed: {str(error).splitlines()[0]}", err=True)


def spoil(content: bytes, random_: random.Random) -> bytes:
    """One to four damages of a file; half of them within the first 512 bytes, where the headers lie."""
    spoiled = bytearray(content)
    for _ in range(random_.randint(1, 4)):
        if len(spoiled) < 16:
            break
        place = random_.randrange(min(len(spoiled), 512) if random_.random() < 0.5 else len(spoiled))
        kind = random_.randrange(7)
        if kind == 0:
            spoiled[place] ^= 1 << random_.randrange(8)
        elif kind == 1:
            spoiled[place] = random_.randrange(256)
        elif kind == 2:
            del spoiled[place:]
        elif kind == 3:  # a piece moved
            size, other = random_.randrange(1, 64), random_.randrange(len(spoiled))
            spoiled[other : other + size] = spoiled[place : place + size]
        elif kind == 4:  # a piece lost or doubled
            size = random_.randrange(1, 64)
            piece = spoiled[place : place + size]
            spoiled[place : place + size] = piece * random_.choice([0, 2])
        elif kind == 5:  # a number in a header: size, window, count, offset
            number = random_.choice(NUMBERS)
            spoiled[place : place + 4] = struct.pack(random_.choice("<>") + "I", number)
        else:  # a number in letters
            digits = [index for index in range(min(len(spoiled), 512)) if chr(spoiled[index]).isdigit()]
            if digits:
                at = random_.choice(digits)
                spoiled[at : at + 1] = str(random_.choice(NUMBERS)).encode()
    return bytes(spoiled)


def case(number: int, seed: int, seeds: dict[str, list[Path]]) -> tuple[str, Path, bytes]:
    """Return the format, the sound file and the bytes of one case."""
    random_ = random.Random(f"{seed}:{number}")
    kind = list(seeds)[number % len(seeds)]
    path = random_.choice(seeds[kind])
    if kind in LISTS and random_.random() < 0.7:
        return kind, path, spoil_values(path.read_bytes(), random_)
    return kind, path, spoil(path.read_bytes(), random_)


def read_case(kind: str, path: Path) -> None:
    """Read a file as the commands read it."""
    if kind in LISTS:
        LISTS[kind](path)
    elif kind in ("photo", "gainmap"):
        read_photo(path, own_colours=True)
    else:
        check_radiance(path, 1.0)


def read_cases(pipe: multiprocessing.connection.Connection, folder: Path, sound: dict[str, Path]) -> None:
    """Read files as they are named through a pipe; runs in a process of its own, with limits of memory."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    cv2.setNumThreads(1)
    for kind, path in sound.items():  # imports what the readers of its kind need, torch for weights
        with contextlib.suppress(ValueError):
            read_case(kind, path)
    held = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    limit = held + ADDRESSES * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("error")  # a warning would be a further line of a command
    pipe.send("ready")
    light = before = peak_megabytes()
    while (named := pipe.recv()) is not None:
        kind, name = named
        try:
            read_case(kind, folder / name)
            outcome = "read"
        except (ValueError, OSError) as error:
            line = one_line(error)  # as a command prints it
            short = len(line) < 2000 and str(folder / name) in line
            outcome = "refused in a line" if short else f"refused in more: {type(error).__name__}: {line}"
            if "too large for the memory" in line or ("alloc" in line and "limit exceeded" not in line):
                outcome = "too much memory"
        except MemoryError:
            outcome = "too much memory"
        except Exception as error:  # of any kind: it is a finding
            outcome = f"other error: {type(error).__name__}: {error}"
        peak = peak_megabytes()
        if peak > before and peak - light > MEGABYTES:
            outcome = f"too much memory: {peak - light:.0f} MB"
        before = peak
        pipe.send((outcome, peak - light))


def peak_megabytes() -> float:
    """Return the most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def fuzz(
    cases: int, seed: int, keep: Path | None = None, formats: tuple[str, ...] = ()
) -> tuple[dict[str, Counter], list[str], float, float]:
    """Read `cases` damaged files, of the given formats or of all scenes.

    Returns:
        by format the number of cases by outcome; a line for each that is not "read" or "refused in a line"; the longest
        time of one case in seconds; and the most memory that the readers took, in MB.
    """
    context = multiprocessing.get_context("forkserver")
    table: dict[str, Counter] = {}
    findings, slowest, most = [], 0.0, 0.0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        makers = {**dict.fromkeys(SCENES, make_seeds), **dict.fromkeys(PHOTOS, make_photos)}
        makers.update({**dict.fromkeys(LISTS, make_lists), "weights": make_weights})
        made = {maker: maker(folder) for maker in {makers[kind] for kind in formats or SCENES}}
        seeds = {kind: made[makers[kind]][kind] for kind in formats or SCENES}
        firsts = {kind: paths[0] for kind, paths in seeds.items()}
        process = pipe = None
        for number in range(cases):
            kind, sound, content = case(number, seed, seeds)
            file = f"case{sound.suffix}"
            (folder / file).write_bytes(content)
            if process is None:
                pipe, other = context.Pipe()
                process = context.Process(target=read_cases, args=(other, folder, firsts), daemon=True)
                process.start()
                other.close()
                pipe.recv()
            begun = time.perf_counter()
            try:
                pipe.send((kind, file))
                outcome, megabytes = pipe.recv() if pipe.poll(SECONDS) else ("too slow", 0.0)
                most = max(most, megabytes)
            except (EOFError, BrokenPipeError, ConnectionResetError):
                process.join()
                outcome = f"crashed: exit code {process.exitcode}"
            slowest = max(slowest, time.perf_counter() - begun)
            if outcome == "too slow" or outcome.startswith("crashed"):
                process.kill()
                process.join()
                process = None
            table.setdefault(kind, Counter())[outcome.partition(":")[0]] += 1
            if outcome not in ("read", "refused in a line"):
                findings.append(f"case {number} of seed {seed}, from {sound.name}: {outcome}")
                if keep:
                    keep.mkdir(parents=True, exist_ok=True)
                    (keep / f"{seed}-{number}{sound.suffix}").write_bytes(content)
        if process is not None:
            pipe.send(None)
            process.join()
    return table, findings, slowest, most


@click.command(help=__doc__.partition("\n")[0])
@click.option("--cases", type=click.IntRange(1), default=12000, show_default=True, help="Files to read.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another number gives other damages.")
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Keep the files that are findings.")
@click.option("--format", "formats", multiple=True, type=click.Choice((*SCENES, *PHOTOS, *LISTS)), metavar="NAME",
              help=f"{', '.join((*SCENES, *PHOTOS, *LISTS))}. Repeatable. Default: {', '.join(SCENES)}.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(cases: int, seed: int, keep: Path | None, formats: tuple[str, ...], as_json: bool) -> None:
    begun = time.perf_counter()
    table, findings, slowest, most = fuzz(cases, seed, keep, formats)
    seconds = time.perf_counter() - begun
    if as_json:
        click.echo(
            json.dumps(
                {"table": table, "findings": findings, "slowest": slowest, "seconds": seconds, "megabytes": most}
            )
        )
        return
    click.echo(f"| format | cases | {' | '.join(OUTCOMES)} |\n|{' --- |' * (len(OUTCOMES) + 2)}")
    for kind, counts in table.items():
        click.echo(f"| {kind} | {counts.total()} | {' | '.join(str(counts[outcome]) for outcome in OUTCOMES)} |")
    for finding in findings:
        click.echo(finding)
    click.echo(
        f"{cases} cases in {seconds:.0f} s; the slowest took {slowest:.2f} s; at most {most:.0f} of {MEGABYTES} MB"
    )


if __name__ == "__main__":
    main()
