"""What the C library keeps of freed memory, for those who compute."""

from nst_tf.machine import trim_heap

__all__ = ["trim_heap"]
