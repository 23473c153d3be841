"""Preprocessing of pictures against Pillow and torchvision's transforms, and bad pictures.

Run by the system's Python: image.py DRIVER."""
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import zlib

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

def png(path, depth, colour, width, rows):
    """A PNG that Pillow does not write: `rows` are bytes, colour 0 grey, 2 RGB, 4 grey with alpha, 6 RGBA."""
    def part(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + part(b"IHDR", struct.pack(">IIBBBBB", width, len(rows), depth, colour, 0, 0, 0))
                     + part(b"IDAT", zlib.compress(b"".join(b"\0" + r for r in rows))) + part(b"IEND", b""))
    return str(path)


def pixels(path, side):
    floats, words = ours(path, f"resize={side},crop={side},mean=0:0:0,std=1:1:1", side, side)
    assert floats, words
    return [round(f * 255) for f in floats]


def other_kinds(folder):
    """16 bits a channel mean the same as 8, and neither alpha nor a palette changes the colours."""
    rng, side = random.Random(5), 8
    values = [[rng.randrange(256) for _ in range(side * 3)] for _ in range(side)]
    planes = [values[y][x * 3 + c] for c in range(3) for y in range(side) for x in range(side)]
    wide = [b"".join(struct.pack(">H", v * 257) for v in row) for row in values]
    assert pixels(png(folder / "rgb16.png", 16, 2, side, wide), side) == planes
    grey = [[v for v in row[:side]] for row in values]
    flat = [v for _ in range(3) for row in grey for v in row]
    sixteen = [b"".join(struct.pack(">H", v * 257) for v in row) for row in grey]
    assert pixels(png(folder / "grey16.png", 16, 0, side, sixteen), side) == flat
    assert pixels(png(folder / "grey8.png", 8, 0, side, [bytes(row) for row in grey]), side) == flat
    half = [b"".join(bytes((v, 128)) for v in row) for row in grey]
    assert pixels(png(folder / "alpha.png", 8, 4, side, half), side) == flat
    image = picture("RGB", (side, side), 3).convert("P")
    image.save(folder / "palette.png")
    exact = image.convert("RGB")
    assert pixels(str(folder / "palette.png"), side) == [exact.getpixel((x, y))[c] for c in range(3)
                                                         for y in range(side) for x in range(side)]
    return 5


count = 0
with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    for seed, (mode, size, name) in enumerate([
            ("RGB", (320, 240), "a.png"), ("RGB", (301, 517), "b.png"), ("L", (400, 300), "grey.png"),
            ("RGB", (640, 480), "c.jpg"), ("L", (256, 300), "grey.jpg"), ("CMYK", (330, 250), "ink.jpg"),
             ("RGB", (90, 120), "up.png")]):
        path = str(folder / name)
        picture(mode, size, seed).save(path)
        for resize, crop in ((256, 224), (232, 224), (224, 224)):
            compare(path, resize, crop, crop)
            count += 1
    count += other_kinds(folder)
    good = str(folder / "a.png")
    photo = (folder / "c.jpg").read_bytes()
    (folder / "half.jpg").write_bytes(photo[:len(photo) // 2])
    (folder / "hole.jpg").write_bytes(photo[:len(photo) // 3] + bytes(500) + photo[len(photo) // 3 + 500:])
    (folder / "head.jpg").write_bytes(photo[:30])
    (folder / "empty.jpg").write_bytes(b"")
    os.mkfifo(folder / "pipe.jpg")
    (folder / "cut.png").write_bytes(pathlib.Path(good).read_bytes()[:300])
    (folder / "text.png").write_text("no picture")
    huge = png(folder / "huge.png", 8, 2, 1 << 15, [b""] * (1 << 14))
    bgr = ours(good, "resize=256,crop=224,order=bgr", 224, 224)[0]
    rgb = ours(good, "resize=256,crop=224", 224, 224)[0]
    plane = 224 * 224
    assert abs((bgr[0] * STD[2] + MEAN[2]) - (rgb[2 * plane] * STD[2] + MEAN[2])) < 1e-6
    for path, preprocess, word in [
            (str(folder / "cut.png"), "crop=224", "cut.png"), (str(folder / "text.png"), "crop=224", "neither"),
            (huge, "crop=224", "32768 x 16384 pixels is refused"), (str(folder / "none.jpg"), "crop=224", "none.jpg"), (str(folder / "half.jpg"), "crop=224", "half.jpg does not decode"),
            (str(folder / "hole.jpg"), "crop=224", "hole.jpg does not decode"), (str(folder / "head.jpg"), "crop=224", "head.jpg"),
            (str(folder / "empty.jpg"), "crop=224", "neither"), (str(folder / "pipe.jpg"), "crop=224", "neither"), (good, "resize=0", "pixels"),
            (good, "std=0:1:1", "above 0"), (good, "size=3", "takes resize"), (good, "crop=200", "resize= and crop=")]:
        mine, words = ours(path, preprocess, 224, 224)
        assert mine is None and word in words, (path, preprocess, words)
        count += 1
print(f"{count} pictures and mistakes as expected")
