"""The runner, and what it needs: rollouts, evaluation, checkpoints, loggers, progress."""
