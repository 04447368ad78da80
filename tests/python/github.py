"""Stands in for GitHub, with one repository, me/app: github.py PORT OBJECTS_PORT

It answers as https://docs.github.com/rest describes: the git database, releases and their files,
pages of lists, limits, and what clients fetch: files of branches (/raw) and of releases, which
redirect to another host (here another port) that accepts no further credentials. A test changes
how it behaves, and asks what it was asked, at /-/ of the first port.
"""

import base64
import email.utils
import hashlib
import json
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, unquote_plus, urlsplit

TOKEN = "ghp_secret"
LOCK = threading.RLock()
# What a test may change.
STATE = {
    # Without a first commit.
    "empty": False,
    "private": False,
    # Renamed to this.
    "moved": None,
    # Answers to come, before any other: [method, part of the path, status, headers].
    "faults": [],
    # The next so many files are announced, and do not arrive.
    "lost": 0,
    # Before the branch is led on, somebody else commits this text to metadata/timestamp.json.
    "race": None,
    # Tokens may not write.
    "read_only": False,
    # So many files of others are in the release before ours.
    "others": 0,
    # So many times the branch is served as it was before its last commit.
    "stale": 0,
}
OBJECTS = {}
REFS = {}
BEFORE = {}
RELEASES = {}
ASSETS = {}
LOG = []


def main():
    port, objects = map(int, sys.argv[1:])
    Handler.port, Handler.objects = port, objects
    threading.Thread(target=serve, args=(objects, Objects), daemon=True).start()
    serve(port, Handler)


def serve(port, handler):
    ThreadingHTTPServer(("127.0.0.1", port), handler).serve_forever()


def put(kind, value):
    data = value if isinstance(value, bytes) else json.dumps(value, sort_keys=True).encode()
    sha = hashlib.sha1(f"{kind} {len(data)}\0".encode() + data).hexdigest()
    OBJECTS[sha] = (kind, value)
    return sha


