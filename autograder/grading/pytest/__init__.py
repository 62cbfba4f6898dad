"""Grade with pytest: `pytest --convlens-submission FILE`."""
