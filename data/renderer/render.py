r"""Path-trace the sample scenes: twelve panoramas, 1024 x 512, scene-linear Rec.709, half-float OpenEXR.

    python data/renderer/render.py
    python data/renderer/render.py night_street --out trial --samples 64

It needs mitsuba, pyoidn, OpenEXR, numpy, Pillow and click, and the LLVM shared library that Mitsuba compiles its
kernels with. The files in data/scenes were made with mitsuba 3.9.1 (llvm_ad_rgb, LLVM 19.1.7), pyoidn 2.5.1.0
(Intel Open Image Denoise 2.5.1) and OpenEXR 3.5.3, by the first line above; candle_cellar, dusk_terrace, neon_arcade
and studio with --samples 8. All geometry and all pictures on it are made here: `exteriors.py`, `interiors.py`,
`workplaces.py`, `nights.py` and `lamplight.py` have a function a scene, built from `props.py`, `shapes.py` and
`textures.py`; `worlds.py` says what a world, a material and a sky are.

With --photo it takes a photograph instead; data/photo.jpg, of a scene that no network is trained on, was made by

    python data/renderer/render.py loft --photo --out trial --samples 32 \
        --azimuth 250 --pitch 14 --view 85 --clipped 0.1

which writes trial/loft.jpg, 960 x 640, JPEG of quality 90, and trial/loft.exr, the same light unclipped: 1.0 is where
the photograph saturates.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import click
import drjit as dr
import exteriors
import interiors
import lamplight
import mitsuba as mi
import nights
import numpy as np
import OpenEXR
import pyoidn
import workplaces
from PIL import Image
from worlds import REC709, World, toward

EYE = (0.0, 0.0, 1.6)
HALF_MAX = 65504.0
SAMPLES_PER_PASS = 8

SCENES: dict[str, Callable[[], World]] = {
    scene.__name__: scene
    for scene in (
        exteriors.noon_courtyard,
        exteriors.evening_street,
        exteriors.colonnade,
        exteriors.forest,
        interiors.living_room,
        interiors.loft,
        workplaces.workshop,
        workplaces.studio,
        nights.dusk_terrace,
        nights.night_street,
        lamplight.candle_cellar,
        lamplight.neon_arcade,
    )
}


class Camera(NamedTuple):
    """A picture's size and the direction in which each point of it lies, x and y in [0, 1] from the upper left."""

    height: int
    width: int
    look: Callable[[mi.Float, mi.Float], mi.Vector3f]
    eye: tuple[float, float, float] = EYE
    margin: int = 0  # columns by which the denoiser sees the picture extended across a seam


def look_around(x: mi.Float, y: mi.Float) -> mi.Vector3f:
    azimuth, polar = (x - 0.5) * dr.two_pi, y * dr.pi
    return mi.Vector3f(dr.sin(azimuth) * dr.sin(polar), dr.cos(azimuth) * dr.sin(polar), dr.cos(polar))


PANORAMA = Camera(512, 1024, look_around, margin=64)


def pinhole(
    size: tuple[int, int], eye: tuple[float, float, float], azimuth: float, pitch: float, view: float
) -> Camera:
    """Make a camera for photographs.

    Args:
        size: width and height in pixels.
        azimuth, pitch: direction of the middle in degrees, from +y towards +x and upwards.
        view: degrees from the left edge to the right one.
    """
    width, height = size
    forward, right = toward(azimuth, pitch), toward(azimuth + 90, 0)
    half_width = np.tan(np.radians(view / 2))
    across, down = 2 * half_width * right, 2 * half_width * height / width * np.cross(forward, right)
    corner, across, down = (
        mi.ScalarVector3f(axis.tolist()) for axis in (forward - 0.5 * across - 0.5 * down, across, down)
    )

    def look(x: mi.Float, y: mi.Float) -> mi.Vector3f:
        return dr.normalize(corner + x * across + y * down)

    return Camera(height, width, look, eye)


