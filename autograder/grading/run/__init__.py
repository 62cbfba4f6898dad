"""Grade one class: jobs, sandboxes at work, verdicts remembered."""
