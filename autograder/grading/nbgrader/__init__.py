"""Courses of nbgrader: made here, graded by us, and otherwise run by nbgrader alone."""
