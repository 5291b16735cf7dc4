"""Text that a terminal may show."""


def printable(text: str, limit: int | None = None) -> str:
    """Escape the characters that steer a terminal or reorder a line: line breaks, control and format characters.

    Bytes of file names that are not UTF-8 are shown as \\xe9 and so on.

    Args:
        limit: the most characters of the result; longer texts end in "...".
    """
    kept = text if limit is None else text[: limit + 1]
    shown = "".join(letter if letter.isprintable() else _escaped(letter) for letter in kept)
    return shown if limit is None or len(shown) <= limit else f"{shown[: limit - 3]}..."


def _escaped(letter: str) -> str:
    if "\udc80" <= letter <= "\udcff":  # a byte that `os.fsdecode` could not decode
        return f"\\x{ord(letter) - 0xDC00:02x}"
    return letter.encode("unicode_escape").decode()


def one_line(error: Exception) -> str:
    """Return an error's message in one line, as a terminal may show it."""
    return printable(" ".join(str(error).split()))
