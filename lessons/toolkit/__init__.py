"""Given code: models, photos, data sets, scenes, plots and devices. Read it, use it; lessons never ask you to edit it."""
