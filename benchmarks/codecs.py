"""Which lossless codec should hold a view's half floats? Bytes, time to encode and to decode, and who else reads it.

    python benchmarks/codecs.py [SCENES]

Views of 512x512 are made of the HDR files of the folder SCENES. Each codec has one thread; a time is the least of
several repetitions for each view, in CPU time. The ratio is that of the pixels form's PNGs (45 a view) to the codec's
bytes. "GIL" is what two threads do in the time of one: 2 where the lock is released, 1 where it is held. The candidates
that need a package which is not installed are told as such.
"""

import io
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import cv2
import numpy as np
import OpenEXR
import zstandard

from hdrdata.cameras.exposure import expose_view, half_bits, recipe_tables
from hdrdata.cameras.recipe import choose_recipe
from hdrdata.files.exr import read_view
from hdrdata.files.ldr import encode_png
from hdrdata.samples import radiance_codec
from hdrdata.scenes.scan import scan_scenes
from hdrdata.views.ingest import ingest_scenes
from hdrdata.views.view import IngestConfig, read_views

INGEST = {
    "view_size": 512,
    "fov_degrees": 80,
    "pitch_degrees": 10,
    "azimuths_degrees": [0],
    "photo_crops": 1,
    "max_magnification": 64,
    "on_magnified": "refuse",
    "max_repaired_share": 1,
    "on_error": "stop",
    "engine": "local",
    "workers": 0,
}
Codec = tuple[Callable[[np.ndarray], bytes], Callable[[bytes], np.ndarray]]  # encode and decode a view


def npy() -> Codec:
    def encode(half: np.ndarray) -> bytes:
        file = io.BytesIO()
        np.save(file, half)
        return file.getvalue()

    return encode, lambda content: np.load(io.BytesIO(content))


def openexr(compression: str) -> Codec:
    def encode(half: np.ndarray) -> bytes:
        header = {"compression": getattr(OpenEXR, f"{compression}_COMPRESSION"), "type": OpenEXR.scanlineimage}
        with tempfile.NamedTemporaryFile(suffix=".exr") as file:  # the bindings read a stream, but write paths alone
            OpenEXR.File(header, {"RGB": half}, num_threads=0).write(file.name)
            return Path(file.name).read_bytes()

    def decode(content: bytes) -> np.ndarray:
        with OpenEXR.File(io.BytesIO(content), num_threads=0) as file:
            return file.channels()["RGB"].pixels

    return encode, decode


def bytes_and_back(compress: Callable[[bytes], bytes], decompress: Callable[[bytes], bytes], planes: bool) -> Codec:
    """A compressor of bytes on the half floats as they are, or on their planes: R, G, B; low bytes, then high ones."""

    def encode(half: np.ndarray) -> bytes:
        if not planes:
            return compress(half.tobytes())
        channels = np.stack(cv2.split(half_bits(half)))
        return compress(np.ascontiguousarray(channels.view(np.uint8).reshape(-1, 2).T).tobytes())

    def decode(content: bytes) -> np.ndarray:
        raw = np.frombuffer(decompress(content), np.uint8)
        if not planes:
            return raw.view(np.float16).reshape(SHAPE)
        low, high = raw.reshape(2, -1, SHAPE[1])
        return cv2.merge(list(cv2.merge([low, high]).view(np.uint16).reshape(3, *SHAPE[:2]))).view(np.float16)

    return encode, decode


SHAPE = (INGEST["view_size"], INGEST["view_size"], 3)


def zstd(level: int, planes: bool) -> Codec:
    return bytes_and_back(
        lambda raw: zstandard.ZstdCompressor(level).compress(raw),
        lambda content: zstandard.ZstdDecompressor().decompress(content),
        planes,
    )


def ours(level: int) -> Codec:
    """`hdrdata.samples.radiance_codec`, at any level of zstd."""

    def encode(half: np.ndarray) -> bytes:
        chosen, radiance_codec.LEVEL = radiance_codec.LEVEL, level
        try:
            return radiance_codec.encode_radiance(half)
        finally:
            radiance_codec.LEVEL = chosen

    return encode, radiance_codec.decode_radiance


def of_bits(encode: Callable[[np.ndarray], bytes], decode: Callable[[bytes], np.ndarray]) -> Codec:
    """A codec of 16-bit integers on the bits of the half floats."""
    return lambda half: encode(half_bits(half)), lambda content: decode(content).view(np.float16)


