"""An exported folder as a repository of the Hugging Face Hub.

Reference:
    https://huggingface.co/docs/hub/model-cards
"""

from pathlib import Path

from nst_tf import __version__
from nst_tf.commands.needs import check_extra
from nst_tf.settings.checks import InputError


def check_repository(name: str) -> None:
    """Refuse a name that the Hub would, before any work.

    Raises:
        InputError: It is no OWNER/NAME, or huggingface_hub is not installed.
    """
    check_extra("hub", command="export --push-to-hub")
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise InputError(
            f"--push-to-hub takes OWNER/NAME, got {name!r}: {error}"
        ) from error


def push(folder: Path, repository: str) -> str:
    """Upload an exported folder; its README.md is the model card.

    The token is the one that `hf auth login` or HF_TOKEN gave.

    Args:
        folder: What `export_model` wrote.
        repository: OWNER/NAME; made if it is not there.

    Returns:
        The address of the upload.

    Raises:
        InputError: The Hub can't be reached, or refuses.
    """
    from huggingface_hub import HfApi

    api = HfApi(library_name="nst-tf", library_version=__version__)
    try:
        made = api.create_repo(repository, repo_type="model", exist_ok=True)
        done = api.upload_folder(
            folder_path=folder,
            repo_id=made.repo_id,
            commit_message=f"nst export {__version__}",
        )
    except Exception as error:  # Its HTTP library, and so its errors, have changed.
        reason = str(error).strip().splitlines()
        raise InputError(
            f"{folder} is written, but can't be pushed to {repository}:"
            f" {reason[0] if reason else type(error).__name__}"
        ) from error
    return str(done.commit_url)
