# %% [markdown]
# # 00 · Tour: what is in a compressed photograph?
#
# You will turn a photograph into a file, count its bytes, cut it short, and turn it back.
# The codec that does it was trained on two CPU cores, and it runs here, on your machine.
#
# - **Goals**: say what the parts of a compressed file are; compute bits per pixel and PSNR by hand; compare two codecs
#   at the same number of bytes.
# - **You need**: high-school mathematics (logarithms) and a little Python.
# - **Study time**: 40 minutes for the core. Sections marked *deeper* come on top; nothing later needs them.
# - **Run time**: {run_time} for the whole notebook on two CPU cores, as measured when it was built.
#
# Run the cells from top to bottom (Shift + Enter). Four times a question asks you to **predict first**. Commit before
# you run the next cell: a wrong prediction that you remember teaches more than a right answer that you read.

# %%
import numpy as np

import ccalib
from ccalib.evaluation.jpeg import jpeg_of_size
from ccalib.evaluation.metrics import psnr
from ccalib.lessons import plots
from ccalib.lessons.pixels import Picture
from ccalib.lessons.text import about
from ccalib.lessons.thread import latents_of, open_photo, output_folder, thread_photo
from ccalib.lessons.widgets import Diagram, GroupBytes, Predict, Progressive, Quality, Wipe

# %% [markdown]
# ## 1. One photograph, and three places in it
#
# One photograph is the thread of this course: mountains, by Aitzol Berasategi. We follow three places in it:
# a piece of **sky** (smooth), an **edge** (rock against cloud), and a piece of **texture** (grass).
# Each is a cell of 16×16 pixels, because that is how much of the picture one *latent* stands for.
# (A latent is a short list of numbers, one list for each cell. Lesson 01 says what they mean.)

# %%
my_photo = thread_photo()  # later: the path of a photograph of yours, such as "holiday.jpg"

photo = open_photo(my_photo)
latents = latents_of(my_photo, photo)
view = plots.cells_plot(photo, latents)
print(view.words)
view

# %% [markdown]
# ## 2. To a file and back
#
# A *codec* is a pair of programs. The **encoder** turns a picture into a file, the **decoder** turns the file into a
# picture. This diagram comes back in every lesson, with the part we look at lit. Today we only look at its ends.

# %%
Diagram("photo", "file", "decoded", caption="Lesson 00 looks at the photograph, the file, and what comes back.")

# %%
Predict(
    "The file that the encoder writes: what is in it?",
    [
        "A smaller copy of the photograph, which the decoder enlarges",
        "The pixels, with repeated ones written only once",
        "Whole numbers, from which the decoder computes every pixel anew",
        "The neural network, trained on this one photograph",
    ],
    answer=2,
    explanation="The encoder computes a few hundred whole numbers for each cell of 16×16 pixels, and a range coder "
    "packs them tightly. The decoder's network paints the picture from them. The network itself is not in the file: it "
    "comes with the decoder, like the program that shows JPEGs.",
    misconception="A compressed file still holds pixels, only fewer or packed.",
)

# %%
file = output_folder() / "photo.cca"  # in the folder "out" beside this notebook

file.write_bytes(ccalib.encode(photo, quality=3))
decoded = ccalib.decode(file)

width, height = photo.size
raw = 3 * width * height  # three bytes a pixel: red, green, blue
size = file.stat().st_size

assert decoded.size == photo.size
print(f"pixels: {width} x {height}")
print(f"raw:    {raw / 1000:.0f} kB")
print(f"file:   {size / 1000:.0f} kB, about 1/{raw / size:.0f} of the raw bytes")

# %% [markdown]
# ## 3. How good, and how small? Two numbers
#
# **Rate.** A large photograph may have a large file. So we divide the file's *bits* (eight a byte) by the number of
# pixels:
#
# $$\text{bits per pixel (bpp)} = \frac{8 \times \text{bytes of the file}}{\text{width} \times \text{height}}$$
#
# A raw photograph has 24 bits per pixel.
#
# **Distortion.** Every pixel has three values from 0 to 255. Take the difference between original and decoded, square
# it, and average over all values: the *mean squared error* (MSE). PSNR (peak signal-to-noise ratio) puts it on a
# logarithmic scale, in decibels (dB). More is better:
#
# $$\text{PSNR} = 10 \log_{10} \frac{255^2}{\text{MSE}}$$

