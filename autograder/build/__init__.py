"""Everything made from the sources: stubs, notebooks, pages, and the authors' gate."""
