"""Cells of CSV files that spreadsheets open: a text of anybody must not be taken for a formula."""

import re
from typing import Any

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
