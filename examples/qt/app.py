"""A small picture viewer that is updated while it runs: PySide6 and notsotuf_app.

    python app.py            # during development: there is no stub, and nothing to update
"""

from __future__ import annotations

import sys
import threading
from typing import Union

import notsotuf_app
from PySide6.QtCore import QObject, Qt, QThread, QTimer, Signal
from PySide6.QtGui import QColor, QKeySequence, QLinearGradient, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QApplication,
    QButtonGroup,
    QCheckBox,
    QDialog,
    QLabel,
    QMainWindow,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

VERSION = "1.0"
NAME = "Picture Viewer"
CHANNELS = {
    "final": "Finished versions",
    "rc": "Also release candidates",
    "b": "Also betas",
    "a": "Everything, also alphas",
}
News = Union[notsotuf_app.Progress, notsotuf_app.Result, notsotuf_app.UpdateError]


class Fetch(QThread):
    """Fetches what is new. Signals reach the window in its own thread."""

    news = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.cancel = threading.Event()

    def run(self) -> None:
        try:
            self.news.emit(notsotuf_app.stage(self.news.emit, self.cancel))
        except notsotuf_app.UpdateError as error:
            self.news.emit(error)


class Picture(QWidget):
    """What the application is there for."""

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        sky = QLinearGradient(0, 0, 0, self.height())
        sky.setColorAt(0, QColor("#2b5876"))
        sky.setColorAt(1, QColor("#f8b195"))
        painter.fillRect(self.rect(), sky)
        painter.setPen(QColor("white"))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, f"This is version {VERSION}.")


class Window(QMainWindow):
    """The window of the viewer, with a line about updates at its bottom."""

    def __init__(self) -> None:
        super().__init__()
        self.setWindowTitle(f"{NAME} {VERSION}")
        self.setCentralWidget(Picture())
        self.resize(560, 360)
        self.word, self.part = QLabel(), QProgressBar()
        self.stop, settings = QPushButton("Cancel"), QPushButton("Settings…")
        self.part.setMaximumWidth(160)
        self.part.setRange(0, 100)
        settings.setShortcut(QKeySequence("Ctrl+,"))
        settings.clicked.connect(self.settings)
        bar = self.statusBar()
        bar.addWidget(self.word, 1)
        for widget in (self.part, self.stop, settings):
            bar.addPermanentWidget(widget)
        self.busy(False)
        self.again = False
        self.fetch = Fetch(self)
        self.stop.clicked.connect(self.fetch.cancel.set)
        self.fetch.news.connect(self.hear)
        self.fetch.finished.connect(self.over)
        self.look()

    def look(self) -> None:
        """Fetches what is new; anew if that is being done, since something else may be wanted now."""
        if self.fetch.isRunning():
            self.again = True
            self.fetch.cancel.set()
            return
        self.fetch.cancel.clear()
        self.fetch.start()

    def over(self) -> None:
        if self.again:
            self.again = False
            self.look()

    def hear(self, news: News) -> None:
        """Shows what the updater tells."""
        if isinstance(news, notsotuf_app.Progress):
            self.busy(True)
            self.say(f"{news.step} {news.version or ''}…")
            self.part.setValue(int(100 * (news.fraction or 0)))
            return
        self.busy(False)
        if isinstance(news, notsotuf_app.UpdateError):
            # Nothing that keeps anybody from looking at pictures.
            self.say("" if isinstance(news, notsotuf_app.Cancelled) else str(news))
        elif news.is_staged:
            self.say(f"version {news.version} is ready")
            question = f"Version {news.version} is ready. Restart now?"
            if QMessageBox.question(self, "Update", question) == QMessageBox.StandardButton.Yes:
                self.restart()
        else:
            self.say("up to date")

    def busy(self, busy: bool) -> None:
        self.part.setVisible(busy)
        self.stop.setVisible(busy)

    def say(self, word: str) -> None:
        """Shows a word about updates, for screen readers and the task bar in the title, too."""
        self.word.setText(word)
        self.setWindowTitle(f"{NAME} {VERSION}" + (f": {word}" if word else ""))

    def restart(self) -> None:
        """Starts the new version in place of this one. An application would save its files first."""
        try:
            notsotuf_app.restart()
        except notsotuf_app.UpdateError as error:
            self.say(str(error))

    def settings(self) -> None:
        """Opens the page with the channel and the version to stay with."""
        page = QDialog(self)
        page.setWindowTitle("Settings")
        box = QVBoxLayout(page)
        try:
            channel, held = notsotuf_app.channel(), notsotuf_app.held()
        except notsotuf_app.UpdateError as error:
            box.addWidget(QLabel(str(error)))
            page.exec()
            return
        box.addWidget(QLabel("Which versions do you want?"))
        group = QButtonGroup(page)
        for name, text in CHANNELS.items():
            button = QRadioButton(text)
            button.setChecked(name == channel.channel)
            # Not where an administrator has decided.
            button.setEnabled(channel.fixed_by is None)
            button.setObjectName(name)
            group.addButton(button)
            box.addWidget(button)
        group.buttonClicked.connect(lambda button: self.choose(button.objectName()))
        stay = QCheckBox(f"Stay with version {held or VERSION}")
        stay.setChecked(held is not None)
        stay.toggled.connect(self.stay)
        box.addWidget(stay)
        page.exec()

    def choose(self, channel: str) -> None:
        """Remembers a channel, and looks for what is new on it."""
        try:
            notsotuf_app.set_channel(channel)
        except notsotuf_app.UpdateError as error:
            QMessageBox.critical(self, "Settings", str(error))
        self.look()

    def stay(self, hold: bool) -> None:
        """Remembers that this version is to stay, or not."""
        try:
            if hold:
                notsotuf_app.hold()
            else:
                notsotuf_app.unhold()
        except notsotuf_app.UpdateError as error:
            QMessageBox.critical(self, "Settings", str(error))
        self.look()


if __name__ == "__main__":
    application = QApplication(sys.argv)
    window = Window()
    window.show()
    # Once the window is there, this version works.
    QTimer.singleShot(0, notsotuf_app.ready)
    code = application.exec()
    # A thread of Qt must not be running when its object goes.
    window.fetch.cancel.set()
    window.fetch.wait()
    sys.exit(code)
