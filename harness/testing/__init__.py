"""The conformance kit, which a plugin's author runs on the command line or in pytest, and what tests of plugins share.

A component whose nature breaks a check says so in ``expected_failures``, a class variable that maps
the check's name to the reason; such a failure is counted apart and fails nothing.
"""

from harness.testing.conformance import Conformance
from harness.testing.jobs import run_job
from harness.testing.kit import check, checks_of
from harness.testing.outcomes import Check, Outcome, Problem, Skip

__all__ = ["Check", "Conformance", "Outcome", "Problem", "Skip", "check", "checks_of", "run_job"]
