"""The process that runs student code. It never imports a solution, a check or the judge."""
