"""Compile the GPU kernels for a GPU that need not be there: run by test_rollout_gpu.py, without the interpreter.

The interpreter accepts more than the compiler does: types, shapes and names in branches that nobody takes.
"""

import itertools
import sys

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from spinhw.rollout.gpu.kernels import adjoint_kernel, forward_kernel

H100 = GPUTarget("cuda", 90, 32)
COMMON = {
    "SATURATE": True, "COUPLED": True, "DEFECT": True, "NOISE": True,
    "TILE": 16, "WIDTH": 16, "CHUNK": 16, "PRECISION": "ieee",
}  # fmt: skip
ONLY = {
    forward_kernel: {"HELD": True, "NODES": True, "KEEP": True},
    adjoint_kernel: {"POWER": True, "FILTERED": True, "WANT_CELL": True, "WANT_DEFECT": True},
}
INTEGERS = {"batch", "neurons", "count", "begin", "substeps", "samples", "recorded_from"}


def compile_for_gpu(kernel, constants: dict) -> None:
    names = [parameter.name for parameter in kernel.params]
    kinds = {name: "constexpr" if name in constants else "i32" if name in INTEGERS else "*fp32" for name in names}
    places = {(names.index(name),): value for name, value in constants.items()}
    compiled = triton.compile(ASTSource(kernel, kinds, places), target=H100)
    sys.stdout.write(f"{kernel.__name__} {len(compiled.asm['ptx'])}\n")


for kernel, ctrnn in itertools.product((forward_kernel, adjoint_kernel), (False, True)):
    order = 1 if ctrnn else 2
    resident = (kernel is forward_kernel) != ctrnn  # either way, for either kernel
    chosen = {"CTRNN": ctrnn, "ORDER": order, "PHASES": order, "RESIDENT": resident}
    compile_for_gpu(kernel, COMMON | ONLY[kernel] | chosen)
