"""The site in two steps, pages as Markdown and then an engine.

`write` makes a folder with `mkdocs.yml` and plain Markdown, from `site/docs`, the lessons and what
is generated; `make` builds, serves and checks it. A new page that a person writes is a file in
`site/docs` and a line of `nav` in `site/mkdocs.yml`. One that is generated is a module in `pages`,
listed in `pages.KINDS`, and that line.
"""
