"""Takes its time to be imported; says so with a file where ``LINGERING`` names one."""

import os
import time
from pathlib import Path

if sign := os.environ.get("LINGERING"):
    Path(sign).touch()
    time.sleep(2)
