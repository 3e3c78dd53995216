"""The settings of a training, where recipes' users look for them."""

from nst_tf.settings import recipe_file, train
from nst_training import settings


def test_the_names_are_those_of_the_core_which_export_reads_recipes_with_too():
    for name in settings.__all__:
        home = recipe_file if name == "read_recipe" else train
        assert getattr(settings, name) is getattr(home, name)
