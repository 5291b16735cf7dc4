"""What a sample scene is made of: materials, shapes gathered by material, and daylight.

A world is in metres, z up, the camera at (0, 0, 1.6); +y is the middle column of the panorama and +x is to its right.
Azimuths are degrees from +y towards +x. Radiances are relative, up to one factor a scene.
"""

from collections import defaultdict

import drjit as dr
import mitsuba as mi
import numpy as np

mi.set_variant("llvm_ad_rgb")

import shapes as s  # noqa: E402
import textures as t  # noqa: E402

REC709 = np.array((0.2126, 0.7152, 0.0722))
SUN_DEGREES = 0.5358
SKY_LUMINANCE = 10.0  # mean over the upper half of a clear sky, for each sun; lamps are relative to it
Colour = t.Colour


def picture(pixels: np.ndarray | Colour, metres: float = 1.0) -> dict:
    """Describe a texture: one colour, or a picture that spans `metres` of a surface and repeats."""
    if np.ndim(pixels) == 1:
        return {"type": "rgb", "value": [float(channel) for channel in pixels]}
    scale = mi.ScalarTransform3f().scale([1 / metres, 1 / metres])
    bitmap = mi.Bitmap(np.ascontiguousarray(pixels, np.float32))
    return {"type": "bitmap", "bitmap": bitmap, "raw": True, "to_uv": scale}


class Material:
    """What covers a surface: a BSDF, and an emitter if it shines. A world makes one mesh of all that share it."""

    def __init__(self, bsdf: dict, emitter: dict | None = None):
        self.bsdf, self.emitter = bsdf, emitter


def matte(pixels: np.ndarray | Colour, metres: float = 1.0) -> Material:
    return Material({"type": "twosided", "bsdf": {"type": "diffuse", "reflectance": picture(pixels, metres)}})


def glossy(pixels: np.ndarray | Colour, metres: float = 1.0, roughness: float = 0.15) -> Material:
    bsdf = {"type": "roughplastic", "diffuse_reflectance": picture(pixels, metres), "alpha": roughness}
    return Material({"type": "twosided", "bsdf": {**bsdf, "nonlinear": True}})


def metal(colour: Colour, roughness: float = 0.12) -> Material:
    bsdf = {"type": "roughconductor", "specular_reflectance": picture(colour), "alpha": roughness, "material": "none"}
    return Material({"type": "twosided", "bsdf": bsdf})


def glass() -> Material:
    return Material({"type": "dielectric", "int_ior": 1.5})


def glow(radiance: np.ndarray | Colour) -> Material:
    """Shine with the radiance on the outside; a picture lies on a shape whose texture coordinates are [0, 1]."""
    dark = {"type": "diffuse", "reflectance": picture((0.05, 0.05, 0.05))}
    return Material(dark, {"type": "area", "radiance": picture(radiance)})


CHROME = (0.75, 0.76, 0.78)
BRASS = (0.85, 0.6, 0.25)
COPPER = (0.85, 0.45, 0.3)
STEEL = (0.45, 0.46, 0.48)


class World:
    """Shapes by material, and the light of the sky, until `load` makes a Mitsuba scene of them."""

    def __init__(self, name: str, depth: int = 6):
        self.rng = np.random.default_rng(list(name.encode()))
        self.depth = depth  # number of path segments
        self.shapes: dict[Material, list[s.Shape]] = defaultdict(list)
        self.environment: dict = {"type": "constant", "radiance": picture((0.0, 0.0, 0.0))}

    def add(self, material: Material, *shapes: s.Shape) -> None:
        self.shapes[material].extend(shapes)

    def load(self) -> mi.Scene:
        scene = {"type": "scene", "environment": self.environment}
        for index, (material, parts) in enumerate(self.shapes.items()):
            scene[f"mesh{index}"] = mesh(f"mesh{index}", s.join(*parts), material)
        return mi.load_dict(scene)


