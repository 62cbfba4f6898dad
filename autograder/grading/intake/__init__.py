"""From a folder of files to submissions: nothing of a student is run here."""
