"""PyVISA finds the virtual bench under this name: `pyvisa.ResourceManager("bench.yaml@spinhw")`."""

from spinhw.virtual.backend import VirtualLibrary as WRAPPER_CLASS  # noqa: N814 - PyVISA asks for this

__all__ = ["WRAPPER_CLASS"]