# %%
Predict(
    "A better decode has half the mean squared error. What happens to its PSNR?",
    ["It doubles", "It grows by 3 dB", "It grows by 50 %", "That depends on the picture"],
    answer=1,
    explanation="10·log10(2) = 3.01. Halving the error adds 3 dB wherever you start: from 25 to 28 or from 40 to 43.",
    misconception="Decibels behave like percent, so that 40 dB is twice as good as 20 dB.",
)

# %%
original_values = np.asarray(photo, dtype=np.float64)
decoded_values = np.asarray(decoded, dtype=np.float64)

mse = np.mean((original_values - decoded_values) ** 2)
psnr_by_hand = 10 * np.log10(255**2 / mse)
bpp_by_hand = 8 * size / (width * height)

assert np.isclose(psnr_by_hand, psnr(photo, decoded))  # the package computes the same
assert np.isclose(bpp_by_hand, ccalib.inspect(file).bpp)
print(f"rate:       {bpp_by_hand:.2f} bits per pixel (raw: 24)")
print(f"distortion: PSNR {psnr_by_hand:.1f} dB")
print(f"halving the error adds {10 * np.log10(2):.2f} dB")

# %% [markdown]
# What does that many decibels look like? Drag the line. Then press **Z** twice to enlarge, and look where the sky
# meets the rock, and at the grass.

# %%
original = Picture("original", photo)
ours = Picture("ccalib", decoded, size, psnr(photo, decoded))
wipe = Wipe(original, ours, heading="Original and decoded: drag the line")
wipe

# %% [markdown]
# ## 4. Where are the bytes?
#
# The numbers of each cell are written in **five groups**, g1 to g5, one after the other, for the whole picture.
# When a group is written, the decoder already has those before it, so it can guess what comes. What it guesses well
# costs few bits. That is the idea this course is about. In front of the groups go a short **header** (sizes,
# checksums) and **z**, a coarse description of the picture that helps with the guessing (lesson 03).

# %%
info = ccalib.inspect(file)
sizes = ccalib.load("small").preset.sizes  # how many numbers of a cell are in each group
length = {segment.name: segment.length for segment in info.segments}

print(f"numbers per cell: {sum(sizes)}, in groups of", dict(zip(["g1", "g2", "g3", "g4", "g5"], sizes)))
assert info.header + sum(length.values()) == file.stat().st_size
print("header + z + g1 + g2 + g3 + g4 + g5 is exactly the size of the file")

# %%
numbers_ratio = sizes[-1] / sizes[0]
bytes_ratio = length["g5"] / length["g1"]
close = 0.8 < bytes_ratio / numbers_ratio < 1.25

Predict(
    f"Group 5 has {numbers_ratio:.0f} times as many numbers as group 1. How many times as many bytes does it take?",
    [f"{how} {numbers_ratio:.0f} times" for how in ("Far more than", "About", "Far fewer than")],
    answer=1 if close else 0 if bytes_ratio > numbers_ratio else 2,
    explanation=f"In this file it takes about {about(bytes_ratio, 1)} times as many. A number costs few bits when the "
    "decoder can guess it: because it is nearly always 0, or because earlier groups give it away.",
    misconception="Every number in a compressed file costs the same number of bits.",
)

