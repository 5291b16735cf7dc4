"""Check the wording of pages, docstrings, comments and messages against vocabulary.yaml.

    python tools/prose.py                      # all pages and libraries
    python tools/prose.py docs/speed.md        # one file or folder

Code, inline code and addresses in pages are skipped. A docstring must not begin with a question word or "Of": its first
line is imperative or a noun phrase. Findings are printed as `file:line: text (write: advice)`; the exit code is 1 if
there are any.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("*.md", "docs")
LIBRARIES = ("hdrdata", "hdrmodel", "stages")

FIRST_WORDS = re.compile(r"(Of|What|Whether|How|Which|Where|Why)\b")
RULES = [
    (re.compile(rule["avoid"], re.IGNORECASE), rule["write"])
    for rule in yaml.safe_load((ROOT / "tools" / "vocabulary.yaml").read_text(encoding="utf-8"))
]


def page_text(text: str) -> str:
    """Return a Markdown page with its code, comments and link addresses blanked, line by line."""
    blank = re.compile(r"^```.*?^```$|<!--.*?-->|`[^`]*`|\]\([^)]*\)|https?://\S+", re.DOTALL | re.MULTILINE)
    return blank.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def python_prose(source: str) -> Iterator[tuple[int, str]]:
    """Yield line number and text of every comment and every string of more than one word."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip():
            for number, line in enumerate(node.value.splitlines(), start=node.lineno):
                yield number, re.sub(r"`[^`]*`", " ", line)


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Yield line number and text of every docstring."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield node.body[0].lineno, text


def findings(path: Path) -> list[tuple[int, str, str]]:
    """Return line number, text and advice of each finding in one file."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        lines = list(python_prose(source))
        found = [
            (n, text.split("\n")[0], "verb or noun first") for n, text in docstrings(source) if FIRST_WORDS.match(text)
        ]
    else:
        lines, found = list(enumerate(page_text(source).splitlines(), start=1)), []
    found += [(n, match[0], advice) for n, line in lines for rule, advice in RULES for match in rule.finditer(line)]
    return sorted(set(found))


def print_findings(roots: list[Path]) -> int:
    """Print the findings in files and folders; return their number."""
    paths = [path for root in roots for path in (sorted(root.rglob("*")) if root.is_dir() else [root])]
    paths = [path for path in paths if path.suffix in (".html", ".md", ".py")]
    count = 0
    for path in paths:
        for number, text, advice in findings(path):
            count += 1
            place = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
            print(f"{place}:{number}: {text} (write: {advice})")
    print(f"{count} findings in {len(paths)} files")
    return count


def main(places: list[str]) -> int:
    """Check the given places, or all pages and libraries; return the exit code."""
    everything = [path for name in (*PAGES, *LIBRARIES) for path in sorted(ROOT.glob(name))]
    return int(print_findings([Path(place) for place in places] or everything) > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
