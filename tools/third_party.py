"""Write THIRD_PARTY.md: the licence of every package that an installation brings, from the installed metadata.

    python tools/third_party.py            # write THIRD_PARTY.md
    python tools/third_party.py --check    # exit with 1 if a required package has a licence that is not accepted

Required packages must be permissive, weak copyleft by file or library (MPL, EPL, LGPL), or offer such a choice.
Packages with another licence are listed in EXCEPTIONS with the reason.
"""

import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
ACCEPTED = re.compile(
    r"Apache|BSD|MIT|HPND|ISC|PSF|Python Software|MPL|Mozilla|LGPL|Lesser|EPL|ZPL|Zope|Zlib|CC0|Unlicense|Public Domain"
)
UNSTATED = {
    "antlr4-python3-runtime": "BSD-3-Clause",
    "cuda-toolkit": "NVIDIA",
    "mlcroissant": "Apache-2.0",
    "openexr": "BSD-3-Clause",
}
EXCEPTIONS = {
    "pygit2": "GPL-2.0 with linking exception: required by DVC; programs that use it may have any licence",
    "nvidia-": "NVIDIA's own licence: required by PyTorch's builds for CUDA, absent from its builds for CPUs",
    "cuda-": "NVIDIA's own licence: required by PyTorch's builds for CUDA, absent from its builds for CPUs",
}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def licence_of(name: str) -> str:
    """Return the licence that an installed package states, in one line."""
    metadata = distribution(name).metadata
    classifiers = [
        line.split("::")[-1].strip() for line in metadata.get_all("Classifier") or [] if "License ::" in line
    ]
    stated = (metadata.get("License-Expression") or metadata.get("License") or "").strip()
    if len(stated) > 100 or "\n" in stated or (not ACCEPTED.search(stated) and classifiers):
        stated = " or ".join(line for line in classifiers if line != "OSI Approved") or stated.split("\n")[0].strip()
    return stated or UNSTATED.get(canonical(name), "not stated")


def accepted(name: str, licence: str) -> bool:
    return bool(ACCEPTED.search(licence)) or any(name.startswith(prefix) for prefix in EXCEPTIONS)


def installed(requirements: list[str]) -> dict[str, str]:
    """Return name and licence of the installed packages that these requirements bring, directly or through others."""
    found: dict[str, str] = {}
    waiting = [Requirement(line) for line in requirements]
    while waiting:
        requirement = waiting.pop()
        name = canonical(requirement.name)
        if name in found or name == "hdr-attnet":
            continue
        try:
            found[name] = licence_of(name)
        except PackageNotFoundError:
            continue  # for another platform
        for line in distribution(name).requires or []:
            needed = Requirement(line)
            extras = ["", *requirement.extras]
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(needed)
    return dict(sorted(found.items()))


def direct(requirements: list[str]) -> set[str]:
    return {canonical(Requirement(line).name) for line in requirements} - {"hdr-attnet"}


def table(rows: dict[str, str]) -> str:
    return "\n".join(
        ["| package | licence |", "| --- | --- |", *(f"| {name} | {text} |" for name, text in rows.items())]
    )


def page() -> tuple[str, dict[str, str]]:
    """Return the page, and the required packages whose licence is not accepted."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = installed(project["dependencies"])
    ours = direct(project["dependencies"])
    optional = {line for lines in project["optional-dependencies"].values() for line in lines}
    extras = {
        name: text for name, text in installed(sorted(optional)).items() if name in direct(sorted(optional)) - ours
    }
    notes = [f"- `{name.rstrip('-')}`: {reason}." for name, reason in EXCEPTIONS.items()]
    text = f"""# Third-party licences

hdr-attnet is under the Apache License 2.0. It contains no code of others; its dependencies are installed by pip.
`python tools/third_party.py` makes this page from the metadata of the installed packages (Linux, Python 3.11).

## Required packages

{table({name: licence for name, licence in required.items() if name in ours})}

## Required by those

{table({name: licence for name, licence in required.items() if name not in ours})}

Licences that are neither permissive nor weak copyleft:

{chr(10).join(notes)}

## Packages of the extras

{table(extras)}
"""
    return text, {name: licence for name, licence in required.items() if not accepted(name, licence)}


def main(arguments: list[str]) -> int:
    """Write the page, or check the licences; return the exit code."""
    text, refused = page()
    if "--check" not in arguments:
        (ROOT / "THIRD_PARTY.md").write_text(text, encoding="utf-8")
    for name, licence in refused.items():
        print(f"{name}: licence not accepted for a required package ({licence}); expected a permissive one, or LGPL")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
