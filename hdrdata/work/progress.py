"""The progress bar of all long work."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import rich.progress


def progress_bar() -> "rich.progress.Progress":
    """The progress bar of all long work: what, how far, how much time is left."""
    from rich import progress  # which a run that changes nothing spares

    return progress.Progress(
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
    )