# %%
for name, channels in zip(["g1", "g2", "g3", "g4", "g5"], sizes):
    numbers = channels * -(-width // 64) * 4 * -(-height // 64) * 4  # sides are padded to multiples of 64 pixels
    print(f"{name}: {100 * length[name] / size:3.0f} % of the bytes, {8 * length[name] / numbers:.2f} bits a number")

GroupBytes(info, sizes, heading="Where are the bytes of this file?")

# %% [markdown]
# ## 5. Cut the file
#
# Files get cut: a connection breaks, a disk is full. What is a part of the file still worth?

# %%
Predict(
    "Only the first half of the file's bytes arrives. What can the decoder show?",
    [
        "Nothing: a compressed file is of use only as a whole",
        "The upper half of the photograph",
        "The whole photograph, with less detail",
        "The whole photograph, with half of its cells missing",
    ],
    answer=2,
    explanation="Every group describes the whole picture, and each makes it better. The decoder uses the groups that "
    "are complete and puts its best guess for the others. A group that is cut inside is dropped.",
    misconception="A file holds a picture line by line, from top to bottom.",
)

# %%
data = file.read_bytes()
half = data[: len(data) // 2]
held = ccalib.inspect(half).groups
from_half = ccalib.decode(half)
print(f"whole file:  {psnr(photo, decoded):.1f} dB")
print(f"first half:  {psnr(photo, from_half):.1f} dB, {held} of {len(sizes)} groups are whole")

try:
    ccalib.decode(data[:40])
except ccalib.CcaError as error:
    print("first 40 bytes:", type(error).__name__, "- the header itself is cut")

# %% [markdown]
# Now cut it anywhere. The strip is the file, byte by byte. Drag the orange handle to the left.
# *What is lost first? Are the sky, the edge and the grass lost together?*

# %%
decodes = [ccalib.decode(data, groups=count) for count in range(len(sizes) + 1)]
assert np.array_equal(decodes[held], from_half)  # the cut file decodes exactly its whole groups

psnrs = [psnr(photo, one) for one in decodes]
for count, value in enumerate(psnrs):
    print(f"groups decoded: {count}, PSNR {value:.1f} dB")
Progressive(info, decodes, psnrs, heading="Cut the file where you like")

# %% [markdown]
# ## 6. Against JPEG, at the same number of bytes
#
# Two pictures can be compared fairly when their files have the same number of bytes. (Otherwise the larger file wins,
# which is no news.) JPEG's quality comes in steps, so we take the smallest JPEG that has **at least** as many bytes as
# our file: if anything, JPEG has a few bytes more. It is JPEG at its best: optimized, progressive, and the better of
# its two ways to store color.

# %%
rival = jpeg_of_size(photo, size)
jpeg = Picture(f"JPEG quality {rival.quality}", rival.image, rival.size, rival.psnr)
difference = ours.psnr - jpeg.psnr

print(f"bytes: JPEG has {rival.size / size:.2f} times as many as our file")
print(f"PSNR: ccalib {ours.psnr:.1f} dB, JPEG {jpeg.psnr:.1f} dB")
print("on this photograph, at these bytes, the higher PSNR has:", "ccalib" if difference > 0 else "JPEG")

# %%
Wipe(original, ours, jpeg, heading="Original against two files of the same size (keys 1 and 2 switch)")

# %%
edge_column, edge_row = latents["edge"]
Wipe(jpeg, ours, position=(edge_column + 0.5) * 16 / width, zoom=2, heading="JPEG on the left, ccalib on the right")

# %% [markdown]
# JPEG works on blocks of 8×8 pixels. Can you find them in the sky? Are there ripples along the ridge? And what has each
# codec done to the grass? One photograph is an anecdote: section 9 looks at more, lesson 08 compares on many and says
# what PSNR does not see.

# %% [markdown]
# ## 7. The quality slider
#
# One trained model serves every rate. A quality from 0 to 6 says how finely the numbers are rounded before they are
# written: coarse rounding, small file. (Lesson 02 makes this precise.)

# %%
qualities = range(7)
pictures = []
for quality in qualities:
    coded = ccalib.encode(photo, quality=quality)
    image = ccalib.decode(coded)
    one = Picture(f"quality {quality}", image, len(coded), psnr(photo, image))
    pictures.append(one)
    print(f"quality {quality}: {8 * one.size / (width * height):.2f} bits per pixel, {one.psnr:.1f} dB")

# %%
jpegs = [jpeg_of_size(photo, one.size) for one in pictures]
curve = [(8 * one.size / (width * height), one.psnr) for one in jpegs]
ahead = sum(one.psnr > other.psnr for one, other in zip(pictures, jpegs) if other.size >= one.size)
comparable = sum(other.size >= one.size for one, other in zip(pictures, jpegs))
print(f"ccalib has the higher PSNR than a JPEG of at least as many bytes at {ahead} of {comparable} qualities")

Quality(qualities, pictures, {"JPEG": curve}, heading="One model, every quality")

# %% [markdown]
# The curve is a **rate–distortion curve**. Further up is better, further left is smaller. A codec is judged by its
# whole curve, not by a point: move along it, and you trade one for the other.
#
# ## 8. *Deeper:* the same PSNR, another look
#
# PSNR is one number for the whole picture. Here are three damaged copies of the photograph with the same PSNR: in the
# first, the contrast is lowered; in the second, noise is added everywhere; the third is the file cut in its middle,
# from section 5. Which would you accept?

# %%
rng = np.random.default_rng(0)
target = 255**2 / 10 ** (psnr(photo, from_half) / 10)  # the mean squared error of the cut file


def damaged(direction):
    """The photograph plus as much of `direction` as makes the wanted error, after rounding to 0 ... 255."""
    low, high = 0.0, 255.0
    for _ in range(40):  # bisection
        strength = (low + high) / 2
        values = np.clip(np.round(original_values + strength * direction), 0, 255)
        low, high = (strength, high) if np.mean((values - original_values) ** 2) < target else (low, strength)
    return ccalib.images.load(values.astype(np.uint8))


paler = damaged((original_values.mean() - original_values) / 255)
noisy = damaged(rng.standard_normal(original_values.shape))
damages = {"lower contrast": paler, "noise": noisy, "cut file": from_half}
candidates = [Picture(name, image, psnr=psnr(photo, image)) for name, image in damages.items()]
for one in candidates:
    print(f"{one.name}: {one.psnr:.1f} dB")
Wipe(original, *candidates, heading="Three kinds of damage, one PSNR")

# %% [markdown]
# ## 9. *Deeper:* the other photographs
#
# The comparison of section 6 on the course's other photographs. Is the answer the same for each?

# %%
for path in sorted(thread_photo().parent.glob("*.png")):
    other = open_photo(path)
    coded = ccalib.encode(other, quality=3)
    back, against = ccalib.decode(coded), jpeg_of_size(other, len(coded))
    rate = 8 * len(coded) / (other.width * other.height)
    print(f"{path.stem:10s}{rate:.2f} bits per pixel   ccalib {psnr(other, back):.1f} dB   JPEG {against.psnr:.1f} dB")

# %% [markdown]
# ## Now on yours
#
# Put the path of a photograph of yours into `my_photo` in section 1, and run all cells again (*Run → Restart Kernel
# and Run All Cells*). Photographs of more than 768 pixels are made smaller first, so that the notebook stays quick.
# Its "sky" is then the smoothest cell and its "edge" the one with the largest contrast.
#
# The same on the command line, at full size:
#
# ```
# ccalib encode holiday.jpg holiday.cca
# ccalib info holiday.cca
# ccalib decode holiday.cca holiday.png
# ```
#
# ## Three questions for a class
#
# 1. Two photographs of the same size have files of different sizes at the same quality. What about the photographs
#    could explain it? Find one on your phone that beats the thread's bits per pixel, and one that is beaten.
# 2. The cut file is decoded with "the best guess" for what is missing. Where in the picture is that guess good, and how
#    could you tell from the bytes of the groups?
# 3. Somebody says: "At 30 dB my codec needs half of your bytes." Which three questions do you ask before you believe
#    it?
#
# ## What this lesson takes away
#
# The misconception that **a compressed photograph is a smaller photograph**. It is a list of whole numbers, written in
# an order that makes each one easy to guess, and the picture is computed from it. Next:
# [01 · Transforms](01_transforms.ipynb), on what those numbers know.
