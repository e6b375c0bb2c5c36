"""Write the checksums beside committed tables anew, after a merge: python -m tools.checksums."""

from ademamix.checkout import checkout
from analysis.judge import folders
from analysis.tables import CHANGED, write_with_checksum

for folder in folders(checkout() / "figures", None):
    for path in [*folder.glob("figure-*.csv"), *folder.glob("noise.csv")]:
        content = path.read_bytes()
        about = {} if path.name == "noise.csv" else {CHANGED: []}
        write_with_checksum(path, content, **about)
