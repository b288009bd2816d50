"""What asv tracks over commits: every metric of the suites named here, which take at most two minutes together."""

from pathlib import Path

from harness.adapters.asv import track

track(globals(), Path(__file__).parent / "smoke.toml")
