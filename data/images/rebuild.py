"""Rewrite the photographs of this folder, LICENSES.md and thread.json from their published originals.

    python data/images/rebuild.py [FOLDER]

FOLDER holds the unpacked packages named below. Without it they are fetched into a temporary folder, which needs
Debian 12 (apt-get, dpkg-deb) and pip. Needs Pillow; every original is checked against its SHA-256 before use.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

from PIL import Image

HERE = Path(__file__).parent
DEBIAN, WHEEL = ("lomiri-wallpapers-16.04", "20.04.0-2"), ("scikit-image", "0.26.0")
CC_BY = "[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/)"
CC0 = "[CC0 1.0](https://creativecommons.org/publicdomain/zero/1.0/)"
PUBLIC = "public domain ([NASA, r9qvLn](https://flic.kr/p/r9qvLn))"
WALLPAPER, SKIMAGE = "usr/share/backgrounds/", "skimage/data/"


class Photo(NamedTuple):
    name: str
    title: str
    author: str
    licence: str
    package: tuple[str, str]
    path: str
    sha256: str
    size: tuple[int, int] | None = None  # resize the whole original to this (Lanczos) ...
    corner: tuple[int, int] = (0, 0)  # ... then crop from this left, top ...
    crop: tuple[int, int] = (768, 512)  # ... this width, height. No size: the original file, byte for byte.


BERASATEGI, FREESPACE = "Aitzol Berasategi, 2018", 'Trevor "Freespace", 2018'
PHOTOS = [
    Photo("mountains.png", "Picos de Europa: sky, cloud, rock, grass (**the thread**)", BERASATEGI, CC_BY, DEBIAN,
          WALLPAPER + "picosdeeuropa_by_Aitzol_Berasategi.jpg",
          "414d0072b2f6f2c555deafeaef6e45c4fed6fa9ad26eba6560ca8803959cf97a", (816, 612), (30, 10)),
    Photo("stream.png", "Life: a forest stream, fine texture everywhere", BERASATEGI, CC_BY, DEBIAN,
          WALLPAPER + "life_by_Aitzol_Berasategi.jpg",
          "4c119350ead80201fe256850c3d316309ddfb4bdf10b235ce982dcde0c667c05", (772, 514), (2, 1)),
    Photo("sunset.png", "Sunset: smooth sky, high contrast", BERASATEGI, CC_BY, DEBIAN,
          WALLPAPER + "sunset_by_Aitzol_Berasategi.jpg",
          "474dab6a4b9f94dc76c29dfe30e9f5db4af0fd2e33fe5d695f8152b371efca18", (768, 512)),
    Photo("dogs.png", "Friends: two dogs at a wooden house", BERASATEGI, CC_BY, DEBIAN,
          WALLPAPER + "friends_by_Aitzol_Berasategi.jpg",
          "cc40e313c74e421edffe3403def413c16878ce14661cce7ec5915baeab35538d", (514, 772), (1, 0), (512, 768)),
    Photo("fig.png", "Picture 0B: a fig in a red bowl on concrete, saturated color", FREESPACE, CC_BY, DEBIAN,
          WALLPAPER + "Picture_0B_by_freespace.jpg",
          "c8c0ab18e48d9e0419fe42881112137f3afafc27dfddc29ec3a6d54c56d225ad", (768, 520), (0, 4)),
    Photo("astronaut.png", "Eileen Collins, a portrait", "NASA", PUBLIC, WHEEL, SKIMAGE + "astronaut.png",
          "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"),
    Photo("coffee.png", "A cup of coffee, wood and porcelain", "Rachel Michetti, courtesy of Pikolo Espresso Bar", CC0,
          WHEEL, SKIMAGE + "coffee.png", "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7"),
    Photo("chelsea.png", "Chelsea the cat; an odd size, for padding", "Stéfan van der Walt", CC0, WHEEL,
          SKIMAGE + "chelsea.png", "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb"),
]  # fmt: skip

# Cells of 16x16 pixels as [column, row]: clear sky; a cliff's edge, upright in the middle of its cell; even grass.
THREAD = {"file": "mountains.png", "latents": {"sky": [24, 3], "edge": [20, 11], "texture": [38, 30]}}

LICENSES = """\
# The photographs of this folder

Written by [rebuild.py](rebuild.py), which makes the images from their originals; don't edit by hand. All were first
published by others under the licenses below; where the license is CC BY, name the author when you use the image.
The changes are only those listed. The **thread** of the course, followed from lesson 00 to 06, is `mountains.png`;
three of its latents are named in [thread.json](thread.json) as the column and row of their 16×16-pixel cells.

| file | pixels | what is seen | author | license | original | changes |
|---|---|---|---|---|---|---|
"""


def fetch(folder: Path) -> None:
    """Download and unpack the two packages that hold the originals."""
    run = lambda *command: subprocess.run(command, cwd=folder, check=True)  # noqa: E731
    run("apt-get", "download", "=".join(DEBIAN))
    run("dpkg-deb", "-x", next(folder.glob("*.deb")).name, ".")
    any_python = ("--only-binary=:all:", "--python-version=3.11")
    run(sys.executable, "-m", "pip", "download", "--no-deps", *any_python, "==".join(WHEEL))
    zipfile.ZipFile(next(folder.glob("*.whl"))).extractall(folder)


def make(photo: Photo, folder: Path) -> str:
    """Write one photograph; return its row of LICENSES.md."""
    original = folder / photo.path
    found = hashlib.sha256(original.read_bytes()).hexdigest()
    if found != photo.sha256:
        sys.exit(f"{original}: SHA-256 is {found}, expected {photo.sha256}")
    if photo.size is None:
        shutil.copyfile(original, HERE / photo.name)
        changes = "none: the file as published"
    else:
        (left, top), (width, height) = photo.corner, photo.crop
        image = Image.open(original).convert("RGB").resize(photo.size, Image.Resampling.LANCZOS)
        image.crop((left, top, left + width, top + height)).save(HERE / photo.name, optimize=True)
        changes = f"resized to {photo.size[0]}×{photo.size[1]} (Lanczos)"
        changes += "" if photo.size == photo.crop else f", cropped to {width}×{height} from ({left}, {top})"
        changes += ", saved as PNG"
    width, height = Image.open(HERE / photo.name).size
    kind = "Debian package" if photo.package == DEBIAN else "Python wheel"
    source = f"{kind} `{' '.join(photo.package)}`, `{photo.path}`, SHA-256 `{photo.sha256}`"
    row = (f"`{photo.name}`", f"{width}×{height}", photo.title, photo.author, photo.licence, source, changes)
    return f"| {' | '.join(row)} |\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else temporary)
        if len(sys.argv) == 1:
            fetch(folder)
        (HERE / "LICENSES.md").write_text(LICENSES + "".join(make(p, folder) for p in PHOTOS), encoding="utf-8")
    (HERE / "thread.json").write_text(json.dumps(THREAD) + "\n", encoding="utf-8")
