"""Random cameras: exposure, response, noise, colour and JPEG quality drawn for every view (HDRCNN, SingleHDR ...).

Every number is drawn from a counter-based generator whose key is the SHA-256 of (seed, the view's pixels, the camera's
number, what is drawn). So a picture depends neither on workers and order, nor on the other cameras, exposures and
steps, and comes out again wherever the view is: from a radiance sample, bit for bit, without any file of parameters.
What is done to a pixel is IEEE 754 arithmetic that NumPy neither fuses nor approximates, and a table look-up.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float16, Float32, UInt8

from hdrdata.cameras.camera_steps import ClippedExposure, DrawnSigmoid, Draws, Normal, QuantileExposure, Steps
from hdrdata.cameras.crf import sigmoid_crf
from hdrdata.cameras.exposure import (
    exposure_table,
    half_bits,
    look_up,
    recipe_digests,
    table_from_thresholds,
    thresholds_of,
)
from hdrdata.cameras.recipe import Recipe
from hdrdata.files.disk import digest_of
from hdrdata.files.ldr import decode_jpeg, encode_jpeg

BRIGHTEST = np.float32(1e6)  # on a sensor that is white at 1; keeps squares within the floats
View = Float16[np.ndarray, "height width 3"]
Stack = UInt8[np.ndarray, "exposures height width 3"]


@dataclass(frozen=True)
class Curve:
    """A response that a camera may have: the LDR value of every half float on the sensor, where 1 is white."""

    name: str
    table: np.ndarray  # uint8, 65536


@dataclass(frozen=True)
class RandomCameras:
    """All random cameras of a recipe."""

    name: str
    evs: tuple[float, ...]  # stops relative to a camera's own exposure
    steps: Steps
    curves: tuple[Curve, ...]  # one is chosen, each as likely
    sigmoid: DrawnSigmoid | None  # in place of `curves`

    @classmethod
    def of(cls, recipe: Recipe) -> "RandomCameras":
        """The cameras of a recipe that has `draws`."""
        quantise = recipe.steps.quantise
        curves = tuple(Curve(crf.name, exposure_table(crf, 1.0, quantise)) for crf in recipe.crfs)
        return cls(recipe.name, recipe.evs, recipe.steps, curves, recipe.sigmoid)

    def to_json(self) -> dict:
        """All that photographs a view again, as an index holds it."""
        return {
            "steps": self.steps.model_dump(mode="json"),
            "sigmoid": self.sigmoid and self.sigmoid.model_dump(mode="json"),
            "curves": [
                {"name": curve.name, "thresholds": thresholds_of(curve.table).tolist()} for curve in self.curves
            ],
        }

    @classmethod
    def from_json(cls, recipe: dict) -> "RandomCameras":
        """Undo `to_json`.

        Args:
            recipe: with name, evs and, as "random", what `to_json` gave.
        """
        facts = recipe["random"]
        curves = tuple(
            Curve(curve["name"], table_from_thresholds(np.array(curve["thresholds"], np.uint16)))
            for curve in facts["curves"]
        )
        sigmoid = facts["sigmoid"] and DrawnSigmoid.parse("sigmoid", facts["sigmoid"])
        return cls(recipe["name"], tuple(recipe["evs"]), Steps.parse("steps", facts["steps"]), curves, sigmoid)

    @property
    def digest(self) -> str:
        """The SHA-256 of all that one camera's pictures depend on beside view and number; not how many there are."""
        facts = self.to_json()
        return digest_of({**facts, "steps": {**facts["steps"], "draws": self._draws.seed}})

    @property
    def _draws(self) -> Draws:
        assert self.steps.draws is not None
        return self.steps.draws

    def photograph(self, view: View, camera: str) -> tuple[Stack, dict]:
        """The stack of a view by one camera, before any JPEG, and what was drawn for it.

        value = min(E * scale * 2^ev + noise, 1) >= 0; then colour; then the response and 8 bit, by a table: the value
        is rounded to a half float for that, which is at most a tenth of an 8-bit step.

        Args:
            view: normalised radiance, mean 0.5.
            camera: '<recipe>-<number>'.

        Returns:
            one picture an exposure, and as JSON: seed, camera (its number), attempt, scale, and by the recipe's steps
            quantile, clipped_share, stops, curve, n, sigma, noise_constant, noise_signal, hue_degrees, saturation,
            jpeg_quality, usable.

        Raises:
            ValueError: if no camera has this name.
        """
        names = [f"{self.name}-{number}" for number in range(self._draws.cameras)]
        if camera not in names:
            raise ValueError(f"no camera '{camera}'; there are {', '.join(names)}")
        number = names.index(camera)
        pixels = hashlib.sha256(view.astype("<f2").tobytes()).hexdigest()
        linear = view.astype(np.float32)
        shown = min(self.evs, key=abs)  # the picture that a usable camera must make
        attempts = self.steps.usable.attempts if self.steps.usable else 1
        for attempt in range(attempts):
            random = _Random(self._draws.seed, pixels, number, attempt)
            values, table = self._draw(random, view)
            drawn = {"seed": self._draws.seed, "camera": number, "attempt": attempt, **values}
            picture = self._expose(linear, shown, drawn, table, random)
            if self.steps.usable is None:
                break
            drawn["usable"] = self._is_usable(picture)
            if drawn["usable"]:
                break
        stack = [picture if ev == shown else self._expose(linear, ev, drawn, table, random) for ev in self.evs]
        return np.stack(stack), drawn

    def pixels(self, view: View, camera: str) -> Stack:
        """The stack of a view by one camera as the pixels form holds it: through JPEG, if the camera writes that."""
        stack, drawn = self.photograph(view, camera)
        if "jpeg_quality" in drawn:
            stack = np.stack([decode_jpeg(encode_jpeg(ldr, drawn["jpeg_quality"])) for ldr in stack])
        return stack

    def _draw(self, random: "_Random", view: View) -> tuple[dict, np.ndarray]:
        """A camera's numbers, and its response as a table."""
        steps = self.steps
        drawn = _draw_scale(random, view, steps)
        if self.sigmoid is not None:
            drawn["n"] = _draw_normal(random, "n", self.sigmoid.n)
            drawn["sigma"] = _draw_normal(random, "sigma", self.sigmoid.sigma)
            table = exposure_table(sigmoid_crf("drawn", drawn["n"], drawn["sigma"]), 1.0, self.steps.quantise)
        else:
            curve = self.curves[random.integer("curve", 0, len(self.curves) - 1)]
            drawn["curve"], table = curve.name, curve.table
        if steps.noise is not None:
            drawn["noise_constant"] = random.uniform("noise constant", 0.0, steps.noise.constant)
            drawn["noise_signal"] = random.uniform("noise signal", 0.0, steps.noise.signal)
        if steps.colour is not None:
            drawn["hue_degrees"] = steps.colour.hue_degrees * random.normal("hue")
            drawn["saturation"] = steps.colour.saturation * random.normal("saturation")
        if steps.jpeg is not None:
            drawn["jpeg_quality"] = random.integer("jpeg", steps.jpeg.low, steps.jpeg.high)
        return drawn, table

    def _expose(
        self, linear: np.ndarray, ev: float, drawn: dict, table: np.ndarray, random: "_Random"
    ) -> UInt8[np.ndarray, "height width 3"]:
        value = np.minimum(linear * np.float32(drawn["scale"] * 2.0**ev), BRIGHTEST)
        if self.steps.noise is not None:
            constant, signal = np.float32(drawn["noise_constant"]), np.float32(drawn["noise_signal"])
            value += np.sqrt(np.square(signal * value) + np.square(constant)) * random.normals("noise", ev, value.shape)
        value = np.clip(value, 0, None, out=value)
        if self.steps.colour is not None:
            value = turn_colours(value, drawn["hue_degrees"], drawn["saturation"])
        half = np.minimum(value, 1).astype(np.float16)
        return look_up(half_bits(half) & np.uint16(0x7FFF), table)  # -0 becomes 0, whose bits are in the tables

    def _is_usable(self, picture: np.ndarray) -> bool:
        rule = self.steps.usable
        assert rule is not None
        white = (picture.min(axis=2) >= rule.white).mean()
        black = (picture.max(axis=2) <= rule.black).mean()
        return bool(max(white, black) <= rule.share)


