"""The engine that checks an exercise, and the rooms that use it: check, audit, build, grade."""
