"""The Python peers, as the interop tests use them. Prints one JSON object.

interop.py ngclient URL ROOT DIR TARGET...      python-tuf refreshes and downloads
interop.py client URL ROOT DIR NAME VERSION [ARCHIVE [CHANNEL]]
                                                a tufup client updates, with that archive at hand
interop.py rotate OLD NEW                       tufup replaces a key and publishes
interop.py legacy-key PATH PASSWORD             securesystemslib makes a key pair
interop.py expire METADATA KEY                  the timestamp, signed with KEY, expired in 2020
interop.py grow METADATA KEYSTORE BYTES           targets metadata, signed, with a target that takes so many
interop.py signatures                           keys and signatures of all schemes
interop.py release NAME VERSION BUNDLE          tufup adds and publishes, in the working directory

With PEER=notsotuf, original notsotuf does what tufup does.
"""

import hashlib
import importlib
import json
import logging
import os
import pathlib
import shutil
import sys

PEER = os.environ.get("PEER", "tufup")

logging.basicConfig(level=logging.WARNING)


def ngclient(url, root, folder, *targets):
    from tuf.ngclient import Updater

    folder = pathlib.Path(folder)
    (folder / "metadata").mkdir(parents=True)
    (folder / "targets").mkdir()
    shutil.copy(root, folder / "metadata" / "root.json")
    updater = Updater(
        metadata_dir=str(folder / "metadata"),
        metadata_base_url=url + "/metadata/",
        target_dir=str(folder / "targets"),
        target_base_url=url + "/targets/",
    )
    updater.refresh()
    sizes = {}
    for name in targets:
        info = updater.get_targetinfo(name)
        path = updater.download_target(info)
        sizes[name] = pathlib.Path(path).stat().st_size
    return sizes


def client(url, root, folder, name, version, archive=None, channel=None):
    Client = importlib.import_module(PEER + ".client").Client
    folder = pathlib.Path(folder)
    for sub in ["metadata", "targets", "install", "extract"]:
        (folder / sub).mkdir(parents=True)
    shutil.copy(root, folder / "metadata" / "root.json")
    if archive:
        shutil.copy(archive, folder / "targets" / f"{name}-{version}.tar.gz")

    def install(src_dir, dst_dir, **kwargs):
        shutil.copytree(src_dir, dst_dir, dirs_exist_ok=True, symlinks=True)

    updater = Client(
        app_name=name,
        app_install_dir=folder / "install",
        current_version=version,
        metadata_dir=folder / "metadata",
        metadata_base_url=url + "/metadata/",
        target_dir=folder / "targets",
        target_base_url=url + "/targets/",
        extract_dir=folder / "extract",
    )
    found = updater.check_for_updates(pre=channel)
    if found is None:
        return {"found": None}
    updater.download_and_apply_update(skip_confirmation=True, install=install)
    installed = sorted(path.name for path in (folder / "install").iterdir())
    return {
        "found": str(found.version),
        "custom": getattr(found, "custom", None),
        "installed": installed,
        "downloaded": sorted(str(meta) for meta in updater.downloaded_target_files),
    }


def release(name, version, bundle):
    Repository = importlib.import_module(PEER + ".repo").Repository
    if Repository.get_config_file_path().exists():
        repository = Repository.from_config()
    else:
        repository = Repository(app_name=name)
        repository.save_config()
        repository.initialize()
    repository.add_bundle(new_bundle_dir=bundle, new_version=version)
    repository.publish_changes(private_key_dirs=[repository.keys_dir])
    return {"version": version}


def rotate(old, new):
    from tufup.repo import Keys, Repository

    repository = Repository.from_config()
    private = repository.keys_dir / new
    Keys.create_key_pair(private_key_path=private, encrypted=False)
    repository.replace_key(
        old_key_name=old,
        new_public_key_path=private.with_suffix(".pub"),
        new_private_key_encrypted=False,
    )
    repository.save_config()
    repository.publish_changes(private_key_dirs=[repository.keys_dir])
    return {}


