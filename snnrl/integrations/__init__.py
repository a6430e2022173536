"""Bridges to other libraries; leaves, which only commands and :mod:`snnrl.loading` know."""
