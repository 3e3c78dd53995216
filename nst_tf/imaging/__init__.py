"""Image files and pictures as float32 RGB 0..1 arrays; the only room with Pillow."""
