"""Path-trace the sample scenes: twelve panoramas, 1024 x 512, scene-linear Rec.709, half-float OpenEXR.

    python data/scenes/renderer/render.py
    python data/scenes/renderer/render.py night_street --out trial --samples 64

It needs mitsuba, pyoidn, OpenEXR, numpy and click, and the LLVM shared library that Mitsuba compiles its kernels with.
The files in the folder above were made with mitsuba 3.9.1 (llvm_ad_rgb, LLVM 19.1.7), pyoidn 2.5.1.0 (Intel Open Image
Denoise 2.5.1) and OpenEXR 3.5.3, by the first line above; candle_cellar, dusk_terrace, neon_arcade and studio with
--samples 8. All geometry and all pictures on it are made here: `exteriors.py`, `interiors.py` and `nights.py` have a
function a scene, built from `props.py`, `shapes.py` and `textures.py`; `worlds.py` says what a world, a material and a
sky are.
"""

from collections.abc import Callable
from pathlib import Path

import click
import drjit as dr
import exteriors
import interiors
import mitsuba as mi
import nights
import numpy as np
import OpenEXR
import pyoidn
from worlds import REC709, World

HEIGHT, WIDTH = 512, 1024
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
        interiors.workshop,
        interiors.studio,
        nights.dusk_terrace,
        nights.night_street,
        nights.candle_cellar,
        nights.neon_arcade,
    )
}


def trace(world: World, samples: int) -> np.ndarray:
    """Render a panorama: (height, width, 3) of light that surfaces reflect and of lights seen directly, denoised.

    The denoiser sees only the reflected part, so a sun, a lamp or a lit sign comes out as it was traced. A path
    brighter than twenty times the 99th percentile is cut down to that: a denoiser makes a blotch of one stray spark.
    """
    scene = world.load()
    integrator = mi.load_dict({"type": "path", "max_depth": world.depth, "rr_depth": 3})
    count = HEIGHT * WIDTH * SAMPLES_PER_PASS
    pixel = dr.arange(mi.UInt32, count) // SAMPLES_PER_PASS
    sums = {name: np.zeros((HEIGHT, WIDTH, 3)) for name in ("reflected", "direct", "albedo", "normal")}
    limit = np.inf
    passes = -(-samples // SAMPLES_PER_PASS)
    for number in range(passes):
        sampler = mi.load_dict({"type": "independent"})
        sampler.seed(number, count)
        jitter = sampler.next_2d()
        azimuth = ((pixel % WIDTH + jitter.x) / WIDTH - 0.5) * dr.two_pi
        polar = (pixel // WIDTH + jitter.y) / HEIGHT * dr.pi
        direction = mi.Vector3f(dr.sin(azimuth) * dr.sin(polar), dr.cos(azimuth) * dr.sin(polar), dr.cos(polar))
        ray = mi.RayDifferential3f(mi.Point3f(*EYE), direction)
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
            block = np.array(dr.block_sum(mi.Color3f(value), SAMPLES_PER_PASS)).T.reshape(HEIGHT, WIDTH, 3)
            sums[name] += block / (SAMPLES_PER_PASS * passes)
    return denoise(sums["reflected"], sums["albedo"], sums["normal"]) + sums["direct"]


def denoise(radiance: np.ndarray, albedo: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Run the denoiser on a panorama extended across its seam by a margin, so that its two ends still meet."""
    margin = 64

    def wrapped(values: np.ndarray) -> np.ndarray:
        return np.pad(values, ((0, 0), (margin, margin), (0, 0)), mode="wrap").astype(np.float32)

    scale = 1 / radiance.mean()
    clean = pyoidn.denoise(wrapped(radiance * scale), albedo=wrapped(albedo), normal=wrapped(normal), hdr=True)
    return np.maximum(clean[:, margin:-margin].astype(np.float64), 0) / scale


def expose(radiance: np.ndarray) -> np.ndarray:
    """Scale by the power of two that brings the median luminance to about 0.2, or less if a half would overflow.

    Each channel keeps at least 5 % of the pixel's brightest, and 2 ** -16: lossy compression could take a weaker one
    below zero.
    """
    radiance = np.maximum(radiance, 0.05 * radiance.max(axis=2, keepdims=True))
    stops = np.round(np.log2(0.2 / np.median(radiance @ REC709)))
    room = np.floor(np.log2(0.98 * HALF_MAX / radiance.max()))
    return np.maximum(radiance * 2.0 ** min(stops, room), 2.0**-16).astype(np.float16)


def encode(path: Path, radiance: np.ndarray, level: float) -> np.ndarray:
    """Write a half-float OpenEXR (DWAB) and return what a reader gets."""
    header = {
        "compression": OpenEXR.DWAB_COMPRESSION,
        "dwaCompressionLevel": float(level),
        "type": OpenEXR.scanlineimage,
        "envmap": OpenEXR.ENVMAP_LATLONG,
        "comments": "CC0-1.0",
    }
    with OpenEXR.File(header, {"RGB": OpenEXR.Channel(np.ascontiguousarray(radiance))}) as file:
        file.write(str(path))
    with OpenEXR.File(str(path)) as file:
        return file.channels()["RGB"].pixels


def write(path: Path, radiance: np.ndarray, kilobytes: float) -> float:
    """Write a panorama, compressed as finely as the size allows; returns the level that it took.

    At hard edges the compression can overshoot below zero. Such pixels are made greyer until none does; where that does
    not help, the level becomes finer than the size allows.
    """
    levels = 45.0 * 1.15 ** np.arange(24)
    chosen = 0
    encode(path, radiance, levels[chosen])
    while path.stat().st_size > 1000 * kilobytes and chosen + 1 < len(levels):
        chosen += 1
        encode(path, radiance, levels[chosen])
    for level in levels[chosen::-1]:
        retouched = radiance.copy()
        for _ in range(40):
            bad = (encode(path, retouched, level) < 0).any(axis=2)
            if not bad.any():
                return float(level)
            retouched[bad] = 0.5 * retouched[bad] + 0.6 * retouched[bad].max(axis=1, keepdims=True)
    raise ValueError(f"{path}: {bad.sum()} pixels are negative after compression at every level")


@click.command()
@click.argument("names", nargs=-1, metavar="[NAMES]...")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(__file__).parents[1],
    help="Folder for the files; by default the one above this script.",
)
@click.option(
    "--samples", type=click.IntRange(min=1), default=16, show_default=True, help="Paths per pixel, in passes of 8."
)
@click.option(
    "--kilobytes",
    type=click.FloatRange(min=1),
    default=230.0,
    show_default=True,
    help="Largest file; the compression is made coarser until it fits, up to a level of about 1100.",
)
def main(names: tuple[str, ...], out: Path, samples: int, kilobytes: float) -> None:
    """Render the scenes NAMES, or all of them, as NAME.exr.

    \b
    Two scenes, with less noise:
        python data/scenes/renderer/render.py loft night_street --out trial --samples 64
    """
    for name in names:
        if name not in SCENES:
            raise click.BadParameter(f"{name} is none of {', '.join(SCENES)}", param_hint="NAMES")
    out.mkdir(parents=True, exist_ok=True)
    for name in names or SCENES:
        radiance = expose(trace(SCENES[name](), samples))
        path = out / f"{name}.exr"
        level = write(path, radiance, kilobytes)
        click.echo(f"{name}.exr  {path.stat().st_size / 1000:.0f} kB at level {level:.0f}")


if __name__ == "__main__":
    main()