def legacy_key(path, password):
    from securesystemslib.interface import (
        generate_and_write_ed25519_keypair,
        generate_and_write_unencrypted_ed25519_keypair,
    )

    if password:
        generate_and_write_ed25519_keypair(password=password, filepath=path)
    else:
        generate_and_write_unencrypted_ed25519_keypair(filepath=path)
    return {}


def expire(metadata, key):
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.formats import encode_canonical

    path = pathlib.Path(metadata) / "timestamp.json"
    document = json.loads(path.read_text())
    document["signed"]["expires"] = "2020-01-01T00:00:00Z"
    key = load_pem_private_key(pathlib.Path(key).read_bytes(), password=None)
    payload = encode_canonical(document["signed"]).encode()
    document["signatures"][0]["sig"] = key.sign(payload).hex()
    path.write_text(json.dumps(document))
    return {}


def filling(size):
    """Texts of no great length, which take so many bytes."""
    texts = []
    while size > 3:
        length = size - 3 if size <= 8000 else 7900
        texts.append("x" * length)
        size -= length + 3
    return texts


def grow(metadata, keystore, size):
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.formats import encode_canonical

    metadata, keystore = pathlib.Path(metadata), pathlib.Path(keystore)

    def load(role):
        versions = [int(p.name.split(".")[0]) for p in metadata.glob(f"*.{role}.json")]
        name = f"{max(versions)}.{role}.json" if versions else f"{role}.json"
        return json.loads((metadata / name).read_text())

    listed = None
    for role, lists in [("targets", None), ("snapshot", "targets"), ("timestamp", "snapshot")]:
        document = load(role)
        signed = document["signed"]
        signed["version"] += 1
        if lists:
            signed["meta"][f"{lists}.json"] = {"version": listed}
        else:
            custom = {"user": {"text": filling(int(size))}, "tufup": {}}
            signed["targets"]["manual.pdf"] = {
                "length": 0,
                "hashes": {"sha256": hashlib.sha256(b"").hexdigest()},
                "custom": custom,
            }
        key = load_pem_private_key((keystore / f"{role}.pem").read_bytes(), password=None)
        document["signatures"][0]["sig"] = key.sign(encode_canonical(signed).encode()).hex()
        listed = signed["version"]
        name = f"{role}.json" if role == "timestamp" else f"{listed}.{role}.json"
        (metadata / name).write_text(json.dumps(document, separators=(",", ":")))
        if role == "targets":
            written = (metadata / name).stat().st_size
    return {"size": written}


def signatures():
    """Keys and signatures of all schemes, by securesystemslib."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from cryptography.hazmat.primitives import hashes
    from securesystemslib.signer import CryptoSigner

    payload = b"some payload"
    signers = [
        CryptoSigner.generate_ed25519(),
        CryptoSigner.generate_ecdsa(),
        CryptoSigner.generate_rsa(),
        CryptoSigner.generate_rsa(scheme="rsa-pkcs1v15-sha256"),
    ]
    cases = []
    for signer in signers:
        key = signer.public_key
        cases.append({"key": key.to_dict(), "sig": signer.sign(payload).signature})
    # It makes no keys on P-384, though it verifies them.
    private = ec.generate_private_key(ec.SECP384R1())
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    cases.append({
        "key": {
            "keytype": "ecdsa",
            "scheme": "ecdsa-sha2-nistp384",
            "keyval": {"public": pem.decode()},
        },
        "sig": private.sign(payload, ec.ECDSA(hashes.SHA384())).hex(),
    })
    return {"payload": payload.decode(), "cases": cases}


commands = {"rotate": rotate, "legacy-key": legacy_key, "signatures": signatures, "expire": expire, "grow": grow, "ngclient": ngclient, "client": client, "release": release}
json.dump(commands[sys.argv[1]](*sys.argv[2:]), sys.stdout)
