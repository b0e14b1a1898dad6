"""From light to a picture: lens, exposure, colour, noise, sharpening and JPEG of one camera.

The steps follow a surveillance camera: motion and lens blur, the sensor's pixels, exposure and white balance,
a colour matrix, noise that grows with the signal, tone curve, contrast, saturation, the over-sharpening and
the strong JPEG that such cameras are known by. Ranges were set by comparing four statistics (mean grey,
spread in a crop, saturation, Laplacian spread) with those of real re-identification crops.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid_core.synthetic.filters import FloatImage, gaussian_blur, jpeg_roundtrip, motion_blur, resize

Triple = tuple[float, float, float]

_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_NO_MIX: tuple[Triple, Triple, Triple] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@dataclass(frozen=True)
class CameraResponse:
    """How one camera turns light into 8-bit colours. The defaults are a middling street camera."""

    brightness: float = 0.30
    """Where exposure puts the scene's median luminance, 0 (black) to 1."""
    highlight: float = 0.78
    """Exposure never lifts the scene's 95th percentile above this; larger clips more of the light parts."""
    white_balance: Triple = (1.0, 1.0, 1.0)
    color_mix: tuple[Triple, Triple, Triple] = _NO_MIX
    """Rows give red, green and blue of the picture from those of the light; each row sums to 1."""
    haze: float = 0.0
    """Veil of stray light, 0 to 0.4."""
    gamma: float = 1.0
    contrast: float = 1.35
    saturation: float = 0.5
    """1 keeps the colours of the light, 0 is grey."""
    black_level: float = 0.015
    read_noise: float = 0.003
    """Standard deviation of the noise in full darkness (linear light)."""
    shot_noise: float = 0.02
    """Noise variance is read_noise**2 + shot_noise**2 * signal, both in linear light."""
    grain_px: float = 0.45
    """Size of the noise's grains: demosaicking and denoising spread noise over neighbours."""
    chroma_noise: float = 0.6
    """Coarse colour noise, as a share of the luma noise."""
    blur_px: float = 0.4
    motion_share: float = 0.3
    """Share of crops with motion blur."""
    sharpening: float = 1.0
    resolution: float = 1.0
    """Pixels along a side that the camera records, as a share of those rendered; small is coarse."""
    jpeg_quality: int = 55
    exposure_jitter: float = 0.12
    """Spread of the exposure between crops of this camera (log scale)."""

    def gain(self, median_luminance: float, bright_luminance: float) -> float:
        """The exposure for a scene of this median and 95th percentile of luminance."""
        return min(self.brightness / median_luminance, self.highlight / bright_luminance)


def randomised_response(rng: np.random.Generator) -> CameraResponse:
    """A camera far outside of any real make: what a net must not rely on varies more than it will meet."""
    mix = np.eye(3) * 0.92 + 0.08 / 3 + rng.normal(0, 0.04, (3, 3))
    rows = [tuple(float(v) for v in row / row.sum()) for row in mix]
    noise = float(np.exp(rng.normal(-0.5, 0.75)))
    is_coarse = rng.random() < 0.25
    return CameraResponse(
        brightness=float(np.clip(np.exp(rng.normal(np.log(0.30), 0.34)), 0.12, 0.58)),
        highlight=float(rng.uniform(0.7, 1.5)),
        white_balance=(
            float(np.exp(rng.normal(0, 0.11))),
            float(np.exp(rng.normal(0, 0.03))),
            float(np.exp(rng.normal(0, 0.11))),
        ),
        color_mix=(rows[0], rows[1], rows[2]),  # type: ignore[arg-type]
        haze=float(abs(rng.normal(0, 0.045))),
        gamma=float(np.exp(rng.normal(0, 0.14))),
        contrast=float(rng.uniform(1.0, 1.85)),
        saturation=float(rng.uniform(0.1, 1.1)),
        black_level=float(max(0.0, rng.normal(0.01, 0.025))),
        read_noise=0.003 * noise,
        shot_noise=0.02 * noise,
        grain_px=float(rng.uniform(0.0, 1.3)),
        chroma_noise=float(rng.uniform(0.0, 1.2)),
        blur_px=float(np.exp(rng.uniform(np.log(0.22), np.log(0.95)))),
        motion_share=0.35,
        sharpening=float(rng.uniform(0.0, 2.2)),
        resolution=float(rng.uniform(0.5, 0.95)) if is_coarse else 1.0,
        jpeg_quality=int(rng.integers(20, 96)),
        exposure_jitter=0.18,
    )


