"""A repository of PyUpdater 4, in the working directory. Prints one JSON object.

pyupdater_repo.py init NAME URL                    settings, and a keypack that is imported
pyupdater_repo.py archive NAME BUNDLE VERSION FORMAT   a bundle becomes an archive in pyu-data/new
pyupdater_repo.py relist ARCHIVE VERSION           an archive gets another version, signed

`pyupdater init` asks questions; this calls what is behind it.
"""

import json
import os
import pathlib
import shutil
import sys

from pyupdater.core import PyUpdater
from pyupdater.core.key_handler.keys import KeyImporter, Keys
from pyupdater.utils import make_archive
from pyupdater.utils.config import Config, ConfigManager


def init(name, url):
    # Offline keys are made on another computer; here, in another folder.
    os.makedirs("private/data")
    Keys(test=True).make_keypack(name)
    config = Config()
    config.APP_NAME = name
    config.COMPANY_NAME = "E2E"
    config.UPDATE_URLS = [url]
    # Patches need the archives of all versions to be of one form.
    config.UPDATE_PATCHES = False
    PyUpdater(config).setup()
    manager = ConfigManager()
    manager.save_config(config)
    assert KeyImporter().start()
    manager.save_config(config)
    return {}


def archive(name, bundle, version, form):
    """What `pyupdater build` does after PyInstaller is done."""
    from dsdev_utils.system import get_system

    built = get_system()
    new = pathlib.Path("pyu-data/new").resolve()
    bundle = pathlib.Path(bundle).resolve()
    back = os.getcwd()
    os.chdir(new)
    if bundle.is_dir():
        shutil.copytree(bundle, built, symlinks=True)
        os.rename(f"{built}/{name}", f"{built}/{built}")
    else:
        shutil.copy(bundle, built)
    made = make_archive(name, built, version, form)
    if bundle.is_dir():
        shutil.rmtree(built)
    else:
        os.remove(built)
    os.chdir(back)
    return {"archive": made}


def relist(archive, version):
    pyupdater = PyUpdater(ConfigManager().load_config())
    data = pyupdater.ph.version_data
    for versions in data["updates"].values():
        for old, platforms in list(versions.items()):
            if any(entry["filename"] == archive for entry in platforms.values()):
                versions[version] = versions.pop(old)
    pyupdater.ph._write_json_to_file(data)
    pyupdater.sign_update(False)
    return {}


commands = {"init": init, "archive": archive, "relist": relist}
result = commands[sys.argv[1]](*sys.argv[2:])
json.dump(result, sys.stdout)
