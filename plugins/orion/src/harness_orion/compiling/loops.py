"""A Numba pipeline that leaves loops over rows as loops until they have been vectorized.

LLVM unrolls a loop of a few dozen turns, as one over a row is, before its vectorizer sees it; what is left is scalar
code. Each loop is therefore marked as Clang marks one under ``#pragma clang loop unroll(disable)``.
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from typing import Any

from llvmlite import ir as llvm  # type: ignore[import-untyped]
from numba.core import ir
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering, NativeParforLowering


class _MarkingLower(Lower):
    """Lowers to LLVM, and marks each jump back."""

    def pre_block(self, block: ir.Block) -> None:
        """Note where the block is."""
        super().pre_block(block)
        self._label = next(label for label, other in self.blocks.items() if other is block)

    def lower_inst(self, inst: ir.Stmt) -> None:
        """Lower one instruction."""
        super().lower_inst(inst)
        if isinstance(inst, ir.Jump) and inst.target <= self._label:
            self.builder.block.terminator.set_metadata("llvm.loop", _not_unrolled(self.module))


def _not_unrolled(module: llvm.Module) -> llvm.MDValue:
    """A loop's metadata, which name themselves first so that no two loops share them."""
    option = module.add_metadata([llvm.MetaDataString(module, "llvm.loop.unroll.disable")])
    made = llvm.MDValue(module, [option], name=str(len(module.metadata)))
    made.operands = (made, option)
    return made


@register_pass(mutates_CFG=True, analysis_only=False)
class _MarkingLowering(NativeLowering):
    _name = "orion_marking_lowering"

    @property
    def lowering_class(self) -> type[Lower]:
        return _MarkingLower


class RowCompiler(CompilerBase):
    """Numba's pipeline for plain functions, but for the marks."""

    def define_pipelines(self) -> list[Any]:
        """Numba's own passes, one of them replaced."""
        usual = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes = PassManager("orion rows")
        for made, said in usual.passes:
            lowers = made in (NativeLowering, NativeParforLowering)
            passes.add_pass(_MarkingLowering if lowers else made, said)
        passes.finalize()
        return [passes]
