"""Run one function of ours beside a student's code, out of reach of all else.

`children.Sandbox` starts a zygote (`zygote`), which forks one child a job. `probe` finds how the
child is isolated: in namespaces by bubblewrap, else by Landlock. This package knows nothing of
lessons, checks or grades: a job is bytes in, bytes out.
"""
