"""Small scenes of coloured squares that move over a noisy background, and networks that know colours."""

from fractions import Fraction

import av
import numpy as np

from harness_focus.video.reading import Frame

COLOURS = {"red": (220, 40, 40), "green": (40, 200, 60), "blue": (50, 70, 230), "white": (240, 240, 240)}
WIDTH, HEIGHT, RATE = 160, 120, 10


def scene(seed=0, *, frames=120, squares=12):
    """Frames, and for each frame which colours are in it."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(90, 110, (HEIGHT, WIDTH, 3))
    runs = [
        (name, int(start), int(rng.integers(10, HEIGHT - 40)), float(rng.uniform(3, 6)))
        for name in rng.choice(list(COLOURS), squares)
        for start in [rng.integers(15, frames - 20)]
    ]
    for number in range(frames):
        image = np.clip(ground + rng.integers(-4, 5, ground.shape), 0, 255).astype(np.uint8)
        present = set()
        for name, start, top, speed in runs:
            left = round((number - start) * speed) - 24
            if number >= start and left < WIDTH:
                image[top : top + 24, max(left, 0) : max(left + 24, 0)] = COLOURS[name]
                present.add(name)
        yield Frame(number, number / RATE, image), present


def colour_of(crop):
    """The colour that most of what differs from the grey background is nearest to; by the middle's pixels."""
    height, width = crop.shape[:2]
    middle = crop[height // 4 : -height // 4, width // 4 : -width // 4].reshape(-1, 3).astype(float).mean(0)
    return min(COLOURS, key=lambda name: np.abs(middle - COLOURS[name]).sum())


class Cheap:
    """Mean colours as features; probabilities by nearness."""

    identity = "colours"
    classes = tuple(COLOURS)

    def __init__(self):
        self.calls = 0

    def __call__(self, crops):
        self.calls += len(crops)
        means = np.array([crop.reshape(-1, 3).mean(0) for crop in crops], dtype=np.float32) / 255
        far = np.array([[np.abs(m - np.array(c) / 255).sum() for c in COLOURS.values()] for m in means])
        near = np.exp(-8 * far)
        return means, (near / near.sum(1, keepdims=True)).astype(np.float32)


class Expensive:
    identity = "colours, better"
    classes = tuple(COLOURS)

    def __init__(self):
        self.calls = 0

    def __call__(self, crops):
        self.calls += len(crops)
        return [colour_of(crop) for crop in crops]


def write_video(path, images, *, rate=RATE, codec="mpeg4", times=None, form=None):
    """A video file; ``times`` are the frames' milliseconds, for a rate that varies."""
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = images[0].shape[:2]
        stream.bit_rate = 2_000_000
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        base = Fraction(1, rate if times is None else 1000)
        stream.codec_context.time_base = base
        for n, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = (n if times is None else times[n]), base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
