"""Turn a folder of files into submissions, running nothing of a student."""
