"""An application that updates itself by PyUpdater 4, as its documentation says."""

import json
import os
import sys

from client_config import ClientConfig
from pyupdater.client import Client

VERSION = "1.0"
# Where the test serves it.
ClientConfig.UPDATE_URLS = [os.environ["E2E_URL"]]

client = Client(ClientConfig(), refresh=True, data_dir=os.environ["E2E_DATA"])
update = client.update_check(client.app_name, VERSION)
if update is not None and update.download():
    # Does not come back: the new version is started in its place.
    update.extract_restart()
json.dump({"version": VERSION, "args": sys.argv[1:]}, sys.stdout)
