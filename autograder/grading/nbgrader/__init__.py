"""Courses of nbgrader: made and graded here, otherwise run by nbgrader alone."""
