"""The site: pages of the lessons, figures, the build and its inspection."""
