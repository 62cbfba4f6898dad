"""Import pyplot ahead of all children, where nothing can be written.

It takes a child half a second of processor. A cache of fonts is wanted for it in a folder that can
be written, which a zygote has not; and while fonts are looked for, a second thread waits.
"""

import os
import threading

_access = os.access
try:
    os.access = lambda *_, **__: True  # of the folder, which each child has
    import matplotlib.pyplot  # noqa: F401
finally:
    os.access = _access
for _thread in threading.enumerate():
    if _thread is not threading.current_thread():
        _thread.join(10)
