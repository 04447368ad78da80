"""tufup_client.py URL FOLDER VERSION: what an application that updates itself by tufup does at its
start, in FOLDER, which has metadata/root.json and install/. Prints what it found."""

import pathlib
import sys

from tufup.client import Client

url, folder, version = sys.argv[1:]
folder = pathlib.Path(folder)
for name in ["targets", "extract"]:
    (folder / name).mkdir(exist_ok=True)
client = Client(
    app_name="app",
    app_install_dir=folder / "install",
    current_version=version,
    metadata_dir=folder / "metadata",
    metadata_base_url=url + "/metadata/",
    target_dir=folder / "targets",
    target_base_url=url + "/targets/",
    extract_dir=folder / "extract",
    refresh_required=True,
)
found = client.check_for_updates()
print("found", found and found.version, flush=True)
if found:
    # Starts a script that moves the files, and ends this program.
    client.download_and_apply_update(skip_confirmation=True, log_file_name="install.log")
    print("still here", flush=True)
