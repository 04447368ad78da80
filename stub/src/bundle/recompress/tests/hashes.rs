//! What C zlib makes of the samples: the first bytes of SHA-256 of it, at levels
//! 1 to 9. Printed by `hashes.py` with Python 3.11, zlib 1.2.13 and zlib-ng 2.3.

pub(super) const ZLIB: [[&str; 9]; 6] = [
    // text
    [
        "ccc42aab3b3779da",
        "136aaedc8b792a26",
        "b0830c4070bbf207",
        "08579cd24e98f7b8",
        "5680c79632d65c03",
        "6040d8fc9d9c74c1",
        "ea99a091df004924",
        "8f7ccfcb47a999b5",
        "8f7ccfcb47a999b5",
    ],
    // mixed
    [
        "b94f37ccac26877e",
        "7136458ae5401721",
        "6aadd72c1d006f14",
        "71dd5dd53d80c7c5",
        "c218e5b5d4eada75",
        "785398b95b6a00de",
        "8845698142f3388a",
        "2f7f0f29576644ce",
        "2f7f0f29576644ce",
    ],
    // noise
    [
        "ff236d17a4b98f96",
        "2f7187abe3b76556",
        "2f7187abe3b76556",
        "91644ed2e6043213",
        "91644ed2e6043213",
        "b095e02989c27a1a",
        "1455aab487ccb633",
        "1455aab487ccb633",
        "1455aab487ccb633",
    ],
    // zeros
    [
        "0022b30dea36b9d0",
        "5846da76d122433d",
        "5846da76d122433d",
        "d88b77c00215d17c",
        "d88b77c00215d17c",
        "d98ab6ef5f6173ed",
        "eef35fd18f80b076",
        "eef35fd18f80b076",
        "eef35fd18f80b076",
    ],
    // letters
    [
        "6be79d6c5bec17e4",
        "317df1288c224290",
        "eac5d3f3c7b42fa9",
        "f066a10692cc154e",
        "3e7873861b88fef2",
        "9b3389c6a05a2f7b",
        "0a1e4cb532f04248",
        "94310f4d415d2848",
        "135447942e9028f7",
    ],
    // skewed
    [
        "439cf83ace482cba",
        "1c3439077ac4f6db",
        "8472c496aa70d0cb",
        "ca4388fa6f0729c7",
        "5ef80980ff1055ca",
        "2384b8fcc4e01509",
        "af6765a02d6f55c3",
        "af6765a02d6f55c3",
        "af6765a02d6f55c3",
    ],
];
pub(super) const ZLIB_NG_WHOLE: [[&str; 9]; 6] = [
    // text
    [
        "add098eee6d99826",
        "a8ca47e266a49bfd",
        "9df46aae5bf62a6c",
        "c0f73113d61d1edf",
        "6c3341bcbcfc6e74",
        "0c560a0e8784a937",
        "e3275208b7089bda",
        "70bab46338a8b50b",
        "77880cc2f4079a60",
    ],
    // mixed
    [
        "b1ee8d1efd02cec1",
        "49c57545ce3b7769",
        "570017eae3c5cde8",
        "942e4dcfdfddcde7",
        "47aef44d80a9a31b",
        "c39eac0ef880c02a",
        "e2fa9449fc42ece6",
        "d6fc42d8086c93d3",
        "08bb81ac3971c495",
    ],
    // noise
    [
        "d2a989a311f6e5a9",
        "5c2186e87e2ce622",
        "5c2186e87e2ce622",
        "5c2186e87e2ce622",
        "41403a23fa3ed08e",
        "8c466f68eb337c9e",
        "52531ceb689c9c8b",
        "52531ceb689c9c8b",
        "4cbb2f436f12d2b7",
    ],
    // zeros
    [
        "3d9864ef799b2072",
        "d88b77c00215d17c",
        "d88b77c00215d17c",
        "d88b77c00215d17c",
        "3e4b6ae11501e3f6",
        "2a5bb11632e8254b",
        "eef35fd18f80b076",
        "eef35fd18f80b076",
        "eef35fd18f80b076",
    ],
    // letters
    [
        "7502f36220fbae90",
        "09b6dd5d8691b6af",
        "1221679f49150c96",
        "c8fc1cb2ee10bfe7",
        "72b1395890e9da60",
        "95e7ad66e160ef2c",
        "4a681b9e164b7f6f",
        "d2859cd47f7f4be6",
        "3e6631cdb7b7e6a3",
    ],
    // skewed
    [
        "11f31c29aceac502",
        "956045c9e17534a7",
        "61a3f3cddef5c3cc",
        "61a3f3cddef5c3cc",
        "61a3f3cddef5c3cc",
        "c91fb65c997b30fe",
        "2b2d768f672b36b9",
        "2b2d768f672b36b9",
        "a192c313c71aefcb",
    ],
];
pub(super) const ZLIB_NG_PIECES: [[&str; 9]; 6] = [
    // text
    [
        "316899a810976a51",
        "a8ca47e266a49bfd",
        "9df46aae5bf62a6c",
        "c0f73113d61d1edf",
        "b6f433231360b1fa",
        "501c27bd7295cc17",
        "e3275208b7089bda",
        "70bab46338a8b50b",
        "77880cc2f4079a60",
    ],
    // mixed
    [
        "f4ca1d5cb6871f5a",
        "49c57545ce3b7769",
        "570017eae3c5cde8",
        "942e4dcfdfddcde7",
        "5a14fe1e44897c9d",
        "3e1b9feb66f19ffa",
        "e2fa9449fc42ece6",
        "d6fc42d8086c93d3",
        "08bb81ac3971c495",
    ],
    // noise
    [
        "cf744d3bef792648",
        "5c2186e87e2ce622",
        "5c2186e87e2ce622",
        "5c2186e87e2ce622",
        "dcbec57c4543f1a3",
        "f025e5009a6ca5c9",
        "52531ceb689c9c8b",
        "52531ceb689c9c8b",
        "4cbb2f436f12d2b7",
    ],
    // zeros
    [
        "de338f5e53b6f5f1",
        "d88b77c00215d17c",
        "d88b77c00215d17c",
        "d88b77c00215d17c",
        "3e4b6ae11501e3f6",
        "2a5bb11632e8254b",
        "eef35fd18f80b076",
        "eef35fd18f80b076",
        "eef35fd18f80b076",
    ],
    // letters
    [
        "6b68306df5a79c06",
        "09b6dd5d8691b6af",
        "1221679f49150c96",
        "c8fc1cb2ee10bfe7",
        "35e692a29486e683",
        "889a3b5b1987d988",
        "4a681b9e164b7f6f",
        "d2859cd47f7f4be6",
        "3e6631cdb7b7e6a3",
    ],
    // skewed
    [
        "b2c8b245a8d6b72c",
        "956045c9e17534a7",
        "61a3f3cddef5c3cc",
        "61a3f3cddef5c3cc",
        "61a3f3cddef5c3cc",
        "c91fb65c997b30fe",
        "2b2d768f672b36b9",
        "2b2d768f672b36b9",
        "a192c313c71aefcb",
    ],
];
