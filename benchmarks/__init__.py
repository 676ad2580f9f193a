"""What is measured about speed and memory; `run.py` is the entry."""
