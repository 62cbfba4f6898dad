"""Fill grades into the files that other systems read: pure functions from rows to bytes."""
