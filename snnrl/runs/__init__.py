"""Many runs: one description of them (``work``), who carries them out (``executors``), and what is seen of that."""
