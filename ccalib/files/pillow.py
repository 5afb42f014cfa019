"""Pillow reads and writes `.cca` files: a plugin in its manner, registered by `import ccalib`.

    Image.open("a.cca")                                # lazy: size, mode and info; load() decodes
    image.save("a.cca", quality=3, model="small")      # any image that Pillow holds; effort=30: better, slower

`info` has the file's `quality`, the number of `groups` that it holds, and the `fingerprint` of its weights, which are
found as `ccalib.load` finds them. Errors are `CcaFileError`, both a `CcaError` and an `OSError`; other data than a
`.cca` file give Pillow's `UnidentifiedImageError`, and too many pixels its `DecompressionBombError`.

Registering and opening import neither torch nor numpy.
"""

from __future__ import annotations

import os
from typing import IO

from PIL import Image, ImageFile

from ccalib.errors import CcaError
from ccalib.files import container

FORMAT = "CCA"
LETTERS = 32  # a text that begins with "CCA" goes on with a byte from here on, a .cca file with its version


class CcaFileError(CcaError, OSError):
    """A `.cca` file that Pillow can't open, load, verify or write; the message names the file and the field."""


class CcaImageFile(ImageFile.ImageFile):
    """An open `.cca` file.

    A file that was cut after its first segment opens; `load()` follows `ImageFile.LOAD_TRUNCATED_IMAGES`: an error
    where that is False (the default), else the groups that are there are decoded. Damage is always an error.
    """

    format = FORMAT
    format_description = "CCA learned image compression"

    def _open(self) -> None:
        start, data = self.fp.tell(), self.fp.read()
        if accept(data) is not True:
            raise SyntaxError("not a CCA file")
        info = _parse(data, _name(self.filename))
        self._size, self._mode = (info.width, info.height), "RGB"
        self.info = {"quality": info.quality, "groups": info.groups, "fingerprint": info.fingerprint}
        self.tile = [ImageFile._Tile("cca", (0, 0, *self.size), start, (_name(self.filename),))]

    def load_seek(self, pos: int) -> None:
        # that it exists also tells ImageFile.Parser to wait for the whole file
        self.fp.seek(pos)

    def verify(self) -> None:
        """Test the checksums of the header and of every segment's bytes, without decoding, and close the file.

        Raises:
            CcaFileError: a checksum doesn't match, or the file is cut and LOAD_TRUNCATED_IMAGES is False.
        """
        if self.fp is None:
            raise RuntimeError("verify must be called directly after open")
        name = _name(self.filename)
        try:
            self.fp.seek(self.tile[0].offset)
            data = self.fp.read()
            info = _parse(data, name)
            _check_cut(info, name)
            for segment in info.segments[: info.groups + 1]:
                container.payload(data, segment, name)
        except CcaFileError:
            raise
        except CcaError as error:
            raise CcaFileError(str(error)) from error
        finally:
            super().verify()


class CcaDecoder(ImageFile.PyDecoder):
    """What `load()` runs: bytes of the whole file to pixels."""

    _pulls_fd = True

    def decode(self, buffer) -> tuple[int, int]:
        (name,), data = self.args, self.fd.read()
        info = _parse(data, name)
        _check_cut(info, name)
        if (info.width, info.height) != (self.state.xsize, self.state.ysize):
            raise CcaFileError(f"{name}: width, height: changed since the file was opened")
        from ccalib.files.coding import decode  # torch and compressai, on first use

        try:
            image = decode(data)
        except CcaError as error:
            raise CcaFileError(f"{name}: {str(error).removeprefix('bytes: ')}") from error
        self.set_as_raw(image.tobytes())
        return -1, 0  # all is read, no error


def accept(prefix: bytes) -> bool | str:
    """Whether a file's first bytes are ours; a string says why we can't read one that is."""
    version = prefix[len(container.MAGIC) :][:1]
    if not prefix.startswith(container.MAGIC) or not version or version[0] >= LETTERS:
        return False
    if version[0] != container.VERSION:
        return f"version {version[0]} of the .cca format is unknown to this ccalib, which reads {container.VERSION}"
    return True


def save(image: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    """Write an image as `.cca`: what `image.save` calls.

    Its options are `quality`, `model` and `effort`, as of `ccalib.encode`, whose defaults hold. The image becomes
    upright 8-bit RGB as `ccalib.images.load` says (EXIF orientation applied, colors converted to sRGB, transparency
    laid on white); metadata and color profiles are not kept. Pillow empties an existing file before it calls a plugin,
    so a failure leaves that file empty, and removes a new one (Ctrl-C leaves it, empty); `ccalib.files.coding.write`
    keeps what was there.

    Raises:
        CcaFileError: the image, the quality, the effort or the weights can't be used.
    """
    from ccalib.files import coding

    name, quality = _name(filename), image.encoderinfo.get("quality")
    try:
        quality = None if quality is None else float(quality)
    except (TypeError, ValueError) as error:
        raise CcaFileError(f"{name}: quality: {quality!r} is not a number") from error
    try:
        data = coding.encode(
            image, quality, image.encoderinfo.get("model", "small"), image.encoderinfo.get("effort", 0)
        )
    except CcaError as error:
        raise CcaFileError(f"{name}: {error}") from error
    file.write(data)


def refuse(image: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    """`save_all` and `append_images`: raises CcaFileError."""
    raise CcaFileError(f"{_name(filename)}: save_all, append_images: a .cca file holds one image; save each on its own")


def _parse(data: bytes, name: str) -> container.FileInfo:
    try:
        return container.parse(data, name)
    except container.TooManyPixels:
        raise  # Pillow's own kind
    except CcaError as error:
        raise CcaFileError(str(error)) from error


def _check_cut(info: container.FileInfo, name: str) -> None:
    missing = [segment.name for segment in info.segments if not segment.present]
    if missing and not ImageFile.LOAD_TRUNCATED_IMAGES:
        there = f"{info.groups} of {len(info.segments) - 1} groups"
        raise CcaFileError(
            f"{name}: {missing[0]}: image file is truncated (ImageFile.LOAD_TRUNCATED_IMAGES = True decodes {there})"
        )


def _name(filename: str | bytes) -> str:
    return os.fsdecode(filename) or "image"


Image.register_open(FORMAT, CcaImageFile, accept)
Image.register_decoder("cca", CcaDecoder)
Image.register_save(FORMAT, save)
Image.register_save_all(FORMAT, refuse)
Image.register_extension(FORMAT, ".cca")
Image.register_mime(FORMAT, "image/x-cca")
