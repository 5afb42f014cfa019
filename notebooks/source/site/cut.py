# %% [markdown]
# # Cut a file: five groups, four qualities
#
# The same photograph, written at four qualities. Each strip below is one file, byte by byte: the header, z, and the
# five groups. Drag the orange handle to the left, and the file ends there. The decoder shows what the whole groups say,
# and puts its best guess for the rest ([lesson 00](../../00_tour.ipynb), section 5).
#
# Try to answer before you drag: a file of high quality is cut down to the size of a file of low quality. Which of the
# two looks better, and why?

# %%
import ccalib
from ccalib.evaluation.metrics import psnr
from ccalib.lessons.thread import open_photo, thread_photo
from ccalib.lessons.widgets import Progressive

photo = open_photo(thread_photo())
codec = ccalib.load("small")
groups = len(codec.preset.sizes)


def cut(quality):
    """The file of one quality, with what each number of groups decodes to."""
    data = ccalib.encode(photo, quality=quality)
    decodes = [ccalib.decode(data, groups=count) for count in range(groups + 1)]
    psnrs = [psnr(photo, decoded) for decoded in decodes]
    print(f"quality {quality}: {8 * len(data) / (photo.width * photo.height):.2f} bits per pixel")
    for count, value in enumerate(psnrs):
        print(f"  {count} groups: {value:.1f} dB")
    return Progressive(ccalib.inspect(data), decodes, psnrs, heading=f"The file of quality {quality}, cut anywhere")


# %% [markdown]
# ## Quality 1

# %%
cut(1)

# %% [markdown]
# ## Quality 2

# %%
cut(2)

# %% [markdown]
# ## Quality 4

# %%
cut(4)

# %% [markdown]
# ## Quality 6

# %%
cut(6)

# %% [markdown]
# A cut file is another thing than a file of low quality. Its numbers are rounded as finely as ever, and the groups that
# are missing are guessed. Compare the bits per pixel at which two strips show the same PSNR.
