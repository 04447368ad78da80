"""A small notepad that is updated while it runs: tkinter and notsotuf_app.

    python app.py            # during development: there is no stub, and nothing to update
"""

from __future__ import annotations

import queue
import threading
import tkinter
from tkinter import messagebox, ttk
from typing import Callable, Optional, Union

import notsotuf_app

VERSION = "1.0"
NAME = "Notepad"
CHANNELS = {
    "final": "Finished versions",
    "rc": "Also release candidates",
    "b": "Also betas",
    "a": "Everything, also alphas",
}
News = Union[notsotuf_app.Progress, notsotuf_app.Result, notsotuf_app.UpdateError]


class Updates:
    """Fetches updates in a thread, and hands what it has to tell to the thread of the window."""

    def __init__(self, root: tkinter.Tk, tell: Callable[[News], None]) -> None:
        self.root, self.tell = root, tell
        self.news: queue.Queue[News] = queue.Queue()
        self.cancel = threading.Event()
        self.thread: Optional[threading.Thread] = None
        self.again = False
        self._look()

    def fetch(self) -> None:
        """Fetches what is new; anew if that is being done, since something else may be wanted now."""
        if self.thread is not None and self.thread.is_alive():
            self.again = True
            self.cancel.set()
            return
        self.cancel.clear()
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def _work(self) -> None:
        try:
            self.news.put(notsotuf_app.stage(self.news.put, self.cancel))
        except notsotuf_app.UpdateError as error:
            self.news.put(error)

    def _look(self) -> None:
        while not self.news.empty():
            self.tell(self.news.get())
        if self.again and (self.thread is None or not self.thread.is_alive()):
            self.again = False
            self.fetch()
        self.root.after(100, self._look)


class Window:
    """The window of the notepad, with a line about updates at its bottom."""

    def __init__(self) -> None:
        self.root = tkinter.Tk()
        self.page: Optional[tkinter.Toplevel] = None
        self.root.title(f"{NAME} {VERSION}")
        self.root.minsize(520, 320)
        text = tkinter.Text(self.root, height=10, relief="flat", padx=12, pady=12)
        text.insert("1.0", f"This is version {VERSION}.\n")
        text.pack(fill="both", expand=True)
        bar = ttk.Frame(self.root, padding=8)
        bar.pack(fill="x")
        self.word = ttk.Label(bar)
        self.word.pack(side="left")
        ttk.Button(bar, text="Settings…", command=self.settings).pack(side="right")
        self.stop = ttk.Button(bar, text="Cancel", command=self.cancel)
        self.part = ttk.Progressbar(bar, length=160)
        self.root.bind("<Control-comma>", lambda _: self.settings())
        self.updates = Updates(self.root, self.hear)
        self.updates.fetch()

    def hear(self, news: News) -> None:
        """Shows what the updater tells."""
        if isinstance(news, notsotuf_app.Progress):
            self.say(f"{news.step} {news.version or ''}…")
            self.part["value"] = 100 * (news.fraction or 0)
            self.part.pack(side="right", padx=8)
            self.stop.pack(side="right")
            return
        self.part.pack_forget()
        self.stop.pack_forget()
        if isinstance(news, notsotuf_app.UpdateError):
            # Nothing that keeps anybody from writing.
            self.say("" if isinstance(news, notsotuf_app.Cancelled) else str(news))
        elif news.is_staged:
            self.say(f"version {news.version} is ready")
            question = f"Version {news.version} is ready. Restart now?"
            if messagebox.askyesno("Update", question, parent=self.root):
                self.restart()
        else:
            self.say("up to date")

    def say(self, word: str) -> None:
        """Shows a word about updates, for screen readers and the task bar in the title, too."""
        self.word["text"] = word[:60]
        self.root.title(f"{NAME} {VERSION}" + (f": {word}" if word else ""))

    def cancel(self) -> None:
        """Stops the download; the next one continues there."""
        self.updates.cancel.set()

    def restart(self) -> None:
        """Starts the new version in place of this one. An application would save its files first."""
        try:
            notsotuf_app.restart()
        except notsotuf_app.UpdateError as error:
            self.say(str(error))

    def settings(self) -> None:
        """Opens the page with the channel and the version to stay with."""
        if self.page is not None and self.page.winfo_exists():
            self.page.lift()
            return
        page = self.page = tkinter.Toplevel(self.root, padx=16, pady=16)
        page.title("Settings")
        page.transient(self.root)
        try:
            channel, held = notsotuf_app.channel(), notsotuf_app.held()
        except notsotuf_app.UpdateError as error:
            ttk.Label(page, text=str(error), wraplength=360).pack()
            return
        ttk.Label(page, text="Which versions do you want?").pack(anchor="w")
        chosen = tkinter.StringVar(page, channel.channel)
        buttons = [
            ttk.Radiobutton(page, text=text, value=name, variable=chosen, command=lambda: self.choose(chosen.get()))
            for name, text in CHANNELS.items()
        ]
        for button in buttons:
            button.pack(anchor="w", padx=12)
            if channel.fixed_by:
                # An administrator has decided.
                button.state(["disabled"])
        hold = tkinter.BooleanVar(page, held is not None)
        text = f"Stay with version {held or VERSION}"
        stay = ttk.Checkbutton(page, text=text, variable=hold, command=lambda: self.stay(hold.get()))
        stay.pack(anchor="w", pady=(12, 0))
        page.bind("<Escape>", lambda _: page.destroy())
        buttons[0].focus_set()

    def choose(self, channel: str) -> None:
        """Remembers a channel, and looks for what is new on it."""
        try:
            notsotuf_app.set_channel(channel)
        except notsotuf_app.UpdateError as error:
            messagebox.showerror("Settings", str(error), parent=self.root)
        self.updates.fetch()

    def stay(self, hold: bool) -> None:
        """Remembers that this version is to stay, or not."""
        try:
            if hold:
                notsotuf_app.hold()
            else:
                notsotuf_app.unhold()
        except notsotuf_app.UpdateError as error:
            messagebox.showerror("Settings", str(error), parent=self.root)
        self.updates.fetch()


if __name__ == "__main__":
    window = Window()
    # The window is there, so this version works.
    window.root.after_idle(notsotuf_app.ready)
    window.root.mainloop()
