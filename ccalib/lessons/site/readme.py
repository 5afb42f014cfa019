"""The README, cut into what the site's first page shows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)


@dataclass
class Readme:
    """Its pitch (title and first words), its picture with the line below, and its sections by heading."""

    path: Path
    pitch: str = ""
    picture: str = ""
    sections: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        start, *rest = re.split(r"^## ", COMMENT.sub("", self.path.read_text(encoding="utf-8")), flags=re.MULTILINE)
        at = start.find("![")
        self.pitch, self.picture = (start[:at], start[at:]) if at >= 0 else (start, "")
        self.sections = {text.partition("\n")[0].strip(): f"## {text}" for text in rest}

    def section(self, heading: str) -> str:
        """A section with its heading, as markdown; "" if there is none."""
        return self.sections.get(heading, "")

    def question(self, notebook: str) -> str:
        """The question that the table of lessons has for a notebook (its file name); "" if there is none."""
        found = re.search(rf"^\| \[[^\]]*\]\(notebooks/{re.escape(notebook)}\) \| ([^|]*) \|", "".join(
            self.sections.values()), re.MULTILINE)  # fmt: skip
        return found[1].strip() if found else ""
