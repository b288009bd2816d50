"""Compiling LIBMF for this machine, with calls added that tell when passes begin and end.

The binding's own build has no SSE or AVX and takes ids as float32, which corrupts those over 2 ** 24;
this one is LIBMF's source as it is, but for those calls, in the loop that waits for a pass's threads.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from pathlib import Path

from harness import HarnessError
from harness_peers.libmf import SOURCE

FLAGS = ("-O3", "-march=native", "-std=c++11", "-pthread", "-shared", "-fPIC")
HOOKS = """extern "C" {
void (*pass_ended)(int);
int (*scored)(int, double, double);
void set_hooks(void (*ended)(int), int (*score)(int, double, double)) { pass_ended = ended; scored = score; }
}

"""
THREADS = "    vector<shared_ptr<SolverBase>> solvers(param.nr_threads);\n    vector<thread> threads;\n"
BEGIN = "    pass_ended(-1);\n"
ENDED = "        sched.wait_for_jobs_done();\n\n        if(!param.quiet)\n        {\n            mf_double reg = 0;\n"
TELL = """        sched.wait_for_jobs_done();
        pass_ended(iter);
        {
            Block held_out(va->R, va->R+va->nnz);
            vector<BlockBase*> parts(1, &held_out);
            vector<mf_int> numbers(1, 0);
            mf_double error = util.calc_error(parts, numbers, *model)/va->nnz;
            if(scored(iter, scale*scale*sched.get_error()/tr->nnz, scale*sqrt(error)))
                param.nr_iters = 0;
        }
"""


def built() -> Path:
    """The shared object, compiled if this machine has none of this source yet."""
    folder = SOURCE.fetch()
    text = hooked((folder / "mf.cpp").read_text(encoding="utf-8"))
    flags = (*FLAGS, *vector_flags())
    key = hashlib.sha256("\0".join([text, *flags, platform.node(), _processor()]).encode()).hexdigest()[:16]
    made = folder / f"libmf-{key}.so"
    if not made.exists():
        _compile(text, flags, made)
    return made


def hooked(text: str) -> str:
    """LIBMF's source with the calls; each place must be there once."""
    places = {
        THREADS: BEGIN + THREADS,
        ENDED: TELL + ENDED.split("\n", 1)[1],
    }
    for place, replacement in places.items():
        before, found, after = text.partition(place)
        if not found:
            raise HarnessError("LIBMF's source is not the one that is known", where=str(SOURCE.folder))
        text = before + replacement + after
    return HOOKS + text


def vector_flags() -> tuple[str, ...]:
    """The vector instructions that LIBMF has code for and this processor has."""
    flags = _processor().split()
    return ("-DUSEAVX",) if "avx" in flags else ("-DUSESSE",) if "sse3" in flags or "pni" in flags else ()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith("flags")), platform.processor())


def _compile(text: str, flags: tuple[str, ...], made: Path) -> None:
    source, temporary = (made.with_suffix(f".{os.getpid()}{end}") for end in (".cpp", ".so"))
    source.write_text(text, encoding="utf-8")
    try:
        subprocess.run(
            ["g++", *flags, f"-I{made.parent}", str(source), "-o", str(temporary)],
            check=True,
            capture_output=True,
            text=True,
            timeout=300,
        )
    except subprocess.CalledProcessError as error:
        said = next(
            (line for line in error.stderr.splitlines() if "error" in line), f"g++ ended with {error.returncode}"
        )
        raise HarnessError(f"LIBMF does not compile here: {said}") from None
    finally:
        source.unlink()
    temporary.replace(made)
