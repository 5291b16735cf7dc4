"""Print what users read: every error message of the libraries, or every help text.

python tools/messages.py           # error messages, one per line, with their place
python tools/messages.py --help-texts
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ERRORS = ("Error", "Exception", "Failure", "Passing", "Fault", "fail", "warn")


def text_of(node: ast.AST) -> str:
    """Return a string with its replacement fields as `{...}`; "" if the node is not one."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        fields = [text_of(part) if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value)}}}"
                  for part in node.values]  # fmt: skip
        return "".join(fields)
    return ""


def messages(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line number and text of each message that a file gives to an error, a fault or a warning."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1].endswith(ERRORS):
            for argument in node.args:
                text = text_of(argument)
                if " " in text:
                    yield node.lineno, " ".join(text.split())


def main(arguments: list[str]) -> None:
    """Print error messages, or help texts with --help-texts."""
    if "--help-texts" in arguments:
        for program in ("hdrdata", "hdrmodel"):
            code = f"from {program}.cli.root import PLACES; print(*sorted(PLACES))"
            names = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
            for name in ["", *names.stdout.split()]:
                arguments = [name, "--help"] if name else ["--help"]
                code = f"from {program}.cli import main; main({arguments}, prog_name={program!r})"
                command = [sys.executable, "-c", code]
                print(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout)
        return
    for package in ("hdrdata", "hdrmodel", "stages"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for number, text in messages(path):
                print(f"{path.relative_to(ROOT)}:{number}: {text}")


if __name__ == "__main__":
    main(sys.argv[1:])
