"""Import in the zygote what its children may need.

The zygote can write and read little.

pyplot takes a child half a second of processor. It wants a cache of fonts in a folder that can be
written, which a zygote has not; and while it looks for fonts, a second thread waits.
"""

import os
import threading

import threadpoolctl

_access = os.access
try:
    os.access = lambda *_, **__: True  # of the folder, which each child has
    import matplotlib.pyplot  # noqa: F401
finally:
    os.access = _access
for _thread in threading.enumerate():
    if _thread is not threading.current_thread():
        _thread.join(10)
# scikit-learn asks it for thread pools. Under Landlock there is a /proc that must not be read.
threadpoolctl._HAS_PROCFS = False
