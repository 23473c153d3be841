"""Preprocessing of pictures against Pillow and torchvision's transforms, and bad pictures.

Run by the system's Python: image.py DRIVER."""
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

from PIL import Image
from torchvision import transforms

driver = sys.argv[1]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def ours(path, preprocess, height, width):
    done = subprocess.run([driver, path, preprocess, str(height), str(width)], capture_output=True)
    if done.returncode:
        return None, done.stderr.decode()
    return struct.unpack(f"<{height * width * 3}f", done.stdout), ""


def picture(mode, size, seed):
    rng = random.Random(seed)
    small = Image.new(mode, (11, 7))
    for x in range(11):
        for y in range(7):
            colour = tuple(rng.randrange(256) for _ in small.getbands())
            small.putpixel((x, y), colour if len(colour) > 1 else colour[0])
    return small.resize(size, Image.BICUBIC)


def compare(path, resize, crop, side):
    reference = transforms.Compose([
        transforms.Resize(resize), transforms.CenterCrop(crop), transforms.ToTensor(),
        transforms.Normalize(MEAN, STD)])(Image.open(path).convert("RGB")).flatten().tolist()
    mine, words = ours(path, f"resize={resize},crop={crop}", side, side)
    assert mine, words
    levels = max(abs(a - b) * 255 * 0.229 for a, b in zip(mine, reference))
    assert levels < 0.5, f"{path} resize={resize}: {levels:.2f} levels of 255 apart"

count = 0
with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    for seed, (mode, size, name) in enumerate([
            ("RGB", (320, 240), "a.png"), ("RGB", (301, 517), "b.png"), ("L", (400, 300), "grey.png"),
            ("RGB", (640, 480), "c.jpg"), ("L", (256, 300), "grey.jpg"), ("RGB", (90, 120), "up.png")]):
        path = str(folder / name)
        picture(mode, size, seed).save(path)
        for resize, crop in ((256, 224), (232, 224), (224, 224)):
            compare(path, resize, crop, crop)
            count += 1
    good = str(folder / "a.png")
    (folder / "cut.png").write_bytes(pathlib.Path(good).read_bytes()[:300])
    (folder / "text.png").write_text("no picture")
    bgr = ours(good, "resize=256,crop=224,order=bgr", 224, 224)[0]
    rgb = ours(good, "resize=256,crop=224", 224, 224)[0]
    plane = 224 * 224
    assert abs((bgr[0] * STD[2] + MEAN[2]) - (rgb[2 * plane] * STD[2] + MEAN[2])) < 1e-6
    for path, preprocess, word in [
            (str(folder / "cut.png"), "crop=224", "cut.png"), (str(folder / "text.png"), "crop=224", "neither"),
            (str(folder / "none.jpg"), "crop=224", "none.jpg"), (good, "resize=0", "pixels"),
            (good, "std=0:1:1", "above 0"), (good, "size=3", "takes resize"), (good, "crop=200", "resize= and crop=")]:
        mine, words = ours(path, preprocess, 224, 224)
        assert mine is None and word in words, (path, preprocess, words)
        count += 1
print(f"{count} pictures and mistakes as expected")