def camera_digests(recipe: Recipe) -> dict[str, str]:
    """By camera the SHA-256 of what its pictures of a view depend on, and no more: tables, or what they are drawn
    from."""
    if recipe.steps.draws is None:
        return recipe_digests(recipe)
    digest = random_cameras(recipe).digest
    return {camera: digest for camera in recipe.cameras}


@lru_cache(maxsize=4)
def random_cameras(recipe: Recipe) -> RandomCameras:
    """`RandomCameras.of`, whose tables are made once."""
    return RandomCameras.of(recipe)


@dataclass(frozen=True)
class _Random:
    """The random numbers of one camera in front of one view."""

    seed: int
    pixels_sha256: str
    number: int
    attempt: int

    def _generator(self, what: str, ev: float | None = None) -> np.random.Generator:
        words = json.dumps([self.seed, self.pixels_sha256, self.number, self.attempt, what, ev])
        key = int.from_bytes(hashlib.sha256(words.encode()).digest()[:16], "little")
        return np.random.Generator(np.random.Philox(key=key))

    def uniform(self, what: str, low: float, high: float) -> float:
        return low + (high - low) * float(self._generator(what).random())

    def normal(self, what: str) -> float:
        return float(self._generator(what).standard_normal())

    def integer(self, what: str, low: int, high: int) -> int:
        return int(self._generator(what).integers(low, high, endpoint=True))

    def normals(self, what: str, ev: float, shape: tuple[int, ...]) -> np.ndarray:
        # drawn as doubles: what mathematical libraries differ by in the last bit is rounded off
        return self._generator(what, ev).standard_normal(shape).astype(np.float32)