def develop(
    radiance: FloatImage,
    response: CameraResponse,
    gain: float,
    rng: np.random.Generator,
    *,
    supersampling: int = 1,
) -> NDArray[np.uint8]:
    """Turn linear light into the picture this camera would deliver.

    Args:
        radiance: (H, W, 3) float32, linear RGB, rendered with ``supersampling`` pixels along a recorded one.
        response: The camera.
        gain: Its exposure, from ``CameraResponse.gain``.
        rng: Draws exposure, noise, motion and JPEG quality of this one crop.
        supersampling: Rendered pixels per pixel of the sensor, along a side.

    Returns:
        (H', W', 3) uint8 at the camera's own resolution.
    """
    light = _through_the_lens(radiance, response, rng, supersampling)
    exposure = gain * np.exp(rng.normal(0, response.exposure_jitter))
    balanced = light * np.asarray(response.white_balance, np.float32) * np.float32(exposure)
    mixed = np.maximum(balanced @ np.asarray(response.color_mix, np.float32).T, 0)
    veiled = mixed * np.float32(1 - response.haze) + np.float32(response.haze * 0.45)
    picture = _tone(_add_noise(veiled.astype(np.float32), response, rng), response)
    grey = (picture @ _LUMA)[..., None]
    saturation = response.saturation * np.exp(rng.normal(0, 0.06))
    colored: FloatImage = (grey + (picture - grey) * np.float32(saturation)).astype(np.float32)
    black = np.float32(response.black_level)
    shown: FloatImage = np.clip(colored * (1 - black) + black, 0, 1).astype(np.float32)
    if response.sharpening > 0.05:
        shown = shown + np.float32(response.sharpening) * (shown - gaussian_blur(shown, 1.0))
    quality = int(np.clip(response.jpeg_quality + rng.normal(0, 5), 15, 95))
    return jpeg_roundtrip((np.clip(shown, 0, 1) * 255 + 0.5).astype(np.uint8), quality)


def _through_the_lens(
    radiance: FloatImage, response: CameraResponse, rng: np.random.Generator, supersampling: int
) -> FloatImage:
    light = radiance
    if rng.random() < response.motion_share:
        light = motion_blur(light, float(rng.uniform(0.4, 2.0)) * supersampling)
    light = gaussian_blur(light, max(0.2, response.blur_px * supersampling * float(rng.uniform(0.75, 1.25))))
    scale = response.resolution / supersampling
    if scale < 1.0:
        height, width = light.shape[:2]
        light = resize(light, max(8, round(width * scale)), max(16, round(height * scale)))
    return light


def _add_noise(light: FloatImage, response: CameraResponse, rng: np.random.Generator) -> FloatImage:
    height, width = light.shape[:2]
    luma = rng.standard_normal((height, width, 1), dtype=np.float32)
    if response.grain_px > 0.2:
        luma = gaussian_blur(luma, response.grain_px)
        luma /= max(float(luma.std()), 1e-6)
    blotch = 2 + int(response.grain_px > 0.7)
    coarse = rng.standard_normal((height // blotch + 1, width // blotch + 1, 3), dtype=np.float32)
    chroma = resize(coarse, width, height) * np.float32(response.chroma_noise)
    signal = (light @ _LUMA)[..., None]
    sigma = np.sqrt(np.float32(response.read_noise**2) + np.float32(response.shot_noise**2) * signal)
    noisy: FloatImage = light + (luma + chroma) * sigma
    return noisy


def _tone(light: FloatImage, response: CameraResponse) -> FloatImage:
    """Shoulder, gamma, and a contrast that bends softly at both ends."""
    picture = 1 - np.exp(-1.25 * np.maximum(light, 0))
    picture = np.clip(picture, 1e-5, 1) ** np.float32(response.gamma / 2.2)
    picture = 0.44 + (picture - 0.47) * np.float32(response.contrast)
    picture = np.where(picture > 0.8, 0.8 + 0.2 * np.tanh((picture - 0.8) / 0.2), picture)
    picture = np.where(picture < 0.12, 0.12 - 0.12 * np.tanh((0.12 - picture) / 0.12), picture)
    toned: FloatImage = picture.astype(np.float32)
    return toned
