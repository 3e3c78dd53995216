"""The command `nst` as `python -m nst_tf`, for where scripts are not on the path."""

import sys

from nst_tf.cli import main

if __name__ == "__main__":
    sys.exit(main())
