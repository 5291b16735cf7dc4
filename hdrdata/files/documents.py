"""Files that people open: CSV in which no text is taken for a formula, and HTML that needs nothing from elsewhere."""

import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2

FORMULA = re.compile(r"'*[=+\-@\t\r]")  # also what begins with our own mark, so that `cell_text` undoes `safe_cell`
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def safe_cell(value: Any) -> Any:
    """Return a cell with an apostrophe before a text that a spreadsheet would run; other values as they are."""
    if isinstance(value, str) and FORMULA.match(value) and not NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def cell_text(cell: str) -> str:
    """Undo `safe_cell`."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


@cache
def page_templates(package: str, folder: str = ".", **filters: Callable) -> "jinja2.Environment":
    """Return the templates of a package's folder, and `head.html`. An unknown name in a template is an error."""
    import jinja2  # most importers of this file only write CSV

    loaders = [jinja2.PackageLoader(package, folder), jinja2.PackageLoader("hdrdata.files", ".")]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= filters
    return environment
