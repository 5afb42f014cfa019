"""Write the golden files: `python tests/files/golden/make.py`. Only for a new format version or a newly shipped model.

Old ones stay: a file once written must decode for as long as its weights are here or in `data/weights/retired`.
"""

import json
from pathlib import Path

import ccalib
from ccalib.evaluation.metrics import psnr

HERE = Path(__file__).parent
IMAGES = HERE.parents[2] / "data" / "images"

if __name__ == "__main__":
    listing = HERE / "golden.json"
    golden = json.loads(listing.read_text()) if listing.exists() else {}
    for image, quality in (("chelsea.png", 0.5), ("coffee.png", 2.0)):
        data = ccalib.encode(IMAGES / image, quality)
        info = ccalib.inspect(data)
        name = f"{Path(image).stem}_{info.fingerprint[:8]}.cca"
        (HERE / name).write_bytes(data)
        decibels = [psnr(ccalib.images.load(IMAGES / image), ccalib.decode(data, groups)) for groups in (0, 2, 5)]
        golden[name] = {"image": image, "size": len(data), "groups": [0, 2, 5], "psnr": decibels}
    listing.write_text(json.dumps(golden, indent=1) + "\n")
