"""One run over a class: jobs, sandboxes at work, verdicts remembered."""
