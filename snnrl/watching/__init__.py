"""An agent to look at while it plays: a live page, and the same page as one file."""