class Base(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send(self, status, body=b"", headers=()):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def note(self):
        path = self.path.split("?")[0]
        LOG.append([self.server.server_port, self.command, path, self.headers.get("Authorization")])


class Objects(Base):
    """The host of the files."""

    def do_GET(self):
        self.note()
        path, _, query = self.path.partition("?")
        asset = ASSETS.get(int(path.rsplit("/", 1)[1]))
        # It is the query that grants access: with two kinds of credentials it refuses.
        if self.headers.get("Authorization"):
            return self.send(400, b"Only one auth mechanism allowed")
        if query != "signature=sound":
            return self.send(403)
        if asset is None:
            return self.send(404)
        data = asset["data"]
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not wanted:
            return self.send(200, data, {"Accept-Ranges": "bytes"})
        start = int(wanted[1])
        if start >= len(data):
            return self.send(416)
        place = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self.send(206, data[start:], {"Content-Range": place})


class Handler(Base):
    """The web site, the API and the server that takes files."""

    def do_GET(self):
        self.answer()

    do_POST = do_PATCH = do_DELETE = do_GET

    def answer(self):
        self.body = b""
        if "Content-Length" in self.headers:
            self.body = self.rfile.read(int(self.headers["Content-Length"]))
        split = urlsplit(self.path)
        path, self.query = unquote(split.path), split.query
        with LOCK:
            if path.startswith("/-/"):
                return self.steer(path[3:])
            self.note()
            for fault in list(STATE["faults"]):
                method, part, status, headers = fault
                if method == self.command and part in path:
                    STATE["faults"].remove(fault)
                    return self.send(status, {"message": "as the test wants it"}, headers)
            if path.startswith("/raw/me/app/"):
                return self.raw(*path[len("/raw/me/app/") :].split("/", 1))
            download = re.fullmatch(r"/me/app/releases/download/([^/]+)/([^/]+)", path)
            if download:
                return self.download(*download.groups())
            if not self.headers.get("User-Agent"):
                return self.send(403, {"message": "Request forbidden by administrative rules."})
            match = re.fullmatch(r"/(api|uploads)/repos/([^/]+/[^/]+)(/.*)?", path)
            if not match:
                return self.send(404, {"message": "Not Found"})
            return self.api(*match.groups())

    def steer(self, what):
        if what == "set":
            STATE.update(json.loads(self.body))
        if what == "tamper":
            # Somebody who may write to the repository, and has no key.
            self.tamper(**json.loads(self.body))
        release = RELEASES.get("updates", {"id": None})
        return self.send(200, {
            "log": LOG,
            "refs": REFS,
            "commits": self.history("updates"),
            "files": self.files(REFS.get("updates")),
            "assets": {
                asset["name"]: asset["state"]
                for asset in ASSETS.values()
                if asset["release"] == release["id"] and not asset["name"].startswith("other-")
            },
        })

    def tamper(self, path, old, new):
        files = self.files(REFS["updates"])
        content = OBJECTS[files[path]][1].replace(old.encode(), new.encode())
        files[path] = put("blob", content)
        self.commit_of(files, "tampered")

    def commit_of(self, files, message):
        parent = REFS.get("updates")
        tree = put("tree", {**files})
        REFS["updates"] = put("commit", {"tree": tree, "parents": [parent] if parent else [], "message": message})

    def history(self, branch):
        found, sha = [], REFS.get(branch)
        while sha:
            commit = OBJECTS[sha][1]
            found.append(commit["message"])
            sha = commit["parents"][0] if commit["parents"] else None
        return found

    def files(self, commit):
        return dict(OBJECTS[OBJECTS[commit][1]["tree"]][1]) if commit else {}

    # What clients fetch.

    def raw(self, branch, path):
        commit = REFS.get(branch)
        if STATE["stale"] and path.endswith("timestamp.json"):
            STATE["stale"] -= 1
            commit = BEFORE.get(branch)
        sha = self.files(commit).get(path)
        if STATE["private"] or sha is None:
            return self.send(404, b"404: Not Found")
        etag = {"ETag": f'"{sha}"', "Cache-Control": "max-age=300"}
        if self.headers.get("If-None-Match") == etag["ETag"]:
            return self.send(304, b"", etag)
        self.send(200, OBJECTS[sha][1], {**etag, "Content-Type": "text/plain; charset=utf-8"})

    def download(self, tag, name):
        release = RELEASES.get(tag)
        for asset in ASSETS.values():
            whole = asset["name"] == name and asset["state"] == "uploaded"
            if release and whole and asset["release"] == release["id"] and not STATE["private"]:
                return self.send(302, b"", {"Location": self.elsewhere(asset)})
        self.send(404, b"Not Found")

    def elsewhere(self, asset):
        return f"http://127.0.0.1:{self.objects}/{asset['id']}?signature=sound"

    # The API.

    def api(self, host, repository, path):
        path = path or ""
        given = self.headers.get("Authorization")
        if given and given != f"Bearer {TOKEN}":
            return self.send(401, {"message": "Bad credentials"})
        if STATE["moved"]:
            to = f"http://127.0.0.1:{self.port}/api/repositories/1{path}"
            return self.send(301, {"message": "Moved Permanently", "url": to}, {"Location": to})
        if repository != "me/app" or STATE["private"] and not given:
            return self.send(404, {"message": "Not Found"})
        if self.command != "GET":
            if not given:
                return self.send(401, {"message": "Requires authentication"})
            if STATE["read_only"]:
                message = "Resource not accessible by integration"
                return self.send(403, {"message": message})
        if host == "uploads":
            return self.take(path)
        for method, pattern, do in ROUTES:
            match = re.fullmatch(pattern, path)
            if match and method == self.command:
                return do(self, *match.groups())
        self.send(404, {"message": "Not Found"})

    def json(self):
        return json.loads(self.body)

    def about(self):
        self.send(200, {"full_name": "me/app", "private": STATE["private"], "default_branch": "main"})

    def get_ref(self, branch):
        if STATE["empty"]:
            return self.send(409, {"message": "Git Repository is empty."})
        sha = REFS.get(branch)
        if not sha:
            return self.send(404, {"message": "Not Found"})
        ref = {"ref": f"refs/heads/{branch}", "object": {"type": "commit", "sha": sha}}
        self.send(200, ref)

    def get_object(self, kind, sha):
        found = OBJECTS.get(sha, (None, None))
        if found[0] != kind:
            return self.send(404, {"message": "Not Found"})
        value = found[1]
        if kind == "blob":
            # In lines, as the real one.
            content = base64.encodebytes(value).decode()
            return self.send(200, {"sha": sha, "size": len(value), "content": content, "encoding": "base64"})
        self.send(200, {"sha": sha, "tree": {"sha": value["tree"]}, "parents": value["parents"]})

    def get_tree(self, sha):
        kind, files = OBJECTS.get(sha, (None, None))
        if kind != "tree":
            return self.send(404, {"message": "Not Found"})
        entries, folders = [], {}
        for path, blob in files.items():
            folder, slash, rest = path.partition("/")
            if slash:
                folders.setdefault(folder, {})[rest] = blob
            else:
                size = len(OBJECTS[blob][1])
                entries.append({"path": path, "mode": "100644", "type": "blob", "sha": blob, "size": size})
        for folder, below in folders.items():
            entries.append({"path": folder, "mode": "040000", "type": "tree", "sha": put("tree", below)})
        self.send(200, {"sha": sha, "tree": entries, "truncated": False})

    def post_blob(self):
        body = self.json()
        assert body["encoding"] == "base64"
        self.send(201, {"sha": put("blob", base64.b64decode(body["content"], validate=True))})

    def post_tree(self):
        body = self.json()
        files = {}
        if "base_tree" in body:
            files = dict(OBJECTS[body["base_tree"]][1])
        for entry in body["tree"]:
            if entry["sha"] is None:
                if entry["path"] not in files:
                    return self.send(422, {"message": "GitRPC::BadObjectState"})
                del files[entry["path"]]
            elif OBJECTS.get(entry["sha"], [None])[0] != "blob":
                return self.send(422, {"message": "tree.sha is not a valid blob"})
            else:
                files[entry["path"]] = entry["sha"]
        self.send(201, {"sha": put("tree", files)})

    def post_commit(self):
        body = self.json()
        commit = {"tree": body["tree"], "parents": body["parents"], "message": body["message"]}
        self.send(201, {"sha": put("commit", commit)})

    def race(self):
        if STATE["race"]:
            files = self.files(REFS.get("updates"))
            files["metadata/timestamp.json"] = put("blob", STATE["race"].encode())
            self.commit_of(files, "somebody else")
            STATE["race"] = None

    def post_ref(self):
        self.race()
        body = self.json()
        branch = body["ref"].removeprefix("refs/heads/")
        if branch in REFS:
            return self.send(422, {"message": "Reference already exists"})
        REFS[branch] = body["sha"]
        self.send(201, {"ref": body["ref"], "object": {"sha": body["sha"]}})

    def patch_ref(self, branch):
        self.race()
        body = self.json()
        if branch not in REFS:
            return self.send(422, {"message": "Reference does not exist"})
        parents = OBJECTS[body["sha"]][1]["parents"]
        if not body["force"] and REFS[branch] not in (*parents, body["sha"]):
            return self.send(422, {"message": "Update is not a fast forward"})
        BEFORE[branch], REFS[branch] = REFS[branch], body["sha"]
        self.send(200, {"ref": f"refs/heads/{branch}", "object": {"sha": body["sha"]}})

    def release_of(self, release):
        return {
            "id": release["id"],
            "tag_name": release["tag_name"],
            "upload_url": f"http://127.0.0.1:{self.port}/uploads/repos/me/app/releases/{release['id']}/assets{{?name,label}}",
        }

    def get_release(self, tag):
        if tag not in RELEASES:
            return self.send(404, {"message": "Not Found"})
        self.send(200, self.release_of(RELEASES[tag]))

    def post_release(self):
        body = self.json()
        if STATE["empty"]:
            return self.send(422, {"message": "Validation Failed", "errors": [{"message": "Repository is empty."}]})
        if body["tag_name"] in RELEASES:
            error = {"resource": "Release", "code": "already_exists", "field": "tag_name"}
            return self.send(422, {"message": "Validation Failed", "errors": [error]})
        release = {**body, "id": len(RELEASES) + 1}
        RELEASES[body["tag_name"]] = release
        for number in range(STATE["others"]):
            add_asset(release["id"], f"other-{number}", b"x", "uploaded")
        self.send(201, self.release_of(release))

    def list_assets(self, release):
        query = parse_qs(self.query)
        size = min(int(query.get("per_page", ["30"])[0]), 100)
        page = int(query.get("page", ["1"])[0])
        all_of = [asset for asset in ASSETS.values() if asset["release"] == int(release)]
        part = all_of[(page - 1) * size : page * size]
        links = []
        here = f"http://127.0.0.1:{self.port}/api/repos/me/app/releases/{release}/assets?per_page={size}&page="
        if page > 1:
            links.append(f'<{here}{page - 1}>; rel="prev"')
        if page * size < len(all_of):
            links.append(f'<{here}{page + 1}>; rel="next"')
        self.send(200, [shown(asset) for asset in part], {"Link": ", ".join(links)} if links else {})

    def get_asset(self, number):
        asset = ASSETS.get(int(number))
        if not asset:
            return self.send(404, {"message": "Not Found"})
        if self.headers.get("Accept") != "application/octet-stream":
            return self.send(200, shown(asset))
        self.send(302, b"", {"Location": self.elsewhere(asset)})

    def delete_asset(self, number):
        if not ASSETS.pop(int(number), None):
            return self.send(404, {"message": "Not Found"})
        self.send(204)

    def take(self, path):
        match = re.fullmatch(r"/releases/(\d+)/assets", path)
        if not match or self.command != "POST":
            return self.send(404, {"message": "Not Found"})
        if "Content-Length" not in self.headers or "Content-Type" not in self.headers:
            return self.send(400, {"message": "Bad Content-Length or Content-Type"})
        release = int(match[1])
        # A form's rules: + is a space.
        asked = unquote_plus(re.search(r"name=([^&]*)", self.query)[1])
        name = re.sub(r"[^A-Za-z0-9._+-]", ".", asked).strip(".")
        of_release = [asset for asset in ASSETS.values() if asset["release"] == release]
        if any(asset["name"] == name for asset in of_release):
            error = {"resource": "ReleaseAsset", "code": "already_exists", "field": "name"}
            return self.send(422, {"message": "Validation Failed", "errors": [error]})
        if len(of_release) >= 1000:
            error = {"resource": "ReleaseAsset", "code": "custom", "message": "file count limit"}
            return self.send(422, {"message": "Validation Failed", "errors": [error]})
        if STATE["lost"]:
            STATE["lost"] -= 1
            add_asset(release, name, b"", "starter")
            return self.send(502, b"<html>Bad Gateway</html>")
        self.send(201, shown(add_asset(release, name, self.body, "uploaded")))


def add_asset(release, name, data, state):
    number = max(ASSETS, default=100) + 1
    ASSETS[number] = {"id": number, "release": release, "name": name, "data": data, "state": state}
    return ASSETS[number]


def shown(asset):
    updated = email.utils.formatdate(time.time())
    return {
        "id": asset["id"],
        "name": asset["name"],
        "size": len(asset["data"]),
        "state": asset["state"],
        "updated_at": updated,
    }


ROUTES = [
    ("GET", "", Handler.about),
    ("GET", "/git/ref/heads/(.+)", Handler.get_ref),
    ("GET", "/git/commits/([0-9a-f]+)", lambda self, sha: self.get_object("commit", sha)),
    ("GET", "/git/blobs/([0-9a-f]+)", lambda self, sha: self.get_object("blob", sha)),
    ("GET", "/git/trees/([0-9a-f]+)", Handler.get_tree),
    ("POST", "/git/blobs", Handler.post_blob),
    ("POST", "/git/trees", Handler.post_tree),
    ("POST", "/git/commits", Handler.post_commit),
    ("POST", "/git/refs", Handler.post_ref),
    ("PATCH", "/git/refs/heads/(.+)", Handler.patch_ref),
    ("GET", "/releases/tags/(.+)", Handler.get_release),
    ("POST", "/releases", Handler.post_release),
    (r"GET", r"/releases/(\d+)/assets", Handler.list_assets),
    (r"GET", r"/releases/assets/(\d+)", Handler.get_asset),
    (r"DELETE", r"/releases/assets/(\d+)", Handler.delete_asset),
]

if __name__ == "__main__":
    main()