def trace(world: World, camera: Camera, samples: int) -> np.ndarray:
    """Render a picture: (height, width, 3) of light that surfaces reflect and of lights seen directly, denoised.

    The denoiser sees only the reflected part, so a sun, a lamp or a lit sign comes out as it was traced. A path
    brighter than twenty times the 99th percentile is cut down to that: a denoiser makes a blotch of one stray spark.
    """
    scene = world.load()
    integrator = mi.load_dict({"type": "path", "max_depth": world.depth, "rr_depth": 3})
    height, width = camera.height, camera.width
    count = height * width * SAMPLES_PER_PASS
    pixel = dr.arange(mi.UInt32, count) // SAMPLES_PER_PASS
    sums = {name: np.zeros((height, width, 3)) for name in ("reflected", "direct", "albedo", "normal")}
    limit = np.inf
    passes = -(-samples // SAMPLES_PER_PASS)
    for number in range(passes):
        sampler = mi.load_dict({"type": "independent"})
        sampler.seed(number, count)
        jitter = sampler.next_2d()
        direction = camera.look((pixel % width + jitter.x) / width, (pixel // width + jitter.y) / height)
        ray = mi.RayDifferential3f(mi.Point3f(*camera.eye), direction)
        hit = scene.ray_intersect(ray)
        direct = hit.emitter(scene).eval(hit)
        surface = hit.is_valid() & (dr.max(direct) <= 0)
        albedo = dr.select(surface, hit.bsdf(ray).eval_diffuse_reflectance(hit), 1)
        normal = dr.select(surface, hit.sh_frame.n, 0)
        total, _, _ = integrator.sample(scene, sampler, ray)
        reflected = dr.select(surface, dr.maximum(total - direct, 0), 0)
        brightness = dr.max(reflected)
        dr.eval(reflected, direct, albedo, normal)  # in one kernel
        if number == 0:
            limit = 20 * float(np.quantile(np.array(brightness), 0.99))
        reflected *= dr.minimum(limit / dr.maximum(brightness, 1e-12), 1)
        layers = {"reflected": reflected, "direct": direct, "albedo": albedo, "normal": normal}
        for name, value in layers.items():
            block = np.array(dr.block_sum(mi.Color3f(value), SAMPLES_PER_PASS)).T.reshape(height, width, 3)
            sums[name] += block / (SAMPLES_PER_PASS * passes)
    return denoise(sums["reflected"], sums["albedo"], sums["normal"], camera.margin) + sums["direct"]


def denoise(radiance: np.ndarray, albedo: np.ndarray, normal: np.ndarray, margin: int) -> np.ndarray:
    """Run the denoiser on a picture, extended across its seam by a margin so that a panorama's two ends still meet."""

    def wrapped(values: np.ndarray) -> np.ndarray:
        return np.pad(values, ((0, 0), (margin, margin), (0, 0)), mode="wrap").astype(np.float32)

    scale = 1 / radiance.mean()
    clean = pyoidn.denoise(wrapped(radiance * scale), albedo=wrapped(albedo), normal=wrapped(normal), hdr=True)
    return np.maximum(clean[:, margin : margin + radiance.shape[1]].astype(np.float64), 0) / scale


def expose(radiance: np.ndarray) -> np.ndarray:
    """Scale by the power of two that brings the median luminance to about 0.2, or less if a half would overflow.

    Each channel keeps at least 5 % of the pixel's brightest, and 2 ** -16: lossy compression could take a weaker one
    below zero.
    """
    radiance = np.maximum(radiance, 0.05 * radiance.max(axis=2, keepdims=True))
    stops = np.round(np.log2(0.2 / np.median(radiance @ REC709)))
    room = np.floor(np.log2(0.98 * HALF_MAX / radiance.max()))
    return np.maximum(radiance * 2.0 ** min(stops, room), 2.0**-16).astype(np.float16)


def encode(path: Path, radiance: np.ndarray, **attributes: object) -> np.ndarray:
    """Write a half-float OpenEXR and return what a reader gets."""
    header = {"type": OpenEXR.scanlineimage, "comments": "CC0-1.0", **attributes}
    with OpenEXR.File(header, {"RGB": OpenEXR.Channel(np.ascontiguousarray(radiance))}) as file:
        file.write(str(path))
    with OpenEXR.File(str(path)) as file:
        return file.channels()["RGB"].pixels


def encode_panorama(path: Path, radiance: np.ndarray, level: float) -> np.ndarray:
    compression = {"compression": OpenEXR.DWAB_COMPRESSION, "dwaCompressionLevel": float(level)}
    return encode(path, radiance, envmap=OpenEXR.ENVMAP_LATLONG, **compression)


def write(path: Path, radiance: np.ndarray, kilobytes: float) -> float:
    """Write a panorama, compressed as finely as the size allows; returns the level that it took.

    At hard edges the compression can overshoot below zero. Such pixels are made greyer until none does; where that does
    not help, the level becomes finer than the size allows.
    """
    levels = 45.0 * 1.15 ** np.arange(24)
    chosen = 0
    encode_panorama(path, radiance, levels[chosen])
    while path.stat().st_size > 1000 * kilobytes and chosen + 1 < len(levels):
        chosen += 1
        encode_panorama(path, radiance, levels[chosen])
    for level in levels[chosen::-1]:
        retouched = radiance.copy()
        for _ in range(40):
            bad = (encode_panorama(path, retouched, level) < 0).any(axis=2)
            if not bad.any():
                return float(level)
            retouched[bad] = 0.5 * retouched[bad] + 0.6 * retouched[bad].max(axis=1, keepdims=True)
    raise ValueError(f"{path}: {bad.sum()} pixels are negative after compression at every level")


def photograph(radiance: np.ndarray, clipped: float) -> tuple[np.ndarray, np.ndarray]:
    """Expose so that the share `clipped` of the pixels saturates in a channel.

    Returns the light as half floats, of which 1 saturates, and the levels, 0 to 254, that the data set's cameras give
    with the response of sRGB.
    """
    light = radiance / np.quantile(radiance.max(axis=2), 1 - clipped)
    light = np.minimum(light, HALF_MAX).astype(np.float16)
    held = np.minimum(light.astype(np.float64), 1)
    curve = np.where(held <= 0.0031308, 12.92 * held, 1.055 * held ** (1 / 2.4) - 0.055)
    return light, np.minimum(np.floor(255 * curve), 254).astype(np.uint8)


@click.command()
@click.argument("names", nargs=-1, metavar="[NAMES]...")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(__file__).parents[1] / "scenes",
    help="Folder for the files; by default data/scenes.",
)
@click.option(
    "--samples", type=click.IntRange(min=1), default=16, show_default=True, help="Paths per pixel, in passes of 8."
)
@click.option(
    "--kilobytes",
    type=click.FloatRange(min=1),
    default=230.0,
    show_default=True,
    help="Largest panorama; the compression is made coarser until it fits, up to a level of about 1100.",
)
@click.option("--photo", is_flag=True, help="Take a photograph: NAME.jpg, and its light as NAME.exr.")
@click.option(
    "--size",
    type=(click.IntRange(min=1), click.IntRange(min=1)),
    default=(960, 640),
    show_default=True,
    help="Width and height of the photograph.",
)
@click.option("--eye", type=(float, float, float), default=EYE, show_default=True, help="Its camera's place in metres.")
@click.option("--azimuth", type=float, default=0.0, show_default=True, help="Where it looks: degrees from +y to +x.")
@click.option("--pitch", type=click.FloatRange(-90, 90), default=0.0, show_default=True, help="Degrees upwards.")
@click.option(
    "--view", type=click.FloatRange(1, 170), default=80.0, show_default=True, help="Degrees from its left to its right."
)
@click.option(
    "--clipped", type=click.FloatRange(0, 1), default=0.12, show_default=True, help="Share of its pixels that saturate."
)
def main(
    names: tuple[str, ...],
    out: Path,
    samples: int,
    kilobytes: float,
    photo: bool,
    size: tuple[int, int],
    eye: tuple[float, float, float],
    azimuth: float,
    pitch: float,
    view: float,
    clipped: float,
) -> None:
    """Render the scenes NAMES, or all of them, as panoramas NAME.exr.

    \b
    Two scenes, with less noise:
        python data/renderer/render.py loft night_street --out trial --samples 64
    """
    for name in names:
        if name not in SCENES:
            raise click.BadParameter(f"{name} is none of {', '.join(SCENES)}", param_hint="NAMES")
    out.mkdir(parents=True, exist_ok=True)
    for name in names or SCENES:
        path = out / f"{name}.exr"
        if photo:
            camera = pinhole(size, eye, azimuth, pitch, view)
            light, levels = photograph(trace(SCENES[name](), camera, samples), clipped)
            encode(path, light, compression=OpenEXR.ZIP_COMPRESSION)
            path = path.with_suffix(".jpg")
            Image.fromarray(levels).save(path, quality=90)
            click.echo(f"{path.name}  {path.stat().st_size / 1000:.0f} kB")
        else:
            level = write(path, expose(trace(SCENES[name](), PANORAMA, samples)), kilobytes)
            click.echo(f"{path.name}  {path.stat().st_size / 1000:.0f} kB at level {level:.0f}")


if __name__ == "__main__":
    main()
