"""Imported before PyTorch is: the threads of a benchmark wait as those of the commands do that it stands for."""

from hdrdata.machine import share_the_machine

share_the_machine()
