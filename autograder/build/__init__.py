"""Make stubs, notebooks and pages from the sources, and audit lessons."""
