"""Write docs/licences.md: the licence of everything that constraints.txt pins, as its own metadata says.

    python tools/licences.py

A line of what is not installed here (another system's, a generator of data) stays as it was; one that there never was is an
error, and wants this run where the package is installed.
"""

from __future__ import annotations

import re
import sys
from email.message import Message
from importlib.metadata import PackageNotFoundError, distribution
from typing import cast

from environment import ROOT, sections

PAGE = ROOT / "docs" / "licences.md"
TITLES = {
    "course": "What opens the notebooks, and what the library runs on",
    "test": "What the tests and benchmarks need",
    "docs": "What builds the docs",
    "generate": "What makes the data sets anew",
}
HEADER = """\
# Licences of the dependencies

Written by `tools/licences.py` (`make licences`) from what each package says of itself: not to be changed by hand. eqlib is MIT,
its text CC BY 4.0, and it ships none of these: pip fetches them. A general word such as "BSD License" is the package's own.
"""


def stated(name: str) -> str:
    """The licence that an installed package states; "" where it is not installed or states none."""
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return ""
    said = cast(Message, found.metadata)  # which it is
    classes = [line.split(" :: ")[-1] for line in said.get_all("Classifier") or [] if line.startswith("License ::")]
    expression, short = (
        "".join(said.get_all(key) or []) for key in ("License-Expression", "License")
    )  # some put the whole text here
    if "\n" in short or len(short) > 60 or short == "UNKNOWN":
        short = ""
    title = (found.read_text("licenses/LICENSE") or "").strip().split("\n")[0]
    return expression or short or ", ".join(c for c in classes if c != "OSI Approved") or title


def lines(text: str) -> dict[str, str]:
    """Package -> licence, as a page says."""
    return dict(re.findall(r"^\| (?!package \||---)(\S+) \| ([^|]+) \|$", text, flags=re.M))


def page(old: str) -> str:
    """The page as it should be, given the one that there is. Raises LookupError for packages of which nothing is known."""
    known, out, missing = lines(old), HEADER, []
    for part, pins in sections().items():
        out += f"\n## {TITLES[part]}\n\n| package | licence |\n| --- | --- |\n"
        names = sorted({pin.split("==")[0] for pin in pins} | ({"torch"} if part == "course" else set()))
        for name in names:
            if not (licence := stated(name) or known.get(name, "")):
                missing.append(name)
            out += f"| {name} | {licence} |\n"
    if missing:
        raise LookupError(f"no licence known of {', '.join(missing)}: run this where they are installed")
    return out


def main() -> None:
    """Write the page."""
    try:
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""), encoding="utf-8", newline="\n")
    except LookupError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
