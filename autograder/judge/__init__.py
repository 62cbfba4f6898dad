"""The trusted side: expected values, the ladder of rungs, diagnosis by fingerprint, verdicts."""
