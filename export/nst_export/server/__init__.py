"""Exported models behind HTTP: pictures, TensorFlow Serving's REST, KServe v2."""