def mesh(name: str, shape: s.Shape, material: Material) -> mi.Mesh:
    properties = mi.Properties()
    properties["bsdf"] = mi.load_dict(material.bsdf)
    if material.emitter is not None:
        properties["emitter"] = mi.load_dict(material.emitter)
    made = mi.Mesh(name, len(shape.points), len(shape.triangles), properties, True, True)
    parameters = mi.traverse(made)
    parameters["vertex_positions"] = shape.points.astype(np.float32).ravel()
    parameters["vertex_normals"] = s.normals(shape).astype(np.float32).ravel()
    parameters["vertex_texcoords"] = shape.uvs.astype(np.float32).ravel()
    parameters["faces"] = shape.triangles.astype(np.uint32).ravel()
    parameters.update()
    return made


def toward(azimuth: float, elevation: float) -> np.ndarray:
    """Give the unit vector for two angles in degrees."""
    a, e = np.radians(azimuth), np.radians(elevation)
    return np.array((np.sin(a) * np.cos(e), np.cos(a) * np.cos(e), np.sin(e)))


def environment(radiance: np.ndarray) -> dict:
    """Wrap the world in a panorama (height, width, 3) whose first column is +y and whose first row is up."""
    upright = mi.ScalarTransform4f().rotate([1, 0, 0], 90)
    return {"type": "envmap", "bitmap": mi.Bitmap(radiance.astype(np.float32)), "to_world": upright}


def sky_directions(height: int) -> np.ndarray:
    azimuth, elevation = np.meshgrid(
        (np.arange(2 * height) + 0.5) * 180 / height, 90 - (np.arange(height) + 0.5) * 180 / height
    )
    return np.moveaxis(toward(azimuth, elevation), 0, -1)


def daylight(
    world: World,
    sun: tuple[float, float],
    cover: float = 0.3,
    turbidity: float = 3.0,
    haze: Colour = (0.25, 0.25, 0.25),
    aureole: float = 0.0,
) -> None:
    """Light a world with Mitsuba's sky, procedural clouds, and the sun as a disc of its size in the sky.

    Args:
        sun: azimuth and elevation in degrees.
        cover: share of the sky that is clouded, about.
        haze: reflectance of what lies below the horizon and beyond the modelled ground.
        aureole: brightest forward scattering around the sun, in mean skies.
    """
    height, distance = 512, 400.0
    directions = sky_directions(height)
    toward_sun = toward(*sun)
    plugin = {"type": "sunsky", "sun_direction": [float(c) for c in toward_sun], "turbidity": turbidity}

    def evaluate(points: np.ndarray, **factors: float) -> np.ndarray:
        hit = dr.zeros(mi.SurfaceInteraction3f, len(points))
        hit.wi = mi.Vector3f(*(-points.T).astype(np.float32))
        return np.maximum(np.array(mi.load_dict({**plugin, **factors}).eval(hit)).T, 0)

    clear = evaluate(directions.reshape(-1, 3), sun_scale=0.0).reshape(directions.shape)
    thickness = t.cloud_layer(world.rng, directions, cover)[..., None]
    near_sun = np.clip(directions @ toward_sun, 0, 1)[..., None]
    weight = np.maximum(directions[..., 2:], 0)
    mean_sky = (clear * weight).mean((0, 1)) / weight.mean()
    unit = SKY_LUMINANCE / (mean_sky @ REC709)
    clear, mean_sky, grey = clear * unit, mean_sky * unit, SKY_LUMINANCE
    silver = 2.6 + 9 * near_sun**40 + 3 * near_sun**6
    lit = (0.35 * mean_sky + 0.65 * grey) * (silver * (1.25 - 0.95 * thickness) + 0.25)
    radiance = clear * (1 - thickness) ** 1.5 + lit * (1 - (1 - thickness) ** 1.5)
    radiance += aureole * (0.8 * near_sun**700 + 0.2 * near_sun**60) * mean_sky * (1 - 0.7 * thickness)
    below = directions[..., 2:] < 0
    world.environment = environment(np.where(below, grey * np.asarray(haze) * 2, radiance))
    centre = evaluate(toward_sun[None], sky_scale=0.0)[0] * unit
    world.add(glow(centre), s.disc(distance * toward_sun, -toward_sun, distance * np.tan(np.radians(SUN_DEGREES / 2))))
