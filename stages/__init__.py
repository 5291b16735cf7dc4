"""The stages of dvc.yaml: each reads its section of params.yaml, calls the library, and prints what it wrote."""

from hdrdata.machine import share_the_machine

share_the_machine()
