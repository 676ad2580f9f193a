"""A logger: one line for each epoch, and what came out."""

from typing import Literal

from pydantic import Field

from spinhw.training import LoggerSettings


class NotebookSettings(LoggerSettings):
    """A text file in the run folder."""

    kind: Literal["notebook"] = Field(description="A text file in the run folder.")
    file: str = Field(default="notebook.txt", description="Name of the file.")

    def open(self, folder):
        return Notebook(folder / self.file)


class Notebook:
    def __init__(self, path):
        self.path = path

    def on(self, event):
        if event["event"] in ("epoch", "summary"):
            with self.path.open("a", encoding="utf-8") as file:
                print(event["event"], event.get("epoch", ""), event.get("loss", ""), file=file)
