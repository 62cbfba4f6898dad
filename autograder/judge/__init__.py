"""Compare answers with expectations and give verdicts, on the trusted side."""