def imagecodecs_codecs() -> Iterator[tuple[str, Codec]]:
    import imagecodecs

    for effort in (1, 2, 3):
        yield (
            f"JPEG XL effort {effort}",
            of_bits(
                lambda bits, effort=effort: imagecodecs.jpegxl_encode(bits, lossless=True, effort=effort, numthreads=1),
                lambda content: imagecodecs.jpegxl_decode(content, numthreads=1),
            ),
        )
    yield (
        "HTJ2K (imagecodecs)",
        of_bits(lambda bits: imagecodecs.htj2k_encode(bits, reversible=True), imagecodecs.htj2k_decode),
    )
    yield "JPEG XR", of_bits(lambda bits: imagecodecs.jpegxr_encode(bits, level=1.0), imagecodecs.jpegxr_decode)
    yield "JPEG-LS", of_bits(imagecodecs.jpegls_encode, imagecodecs.jpegls_decode)
    yield (
        "float predictor, zstd 1",
        (
            lambda half: zstandard.ZstdCompressor(1).compress(imagecodecs.floatpred_encode(half, axis=-2).tobytes()),
            lambda content: imagecodecs.floatpred_decode(
                np.frombuffer(zstandard.ZstdDecompressor().decompress(content), np.float16).reshape(SHAPE), axis=-2
            ),
        ),
    )
    for compressor, shuffle in (("lz4", "shuffle"), ("zstd", "shuffle"), ("zstd", "bitshuffle")):
        yield (
            f"blosc2 {compressor}, {shuffle}",
            bytes_and_back(
                lambda raw, compressor=compressor, shuffle=shuffle: imagecodecs.blosc2_encode(
                    raw, level=1, compressor=compressor, shuffle=shuffle, typesize=2, numthreads=1
                ),
                lambda content: imagecodecs.blosc2_decode(content, numthreads=1),
                planes=False,
            ),
        )
    for level in (1, 4, 8):
        yield (
            f"pcodec level {level}",
            of_bits(
                lambda bits, level=level: imagecodecs.pcodec_encode(bits.ravel(), level=level),
                lambda content: imagecodecs.pcodec_decode(content, shape=SHAPE, dtype=np.uint16),
            ),
        )


def codecs() -> dict[str, Codec]:
    found = {".npy": npy()}
    for compression in ("ZIP", "ZIPS", "PIZ", "ZSTD", "HTJ2K32", "HTJ2K256"):
        if hasattr(OpenEXR, f"{compression}_COMPRESSION"):
            found[f"OpenEXR {compression}"] = openexr(compression)
    for level in (1, 3):
        found[f"zstd {level}"] = zstd(level, planes=False)
        found[f"zstd {level}, byte planes"] = zstd(level, planes=True)
    for level in (-1, 1, 3):
        found[f"zstd {level}, predicted rows and byte planes"] = ours(level)
    try:
        found |= dict(imagecodecs_codecs())
    except ImportError:
        click.echo("imagecodecs is not installed: JPEG XL, HTJ2K, JPEG XR, JPEG-LS, blosc2 and pcodec are left out")
    return found


def seconds(run: Callable, argument: object, repetitions: int) -> float:
    """The least CPU time of some runs."""
    times = []
    for _ in range(repetitions):
        start = time.process_time()
        run(argument)
        times.append(time.process_time() - start)
    return min(times)


def speed_of_two_threads(decode: Callable[[bytes], object], content: bytes) -> float:
    """What two threads decode in the time in which one decodes 1."""
    with ThreadPoolExecutor(2) as pool:
        runs = []
        for threads in (1, 2, 1, 2):
            start = time.perf_counter()
            list(pool.map(lambda _: [decode(content) for _ in range(5)], range(threads)))
            runs.append(time.perf_counter() - start)
    return 2 * min(runs[::2]) / min(runs[1::2])


@click.command()
@click.argument(
    "scenes",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(__file__).parents[1] / "data" / "scenes",
)
@click.option("--views", type=click.IntRange(1), default=12, show_default=True, help="Views, a scene each.")
@click.option("--repetitions", type=click.IntRange(1), default=7, show_default=True, help="The least of these counts.")
def main(scenes: Path, views: int, repetitions: int) -> None:
    """Print one table of codecs, on views of the HDR files of the folder SCENES."""
    cv2.setNumThreads(1)
    found = scan_scenes(scenes, sidecar=None, seed=0, val_share=0, test_share=0).scenes
    chosen = found[:: max(len(found) // views, 1)][:views]
    with tempfile.TemporaryDirectory() as temporary:
        ingest_scenes(chosen, scenes, Path(temporary), IngestConfig.parse("ingest", INGEST))
        halves = [read_view(Path(temporary) / f"{view.key}.exr") for view in read_views(Path(temporary))]
    tables = recipe_tables(choose_recipe("drtmo")).values()
    pixels = sum(
        len(encode_png(ldr, "fpng")) for half in halves for rows in tables for ldr in expose_view(half_bits(half), rows)
    )
    count = len(halves)
    click.echo(
        f"{count} views of 512x512 from {scenes.name}; the pixels form has {pixels / count / 1e6:.2f} MB a view\n"
    )
    click.echo(f"{'':44}{'kB':>8}{'ratio':>8}{'encode ms':>11}{'decode ms':>11}{'GIL':>6}")
    for name, (encode, decode) in codecs().items():
        contents = [encode(half) for half in halves]
        exact = all(
            np.array_equal(half_bits(np.asarray(decode(content))), half_bits(half))
            for content, half in zip(contents, halves, strict=True)
        )
        size = sum(map(len, contents))
        encoding = sum(seconds(encode, half, 2) for half in halves) / count
        decoding = sum(seconds(decode, content, repetitions) for content in contents) / count
        threads = speed_of_two_threads(decode, contents[0])
        click.echo(
            f"{name:44}{size / count / 1e3:8.0f}{f'1/{pixels / size:.1f}':>8}"
            f"{1e3 * encoding:11.2f}{1e3 * decoding:11.2f}{threads:6.1f}{'' if exact else '  NOT LOSSLESS'}"
        )


if __name__ == "__main__":
    main()
