"""Makes a container in Azurite: azure_container.py URL NAME

The account and its key are those that every Azurite has
(https://learn.microsoft.com/azure/storage/common/storage-use-azurite), the signature is the one of
https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key.
"""

import base64
import datetime
import hashlib
import hmac
import sys
import urllib.request

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
VERSION = "2021-08-06"

url, name = sys.argv[1:]
now = datetime.datetime.now(datetime.timezone.utc)
date = now.strftime("%a, %d %b %Y %H:%M:%S GMT")
# The method, eleven headers that are empty, then these.
text = "PUT" + "\n" * 12 + (
    f"x-ms-date:{date}\nx-ms-version:{VERSION}\n/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
)
mac = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
headers = {
    "x-ms-date": date,
    "x-ms-version": VERSION,
    "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(mac).decode()}",
    "Content-Length": "0",
}
request = urllib.request.Request(
    f"{url}/{ACCOUNT}/{name}?restype=container", method="PUT", headers=headers
)
assert urllib.request.urlopen(request).status == 201