def _draw_normal(random: _Random, what: str, normal: Normal) -> float:
    return min(max(normal.mean + normal.deviation * random.normal(what), normal.low), normal.high)


def _draw_scale(random: _Random, view: View, steps: Steps) -> dict:
    """The factor from a view's values to those of the sensor, and the number that it was drawn by."""
    choice = steps.exposure
    if choice is None:
        return {"scale": 1.0}
    if isinstance(choice, QuantileExposure):
        share = random.uniform("exposure", choice.low, choice.high)
        return {"scale": 1 / quantile(view, share), "quantile": share}
    if isinstance(choice, ClippedExposure):
        share = random.uniform("exposure", choice.low, choice.high)
        return {"scale": 1 / quantile(view.max(axis=2), 1 - share), "clipped_share": share}
    step = random.integer("exposure", 0, choice.count - 1)
    stops = choice.low + (choice.high - choice.low) * step / max(choice.count - 1, 1)
    return {"scale": 2.0**stops, "stops": stops}


def quantile(values: Float16[np.ndarray, "..."], share: float) -> float:
    """The value >= 0 of rank int(share * count), counted from 0 and the smallest; the smallest above 0 if that is 0.

    So the share of values >= the quantile is 1 - share to less than one value, or more where many are equal (a clipped
    sun), or less where too much is black.
    """
    bits = np.ascontiguousarray(values).view(np.uint16).ravel()  # of half floats >= 0, in the same order
    place = min(int(share * bits.size), bits.size - 1)
    place = max(place, bits.size - int(np.count_nonzero(bits)))
    return float(np.partition(bits, place)[place].view(np.float16))


def turn_colours(
    value: Float32[np.ndarray, "height width 3"], hue_degrees: float, saturation: float
) -> Float32[np.ndarray, "height width 3"]:
    """Add to the hue and to the saturation (then within [0, 1]) of linear RGB, in HSV of any brightness; grey stays.

    V = max, C = V - min, S = C / V; back: V - V S max(0, min(k, 4 - k, 1)), k = (5, 3, 1) + H / 60 modulo 6.
    """
    red, green, blue = (np.ascontiguousarray(value[:, :, channel]) for channel in range(3))
    brightest = np.maximum(np.maximum(red, green), blue)  # four times as fast as max(axis=2)
    chroma = brightest - np.minimum(np.minimum(red, green), blue)
    divisor = np.where(chroma > 0, chroma, np.float32(1))
    sixth = np.where(
        brightest == red,
        (green - blue) / divisor,
        np.where(brightest == green, (blue - red) / divisor + np.float32(2), (red - green) / divisor + np.float32(4)),
    )
    sixth += np.float32(hue_degrees / 60)
    more = np.clip(chroma + np.float32(saturation) * brightest, 0, brightest)  # V S
    more[chroma == 0] = 0  # grey has no hue
    turned = np.empty_like(value)
    for channel, offset in enumerate((5, 3, 1)):
        k = np.mod(sixth + np.float32(offset), np.float32(6))
        turned[:, :, channel] = brightest - more * np.clip(np.minimum(k, np.float32(4) - k), 0, 1)
    return turned
