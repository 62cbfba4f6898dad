"""Given code: models, photos, data sets, scenes, plots and devices.

Lessons never edit it.
"""
