"""Which data sets are at hand; tests that need one that is not are skipped."""

from __future__ import annotations

import pytest

from snnrl.datafiles import data_files, data_folder

DIGITS = data_files("MNIST", data_folder())[0].is_file()
needs_digits = pytest.mark.skipif(not DIGITS, reason="needs MNIST, in the folder that SNNRL_DATA names")
