"""Grading submissions that nobody has to trust: intake, sandboxed workers, judge, records, reports."""
