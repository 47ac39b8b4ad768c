"""The chart scripts, taken out of the installed vl-convert-python; nothing is fetched or copied."""

import gzip
from pathlib import Path
from zlib import crc32

import vl_convert

# A module, since the bundle's top-level names collide in a classic script. vega-embed brings the
# interpreter that evaluates chart expressions without eval, which the content policy forbids.
SNIPPET = "window.vegaEmbed = vegaEmbed;"


def build(folder: Path) -> Path:
    """Write charts/vega.js into a static folder, once for each installed version and snippet."""
    path = folder / "charts" / "vega.js"
    stamp = folder / "charts" / f".{vl_convert.__version__}-{crc32(SNIPPET.encode()):x}"
    if not (path.exists() and stamp.exists()):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(vl_convert.javascript_bundle(SNIPPET))
        stamp.touch()
    return path


def compressed_size(path: Path) -> int:
    """Bytes on the wire."""
    return len(gzip.compress(path.read_bytes()))
