"""A Numba pipeline that leaves loops over rows as loops until they have been vectorized, and says which arrays differ.

LLVM unrolls a loop of a few dozen turns, as one over a row is, before its vectorizer sees it; what is left is scalar
code. Each loop is therefore marked as Clang marks one under ``#pragma clang loop unroll(disable)``.

That two arrays of a program have no byte in common was checked when they were bound. LLVM cannot know: it would ask
before each row of some length, and leave a short row scalar. Loads and stores of each array are therefore marked as
Clang marks those through a ``restrict`` pointer.
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir as llvm  # type: ignore[import-untyped]
from numba.core import ir, types
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering, NativeParforLowering


class _MarkingLower(Lower):
    """Lowers to LLVM, and marks each jump back, and what touches arrays."""

    def pre_lower(self) -> None:
        """Note the arrays that are arguments."""
        super().pre_lower()
        self._scopes = _Scopes(self.module, [n for n in self.fndesc.args if isinstance(self.typeof(n), types.Array)])

    def pre_block(self, block: ir.Block) -> None:
        """Note where the block is."""
        super().pre_block(block)
        self._label = next(label for label, other in self.blocks.items() if other is block)

    def lower_inst(self, inst: ir.Stmt) -> None:
        """Lower one instruction."""
        block, before = self.builder.block, len(self.builder.block.instructions)
        super().lower_inst(inst)
        if (array := _array_of(inst)) is not None and self.builder.block is block:
            self._scopes.mark(block.instructions[before:], array)
        if isinstance(inst, ir.Jump) and inst.target <= self._label:
            self.builder.block.terminator.set_metadata("llvm.loop", _not_unrolled(self.module))


def _array_of(inst: ir.Stmt) -> str | None:
    """The name of the array an element of which is read or written."""
    if isinstance(inst, ir.SetItem | ir.StaticSetItem):
        return str(inst.target.name)
    found = inst.value if isinstance(inst, ir.Assign) else None
    if isinstance(found, ir.Expr) and found.op in ("getitem", "static_getitem"):
        return str(found.value.name)
    return None


class _Scopes:
    """A scope for each array, and for each array the list of all the others' scopes."""

    def __init__(self, module: llvm.Module, arrays: Sequence[str]) -> None:
        domain = _itself(module, [])
        scopes = {array: _itself(module, [domain]) for array in arrays}
        self._own = {array: _node(module, [scope]) for array, scope in scopes.items()}
        self._others = {array: _node(module, [s for a, s in scopes.items() if a != array]) for array in arrays}

    def mark(self, instructions: Sequence[llvm.Instruction], array: str) -> None:
        """Mark loads and stores as those of one array, which are of no other."""
        if array not in self._own:
            return
        for one in instructions:
            if isinstance(one, llvm.instructions.LoadInstr | llvm.instructions.StoreInstr):
                one.set_metadata("alias.scope", self._own[array])
                one.set_metadata("noalias", self._others[array])


def _not_unrolled(module: llvm.Module) -> llvm.MDValue:
    """A loop's metadata."""
    return _itself(module, [module.add_metadata([llvm.MetaDataString(module, "llvm.loop.unroll.disable")])])


def _itself(module: llvm.Module, operands: Sequence[llvm.MDValue]) -> llvm.MDValue:
    """Metadata that name themselves first, so that no two are taken for one."""
    made = _node(module, operands)
    made.operands = (made, *operands)
    return made


def _node(module: llvm.Module, operands: Sequence[llvm.MDValue]) -> llvm.MDValue:
    """New metadata, even where there are equal ones: to look for them would follow what names itself without end."""
    return llvm.MDValue(module, operands, name=str(len(module.metadata)))


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
