"""Helpers beside the tests are imported by name; pytest's import mode `importlib` does not put this folder on the path."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
