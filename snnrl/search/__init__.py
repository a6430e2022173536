"""Hyperparameter search on Optuna: what is searched (``space``), where trials are kept (``study``), and who tries."""
