"""One worker: a runtime of its own that paints what it is told, file after file."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from nst_export.bulk.tasks import Result, Setup, Task
from nst_export.painting import painted
from nst_export.runtime.stylizer import Stylizer, bundled, model_file
from nst_tf import __version__
from nst_tf.commands import console
from nst_tf.settings.checks import MIN_SIDE, InputError
from nst_tf.storage import Store


class Worker:
    """Reads, paints and writes photographs; what is wrong with one is its result.

    While one is painted the next is read and the last written, so that it holds four
    files at most.

    Args:
        setup: What all workers have in common; loaded with the first photographs, so
            that a failure is an answer.
    """

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self._model: Stylizer | None = None
        self._stores: dict[str, Store] = {}

    def __call__(self, tasks: Sequence[Task]) -> list[Result]:
        """Paint photographs; return what became of each, in order."""
        try:
            model = self._loaded()
        except InputError as error:
            return [Result(task.place, task.output, fatal=str(error)) for task in tasks]
        results: list[Result] = []
        with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
            ahead = reader.submit(self._read, tasks[0])
            writing: Future[Result] | None = None
            for number, task in enumerate(tasks):
                data = ahead.result()
                if number + 1 < len(tasks):
                    ahead = reader.submit(self._read, tasks[number + 1])
                made = self._paint(model, task, data)
                if writing is not None:
                    results.append(writing.result())
                writing = writer.submit(self._write, task, made)
            if writing is not None:
                results.append(writing.result())
        return results

    def _loaded(self) -> Stylizer:
        """Return the model, loaded and warm."""
        if self._model is None:
            setup = self.setup
            if setup.version != __version__:
                raise InputError(
                    f"a worker has nst-tf {__version__}, this machine {setup.version}:"
                    " install one version on all"
                )
            # What LiteRT says of its first pass would break the progress bar.
            with console.silence():
                path = model_file(setup.model) if setup.model else bundled()
                model = Stylizer.load(path, engine=setup.engine, threads=setup.threads)
                first = [1.0] + [0.0] * len(model.styles)
                model(np.zeros((MIN_SIDE, MIN_SIDE, 3), "float32"), first)
            self._model = model
        return self._model

    def _store(self, place: str) -> Store:
        if place not in self._stores:
            self._stores[place] = Store(place)
        return self._stores[place]

    def _read(self, task: Task) -> bytes | str:
        """Return the bytes of a photograph, or why there are none."""
        try:
            return self._store(task.place).read(task.name)
        except InputError as error:
            return str(error)

    def _paint(self, model: Stylizer, task: Task, data: bytes | str) -> Any:
        """Return the bytes of a picture and what they lack, or why there are none."""
        if isinstance(data, str):
            return data
        name = self._store(task.place).url(task.name)
        try:
            return painted(
                *(model, data, self.setup.looks[task.look], self.setup.manner),
                output=PurePosixPath(task.output),
                name=name,
            )
        except InputError as error:
            return str(error)
        except Exception as error:  # One photograph must not end a run of millions.
            return f"{name} can't be painted: {type(error).__name__}: {error}"

    def _write(self, task: Task, made: Any) -> Result:
        """Write a picture."""
        path = self._store(task.place).url(task.name)
        if isinstance(made, str):
            return Result(path, task.output, error=made)
        data, lost = made
        store = self._store(self.setup.output)
        try:
            store.write(task.output, data)
        except InputError as error:
            return Result(path, task.output, error=str(error))
        room = f"{store.url(task.output)} has no room for {', '.join(lost)}"
        return Result(path, task.output, note=room if lost else "")
