from __future__ import annotations

import gzip
import os
import tarfile
from contextlib import suppress

import pytest

from kfp_k8s_manifest.rest.archives import MAX_SIZE, unpack
from kfp_k8s_manifest.rest.errors import RestError
from tests.rest.packing import packed, tar

PACKAGE = b"pipelineInfo: {name: x}\n"
OTHER = b"other\n"


def refusal(file_name: str, data: bytes) -> str:
    with pytest.raises(RestError) as caught:
        unpack(file_name, data)
    assert caught.value.status == 400
    return caught.value.text


@pytest.mark.parametrize("name", ["p.yaml", "p.yml", "p.json", ".yaml", "a.tar.gz.yaml"])
def test_texts_are_taken_as_they_are(name: str) -> None:
    assert unpack(name, PACKAGE) == PACKAGE
    assert unpack(name, tar(("pipeline.yaml", PACKAGE)))[:2] == b"\x1f\x8b"


@pytest.mark.parametrize("pack", [tar, packed])
@pytest.mark.parametrize("file_name", ["p.tar.gz", "p.zip", "p", "p.YAML", "p.yaml?x=1"])
def test_archives_are_known_by_their_content(pack: object, file_name: str) -> None:
    assert callable(pack)
    assert unpack(file_name, pack(("pipeline.yaml", PACKAGE))) == PACKAGE
    assert unpack(file_name, pack(("x.txt", OTHER), ("pipeline.yaml", PACKAGE))) == PACKAGE
    assert unpack(file_name, pack(("first.yml", PACKAGE), ("second.yaml", OTHER))) == PACKAGE
    # Only the exact name counts; else the first entry does.
    assert unpack(file_name, pack(("a.yaml", PACKAGE), ("./pipeline.yaml", OTHER))) == PACKAGE
    assert unpack(file_name, pack(("a.yaml", PACKAGE), ("d/pipeline.yaml", OTHER))) == PACKAGE


@pytest.mark.parametrize(("pack", "kind"), [(tar, "tar.gz"), (packed, "zip")])
def test_archives_without_a_package(pack: object, kind: str) -> None:
    assert callable(pack)
    assert refusal("p", pack(("x.txt", OTHER), ("second.yaml", PACKAGE))) == (
        f"The {kind} file has no pipeline.yaml, and its first entry does not end in .yaml or .yml"
    )
    assert refusal("p", pack()) == f"The {kind} file is empty"


def test_a_folder_as_the_first_entry() -> None:
    folder = tarfile.TarInfo("dir/")
    folder.type = tarfile.DIRTYPE
    assert refusal("p", tar(("a.yaml", PACKAGE), extra=[folder])).startswith("The tar.gz file has")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_folders_in_the_place_of_a_package_lead_nowhere(kind: bytes) -> None:
    link = tarfile.TarInfo("pipeline.yaml")
    link.type = kind
    link.linkname = "/etc/passwd"
    assert refusal("p", tar(extra=[link])) == (
        "The tar.gz file has something else than a file for a package"
    )


@pytest.mark.parametrize("data", [b"", b"PK", b"text", b"\x1f", b"ustar", bytes(600)], ids=repr)
def test_other_files(data: bytes) -> None:
    assert refusal("p.bin", data) == (
        "Unexpected pipeline file format. Support .zip, .tar.gz, .json or YAML"
    )


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04rubbish",
        b"\x1f\x8brubbish",
        gzip.compress(b"no archive of entries"),
        packed(("pipeline.yaml", PACKAGE))[:-10],
        packed(("pipeline.yaml", PACKAGE)).replace(b"pipeline.yaml", b"pipeline.yam\xff"),
    ],
    ids=["zip", "gzip", "gzip of text", "cut zip", "names that differ"],
)
def test_broken_archives(data: bytes) -> None:
    assert refusal("p", data)[:4] == "The "


def test_a_tar_that_is_cut_behind_its_package() -> None:
    random = os.urandom(100_000)
    data = tar(("pipeline.yaml", PACKAGE), ("rest.bin", random))
    assert unpack("p", data[: len(data) // 2]) == PACKAGE


def test_every_broken_byte_is_a_refusal_or_a_package() -> None:
    for whole in (tar(("pipeline.yaml", PACKAGE)), packed(("pipeline.yaml", PACKAGE))):
        for index in range(2, len(whole)):
            for value in (0, 0xFF, whole[index] ^ 1):
                data = bytes([*whole[:index], value, *whole[index + 1 :]])
                with suppress(RestError):
                    assert isinstance(unpack("p", data), bytes)


def test_an_encrypted_zip() -> None:
    data = bytearray(packed(("pipeline.yaml", PACKAGE)))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert refusal("p.zip", bytes(data)).startswith("The zip file cannot be read: ")


def test_sizes() -> None:
    assert len(unpack("p.yaml", b"x" * MAX_SIZE)) == MAX_SIZE
    assert refusal("p.yaml", b"x" * (MAX_SIZE + 1)) == (
        "File size too large (33554433 bytes). Maximum supported size: 33554432. Compress the"
        " package, or make it smaller"
    )
    too_large = (
        "The package is larger than 33554432 bytes once it is unpacked, the most that is read"
    )
    assert refusal("p.zip", packed(("pipeline.yaml", bytes(MAX_SIZE + 1)))) == too_large
    assert refusal("p.tar.gz", tar(("pipeline.yaml", bytes(MAX_SIZE + 1)))) == too_large
    # What lies before the package is passed over, and no more than that is unpacked of it.
    assert refusal("p.tar.gz", tar(("x.bin", bytes(9 * MAX_SIZE)), ("pipeline.yaml", b"a"))) == (
        "The tar.gz file is larger than 268435456 bytes once it is unpacked, the most that is read"
    )
