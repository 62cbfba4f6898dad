"""pytest as a grader: `pytest --convlens-submission FILE`."""
