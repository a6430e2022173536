"""The trainer, the tasks that it drives, and what it needs: rollouts, evaluation, checkpoints, loggers, progress."""
