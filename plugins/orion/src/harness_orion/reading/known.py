"""Functions and methods that a body may call: what each does to its arguments' memory."""

from __future__ import annotations


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


PURE_METHODS = _names(
    "all any argmax argmin argsort astype bit_length copy count cumprod cumsum dot get index item keys max mean min"
    " nonzero prod round searchsorted std sum take tobytes tolist trace var"
)
VIEW_METHODS = _names("conj diagonal items ravel reshape squeeze swapaxes transpose values view")
WRITING_METHODS = _names("fill itemset partition put resize sort")
KEEPING_METHODS = _names("add append extend insert setdefault update")

PURE_BUILTINS = (abs, bool, complex, divmod, float, int, len, pow, range, round, str)
PICKING_BUILTINS = (iter, max, min, next, sum)
COLLECTING_BUILTINS = (dict, enumerate, frozenset, list, reversed, set, sorted, tuple, zip)

PURE_NUMPY = _names(
    "all allclose any arange argmax argmin argsort array array_equal average bincount clip concatenate convolve copy"
    " count_nonzero cross cumprod cumsum diff dot empty empty_like eye flatnonzero full full_like histogram hstack"
    " identity inner interp isclose isin kron linspace matmul max mean min nonzero ones ones_like outer prod repeat"
    " round searchsorted sort stack std sum take tensordot tile trace triu tril unique var vdot vstack where zeros"
    " zeros_like"
)
VIEWING_NUMPY = _names(
    "asarray ascontiguousarray atleast_1d atleast_2d broadcast_to diag diagonal expand_dims flip moveaxis ravel real"
    " reshape squeeze swapaxes transpose"
)
WRITING_NUMPY = _names("copyto fill_diagonal place put put_along_axis putmask")
TRUTH_NUMPY = _names("all allclose any array_equal isclose isin")
