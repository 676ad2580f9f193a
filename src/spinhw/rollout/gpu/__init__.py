"""The GPU engine: many time steps and their adjoint in one Triton kernel each."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
